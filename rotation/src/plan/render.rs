//! A plan as text for a person.

use std::fmt::{self, Write as _};

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{CopyKind, Environment, Location, Time};
use keytrail_rules::report::ItemStatus;
use keytrail_rules::text::visible;
use keytrail_rules::value::Shape;

use super::{Action, Effect, Group, Loading, Missing, Plan, PlannedCopy, PlannedItem, Prepared, Reason};

impl Plan {
    /// The plan as text for whoever carries it out by hand. Names that could deceive a terminal are escaped, in commands
    /// too; those have no such names.
    pub fn render(&self) -> String {
        self.text(&[], &|_| false)
    }

    /// The plan as text, with what Keytrail does by itself for each group that is ready, in the order of [`Plan::prepare`].
    /// `stages` tells of a store's name whether it keeps values beside the current ones.
    pub fn render_prepared(&self, prepared: &[Prepared], stages: &dyn Fn(&str) -> bool) -> String {
        self.text(prepared, stages)
    }

    fn text(&self, prepared: &[Prepared], stages: &dyn Fn(&str) -> bool) -> String {
        let mut text = String::new();
        let as_of = day(self.as_of);
        let secrets: usize = self.groups.iter().map(|group| group.items.len()).sum();
        if self.groups.is_empty() {
            return format!("Rotation plan as of {as_of}: nothing is due.\n");
        }
        let mut out = Page(&mut text);
        let (secrets, groups) = (count(secrets, "secret"), count(self.groups.len(), "group"));
        out.line(0, &format!("Rotation plan as of {as_of}: {secrets} in {groups}."));
        let ready = prepared.iter().filter(|prepared| prepared.job().is_some()).count();
        if ready > 0 {
            out.line(
                0,
                &format!("Keytrail carries out {} by itself, in the order that is shown.", count(ready, "group")),
            );
        }
        if ready < self.groups.len() {
            for line in BY_HAND {
                out.line(0, line);
            }
        }
        for (at, group) in self.groups.iter().enumerate() {
            out.group(at + 1, group, prepared.get(at), stages);
        }
        text
    }
}

/// What holds of every group that Keytrail does not carry out.
const BY_HAND: [&str; 4] = [
    "What Keytrail is not told enough for is for you, step by step, in order.",
    "Commands act on the Vault, cluster and repository that your shell points to: check that first.",
    "Give a value on standard input, without a line end, and never as an argument.",
    "An issuer that honours one value at a time needs two roles or users in turns, or a maintenance window.",
];

/// Text to which lines are added, each escaped.
struct Page<'a>(&'a mut String);

impl Page<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        self.0.extend(std::iter::repeat_n(' ', indent));
        self.0.push_str(&visible(text));
        self.0.push('\n');
    }

    fn group(&mut self, number: usize, group: &Group, prepared: Option<&Prepared>, stages: &dyn Fn(&str) -> bool) {
        self.0.push('\n');
        let environments = environments(group);
        let together = if group.items.len() > 1 { " that change together" } else { "" };
        self.line(0, &format!("{number}. {environments}: {}{together}", count(group.items.len(), "secret")));
        for item in &group.items {
            self.line(3, &item.to_string());
        }
        let missing = match prepared {
            Some(Prepared::Ready(job, missing)) => {
                self.effects(number, &job.effects(stages));
                missing
            }
            Some(Prepared::Incomplete(missing)) => {
                self.steps(number, group);
                missing
            }
            None => {
                self.steps(number, group);
                &group.missing
            }
        };
        for missing in missing {
            self.line(3, &format!("Missing: {missing}"));
        }
    }

    fn steps(&mut self, number: usize, group: &Group) {
        for (at, step) in group.steps.iter().enumerate() {
            let reaches = step.reaches();
            self.line(3, &format!("{number}.{} [{reaches}] {}", at + 1, step.action));
            for command in &step.commands {
                self.line(7, &format!("$ {command}"));
                if let Some(reads) = command.reads() {
                    self.line(9, &format!("reads from standard input: {reads}"));
                }
            }
        }
    }

    fn effects(&mut self, number: usize, effects: &[Effect]) {
        for (at, Effect { reaches, act }) in effects.iter().enumerate() {
            self.line(3, &format!("{number}.{} [{reaches}] {act}", at + 1));
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.lack, list(&self.items))?;
        if !self.what.is_empty() {
            write!(f, " ({})", self.what.join(", "))?;
        }
        write!(f, "; {}", self.lack.hint())
    }
}

/// The environments of a group in words.
fn environments(group: &Group) -> String {
    let mut names: Vec<&str> =
        group.items.iter().filter_map(|item| item.environment.as_ref()).map(Environment::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "environment not known".to_owned() } else { names.join(" and ") }
}

impl fmt::Display for PlannedItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.id)?;
        match &self.reason {
            Reason::Due => match (self.status, self.due_at) {
                (ItemStatus::EventDue, _) => f.write_str("due, since what it is made from has changed")?,
                (ItemStatus::Compromised, _) | (_, None) => f.write_str(self.status.as_str())?,
                (ItemStatus::DueSoon, Some(due)) => write!(f, "due on {}", day(due))?,
                (ItemStatus::NeverRotated, Some(due)) => write!(f, "never rotated, due since {}", day(due))?,
                (status, Some(due)) => write!(f, "{} since {}", status.as_str(), day(due))?,
            },
            Reason::Asked => f.write_str("asked for")?,
            Reason::Stale => f.write_str("holds an old value of what it is made from")?,
            Reason::MadeFrom(source) => write!(f, "made from {source}, which changes")?,
            Reason::SourceOf(derived) => write!(f, "{derived} is made from it and changes only with it")?,
        }
        match self.set_by {
            Some(time) => write!(f, "; set by {}", day(time))?,
            None => f.write_str("; of unknown age")?,
        }
        match &self.owner {
            Some(owner) => write!(f, "; owner {owner}"),
            None => f.write_str("; no owner"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mint(item) => write!(
                f,
                "Make a new value of {item} at its issuer, beside the old one; if you choose it yourself, keep it safe \
                 before you set it there."
            ),
            Self::Rebuild { item, from } => {
                write!(f, "Build {item} anew from {}; percent-encode what goes into a URL.", list(from))
            }
            Self::TryOut(items) => {
                write!(
                    f,
                    "Log in with the new {}, on a new connection and through the consumers' own path.",
                    list(items)
                )
            }
            Self::Write(copies) => write_copies(f, copies),
            Self::Move(copy) => write!(
                f,
                "Move {} out of {}{}: it is plain configuration. Refer to a place for secrets there, and do not copy \
                 the new value.",
                copy.item,
                copy.place,
                at(&copy.locations)
            ),
            Self::Follow(copy) => follow(f, copy),
            Self::Load { consumer, how } => load(f, consumer, *how),
            Self::Watch { consumers, is_urgent } => watch(f, consumers, *is_urgent),
            Self::Revoke(items) => write!(
                f,
                "Revoke the old {} at the issuer, with every step above done. Until now there is a way back: write the \
                 old values, then have them loaded. From here on there is none.",
                list(items)
            ),
            Self::Confirm { revoked } if revoked.is_empty() => f.write_str("Scan again, and see none of them due."),
            Self::Confirm { revoked } => {
                write!(
                    f,
                    "Log in with the old {} and be rejected; scan again, and see none of them due.",
                    list(revoked)
                )
            }
        }
    }
}

fn write_copies(f: &mut fmt::Formatter<'_>, copies: &[PlannedCopy]) -> fmt::Result {
    let Some(first) = copies.first() else { return Ok(()) };
    f.write_str("Write the new ")?;
    for (at, copy) in copies.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        write!(f, "{} to {}", copy.item, copy.place)?;
        match copy.value {
            Shape::Empty => f.write_str(" (empty now)")?,
            Shape::Placeholder => f.write_str(" (a placeholder now)")?,
            _ => {}
        }
    }
    let lines = at(copies.iter().flat_map(|copy| &copy.locations));
    match first.kind {
        CopyKind::VaultKv2 => f.write_str(", and leave the other keys of the path alone."),
        CopyKind::VaultKv1 => f.write_str(": version 1 keeps neither the other keys nor the old value by itself."),
        CopyKind::EnvFile => {
            write!(f, "{lines}, with an editor: sed breaks on `/` and `&`, and on keys that end alike.")
        }
        CopyKind::KubernetesSecret => {
            write!(f, "; applying the manifest{lines} again would bring back what stands there.")
        }
        CopyKind::GithubSecret => f.write_str("; one of the environment comes before one of the repository."),
        _ => f.write_str("."),
    }
}

fn follow(f: &mut fmt::Formatter<'_>, copy: &PlannedCopy) -> fmt::Result {
    let PlannedCopy { item, place, locations, .. } = copy;
    let lines = at(locations);
    match copy.kind {
        CopyKind::SealedSecret => {
            write!(f, "Seal the new {item} for {place}, put it into the manifest{lines} and apply that.")
        }
        CopyKind::ExternalSecret => write!(
            f,
            "See {place}{lines} follow with {item}: its operator fills it, and `refreshTime` must move; with \
             `refreshInterval: 0` it never does by itself."
        ),
        _ if copy.value == Shape::Encrypted => write!(f, "Encrypt the new {item} for {place}{lines}."),
        _ => write!(f, "See {place}{lines} follow with {item}: it only refers to another place."),
    }
}

fn load(f: &mut fmt::Formatter<'_>, consumer: &str, how: Loading) -> fmt::Result {
    match how {
        Loading::Rollout => write!(f, "Restart {consumer}, and wait until it is rolled out."),
        Loading::Recreate => write!(f, "Recreate {consumer}: `restart` reads nothing anew."),
        Loading::NextRun => write!(f, "Let {consumer} run: it loads the new value at its next run."),
        Loading::NewRun => write!(f, "Run {consumer} anew: one that has started keeps the old value."),
        Loading::NewPods => {
            write!(f, "Delete the pods of {consumer} and make them anew: no controller rolls them out.")
        }
        Loading::Restart => write!(f, "Restart {consumer}, so that it loads the new value."),
    }
}

fn watch(f: &mut fmt::Formatter<'_>, consumers: &[String], is_urgent: bool) -> fmt::Result {
    match consumers {
        [] => f.write_str("Find out who loads it, and have it loaded: no consumer is known.")?,
        consumers => write!(
            f,
            "See {} log in anew with the new value, and no login fail: rolled out is not yet in use, and a pool keeps \
             its old connections.",
            consumers.join(", ")
        )?,
    }
    f.write_str(if is_urgent {
        " Then go on at once: somebody else may have the old value."
    } else {
        " Leave time for what runs seldom."
    })
}

/// ` at deploy/.env:3, deploy/.env:9`, or nothing.
fn at<'a>(locations: impl IntoIterator<Item = &'a Location>) -> String {
    let mut text = String::new();
    for location in locations {
        let gap = if text.is_empty() { " at " } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{gap}{location}");
    }
    text
}

fn list(items: &[ItemId]) -> String {
    items.iter().map(ItemId::as_str).collect::<Vec<_>>().join(", ")
}

fn day(time: Time) -> String {
    time.format("%Y-%m-%d").to_string()
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
