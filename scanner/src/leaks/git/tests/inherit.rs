//! Searching what changed gives what searching the whole gives.

use keytrail_rules::search::{Found, Hits};
use proptest::prelude::*;

use super::super::delta::{self, Piece};
use super::super::inherit;
use super::super::objects::Unread;
use super::super::walk::Edit;
use super::toy::Toy;

/// Parts of texts, so made that hits come together and fall apart where they meet.
fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"tok_abcdefgh".to_vec()),
        Just(b"tok_ab".to_vec()),
        Just(b"cdefgh".to_vec()),
        Just(b"key ".to_vec()),
        Just(b"SECRETVAL".to_vec()),
        Just(b"SECR".to_vec()),
        Just(b"ETVAL".to_vec()),
        Just(b"PEM{".to_vec()),
        Just(b"}".to_vec()),
        Just(b"hunter2".to_vec()),
        Just(b"\n".to_vec()),
        Just(b" ".to_vec()),
        Just(b"x".to_vec()),
        Just(vec![b'.'; 40]),
        Just(vec![b'-'; 200]),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(part(), 0..20).prop_map(|parts| parts.concat())
}

/// What a delta does.
#[derive(Clone, Debug)]
enum Step {
    Copy(prop::sample::Index, prop::sample::Index),
    Insert(Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let copy = (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(a, b)| Step::Copy(a, b));
    let step = prop_oneof![copy, part().prop_map(Step::Insert)];
    proptest::collection::vec(step, 0..8)
}

fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A delta as git writes them.
fn encode(base: &[u8], steps: &[Step]) -> (Vec<u8>, Vec<u8>) {
    let (mut text, mut code) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Copy(a, b) => {
                let (a, b) = (a.index(base.len() + 1), b.index(base.len() + 1));
                let (from, len) = (a.min(b), a.abs_diff(b));
                if len > 0 {
                    text.extend_from_slice(&base[from..from + len]);
                    code.extend([0xb3, from as u8, (from >> 8) as u8, len as u8, (len >> 8) as u8]);
                }
            }
            Step::Insert(bytes) => {
                text.extend_from_slice(bytes);
                bytes.chunks(127).for_each(|chunk| {
                    code.push(chunk.len() as u8);
                    code.extend_from_slice(chunk);
                });
            }
        }
    }
    let delta = [number(base.len()), number(text.len()), code].concat();
    (text, delta)
}

/// Everything about hits, to compare.
fn facts(found: &Hits) -> Vec<(Found, usize, usize, usize, usize)> {
    let mut hits: Vec<_> = found
        .hits
        .iter()
        .map(|hit| (hit.found, hit.value.start, hit.value.end, hit.depends.start, hit.depends.end))
        .collect();
    hits.sort_unstable();
    hits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_edited_text_has_the_hits_of_a_whole_search(base in text(), first in steps(), second in steps()) {
        let mut held = inherit::whole(&Toy, &base, &mut ());
        let mut base = base;
        // Two deltas: what was inherited is inherited again.
        for steps in [first, second] {
            let (expected, delta) = encode(&base, &steps);
            let (mut text, mut pieces) = (Vec::new(), Vec::new());
            delta::apply(&base, &delta, 1 << 20, &mut text, &mut pieces).expect("a delta");
            prop_assert_eq!(&text, &expected);
            let edit = Edit { base_len: base.len(), text: &text, pieces: &pieces };
            let found = inherit::edited(&Toy, &edit, &held, &mut (), &mut 0);
            let whole = inherit::whole(&Toy, &text, &mut ());
            prop_assert_eq!(facts(&found), facts(&whole));
            prop_assert_eq!(&found.long, &whole.long);
            (base, held) = (text, found);
        }
    }

    #[test]
    fn a_delta_of_any_bytes_is_an_error_or_a_text_of_its_size(base in text(), delta in any::<Vec<u8>>()) {
        let (mut text, mut pieces) = (Vec::new(), Vec::new());
        if delta::apply(&base, &delta, 1 << 16, &mut text, &mut pieces).is_ok() {
            let (_, size, _) = delta::sizes(&delta).expect("sizes");
            prop_assert_eq!(text.len() as u64, size);
            for Piece { from, to, len } in pieces {
                prop_assert_eq!(&base[from..from + len], &text[to..to + len]);
            }
        }
        prop_assert!(text.len() <= 1 << 16);
    }
}

#[test]
fn a_delta_that_does_not_fit_is_corrupt() {
    let apply = |base: &[u8], delta: &[u8]| delta::apply(base, delta, 1 << 20, &mut Vec::new(), &mut Vec::new());
    // Of another base, past its end, shorter and longer than it says, and with the reserved operation.
    assert_eq!(apply(b"abcd", &[3, 1, 1, b'x']), Err(Unread::Corrupt));
    assert_eq!(apply(b"abcd", &[4, 4, 0x91, 2, 4]), Err(Unread::Corrupt));
    assert_eq!(apply(b"abcd", &[4, 2, 1, b'x']), Err(Unread::Corrupt));
    assert_eq!(apply(b"abcd", &[4, 1, 2, b'x', b'y']), Err(Unread::Corrupt));
    assert_eq!(apply(b"abcd", &[4, 1, 0]), Err(Unread::Corrupt));
    assert_eq!(apply(b"abcd", &[4, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x80]), Err(Unread::TooLarge));
    assert_eq!(apply(b"abcd", &[4, 4, 0x90, 4]), Ok(()));
}
