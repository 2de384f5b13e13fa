//! Slow inputs: what takes more than linear time is felt only in texts that are longer than the fuzzer makes.

use std::path::Path;

use keytrail::config::Config;

use super::{kind_of, read_file};

/// How long the text gets.
const BYTES: usize = 128 * 1024;

/// Reads a text that is made of the three parts of the input, which `~` parts, each repeated: `AAA…BBB…CCC…`. The first
/// byte tells the kind, as in [`super::file_kinds`]; `z` is the config.
pub fn growth(data: &[u8]) {
    let (first, parts) = data.split_at(data.len().min(1));
    let mut parts = parts.splitn(3, |byte| *byte == b'~');
    let count = BYTES / data.len().max(8);
    let content: Vec<u8> = parts.by_ref().flat_map(|part| part.repeat(count)).collect();
    if first == b"z" {
        let mistakes = Config::parse(&String::from_utf8_lossy(&content), "keytrail.toml", Path::new("/nowhere"));
        drop(mistakes.map_err(|mistakes| mistakes.to_string()));
    } else if let Some((kind, _)) = kind_of(data) {
        drop(read_file(kind, &content));
    }
}
