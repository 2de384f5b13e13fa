//! The steps of the way forward.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;

use super::preflight::{Survey, survey};
use super::run::{Again, Run, Step, Stop};
use super::values::{Form, Pair};
use crate::credential::{Credential, same};
use crate::failure::{Failure, Outcome};
use crate::issuers::{Chooser, Overlap};
use crate::journal::Which;
use crate::state::{Answer, Recovery, State};

/// How often a value is chosen anew that an item had before.
const CHOICES: u32 = 5;

impl Run<'_> {
    /// The step at hand on the way forward.
    pub(super) async fn step_forward(&mut self, state: State) -> Step<()> {
        match state {
            State::Planned => self.seal().await,
            State::Sealed if self.is_emergency() => self.cut_off().await,
            State::Sealed | State::CutOff => self.stage().await,
            State::Staged => self.set().await,
            State::Set => self.verify().await,
            State::Verified => self.promote().await,
            State::Promoted => self.load_new().await,
            State::Loaded => self.soak().await,
            State::Soaked => self.revoke().await,
            State::Revoked => self.confirm().await,
            _ => Ok(()),
        }
    }

    /// Looks at everything, and keeps old and new values.
    async fn seal(&mut self) -> Step<()> {
        self.pairs.iter_mut().for_each(|pair| *pair = Pair::default());
        let found = self.preflight().await?;
        for (at, pair) in found.pairs.into_iter().enumerate() {
            if let Some(old) = pair.old {
                self.keep(at, Which::Old, old).await?;
            }
        }
        let names: Vec<String> = self.job.writes.iter().map(crate::job::Write::name).collect();
        for (name, version) in names.iter().zip(found.versions) {
            if let Some(version) = version {
                self.remember(&format!("read {name}"), version).await?;
            }
        }
        for (at, reading) in found.before.into_iter().enumerate() {
            self.remember(&format!("probe {at}"), reading).await?;
        }
        for at in 0..self.pairs.len() {
            if let Some(chosen) = self.choose(at).await? {
                self.keep(at, Which::New, chosen).await?;
            }
        }
        self.derive(false).await.map(|_| ())
    }

    /// What is found when every answer is had, or is not to be had.
    async fn preflight(&self) -> Step<Survey> {
        let limits = self.executor.limits;
        let mut pause = limits.pause;
        for left in (0..limits.tries.max(1)).rev() {
            self.say("preflight");
            self.hold_on().await?;
            let found = self.while_held(survey(&self.parties, &self.job, &self.context)).await?;
            let is_settled = left == 0 || !found.is_uncertain;
            if found.obstacles.is_empty() && is_settled {
                return Ok(found);
            }
            if is_settled {
                return Err(Stop::Failed(Failure::not_done(found.obstacles.join("; "))));
            }
            self.executor.clock.pause(pause).await;
            pause = pause.saturating_mul(2);
        }
        Err(Stop::Failed(Failure::not_done("nobody was asked")))
    }

    /// A new credential that the item never had, where Keytrail chooses it.
    async fn choose(&self, at: usize) -> Step<Option<Credential>> {
        let Some(issuer) = self.parties.issuers[at].as_deref() else { return Ok(None) };
        if issuer.nature().chooser == Chooser::Issuer {
            return Ok(None);
        }
        let old = self.pairs[at].old.as_ref();
        for _ in 0..CHOICES {
            let chosen = issuer.choose(old).map_err(Stop::Failed)?;
            let Some(chosen) = chosen else {
                return Err(Stop::Failed(Failure::not_done("the issuer chose no value")));
            };
            if !self.is_used(at, &chosen).await? {
                return Ok(Some(chosen));
            }
        }
        Err(Stop::Failed(Failure::not_done(format!("every value that was chosen {CHOICES} times was used before"))))
    }

    /// Whether the item has or had that value.
    async fn is_used(&self, at: usize, credential: &Credential) -> Step<bool> {
        if self.is_old(at, credential) {
            return Ok(true);
        }
        let item = &self.job.members[at].item;
        self.executor.journal.is_earlier(item, credential).await.map_err(Stop::Journal)
    }

    /// Whether the item has that value.
    fn is_old(&self, at: usize, credential: &Credential) -> bool {
        let old = self.pairs[at].old.as_ref().and_then(Credential::value);
        old.zip(credential.value()).is_some_and(|(old, new)| same(old, new))
    }

    /// In an emergency the old values go first. Where an issuer honours one value, setting the new one ends the old one.
    async fn cut_off(&self) -> Step<()> {
        for (at, issuer) in self.parties.issued() {
            let Some(old) = self.pairs[at].old.as_ref() else { continue };
            if issuer.nature().overlap == Overlap::Both {
                let act = format!("cut off {}", self.job.members[at].item);
                self.act(&act, Again::Always, || issuer.revoke(&self.context, old, None), done).await?;
            }
        }
        Ok(())
    }

    /// Keeps the new values beside the old ones, in stores that do so, where they are known.
    async fn stage(&self) -> Step<()> {
        for (write, store) in self.job.writes.iter().zip(&self.parties.stores) {
            let Ok(texts) = self.texts(write, Form::Promoted) else { continue };
            if store.abilities().stages {
                let values = texts.iter().map(|(key, text)| (key.clone(), text)).collect();
                let act = format!("stage {}", write.name());
                self.act(&act, Again::IfUnknown, || store.stage(&self.context, &write.path, &values), done).await?;
            }
        }
        Ok(())
    }

    /// Makes the issuers honour the new values.
    async fn set(&mut self) -> Step<()> {
        for at in 0..self.pairs.len() {
            let Some(issuer) = self.parties.issuers[at].as_deref() else { continue };
            let act = format!("set {}", self.job.members[at].item);
            let is_kept = self.pairs[at].new.is_some();
            let by_issuer = issuer.nature().chooser == Chooser::Issuer;
            if self.fact(&act).is_some() || by_issuer && is_kept {
                continue;
            }
            let (context, pair) = (&self.context, &self.pairs[at]);
            let begun = AtomicBool::new(self.is_open(&act));
            let mut make = || {
                // What an earlier try made has no owner: its value is not known.
                let clears = begun.swap(true, Ordering::Relaxed) && by_issuer;
                async move {
                    if clears {
                        issuer.withdraw(context, pair.old.as_ref(), None).await?;
                    }
                    issuer.set(context, pair.old.as_ref(), pair.new.as_ref()).await
                }
            };
            self.note(&act, false, None).await?;
            self.say(&act);
            let again = if self.is_emergency() { Again::Always } else { Again::IfUnknown };
            let made = self.try_often(again, &mut make).await?;
            let failure = || Err(Stop::Failed(Failure::not_done("the issuer chose a value that was used before")));
            // Not kept: withdrawing it would end the old one, which is the same.
            if by_issuer && self.is_old(at, &made) {
                return failure();
            }
            let is_earlier = by_issuer && self.is_used(at, &made).await?;
            self.keep(at, Which::New, made).await?;
            if is_earlier {
                return failure();
            }
            self.remember(&act, "done").await?;
        }
        if self.derive(true).await? { Ok(()) } else { Err(Stop::Failed(Failure::not_done("a new value is missing"))) }
    }

    /// Logs in with the new values.
    async fn verify(&self) -> Step<()> {
        for (at, issuer) in self.parties.issued().filter(|(_, issuer)| issuer.nature().answers) {
            let otherwise = format!("the issuer rejects the new value of {}", self.job.members[at].item);
            self.say(&format!("verify {}", self.job.members[at].item));
            self.expect(issuer, self.pairs[at].new.as_ref(), Answer::Works, &otherwise).await?;
        }
        Ok(())
    }

    /// Makes the new values the current ones of the stores; what is accepted first, where anything is.
    async fn promote(&self) -> Step<()> {
        let accepting: Vec<usize> =
            (0..self.job.writes.len()).filter(|at| self.accepts(&self.job.writes[*at])).collect();
        if !accepting.is_empty() && !self.is_emergency() {
            for at in &accepting {
                self.write(*at, "accept", Form::Accepting, &[Form::Old]).await?;
            }
            self.load("load accepted", Which::Old).await?;
            self.await_acceptance().await?;
        }
        for at in 0..self.job.writes.len() {
            self.write(at, "promote", Form::Promoted, &[Form::Old, Form::Accepting]).await?;
        }
        Ok(())
    }

    /// Makes every consumer load the new values, and looks at them.
    async fn load_new(&self) -> Step<()> {
        if self.fact("loading").is_none() {
            self.remember("loading", self.executor.clock.now().to_rfc3339()).await?;
        }
        self.load("load", Which::New).await?;
        self.look().await
    }

    /// Makes the issuers, and the consumers, reject the old values.
    async fn revoke(&self) -> Step<()> {
        match self.recovery(State::Soaked).boxed().await? {
            Recovery::Forward | Recovery::Nothing => {}
            Recovery::Back => return Err(Stop::Failed(Failure::not_done("the issuer rejects the new value"))),
            Recovery::Ask(doubt) => return Err(Self::doubt(doubt)),
        }
        for (at, issuer) in self.parties.issued() {
            let act = format!("revoke {}", self.job.members[at].item);
            let (Some(old), None) = (self.pairs[at].old.as_ref(), self.fact(&act)) else { continue };
            let new = self.pairs[at].new.as_ref();
            self.act(&act, Again::Always, || issuer.revoke(&self.context, old, new), done).await?;
        }
        let mut is_retired = false;
        for at in 0..self.job.writes.len() {
            if self.accepts(&self.job.writes[at]) && !self.is_emergency() {
                self.write(at, "retire", Form::Final, &[Form::Promoted]).await?;
                is_retired = true;
            }
        }
        if is_retired {
            self.load("load retired", Which::New).await?;
        }
        let (old, new) = (self.values(Which::Old), self.values(Which::New));
        for (consumer, workload) in self.job.consumers.iter().zip(&self.parties.workloads) {
            let act = format!("forget {}", consumer.name);
            self.act(&act, Again::Always, || workload.forget(&self.context, &new, &old), done).await?;
        }
        Ok(())
    }

    /// Logs in with the old values, and is rejected; the new ones still work.
    async fn confirm(&self) -> Step<()> {
        for (at, issuer) in self.parties.issued().filter(|(_, issuer)| issuer.nature().answers) {
            let item = &self.job.members[at].item;
            self.say(&format!("confirm {item}"));
            let pair = &self.pairs[at];
            let otherwise = format!("the issuer still honours the old value of {item}");
            self.expect(issuer, pair.old.as_ref(), Answer::Rejected, &otherwise).await?;
            let otherwise = format!("the issuer rejects the new value of {item}");
            self.expect(issuer, pair.new.as_ref(), Answer::Works, &otherwise).await?;
        }
        Ok(())
    }
}

/// What is to be known of an act that left nothing.
pub(super) fn done<T>(_: &T) -> String {
    "done".to_owned()
}

/// Whether a failure is somebody else's doing.
pub(super) fn is_conflict(failure: &Failure) -> bool {
    failure.outcome == Outcome::Conflict
}
