//! What a search for secrets in bytes is, whatever the bytes come from: a blob of a git history, a log, an archive.
//!
//! A search is local: whether something is a hit depends on the bytes around it alone. So a text that was made from
//! another by a few edits needs to be searched only where it changed, and gives the hits that a search of the whole
//! would give.

use std::ops::Range;

use crate::model::Secret;

/// What was found: an index into the detectors, or into the known values, of the [`Search`] that found it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Found {
    /// A text of the shape that a detector describes.
    Detector(u32),
    /// A value of the inventory, in some spelling.
    Known(u32),
}

/// One secret in a text. Offsets are bytes from the start of the text.
#[derive(Debug)]
pub struct Hit {
    /// What it is.
    pub found: Found,
    /// The secret, as it is spelt in the text.
    pub value: Range<usize>,
    /// The bytes on which it depends that this is a hit: `value` lies within.
    pub depends: Range<usize>,
    /// The secret where the text spells it in an encoding (base64, escapes, pieces); `None` where `value` is the secret.
    pub decoded: Option<Secret>,
}

/// A place where something long starts (a private key, a web token), whose end may lie far away. There are few of
/// them; each is looked at again whenever bytes that it depends on change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LongAnchor {
    /// Where its literal starts.
    pub at: usize,
    /// The detector whose literal it is.
    pub detector: u32,
    /// The bytes on which its verdict depends.
    pub depends: Range<usize>,
}

/// What a search found in a text, in no order.
#[derive(Debug, Default)]
pub struct Hits {
    /// The hits, those of the long anchors among them.
    pub hits: Vec<Hit>,
    /// Every long anchor that was met, whether it is a hit or not.
    pub long: Vec<LongAnchor>,
}

/// Something that can be searched for.
///
/// # Guarantees of an implementation
/// * `search(text, 0..text.len())` is the definition of what is found.
/// * A hit depends on nothing outside its `depends`, but for the ends of the text, which count as bytes.
/// * `search(text, changed)` reports at least every hit and every long anchor whose `depends` meets `changed`, except
///   what belongs to a long anchor that starts more than [`Search::margin`] before `changed`. It may report more; it
///   never reports what a search of the whole would not.
/// * Time is linear in `changed`, with a margin around it, not in the text.
pub trait Search: Sync {
    /// Buffers that a thread keeps between calls.
    type Scratch: Default + Send;

    /// Changed ranges nearer to each other than this are better searched as one. In bytes.
    fn margin(&self) -> usize;

    /// No hit depends on bytes farther than this from its first byte. A stream keeps so much of what it read. In bytes.
    fn reach(&self) -> usize;

    /// Adds what is found in and around `changed`.
    fn search(&self, text: &[u8], changed: Range<usize>, scratch: &mut Self::Scratch, out: &mut Hits);

    /// Looks again at what starts at `anchor.at`; adds the hit where it is one, and the anchor with what it depends on now.
    fn recheck(&self, text: &[u8], anchor: &LongAnchor, scratch: &mut Self::Scratch, out: &mut Hits);

    /// Brings the hits of one whole text into order and leaves one for each place: of hits that overlap, a known value
    /// wins over a detector, a specific detector over a general one, the longer over the shorter. Depends on nothing
    /// but the hits themselves, not on their order; equal hits become one.
    fn settle(&self, hits: &mut Vec<Hit>);
}
