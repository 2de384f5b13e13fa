//! The time in which old and new values are valid side by side.
//!
//! # Guarantees
//! It is not over before both the wall clock and, unless the system was started anew, the time since its start say so:
//! a clock that jumps ahead does not shorten it.

use std::time::Duration;

use keytrail_rules::model::Time;
use serde::{Deserialize, Serialize};

use super::run::{Run, Step, Stop};
use crate::journal::Saved;
use crate::state::State;

/// The act whose fact has the end.
const SOAK: &str = "soak";

/// The act whose fact has the time from which on everybody accepts the new values.
const ACCEPTANCE: &str = "acceptance";

/// When it ends.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) at: Time,
    /// The start of the system, and the seconds since it at which it ends.
    pub(super) uptime: Option<(String, u64)>,
}

impl End {
    /// The earliest time at which it may be over; none where it is over now.
    pub(super) fn left(&self, now: Time, uptime: Option<&(String, Duration)>) -> Option<Time> {
        let still = match (&self.uptime, uptime) {
            (Some((then, end)), Some((boot, uptime))) if then == boot => end.saturating_sub(uptime.as_secs()),
            _ => 0,
        };
        let by_uptime = now.checked_add_signed(chrono::TimeDelta::seconds(i64::try_from(still).ok()?))?;
        let until = self.at.max(by_uptime);
        (until > now).then_some(until)
    }
}

/// When a run that waits is to go on; `None` for one that does not wait.
pub fn due(saved: &Saved) -> Option<Time> {
    let act = match saved.state {
        State::Loaded => SOAK,
        State::Verified => ACCEPTANCE,
        _ => return None,
    };
    let end: End = serde_json::from_str(saved.facts.get(act)?).ok()?;
    Some(end.at)
}

impl Run<'_> {
    fn kept_end(&self) -> Option<End> {
        serde_json::from_str(&self.fact(SOAK)?).ok()
    }

    /// Goes on once everybody who verifies has had the time to learn that the new values are accepted.
    pub(super) async fn await_acceptance(&self) -> Step<()> {
        let delay = self.parties.issued().map(|(_, issuer)| issuer.acceptance_delay()).max().unwrap_or_default();
        if delay.is_zero() {
            return Ok(());
        }
        let (now, uptime) = (self.executor.clock.now(), self.executor.clock.uptime());
        let kept = self.fact(ACCEPTANCE).and_then(|text| serde_json::from_str(&text).ok());
        let end = match kept {
            Some(end) => end,
            None => {
                let end = end(now, uptime.as_ref(), delay.as_secs());
                self.remember(ACCEPTANCE, serde_json::to_string(&end).unwrap_or_default()).await?;
                end
            }
        };
        end.left(now, uptime.as_ref()).map_or(Ok(()), |until| Err(Stop::Waits(until)))
    }

    /// The earliest time at which it may be over, while the run soaks.
    pub(super) fn soaks_until(&self) -> Option<Time> {
        let end = self.kept_end().filter(|_| self.state() == State::Loaded)?;
        end.left(self.executor.clock.now(), self.executor.clock.uptime().as_ref())
    }

    /// Looks at the probes; goes on once the grace is over.
    pub(super) async fn soak(&self) -> Step<()> {
        // In an emergency the old values are over already.
        if self.is_emergency() || self.job.grace == 0 {
            return Ok(());
        }
        let (now, uptime) = (self.executor.clock.now(), self.executor.clock.uptime());
        let (end, is_new) = match self.kept_end() {
            Some(end) => (end, false),
            None => (end(now, uptime.as_ref(), self.job.grace), true),
        };
        if is_new {
            self.remember(SOAK, serde_json::to_string(&end).unwrap_or_default()).await?;
        }
        let left = end.left(now, uptime.as_ref());
        match (if is_new { Ok(()) } else { self.look().await }, left) {
            (Err(Stop::Stuck(failure)), Some(until)) => {
                self.say(&failure.what);
                Err(Stop::Waits(until))
            }
            (Err(stop), _) => Err(stop),
            (Ok(()), Some(until)) => Err(Stop::Waits(until)),
            (Ok(()), None) => Ok(()),
        }
    }
}

/// The end of a grace of so many seconds that begins now.
pub(super) fn end(now: Time, uptime: Option<&(String, Duration)>, grace: u64) -> End {
    let delta = i64::try_from(grace).ok().and_then(chrono::TimeDelta::try_seconds);
    let at = delta.and_then(|delta| now.checked_add_signed(delta)).unwrap_or(Time::MAX_UTC);
    End {
        at,
        uptime: uptime.map(|(boot, since)| (boot.clone(), since.as_secs().saturating_add(grace).saturating_add(1))),
    }
}
