use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The leaves and the roots that implementations of Certificate Transparency test with.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn roots_are_those_of_certificate_transparency() {
    let leaves: Vec<Hash> = LEAVES.iter().map(|leaf| leaf_hash(&hex(leaf))).collect();
    for (size, expected) in ROOTS.iter().enumerate() {
        assert_eq!(root(&leaves[..size]).to_string(), *expected, "{size}");
    }
}

/// The definition of RFC 6962, word for word.
fn defined(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash(Sha256::digest([]).into()),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = split(leaves);
            node_hash(defined(left), defined(right))
        }
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|at| leaf_hash(&at.to_be_bytes())).collect()
}

proptest! {
    #[test]
    fn a_prover_gives_the_same_proofs(count in 0_usize..70, size: prop::sample::Index, at: prop::sample::Index) {
        let texts: Vec<[u8; 8]> = (0..count).map(|at| (at as u64).to_be_bytes()).collect();
        let leaves: Vec<Hash> = texts.iter().map(|text| leaf_hash(text)).collect();
        let prover = Prover::new(texts.iter().map(|text| &text[..]));
        let size = size.index(count + 1);
        let at = at.index(count + 2);
        prop_assert_eq!(prover.root(size), Some(root(&leaves[..size])));
        prop_assert_eq!(prover.root(count + 1), None);
        prop_assert_eq!(prover.inclusion(at, size), prove_inclusion(&leaves[..size], at));
        prop_assert_eq!(prover.consistency(at, size), prove_consistency(&leaves[..size], at));
    }

    #[test]
    fn a_leaf_is_proven_and_another_is_not(size in 1_usize..70, at: prop::sample::Index, other: prop::sample::Index) {
        let leaves = leaves(size);
        let (index, other) = (at.index(size), other.index(size));
        let root = root(&leaves);
        prop_assert_eq!(root, defined(&leaves));
        let proof = prove_inclusion(&leaves, index).unwrap();
        let holds = |leaf: usize, index: usize, size: usize, proof: &[Hash]| {
            verify_inclusion(leaves[leaf], index as u64, size as u64, proof, root)
        };
        prop_assert!(holds(index, index, size, &proof));
        prop_assert_eq!(holds(other, index, size, &proof), other == index);
        prop_assert_eq!(holds(index, other, size, &proof), other == index);
        prop_assert!(!holds(index, size, size, &proof));
        if let Some((_, shorter)) = proof.split_last() {
            prop_assert!(!holds(index, index, size, shorter));
        }
        prop_assert!(!holds(index, index, size, &[&proof[..], &[root]].concat()));
        prop_assert_eq!(prove_inclusion(&leaves, size), None);
    }

    #[test]
    fn a_beginning_is_proven_and_another_is_not(size in 1_usize..70, old: prop::sample::Index, changed: prop::sample::Index) {
        let leaves = leaves(size);
        let old = old.index(size) + 1;
        let (old_root, new_root) = (root(&leaves[..old]), root(&leaves));
        let proof = prove_consistency(&leaves, old).unwrap();
        let holds = |old_root, new_root, proof: &[Hash]| {
            verify_consistency((old as u64, old_root), (size as u64, new_root), proof)
        };
        prop_assert!(holds(old_root, new_root, &proof));
        let mut other = leaves.clone();
        other[changed.index(old)] = Hash::ZERO;
        let of_other = prove_consistency(&other, old).unwrap();
        prop_assert!(!holds(old_root, root(&other), &of_other), "the older leaves were changed");
        prop_assert!(!holds(root(&other[..old]), new_root, &proof));
        prop_assert!(!holds(old_root, new_root, &[&proof[..], &[new_root]].concat()));
        prop_assert_eq!(prove_consistency(&leaves, 0), None);
        prop_assert_eq!(prove_consistency(&leaves, size + 1), None);
    }

    #[test]
    fn a_frontier_goes_on_where_it_was_kept(size in 0_usize..200, more in 0_usize..50) {
        let leaves = leaves(size + more);
        let mut frontier = Frontier::default();
        leaves[..size].iter().for_each(|leaf| frontier.push(*leaf));
        let mut kept = Frontier::of(size as u64, frontier.peaks().to_vec()).unwrap();
        leaves[size..].iter().for_each(|leaf| kept.push(*leaf));
        prop_assert_eq!(kept.root(), defined(&leaves));
        prop_assert_eq!(Frontier::of(size as u64 + 1, frontier.peaks().to_vec()).is_some(), (size + 1).count_ones() == size.count_ones());
    }
}

#[test]
fn a_hash_is_read_as_it_is_written() {
    let text = "0123456789abcdef".repeat(4);
    assert_eq!(text.parse::<Hash>().unwrap().to_string(), text);
    for bad in ["", &text[1..], &text.to_uppercase(), &"g".repeat(64), &"é".repeat(32)] {
        assert_eq!(bad.parse::<Hash>(), Err(NotAHash));
    }
}
