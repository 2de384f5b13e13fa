//! The trained numbers: statistics of letters, a filter of words and a forest of small trees.

use std::sync::OnceLock;

/// What `rules/training` made.
static WEIGHTS: &[u8] = include_bytes!("weights.bin");

/// What the file begins with: its name and the version of its layout.
const MAGIC: &[u8; 8] = b"KTGENR01";
/// 27 symbols to the third power: the letters and the end of a run.
const TRIGRAMS: usize = 27 * 27 * 27;
/// The filter of words, in bytes.
const WORDS: usize = 1 << 15;
/// A node of a tree: feature, threshold, and how far ahead the node for larger values is. A leaf has feature 255 and
/// its score as threshold.
const NODE: usize = 5;

/// The numbers, borrowed from the file.
pub(super) struct Model {
    trigrams: &'static [u8],
    words: &'static [u8],
    threshold: i32,
    nodes: &'static [u8],
}

/// The model that is compiled in. An unreadable one knows nothing and finds nothing; a test sees to it that it is
/// readable.
pub(super) fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| parse(WEIGHTS).unwrap_or(Model { trigrams: &[], words: &[], threshold: i32::MAX, nodes: &[] }))
}

/// Reads the file: magic, trigrams, words, threshold, nodes.
fn parse(bytes: &'static [u8]) -> Option<Model> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (trigrams, rest) = rest.split_at_checked(TRIGRAMS)?;
    let (words, rest) = rest.split_at_checked(WORDS)?;
    let (threshold, nodes) = rest.split_first_chunk::<4>()?;
    (nodes.len().is_multiple_of(NODE)).then_some(())?;
    Some(Model { trigrams, words, threshold: i32::from_le_bytes(*threshold), nodes })
}

impl Model {
    /// The cost of `third` after `first` and `second`, in sixteenths of a bit. Letters are numbered from 1; 0 is an end.
    pub(super) fn trigram(&self, first: u8, second: u8, third: u8) -> u8 {
        let index = (usize::from(first) * 27 + usize::from(second)) * 27 + usize::from(third);
        self.trigrams.get(index).copied().unwrap_or(0)
    }

    /// Whether the letters, numbered from 1, are a word of the list. One of a few hundred others passes too.
    pub(super) fn is_word(&self, letters: &[u8]) -> bool {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for letter in letters {
            hash = (hash ^ u64::from(*letter)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let hash = hash ^ (hash >> 29);
        (0..4).all(|round| {
            let bit = (hash >> (round * 16)) as usize % (WORDS * 8).min(1 << 16) + (round << 16);
            self.words.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
        })
    }

    /// The score above which a candidate is a secret.
    pub(super) fn threshold(&self) -> i32 {
        self.threshold
    }

    /// The sum of what the trees say, in thousandths of a logit.
    pub(super) fn score(&self, features: &[i16]) -> i32 {
        let mut total = 0;
        let mut at = 0;
        // Trees follow each other; each step goes forward, so it ends.
        while let Some(end) = self.tree_end(at) {
            total += self.leaf(at, features);
            at = end;
        }
        total
    }

    fn node(&self, index: usize) -> Option<(u8, i16, usize)> {
        let bytes = self.nodes.get(index * NODE..index * NODE + NODE)?;
        Some((
            bytes[0],
            i16::from_le_bytes([bytes[1], bytes[2]]),
            usize::from(u16::from_le_bytes([bytes[3], bytes[4]])),
        ))
    }

    /// Where the tree after the one at `root` starts: each root follows a header node that holds the size.
    fn tree_end(&self, root: usize) -> Option<usize> {
        let (_, _, size) = self.node(root)?;
        Some(root + 1 + size.max(1))
    }

    fn leaf(&self, header: usize, features: &[i16]) -> i32 {
        let mut at = header + 1;
        while let Some((feature, threshold, ahead)) = self.node(at) {
            if feature == u8::MAX {
                return i32::from(threshold);
            }
            let value = features.get(usize::from(feature)).copied().unwrap_or(0);
            at += if value <= threshold { 1 } else { ahead.max(1) };
        }
        0
    }
}
