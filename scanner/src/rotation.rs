//! What of a rotation is the scanner's: the systems that a job works on, by whose leave it begins, and what follows it.

mod after;
mod estate;
mod harden;
mod journal;
mod leave;
mod record;
mod run;

pub use after::{Ended, notify};
pub use estate::Estate;
pub use harden::harden;
pub use journal::{open_journal, unfinished, unfinished_run};
pub use leave::{Leave, requester};
pub use record::{note, stamp_runbooks};
pub use run::{Call, Runner, run_id};
