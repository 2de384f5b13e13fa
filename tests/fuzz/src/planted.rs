//! A value that the seeds hold, and that nothing may repeat. The fuzzer moves it about, so that it may come to stand where
//! a name stands, which is repeated rightly: such inputs are told apart here.

use keytrail::yaml::{self, Kind, Node};

/// The value.
pub const MARKER: &str = "plantedvalue7q";

/// The value in base64, as a Secret has it.
const ENCODED: &str = "cGxhbnRlZHZhbHVlN3E=";

/// Whether the value is in the bytes, and only where the format has nothing but values.
pub fn only_in_values(format: &str, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains(MARKER) && !text.contains(ENCODED) {
        return false;
    }
    match format {
        "env-file" => follows(&text, &["=", "=\"", "='"]),
        "env-schema" => {
            follows(&text, &["\nTOKEN=", "\nTOKEN=\"", "\ndefault: ", "\nclassification: ", "\nrequired: "])
        }
        "runbook" => {
            follows(&text, &["\nexport TOKEN="])
                && !text.lines().any(|line| line.contains(MARKER) && line.contains('|'))
        }
        "code" => follows(&text, &["://u:"]),
        "key-file" => true,
        "kubernetes-manifest" | "compose" | "github-workflow" => {
            yaml::parse(&text).documents.iter().all(|document| no_name(document, false))
        }
        "vault-export" => follows(&text, &["\"data\":{\"password\":\""]),
        "config" => follows(&text, &["\ntoken = \"", " token = \"", "{token = \""]),
        "cloudtrail" => follows(&text, &["\"secretString\":\"", "\"masterUserPassword\":\""]),
        "vault-audit" => follows(&text, &["\"password\":\""]),
        "postgres-log" => follows(&text, &["statement: ALTER ROLE app PASSWORD '"]),
        "kubernetes-audit" => follows(&text, &["\"stringData\":{\"token\":\""]),
        "baseline" => follows(&text, &["\"proof\":\""]),
        _ => false,
    }
}

/// Panics where something that leaves holds the value.
pub fn assert_hidden(shown: &str) {
    assert!(!shown.to_lowercase().contains(MARKER), "the value is shown");
}

/// Whether each one in a text has one of those before it.
fn follows(text: &str, before: &[&str]) -> bool {
    text.match_indices(MARKER).all(|(at, _)| before.iter().any(|before| text[..at].ends_with(before)))
}

/// Whether the value is only in scalars of the keys `TOKEN` and `value`, which name nothing. A default of a variable may
/// stand there; any other expression may name something.
fn no_name(node: &Node, is_value: bool) -> bool {
    let is_value_key = |key: &Node| matches!(key.str(), Some("TOKEN" | "value"));
    match &node.kind {
        Kind::Scalar(text, _) => {
            !text.contains(MARKER) || is_value && !text.trim_start_matches("${TOKEN:-").contains('$')
        }
        Kind::Sequence(items) => items.iter().all(|item| no_name(item, is_value)),
        Kind::Mapping(pairs) => {
            pairs.iter().all(|(key, value)| no_name(key, false) && no_name(value, is_value_key(key)))
        }
    }
}
