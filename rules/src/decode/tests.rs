use std::ops::Range;

use proptest::prelude::*;

use super::{Scratch, for_each_decoded};
use crate::simd::{BLOCK, Set, masks};

/// What is decoded, with where it comes from.
fn decoded(text: &str) -> Vec<(String, usize, Option<Range<usize>>)> {
    let mut all = Vec::new();
    for_each_decoded(text.as_bytes(), 0..text.len(), &mut Scratch::default(), &mut |decoded| {
        let bytes = decoded.bytes();
        all.push((String::from_utf8_lossy(bytes).into_owned(), decoded.depth(), decoded.origin(0..bytes.len())));
    });
    all
}

#[test]
fn each_encoding_is_undone() {
    for (text, plain) in [
        ("x = \"VGhpcyBpcyBhIHBsYWluIHRleHQ=\"", "This is a plain text"),
        ("data:text/plain;base64,PGE-aGk_PC9hPiBhbmQgbW9yZSB0ZXh0", "<a>hi?</a> and more text"),
        ("5468697320697320612070 5468697320697320612070", ""),
        ("key=54686973206973206120706C61696e2074657874;", "This is a plain text"),
        ("?q=a%26b%3D%63d&r", "?q=a&b=cd&r"),
        (r#"{"a": "sec\u0072et\u003d\"x\/y\""}"#, "secret=\"x/y\""),
        (r#"x = '\x41bc\x44efgh'"#, "x = 'AbcDefgh'"),
        ("<p>&#65;b&#x63;d&amp;efgh</p>", "Abcd&efgh"),
        ("a = \"first\" + \"second\";", "firstsecond"),
        ("a = 'first'\n    . 'second';", "firstsecond"),
        ("[\n  \"first\",\n  \"second\"\n]", "firstsecond"),
        ("A=first\\\n  second", "A=firstsecond"),
        ("\"first\" \\\r\n \"second\"", "firstsecond"),
        ("0123456789012345678901234567\n  abcdefgh\n", "0123456789012345678901234567abcdefgh"),
        ("0123456789012345678901234567\\nabcdefgh\\n", "0123456789012345678901234567abcdefgh"),
        ("0123456789012345678901234567\\r\\nabcdefgh\"", "0123456789012345678901234567abcdefgh"),
    ] {
        let all = decoded(text);
        assert!(plain.is_empty() == all.is_empty(), "{text}: {all:?}");
        assert!(all.is_empty() || all.iter().any(|(found, ..)| found.contains(plain)), "{text}: {all:?}");
    }
}

#[test]
fn ordinary_text_is_not_decoded() {
    for text in [
        "fn decode_the_long_name_of_a_function(argument: &str) -> Result<String, std::io::Error> {",
        "see /usr/lib/x86_64-linux-gnu/perl/5.36.0/auto/List/Util/Util.so",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709  file.txt",
        "printf(\"%d %s 100%\\n\", a, \"b\");",
        "{\n  \"name\": \"value\",\n  \"other\": \"thing\"\n}",
        "C:\\users\\x\\unix",
        "a = \"\"; b = f(\"a\", \"b\");",
    ] {
        assert_eq!(decoded(text), [], "{text}");
    }
}

#[test]
fn what_is_decoded_says_where_it_comes_from() {
    let text = "head VGhpcyBpcyBhIHBsYWluIHRleHQ= tail";
    assert_eq!(decoded(text), [("This is a plain text".to_owned(), 1, Some(5..32))]);
}

#[test]
fn four_encodings_in_one_another_are_one_too_many() {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut text = "a plain text".to_owned();
    for depth in 1..=4 {
        text = hex(&text);
        assert_eq!(decoded(&text).iter().any(|(plain, ..)| plain.contains("a plain text")), depth <= 3);
    }
}

#[test]
fn masks_say_which_bytes_are_of_a_set() {
    let sets = [Set::new(b"abc"), Set::new(b"\0~")];
    let text: Vec<u8> = (0..=255).chain(*b"abcd\0").collect();
    let mut out = [[0; 2]; 5];
    assert_eq!(masks(&text, &sets, &mut out), 5);
    for (at, byte) in text.iter().enumerate() {
        let of = |set: usize| out[at / BLOCK][set] >> (at % BLOCK) & 1 != 0;
        assert_eq!((of(0), of(1)), (b"abc".contains(byte), b"\0~".contains(byte)), "{byte}");
    }
    assert_eq!(out[4], [0b111, 0b10000]);
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(
        prop_oneof![any::<u8>(), proptest::sample::select(b"\"'`+.,\\nurx{}%&#;410Aab \r\n\0".to_vec())], 0..600,
    ), start in 0_usize..600, length in 0_usize..600) {
        let changed = start.min(bytes.len())..(start + length).min(bytes.len());
        for_each_decoded(&bytes, changed, &mut Scratch::default(), &mut |decoded| {
            let origin = decoded.origin(0..decoded.bytes().len());
            assert!((1..=3).contains(&decoded.depth()) && origin.is_none_or(|origin| origin.end <= bytes.len()));
        });
    }
}
