//! The trained numbers: statistics of letters, a filter of words and a forest of small trees.

use std::sync::OnceLock;

use super::features::COUNT;

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
/// The feature of a leaf.
const LEAF: u8 = 255;

/// The numbers, borrowed from the file.
pub(super) struct Model {
    trigrams: &'static [u8],
    words: &'static [u8],
    threshold: i32,
    nodes: Vec<Node>,
    /// Those that differ most first, so that the sum is soon known well enough.
    trees: Vec<Tree>,
}

/// One of a tree: a leaf where `feature` is 255.
struct Node {
    feature: u8,
    threshold: i16,
    ahead: u16,
}

/// One tree of the forest.
struct Tree {
    root: usize,
    /// The least and the most that its leaves say.
    says: (i32, i32),
    /// The least and the most that it and the trees after it may add.
    rest: (i32, i32),
}

/// The model that is compiled in. An unreadable one knows nothing and finds nothing; a test sees to it that it is
/// readable.
pub(super) fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| parse(WEIGHTS).unwrap_or_else(Model::ignorant))
}

/// Reads the file: magic, trigrams, words, threshold, nodes.
fn parse(bytes: &'static [u8]) -> Option<Model> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (trigrams, rest) = rest.split_at_checked(TRIGRAMS)?;
    let (words, rest) = rest.split_at_checked(WORDS)?;
    let (threshold, nodes) = rest.split_first_chunk::<4>()?;
    (nodes.len().is_multiple_of(NODE)).then_some(())?;
    let (nodes, _) = nodes.as_chunks::<NODE>();
    let nodes: Vec<Node> = nodes.iter().map(|node| Node::read(*node)).collect();
    let trees = trees(&nodes);
    Some(Model { trigrams, words, threshold: i32::from_le_bytes(*threshold), nodes, trees })
}

/// The trees follow each other, each after a header node that holds its size.
fn trees(nodes: &[Node]) -> Vec<Tree> {
    let mut trees = Vec::new();
    let mut header = 0;
    while let Some(node) = nodes.get(header) {
        let end = header + 1 + usize::from(node.ahead.max(1));
        let inner = nodes.get(header + 1..end).unwrap_or_default();
        let leaves = || inner.iter().filter(|node| node.feature == LEAF).map(|node| i32::from(node.threshold));
        let says = (leaves().min().unwrap_or(0).min(0), leaves().max().unwrap_or(0).max(0));
        trees.push(Tree { root: header + 1, says, rest: says });
        header = end;
    }
    trees.sort_by_key(|tree| tree.says.0 - tree.says.1);
    let mut rest = (0, 0);
    for tree in trees.iter_mut().rev() {
        rest = (rest.0 + tree.says.0, rest.1 + tree.says.1);
        tree.rest = rest;
    }
    trees
}

impl Node {
    fn read([feature, low, high, near, far]: [u8; NODE]) -> Self {
        let (threshold, ahead) = (i16::from_le_bytes([low, high]), u16::from_le_bytes([near, far]));
        Self { feature, threshold, ahead: ahead.max(1) }
    }
}

impl Model {
    fn ignorant() -> Self {
        Self { trigrams: &[], words: &[], threshold: i32::MAX, nodes: Vec::new(), trees: Vec::new() }
    }

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
    pub(super) fn score(&self, features: &[i16; COUNT]) -> i32 {
        self.trees.iter().map(|tree| self.leaf(tree.root, features)).sum()
    }

    /// Whether the score is at least the threshold; stops as soon as that is certain.
    pub(super) fn accepts(&self, features: &[i16; COUNT]) -> bool {
        let mut total = 0;
        for tree in &self.trees {
            if total + tree.rest.1 < self.threshold {
                return false;
            }
            if total + tree.rest.0 >= self.threshold {
                return true;
            }
            total += self.leaf(tree.root, features);
        }
        total >= self.threshold
    }

    /// What the tree at `root` says. Each step goes forward, so it ends.
    fn leaf(&self, root: usize, features: &[i16; COUNT]) -> i32 {
        let mut at = root;
        while let Some(node) = self.nodes.get(at) {
            if node.feature == LEAF {
                return i32::from(node.threshold);
            }
            let value = features.get(usize::from(node.feature)).copied().unwrap_or(0);
            at += if value <= node.threshold { 1 } else { usize::from(node.ahead) };
        }
        0
    }
}
