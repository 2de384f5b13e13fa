use std::collections::BTreeMap;

use keytrail_rules::model::Secret;
use proptest::prelude::*;

use super::{LineKind, Refused, edit, parse};

/// The file with a value, or why it was refused.
fn edited(text: &str, values: &[(&str, &str)]) -> Result<String, Refused> {
    let values: BTreeMap<&str, Secret> = values.iter().map(|(key, value)| (*key, Secret::from(*value))).collect();
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), value)).collect();
    edit(text, &values).map(|text| text.to_string())
}

#[test]
fn a_value_is_written_in_the_style_that_is_there() {
    for (text, value, expected) in [
        ("A=old\n", "new", "A=new\n"),
        ("A=old", "new", "A=new"),
        ("  export A = old # note\r\nB=1\r\n", "new", "  export A = new # note\r\nB=1\r\n"),
        ("\u{feff}A='old'\n", "new", "\u{feff}A='new'\n"),
        ("A=\"old\"#note", "a\"b\\c$d", "A=\"a\\\"b\\\\c\\$d\"#note"),
        ("A=`it's \"so\"`", "it's", "A=`it's`"),
        ("A= # note", "new", "A=new # note"),
        ("A=\"one\\ntwo\"", "1\n2", "A=\"1\\n2\""),
        ("A=\"one\r\ntwo\"\r\nB=1\r\n", "1\n2\n", "A=\"1\r\n2\r\n\"\r\nB=1\r\n"),
        ("A=postgres://u:p@h/d?x&y\n", "postgres://u:q@h/d?x&y", "A=postgres://u:q@h/d?x&y\n"),
        ("A=old", "", "A="),
    ] {
        assert_eq!(edited(text, &[("A", value)]), Ok(expected.to_owned()), "{text:?}");
    }
}

#[test]
fn the_quotes_change_where_they_cannot_hold_the_value() {
    for (text, value, expected) in [
        ("A=old # note\n", "a b", "A='a b' # note\n"),
        ("A=old\n", "#1", "A='#1'\n"),
        ("A=old\n", "$x`y`", "A='$x`y`'\n"),
        ("A=old\n", "it's", "A=\"it's\"\n"),
        ("A=old\n", "1\n2", "A='1\n2'\n"),
        ("A=old\r\n", "1\n2", "A='1\r\n2'\r\n"),
        ("A='old'\n", "1\r\n2", "A=\"1\\r\\n2\"\n"),
        ("A='old'\n", "it's", "A=\"it's\"\n"),
        ("A=`old`\n", "a`b", "A='a`b'\n"),
        ("B=\"x\nA=\"old\"\n", "a\"b", "B=\"x\nA=\"a\\\"b\"\n"),
    ] {
        assert_eq!(edited(text, &[("A", value)]), Ok(expected.to_owned()), "{text:?}");
    }
}

#[test]
fn a_value_that_would_close_the_quotes_of_another_line_is_refused() {
    assert_eq!(edited("B='x\nA=old\n", &[("A", "it' #")]), Err(Refused::Unwritable("A".into())));
    assert_eq!(edited("B=`x\nA=\"old\"\n", &[("A", "it` #")]), Err(Refused::Unwritable("A".into())));
}

#[test]
fn every_assignment_of_a_key_is_changed() {
    let text = "A=1\n# A=1\nAB=1\nA='2'\nB=3\n";
    assert_eq!(edited(text, &[("A", "x"), ("B", "y")]), Ok("A=x\n# A=1\nAB=1\nA='x'\nB=y\n".into()));
    assert_eq!(edited(text, &[("A", "x"), ("C", "y")]), Err(Refused::Missing("C".into())));
}

#[test]
fn many_assignments_of_a_key_take_linear_time() {
    let text = "A='old value'\n".repeat(200_000);
    assert_eq!(edited(&text, &[("A", "it's")]), Ok("A=\"it's\"\n".repeat(200_000)));
}

/// The texts before, between and after the values of `KEY`: what must stay.
fn around(text: &str, key: &str) -> Vec<String> {
    let (mut parts, mut kept) = (Vec::new(), 0);
    for line in parse(text) {
        if let LineKind::Assignment(found) = line.kind
            && &text[found.key.clone()] == key
        {
            let quotes = usize::from(found.quote.is_some());
            parts.push(text[kept..found.value.start - quotes].to_owned());
            kept = found.value.end + quotes;
        }
    }
    parts.push(text[kept..].to_owned());
    parts
}

fn dotenv_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "export ", "KEY", "KEY=", "OTHER=", "=", " ", "\"", "'", "`", "\\", "#", "\n", "\n", "\r\n", "é", "\u{feff}",
        "$", "x",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn any_value() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\"", "'", "`", "\\", "#", " #", "\n", "\r", "\r\n", "$", "é", " ", "\t", "\u{feff}", "a", "n", "=", "\u{2028}",
    ]);
    prop_oneof![
        3 => prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        1 => "(?s)[^\\x00]{0,20}",
        2 => "[A-Za-z0-9+/=_-]{1,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read_and_nothing_else_changes(
        before in dotenv_like(), old in any_value(), after in dotenv_like(), new in any_value(),
    ) {
        let text = format!("{before}\nKEY={old}\n{after}");
        match edited(&text, &[("KEY", &new)]) {
            Ok(edited) => {
                let (was, is) = (around(&text, "KEY"), around(&edited, "KEY"));
                // An empty value stands right after the `=`, whatever white space follows.
                prop_assert!(is == was || (new.is_empty() && is.concat() == was.concat()), "{:?} {:?}", was, is);
                let read: Vec<String> = parse(&edited).filter_map(|line| match line.kind {
                    LineKind::Assignment(found) if &edited[found.key.clone()] == "KEY" => {
                        Some(found.read(&edited).expose().to_owned())
                    }
                    _ => None,
                }).collect();
                prop_assert!(!read.is_empty());
                prop_assert!(read.iter().all(|value| *value == new), "{:?} in {:?}", new, edited);
            }
            Err(Refused::Missing(key)) => {
                prop_assert_eq!(key, "KEY");
                prop_assert_eq!(around(&text, "KEY").len(), 1);
            }
            Err(Refused::Unwritable(key)) => prop_assert_eq!(key, "KEY"),
        }
    }

    #[test]
    fn a_generated_value_can_always_be_written(
        quote in prop::sample::select(vec!["", "'", "\"", "`"]), new in "[!-~]{1,60}",
    ) {
        let text = format!("A=1\nKEY={quote}old{quote} # kept\nB=2\n");
        let several = ["'", "\"", "`"].iter().all(|quote| new.contains(quote));
        let edited = edited(&text, &[("KEY", &new)]);
        prop_assert!(edited.is_ok() || several, "{:?}", edited);
    }
}
