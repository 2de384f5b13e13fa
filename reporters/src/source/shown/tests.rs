use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{COMMON, Kind, Shown, is_word};
use crate::escape::is_deceptive;
use crate::escape::tests::text as any_text;

fn known(text: &str) -> BTreeSet<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn shown(line: &str, kind: Kind) -> String {
    Shown::new(line, &known("DATABASE_PASSWORD production shop 90 days every"), kind).text()
}

#[test]
fn names_are_shown_and_values_are_not() {
    let lines = [
        "DATABASE_PASSWORD=hunter2",
        "export DATABASE_PASSWORD=\"a=b:c d\"",
        "DATABASE_PASSWORD=production",
        "| DATABASE_PASSWORD | shop | every 90 days | q7x |",
        "  password: hunter2",
        "  - name: DATABASE_PASSWORD",
        "connect(os.environ[\"DATABASE_PASSWORD\"])",
        "url = 'postgres://shop:hunter2@db/shop'",
        "hunter2",
        "",
        "key: DATABASE_PASSWORD",
        "\tkey = x",
    ];
    let both = lines.map(|line| format!("{}\n{}\n", shown(line, Kind::MayHold), shown(line, Kind::Declares)));
    insta::assert_snapshot!(both.join("\n"), @r#"
DATABASE_PASSWORD=…
DATABASE_PASSWORD=…

export DATABASE_PASSWORD=…
export DATABASE_PASSWORD="…"

DATABASE_PASSWORD=…
DATABASE_PASSWORD=production

| DATABASE_PASSWORD | shop | every 90 days | … |
| DATABASE_PASSWORD | shop | every 90 days | … |

  …
  …

  - name:…
  - name: DATABASE_PASSWORD

…(os.environ["DATABASE_PASSWORD"])
…(os.environ["DATABASE_PASSWORD"])

…
…'

…
…




key:…
key: DATABASE_PASSWORD

 key =…
 key = …
"#);
}

#[test]
fn carets_stand_under_what_is_shown() {
    let words = known("DATABASE_PASSWORD");
    let line = "export DATABASE_PASSWORD=hunter2 # old";
    let shown = Shown::new(line, &words, Kind::MayHold);
    assert_eq!(shown.text(), "export DATABASE_PASSWORD=…");
    assert_eq!(shown.cells(8, 25), (7, 17));
    assert_eq!(shown.cells(26, 33), (25, 1), "the value");
    assert_eq!(shown.cells(8, 33), (7, 19));
    assert_eq!(shown.cells(900, 2), (25, 1));
    assert_eq!(Shown::new("", &words, Kind::MayHold).cells(1, 2), (0, 1));
    assert_eq!(Shown::new("漢漢 DATABASE_PASSWORD", &words, Kind::MayHold).cells(4, 21), (2, 17));
}

#[test]
fn a_long_line_is_cut() {
    let line = format!("DATABASE_PASSWORD {}", "shop ".repeat(10_000));
    assert!(shown(&line, Kind::Declares).chars().count() < 600);
}

/// Values as people make them, and as generators do.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9]{6,40}", "[!-~]{8,40}", "[a-z]{4}-[a-z]{4}-[0-9]{2}", "[A-Za-z0-9+/]{40}={0,2}"]
        .prop_filter("a word of it has to tell", |value| value.split(|c| !is_word(c)).any(|word| word.len() > 3))
}

proptest! {
    #[test]
    fn a_value_is_never_shown(value in value(), template in 0usize..7, declares: bool) {
        let line = [
            format!("DATABASE_PASSWORD={value}"),
            format!("  password: '{value}'"),
            format!("requests.get(\"https://shop:{value}@db.example.com/\")"),
            format!("| DATABASE_PASSWORD | {value} | shop |"),
            value.clone(),
            format!("connect(\"{value}\", os.environ[\"DATABASE_PASSWORD\"])"),
            format!("# DATABASE_PASSWORD was {value}"),
        ][template].clone();
        let kind = if declares { Kind::Declares } else { Kind::MayHold };
        let shown = shown(&line, kind);
        for word in value.split(|c| !is_word(c)).filter(|word| word.len() > 3 && !COMMON.contains(word)) {
            prop_assert!(!shown.contains(word) || "DATABASE_PASSWORD production every days".contains(word), "{shown}");
        }
        // Its length does not show either.
        let longer = line.replace(&value, &format!("{value}xyzzyxyzzy"));
        if value.chars().all(is_word) {
            prop_assert_eq!(super::super::shown::tests::shown(&longer, kind), shown);
        }
    }

    #[test]
    fn only_known_words_are_shown(line in any_text(), more in "[a-z =:]{0,30}", declares: bool, start: u32, end: u32) {
        let line = format!("{more}{line}");
        let words = known("shop production");
        let shown = Shown::new(&line, &words, if declares { Kind::Declares } else { Kind::MayHold });
        let text = shown.text();
        for word in text.split(|c| !is_word(c)).filter(|word| !word.is_empty()) {
            prop_assert!(words.contains(word) || COMMON.contains(&word), "{text}");
        }
        prop_assert!(!text.contains(is_deceptive), "{text:?}");
        let (before, under) = shown.cells(start, end);
        prop_assert!(under >= 1 && before + under <= unicode_width::UnicodeWidthStr::width(text.as_str()).max(1));
    }
}
