//! The log of PostgreSQL: `csvlog`, `jsonlog` and the standard error, with pgAudit's lines among them.
//!
//! # What is read
//! Who was let in with a password, and who was turned away and why (`log_connections`); passwords that roles were
//! given, roles that were dropped or locked out (`log_statement = ddl`, or pgAudit with the class `role`, which also
//! sees what a `DO` block does). A statement is logged before it is carried out: one that fails, or is rolled back so
//! far as the log shows it, is a try that failed. Only `log_statement = all` shows that a transaction was rolled
//! back; an event says so when the end of its transaction is not there.
//!
//! # Guarantees
//! * `log_statement` leaves passwords in the log. None is copied: of a statement only the role and what happened to it
//!   stay.
//! * In the standard error anybody who can connect may forge lines by a name that holds a line end. Records that a name
//!   may have a hand in give no event and are said to be broken.

mod clock;
mod line;
mod sessions;
mod sql;
mod stderr;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::FixedOffset;
use keytrail_rules::model::{EventKind, Place, Role};

use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};
use line::{Line, Severity};
use sessions::{CONNECTION, Held, STATEMENT, Sessions};
use sql::{Change, Step};

pub(super) use clock::{begins_with_time, instant, offset};

/// The kind of trail. The delay is how long an error may come after the statement that it undoes.
pub static KIND: TrailKind = TrailKind {
    name: "postgres-log",
    role: Role::Application,
    delay: STATEMENT,
    watches: &["postgres:"],
    requires: &["paths"],
    reads: Reads::Records { framing: Framing::Sniff(sniff), parser: open },
};

/// Records after one that a name has broken in two that the name may have forged: it and the name of the database, 63
/// bytes each, hold no more times than that.
const DOUBTED: u32 = 5;

const FORGED: &str = "a name in it, or before it, may hold a line end: use csvlog or jsonlog";

/// Tells the format by a line. One that none of them has is the rest of a record.
fn sniff(line: &[u8]) -> Option<Framing> {
    match line.first() {
        Some(b'{') => Some(Framing::Lines),
        _ if line::is_csv(line) => Some(Framing::Csv),
        _ if stderr::starts(line) => Some(Framing::Starts(stderr::starts)),
        _ => None,
    }
}

fn open<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(PostgresLog {
        zone: opening.config.zone.as_deref().and_then(offset),
        consumer: opening.config.consumer.is_none(),
        sessions: Sessions::default(),
        doubted: 0,
    })
}

struct PostgresLog {
    zone: Option<FixedOffset>,
    /// Whether the name that an application gives itself says who loaded.
    consumer: bool,
    sessions: Sessions,
    /// Records to come that may be forged.
    doubted: u32,
}

/// The place of a role.
pub(super) fn role(name: &str) -> Place {
    Place::of_path("postgres", &format!("role/{name}"))
}

/// Words that names of runs have, where they have no number.
const RUN_WORDS: [&str; 6] = ["run", "rotation", "rotate", "request", "change", "keytrail"];

/// The run that a name of a client is of. Most clients give the name of a program, which is of no run: a run has a
/// number in it or calls itself one, and has no space.
pub(super) fn run(name: &str) -> Option<String> {
    let is_word = |part: &str| RUN_WORDS.iter().any(|word| part.eq_ignore_ascii_case(word));
    let is_run =
        name.bytes().any(|byte| byte.is_ascii_digit()) || name.split(|c: char| !c.is_ascii_alphanumeric()).any(is_word);
    (is_run && name.len() <= 128 && name.chars().all(|c| c.is_ascii_graphic())).then(|| name.to_owned())
}

impl Parser for PostgresLog {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let text = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record).trim_ascii_end();
        if text.is_empty() {
            return;
        }
        let mut line = match line::parse(text, self.zone) {
            Ok(line) => line,
            Err(why) => {
                if why == stderr::NO_TAG {
                    self.doubted = DOUBTED;
                }
                return out.broken(why);
            }
        };
        if line.number.is_none() && self.doubted > 0 {
            self.doubted -= 1;
            line.doubtful = true;
        }
        line.evidence = out.place.clone().map(|place| (place, record));
        out.time = Some(line.time);
        self.sessions.expire(line.time, out);
        if !line.doubtful {
            self.line(&line, out);
        } else if line.severity == Severity::Fatal || is_telling(&line.message) {
            out.broken(FORGED);
        }
    }

    fn end(&mut self, out: &mut Out) {
        self.sessions.end(out);
    }
}

/// Whether a message would give an event.
fn is_telling(message: &str) -> bool {
    message.starts_with("AUDIT: ") || authorized(message).is_some() || statement(message).is_some()
}

/// What follows `connection authorized: `.
fn authorized(message: &str) -> Option<&str> {
    let message = message.strip_prefix("replication ").unwrap_or(message);
    message.strip_prefix("connection authorized: ")
}

/// The statement of a message: `statement: …`, `execute NAME: …`, each perhaps after a duration.
fn statement(message: &str) -> Option<&str> {
    let timed = message.strip_prefix("duration: ").and_then(|rest| rest.split_once("ms  ")).map(|(_, rest)| rest);
    let message = timed.unwrap_or(message);
    message
        .strip_prefix("statement: ")
        .or_else(|| message.strip_prefix("execute ").and_then(|rest| rest.split_once(": ")).map(|(_, text)| text))
}

/// Tells statements apart without keeping them.
fn digest(statement: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    statement.trim().hash(&mut hasher);
    hasher.finish()
}

impl PostgresLog {
    fn line(&mut self, line: &Line<'_>, out: &mut Out) {
        let session = &*line.session;
        let message = &*line.message;
        // What was let in and does something was let in; what was done in another transaction than this was committed.
        if line.severity != Severity::Fatal && authorized(message).is_none() {
            self.sessions.settle(session, |held| held.draft.kind == EventKind::Loaded, out);
        }
        if line.severity != Severity::Detail {
            self.sessions.settle(session, |held| held.draft.kind == EventKind::Refused, out);
        }
        if let Some(now) = &line.transaction {
            let other = |held: &Held| is_change(held) && held.transaction.as_deref() != Some(now);
            self.sessions.settle(session, other, out);
        }
        match line.severity {
            Severity::Log => self.log(line, out),
            Severity::Error => self.failed(line, out),
            Severity::Fatal => {
                self.failed(line, out);
                self.refused(line, out);
            }
            Severity::Detail => self.detail(line),
            Severity::Statement => self.failed_statement(line, out),
            Severity::Other => {}
        }
    }

    fn log(&mut self, line: &Line<'_>, out: &mut Out) {
        let session = &*line.session;
        let message = &*line.message;
        if message.starts_with("connection received: ") || message.starts_with("disconnection: ") {
            self.sessions.close(session, out);
        } else if let Some(how) = message.strip_prefix("connection authenticated: ") {
            self.sessions.at(session, line.time, CONNECTION).by_password = Some(is_password(how));
        } else if let Some(who) = authorized(message) {
            self.let_in(line, who, out);
        } else if let Some(text) = message.strip_prefix("AUDIT: SESSION,") {
            self.audited(line, text, out);
        } else if let Some(text) = statement(message) {
            self.statement(line, text, out);
        }
    }

    fn draft(&self, line: &Line<'_>, kind: EventKind, name: &str) -> Draft {
        let id = match line.number {
            Some(number) => format!("{}/{number}/{}", line.session, kind.as_str()),
            None => format!("{}/{}/{}", line.time.to_rfc3339(), line.session, kind.as_str()),
        };
        let address = Some(&line.address).filter(|address| !address.is_empty());
        let details = address.map(|address| ("address", address.to_string())).into_iter().collect();
        let raw = line.evidence.as_ref().map(|(place, record)| place.raw(record));
        Draft { details, raw, ..Draft::new(kind, role(name), line.time, id) }
    }

    fn consumer(&self, application: &str) -> Option<Arc<str>> {
        let named = self.consumer && !application.is_empty() && application != "[unknown]";
        named.then(|| Arc::from(application))
    }

    fn let_in(&mut self, line: &Line<'_>, who: &str, out: &mut Out) {
        if self.sessions.at(&line.session, line.time, CONNECTION).by_password == Some(false) {
            return;
        }
        let Some((user, application)) = connected(line, who) else { return out.broken(FORGED) };
        let mut draft = self.draft(line, EventKind::Loaded, user);
        draft.actor = Some(user.to_owned());
        draft.run = run(application);
        draft.consumer = self.consumer(application);
        self.sessions.hold(&line.session, line.time, Held::new(draft, line.transaction.as_deref(), 0, false));
    }

    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>: 28P01 is a wrong password, 28000 any other
    /// reason not to let somebody in, of which most are no matter of the credential.
    fn refused(&mut self, line: &Line<'_>, out: &mut Out) {
        let message = &*line.message;
        if !line.state.starts_with("57") && !message.starts_with("terminating connection") {
            self.sessions.forget(&line.session, |held| held.draft.kind == EventKind::Loaded);
        }
        let locked = message.ends_with("is not permitted to log in");
        let wrong = line.state == "28P01" || message.starts_with("password authentication failed for user ");
        if !locked && !wrong {
            return;
        }
        let Some(user) = refused_user(line) else { return out.broken(FORGED) };
        let cause = if locked { "not permitted to log in" } else { cause(&line.detail) };
        let mut draft = self.draft(line, EventKind::Refused, user);
        draft.actor = Some(user.to_owned());
        draft.consumer = self.consumer(&line.application);
        draft.details.push(("cause", cause.to_owned()));
        if line.number.is_some() {
            return out.event(draft);
        }
        self.sessions.hold(&line.session, line.time, Held::new(draft, None, 0, false));
    }

    /// The reason why a password was refused stands in the next line of the standard error.
    fn detail(&mut self, line: &Line<'_>) {
        let cause = cause(&line.message);
        if let Some(session) = self.sessions.get(&line.session) {
            session.amend(EventKind::Refused, |draft| {
                draft.details.retain(|(key, _)| *key != "cause");
                draft.details.push(("cause", cause.to_owned()));
            });
        }
    }

    /// An error undoes its transaction.
    fn failed(&mut self, line: &Line<'_>, out: &mut Out) {
        let session = &*line.session;
        match line.transaction.as_deref() {
            Some(now) => {
                self.sessions.fail(session, |held| is_change(held) && held.transaction.as_deref() == Some(now), out);
            }
            None => {
                let block = self.sessions.get(session).is_some_and(|session| {
                    session.failed = true;
                    session.in_block
                });
                self.sessions.fail(session, |held| is_change(held) && block && held.in_block, out);
            }
        }
    }

    fn failed_statement(&mut self, line: &Line<'_>, out: &mut Out) {
        let failed = self.sessions.get(&line.session).is_some_and(|session| std::mem::take(&mut session.failed));
        let statement = digest(&line.message);
        self.sessions.fail(&line.session, |held| is_change(held) && failed && held.statement == statement, out);
    }

    fn statement(&mut self, line: &Line<'_>, text: &str, out: &mut Out) {
        let session = &*line.session;
        if line.transaction.is_none() && !self.sessions.get(session).is_some_and(|session| session.in_block) {
            self.sessions.settle(session, is_change, out);
        }
        let statement = digest(text);
        for step in sql::steps(text) {
            self.step(line, statement, step, out);
        }
    }

    fn step(&mut self, line: &Line<'_>, statement: u64, step: Step<'_>, out: &mut Out) {
        let session = &*line.session;
        let transaction = line.transaction.as_deref();
        // Without transactions, what was held since the block began, or comes from the same text, is of one.
        let mine = |held: &Held| is_change(held) && held.transaction.as_deref() == transaction;
        match step {
            Step::Begin => self.sessions.at(session, line.time, STATEMENT).in_block = true,
            Step::Commit => {
                self.sessions.commit(session, mine, out);
                self.sessions.end_block(session);
            }
            Step::Rollback => {
                self.sessions.fail(session, mine, out);
                self.sessions.end_block(session);
            }
            Step::Savepoint(name) => self.sessions.savepoint(session, line.time, name),
            Step::RollbackTo(name) => self.sessions.roll_back_to(session, &name, mine, out),
            Step::Change(change) => {
                let Some(draft) = self.change(line, &change) else { return };
                let in_block = line.in_block || self.sessions.at(session, line.time, STATEMENT).in_block;
                self.sessions.hold(session, line.time, Held::new(draft, transaction, statement, in_block));
            }
        }
    }

    /// `None` for a limit that lies ahead, and for who asks, where nobody knows who that is.
    fn change(&self, line: &Line<'_>, change: &Change<'_>) -> Option<Draft> {
        let ahead = change.until.is_some_and(|until| !clock::is_over(until, line.time));
        let name = change.role.as_deref().unwrap_or(&line.user);
        if ahead || name.is_empty() {
            return None;
        }
        let mut draft = self.draft(line, change.kind, name);
        draft.actor = Some(line.user.to_string()).filter(|user| !user.is_empty());
        draft.run = run(&line.application);
        Some(draft)
    }

    /// `STATEMENT_ID,SUBSTATEMENT_ID,CLASS,COMMAND,OBJECT_TYPE,OBJECT_NAME,STATEMENT,PARAMETER`, in CSV.
    /// <https://github.com/pgaudit/pgaudit#format>
    fn audited(&mut self, line: &Line<'_>, text: &str, out: &mut Out) {
        let Some(fields) = line::fields(text.as_bytes()) else { return out.broken("it is no record of pgAudit") };
        let field = |at: usize| fields.get(at).map_or("", String::as_str);
        if field(2) != "ROLE" {
            return;
        }
        let session = &*line.session;
        let transaction = line.transaction.as_deref();
        for step in sql::steps(field(6)) {
            let Step::Change(change) = step else { continue };
            let Some(draft) = self.change(line, &change) else { continue };
            let state = self.sessions.at(session, line.time, STATEMENT);
            if state.audit(&draft, transaction) {
                continue;
            }
            let in_block = line.in_block || state.in_block;
            let audited = Some(draft.id.clone());
            let mut held = Held::new(draft, transaction, digest(field(6)), in_block);
            held.audited = audited;
            self.sessions.hold(session, line.time, held);
        }
    }
}

/// Whether it is a statement's, and not a connection's.
fn is_change(held: &Held) -> bool {
    !matches!(held.draft.kind, EventKind::Loaded | EventKind::Refused)
}

/// Whether a way to be let in asks for the password that the server keeps: `identity="app" method=scram-sha-256 (…)`.
fn is_password(how: &str) -> bool {
    let method = how.rsplit_once(" method=").map_or("", |(_, method)| method);
    ["scram-sha-256", "md5", "password"].contains(&method.split(' ').next().unwrap_or_default())
}

/// The role and the name of the application of `user=… database=… application_name=…`. A record with fields of its own
/// has the role there; `None` where a name may hold what looks like the fields.
fn connected<'l>(line: &'l Line<'_>, who: &'l str) -> Option<(&'l str, &'l str)> {
    let application = who.split_once(" application_name=").map_or("", |(_, rest)| rest);
    let application = ["SSL", "GSS"]
        .iter()
        .find_map(|end| application.rsplit_once(&format!(" {end} ")))
        .map_or(application, |one| one.0);
    if line.number.is_some() {
        return Some((&line.user, application));
    }
    let user = who.strip_prefix("user=")?;
    let keys = [" database=", " application_name="];
    if keys.iter().any(|key| user.matches(key).count() > 1) {
        return None;
    }
    let end = keys.iter().filter_map(|key| user.find(key)).min().unwrap_or(user.len());
    Some((&user[..end], application))
}

/// The role that was refused; `None` where its name is not what the quotes hold.
fn refused_user<'l>(line: &'l Line<'_>) -> Option<&'l str> {
    if line.number.is_some() && !line.user.is_empty() {
        return Some(&line.user);
    }
    let (_, rest) = line.message.split_once('"')?;
    let (user, rest) = rest.rsplit_once('"')?;
    (!user.contains(['"', '\n']) && !rest.contains('\n')).then_some(user)
}

/// Why a password was refused, by the first line of the detail.
fn cause(detail: &str) -> &'static str {
    let first = detail.lines().next().unwrap_or_default();
    let causes = [
        ("has an expired password.", "the password has expired"),
        ("has no password assigned.", "the role has no password"),
        ("does not exist.", "there is no such role"),
    ];
    causes.iter().find(|(end, _)| first.ends_with(end)).map_or("wrong password", |(_, cause)| cause)
}

#[cfg(test)]
mod tests;
