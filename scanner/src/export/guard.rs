//! Keeps records with values out of an export.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use keytrail_rules::model::Secret;
use keytrail_rules::search::{Hits, Search};
use keytrail_rules::searcher::{Scratch, Searcher};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::folder::hex;
use crate::error::Error;
use crate::leaks::known::Arsenal;

/// Shorter values are words that every log holds.
const SHORTEST: usize = 6;

/// Finds values in records: those of the inventory, and what a detector takes for one.
///
/// It is stricter than a search for leaks, which looks for values that are words or short only beside their names: a
/// record that is left out for nothing is listed with its hash, and one that is shown cannot be taken back.
pub(super) struct Guard<'a> {
    searcher: &'a Searcher,
    scratch: Scratch,
    elusive: AhoCorasick,
}

impl<'a> Guard<'a> {
    pub(super) fn new(arsenal: &'a Arsenal) -> Result<Self, Error> {
        let long = arsenal.elusive.iter().filter(|value| value.expose().trim().len() >= SHORTEST);
        let patterns: Vec<Zeroizing<String>> = long.flat_map(spellings).collect();
        let elusive = AhoCorasick::new(patterns.iter().map(|pattern| pattern.as_bytes()))
            .map_err(|_| Error::usage("there are too many values to keep out of an export", "export parts of it"))?;
        Ok(Self { searcher: &arsenal.searcher, scratch: Scratch::default(), elusive })
    }

    pub(super) fn holds_a_value(&mut self, record: &[u8]) -> bool {
        let mut hits = Hits::default();
        self.searcher.search(record, 0..record.len(), &mut self.scratch, &mut hits);
        !hits.hits.is_empty() || self.elusive.is_match(record)
    }
}

/// How a record may spell a value.
fn spellings(value: &Secret) -> Vec<Zeroizing<String>> {
    let value = value.expose().trim();
    let quoted = serde_json::Value::from(value).to_string();
    let mut all = vec![
        value.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        hex(value.as_bytes()),
        hex(value.as_bytes()).to_uppercase(),
    ];
    // Base64 at the three alignments, without the characters that depend on what stands around.
    for skip in 0..3 {
        let padded = Zeroizing::new(format!("{}{value}", "x".repeat(skip)));
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&*padded), BASE64_URL_SAFE_NO_PAD.encode(&*padded)] {
            let whole = encoded.len() - usize::from(!padded.len().is_multiple_of(3));
            all.push(encoded[if skip == 0 { 0 } else { skip + 1 }..whole].to_owned());
        }
    }
    all.into_iter().map(Zeroizing::new).collect()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn a_value_is_found_in_every_spelling() {
        let value = "two words: \"9\"";
        let patterns = spellings(&Secret::from(value));
        let finds = |text: &str| patterns.iter().any(|pattern| text.contains(pattern.as_str()));
        for text in [
            value.to_owned(),
            serde_json::json!({ "debug": format!("<{value}>") }).to_string(),
            format!("q={}", utf8_percent_encode(value, NON_ALPHANUMERIC)),
            hex(value.as_bytes()),
        ] {
            assert!(finds(&text), "{text}");
        }
        for around in ["", "a", "ab", "abc", "abcd"] {
            let text = BASE64_STANDARD.encode(format!("{around}{value}{around}"));
            assert!(finds(&text), "{text}");
        }
        assert!(!finds("two other words"));
    }
}
