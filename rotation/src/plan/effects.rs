//! A job in words: every effect, in order.

use std::fmt::Write as _;

use crate::credential::VALUE;
use crate::issuers::IssuerKind;
use crate::job::{Cell, Job, Member, Mode, Origin, Write};
use crate::settings::Settings;
use crate::state::State;

/// One act of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effect {
    /// The state that the job is in once this, and every other act of that state, is done.
    pub reaches: State,
    /// What is done.
    pub act: String,
}

impl Job {
    /// Every act, in order, in words. `stages` tells of a store's name whether it keeps values beside the current ones.
    pub fn effects(&self, stages: &dyn Fn(&str) -> bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut add = |reaches, act: String| effects.push(Effect { reaches, act });
        let issued: Vec<Issued<'_>> = self.members.iter().filter_map(Issued::of).collect();
        for write in &self.writes {
            let version = write.seen.map_or(String::new(), |seen| format!(", last seen at version {seen}"));
            add(State::Sealed, format!("Read {}: {}{version}.", write.name(), keys(write)));
        }
        for member in &self.members {
            add(State::Sealed, made(member));
        }
        if self.mode == Mode::Emergency {
            for Issued { item, kind, .. } in issued.iter().filter(|one| one.answers) {
                add(State::CutOff, format!("Revoke the old {item} at {kind}, before anybody loads the new one."));
            }
        }
        for write in self.writes.iter().filter(|write| stages(&write.store)) {
            add(State::Staged, format!("Stage the new values beside the current ones in {}.", write.name()));
        }
        for Issued { item, kind, .. } in issued.iter().filter(|one| one.answers) {
            add(State::Set, format!("Set the new {item} at {kind}."));
        }
        for Issued { item, kind, .. } in issued.iter().filter(|one| one.answers) {
            add(State::Verified, format!("Check over a new connection that {kind} honours the new {item}."));
        }
        for write in &self.writes {
            let guard = "if it still is at the version that was read; other keys stay as they are";
            add(State::Promoted, format!("Write {}: {}, {guard}.", write.name(), cells(&write.cells)));
        }
        for consumer in &self.consumers {
            add(State::Loaded, format!("Make {} load the new values, and wait until it has.", consumer.name));
        }
        for probe in &self.probes {
            add(State::Loaded, format!("Probe {}.", probed(probe)));
        }
        if self.grace > 0 {
            let text = format!("Wait {} with old and new values valid, then probe again.", span(self.grace));
            add(State::Soaked, text);
        }
        // Where nobody but the consumers knows the value, it ends as they load the new one, in an emergency too.
        for Issued { item, kind, answers } in issued.iter().filter(|one| !one.answers || self.mode == Mode::Orderly) {
            let at = if *answers { format!(" at {kind}") } else { String::new() };
            add(State::Revoked, format!("Revoke the old {item}{at}. From here on there is no way back."));
        }
        for Issued { item, kind, .. } in issued.iter().filter(|one| one.answers) {
            add(State::Confirmed, format!("Check over a new connection that {kind} rejects the old {item}."));
        }
        add(State::Confirmed, "Wipe the sealed values, and write the last row of the ledger.".to_owned());
        effects
    }
}

/// A member that somebody honours.
struct Issued<'a> {
    item: &'a str,
    kind: &'a str,
    /// Whether its issuer is somebody else than its consumers.
    answers: bool,
}

impl<'a> Issued<'a> {
    fn of(member: &'a Member) -> Option<Self> {
        let Origin::Issued { kind, settings } = &member.origin else { return None };
        let opened = IssuerKind::find(kind).and_then(|known| (known.open)(settings).ok());
        let answers = opened.is_none_or(|issuer| issuer.nature().answers);
        Some(Self { item: &member.item, kind, answers })
    }
}

fn made(member: &Member) -> String {
    match &member.origin {
        Origin::Issued { kind, .. } => format!("Make a new {} ({kind}), and keep both under seal.", member.item),
        Origin::Derived { from, .. } => {
            let sources: Vec<&str> = from.iter().map(|(_, id)| id.as_str()).collect();
            format!("Build {} anew from {}.", member.item, sources.join(", "))
        }
    }
}

fn keys(write: &Write) -> String {
    write.cells.iter().map(|cell| cell.key.as_str()).collect::<Vec<_>>().join(", ")
}

/// `password with DB_PASSWORD, user with the user of DB_PASSWORD`.
fn cells(cells: &[Cell]) -> String {
    let mut text = String::new();
    for (at, Cell { key, item, part }) in cells.iter().enumerate() {
        let gap = if at == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = match part.as_str() {
            VALUE => write!(text, "{gap}{key} with the new {item}"),
            part => write!(text, "{gap}{key} with the {part} of the new {item}"),
        };
    }
    text
}

/// `http http://127.0.0.1:8000/health`: the kind of a probe, and what it looks at where that is a text.
fn probed(settings: &Settings) -> String {
    let kind = crate::probes::ProbeKind::of(settings).map_or("probe", |kind| kind.name);
    match settings.0.get(kind).and_then(serde_json::Value::as_str) {
        Some(text) => format!("{kind} {text}"),
        None => kind.to_owned(),
    }
}

/// `90 s`, `15 min`, `24 h`, `7 days`.
fn span(seconds: u64) -> String {
    match seconds {
        s if s % 86_400 == 0 && s > 86_400 => format!("{} days", s / 86_400),
        s if s % 3_600 == 0 && s > 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 && s > 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
