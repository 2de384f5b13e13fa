//! Values that are encoded or split: found, everywhere, and the same whether a text is searched whole or where it changed.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{base64, found, found_in, known, place, value};
use crate::search::{Hits, Search};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent_all(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn percent_reserved(text: &str) -> String {
    let spell = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(spell).collect()
}

fn escape_all(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn html_safe_json(text: &str) -> String {
    let spell = |c: char| match c {
        '<' | '>' | '&' | '=' | '\'' | '"' => format!("\\u{:04X}", u32::from(c)),
        '\\' => "\\\\".to_owned(),
        _ => c.to_string(),
    };
    text.chars().map(spell).collect()
}

fn entities(text: &str) -> String {
    text.chars().map(|c| format!("&#{};", u32::from(c))).collect()
}

fn hex_entities(text: &str) -> String {
    text.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect()
}

fn some_entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")
}

fn wrapped(text: &str, width: usize, join: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(width).map(String::from_iter).collect::<Vec<_>>().join(join)
}

/// A name, and what it makes of a value.
type Encoding = (&'static str, fn(&str) -> String);

const ENCODINGS: &[Encoding] = &[
    ("base64", |text| base64(text.as_bytes())),
    ("base64 of more", |text| base64(format!("user=a;pass={text};x=y").as_bytes())),
    ("hex", |text| hex(text.as_bytes())),
    ("upper hex", |text| hex(text.as_bytes()).to_uppercase()),
    ("percent", percent_all),
    ("lower percent", |text| percent_all(text).to_lowercase()),
    ("percent, reserved", percent_reserved),
    ("unicode escapes", escape_all),
    ("escapes in capitals", |text| escape_all(text).to_uppercase().replace('U', "u")),
    ("safe JSON", html_safe_json),
    ("entities", entities),
    ("hexadecimal entities", hex_entities),
    ("some entities", some_entities),
    ("JSON", |text| text.replace('\\', "\\\\").replace('"', "\\\"")),
];

/// Encodings of what was encoded.
const SECOND: &[Encoding] = &[
    ("base64", |text| base64(text.as_bytes())),
    ("base64 of more", |text| base64(format!("{{\"data\": \"{text}\"}}\n").as_bytes())),
    ("hex", |text| hex(text.as_bytes())),
    ("percent", percent_all),
    ("unicode escapes", escape_all),
    ("mail", |text| wrapped(&base64(text.as_bytes()), 76, "\r\n")),
    ("YAML", |text| {
        format!("data: |\n    {}\n", wrapped(&base64(format!("some more text {text}").as_bytes()), 64, "\n    "))
    }),
];

/// What joins two pieces of a string.
const JOINTS: &[&str] = &[
    "\" + \"",
    "' + '",
    "\"+\"",
    "\" . \"",
    "' .\n      '",
    "\"\n    \"",
    "\" \\\n    \"",
    "\" \\\r\n\t\"",
    "\"'",
    "\" ..\n  \"",
    "\" & \"",
    "\" <> \"",
    "' || '",
    "\",\n  \"",
    "\",\r\n\t\"",
    "\"\n  - \"",
    "\\\n",
    "\\\r\n    ",
];

/// Splits a text into pieces of the lengths that the cuts say.
fn split(text: &str, cuts: &[usize], joint: &str) -> String {
    let mut pieces = Vec::new();
    let mut rest: &[u8] = text.as_bytes();
    for cut in cuts {
        let (piece, more) = rest.split_at((*cut).min(rest.len()));
        pieces.push(String::from_utf8_lossy(piece).into_owned());
        rest = more;
    }
    pieces.push(String::from_utf8_lossy(rest).into_owned());
    pieces.retain(|piece| !piece.is_empty());
    pieces.join(joint)
}

/// Text around a value: lines of code, of a log, of anything.
fn surroundings() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("let x = \"".to_owned()),
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        Just("{\"a\": \"b\", \"c\": \"".to_owned()),
        Just("GET /a?b=c%20d&e=".to_owned()),
        Just("\\u0041 &amp; ".to_owned()),
        "[ -~\n]{0,80}".prop_map(|text| text + " "),
    ]
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_=/+-]{4}[0-9][A-Z][a-z][0-9][A-Za-z0-9_=/+@!#$%&-]{10,40}".prop_filter("searchable bare", |value| {
        known(&[value]).audit().anywhere == 1 && super::secret_parts(value)[0].expose() == value
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_encoding_is_found(value in value(10..48), before in surroundings(), after in surroundings()) {
        let known = known(&[&value]);
        for (name, encode) in ENCODINGS {
            let text = format!("{before}{}\"\n{after}", encode(&value));
            prop_assert!(!found(&known, text.as_bytes()).is_empty(), "{name}: {text:?}");
        }
        for text in [&value, &format!("a longer text with {value} in it")] {
            let units = |swap: bool| text.encode_utf16().flat_map(move |unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() });
            for swap in [false, true] {
                let text: Vec<u8> = before.bytes().chain(units(swap)).chain(after.bytes()).collect();
                prop_assert!(!found(&known, &text).is_empty());
                let encoded = base64(&units(swap).collect::<Vec<u8>>());
                prop_assert!(!found(&known, encoded.as_bytes()).is_empty(), "UTF-16 in base64");
            }
        }
    }

    #[test]
    fn an_encoding_in_an_encoding_is_found(value in token(), before in surroundings(), after in surroundings()) {
        let known = known(&[&value]);
        for (name, encode) in ENCODINGS {
            for (second, encode_again) in SECOND {
                let text = format!("{before}\n{}\n{after}", encode_again(&encode(&value)));
                prop_assert!(!found(&known, text.as_bytes()).is_empty(), "{name} in {second}: {text:?}");
            }
        }
        let thrice = base64(hex(percent_all(&value).as_bytes()).as_bytes());
        prop_assert!(!found(&known, thrice.as_bytes()).is_empty());
    }

    #[test]
    fn a_value_in_pieces_is_found(
        value in token(),
        cuts in proptest::collection::vec(1_usize..30, 1..5),
        before in surroundings(),
        after in surroundings(),
    ) {
        let known = known(&[&value]);
        for joint in JOINTS {
            let open = if joint.starts_with('\'') { "'" } else if joint.starts_with('"') { "\"" } else { "" };
            let close = if joint.ends_with('\'') { "'" } else if joint.ends_with('"') { "\"" } else { "" };
            for text in [value.clone(), hex(value.as_bytes())] {
                let pieces = split(&text, &cuts, joint);
                // `"+" + "a"` is read as `"` + `" + "a"`: nothing tells a piece of signs from what joins pieces.
                let of_signs = |piece: &str| piece.chars().all(|c| "+-.&|<>\\".contains(c));
                prop_assume!(!split(&text, &cuts, "\n").lines().any(of_signs));
                let text = format!("{before}\n x = {open}{pieces}{close};\n{after}");
                prop_assert!(!found(&known, text.as_bytes()).is_empty(), "{joint:?}: {text}");
            }
        }
    }

    #[test]
    fn a_wrapped_encoding_is_found(
        value in value(10..100),
        more in "[ -~]{60,200}",
        width in 24_usize..80,
        shift in 0_usize..90,
    ) {
        let known = known(&[&value]);
        let plain = format!("{more}{}{value}{more}", "x".repeat(shift));
        let encoded = base64(plain.as_bytes());
        for join in ["\n", "\r\n", "\n    ", "\\n", "\\r\\n", "\\\\n", "\"\n  \"", "\",\n  \"", "\n# ", "\\\n", "\n  - "] {
            let text = format!("\"{}\"", wrapped(&encoded, width, join));
            prop_assert!(!found(&known, text.as_bytes()).is_empty(), "{join:?}: {text}");
            let text = format!("\"{}\"", wrapped(&hex(plain.as_bytes()), width, join));
            prop_assert!(!found(&known, text.as_bytes()).is_empty(), "{join:?}: {text}");
        }
    }

    #[test]
    fn a_search_of_what_changed_finds_what_a_search_of_the_whole_does(
        value in token(),
        choices in proptest::collection::vec((any::<u16>(), surroundings(), 1_usize..30), 1..10),
        edits in proptest::collection::vec((any::<u32>(), 0_usize..40, "[ -~\n]{0,12}"), 1..4),
    ) {
        let values = [value.as_str(), "kT9-vbQ2x77"];
        let known = known(&values);
        let mut old = String::new();
        for (choice, around, cut) in choices {
            let choice = usize::from(choice);
            let (_, encode) = ENCODINGS[choice % ENCODINGS.len()];
            let (_, again) = SECOND[choice / 16 % SECOND.len()];
            let joint = JOINTS[choice / 256 % JOINTS.len()];
            let text = match choice % 5 {
                0 => encode(&value),
                1 => again(&encode(&value)),
                2 => format!("\"{}\"", split(&value, &[cut, cut], joint)),
                3 => split(&again(&encode(&value)), &[cut], joint),
                _ => value.clone(),
            };
            old += &around;
            old += &text;
        }
        // The edits, and the hits that no edit touches.
        let mut new = old.clone().into_bytes();
        let mut kept: Vec<(u32, std::ops::Range<usize>, std::ops::Range<usize>)> = hits(&known, new.as_slice(), 0..new.len());
        let mut changed: Vec<std::ops::Range<usize>> = Vec::new();
        for (at, removed, inserted) in edits {
            let start = at as usize % (new.len() + 1);
            let end = (start + removed).min(new.len());
            let grown = inserted.len() as isize - (end - start) as isize;
            let moved = |range: &std::ops::Range<usize>| if range.start >= end {
                Some(range.start.wrapping_add_signed(grown)..range.end.wrapping_add_signed(grown))
            } else if range.end <= start { Some(range.clone()) } else { None };
            new.splice(start..end, inserted.bytes());
            kept = kept.iter().filter_map(|(id, value, depends)| Some((*id, moved(value)?, moved(depends)?))).collect();
            changed = changed.iter().map(|range| {
                let clip = |at: usize| if at >= end { at.wrapping_add_signed(grown) } else { at.min(start + inserted.len()) };
                clip(range.start)..clip(range.end)
            }).collect();
            // What was removed shows in the bytes on both sides.
            changed.push(start.saturating_sub(1)..(start + inserted.len() + 1).min(new.len()));
        }
        let mut merged: BTreeSet<_> = kept.into_iter().map(|(id, value, _)| (id, value.start, value.end)).collect();
        for range in changed {
            merged.extend(found_in(&known, &new, range));
        }
        let whole = found(&known, &new);
        prop_assert_eq!(&merged, &whole, "{:?}", String::from_utf8_lossy(&new));
    }
}

fn hits(
    known: &super::KnownValues,
    text: &[u8],
    changed: std::ops::Range<usize>,
) -> Vec<(u32, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut out = Hits::default();
    known.search(text, changed, &mut Default::default(), &mut out);
    out.hits.iter().map(|hit| (place(hit).0, hit.value.clone(), hit.depends.clone())).collect()
}
