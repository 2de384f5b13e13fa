//! What programs are told and what they answer: JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use keytrail_rules::text::visible;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::workloads::Values;

/// What of a program's own words is shown, in characters.
const MAX_WORDS: usize = 200;

/// Something as JSON, in memory that is wiped and that does not move while it is written.
///
/// # Errors
/// It cannot be JSON.
pub fn json<T: Serialize>(body: &T) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bad = |_| Failure::not_done("the message cannot be written as JSON");
    let mut length = Length(0);
    serde_json::to_writer(&mut length, body).map_err(bad)?;
    let mut text = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *text, body).map_err(bad)?;
    Ok(text)
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Credentials as an object: by item and part.
pub type Exposed<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>;

/// The values of credentials, to be told on purpose.
pub fn exposed<'a>(values: &'a Values<'a>) -> Exposed<'a> {
    let parts = |(item, credential): (&&'a str, &&'a crate::credential::Credential)| {
        (*item, credential.parts().map(|(part, value)| (part, value.expose())).collect())
    };
    values.iter().map(parts).collect()
}

/// The words of a program that was told `values`, for people: one short line, and none of the values.
pub fn words<'a>(text: &str, values: impl IntoIterator<Item = &'a Values<'a>>) -> String {
    let mut told = values.into_iter().flat_map(|values| values.values()).flat_map(|credential| credential.parts());
    if told.any(|(_, value)| !value.expose().is_empty() && text.contains(value.expose())) {
        return "(not shown: it holds a value)".to_owned();
    }
    let line = text.lines().next().unwrap_or_default();
    visible(line).chars().take(MAX_WORDS).collect()
}
