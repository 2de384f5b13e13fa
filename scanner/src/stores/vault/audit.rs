//! What a server tells of its own audit: how a device hashes a text, and a read that has to be in its log.
//!
//! # Guarantees
//! * A text goes in the body of one request, over the connection of the store, and is wiped: never in a URL, a message or
//!   a log of Keytrail. The server's own audit shows the request with the text hashed, as all others.
//! * No more than [`MAX_ASKED`] requests, [`PAUSE`] apart; the first refusal of a device ends its questions.
//!
//! API: <https://openbao.org/api-docs/system/audit-hash/>.

use std::time::Duration;

use keytrail_rules::model::{Gap, GapReason, Place, Secret};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::{self, Meaning};
use super::connection::{Connection, Env, Failed};
use super::mounts::{self, KvVersion};
use super::session::{Change, Failure, Session};
use super::{auth, environment};
use crate::config::StoreConfig;

/// No more texts than this are asked for in one scan, of all devices together.
pub(crate) const MAX_ASKED: usize = 5_000;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(5);

const AGENT: &str = concat!("keytrail/", env!("CARGO_PKG_VERSION"));
const HASH_HINT: &str = "grant the token update on sys/audit-hash/DEVICE, or take audit_hash out of the [[trail]]";
const CANARY_HINT: &str = "write any value to the path, and grant the token read on it (MOUNT/data/PATH)";

/// What is asked of a server.
pub(crate) struct Questions<'a> {
    /// The audit devices, as `sys/audit` names them.
    pub(crate) devices: &'a [String],
    /// The texts of which the hashes are wanted.
    pub(crate) texts: &'a [Secret],
    /// The path that is read, with its mount.
    pub(crate) canary: Option<&'a str>,
}

/// What a server answered.
#[derive(Default)]
pub(crate) struct Answers {
    /// The hash, and the place of its text.
    pub(crate) hashes: Vec<(String, usize)>,
    pub(crate) gaps: Vec<Gap>,
}

/// Asks the server of a `[[store]]`. What it does not answer is a gap.
pub(crate) async fn ask(config: &StoreConfig, questions: &Questions<'_>) -> Answers {
    let mut answers = Answers::default();
    if let Err(failed) = asked(config, questions, &environment, &mut answers).await {
        answers.gaps.push(gap(config, failed));
    }
    answers
}

async fn asked(
    config: &StoreConfig,
    questions: &Questions<'_>,
    env: Env<'_>,
    answers: &mut Answers,
) -> Result<(), Failed> {
    let connection = Connection::new(config, env)?;
    let token = auth::login(config, &connection, env).await?;
    let session = Session::new(connection, token, 1);
    if let Some(path) = questions.canary
        && let Err(failure) = read(&session, path).await
    {
        let failed = told(&session, failure, &format!("the token may not read the canary {path}"), CANARY_HINT);
        let place = Some(Place::of_path(&config.name, path));
        answers.gaps.push(Gap { place, ..gap(config, failed) });
    }
    let mut asked = 0;
    for device in questions.devices {
        let device = device.trim_matches('/');
        if let Err(failed) = hashes(&session, device, questions.texts, &mut asked, answers).await {
            let place = Some(Place::of_path(&config.name, &format!("sys/audit-hash/{device}")));
            answers.gaps.push(Gap { place, ..gap(config, failed) });
        }
    }
    session.close().await;
    Ok(())
}

fn gap(config: &StoreConfig, failed: Failed) -> Gap {
    let Failed { reason, what, hint, .. } = failed;
    Gap { hint, ..Gap::new(&config.name, reason, what) }
}

/// Why a read gave nothing.
fn told(session: &Session, failure: Failure, denied: &str, hint: &str) -> Failed {
    match failure {
        Failure::Denied => Failed::new(GapReason::PermissionDenied, denied).hint(hint),
        Failure::Missing => Failed::new(GapReason::Unreachable, "the path of the canary has no value").hint(hint),
        Failure::Failed(failed) => failed,
        Failure::Lost => session.lost().unwrap_or_else(|| answer::not_json(b"")),
    }
}

/// Reads the newest value of a path, which nobody looks at.
async fn read(session: &Session, path: &str) -> Result<(), Failure> {
    let mount = mounts::named(session, path).await?;
    let rest = mount.folder.trim_end_matches('/');
    let parts: &[&str] = match mount.version {
        KvVersion::V1 => &[&mount.path, rest],
        KvVersion::V2 => &[&mount.path, "data", rest],
    };
    session.get(parts, "").await.map(drop)
}

/// Asks how a device hashes each text.
async fn hashes(
    session: &Session,
    device: &str,
    texts: &[Secret],
    asked: &mut usize,
    answers: &mut Answers,
) -> Result<(), Failed> {
    #[derive(Deserialize)]
    struct Hash {
        hash: String,
    }
    let agent = HeaderValue::from_static(AGENT);
    let path = ["sys/audit-hash", device];
    for (at, text) in texts.iter().enumerate() {
        if *asked == MAX_ASKED {
            let what =
                format!("the hashes of more than {MAX_ASKED} values were to be asked for: the rest is not known");
            return Err(Failed::new(GapReason::TooLarge, what).hint("name fewer devices in audit_hash"));
        }
        if *asked > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        *asked += 1;
        let change = Change { body: body(text), patch: false, agent: &agent };
        let answer = match answer::read(session.change(&path, change).await?) {
            Meaning::Success(body) => body.data::<Hash>()?,
            Meaning::Denied => {
                let what = format!("the token may not ask how the audit device {device} hashes");
                return Err(Failed::new(GapReason::PermissionDenied, what).hint(HASH_HINT));
            }
            // It answers 400 for a device that it does not have.
            Meaning::Missing => return Err(no_device(device)),
            Meaning::Failed(failed) if failed.reason == GapReason::Unsupported => return Err(no_device(device)),
            Meaning::Failed(failed) | Meaning::Lost(failed) => return Err(failed),
        };
        answers.hashes.push((answer.hash, at));
    }
    Ok(())
}

fn no_device(device: &str) -> Failed {
    let what = format!("the server does not tell how an audit device {device} hashes");
    Failed::new(GapReason::Unreachable, what).hint("name the device in audit_hash as `bao audit list` does")
}

/// `{"input": TEXT}`, in memory that is wiped.
fn body(text: &Secret) -> Zeroizing<Vec<u8>> {
    let text = text.expose();
    // Every character may take six bytes; memory that had to grow would leave a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(text.len() * 6 + 16));
    body.extend_from_slice(b"{\"input\":");
    // Text becomes JSON without fail, and a vector takes all of it.
    let _ = serde_json::to_writer(&mut *body, text);
    body.push(b'}');
    body
}
