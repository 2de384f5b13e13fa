use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Literals that share bytes, differ in case only, contain each other.
const LITERALS: &[Literal] = &[
    Literal::exact("AKIA"),
    Literal::exact("glsa_"),
    Literal::exact("-----BEGIN"),
    Literal::exact("ghp_"),
    Literal::exact("GHP_"),
    Literal::any_case("secret"),
    Literal::any_case("secret_key"),
    Literal::any_case("aaaa"),
    Literal::exact("aAaAa"),
    Literal::exact("xoxb-"),
];

fn naive(text: &[u8], range: Range<usize>) -> BTreeSet<(u32, usize)> {
    let mut found = BTreeSet::new();
    for at in range {
        for (literal, index) in LITERALS.iter().zip(0..) {
            let there = text.get(at..at + literal.text.len()).unwrap_or_default();
            let wanted = literal.text.as_bytes();
            if there == wanted || (literal.any_case && there.eq_ignore_ascii_case(wanted)) {
                found.insert((index, at));
            }
        }
    }
    found
}

fn scan(text: &[u8], range: Range<usize>) -> BTreeSet<(u32, usize)> {
    let mut found = BTreeSet::new();
    Prefilter::new(LITERALS.iter()).0.scan(text, range, &mut |literal, at| {
        assert!(found.insert((literal, at)), "each place is reported once");
    });
    found
}

proptest! {
    #[test]
    fn finds_what_a_naive_search_finds(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(LITERALS).prop_map(|literal| literal.text.into_owned().into_bytes()),
                proptest::sample::select(LITERALS).prop_map(|literal| literal.text.to_ascii_uppercase().into_bytes()),
                proptest::collection::vec(any::<u8>(), 0..40),
                "[aA]{0,12}".prop_map(String::into_bytes),
                "[a-z_\\-SE]{0,20}".prop_map(String::into_bytes),
            ],
            0..30),
        ends in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let text = pieces.concat();
        let (a, b) = (ends.0.index(text.len() + 1), ends.1.index(text.len() + 1));
        let range = a.min(b)..a.max(b);
        prop_assert_eq!(scan(&text, range.clone()), naive(&text, range));
    }
}

#[test]
fn a_literal_at_either_end_is_found() {
    assert_eq!(scan(b"AKIA", 0..4), BTreeSet::from([(0, 0)]));
    assert_eq!(scan(b"AKI", 0..3), BTreeSet::new());
    assert_eq!(scan(b"xAKIA", 0..1), BTreeSet::new());
}
