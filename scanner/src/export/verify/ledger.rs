//! That the rows are those of the ledger, and the ledger is that of the export before.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keytrail_reporters::sign::PublicKey;
use keytrail_rotation::ledger::Entry;
use keytrail_rotation::ledger::note::{Checkpoint, Verifier};
use keytrail_rotation::ledger::tree::{Hash, leaf_hash, verify_consistency, verify_inclusion};

use super::super::ledger::{CHECKPOINT, CONSISTENCY, PROOF, ROWS, proof_name};
use super::super::manifest::Manifest;
use super::super::{MANIFEST, VERIFIERS};
use super::Verification;
use super::files::Intact;
use crate::error::Error;
use crate::signing::cosigner;

pub(super) fn check(
    intact: &Intact<'_>,
    manifest: &Manifest,
    key: &PublicKey,
    result: &mut Verification,
) -> Result<(), Error> {
    let before = result.problems.len();
    let text = |name: &str| -> Result<Option<String>, Error> {
        Ok(intact.read(name)?.and_then(|bytes| String::from_utf8(bytes).ok()))
    };
    let Some(note) = text(CHECKPOINT)? else { return Ok(()) };
    let signed = cosigner(key)?.open(&note).map(Checkpoint::parse);
    let checkpoint = match signed {
        Ok(Ok(checkpoint)) => checkpoint,
        Ok(Err(error)) | Err(error) => {
            result.problem(CHECKPOINT, error.to_string());
            return Ok(());
        }
    };
    let told = &manifest.ledger;
    if (checkpoint.size, checkpoint.root.to_string()) != (told.rows, told.root.clone())
        || checkpoint.origin != told.origin
    {
        result.problem(CHECKPOINT, "is of another state than the manifest says");
    }
    check_own_signature(&note, manifest, result);
    if let Some(verifiers) = text(VERIFIERS)?
        && verifiers.lines().ne(told.verifiers.iter().map(String::as_str))
    {
        result.problem(VERIFIERS, "holds other keys than the manifest");
    }
    let Some(rows) = text(ROWS)? else { return Ok(()) };
    let mut last: Option<Entry> = None;
    let mut count = 0;
    for line in rows.lines() {
        let entry = match Entry::parse(line) {
            Ok(entry) => entry,
            Err(why) => {
                result.problem(ROWS, format!("has a line that cannot be read, after {count} rows: {why}"));
                return Ok(());
            }
        };
        count += 1;
        if let Some(last) = &last {
            let is_next = entry.seq == last.seq + 1;
            if entry.seq <= last.seq || is_next && entry.prev != last.hash() {
                result.problem(ROWS, format!("has row {} where it does not follow row {}", entry.seq, last.seq));
            }
        }
        let name = proof_name(entry.seq);
        let Some(proof) = text(&name)? else {
            if !intact.has(&name) && !result.problems.iter().any(|problem| problem.file == name) {
                result.problem(ROWS, format!("has row {}, of which there is no proof", entry.seq));
            }
            continue;
        };
        let proof = inclusion(&proof, &note);
        let leaf = leaf_hash(line.as_bytes());
        let holds = proof.is_some_and(|(index, hashes)| {
            index == entry.seq && verify_inclusion(leaf, index, checkpoint.size, &hashes, checkpoint.root)
        });
        if !holds {
            result.problem(&name, format!("does not prove that row {} is part of the ledger", entry.seq));
        }
        last = Some(entry);
    }
    if count != told.rows_in_window || intact.below("ledger/proofs/").count() as u64 > count {
        result.problem(ROWS, "has another number of rows than the manifest, or than there are proofs");
    }
    check_consistency(text(CONSISTENCY)?.as_deref(), &note, &checkpoint, manifest, result);
    if result.problems.len() == before {
        let size = checkpoint.size;
        result.hold(format!("{count} rows are proven to be part of the ledger of {size} rows"));
    }
    Ok(())
}

/// The signature of the ledger's own key, where it signed this size.
fn check_own_signature(note: &str, manifest: &Manifest, result: &mut Verification) {
    let told = &manifest.ledger;
    if told.signed_rows != told.rows || told.rows == 0 {
        return;
    }
    let mut verifiers = told.verifiers.iter().filter_map(|text| Verifier::parse(text));
    match verifiers.find(|one| one.name() == told.origin).map(|one| one.checkpoint(note)) {
        Some(Ok(_)) => {
            result
                .notes
                .push(format!("the ledger's own key signed all {} rows: compare it with {VERIFIERS}", told.rows));
        }
        Some(Err(error)) => {
            result.problem(CHECKPOINT, format!("is not signed by the ledger as the manifest says: {error}"));
        }
        None => result.problem(MANIFEST, "says that the ledger's own key signed, and does not tell the key"),
    }
}

fn check_consistency(
    proof: Option<&str>,
    note: &str,
    checkpoint: &Checkpoint,
    manifest: &Manifest,
    result: &mut Verification,
) {
    let Some(previous) = &manifest.previous else { return };
    let Some(before) = previous.state() else {
        result.problem(MANIFEST, "names an export before it whose checkpoint cannot be read");
        return;
    };
    let (old, new) = match before.size <= checkpoint.size {
        true => (&before, checkpoint),
        false => (checkpoint, &before),
    };
    if old.size == 0 {
        return;
    }
    let hashes = proof.and_then(|proof| consistency(proof, note, old.size));
    let holds = hashes.is_some_and(|hashes| verify_consistency((old.size, old.root), (new.size, new.root), &hashes));
    if holds {
        result
            .hold(format!("the ledger begins with the {} rows of the export before", before.size.min(checkpoint.size)));
    } else {
        result.problem(CONSISTENCY, "does not prove that the ledger begins with that of the export before");
    }
}

/// The index and the hashes of a proof, which ends with that checkpoint.
fn inclusion(text: &str, note: &str) -> Option<(u64, Vec<Hash>)> {
    let rest = text.strip_prefix(PROOF)?.strip_prefix("\nindex ")?;
    let (index, rest) = rest.split_once('\n')?;
    Some((index.parse().ok()?, hashes(rest, note)?))
}

fn consistency(text: &str, note: &str, old: u64) -> Option<Vec<Hash>> {
    hashes(text.strip_prefix(&format!("old {old}\n"))?, note)
}

/// Hashes, one a line, then an empty line and the checkpoint.
fn hashes(text: &str, note: &str) -> Option<Vec<Hash>> {
    let lines = text.strip_suffix(note)?.strip_suffix('\n')?;
    let hash = |line: &str| Some(Hash(BASE64_STANDARD.decode(line).ok()?.try_into().ok()?));
    lines.lines().map(hash).collect()
}
