//! The statement in an envelope: in-toto Statement v1, <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The media type of a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What the predicate of an export is.
pub const PREDICATE_TYPE: &str = "https://keytrail.dev/evidence/v1";

/// The type of a statement.
const TYPE: &str = "https://in-toto.io/Statement/v1";

/// What is said of some files.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The files, by name.
    pub subject: Vec<Subject>,
    predicate_type: String,
    /// What is said of them.
    pub predicate: Value,
}

/// A file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its path below the folder, with `/` between its parts.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// A digest by its algorithm.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256, 64 hexadecimal digits in lower case.
    pub sha256: String,
}

impl Statement {
    /// What is said of an export, of which the files are in the order of their names.
    pub fn new(subject: Vec<Subject>, predicate: Value) -> Self {
        Self { kind: TYPE.to_owned(), subject, predicate_type: PREDICATE_TYPE.to_owned(), predicate }
    }

    /// The payload of an envelope.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts and JSON can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a payload whose signature holds.
    ///
    /// # Errors
    /// Why it is no statement of an export.
    pub fn parse(payload: &[u8]) -> Result<Self, &'static str> {
        let statement: Self = serde_json::from_slice(payload).map_err(|_| "it is no in-toto statement of an export")?;
        if statement.kind != TYPE || statement.predicate_type != PREDICATE_TYPE {
            return Err("it is a statement of another kind than that of an export");
        }
        if !statement.subject.is_sorted_by(|one, next| one.name < next.name) {
            return Err("its files are not in the order of their names, each once");
        }
        Ok(statement)
    }
}

/// The list that `sha256sum -c` reads.
pub fn sums<'a>(files: impl IntoIterator<Item = &'a Subject>) -> String {
    files.into_iter().map(|file| format!("{}  {}\n", file.digest.sha256, file.name)).collect()
}
