//! From state to state, until it ends, waits or is stuck.

use std::collections::BTreeMap;

use futures::FutureExt;

use super::Ending;
use super::forward::is_conflict;
use super::run::{Run, Stop};
use crate::failure::Failure;
use crate::job::{Job, Mode};
use crate::journal::Which;
use crate::ledger::{Row, Status};
use crate::state::{Doubt, Event, Recovery, State, next_in};

/// The fact that says why a run turned back.
const WHY: &str = "turn back";

impl Run<'_> {
    /// Goes on with a run that was interrupted: asks first.
    pub(super) async fn recover(&mut self) -> Result<Ending, Failure> {
        let decision = match self.recovery(self.state()).boxed().await {
            Ok(decision) => decision,
            Err(stop) => return Self::ending(stop),
        };
        match (decision, self.soaks_until()) {
            // Nothing is to be done before that anyway.
            (Recovery::Ask(Doubt::IssuerUnknown | Doubt::StoreUnknown), Some(until)) => Ok(Ending::Waits { until }),
            (Recovery::Ask(doubt), _) => Self::ending(Self::doubt(doubt)),
            (Recovery::Back, _) if self.state() < State::Confirmed => {
                let why = Failure::not_done("the issuer rejects the new value");
                match self.turn_back(why).await {
                    Ok(()) => self.drive().await,
                    Err(stop) => Self::ending(stop),
                }
            }
            (Recovery::Forward | Recovery::Back | Recovery::Nothing, _) => self.drive().await,
        }
    }

    /// Turns back because somebody wants it.
    pub(super) async fn roll_back(&mut self) -> Result<Ending, Failure> {
        let is_too_late = || {
            Err(Failure::not_done(format!("{} cannot be rolled back: its old values are revoked", self.job.run))
                .hint("resume it; it only goes forward now"))
        };
        if self.state() < State::Confirmed {
            match self.turn_back(Failure::not_done("it was rolled back on request")).await {
                Ok(()) => {}
                Err(Stop::Stuck(_)) if self.is_past_return() => return is_too_late(),
                Err(stop) => return Self::ending(stop),
            }
        }
        self.drive().await
    }

    /// Works until it ends, waits or is stuck.
    pub(super) async fn drive(&mut self) -> Result<Ending, Failure> {
        loop {
            let state = self.state();
            let worked = if state < State::Confirmed {
                self.step_forward(state).boxed().await
            } else {
                self.step_back(state).boxed().await
            };
            let event = if state < State::Confirmed { Event::Done } else { Event::Undone };
            let went = match worked {
                Ok(()) => match self.reach(event).await {
                    Ok(Some(ending)) => return Ok(ending),
                    Ok(None) => Ok(()),
                    Err(stop) => Err(stop),
                },
                Err(Stop::Failed(failure)) => self.turn_back(failure).await,
                Err(stop) => Err(stop),
            };
            if let Err(stop) = went {
                return Self::ending(stop);
            }
        }
    }

    /// Goes to the next state, which may be the end.
    async fn reach(&self, event: Event) -> Result<Option<Ending>, Stop> {
        let from = self.state();
        let to = next_in(self.job.mode, from, event)
            .map_err(|error| Stop::Stuck(Failure::not_done(error.to_string()).hint(error.hint())))?;
        if !to.is_final() {
            self.advance(to).await?;
            return Ok(None);
        }
        let row = self.last_row(to);
        self.executor.journal.finish(&self.lease, &self.job.run, from, to, &row).await.map_err(Stop::Journal)?;
        Ok(Some(ended(to, row.reason)))
    }

    /// Turns back, where that is possible.
    async fn turn_back(&self, failure: Failure) -> Result<(), Stop> {
        let state = self.state();
        let back = next_in(self.job.mode, state, Event::Failed).unwrap_or(state);
        if back == state || self.is_past_return() {
            return Err(Stop::Stuck(failure));
        }
        self.say(&format!("turning back: {failure}"));
        let is_proven = if state == State::Planned { Recovery::Back } else { self.recovery(back).boxed().await? };
        if let Recovery::Ask(doubt) = is_proven {
            let what = format!("{failure}; and there is no way back: {doubt}");
            return Err(Stop::Stuck(Failure::unknown(what).hint(doubt.hint())));
        }
        self.remember(WHY, failure.what.clone()).await?;
        if is_conflict(&failure) {
            self.say("nothing that somebody else wrote is overwritten");
        }
        for act in self.open() {
            if let Some(path) = act.strip_prefix("accept ").or_else(|| act.strip_prefix("promote ")) {
                self.remember(&format!("begun {path}"), "yes").await?;
            }
        }
        self.advance(back).await
    }

    /// Whether an old value may have been revoked.
    fn is_past_return(&self) -> bool {
        match self.state() {
            State::Soaked => ["revoke ", "retire "].into_iter().any(|act| self.has_begun(act)),
            State::Sealed => self.has_begun("cut off "),
            state => state == State::Revoked || self.job.mode == Mode::Emergency && state > State::Sealed,
        }
    }

    fn ending(stop: Stop) -> Result<Ending, Failure> {
        match stop {
            Stop::Failed(failure) | Stop::Stuck(failure) => Ok(Ending::Stuck { why: failure.what, hint: failure.hint }),
            Stop::Waits(until) => Ok(Ending::Waits { until }),
            Stop::Journal(failure) => Err(failure),
        }
    }

    /// The row that ends a run.
    fn last_row(&self, state: State) -> Row {
        let mut row = row(&self.job, Status::Succeeded, self.executor.clock.now());
        if state == State::Aborted {
            row.status = Status::RolledBack;
            row.reason = self.fact(WHY).unwrap_or_else(|| "it was turned back".to_owned());
        } else {
            row.details.insert("old-rejected".to_owned(), self.rejection());
        }
        for write in &self.job.writes {
            if let Some((version, _)) = self.version(write) {
                row.details.insert(format!("version {}", write.name()), version.0);
            }
            if let Some(left) = self.fact(&format!("left {}", write.name())) {
                let told = if row.reason.contains(&left) { "it".to_owned() } else { format!("{left}: it") };
                row.reason = format!("{}; {told} is left as it is", row.reason);
                row.details.insert(format!("left {}", write.name()), left);
            }
        }
        row
    }

    /// Who confirmed that the old values are rejected.
    fn rejection(&self) -> String {
        let (mut asked, mut not_asked) = (Vec::new(), Vec::new());
        for (at, issuer) in self.parties.issued() {
            let item = self.job.members[at].item.as_str();
            let can = issuer.nature().answers && self.pairs[at].get(Which::Old).is_some();
            if can { asked.push(item) } else { not_asked.push(item) }
        }
        match (asked.is_empty(), not_asked.is_empty()) {
            (false, true) => format!("confirmed by the issuer of {}", asked.join(", ")),
            (true, _) => format!("not asked: nobody tells for {}", not_asked.join(", ")),
            (false, false) => format!(
                "not asked: nobody tells for {}; confirmed by the issuer of {}",
                not_asked.join(", "),
                asked.join(", ")
            ),
        }
    }
}

/// How a run ended that is in a final state.
pub(super) fn ended(state: State, why: String) -> Ending {
    if state == State::Confirmed { Ending::Confirmed } else { Ending::RolledBack { why } }
}

/// Why a run turned back, by its facts.
pub(super) fn why(facts: &BTreeMap<String, String>) -> String {
    facts.get(WHY).cloned().unwrap_or_default()
}

/// A row about a job.
pub(super) fn row(job: &Job, status: Status, at: keytrail_rules::model::Time) -> Row {
    let mut details = BTreeMap::new();
    if job.mode == Mode::Emergency {
        details.insert("mode".to_owned(), "emergency: the old values were revoked first".to_owned());
    }
    Row {
        run: job.run.clone(),
        at,
        status,
        items: job.members.iter().map(|member| member.item.clone()).collect(),
        by: job.request.by.clone(),
        approver: job.request.approver.clone(),
        reason: job.request.reason.clone(),
        details,
    }
}
