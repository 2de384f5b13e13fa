//! Carries out jobs, some at once, and says how each ended.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use keytrail_rotation::executor::{Ending, Executor, Limits, SystemClock};
use keytrail_rotation::failure::Failure;
use keytrail_rotation::job::{Job, World, lanes};
use keytrail_rotation::journal::Journal;
use keytrail_rules::model::Time;

use super::after::Ended;
use crate::config::RotationConfig;
use crate::error::Error;

/// Carries out jobs.
pub struct Runner<'a> {
    /// The systems.
    pub world: &'a dyn World,
    /// What survives a crash.
    pub journal: &'a dyn Journal,
    /// Takes a line of progress.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
    /// How many jobs at once, and how long leases last.
    pub config: &'a RotationConfig,
    /// Who holds the leases.
    holder: String,
}

/// How the executor is called for a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// It is begun.
    Start,
    /// It goes on.
    Resume,
    /// It is turned back.
    RollBack,
}

impl<'a> Runner<'a> {
    /// A runner whose leases nobody else has.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(
        world: &'a dyn World,
        journal: &'a dyn Journal,
        say: &'a (dyn Fn(&str) + Send + Sync),
        config: &'a RotationConfig,
    ) -> Result<Self, Error> {
        let holder = format!("keytrail-{}-{:08x}", std::process::id(), u32::from_be_bytes(random()?));
        Ok(Self { world, journal, say, config, holder })
    }

    /// Calls the executor for each of the jobs. Gives how each ended, in their order.
    pub async fn all(&self, jobs: &[Job], call: Call) -> Vec<Ended> {
        let mut ended: Vec<Ended> = stream::iter(lanes(jobs.to_vec()))
            .map(|lane| self.lane(lane, call))
            .buffer_unordered(self.config.at_once.max(1))
            .concat()
            .await;
        let order: BTreeMap<&str, usize> = jobs.iter().zip(0..).map(|(job, at)| (job.run.as_str(), at)).collect();
        ended.sort_by_key(|one| order.get(one.job.run.as_str()).copied());
        ended
    }

    /// One after the other.
    async fn lane(&self, jobs: Vec<Job>, call: Call) -> Vec<Ended> {
        let mut ended = Vec::with_capacity(jobs.len());
        for job in jobs {
            ended.push(self.one(&job, call).await);
        }
        ended
    }

    async fn one(&self, job: &Job, call: Call) -> Ended {
        let say = |line: &str| (self.say)(&format!("{}: {line}", job.run));
        let executor = Executor {
            world: self.world,
            journal: self.journal,
            clock: &SystemClock,
            // A lease is held for one job: two of this process may not take each other's.
            holder: format!("{}-{}", self.holder, job.run),
            say: &say,
            limits: Limits { lease: self.config.lease, ..Limits::default() },
        };
        let result: Result<Ending, Failure> = match call {
            Call::Start => executor.start(job).await,
            Call::Resume => executor.resume(&job.run).await,
            Call::RollBack => executor.roll_back(&job.run).await,
        };
        Ended { job: job.clone(), result }
    }
}

/// The id of a run that is planned now: `kt-20261121t183000z-0f3a9c21`.
///
/// # Errors
/// The system has no random numbers.
pub fn run_id(at: Time) -> Result<String, Error> {
    let random = u32::from_be_bytes(random()?);
    Ok(format!("kt-{}-{random:08x}", at.format("%Y%m%dt%H%M%Sz")))
}

fn random() -> Result<[u8; 4], Error> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.into()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::run_id;

    #[test]
    fn the_id_of_a_run_can_stand_everywhere() {
        let at = "2026-11-21T18:30:00Z".parse().expect("a time");
        let (one, other) = (run_id(at).expect("an id"), run_id(at).expect("an id"));
        assert!(one.starts_with("kt-20261121t183000z-") && one.len() == 28, "{one}");
        assert!(one.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        assert_ne!(one, other);
    }
}
