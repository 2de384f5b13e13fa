//! Keeps values that are in memory out of files that the system writes.

/// Forbids core dumps, and lets no other process of this user read this one's memory, where the system can. Pages are
/// locked in memory where the limit of the process allows all of them; else the swap has to be encrypted or off.
///
/// Failures change nothing else: a system without these limits has no such files either.
#[cfg(target_os = "linux")]
pub fn harden() {
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::process::{DumpableBehavior, Resource, getrlimit, set_dumpable_behavior};

    forbid_core();
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if getrlimit(Resource::Memlock).current.is_none() {
        let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    }
}

/// Forbids core dumps.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn harden() {
    forbid_core();
}

/// Nothing, where the system has no core dumps.
#[cfg(not(unix))]
pub fn harden() {}

#[cfg(unix)]
fn forbid_core() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
