//! The manifest: what an auditor asks of evidence before he believes it. It is the predicate of the statement too.

use keytrail_reporters::sign::PublicKey;
use keytrail_rotation::ledger::note::Verifier;
use keytrail_rules::checks::RULES;
use keytrail_rules::model::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chain::Previous;
use super::population::{Population, populations};
use super::{Evidence, ledger, query};
use crate::error::Error;

/// Version of the manifest.
pub(super) const SCHEMA: &str = "keytrail/evidence/v1";

/// Who made an export. It differs from run to run, and is left out on demand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// When, by the clock of the machine.
    pub at: Time,
    /// By whose account.
    pub user: String,
    /// The name of the machine.
    pub host: String,
    /// What was typed.
    pub arguments: Vec<String>,
}

/// The config, which may tell what is nobody else's business: only its digest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConfigDigest {
    /// The file.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Query {
    pub(super) since: Option<Time>,
    pub(super) until: Time,
    pub(super) facets: Vec<String>,
    pub(super) config: Option<ConfigDigest>,
}

/// The report in its formats.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Formats {
    pub(super) written: Vec<FormatFile>,
    pub(super) skipped: Vec<SkippedFormat>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct FormatFile {
    pub(super) format: String,
    pub(super) file: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct SkippedFormat {
    pub(super) format: String,
    pub(super) why: String,
}

/// How many raw records there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Records {
    pub(super) included: u64,
    pub(super) withheld: u64,
    pub(super) unavailable: u64,
}

/// The state of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct LedgerState {
    pub(super) origin: String,
    pub(super) rows: u64,
    /// SHA-256 of the tree, in hexadecimal digits.
    pub(super) root: String,
    pub(super) rows_in_window: u64,
    pub(super) first: Option<Time>,
    pub(super) last: Option<Time>,
    /// How many rows a checkpoint proves that the ledger's own key signed.
    pub(super) signed_rows: u64,
    /// C2SP verifier keys: that of this export, then those of the ledger.
    pub(super) verifiers: Vec<String>,
}

/// The timestamp.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Timestamped {
    pub(super) authority: String,
}

/// The key that signs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) algorithm: String,
    pub(super) fingerprint: String,
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) schema: String,
    /// The instant that the report is of.
    pub(super) created: Time,
    pub(super) tool: Value,
    pub(super) run: Option<Run>,
    pub(super) key: Key,
    pub(super) query: Query,
    pub(super) formats: Formats,
    /// What each store holds, against the report.
    pub(super) population: Vec<Population>,
    /// Every source that was read, with how much it held.
    pub(super) scope: Value,
    /// Of each trail: its first and last event, what it covers, its holes, its clock.
    pub(super) trails: Value,
    /// What could not be read.
    pub(super) gaps: Value,
    /// What is let pass.
    pub(super) exceptions: Value,
    /// What was searched for leaks, and how many values were found to lie open.
    pub(super) leaks: Value,
    pub(super) summary: Value,
    pub(super) records: Records,
    pub(super) ledger: LedgerState,
    pub(super) previous: Option<Previous>,
    pub(super) timestamp: Option<Timestamped>,
}

impl Manifest {
    pub(super) fn new(
        evidence: &Evidence<'_>,
        key: &PublicKey,
        formats: Formats,
        records: Records,
        ledger: &ledger::Proven,
        cosigner: &Verifier,
        previous: Option<Previous>,
    ) -> Result<Self, Error> {
        let report = evidence.report;
        let value = |part: Result<Value, serde_json::Error>| part.map_err(keytrail_reporters::Error::from);
        let span = ledger.span();
        let verifiers = std::iter::once(cosigner).chain(&evidence.verifiers).map(ToString::to_string);
        Ok(Self {
            schema: SCHEMA.to_owned(),
            created: report.as_of,
            tool: value(serde_json::to_value(&report.tool))?,
            run: evidence.run.clone(),
            key: Key { algorithm: key.algorithm().as_str().to_owned(), fingerprint: key.fingerprint() },
            query: query(evidence),
            formats,
            population: populations(evidence),
            scope: value(serde_json::to_value(&report.scope))?,
            trails: value(serde_json::to_value(&report.trails))?,
            gaps: value(serde_json::to_value(&report.gaps))?,
            exceptions: value(serde_json::to_value(&report.exceptions))?,
            leaks: json!({ "searched": report.searched, "found": report.leaks.len(), "gaps": report.gaps.len() }),
            summary: value(serde_json::to_value(&report.summary))?,
            records,
            ledger: LedgerState {
                origin: ledger.state().origin.clone(),
                rows: ledger.state().size,
                root: ledger.state().root.to_string(),
                rows_in_window: ledger.rows_in_window() as u64,
                first: span.map(|(first, _)| first),
                last: span.map(|(_, last)| last),
                signed_rows: ledger.signed,
                verifiers: verifiers.collect(),
            },
            previous,
            timestamp: evidence.timestamp.map(|url| Timestamped { authority: url.to_owned() }),
        })
    }

    /// The predicate.
    pub(super) fn to_value(&self) -> Result<Value, Error> {
        Ok(serde_json::to_value(self).map_err(keytrail_reporters::Error::from)?)
    }

    /// The file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(keytrail_reporters::Error::from)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// What was judged by: the rules of this version, those that are off, and the digest of the config.
pub(super) fn policy(evidence: &Evidence<'_>) -> Result<Vec<u8>, Error> {
    let off = &evidence.config.policy.disabled_rules;
    let rules: Vec<Value> = RULES
        .iter()
        .map(|rule| {
            let runs = !off.iter().any(|id| id == rule.id);
            json!({ "id": rule.id, "code": rule.code, "severity": rule.severity.as_str(), "runs": runs })
        })
        .collect();
    let policy = json!({ "tool": evidence.report.tool, "config": evidence.config_digest, "rules": rules });
    let mut bytes = serde_json::to_vec_pretty(&policy).map_err(keytrail_reporters::Error::from)?;
    bytes.push(b'\n');
    Ok(bytes)
}
