use super::*;
use crate::detectors::compiled::compile;

#[test]
fn a_text_is_refused_by_its_first_bytes_and_by_its_length() {
    let opening = Opening::new("ghp_[0-9a-f]{4}(-[xy])?");
    assert!(opening.admits(b"ghp_0123", 0));
    assert!(opening.admits(b"????0123-", 4));
    assert!(!opening.admits(b"ghp_012", 0));
    assert!(!opening.admits(b"ghp_012g", 0));
    assert!(!opening.admits(b"ghq_0123", 0));
}

#[test]
fn a_text_without_the_mark_of_every_match_is_refused() {
    let opening = Opening::new("https?://[^@ ]{0,60}@(a|b#)");
    assert!(opening.admits(b"https://x@b#", 8));
    assert!(!opening.admits(b"https://x:y/z", 8));
}

#[test]
fn what_matches_is_admitted() {
    let expressions = [
        "(?i)a[bc]*d",
        "a{2,3}b|c{3}(d|ee)+",
        "(?-u:\\b)x?y{40}z",
        "[^a]{3,}",
        "(ab|a)(c|bcd)(d*)",
        "(?s).a.",
        "a*?b",
        "a[^a]{0,2}(z@|@)+",
    ];
    let alphabet = b"abcd@yz\xff ";
    for expression in expressions {
        let (opening, regex) = (Opening::new(expression), compile(expression).expect("compiles"));
        for number in 0..9_usize.pow(5) {
            let text: Vec<u8> = (0..5).map(|place| alphabet[number / 9_usize.pow(place) % 9]).collect();
            let input = regex_automata::Input::new(&text).anchored(regex_automata::Anchored::Yes);
            assert!(!regex.is_match(input) || opening.admits(&text, 0), "{expression} {text:?}");
        }
    }
}
