//! Files and resolves incidents, each once.
//!
//! # How
//! The state has a row for each finding and receiver. Before anything is done, the row says so, durably (*intent*,
//! *resolving*); after it, what came of it (*filed*, *resolved*). Of two scans at once, one writes the row, and the
//! other sees it: a lease says until when the first may go on, which is longer than any act may take. A row that says
//! *intent* and has no lease was left by a scan that ended in between. What then may be done is [`Again`]: a receiver
//! that can be asked is asked; one that takes equal events as one gets it again; with any other, nothing is done, and
//! the user is told.
//!
//! Resolved is what a scan no longer finds, and would have found: it had no gap, and the rule ran.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use keytrail_rules::model::{Gap, GapReason, Time};

use super::text::key;
use super::{Again, Failure, Filed, Incident, Setting, Sink};
use crate::config::IncidentConfig;
use crate::state::{IncidentRow, IncidentStatus, Ledger, StateError};

/// How long one act may take.
const ACT_LIMIT: Duration = Duration::from_secs(10 * 60);

/// How long a scan keeps others away. The clocks of two machines may be apart by as much as this is longer.
const LEASE: TimeDelta = TimeDelta::minutes(30);

/// What a scan found.
pub struct Found<'a> {
    /// The incidents that are to be there.
    pub wanted: Vec<Incident>,
    /// The fingerprints of all findings, those that do not count among them.
    pub present: BTreeSet<&'a str>,
    /// Whether what a rule found before, and this scan did not, is gone.
    pub is_gone: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Something to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// An incident is to be filed. The row is from the finding's earlier times, or from a scan that ended too soon.
    File(Box<Incident>, Option<Box<IncidentRow>>),
    /// An incident is to be resolved.
    Resolve(Box<IncidentRow>),
}

impl Step {
    /// The finding in a line.
    pub fn summary(&self) -> String {
        match self {
            Self::File(incident, _) => incident.summary(),
            Self::Resolve(row) => row.summary.clone(),
        }
    }
}

/// What is to be done, given what was.
pub fn plan(found: Found<'_>, rows: Vec<IncidentRow>) -> Vec<Step> {
    let mut rows: BTreeMap<String, IncidentRow> = rows.into_iter().map(|row| (row.fingerprint.clone(), row)).collect();
    let mut steps = Vec::new();
    for incident in found.wanted {
        match rows.remove(&incident.fingerprint) {
            Some(row) if row.status == IncidentStatus::Filed => {}
            row => steps.push(Step::File(Box::new(incident), row.map(Box::new))),
        }
    }
    let gone = |row: &IncidentRow| {
        row.status != IncidentStatus::Resolved
            && !found.present.contains(row.fingerprint.as_str())
            && (found.is_gone)(&row.rule)
    };
    steps.extend(rows.into_values().filter(gone).map(|row| Step::Resolve(Box::new(row))));
    steps
}

/// What a step ran into.
#[derive(Debug)]
enum Trouble {
    /// The receiver.
    Receiver(Failure),
    /// The state.
    State(StateError),
    /// Another scan has it.
    Held(Time),
    /// It is not known whether it was done, and it will not be done again.
    Unknown(Option<Failure>),
}

impl From<StateError> for Trouble {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// Files and resolves with one receiver.
pub struct Filing<'a> {
    /// The `[[incident]]`.
    pub config: &'a IncidentConfig,
    /// What may be done again.
    pub again: Again,
    /// The pause between two acts.
    pub pause: Duration,
    /// The receiver.
    pub sink: &'a dyn Sink,
    /// The state.
    pub ledger: &'a dyn Ledger,
    /// Clock and waits.
    pub setting: &'a Setting,
    /// Takes a line for each thing that was done.
    pub say: &'a (dyn Fn(&str) + Sync),
}

impl Filing<'_> {
    /// Does the steps, and gives what could not be done. It ends early if the receiver or the state is lost.
    pub async fn run(&self, steps: Vec<Step>) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let count = steps.len();
        for (at, step) in steps.into_iter().enumerate() {
            if at > 0 && !self.pause.is_zero() {
                (self.setting.wait)(self.pause).await;
            }
            let (summary, verb) = (step.summary(), if matches!(step, Step::File(..)) { "filed" } else { "resolved" });
            let done = match step {
                Step::File(incident, row) => self.file(*incident, row.map(|row| *row)).await,
                Step::Resolve(row) => self.resolve(*row).await,
            };
            let Err(trouble) = done else { continue };
            let (gap, is_lost) = self.explain(trouble, &summary, verb, count - at);
            gaps.push(gap);
            if is_lost {
                break;
            }
        }
        gaps
    }

    /// A step that was not done; and whether the `rest` steps, this one among them, need not be tried.
    fn explain(&self, trouble: Trouble, summary: &str, verb: &str, rest: usize) -> (Gap, bool) {
        let one = format!("the incident was not {verb} ({})", summary.trim_end_matches('.'));
        let all = if rest > 1 { format!("{rest} incidents were neither filed nor resolved") } else { one.clone() };
        match trouble {
            Trouble::Receiver(failure) if failure.lost => (self.gap(&failure, &all), true),
            Trouble::Receiver(failure) => (self.gap(&failure, &one), false),
            Trouble::State(error) => {
                let failure = Failure::new(GapReason::Unreachable, error.to_string()).hint(error.hint());
                (self.gap(&failure, &all), true)
            }
            Trouble::Held(until) => {
                let failure = Failure::new(GapReason::Unreachable, "another scan has it, or had it and ended");
                let hint = format!("a scan after {} looks at it again", until.format("%Y-%m-%d %H:%M:%S UTC"));
                (self.gap(&failure.hint(hint), &one), false)
            }
            Trouble::Unknown(failure) => {
                let is_lost = failure.as_ref().is_some_and(|failure| failure.lost);
                let ended = || Failure::new(GapReason::Unreachable, "the scan that began it ended too soon");
                let failure = failure.unwrap_or_else(ended).hint(LOOK);
                let subject =
                    format!("it is not known whether the incident was {verb} ({})", summary.trim_end_matches('.'));
                (self.gap(&failure, &subject), is_lost)
            }
        }
    }

    fn gap(&self, failure: &Failure, subject: &str) -> Gap {
        let gap = Gap::new(&self.config.name, failure.reason, format!("{subject}: {}", failure.what));
        Gap { hint: failure.hint.clone(), ..gap }
    }

    async fn file(&self, mut incident: Incident, known: Option<IncidentRow>) -> Result<(), Trouble> {
        let before = known.as_ref().map(|row| row.status);
        let is_leftover = before == Some(IncidentStatus::Intent);
        let mut row = self.claim(&incident, known).await?;
        incident.occurrence = row.occurrence;
        if is_leftover && self.again == Again::Nothing {
            self.settle(&mut row, IncidentStatus::Filed).await?;
            return Err(Trouble::Unknown(None));
        }
        let act = async {
            if self.again == Again::Look && (before.is_none() || is_leftover || row.reference.is_none()) {
                let since = is_leftover.then_some(row.intent_at);
                match self.sink.find(&incident.key, since).await? {
                    Some(sighted) if sighted.is_resolved => {
                        return self.sink.file(&incident, Some(&sighted.reference)).await;
                    }
                    Some(sighted) => return Ok(sighted.reference),
                    None => {}
                }
            }
            self.sink.file(&incident, row.reference.as_deref()).await
        };
        match limited(act).await {
            Ok(reference) => {
                let shown = if reference == incident.key { String::new() } else { format!(" as {reference}") };
                row.reference = Some(reference);
                row.filed_at = Some((self.setting.now)());
                row.resolved_at = None;
                self.settle(&mut row, IncidentStatus::Filed).await?;
                (self.say)(&format!("filed with {}{shown}: {}", self.config.name, incident.summary()));
                Ok(())
            }
            Err(failure) if failure.certain && !is_leftover => {
                self.undo(row).await?;
                Err(Trouble::Receiver(failure))
            }
            Err(failure) if !failure.certain && self.again == Again::Nothing => {
                self.settle(&mut row, IncidentStatus::Filed).await?;
                Err(Trouble::Unknown(Some(failure)))
            }
            Err(failure) => {
                self.settle(&mut row, IncidentStatus::Intent).await?;
                Err(Trouble::Receiver(failure))
            }
        }
    }

    /// Writes that an incident is about to be filed, if no other scan has.
    async fn claim(&self, incident: &Incident, known: Option<IncidentRow>) -> Result<IncidentRow, Trouble> {
        let now = (self.setting.now)();
        let Some(known) = known else {
            let row = IncidentRow {
                estate: self.config.estate.clone().unwrap_or_default(),
                sink: self.config.name.clone(),
                fingerprint: incident.fingerprint.clone(),
                rule: incident.rule.to_owned(),
                summary: incident.summary(),
                status: IncidentStatus::Intent,
                reference: None,
                occurrence: 1,
                intent_at: now,
                filed_at: None,
                resolved_at: None,
                leased_until: now + LEASE,
                revision: 0,
            };
            return if self.ledger.add(&row).await? { Ok(row) } else { Err(Trouble::Held(now + LEASE)) };
        };
        let mut row = known;
        if row.status != IncidentStatus::Intent {
            // It was resolved, or about to be: the finding is back.
            row.occurrence += 1;
            row.intent_at = now;
            row.summary = incident.summary();
        }
        self.lease(&mut row, IncidentStatus::Intent).await?;
        Ok(row)
    }

    async fn resolve(&self, mut row: IncidentRow) -> Result<(), Trouble> {
        let was = row.status;
        let is_leftover = matches!(was, IncidentStatus::Intent | IncidentStatus::Resolving);
        if is_leftover && self.again == Again::Nothing {
            self.lease(&mut row, was).await?;
            self.settle(&mut row, IncidentStatus::Resolved).await?;
            return Err(Trouble::Unknown(None));
        }
        let filed = Filed {
            key: key(&row.fingerprint, self.config.estate.as_deref()),
            fingerprint: row.fingerprint.clone(),
            estate: self.config.estate.clone(),
            occurrence: row.occurrence,
            rule: row.rule.clone(),
            summary: row.summary.clone(),
            reference: row.reference.clone(),
        };
        if was == IncidentStatus::Intent && self.again == Again::Look {
            self.lease(&mut row, was).await?;
            return self.resolve_if_there(row, filed).await;
        }
        self.lease(&mut row, IncidentStatus::Resolving).await?;
        self.act_of_resolving(row, filed).await
    }

    /// Resolves what was perhaps filed.
    async fn resolve_if_there(&self, mut row: IncidentRow, mut filed: Filed) -> Result<(), Trouble> {
        match limited(self.sink.find(&filed.key, Some(row.intent_at))).await {
            Ok(Some(sighted)) => filed.reference = Some(sighted.reference),
            Ok(None) if row.reference.is_none() => return self.undo(row).await,
            Ok(None) => {}
            Err(failure) => {
                self.settle(&mut row, IncidentStatus::Intent).await?;
                return Err(Trouble::Receiver(failure));
            }
        }
        row.reference.clone_from(&filed.reference);
        self.mark(&mut row, IncidentStatus::Resolving).await?;
        self.act_of_resolving(row, filed).await
    }

    async fn act_of_resolving(&self, mut row: IncidentRow, filed: Filed) -> Result<(), Trouble> {
        let Err(failure) = limited(self.sink.resolve(&filed)).await else {
            let shown = filed.reference.filter(|reference| *reference != filed.key);
            let shown = shown.map_or(String::new(), |reference| format!(" as {reference}"));
            row.resolved_at = Some((self.setting.now)());
            self.settle(&mut row, IncidentStatus::Resolved).await?;
            (self.say)(&format!("resolved with {}{shown}: {}", self.config.name, row.summary));
            return Ok(());
        };
        match (failure.certain, self.again) {
            (true, _) => self.settle(&mut row, IncidentStatus::Filed).await?,
            (false, Again::Nothing) => {
                self.settle(&mut row, IncidentStatus::Resolved).await?;
                return Err(Trouble::Unknown(Some(failure)));
            }
            (false, _) => self.settle(&mut row, IncidentStatus::Resolving).await?,
        }
        Err(Trouble::Receiver(failure))
    }

    /// Takes a row, if no other scan has it.
    async fn lease(&self, row: &mut IncidentRow, status: IncidentStatus) -> Result<(), Trouble> {
        if row.leased_until > (self.setting.now)() {
            return Err(Trouble::Held(row.leased_until));
        }
        self.mark(row, status).await
    }

    /// Writes what is about to be done with a row, which is this scan's own.
    async fn mark(&self, row: &mut IncidentRow, status: IncidentStatus) -> Result<(), Trouble> {
        row.status = status;
        row.leased_until = (self.setting.now)() + LEASE;
        self.write(row).await
    }

    /// Writes what came of an act, and lets the row go.
    async fn settle(&self, row: &mut IncidentRow, status: IncidentStatus) -> Result<(), Trouble> {
        row.status = status;
        row.leased_until = Time::UNIX_EPOCH;
        self.write(row).await
    }

    /// Makes a row as it was before the finding came.
    async fn undo(&self, mut row: IncidentRow) -> Result<(), Trouble> {
        if row.occurrence > 1 {
            row.occurrence -= 1;
            return self.settle(&mut row, IncidentStatus::Resolved).await;
        }
        if self.ledger.remove(&row).await? { Ok(()) } else { Err(Trouble::Held((self.setting.now)())) }
    }

    async fn write(&self, row: &mut IncidentRow) -> Result<(), Trouble> {
        if !self.ledger.replace(row).await? {
            return Err(Trouble::Held((self.setting.now)()));
        }
        row.revision += 1;
        Ok(())
    }
}

/// What to do about an incident of which nobody knows whether it is there.
const LOOK: &str = "look there: this receiver cannot be asked, and it is not done again";

async fn limited<T>(act: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Failure::new(GapReason::TimedOut, format!("it took longer than {ACT_LIMIT:?}")).uncertain();
    tokio::time::timeout(ACT_LIMIT, act).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests;
