//! Verifies an export, with nothing but its bytes and the keys that the caller trusts.
//!
//! # Guarantees
//! * Nothing is parsed of a file before its digest is the one that was signed, and of that not before the signature holds.
//! * A byte that is another, a file that is added, removed, renamed or put in the place of another is named.
//! * Reads no more than the folder; follows no link; memory is bounded by the largest file that is parsed, 512 MiB.

mod files;
mod ledger;
mod raw;

use std::path::Path;

use keytrail_reporters::sign::dsse::Envelope;
use keytrail_reporters::sign::statement::{PAYLOAD_TYPE, Statement, Subject, sums};
use keytrail_reporters::sign::timestamp::Timestamp;
use keytrail_reporters::sign::{PublicKey, TrustedKey, sshsig};
use keytrail_rules::model::Time;
use sha2::{Digest, Sha256};

use super::folder::hex;
use super::manifest::{Manifest, SCHEMA};
use super::{ALLOWED_SIGNERS, ENVELOPE, KEY, MANIFEST, SSH_SIGNATURE, SUMS, TIMESTAMP, TIMESTAMP_SIGNATURE, folder};
use crate::error::Error;
use crate::signing::NAMESPACE;
use files::Files;

/// The format that the others, and the raw records, are checked against.
pub(super) const REPORT: &str = "json";

/// What is wrong with a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// What is wrong, after its name.
    pub what: String,
}

/// What came of verifying.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// What holds, a line each.
    pub holds: Vec<String>,
    /// What does not.
    pub problems: Vec<Problem>,
    /// What the reader should know, though nothing is wrong.
    pub notes: Vec<String>,
}

impl Verification {
    fn problem(&mut self, file: &str, what: impl Into<String>) {
        let problem = Problem { file: file.to_owned(), what: what.into() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn hold(&mut self, what: impl Into<String>) {
        self.holds.push(what.into());
    }
}

/// Verifies the folder of an export. `trusted`: the keys that the caller trusts; none for that in the export.
///
/// # Errors
/// A file that cannot be read.
pub fn verify(folder: &Path, trusted: Option<&[TrustedKey]>, previous: Option<&Path>) -> Result<Verification, Error> {
    let mut result = Verification::default();
    let files = Files::list(folder, &mut result)?;
    let Some(bytes) = files.read(ENVELOPE)? else {
        result.problem(ENVELOPE, "is missing: without it nothing is signed");
        return Ok(result);
    };
    let Some((statement, (key, trusted_key))) = open(&files, &bytes, trusted, &mut result)? else {
        return Ok(result);
    };
    let intact = files.compare(&statement.subject, &mut result)?;
    check_sums(&files, &statement.subject, &key, &mut result)?;
    let Some(manifest) = manifest(&intact, &statement, &mut result)? else { return Ok(result) };
    if manifest.key.fingerprint != key.fingerprint() {
        result.problem(MANIFEST, "names another key than the one that signed");
    }
    let time = manifest.run.as_ref().map_or(manifest.created, |run| run.at);
    if trusted_key.is_some_and(|key| !key.holds_at(time)) {
        result.problem(ENVELOPE, format!("is signed with a key that is not to be used at its time, {time}"));
    }
    check_timestamp(&files, &bytes, &manifest, &key, &mut result)?;
    raw::check(&intact, &manifest, &mut result)?;
    ledger::check(&intact, &manifest, &key, &mut result)?;
    if let Some(previous) = previous {
        check_previous(previous, trusted, &manifest, &mut result)?;
    }
    result.notes.extend(notes(&manifest));
    Ok(result)
}

/// Verifies an envelope alone, whose files are not there.
///
/// # Errors
/// A file that cannot be read.
pub fn verify_envelope(path: &Path, trusted: &[TrustedKey]) -> Result<Verification, Error> {
    let mut result = Verification::default();
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let bytes = files::read_whole(path)?;
    let opened = Envelope::parse(&bytes).and_then(|envelope| {
        let key = trusted.iter().find(|one| envelope.open(&one.key).is_some());
        let key = key.ok_or("is not signed with a key that you trust")?;
        Ok((key.clone(), envelope))
    });
    match opened {
        Ok((key, envelope)) if envelope.payload_type == PAYLOAD_TYPE => match Statement::parse(&envelope.payload) {
            Ok(statement) => {
                result.hold(format!("{name} is signed with {}", key.key.fingerprint()));
                let files = statement.subject.len();
                result.notes.push(format!("the {files} files that it is about were not looked at: name their folder"));
            }
            Err(why) => result.problem(&name, why),
        },
        Ok(_) => result.problem(&name, "is of another type than a statement"),
        Err(why) => result.problem(&name, why),
    }
    Ok(result)
}

/// The last instant of an export, by its own word: nothing is verified.
pub(super) fn claimed_end(envelope: &[u8]) -> Option<Time> {
    let statement = Statement::parse(&Envelope::parse(envelope).ok()?.payload).ok()?;
    serde_json::from_value::<Manifest>(statement.predicate).ok().map(|manifest| manifest.query.until)
}

type Signer = (PublicKey, Option<TrustedKey>);

/// The statement in an envelope, if its signature holds, and who signed it.
fn open(
    files: &Files,
    bytes: &[u8],
    trusted: Option<&[TrustedKey]>,
    result: &mut Verification,
) -> Result<Option<(Statement, Signer)>, Error> {
    let envelope = match Envelope::parse(bytes) {
        Ok(envelope) => envelope,
        Err(why) => {
            result.problem(ENVELOPE, format!("was changed: {why}"));
            return Ok(None);
        }
    };
    let candidates = match trusted {
        Some(trusted) => trusted.to_vec(),
        None => inner_keys(files)?,
    };
    let Some(key) = candidates.iter().find(|one| envelope.open(&one.key).is_some()) else {
        result.problem(
            ENVELOPE,
            match trusted {
                Some(_) => "is not signed with a key that you trust, or was changed",
                None => "was changed: its signature does not hold with the key in the export",
            },
        );
        return Ok(None);
    };
    // Another spelling of the same would be other bytes.
    let is_ours = matches!(envelope.signatures.as_slice(), [one] if one.keyid == key.key.fingerprint());
    if !is_ours || envelope.payload_type != PAYLOAD_TYPE || envelope.to_bytes() != bytes {
        result.problem(ENVELOPE, "was changed: it is not written as an export writes it");
    }
    let fingerprint = key.key.fingerprint();
    let signer = (key.key.clone(), trusted.is_some().then(|| key.clone()));
    match Statement::parse(&envelope.payload) {
        Ok(statement) => {
            result.hold(format!("{ENVELOPE} is signed with {fingerprint}"));
            if trusted.is_none() {
                result.notes.push(format!(
                    "only checked against the key in the export ({fingerprint}): whoever changed it could have put another \
                     there; name the signer's with --key"
                ));
            }
            Ok(Some((statement, signer)))
        }
        Err(why) => {
            result.problem(ENVELOPE, why);
            Ok(None)
        }
    }
}

/// The keys that the export itself brings: any of them may have been changed, but not all to the one that signed.
fn inner_keys(files: &Files) -> Result<Vec<TrustedKey>, Error> {
    let text = |name: &str| -> Result<String, Error> {
        Ok(files.read(name)?.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default())
    };
    let mut keys: Vec<PublicKey> = PublicKey::from_pem(&text(KEY)?).into_iter().collect();
    keys.extend(sshsig::read(NAMESPACE, &text(SSH_SIGNATURE)?).map(|(key, _)| key));
    let allowed = keytrail_reporters::sign::read_allowed_signers(NAMESPACE, &text(ALLOWED_SIGNERS)?);
    keys.extend(allowed.unwrap_or_default().into_iter().map(|one| one.key));
    Ok(keys.into_iter().map(TrustedKey::always).collect())
}

/// The list of digests, and the signature of it.
fn check_sums(files: &Files, subjects: &[Subject], key: &PublicKey, result: &mut Verification) -> Result<(), Error> {
    let expected = sums(subjects.iter().filter(|subject| subject.name != SUMS));
    let listed = subjects.iter().find(|subject| subject.name == SUMS);
    if listed.is_none_or(|listed| listed.digest.sha256 != hex(&Sha256::digest(expected.as_bytes()))) {
        result.problem(SUMS, "does not list the files that the statement does");
    }
    let before = result.problems.len();
    ssh(files, SSH_SIGNATURE, expected.as_bytes(), key, result)?;
    if result.problems.len() == before {
        result.hold(format!("{SUMS} is signed for ssh-keygen with the same key"));
    }
    Ok(())
}

fn ssh(files: &Files, name: &str, message: &[u8], key: &PublicKey, result: &mut Verification) -> Result<(), Error> {
    let Some(bytes) = files.read(name)? else {
        result.problem(name, "is missing");
        return Ok(());
    };
    let read = std::str::from_utf8(&bytes).ok().and_then(|text| sshsig::read(NAMESPACE, text));
    match read {
        None => result.problem(name, "was changed: it is no SSH signature of an export"),
        Some((signer, _)) if signer != *key => result.problem(name, "was changed: it is of another key"),
        Some((_, signature)) if !key.verifies(&sshsig::to_sign(NAMESPACE, message), &signature) => {
            result.problem(name, "was changed, or what it is of: its signature does not hold");
        }
        Some(_) => {}
    }
    Ok(())
}

fn manifest(
    intact: &files::Intact<'_>,
    statement: &Statement,
    result: &mut Verification,
) -> Result<Option<Manifest>, Error> {
    let Some(bytes) = intact.read(MANIFEST)? else { return Ok(None) };
    let predicate = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    if predicate.as_ref() != Some(&statement.predicate) {
        result.problem(MANIFEST, "is not the predicate of the statement");
        return Ok(None);
    }
    let manifest: Option<Manifest> = predicate.and_then(|predicate| serde_json::from_value(predicate).ok());
    match manifest.filter(|manifest| manifest.schema == SCHEMA) {
        Some(manifest) => Ok(Some(manifest)),
        None => {
            result.problem(MANIFEST, format!("is of a form that this version does not know: it reads {SCHEMA}"));
            Ok(None)
        }
    }
}

fn check_timestamp(
    files: &Files,
    envelope: &[u8],
    manifest: &Manifest,
    key: &PublicKey,
    result: &mut Verification,
) -> Result<(), Error> {
    let Some(timestamped) = &manifest.timestamp else {
        for name in [TIMESTAMP, TIMESTAMP_SIGNATURE].into_iter().filter(|name| files.has(name)) {
            result.problem(name, "is not part of the export");
        }
        return Ok(());
    };
    let Some(answer) = files.read(TIMESTAMP)? else {
        result.problem(TIMESTAMP, "is missing");
        return ssh(files, TIMESTAMP_SIGNATURE, &[], key, result);
    };
    let before = result.problems.len();
    match Timestamp::parse(&answer) {
        Err(why) => result.problem(TIMESTAMP, format!("was changed: {why}")),
        Ok(timestamp) if !timestamp.is_of(envelope) => result.problem(TIMESTAMP, format!("is not of {ENVELOPE}")),
        Ok(timestamp) => {
            ssh(files, TIMESTAMP_SIGNATURE, &answer, key, result)?;
            if result.problems.len() == before {
                result.hold(format!("{TIMESTAMP} is a timestamp of it: {}", timestamp.time));
                result.notes.push(format!(
                    "that {} signed the timestamp, openssl verifies: openssl ts -verify -in {TIMESTAMP} -data {ENVELOPE} \
                     -CAfile tsa-ca.pem",
                    timestamped.authority
                ));
            } else {
                // The signature over it tells which of both is another.
                result.problem(TIMESTAMP, "was changed, or its signature was");
            }
        }
    }
    Ok(())
}

/// That the export before is whole, and is the one that this one names.
fn check_previous(
    folder: &Path,
    trusted: Option<&[TrustedKey]>,
    manifest: &Manifest,
    result: &mut Verification,
) -> Result<(), Error> {
    let shown = folder.display();
    let earlier = verify(folder, trusted, None)?;
    for problem in earlier.problems {
        result.problem(&format!("{shown}/{}", problem.file), problem.what);
    }
    let read = |name: &str| -> Result<Option<Vec<u8>>, Error> { Files::at(folder).read(name) };
    let envelope = read(ENVELOPE)?.map(|bytes| folder::hex(&Sha256::digest(bytes)));
    let checkpoint = read(super::ledger::CHECKPOINT)?;
    match &manifest.previous {
        None => result.problem(MANIFEST, format!("names no export before it, and so not {shown}")),
        Some(named) => {
            let is_same = named.envelope_sha256.is_none() || named.envelope_sha256 == envelope;
            if is_same && checkpoint.as_deref() == Some(named.checkpoint.as_bytes()) {
                result.hold(format!("it follows {shown}"));
            } else {
                result.problem(MANIFEST, format!("names another export before it than {shown}"));
            }
        }
    }
    Ok(())
}

/// What does not keep an export from being as it was signed, and yet has to be known.
fn notes(manifest: &Manifest) -> Vec<String> {
    let mut notes = Vec::new();
    if manifest.records.withheld > 0 {
        notes.push(format!(
            "{} records are withheld, since they hold values: see raw/index.jsonl",
            manifest.records.withheld
        ));
    }
    if manifest.records.unavailable > 0 {
        notes.push(format!("{} records could not be read again: see raw/index.jsonl", manifest.records.unavailable));
    }
    let gaps = manifest.gaps.as_array().map_or(0, Vec::len);
    if gaps > 0 {
        notes.push(format!("the report is not complete: {gaps} sources could not be read in full"));
    }
    if manifest.ledger.signed_rows < manifest.ledger.rows {
        let (rows, signed) = (manifest.ledger.rows, manifest.ledger.signed_rows);
        notes.push(format!("of {rows} rows of the ledger, its own key signed {signed}"));
    }
    notes
}
