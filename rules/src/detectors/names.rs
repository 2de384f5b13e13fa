//! The names that values are assigned to: `DD_API_KEY`, `dd-api-key`, `ddApiKey` are one. Shared with the build script.

use super::about::Literal;

/// Whether a byte only separates the words of a name.
pub(crate) fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// A name in lower case without separators.
pub(crate) fn squeeze(name: &str) -> String {
    name.bytes().filter(|byte| !is_separator(*byte)).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// The spellings by which a name is found: its longest pair of neighbouring words, which is rare enough, with each
/// separator and with the one that it is written with.
pub(crate) fn literals(name: &str) -> Vec<Literal> {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| c.is_ascii() && is_separator(c as u8)).filter(|word| !word.is_empty()).collect();
    let pair = words.windows(2).max_by_key(|pair| pair[0].len() + pair[1].len());
    let mut spellings: Vec<String> = match (pair, words.as_slice()) {
        (Some([first, second]), _) => {
            ["", "_", "-", ".", "__"].iter().map(|separator| format!("{first}{separator}{second}")).collect()
        }
        (_, [only]) => vec![(*only).to_owned()],
        _ => Vec::new(),
    };
    // Two underscores are rare: only where the name has them.
    spellings.retain(|spelling| !spelling.contains("__") || lower.contains(spelling.as_str()));
    spellings.into_iter().map(|text| Literal::new(text, true)).collect()
}
