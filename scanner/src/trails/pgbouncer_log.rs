//! The log of PgBouncer: who logs in at the pooler, who is refused by it, and when it reads its passwords anew.
//!
//! A login that succeeds is not logged: it is one that nothing speaks against before it ends, or until the time for
//! logins is over. What the server behind refuses to the pooler is a refusal too, as the pooler holds a password that
//! is not honoured.
//!
//! # Guarantees
//! Names stand in the log as clients send them, line ends included, up to 128 bytes. Records that a name may have a
//! hand in give no event and are said to be broken; of the others all that PgBouncer writes is asked for, which leaves
//! a name no room to forge one. <https://www.pgbouncer.org/config.html#log-settings>

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use chrono::{FixedOffset, TimeDelta};
use keytrail_rules::model::{EventKind, Place, Role, Time};

use super::postgres_log::{begins_with_time, instant, offset, role};
use super::{Draft, Framing, Opening, Out, Parser, Reads, RecordPlace, TrailKind};

/// `client_login_timeout`, by default: who is not in by then is not let in.
const LOGIN: TimeDelta = TimeDelta::seconds(60);

/// No more logins than this are held back.
const MAX_LOGINS: usize = 50_000;

/// Records after one that a name has broken in two that it may have forged.
const DOUBTED: u32 = 5;

/// The kind of trail.
pub static KIND: TrailKind = TrailKind {
    name: "pgbouncer-log",
    role: Role::Application,
    delay: LOGIN,
    watches: &["postgres:"],
    requires: &["paths"],
    reads: Reads::Records { framing: Framing::Starts(begins_with_time), parser: open },
};

fn open<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(PgBouncerLog {
        pooler: opening.config.consumer.as_deref().and_then(Place::parse),
        name: &opening.config.name,
        zone: opening.config.zone.as_deref().and_then(offset),
        logins: HashMap::new(),
        due: BTreeMap::new(),
        next: 0,
        doubted: 0,
    })
}

struct PgBouncerLog<'a> {
    /// What the config calls it.
    pooler: Option<Place>,
    name: &'a str,
    zone: Option<FixedOffset>,
    /// By client; `None` for one that was refused.
    logins: HashMap<String, Option<Draft>>,
    due: BTreeMap<(Time, u64), String>,
    next: u64,
    doubted: u32,
}

/// `2026-11-21 07:42:33.677 UTC [3091] LOG C-0x559285094850: app/me@127.0.0.1:34586 login attempt: …`
struct Line<'a> {
    time: Time,
    pid: &'a str,
    /// The socket, as `C-0x559285094850`.
    socket: Option<Socket<'a>>,
    message: &'a str,
    /// The record, and where it lies.
    evidence: Option<(RecordPlace, &'a [u8])>,
}

struct Socket<'a> {
    /// Of a client, and not of the server behind.
    client: bool,
    id: &'a str,
    database: &'a str,
    user: &'a str,
    address: &'a str,
}

impl Parser for PgBouncerLog<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let text = String::from_utf8_lossy(record);
        let text = text.trim_start_matches('\u{feff}').trim_end();
        if text.is_empty() {
            return;
        }
        let mut line = match parse(text, self.zone) {
            Ok(line) => line,
            Err(why) => {
                self.doubted = DOUBTED;
                return out.broken(why);
            }
        };
        line.evidence = out.place.clone().map(|place| (place, record));
        out.time = Some(line.time);
        self.expire(line.time, out);
        if self.doubted > 0 {
            self.doubted -= 1;
            return out.broken("it follows a line that is no record: a name may hold a line end");
        }
        match &line.socket {
            Some(socket) if socket.client => self.client(&line, socket, out),
            Some(_) => {}
            None => self.pooler(&line, out),
        }
    }

    fn end(&mut self, out: &mut Out) {
        while let Some((_, client)) = self.due.pop_first() {
            self.logged_in(&client, out);
        }
    }
}

/// Why a record cannot be read.
const BROKEN: &str = "it is no record of PgBouncer, or a name in it holds a line end";

fn parse(text: &str, zone: Option<FixedOffset>) -> Result<Line<'_>, &'static str> {
    if text.contains('\n') {
        return Err(BROKEN);
    }
    let (time, rest) = instant(text, zone).ok_or("it has no time, or one of a zone that is not known")?;
    if !text[..text.len() - rest.len()].contains('.') {
        return Err(BROKEN);
    }
    let (pid, rest) = rest.strip_prefix(" [").and_then(|rest| rest.split_once("] ")).ok_or(BROKEN)?;
    let (level, rest) = rest.split_once(' ').ok_or(BROKEN)?;
    let known = ["FATAL", "ERROR", "WARNING", "LOG", "DEBUG", "NOISE"].contains(&level);
    if !known || pid.is_empty() || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BROKEN);
    }
    if !rest.starts_with("C-") && !rest.starts_with("S-") {
        return Ok(Line { time, pid, socket: None, message: rest, evidence: None });
    }
    let (socket, message) = socket(rest).ok_or(BROKEN)?;
    Ok(Line { time, pid, socket: Some(socket), message, evidence: None })
}

/// `C-0x559285094850: app/me@127.0.0.1:34586 …`, and what follows. A name with a space in it is not told from what
/// follows.
fn socket(text: &str) -> Option<(Socket<'_>, &str)> {
    let (id, rest) = text.split_once(": ")?;
    let (names, message) = rest.split_once(' ')?;
    let (names, address) = names.rsplit_once('@')?;
    let (database, user) = names.split_once('/')?;
    let (host, port) = address.rsplit_once(':')?;
    let pointer = id.get(2..)?.strip_prefix("0x")?;
    let pointer = pointer.len() >= 6 && pointer.bytes().all(|byte| byte.is_ascii_hexdigit());
    let host = host.starts_with("unix") || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let port = host && port.bytes().all(|byte| byte.is_ascii_digit() || b"()".contains(&byte));
    (pointer && port).then_some((Socket { client: id.starts_with("C-"), id, database, user, address }, message))
}

impl PgBouncerLog<'_> {
    fn draft(&self, line: &Line<'_>, kind: EventKind, target: Place) -> Draft {
        let socket = line.socket.as_ref().map_or("", |socket| socket.id);
        let address = line.socket.as_ref().map_or("", |socket| socket.address);
        let id = format!("{}/{}/{socket}/{address}/{}", line.time.to_rfc3339(), line.pid, kind.as_str());
        let mut draft = Draft::new(kind, target, line.time, id);
        draft.raw = line.evidence.as_ref().map(|(place, record)| place.raw(record));
        if let Some(socket) = &line.socket {
            draft.actor = Some(socket.user.to_owned());
            let host = socket.address.rsplit_once(':').map_or("", |(host, _)| host);
            draft.details.push(("address", host.to_owned()));
        }
        draft
    }

    fn client(&mut self, line: &Line<'_>, socket: &Socket<'_>, out: &mut Out) {
        let client = format!("{}/{}/{}", line.pid, socket.id, socket.address);
        if let Some(asked) = line.message.strip_prefix("login attempt: ") {
            let said = format!("db={} user={} tls=", socket.database, socket.user);
            // The console of the pooler has users that are no roles.
            if asked.starts_with(&said) && socket.database != "pgbouncer" {
                let draft = self.draft(line, EventKind::Loaded, role(socket.user));
                self.next += 1;
                let due = line.time.checked_add_signed(LOGIN).unwrap_or(line.time);
                self.due.insert((due, self.next), client.clone());
                self.logins.insert(client, Some(draft));
            }
            return;
        }
        let closing = line.message.strip_prefix("closing because: ");
        let reason = closing.unwrap_or(line.message);
        if reason.starts_with("password authentication failed") || is_refusal(reason) {
            if socket.database != "pgbouncer" && self.logins.get(&client) != Some(&None) {
                let mut draft = self.draft(line, EventKind::Refused, role(socket.user));
                let cause =
                    if reason.contains("for user") { "the server refused the pooler" } else { "wrong password" };
                draft.details.push(("cause", cause.to_owned()));
                out.event(draft);
                self.logins.insert(client.clone(), None);
            }
        } else if closing.is_some() && reason.starts_with("client close request") {
            self.logged_in(&client, out);
        }
        if closing.is_some() {
            self.logins.remove(&client);
        }
    }

    fn pooler(&mut self, line: &Line<'_>, out: &mut Out) {
        let again = ["RELOAD command issued", "got SIGHUP", "process up: "];
        if again.iter().any(|start| line.message.starts_with(start)) {
            let pooler = self.pooler.clone().unwrap_or_else(|| Place::of_path("pgbouncer", self.name));
            out.event(self.draft(line, EventKind::Restarted, pooler));
        }
        let refused =
            line.message.strip_prefix("server login failed: FATAL password authentication failed for user \"");
        if let Some(user) = refused.and_then(|rest| rest.strip_suffix('"')).filter(|user| !user.contains('"')) {
            let mut draft = self.draft(line, EventKind::Refused, role(user));
            draft.actor = Some(user.to_owned());
            draft.details.push(("cause", "the server refused the pooler".to_owned()));
            out.event(draft);
        }
    }

    fn logged_in(&mut self, client: &str, out: &mut Out) {
        out.events.extend(self.logins.remove(client).flatten());
    }

    fn expire(&mut self, now: Time, out: &mut Out) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let client = entry.remove();
            self.logged_in(&client, out);
        }
        while self.due.len() > MAX_LOGINS
            && let Some((_, client)) = self.due.pop_first()
        {
            self.logged_in(&client, out);
        }
    }
}

/// Whether a client was turned away for what it presented.
fn is_refusal(reason: &str) -> bool {
    let reasons = ["SASL authentication failed", "auth failed", "no such user", "wrong password type"];
    reasons.iter().any(|start| reason.starts_with(start))
}

#[cfg(test)]
mod tests;
