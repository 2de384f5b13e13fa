//! Which export came before: each names the one before it, and the state remembers them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use keytrail_reporters::sign::PublicKey;
use keytrail_rotation::ledger::note::Checkpoint;
use keytrail_rules::model::Time;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::folder::hex;
use super::{ENVELOPE, Evidence, ledger};
use crate::error::Error;
use crate::signing::cosigner;

/// The exports of a folder, one a line.
const FILE: &str = "exports.jsonl";

/// An export that was made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    /// Its last instant; none where only its checkpoint is known.
    pub(super) until: Option<Time>,
    /// SHA-256 of its envelope; none where only its checkpoint is known.
    pub(super) envelope_sha256: Option<String>,
    /// Its checkpoint: a signed note.
    pub(super) checkpoint: String,
}

impl Previous {
    /// The state of the ledger then.
    pub(super) fn state(&self) -> Option<Checkpoint> {
        Checkpoint::parse(self.checkpoint.split_once("\n\n").map_or(&*self.checkpoint, |(text, _)| text)).ok()
    }
}

/// The export before this one: the one that the command line names, or the last of the folder that ends earlier.
pub(super) fn previous(evidence: &Evidence<'_>, key: &PublicKey) -> Result<Option<Previous>, Error> {
    let Some(path) = evidence.previous else {
        let until = Some(evidence.snapshot.as_of);
        return Ok(remembered(evidence.root)?.into_iter().rev().find(|one| one.until < until));
    };
    let read = |path: PathBuf| fs::read(&path).map_err(|error| Error::Read(path, error));
    let unusable = |why: &str| {
        let message = format!("{} is no export that this one can follow: {why}", path.display());
        Error::usage(message, "name the folder of an export, or the file ledger/checkpoint of one")
    };
    let is_folder = path.is_dir();
    let note = read(if is_folder { path.join(ledger::CHECKPOINT) } else { path.to_owned() })?;
    let checkpoint = String::from_utf8(note).map_err(|_| unusable("its checkpoint is not UTF-8"))?;
    let envelope = if is_folder { Some(read(path.join(ENVELOPE))?) } else { None };
    let until = envelope.as_deref().and_then(super::verify::claimed_end);
    let previous = Previous { until, envelope_sha256: envelope.map(|bytes| hex(&Sha256::digest(bytes))), checkpoint };
    if previous.state().is_none() {
        return Err(unusable("it has no checkpoint"));
    }
    // One of the same key must be as that key signed it; an older key is for the auditor to know.
    match cosigner(key)?.open(&previous.checkpoint) {
        Err(keytrail_rotation::ledger::note::NoteError::OtherKey) | Ok(_) => Ok(Some(previous)),
        Err(error) => Err(unusable(&error.to_string())),
    }
}

/// The exports of the folder, the oldest first.
pub(super) fn remembered(root: &Path) -> Result<Vec<Previous>, Error> {
    let path = root.join(crate::state::FOLDER).join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::Read(path, error)),
    };
    let exports: Option<Vec<Previous>> = text.lines().map(|line| serde_json::from_str(line).ok()).collect();
    exports.ok_or_else(|| {
        let message = format!("{} holds a line that is no export", path.display());
        Error::usage(message, "bring it back from a backup, or move it away and name the last export with --previous")
    })
}

/// Remembers an export. One that was made before, of the same bytes, is remembered already.
pub(super) fn remember(root: &Path, until: Time, envelope: &[u8], note: &str) -> Result<(), Error> {
    let export = Previous {
        until: Some(until),
        envelope_sha256: Some(hex(&Sha256::digest(envelope))),
        checkpoint: note.to_owned(),
    };
    let mut exports = remembered(root)?;
    if exports.contains(&export) {
        return Ok(());
    }
    exports.push(export);
    let lines = exports.iter().map(|one| serde_json::to_string(one).map(|line| line + "\n"));
    let text: String = lines.collect::<Result<_, _>>().map_err(keytrail_reporters::Error::from)?;
    crate::signing::write_private(&root.join(crate::state::FOLDER).join(FILE), text.as_bytes())
}
