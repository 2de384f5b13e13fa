//! Asks issuers and stores what is so, for the decision of [`crate::state`].
//!
//! # Assumptions
//! 1. An issuer that cannot be asked is as it should be in the state at hand: its consumers are the only ones that know.
//! 2. So is a path that a write may or may not have reached and that cannot be read.
//! 3. On the way back, and while promoting, a path that somebody else has written is no reason to stop: it is left
//!    alone, and the others are restored.

use super::run::{Again, Run, Step, Stop};
use crate::credential::Credential;
use crate::failure::{Failure, Outcome};
use crate::issuers::{Issuer, Overlap};
use crate::job::Mode;
use crate::state::{Answer, Answers, Doubt, Probe, Recovery, State, recover_group};

impl Run<'_> {
    /// What is to be done in a state: that of the run, or one that it might turn back to.
    pub(super) async fn recovery(&self, state: State) -> Step<Recovery> {
        // Nothing was done, and the step asks everything itself.
        if state == State::Planned {
            return Ok(Recovery::Forward);
        }
        let store = self.stores(state).await?;
        let mut members = Vec::new();
        for (at, issuer) in self.parties.issued() {
            let nature = issuer.nature();
            let expected = expected_issuer(self.job.mode, state);
            let pair = &self.pairs[at];
            let issuer = if nature.answers {
                let old = self.answer(issuer, pair.old.as_ref(), expected.old).await?;
                // Nobody honours a value that was never told.
                let new = self.answer(issuer, pair.new.as_ref(), Answer::Rejected).await?;
                Answers { old, new }
            } else {
                expected
            };
            members.push((nature.overlap, Probe { issuer, store }));
        }
        if members.is_empty() {
            members.push((Overlap::Both, Probe { issuer: expected_issuer(self.job.mode, state), store }));
        }
        Ok(recover_group(self.job.mode, state, &members))
    }

    /// What an issuer says of a credential; `unknown` where there is none to ask for.
    async fn answer(&self, issuer: &dyn Issuer, credential: Option<&Credential>, unknown: Answer) -> Step<Answer> {
        let Some(credential) = credential else { return Ok(unknown) };
        let mut ask = || async {
            match issuer.check(&self.context, credential).await? {
                Answer::Unknown => Err(Failure::unknown("the issuer does not tell")),
                answer => Ok(answer),
            }
        };
        match self.try_often(Again::Always, &mut ask).await {
            Err(Stop::Failed(_) | Stop::Stuck(_)) => Ok(Answer::Unknown),
            answered => answered,
        }
    }

    /// What all paths together say.
    async fn stores(&self, state: State) -> Step<Answers> {
        let expected = expected_store(state);
        let (mut old, mut new, mut is_unknown) = (false, false, false);
        for at in 0..self.job.writes.len() {
            let forms = match self.stand(at).await {
                Err(Stop::Failed(_) | Stop::Stuck(_)) => {
                    is_unknown = true;
                    continue;
                }
                forms => forms?,
            };
            let name = self.job.writes[at].name();
            let is_free = state > State::Confirmed
                || state == State::Verified && self.fact(&format!("promote {name}")).is_none()
                || self.fact(&format!("left {name}")).is_some();
            match (forms.iter().any(|form| form.is_new()), forms.iter().any(|form| !form.is_new())) {
                (false, false) if is_free => {}
                (false, false) => return Ok(Answers { old: Answer::Rejected, new: Answer::Rejected }),
                (true, true) => {}
                (true, false) => new = true,
                (false, true) => old = true,
            }
        }
        let found = |found| match found {
            true => Answer::Works,
            false if is_unknown => Answer::Unknown,
            false => Answer::Rejected,
        };
        Ok(if old || new || is_unknown { Answers { old: found(old), new: found(new) } } else { expected })
    }

    /// Stops for a person.
    pub(super) fn doubt(doubt: Doubt) -> Stop {
        Stop::Stuck(Failure::unknown(doubt.to_string()).hint(doubt.hint()))
    }

    /// Goes on only where a credential is honoured, or is not.
    pub(super) async fn expect(
        &self,
        issuer: &dyn Issuer,
        credential: Option<&Credential>,
        wanted: Answer,
        otherwise: &str,
    ) -> Step<()> {
        let Some(credential) = credential else { return Ok(()) };
        let mut ask = || async {
            match issuer.check(&self.context, credential).await? {
                answer if answer == wanted => Ok(()),
                Answer::Unknown => Err(Failure::unknown("the issuer does not tell")),
                _ => Err(Failure::not_done(otherwise)),
            }
        };
        // What was just set may take a while to be known everywhere.
        match self.try_often(Again::Always, &mut ask).await {
            Err(Stop::Stuck(failure)) if failure.outcome == Outcome::NotDone => Err(Stop::Failed(failure)),
            asked => asked,
        }
    }
}

/// How an issuer should answer in a state.
fn expected_issuer(mode: Mode, state: State) -> Answers {
    let (old, new) = match state {
        State::Planned | State::Sealed => (Answer::Works, Answer::Rejected),
        State::Revoked | State::Confirmed => (Answer::Rejected, Answer::Works),
        _ if state > State::Confirmed => (Answer::Works, Answer::Rejected),
        _ if mode == Mode::Emergency => (Answer::Rejected, Answer::Works),
        _ => (Answer::Works, Answer::Works),
    };
    Answers { old, new }
}

/// How the stores should answer in a state.
fn expected_store(state: State) -> Answers {
    let (old, new) = match state {
        State::Verified => (Answer::Works, Answer::Works),
        State::Promoted | State::Loaded | State::Soaked | State::Revoked | State::Confirmed => {
            (Answer::Rejected, Answer::Works)
        }
        _ => (Answer::Works, Answer::Rejected),
    };
    Answers { old, new }
}
