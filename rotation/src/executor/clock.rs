//! Time as an executor sees it.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::Time;

/// What tells the time.
pub trait Clock: Send + Sync {
    /// Now, by the wall clock, which people and protocols set forward and back.
    fn now(&self) -> Time;

    /// What tells this start of the system from every other, and how long ago it was; `None` where the system does not
    /// tell. Nobody can set it, and it goes on while the system sleeps.
    fn uptime(&self) -> Option<(String, Duration)>;

    /// Waits.
    fn pause(&self, time: Duration) -> BoxFuture<'_, ()>;
}

/// The clock of the system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        chrono::Utc::now()
    }

    /// `random/boot_id` and `/proc/uptime` of Linux, see `proc(5)`.
    fn uptime(&self) -> Option<(String, Duration)> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let text = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = text.split(' ').next()?.parse().ok()?;
        Some((boot.trim().to_owned(), Duration::try_from_secs_f64(seconds).ok()?))
    }

    fn pause(&self, time: Duration) -> BoxFuture<'_, ()> {
        tokio::time::sleep(time).boxed()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Clock, SystemClock};

    #[test]
    fn the_time_since_the_start_of_the_system_goes_on() {
        let (boot, before) = SystemClock.uptime().expect("Linux tells");
        let (again, after) = SystemClock.uptime().expect("Linux tells");
        assert_eq!((boot.len(), boot), (36, again));
        assert!(!before.is_zero() && before <= after, "{before:?} {after:?}");
    }
}
