//! What failures and answers mean for a change.

use keytrail_rotation::failure::Failure;
use keytrail_rules::model::GapReason;

use super::At;
use crate::stores::vault::answer::{self, Body, Meaning};
use crate::stores::vault::connection::{Failed, Response};
use crate::stores::vault::session::{self, Session};

/// What the server says where the version is another than the one that was expected.
/// <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#create-update-secret>
const OTHER_VERSION: &str = "check-and-set parameter did not match the current version";

/// A request that failed. Only what the server decided, or what was never sent, was surely not done.
pub(in crate::stores::vault) fn of(what: &str, failed: Failed) -> Failure {
    let message = format!("{what}: {}", failed.what);
    let failure = match failed.reason {
        GapReason::Unauthenticated | GapReason::PermissionDenied | GapReason::Unsupported => Failure::not_done(message),
        _ => Failure::unknown(message),
    };
    Failure { hint: failed.hint, ..failure }
}

/// A read that failed.
pub(super) fn of_read(at: &At, failure: session::Failure) -> Failure {
    match failure {
        session::Failure::Missing => gone(at),
        session::Failure::Denied => denied(at, "read"),
        session::Failure::Failed(failed) => of(&at.full, failed),
        session::Failure::Lost => lost(&at.full, &at.session),
    }
}

/// The mount of a path was not found.
pub(super) fn of_mount(full: &str, failure: session::Failure, session: &Session) -> Failure {
    match failure {
        session::Failure::Missing | session::Failure::Denied => {
            Failure::not_done(format!("the server shows the token no mount for {full}"))
                .hint("check the place in `copies`, and that the token's policy grants something in the mount")
        }
        session::Failure::Failed(failed) => of(full, failed),
        session::Failure::Lost => lost(full, session),
    }
}

fn lost(full: &str, session: &Session) -> Failure {
    of(full, session.lost().unwrap_or_else(|| answer::not_json(b"")))
}

/// There is no current version.
pub(super) fn gone(at: &At) -> Failure {
    Failure::not_done(format!("{} has no value: it was never written, or it was deleted", at.full))
        .hint("correct the place in `copies`, or write it first")
}

pub(super) fn denied(at: &At, what: &str) -> Failure {
    let path = match at.mount.version {
        super::KvVersion::V1 => at.full.clone(),
        super::KvVersion::V2 => format!("{}/data/{}", at.mount.path, at.path),
    };
    Failure::not_done(format!("the token may not {what} {}", at.full)).hint(format!("grant the token {what} on {path}"))
}

/// Somebody else changed it.
pub(super) fn overtaken(at: &At) -> Failure {
    Failure::conflict(format!("{} was changed by somebody else", at.full)).hint("look at the change, then start again")
}

/// What became of a change.
pub(super) enum Change {
    Done(Body),
    /// Surely not done, since this kind of change is refused.
    Denied,
    /// There is no current version.
    Missing,
    Failed(Failure),
}

/// Reads the answer to a change, or why there is none.
pub(super) fn of_change(at: &At, answer: Result<Response, Failed>) -> Change {
    let response = match answer {
        Ok(response) => response,
        Err(failed) => return Change::Failed(Failure { hint: failed.hint, ..unknown(at, &failed.what) }),
    };
    let status = response.status;
    if status == 400 {
        let other = response.says(OTHER_VERSION);
        let refused = || Failure::not_done(format!("{}: the server answers 400 (bad request)", at.full));
        return Change::Failed(if other { overtaken(at) } else { refused() });
    }
    // A patch of what is not there is answered without a body.
    if status == 404 && response.body.is_empty() {
        return Change::Missing;
    }
    match answer::read(response) {
        Meaning::Success(body) => Change::Done(body),
        Meaning::Missing => Change::Missing,
        Meaning::Denied => Change::Denied,
        Meaning::Failed(_) if status == 405 => Change::Denied,
        Meaning::Failed(failed) | Meaning::Lost(failed) if (400..=499).contains(&status) && !may_be_done(status) => {
            Change::Failed(Failure { hint: failed.hint, ..Failure::not_done(format!("{}: {}", at.full, failed.what)) })
        }
        Meaning::Failed(failed) | Meaning::Lost(failed) => {
            Change::Failed(Failure { hint: failed.hint, ..unknown(at, &failed.what) })
        }
    }
}

/// Time-outs, too many requests, and the statuses of standbys.
fn may_be_done(status: u16) -> bool {
    matches!(status, 408 | 429 | 472 | 473)
}

pub(super) fn unknown(at: &At, what: &str) -> Failure {
    Failure::unknown(format!("{} may not be written: {what}", at.full))
}
