//! Signed evidence: a folder that an auditor verifies without Keytrail.
//!
//! It holds every report format, the raw records behind what the report says, the rows of the ledger with proofs, and a
//! manifest. [`write`](write()) makes one and [`verify`] reads it again.
//!
//! # Guarantees
//! * The folder is not there, or is whole: it is made under another name, and never overwrites anything.
//! * Every file is named with its digest in a statement that is signed (DSSE, in-toto, Ed25519), and in a list that SSH signs.
//! * A record of a trail that holds the value of a secret, or what a detector takes for one, is left out and listed with
//!   its hash. Values that Keytrail did not read (`read_values`) are found by detectors only.
//! * With one instant, `--no-identity` and no timestamp, equal inputs give equal bytes; otherwise `run` of the manifest
//!   differs, and with it what is signed.
//!
//! # Assumptions
//! Who holds both keys, that of the ledger and that of exports, can write all of it anew. What was published before shows it.

mod chain;
mod folder;
mod guard;
mod instructions;
mod ledger;
mod manifest;
mod population;
mod raw;
mod timestamp;
pub mod verify;

use std::path::Path;

use keytrail_reporters::sign::statement::{PAYLOAD_TYPE, Statement, sums};
use keytrail_reporters::sign::{TrustedKey, allowed_signer, dsse, sshsig};
use keytrail_reporters::{FORMATS, Format, Options, Signed};
use keytrail_rotation::ledger::note::Verifier;
use keytrail_rotation::ledger::verify::Ledger;
use keytrail_rules::correlate::EventReport;
use keytrail_rules::model::{Snapshot, Time};
use keytrail_rules::report::Report;

use crate::config::Config;
use crate::error::Error;
use crate::leaks::known::Arsenal;
use crate::signing::{NAMESPACE, PRINCIPAL, SigningKey, cosigner};
use folder::Folder;
pub use manifest::{ConfigDigest, Run};
use manifest::{Formats, Manifest, Query};

/// The signed envelope.
const ENVELOPE: &str = "evidence.dsse.json";
/// The SSH signature of [`SUMS`].
const SSH_SIGNATURE: &str = "evidence.sshsig";
/// The answer of the timestamp authority, of [`ENVELOPE`].
const TIMESTAMP: &str = "evidence.tsr";
/// The SSH signature of [`TIMESTAMP`].
const TIMESTAMP_SIGNATURE: &str = "evidence.tsr.sshsig";
/// The list that `sha256sum -c` reads: every file but itself and those above.
const SUMS: &str = "SHA256SUMS";
const MANIFEST: &str = "manifest.json";
const INSTRUCTIONS: &str = "VERIFY.md";
const KEY: &str = "keys/export.pem";
const ALLOWED_SIGNERS: &str = "keys/allowed_signers";
const VERIFIERS: &str = "keys/verifier_keys";
const POLICY: &str = "policy/rules.json";

/// What an export is made of.
pub struct Evidence<'a> {
    /// The scanned folder.
    pub root: &'a Path,
    /// Its config.
    pub config: &'a Config,
    /// The digest of the config, where it is a file.
    pub config_digest: Option<ConfigDigest>,
    /// What the sources say.
    pub snapshot: &'a Snapshot,
    /// What was made of it.
    pub report: &'a Report,
    /// How formats are rendered.
    pub options: Options,
    /// The first instant of what is shown; none for all that there is.
    pub since: Option<Time>,
    /// The ledger.
    pub ledger: Ledger,
    /// What checks the checkpoints of the ledger.
    pub verifiers: Vec<Verifier>,
    /// What finds values in raw records.
    pub arsenal: Option<&'a Arsenal>,
    /// Who made it; none where that is not to be told.
    pub run: Option<Run>,
    /// The URL of a timestamp authority.
    pub timestamp: Option<&'a str>,
    /// The export before, or its checkpoint, where it is not the one that the state remembers.
    pub previous: Option<&'a Path>,
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// How many files.
    pub files: usize,
    /// Raw records: shown, left out since they hold a value, and gone.
    pub records: (usize, usize, usize),
    /// Rows of the ledger in the window.
    pub rows: usize,
    /// Formats that were not written, and why.
    pub skipped: Vec<(String, String)>,
    /// Why the next export will not know of this one, where it will not.
    pub unchained: Option<String>,
}

/// Refuses what keeps an export from being written, before anything is read for it.
///
/// # Errors
/// The folder is there; the authority is none.
pub fn check(out: &Path, timestamp: Option<&str>) -> Result<(), Error> {
    folder::refuse_existing(out)?;
    timestamp.map(timestamp::authority).transpose().map(drop)
}

/// Writes an export to a folder that is not there.
///
/// # Errors
/// The folder is there or cannot be written; a ledger that was rewritten; a key or an authority that does not sign.
pub async fn write(evidence: Evidence<'_>, key: &SigningKey, out: &Path) -> Result<Written, Error> {
    folder::refuse_existing(out)?;
    let until = evidence.snapshot.as_of;
    let previous = chain::previous(&evidence, key.public())?;
    let cosigner = cosigner(key.public())?;
    let ledger = ledger::Proven::new(&evidence, &chain::remembered(evidence.root)?, previous.as_ref())?;
    let note = ledger.note(&cosigner, &key.sign(ledger.text().as_bytes()).await?);

    let mut folder = Folder::new(out)?;
    ledger.write(&note, &mut folder)?;
    let window = Window { since: evidence.since, until };
    let records = raw::write(&evidence, window, &ledger, &mut folder)?;
    write_keys(&evidence, key, &cosigner, &mut folder)?;
    folder.write(POLICY, &manifest::policy(&evidence)?)?;
    let formats = write_reports(&evidence, key, &ledger, out, &mut folder)?;
    let written = Written {
        files: 0,
        records: (records.included as usize, records.withheld as usize, records.unavailable as usize),
        rows: ledger.rows_in_window(),
        skipped: formats.skipped.iter().map(|one| (one.format.clone(), one.why.clone())).collect(),
        unchained: None,
    };
    let manifest = Manifest::new(&evidence, key.public(), formats, records, &ledger, &cosigner, previous)?;
    folder.write(MANIFEST, &manifest.to_bytes()?)?;
    folder.write(INSTRUCTIONS, instructions::text(&manifest).as_bytes())?;

    let sums = sums(&folder.subjects());
    folder.write(SUMS, sums.as_bytes())?;
    let statement = Statement::new(folder.subjects(), manifest.to_value()?);
    let payload = statement.to_bytes();
    let signature = key.sign(&dsse::pae(PAYLOAD_TYPE, &payload)).await?;
    let envelope = dsse::Envelope::new(payload, PAYLOAD_TYPE, key.public(), signature).to_bytes();
    folder.write(SSH_SIGNATURE, ssh_signature(key, sums.as_bytes()).await?.as_bytes())?;
    if let Some(url) = evidence.timestamp {
        let answer = timestamp::ask(url, &envelope).await?;
        folder.write(TIMESTAMP_SIGNATURE, ssh_signature(key, &answer).await?.as_bytes())?;
        folder.write(TIMESTAMP, &answer)?;
    }
    folder.write(ENVELOPE, &envelope)?;
    let files = folder.finish()?;
    let unchained = chain::remember(evidence.root, until, &envelope, &note).err().map(|error| error.to_string());
    Ok(Written { files, unchained, ..written })
}

/// The time that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Window {
    since: Option<Time>,
    until: Time,
}

impl Window {
    fn meets(self, first: Time, last: Time) -> bool {
        first <= self.until && self.since.is_none_or(|since| last >= since)
    }
}

async fn ssh_signature(key: &SigningKey, message: &[u8]) -> Result<String, Error> {
    let signature = key.sign(&sshsig::to_sign(NAMESPACE, message)).await?;
    Ok(sshsig::write(key.public(), NAMESPACE, &signature))
}

fn write_keys(
    evidence: &Evidence<'_>,
    key: &SigningKey,
    cosigner: &Verifier,
    folder: &mut Folder,
) -> Result<(), Error> {
    folder.write(KEY, key.public().to_pem().as_bytes())?;
    let trusted = TrustedKey::always(key.public().clone());
    folder.write(ALLOWED_SIGNERS, allowed_signer(PRINCIPAL, NAMESPACE, &trusted).as_bytes())?;
    let verifiers: Vec<String> =
        std::iter::once(cosigner).chain(&evidence.verifiers).map(|verifier| format!("{verifier}\n")).collect();
    folder.write(VERIFIERS, verifiers.concat().as_bytes())
}

/// The file of a format.
fn report_name(format: &Format) -> String {
    match format.name == format.extension {
        true => format!("reports/report.{}", format.extension),
        false => format!("reports/report.{}.{}", format.name, format.extension),
    }
}

fn write_reports(
    evidence: &Evidence<'_>,
    key: &SigningKey,
    ledger: &ledger::Proven,
    out: &Path,
    folder: &mut Folder,
) -> Result<Formats, Error> {
    // Where it is put, the next run may put another: only the last part of the name is told.
    let name = out.file_name().map_or_else(|| "evidence".to_owned(), |name| name.to_string_lossy().into_owned());
    let signed = Signed {
        key: key.public().fingerprint(),
        checkpoint: Some(ledger.words()),
        verify: format!("keytrail verify {name} --key KEY"),
    };
    let options = Options { signed: Some(signed), color: false, width: None, ..evidence.options.clone() };
    let mut formats = Formats::default();
    for format in FORMATS.iter().copied() {
        match (format.render)(evidence.report, &options) {
            Ok(bytes) => {
                let name = report_name(format);
                folder.write(&name, &bytes)?;
                formats.written.push(manifest::FormatFile { format: format.name.to_owned(), file: name });
            }
            // The one that the others are checked against.
            Err(error) if format.name == verify::REPORT => return Err(error.into()),
            Err(error) => {
                let why = error.to_string();
                formats.skipped.push(manifest::SkippedFormat { format: format.name.to_owned(), why });
            }
        }
    }
    Ok(formats)
}

/// Everything that the trails say of what happened, with the records that say so.
fn events<'a>(report: &'a Report, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a EventReport> {
    let notices = snapshot.facts.correlation.iter().flat_map(|correlation| &correlation.notices);
    report.rotations.iter().flat_map(|rotation| &rotation.events).chain(notices)
}

/// What a person asked for, in the manifest.
fn query(evidence: &Evidence<'_>) -> Query {
    Query {
        since: evidence.since,
        until: evidence.snapshot.as_of,
        facets: keytrail_rules::checks::Facet::ALL.iter().map(|facet| facet.as_str().to_owned()).collect(),
        config: evidence.config_digest.clone(),
    }
}
