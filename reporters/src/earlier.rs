//! Reads JSON reports that were written before, which may be anything.
//!
//! # Guarantees
//! Only the parts that are asked for are read, so that a report of an older Keytrail with fewer fields will do. What is
//! refused is named by its place, and none of it is repeated.

use keytrail_rules::report::SCHEMA;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::{Error, escape};

/// The part of a report that says which version it is.
#[derive(Deserialize)]
struct Version {
    schema: String,
}

/// What tells SARIF from a report.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether they are there is asked")]
struct Sarif {
    version: IgnoredAny,
    runs: IgnoredAny,
}

/// A part of an earlier JSON report. `what` names the file in errors: `the baseline`.
///
/// # Errors
/// The bytes are not JSON, not a Keytrail report, or a report of a newer version.
pub(crate) fn read<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let refused = |error: &serde_json::Error| refusal(what, bytes, error);
    let version: Version = serde_json::from_slice(bytes).map_err(|error| refused(&error))?;
    if version.schema != SCHEMA {
        let found = escape::clip(&escape::terminal(&version.schema), 60).into_owned();
        return Err(Error::EarlierVersion { what: what.to_owned(), found, known: SCHEMA });
    }
    serde_json::from_slice(bytes).map_err(|error| refused(&error))
}

/// The messages of the parser repeat what they stumble over, which may be anything: only the place is kept.
fn refusal(what: &str, bytes: &[u8], error: &serde_json::Error) -> Error {
    let (what, line, column) = (what.to_owned(), error.line().max(1), error.column().max(1));
    match error.classify() {
        Category::Data if serde_json::from_slice::<Sarif>(bytes).is_ok() => Error::EarlierIsSarif { what },
        Category::Data => Error::EarlierNotReport { what, line, column },
        Category::Io | Category::Syntax | Category::Eof => Error::EarlierNotJson { what, line, column },
    }
}
