use keytrail_rules::search::{Found, Hits, Search};
use proptest::prelude::*;

use super::derived::exposed;
use super::{Buffers, prefer_decoded, search_decoded};
use crate::leaks::toy::{BLOCK, Toy, WORD};

/// The hits in a text: detector, how the text spells the value, the value.
fn hits(text: &[u8]) -> Vec<(u32, String, String)> {
    let mut found = Hits::default();
    Toy.search(text, 0..text.len(), &mut (), &mut found);
    search_decoded(&Toy, text, 0, &mut (), &mut Buffers::default(), &mut found.hits);
    prefer_decoded(&mut found.hits, text, 0);
    Toy.settle(&mut found.hits);
    let told = found.hits.iter().map(|hit| {
        let Found::Detector(detector) = hit.found else { panic!("a detector") };
        let spelt = String::from_utf8_lossy(&text[hit.value.clone()]).into_owned();
        assert!(hit.depends.start <= hit.value.start && hit.value.end <= hit.depends.end);
        let value = exposed(hit).map_or(spelt.clone(), str::to_owned);
        (detector, spelt, value)
    });
    told.collect()
}

fn one(text: &str, detector: u32, spelt: &str, value: &str) {
    assert_eq!(hits(text.as_bytes()), [(detector, spelt.to_owned(), value.to_owned())], "{text}");
}

#[test]
fn an_escaped_value_is_found_where_it_is_spelt() {
    one(r#"{"a": "k=ab\u0026cd"}"#, WORD, r"ab\u0026cd", "ab&cd");
    one(r#"{"a": "k\u003dabcd"}"#, WORD, "abcd", "abcd");
    one(r#"{"a": "\u006b=abcd"}"#, WORD, "abcd", "abcd");
    one(r#"{"a": "<say \"x\">"}"#, BLOCK, r#"<say \"x\">"#, r#"<say "x">"#);
    one(r"first line \n<a\/b\\c>", BLOCK, r"<a\/b\\c>", r"<a/b\c>");
    one("<a\u{1b}[1mb\u{1b}[0mc>", BLOCK, "<a\u{1b}[1mb\u{1b}[0mc>", "<abc>");
    one(r"k=ab\u001b[31mcd", WORD, r"ab\u001b[31mcd", "abcd");
}

#[test]
fn strings_within_strings_are_decoded() {
    one(r#"{"log":"{\"msg\":\"k=ab\\u0026cd\"}\n"}"#, WORD, r"ab\\u0026cd", "ab&cd");
    one(r#""\"\\\"k=ab\\\\u0026cd\\\"\"""#, WORD, r"ab\\\\u0026cd", "ab&cd");
}

#[test]
fn the_end_of_a_container_log_line_is_no_part_of_a_value() {
    one(r#"{"log":"k=abcd\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"#, WORD, "abcd", "abcd");
}

#[test]
fn a_line_without_escapes_is_not_searched_again() {
    struct Counting(std::sync::atomic::AtomicUsize);
    impl Search for Counting {
        type Scratch = ();
        fn margin(&self) -> usize {
            16
        }
        fn reach(&self) -> usize {
            64
        }
        fn search(&self, _: &[u8], changed: std::ops::Range<usize>, (): &mut (), _: &mut Hits) {
            self.0.fetch_add(changed.len(), std::sync::atomic::Ordering::Relaxed);
        }
        fn recheck(&self, _: &[u8], _: &keytrail_rules::search::LongAnchor, (): &mut (), _: &mut Hits) {}
        fn settle(&self, _: &mut Vec<keytrail_rules::search::Hit>) {}
    }
    let searched = |text: &str| {
        let counting = Counting(0.into());
        search_decoded(&counting, text.as_bytes(), 0, &mut (), &mut Buffers::default(), &mut Vec::new());
        counting.0.into_inner()
    };
    assert_eq!(searched(&"{\"a\":\"b\",\"c\":[1,2,3]}\n".repeat(1000)), 0);
    assert_eq!(searched(&"{\"log\":\"nothing to see\\n\",\"stream\":\"stdout\"}\n".repeat(1000)), 0);
    let one = format!("{}\\u0041{}", "x".repeat(1000), "y".repeat(1000));
    assert!((1..=8).contains(&searched(&one)), "{}", searched(&one));
}

#[test]
fn a_field_of_the_journal_may_be_an_array_of_bytes() {
    let bytes = |text: &str| text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
    let line = format!(r#"{{"_PID":"7","MESSAGE":[{}],"k":[1,2,3]}}"#, bytes("so k=abc\u{7f} and on"));
    one(&line, WORD, &bytes("abc"), "abc");
    let spaced = line.replace(',', ", ");
    one(&spaced, WORD, &bytes("abc").replace(',', ", "), "abc");
    assert_eq!(hits(br#"{"a":[107,61,97,98,99,256,32,32,32,32]}"#), []);
    assert_eq!(hits(br#"{"a":[107,61,97]}"#), []);
    one(r#"{"a":[1,2,3,4,5,6,107,61,97"#, WORD, "97", "a");
}

#[test]
fn the_export_format_of_the_journal_is_searched_as_it_is() {
    let mut text = b"__CURSOR=s=1\nMESSAGE\n".to_vec();
    let message = "two lines\nk=abc";
    text.extend((message.len() as u64).to_le_bytes());
    text.extend(message.as_bytes());
    text.extend(b"\nPRIORITY=6\n\n");
    assert_eq!(hits(&text), [(WORD, "abc".into(), "abc".into())]);
}

/// A search for the whole of a key in PEM, whose lines are nothing but base64.
struct Pem;

impl Search for Pem {
    type Scratch = ();
    fn margin(&self) -> usize {
        64
    }
    fn reach(&self) -> usize {
        4096
    }
    fn search(&self, text: &[u8], _: std::ops::Range<usize>, (): &mut (), out: &mut Hits) {
        let (begin, end) = (b"-----BEGIN TEST KEY-----\n", b"\n-----END TEST KEY-----");
        for at in memchr::memmem::find_iter(text, begin) {
            let body = at + begin.len();
            let Some(length) = memchr::memmem::find(&text[body..], end) else { continue };
            let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\n".contains(byte);
            if text[body..body + length].iter().all(is_body) {
                let value = at..body + length + end.len();
                let hit = keytrail_rules::search::Hit {
                    found: Found::Detector(0),
                    depends: value.clone(),
                    value,
                    decoded: None,
                };
                out.hits.push(hit);
            }
        }
    }
    fn recheck(&self, _: &[u8], _: &keytrail_rules::search::LongAnchor, (): &mut (), _: &mut Hits) {}
    fn settle(&self, _: &mut Vec<keytrail_rules::search::Hit>) {}
}

#[test]
fn a_key_is_put_together_from_the_lines_of_a_log() {
    let key = ["-----BEGIN TEST KEY-----", "MIIabc+/12", "defGHI==", "-----END TEST KEY-----"];
    let each = |line: &dyn Fn(usize, &str) -> String| -> String {
        key.iter().enumerate().map(|(at, part)| line(at, part) + "\n").collect()
    };
    let texts = [
        each(&|at, part| format!("2026-01-02T03:04:05.000000{at}Z {part}")),
        each(&|at, part| format!("2026-01-02T03:04:05.00000000{at}Z stdout F {part}")),
        each(&|_, part| format!("web-1  | {part}")),
        each(&|_, part| format!("    {part}")),
        each(&|at, part| format!(r#"{{"log":"{part}\n","stream":"stdout","time":"2026-01-0{at}T00:00:00Z"}}"#)),
        format!("{{\"key\":\"{}\"}}", key.join("\\n")),
        format!("{{\"key\":\"{}\"}}", key.join("\\\\n")),
    ];
    for text in texts {
        let text = format!("before\n{text}after\n");
        let mut found = Vec::new();
        search_decoded(&Pem, text.as_bytes(), 0, &mut (), &mut Buffers::default(), &mut found);
        assert!(!found.is_empty(), "{text}");
        assert_eq!(exposed(&found[0]), Some(key.join("\n").as_str()), "{text}");
        assert!(text[found[0].value.clone()].starts_with(key[0]) && text[found[0].value.clone()].ends_with(key[3]));
    }
}

/// Spells some characters as escapes.
fn spelt(value: &str, choice: u64) -> String {
    let one = |(at, char): (usize, char)| match choice >> (at % 60) & 3 {
        0 => format!("\\u{:04x}", u32::from(char)),
        1 if char == '/' => "\\/".to_owned(),
        _ => char.to_string(),
    };
    value.chars().enumerate().map(one).collect()
}

proptest! {
    #[test]
    fn every_spelling_of_a_value_is_found(value in "[a-z&]{1,12}", choice in any::<u64>(), depth in 0..3_u32) {
        let mut text = format!(r#""k={} ""#, spelt(&value, choice));
        for _ in 0..depth {
            text = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        }
        let found = hits(text.as_bytes());
        prop_assert_eq!(found.len(), 1, "{}: {:?}", text, found);
        prop_assert_eq!(&found[0].2, &value);
    }

    #[test]
    fn no_bytes_break_the_decoding(text in "([a-z<>k=\\\\\"n:\\[0-9,-]|\\\\u00|\\\\n|\":\\[|-----BEGIN |\n|\u{1b}\\[){0,120}") {
        hits(text.as_bytes());
    }
}
