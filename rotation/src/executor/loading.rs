//! Consumers load values, and are looked at.

use std::time::Duration;

use super::run::{Again, Run, Step, Stop};
use crate::failure::Failure;
use crate::journal::Which;
use crate::probes::{Health, Moment};
use crate::workloads::{Mark, Progress};

impl Run<'_> {
    /// Makes every consumer load what the stores hold, one after the other: the credentials `which`.
    pub(super) async fn load(&self, verb: &str, which: Which) -> Step<()> {
        for at in 0..self.job.consumers.len() {
            let act = format!("{verb} {}", self.job.consumers[at].name);
            let over = format!("{act}: over");
            if self.fact(&over).is_some() {
                continue;
            }
            let loaded = self.load_one(at, &act, which).await;
            match &loaded {
                Ok(()) => self.remember(&over, "yes").await?,
                // Another try begins anew.
                Err(Stop::Failed(_)) => self.remember(&act, "").await?,
                Err(_) => {}
            }
            loaded?;
        }
        Ok(())
    }

    async fn load_one(&self, at: usize, act: &str, which: Which) -> Step<()> {
        let (workload, limits) = (self.parties.workloads[at].as_ref(), self.executor.limits);
        let (old, new) = (self.values(Which::Old), self.values(Which::New));
        let (values, others) = if which == Which::New { (&new, &old) } else { (&old, &new) };
        let mark = match self.fact(act) {
            Some(mark) => Mark(mark),
            None => {
                let load = || workload.load(&self.context, values, others);
                self.act(act, Again::IfUnknown, load, |mark| mark.0.clone()).await?
            }
        };
        let mut waited = Duration::ZERO;
        loop {
            self.hold_on().await?;
            let why = match self.while_held(workload.progress(&self.context, &mark, values)).await? {
                Ok(Progress::Done) => return Ok(()),
                Ok(Progress::Failed(why)) => return Err(Stop::Failed(Failure::not_done(format!("{act}: {why}")))),
                Ok(Progress::Waiting(why)) => why,
                Err(failure) => failure.what,
            };
            if waited >= limits.load {
                let what = format!("{act}: not done within {} s: {why}", limits.load.as_secs());
                return Err(Stop::Failed(Failure::not_done(what)));
            }
            let pause = limits.poll.max(Duration::from_millis(1));
            self.while_held(self.executor.clock.pause(pause)).await?;
            waited += pause;
        }
    }

    /// Looks at every probe until each has told something.
    pub(super) async fn look(&self) -> Step<()> {
        let since = self.fact("loading").and_then(|text| text.parse().ok());
        let since = since.unwrap_or_else(|| self.executor.clock.now());
        let values = self.values(Which::New);
        for (at, probe) in self.parties.probes.iter().enumerate() {
            let before = self.fact(&format!("probe {at}")).unwrap_or_default();
            let moment = Moment::After { before, since };
            let mut check = || async {
                match probe.check(&self.context, &moment, &values).await? {
                    Health::Healthy(_) => Ok(()),
                    Health::Unhealthy(why) => Err(Failure::not_done(format!("not healthy: {why}"))),
                    Health::Unknown(why) => {
                        Err(Failure::unknown(format!("it cannot be told whether all is well: {why}"))
                            .hint("see to the probe, and resume the rotation"))
                    }
                }
            };
            self.try_often(Again::IfUnknown, &mut check).await?;
        }
        Ok(())
    }
}
