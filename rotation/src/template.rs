//! Values that are made from others: by a template, or by replacing the old values of the sources in the old value.
//!
//! # Template
//! `{KEY}` is the value of a source, `{KEY.part}` another part of its credential. Filters follow, applied from left to
//! right: `|percent` (RFC 3986: all but unreserved characters), `|base64` (RFC 4648 with padding), `|sha256` (in hex),
//! `|json` (a string of JSON, with its quotes). `{{` and `}}` are braces.
//!
//! # Guarantees
//! 1. A replacement never guesses: where more than one result could be meant, it is an error that asks for a template.
//! 2. No error holds a value.

mod replace;

use std::fmt::Write as _;

use base64::Engine;
use keytrail_rules::model::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::credential::{Credential, VALUE};
use crate::failure::Failure;

pub use replace::replace;

/// Everything but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The value that a template makes of its sources.
///
/// # Errors
/// A template that cannot be read; a name, a part or a filter that there is not.
pub fn render(template: &str, sources: &[(&str, &Credential)]) -> Result<Secret, Failure> {
    let mut made = Zeroizing::new(String::with_capacity(4096));
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        made.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            made.push_str(brace);
            rest = after;
        } else if brace == "{" {
            let (field, after) = rest.split_once('}').ok_or_else(|| invalid("a `{` that is not closed"))?;
            made.push_str(&insertion(field, sources)?);
            rest = after;
        } else {
            return Err(invalid("a `}` that was not opened"));
        }
    }
    made.push_str(rest);
    Ok(Secret::from(made.as_str()))
}

/// What stands for `KEY.part|filter|filter`.
fn insertion(field: &str, sources: &[(&str, &Credential)]) -> Result<Zeroizing<String>, Failure> {
    let mut filters = field.split('|').map(str::trim);
    let name = filters.next().unwrap_or_default();
    let source = |name: &str| sources.iter().find(|(key, _)| *key == name).map(|(_, credential)| *credential);
    let (credential, part) = match (source(name), name.rsplit_once('.')) {
        (Some(credential), _) => (credential, VALUE),
        (None, Some((key, part))) if source(key).is_some() => (source(key).unwrap_or(sources[0].1), part),
        (None, _) => return Err(invalid(format!("{{{name}}}, which is not among `derived_from`"))),
    };
    let value = credential.part(part).ok_or_else(|| invalid(format!("{{{name}}}, of which no `{part}` is known")))?;
    let mut value = Zeroizing::new(value.expose().to_owned());
    for filter in filters {
        value = filtered(&value, filter)?;
    }
    Ok(value)
}

fn filtered(value: &str, filter: &str) -> Result<Zeroizing<String>, Failure> {
    Ok(Zeroizing::new(match filter {
        "percent" => percent(value),
        "base64" => base64::engine::general_purpose::STANDARD.encode(value),
        "sha256" => Sha256::digest(value.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
        "json" => serde_json::to_string(value).map_err(|_| invalid("a value that JSON cannot hold"))?,
        _ => return Err(invalid(format!("the filter `{filter}`, which is none of percent, base64, sha256, json"))),
    }))
}

fn percent(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

fn invalid(what: impl std::fmt::Display) -> Failure {
    Failure::not_done(format!("the template has {what}")).hint("correct `template` of the [[secret]]")
}

#[cfg(test)]
mod tests;
