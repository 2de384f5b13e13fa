use std::io::{self, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Gives its bytes in pieces of these sizes, over and over.
struct Pieces<'a> {
    rest: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].min(buffer.len()).min(self.rest.len());
        self.turn += 1;
        buffer[..size].copy_from_slice(&self.rest[..size]);
        self.rest = &self.rest[size..];
        Ok(size)
    }
}

/// What became of a stream, in the order of its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Record(Span, Vec<u8>),
    Broken(Span, &'static str),
}

fn seen(piece: Piece<'_>) -> Seen {
    match piece {
        Piece::Record(span, bytes) => Seen::Record(span, bytes.to_vec()),
        Piece::Broken(span, why) => Seen::Broken(span, why),
    }
}

fn read(mut records: Records<impl Read>) -> Vec<Seen> {
    let mut found = Vec::new();
    while let Some(piece) = records.next_piece().expect("bytes in memory") {
        found.push(seen(piece));
    }
    while let Some(piece) = records.last_piece() {
        found.push(seen(piece));
    }
    found
}

fn all(bytes: &[u8], framing: Framing) -> Vec<Seen> {
    read(Records::new(bytes, framing))
}

/// The texts of the records; what is broken as `!`.
fn texts(bytes: &[u8], framing: Framing) -> Vec<String> {
    let text = |one: &Seen| match one {
        Seen::Record(_, bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Seen::Broken(..) => "!".to_owned(),
    };
    all(bytes, framing).iter().map(text).collect()
}

fn is_dated(line: &[u8]) -> bool {
    line.starts_with(b"20")
}

const JSON: Framing = Framing::Json(&["Records", "items"]);
const FRAMINGS: [Framing; 4] = [Framing::Lines, JSON, Framing::Csv, Framing::Starts(is_dated)];

#[test]
fn lines_are_records_whatever_ends_them() {
    assert_eq!(texts(b"\xef\xbb\xbfa\r\n\r\nb\n\nc", Framing::Lines), ["a", "b", "c"]);
    assert_eq!(texts(b"", Framing::Lines), Vec::<String>::new());
    assert_eq!(texts(b"\xef\xbb", Framing::Lines), ["\u{fffd}"]);
    let found = all(b"\xef\xbb\xbfa\n\nbc\n", Framing::Lines);
    let at = |offset, line| Span { offset, line };
    assert_eq!(found, [Seen::Record(at(3, 1), b"a".to_vec()), Seen::Record(at(6, 3), b"bc".to_vec())]);
}

#[test]
fn json_is_told_apart_however_it_is_laid_out() {
    for (text, records) in [
        ("{\"a\":1}\n{\"a\":2}\n", vec!["{\"a\":1}", "{\"a\":2}"]),
        ("{\"a\":1}{\"a\":2} {\"a\":3}", vec!["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]),
        ("{\n  \"a\": {\n \"b\": [1, 2]\n }\n}\n\n{}\n", vec!["{\n  \"a\": {\n \"b\": [1, 2]\n }\n}", "{}"]),
        (
            "[{\"a\":1},\n {\"b\":[]}, 7, \"x,]\", [1], null]",
            vec!["{\"a\":1}", "{\"b\":[]}", "7", "\"x,]\"", "[1]", "null"],
        ),
        (
            "{\"kind\":\"List\",\"meta\":{\"Records\":[1]},\"Records\":[{\"a\":1},{\"b\":2}],\"next\":[3]}{\"c\":3}",
            vec!["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"],
        ),
        ("{\"items\":[],\"Records\":[[1]]}", vec!["[1]"]),
        ("{\"other\":[1],\"Records\":{}}", vec!["{\"other\":[1],\"Records\":{}}"]),
        ("{\"\\u0052ecords\":[1]}", vec!["{\"\\u0052ecords\":[1]}"]),
        ("{\"a\":\"}{\\\"\\\\\"}{}", vec!["{\"a\":\"}{\\\"\\\\\"}", "{}"]),
        ("[]\n{}\n[]", vec!["{}"]),
        ("  \r\n", vec![]),
    ] {
        assert_eq!(texts(text.as_bytes(), JSON), records, "{text}");
    }
}

#[test]
fn after_broken_json_the_next_line_is_read() {
    for (text, records) in [
        // Cut off in a text, in a list, after a colon.
        ("{\"a\":\"x\n{\"b\":1}\n{\"c\":1}\n", vec!["!", "{\"b\":1}", "{\"c\":1}"]),
        ("{\"a\":[1,\n{\"b\":1}\n{\"c\":1}\n", vec!["!", "{\"b\":1}", "{\"c\":1}"]),
        ("{\"a\":\n{\"b\":1}\n{\"c\":1}\n", vec!["!", "{\"b\":1}", "{\"c\":1}"]),
        // What is no JSON at all, before, between and behind.
        ("starting\n{\"b\":1}\nat 12:00\n{\"c\":1}\nend", vec!["!", "{\"b\":1}", "!", "{\"c\":1}", "!"]),
        ("{\"a\":1} trailing {\"b\":1}\n{\"c\":1}", vec!["{\"a\":1}", "!", "{\"c\":1}"]),
        // Within a list, the elements after it are read, and the end of the list is no mistake.
        ("[{\"a\":1},\n{\"b\":oops!},\n{\"c\":1}\n]\n", vec!["{\"a\":1}", "!", "{\"c\":1}"]),
        (
            "{\"Records\":[{\"a\":1},\n{\"b\"},\n{\"c\":1}\n]}\n{\"d\":1}",
            vec!["{\"a\":1}", "!", "{\"c\":1}", "{\"d\":1}"],
        ),
        // Cut off at the end.
        ("{\"a\":1}\n{\"b\":", vec!["{\"a\":1}", "!"]),
        ("{\"a\":\n{\"b\":1}", vec!["!", "{\"b\":1}"]),
        ("{\"a\":[\n{\"b\":1},\n{\"c\":1}", vec!["!", "{\"b\":1}", "{\"c\":1}"]),
        ("[{\"a\":1},", vec!["{\"a\":1}", "!"]),
        ("}\n{\"a\":1}", vec!["!", "{\"a\":1}"]),
    ] {
        assert_eq!(texts(text.as_bytes(), JSON), records, "{text}");
    }
}

#[test]
fn csv_fields_hold_commas_quotes_and_line_ends() {
    let text = "a,\"b\nc\",\"d\"\"e\"\r\nf,g\"h,\"\"\n\"last\n\"\n";
    assert_eq!(texts(text.as_bytes(), Framing::Csv), ["a,\"b\nc\",\"d\"\"e\"", "f,g\"h,\"\"", "\"last\n\""]);
    // A field that is cut off takes no more than the lines up to the next quote with it.
    let text = "1,\"cut of\n2,\"x\",y\n3,\"z\"\n";
    assert_eq!(texts(text.as_bytes(), Framing::Csv), ["!", "2,\"x\",y", "3,\"z\""]);
    assert_eq!(texts(b"1,\"x", Framing::Csv), ["!"]);
    assert_eq!(texts(b"1,\"x\n2,y\n", Framing::Csv), ["!", "2,y"]);
}

#[test]
fn a_record_may_go_on_over_lines_that_begin_none() {
    let framing = Framing::Starts(is_dated);
    let text = "left over\n2026 a\n\tmore\r\n2026 b\n2026 c\nend";
    assert_eq!(texts(text.as_bytes(), framing), ["!", "2026 a\n\tmore", "2026 b", "2026 c\nend"]);
    assert_eq!(texts(b"2026 a\n2026 b", framing), ["2026 a", "2026 b"]);
    assert_eq!(texts(b"", framing), Vec::<String>::new());
}

#[test]
fn nul_bytes_are_said_and_cost_no_record() {
    for framing in FRAMINGS {
        let found = texts(b"\0\0\0{\"2\":1}\n\0\0{\"2\":2}\n", JSON);
        assert_eq!(found, ["!", "{\"2\":1}", "!", "{\"2\":2}"]);
        let found = texts(b"\0\0\x0020 a\n\0\0\x0020 b\n", framing);
        if !matches!(framing, Framing::Json(_)) {
            assert_eq!(found, ["!", "20 a", "!", "20 b"], "{framing:?}");
        }
    }
}

#[test]
fn what_is_too_long_is_passed_over_and_located() {
    for (framing, long, short) in [
        (Framing::Lines, "x".repeat(5_000_000), "20"),
        (JSON, format!("{{\"a\":\"{}\"}}", "\\n".repeat(2_000_000)), "{\"a\":1}"),
        (JSON, format!("{{\"a\":[\n{}1]}}", "{\"b\":[]},\n".repeat(500_000)), "{\"a\":1}"),
        (Framing::Csv, format!("\"{}\"", "\n".repeat(5_000_000)), "20,21"),
        (Framing::Starts(is_dated), format!("2026{}", "x\n".repeat(2_000_000)), "20"),
    ] {
        let text = format!("{short}\n{long}\n{short}\n");
        let mut records = Records::with_limit(text.as_bytes(), framing, 100_000);
        let mut found = Vec::new();
        let mut held = 0;
        while let Some(piece) = records.next_piece().expect("bytes in memory") {
            found.push(seen(piece));
            held = held.max(records.window.len());
        }
        while let Some(piece) = records.last_piece() {
            found.push(seen(piece));
        }
        let end = Span {
            offset: (short.len() + long.len() + 2) as u64,
            line: long.matches('\n').count() as u64 + 3 - u64::from(long.ends_with('\n')),
        };
        let end =
            Span { line: text[..usize::try_from(end.offset).expect("small")].matches('\n').count() as u64 + 1, ..end };
        let begin = Span { offset: short.len() as u64 + 1, line: 2 };
        let record = |span| Seen::Record(span, short.as_bytes().to_vec());
        let first = record(Span { offset: 0, line: 1 });
        assert_eq!(found, [first, Seen::Broken(begin, TOO_LONG), record(end)], "{framing:?}");
        assert!(held < 1_000_000, "{framing:?} held {held} bytes");
    }
}

#[test]
fn no_input_takes_more_than_linear_time() {
    // Looked through anew from every line, each of these would take minutes.
    for part in ["{\"a\":[\n", "[\n", "{\"a\":1,\n", "{\"a\":{\n\"b\":\n", "\"\n", "1,\n", "{\"a\":[\n]},\n{\"b\":[{\n"]
    {
        let text = part.repeat(300_000 / part.len());
        for framing in FRAMINGS {
            all(text.as_bytes(), framing);
        }
    }
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    const PARTS: &[&[u8]] = &[
        b"{\"a\":1}",
        b"{\"Records\":[",
        b"]}",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b",",
        b":",
        b"\n",
        b"\r\n",
        b"\0",
        b"\0\0\0",
        b"2026 x",
        b"\"a\"",
        b"\xff",
        b"\xef\xbb\xbf",
        b"12",
        b" ",
    ];
    let part = prop::sample::select(PARTS);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "\\PC{0,8}|[\"\\\\{}\\[\\],:\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z\"\\\\]{0,4}", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn parsed(bytes: &[u8], framing: Framing) -> Vec<Value> {
    all(bytes, framing)
        .into_iter()
        .map(|one| match one {
            Seen::Record(_, bytes) => serde_json::from_slice(&bytes).expect("JSON"),
            Seen::Broken(span, why) => panic!("{why} at {span:?}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn any_splitting_gives_the_same_records(bytes in hostile(), sizes in prop::collection::vec(1..9_usize, 1..5)) {
        for framing in FRAMINGS {
            for limit in [MAX_RECORD_BYTES, 10] {
                let whole = read(Records::with_limit(bytes.as_slice(), framing, limit));
                let pieces = Pieces { rest: &bytes, sizes: sizes.clone(), turn: 0 };
                prop_assert_eq!(&whole, &read(Records::with_limit(pieces, framing, limit)), "{:?}", framing);
            }
        }
    }

    #[test]
    fn places_give_the_bytes_back(bytes in hostile()) {
        for framing in FRAMINGS {
            let mut end = 0;
            for one in all(&bytes, framing) {
                let (span, length) = match &one {
                    Seen::Record(span, record) => {
                        let start = usize::try_from(span.offset).expect("small");
                        prop_assert_eq!(&bytes[start..start + record.len()], record.as_slice());
                        (*span, record.len())
                    }
                    Seen::Broken(span, _) => (*span, 0),
                };
                let start = usize::try_from(span.offset).expect("small");
                prop_assert!(start >= end, "{:?}", framing);
                end = start + length;
                prop_assert_eq!(span.line, bytes[..start].iter().filter(|byte| **byte == b'\n').count() as u64 + 1);
            }
        }
    }

    #[test]
    fn valid_json_gives_what_the_parser_reads(
        values in prop::collection::vec(json_value(), 0..6),
        pretty in any::<bool>(),
        gap in prop_oneof![Just(""), Just("\n"), Just("\r\n "), Just(" ")],
    ) {
        let text = |value: &Value| {
            if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.expect("JSON")
        };
        let objects: Vec<Value> = values.iter().map(|value| json!({ "v": value })).collect();
        let stream = objects.iter().map(|value| text(value) + gap).collect::<String>();
        prop_assert_eq!(&parsed(stream.as_bytes(), JSON), &objects);
        let list = Value::from(values.clone());
        prop_assert_eq!(&parsed(text(&list).as_bytes(), JSON), &values);
        let envelope = json!({ "A": [1], "Records": list, "Z": { "Records": [2] } });
        prop_assert_eq!(&parsed(text(&envelope).as_bytes(), JSON), &values);
    }
}
