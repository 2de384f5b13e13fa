//! The rows of the ledger, and what proves that they are those of it.
//!
//! `ledger/rows.jsonl` has the rows of the window as they were written (canonical JSON), `ledger/proofs/N.tlog-proof` proves
//! that row N is part of the tree of `ledger/checkpoint` (<https://c2sp.org/tlog-proof>), and `ledger/consistency` that the
//! tree of the export before is its beginning (the request of <https://c2sp.org/tlog-witness>).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::SubsecRound;
use keytrail_rotation::ledger::note::{Checkpoint, Verifier};
use keytrail_rotation::ledger::tree::{Hash, Prover};
use keytrail_rotation::ledger::verify::verify;
use keytrail_rules::model::Time;

use super::chain::Previous;
use super::folder::Folder;
use super::{Evidence, Window};
use crate::error::Error;

pub(super) const CHECKPOINT: &str = "ledger/checkpoint";
pub(super) const ROWS: &str = "ledger/rows.jsonl";
pub(super) const CONSISTENCY: &str = "ledger/consistency";

/// What a ledger is called that nobody signed yet.
const UNSIGNED: &str = "keytrail/ledger";

/// The first line of a proof.
pub(super) const PROOF: &str = "c2sp.org/tlog-proof@v1";

/// The file of the proof of a row.
pub(super) fn proof_name(row: u64) -> String {
    format!("ledger/proofs/{row}.tlog-proof")
}

/// The rows up to an instant, checked.
pub(super) struct Proven {
    checkpoint: Checkpoint,
    /// Every row of the ledger.
    texts: Vec<String>,
    /// When each of the rows up to the instant was written.
    times: Vec<Time>,
    prover: Prover,
    /// The numbers of the rows of the window.
    shown: Vec<usize>,
    /// How many of the rows a checkpoint of the ledger's own key proves.
    pub(super) signed: u64,
    /// The lines under a checkpoint that the ledger's own key signed at this size.
    lines: String,
    /// The greater and the smaller of this size and that of the export before.
    consistency: Option<(usize, usize)>,
}

impl Proven {
    /// Checks the ledger: that its rows are chained and signed as they should be, and begin with those that earlier exports
    /// were made of.
    pub(super) fn new(
        evidence: &Evidence<'_>,
        remembered: &[Previous],
        previous: Option<&Previous>,
    ) -> Result<Self, Error> {
        let ledger = &evidence.ledger;
        let refuse = |what: String| {
            Error::usage(format!("nothing is exported: {what}"), "`keytrail scan` says what of it can be believed")
        };
        let (entries, _) = verify(ledger, &evidence.verifiers).map_err(|error| refuse(error.to_string()))?;
        let window = Window { since: evidence.since, until: evidence.snapshot.as_of };
        // The instant of a scan is a whole second, and what was written in it belongs to it.
        let times = entries.iter().map(|entry| entry.row.at.trunc_subsecs(0));
        let times: Vec<Time> = times.take_while(|at| *at <= window.until).collect();
        let size = times.len();
        let texts: Vec<String> = ledger.rows.iter().map(|(text, _)| text.clone()).collect();
        let prover = Prover::new(texts.iter().map(String::as_bytes));
        for earlier in remembered.iter().chain(previous) {
            let state = earlier.state().ok_or_else(|| refuse("an earlier checkpoint cannot be read".to_owned()))?;
            let found = usize::try_from(state.size).ok().and_then(|size| prover.root(size));
            if found != Some(state.root) {
                let day = earlier.until.map_or(String::new(), |until| format!(" of {}", until.format("%Y-%m-%d")));
                let what = match found {
                    Some(_) => format!(
                        "the first {} rows of the ledger are not those that an export{day} was made of: it was rewritten",
                        state.size
                    ),
                    None => format!(
                        "an export{day} was made of {} rows of the ledger, and it has {}: rows are gone",
                        state.size,
                        texts.len()
                    ),
                };
                return Err(refuse(what));
            }
        }
        let signed_at = |at: u64| {
            let note = ledger.checkpoints.get(&at)?;
            let verifier = evidence.verifiers.iter().find(|verifier| verifier.checkpoint(note).is_ok())?;
            Some((verifier.name().to_owned(), note.split_once("\n\n")?.1.to_owned()))
        };
        let signed = ledger.checkpoints.keys().rev().find(|at| **at <= size as u64 && signed_at(**at).is_some());
        let of_size = signed_at(size as u64);
        let origin = of_size.as_ref().map(|(name, _)| name.clone());
        let origin = origin.or_else(|| evidence.verifiers.first().map(|verifier| verifier.name().to_owned()));
        let root = prover.root(size).unwrap_or(Hash::ZERO);
        let shown = (0..size).filter(|row| window.meets(times[*row], times[*row])).collect();
        let consistency = previous.and_then(Previous::state).map(|before| {
            let before = usize::try_from(before.size).unwrap_or(usize::MAX);
            (before.max(size), before.min(size))
        });
        Ok(Self {
            checkpoint: Checkpoint { origin: origin.unwrap_or_else(|| UNSIGNED.to_owned()), size: size as u64, root },
            texts,
            times,
            prover,
            shown,
            signed: signed.copied().unwrap_or_default(),
            lines: of_size.map_or(String::new(), |(_, lines)| lines),
            consistency: consistency.filter(|(_, smaller)| *smaller > 0),
        })
    }

    /// The text of the checkpoint.
    pub(super) fn text(&self) -> String {
        self.checkpoint.text()
    }

    /// The state of the ledger.
    pub(super) fn state(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The state in words.
    pub(super) fn words(&self) -> String {
        format!("{} rows, root {}", self.checkpoint.size, BASE64_STANDARD.encode(self.checkpoint.root.0))
    }

    /// The text of a row, whether it is shown or not.
    pub(super) fn row(&self, number: usize) -> Option<&str> {
        self.texts.get(number).map(String::as_str)
    }

    pub(super) fn rows_in_window(&self) -> usize {
        self.shown.len()
    }

    /// When the first and the last row were written.
    pub(super) fn span(&self) -> Option<(Time, Time)> {
        Some((*self.times.first()?, *self.times.last()?))
    }

    /// The checkpoint with its signatures: that of the ledger's own key where it signed this size, and that of the export.
    pub(super) fn note(&self, cosigner: &Verifier, signature: &[u8; 64]) -> String {
        format!("{}\n{}{}", self.text(), self.lines, cosigner.line(signature))
    }

    /// Writes the rows, the checkpoint and the proofs.
    pub(super) fn write(&self, note: &str, folder: &mut Folder) -> Result<(), Error> {
        folder.write(CHECKPOINT, note.as_bytes())?;
        let rows: String = self.shown.iter().map(|row| format!("{}\n", self.texts[*row])).collect();
        folder.write(ROWS, rows.as_bytes())?;
        let size = self.times.len();
        for row in &self.shown {
            let proof = self.prover.inclusion(*row, size).unwrap_or_default();
            let text = format!("{PROOF}\nindex {row}\n{}\n{note}", hashes(&proof));
            folder.write(&proof_name(*row as u64), text.as_bytes())?;
        }
        if let Some((greater, smaller)) = self.consistency {
            let proof = self.prover.consistency(smaller, greater).unwrap_or_default();
            folder.write(CONSISTENCY, format!("old {smaller}\n{}\n{note}", hashes(&proof)).as_bytes())?;
        }
        Ok(())
    }
}

fn hashes(proof: &[Hash]) -> String {
    proof.iter().map(|hash| BASE64_STANDARD.encode(hash.0) + "\n").collect()
}
