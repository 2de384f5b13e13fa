//! Which of a few words are in a text, in one pass.

use aho_corasick::AhoCorasick;

/// Words to look for, ASCII case aside.
pub(super) struct Phrases(Option<AhoCorasick>);

impl Phrases {
    /// At most 128 words.
    pub(super) fn new<'w>(words: impl Iterator<Item = &'w &'static [u8]>) -> Self {
        let kind = Some(aho_corasick::AhoCorasickKind::DFA);
        Self(AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(words).ok())
    }

    /// The words that a text has, a bit each.
    pub(super) fn met(&self, text: &[u8]) -> u128 {
        let matches = self.0.iter().flat_map(|automaton| automaton.find_overlapping_iter(text));
        matches.fold(0, |met, word| met | 1 << word.pattern().as_u32())
    }
}
