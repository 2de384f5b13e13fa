//! How often AWS may be asked.

use std::time::{Duration, Instant};

/// Lets requests through at an even pace.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// Two requests a second, which AWS takes of an account and region.
    ///
    /// Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>
    pub(super) fn of_aws() -> Self {
        Self::every(Duration::from_millis(500))
    }

    /// One request in every interval.
    pub(super) fn every(interval: Duration) -> Self {
        Self { interval, next: None }
    }

    /// How long the request that is to be made now has to wait.
    pub(super) fn delay(&mut self, now: Instant) -> Duration {
        let at = self.next.map_or(now, |next| next.max(now));
        self.next = Some(at + self.interval);
        at - now
    }
}
