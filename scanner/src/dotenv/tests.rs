use proptest::prelude::*;

use super::{Fault, Line, LineKind, Quote, parse};

/// Each line in short: `KEY=value` as a program gets it, with the quote in brackets, or what else it is.
fn outline(text: &str) -> Vec<String> {
    let show = |line: Line| match line.kind {
        LineKind::Blank => "blank".to_owned(),
        LineKind::Comment => "comment".to_owned(),
        LineKind::Broken(fault) => format!("{fault:?}"),
        LineKind::Assignment(assignment) => {
            let quote = assignment.quote.map_or(String::new(), |quote| format!("[{}]", quote.as_char()));
            format!("{}={}{quote}", &text[assignment.key.clone()], assignment.read(text).expose())
        }
    };
    parse(text).map(show).collect()
}

#[test]
fn lines_are_read_as_programs_read_them() {
    for (text, expected) in [
        ("A=1", "A=1"),
        ("  A = 1  ", "A=1"),
        ("export A=1", "A=1"),
        ("export=1", "export=1"),
        ("export = 1", "export=1"),
        ("A=", "A="),
        ("A=\"\"", "A=[\"]"),
        ("A=a b # note", "A=a b"),
        ("A=a#b", "A=a#b"),
        ("A=#b", "A=#b"),
        ("A= # note", "A="),
        ("A='a # b' # note", "A=a # b[']"),
        ("A=\"a\"#note", "A=a[\"]"),
        ("A=`it's \"so\"`", "A=it's \"so\"[`]"),
        (r#"A="a\"b\\\n\t\$\d""#, "A=a\"b\\\n\t$\\d[\"]"),
        (r"A='a\nb'", r"A=a\nb[']"),
        ("A=it's", "A=it's"),
        ("my.key-1=x", "my.key-1=x"),
        ("A==b=c", "A==b=c"),
        ("\u{feff}A=1", "A=1"),
        ("A=1\r\n", "A=1"),
        ("A=\"one\r\ntwo\"\r\n", "A=one\ntwo[\"]"),
        (" \t", "blank"),
        ("  # A=1", "comment"),
        ("A", "NoEquals"),
        ("A: 1", "NoEquals"),
        ("export A", "NoEquals"),
        ("A B=1", "BadName"),
        ("=1", "BadName"),
        ("a/b=1", "BadName"),
        ("A=\"b", "OpenQuote"),
        ("A='b' c", "TextAfterQuote"),
    ] {
        assert_eq!(outline(text), [expected], "{text:?}");
    }
}

#[test]
fn a_broken_quote_breaks_its_line_alone() {
    assert_eq!(outline("A=\"x\nB=2\nC='y'\n"), ["OpenQuote", "B=2", "C=y[']"]);
    assert_eq!(outline("A=\"x\nB=\"y\"\nC=3"), ["OpenQuote", "B=y[\"]", "C=3"]);
    assert_eq!(Quote::opening("x"), None);
    assert_eq!(parse("A=\"x").next().map(|line| line.kind), Some(LineKind::Broken(Fault::OpenQuote)));
}

#[test]
fn quotes_that_never_close_take_linear_time() {
    // Were each opening quote searched for to the end of the file, this would take hours.
    let text = "A=\"x\nB='x\nC=`x\n".repeat(300_000);
    assert_eq!(parse(&text).count(), 900_000);
}

/// Texts that look like dotenv files more often than plain noise does.
fn dotenv_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("export "),
        Just("KEY"),
        Just("="),
        Just(" "),
        Just("\""),
        Just("'"),
        Just("`"),
        Just("\\"),
        Just("#"),
        Just("\n"),
        Just("\r\n"),
        Just("é"),
        Just("\u{feff}"),
        Just("\u{2028}"),
        Just("x"),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_byte_is_in_one_line(text in prop_oneof![dotenv_like(), "(?s).{0,80}"]) {
        let mut copy = String::new();
        for line in parse(&text) {
            prop_assert_eq!(line.span.start, copy.len());
            if let LineKind::Assignment(found) = line.kind {
                let marks = [line.span.start, found.key.start, found.key.end, found.value.start, found.value.end];
                prop_assert!(marks.is_sorted() && found.value.end <= line.span.end);
                if let Some(quote) = found.quote {
                    prop_assert!(text[..found.value.start].ends_with(quote.as_char()));
                    prop_assert!(text[found.value.end..].starts_with(quote.as_char()));
                }
            }
            copy.push_str(&text[line.span]);
        }
        prop_assert_eq!(copy, text);
    }

    #[test]
    fn one_value_is_rewritten_and_nothing_else(
        before in dotenv_like().prop_map(|text| text.replace(['"', '\'', '`'], "q")),
        old in "[a-z]{0,8}",
        new in "[a-zA-Z0-9]{1,12}",
        quote in prop::sample::select(vec!["", "'", "\"", "`"]),
    ) {
        let text = format!("{before}\nTOKEN={quote}{old}{quote} # kept\nLAST=1");
        let line = parse(&text).filter_map(|line| match line.kind {
            LineKind::Assignment(found) if &text[found.key.clone()] == "TOKEN" => Some(found),
            _ => None,
        });
        let found = line.last().expect("the line is there");
        let mut rewritten = text.clone();
        rewritten.replace_range(found.value, &new);
        prop_assert_eq!(rewritten, format!("{before}\nTOKEN={quote}{new}{quote} # kept\nLAST=1"));
    }
}
