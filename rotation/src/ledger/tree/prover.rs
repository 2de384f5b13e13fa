use super::{Hash, leaf_hash, node_hash};

/// A tree that proves many things: its full subtrees are hashed once, so that a proof takes O(log² n) steps.
#[derive(Clone, Debug)]
pub struct Prover {
    /// The hashes of the full subtrees of 1, 2, 4, … leaves.
    levels: Vec<Vec<Hash>>,
}

impl Prover {
    /// The tree of these leaves.
    pub fn new<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut levels = vec![leaves.into_iter().map(leaf_hash).collect::<Vec<_>>()];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let next = last.chunks_exact(2).map(|pair| node_hash(pair[0], pair[1])).collect();
            levels.push(next);
        }
        Self { levels }
    }

    /// How many leaves there are.
    pub fn size(&self) -> usize {
        self.levels[0].len()
    }

    /// The hash of the tree of the first so many leaves; `None` where there are fewer.
    pub fn root(&self, size: usize) -> Option<Hash> {
        (size <= self.size()).then(|| if size == 0 { super::root(&[]) } else { self.hash(0, size) })
    }

    /// The hash of a subtree of RFC 6962: it begins at a multiple of the least power of two that is not less than its size.
    fn hash(&self, start: usize, size: usize) -> Hash {
        if size.is_power_of_two() {
            return self.levels[size.trailing_zeros() as usize][start / size];
        }
        let left = size.div_ceil(2).next_power_of_two();
        node_hash(self.hash(start, left), self.hash(start + left, size - left))
    }

    /// Proves that a leaf is part of the tree of the first so many: see [`super::prove_inclusion`].
    pub fn inclusion(&self, index: usize, size: usize) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut size, mut proof) = (0, size, Vec::new());
        while size > 1 {
            let left = size.div_ceil(2).next_power_of_two();
            if index < start + left {
                proof.push(self.hash(start + left, size - left));
                size = left;
            } else {
                proof.push(self.hash(start, left));
                (start, size) = (start + left, size - left);
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// Proves that the tree of the first so many leaves begins with that of fewer: see [`super::prove_consistency`].
    pub fn consistency(&self, old: usize, size: usize) -> Option<Vec<Hash>> {
        if old == 0 || old > size || size > self.size() {
            return None;
        }
        let (mut start, mut size, mut proof, mut is_whole) = (0, size, Vec::new(), true);
        while start + size != old {
            let left = size.div_ceil(2).next_power_of_two();
            if old <= start + left {
                proof.push(self.hash(start + left, size - left));
                size = left;
            } else {
                proof.push(self.hash(start, left));
                (start, size, is_whole) = (start + left, size - left, false);
            }
        }
        if !is_whole {
            proof.push(self.hash(start, size));
        }
        proof.reverse();
        Some(proof)
    }
}
