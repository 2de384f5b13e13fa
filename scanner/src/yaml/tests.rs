use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// A document in one line, in a JSON of its own: `key@line: …`.
fn show(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(..) if node.is_null() => "null".to_owned(),
        Kind::Scalar(text, _) => format!("{:?}", text.as_str()),
        Kind::Sequence(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Kind::Mapping(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{}@{}: {}", show(key), key.line, show(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn shown(text: &str) -> String {
    let stream = parse(text);
    let problems = stream.problems.iter().map(ToString::to_string);
    stream.documents.iter().map(show).chain(problems).collect::<Vec<_>>().join("\n")
}

#[test]
fn trees_keep_text_and_lines() {
    let cases = [
        ("", ""),
        ("# nothing\n", ""),
        ("on: yes\nn: 0x1F\nv: 1.0\n", r#"{"on"@1: "yes", "n"@2: "0x1F", "v"@3: "1.0"}"#),
        (
            "a:\nb: ~\nc: null\nd: ''\ne: 'null'\n",
            r#"{"a"@1: null, "b"@2: null, "c"@3: null, "d"@4: "", "e"@5: "null"}"#,
        ),
        ("a: [1, {b: 2}]\nc:\n- x\n-\n  - y\n", r#"{"a"@1: ["1", {"b"@1: "2"}], "c"@2: ["x", ["y"]]}"#),
        ("a: |\n  x\n  y\nb: >-\n  x\n  y\n", r#"{"a"@1: "x\ny\n", "b"@4: "x y"}"#),
        ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", r#"{"a"@1: "1", "b"@2: "x\ny\n"}"#),
        ("a: \"one\r two\"\nb: 1\n", r#"{"a"@1: "one two", "b"@2: "1"}"#),
        ("ключ: \"😀\"\nb: 1\n", r#"{"ключ"@1: "😀", "b"@2: "1"}"#),
        ("{\"apiVersion\": \"v1\",\n \"kind\": \"Secret\"}\n", r#"{"apiVersion"@1: "v1", "kind"@2: "Secret"}"#),
        ("? [a, b]\n: c\n", r#"{["a", "b"]@1: "c"}"#),
        ("a: !!str 1\nb: !Ref x\n", r#"{"a"@1: "1", "b"@2: "x"}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text:?}");
    }
}

#[test]
fn documents_are_told_apart_and_a_broken_one_is_lost_alone() {
    let cases = [
        ("a\n---\nb\n", "\"a\"\n\"b\""),
        ("---\na\n--- b\n---\n", "\"a\"\n\"b\"\nnull"),
        ("%YAML 1.2\n# c\n---\na\n...\n%YAML 1.2\n---\nb\n", "\"a\"\n\"b\""),
        ("a: |\n  ---\n  x\n---\nb\n", "{\"a\"@1: \"---\\nx\\n\"}\n\"b\""),
        (
            "a: \"x\n---\nb: 1\n",
            "{\"b\"@3: \"1\"}\nthis is not valid YAML: while scanning a quoted scalar, found unexpected end of stream (line 1)",
        ),
        (
            "a\n---\nb: [1\n---\nc\n",
            "\"a\"\n\"c\"\nthis is not valid YAML: while parsing a flow sequence, expected ',' or ']' (line 4)",
        ),
        (
            "a: &x 1\n---\nb: *x\n---\nc\n",
            "{\"a\"@1: \"1\"}\n\"c\"\nthis is not valid YAML: while parsing node, found unknown anchor (line 3)",
        ),
        ("a:\n\tb: 1\n", "this is not valid YAML: tabs disallowed within this context (block indentation) (line 2)"),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text:?}");
    }
}

#[test]
fn aliases_and_merge_keys_are_resolved() {
    let cases = [
        ("a: &x [1]\nb: *x\n", r#"{"a"@1: ["1"], "b"@2: ["1"]}"#),
        ("a: &x {k: 1}\nb:\n  <<: *x\n  k: 2\n  l: 3\n", r#"{"a"@1: {"k"@1: "1"}, "b"@2: {"k"@4: "2", "l"@5: "3"}}"#),
        ("<<: [{a: 1}, {a: 2, b: 3}]\n", r#"{"a"@1: "1", "b"@1: "3"}"#),
        ("<<: {a: 1}\n<<: {b: 2}\n", r#"{"a"@1: "1", "b"@2: "2"}"#),
        ("'<<': {a: 1}\n<<: x\n", r#"{"<<"@1: {"a"@1: "1"}, "<<"@2: "x"}"#),
        (
            "a: &x {<<: {m: 1}, n: 2}\nb: {<<: *x}\n",
            r#"{"a"@1: {"n"@1: "2", "m"@1: "1"}, "b"@2: {"n"@1: "2", "m"@1: "1"}}"#,
        ),
        ("a: &x 1\nb: &x 2\nc: *x\n", r#"{"a"@1: "1", "b"@2: "2", "c"@3: "2"}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text:?}");
    }
}

#[test]
fn of_duplicate_keys_the_last_counts_and_each_is_told() {
    assert_eq!(
        shown("a: 1\nb: 2\na: 3\n'a': 4\n"),
        "{\"b\"@2: \"2\", \"a\"@4: \"4\"}\n\
         this key was already given in line 1; the last one counts (line 3)\n\
         this key was already given in line 3; the last one counts (line 4)"
    );
    let many = parse(&"a: 1\n".repeat(100));
    assert_eq!((many.documents.len(), many.problems.len(), many.more_problems), (1, MAX_PROBLEMS, 99 - MAX_PROBLEMS));
}

#[test]
fn nodes_know_their_columns_and_lookups_pass_over_nulls() {
    let stream = parse("a:\n  - é: b\n    c: ~\n");
    let (key, value) = &stream.documents[0].get("a").unwrap().items().unwrap()[0].pairs().unwrap()[0];
    assert_eq!(((key.line, key.column), (value.line, value.column)), ((2, 5), (2, 8)));
    assert!(stream.documents[0].get("a").unwrap().items().unwrap()[0].get("c").is_none());
    assert!(stream.documents[0].get("b").is_none());
}

#[test]
fn a_stream_with_a_broken_document() {
    insta::assert_snapshot!(shown(include_str!("../../../fixtures/inventory/yaml/stream.yaml")), @r#"
    {"defaults"@3: {"image"@4: "shop", "env"@5: {"LEVEL"@5: "info", "PORT"@5: "80"}}, "api"@6: {"image"@9: "api:2", "script"@10: "set -e\n\nrun --port 80\n", "env"@5: {"LEVEL"@5: "info", "PORT"@5: "80"}}}
    {"last"@17: "read all the same"}
    this key was already given in line 8; the last one counts (line 9)
    this is not valid YAML: while parsing a flow sequence, expected ',' or ']' (line 16)
    "#);
}

fn laughs(levels: usize) -> String {
    let mut text = "a0: &a0 lol\n".to_owned();
    for level in 1..=levels {
        let below = format!("*a{}", level - 1);
        writeln!(text, "a{level}: &a{level} [{}]", [below.as_str(); 9].join(", ")).unwrap();
    }
    text
}

/// A tree that is larger than the text allows, and text that the parser would choke on.
fn bombs() -> Vec<(&'static str, String, ProblemKind)> {
    let merges = (1..30).fold("a0: &a0 {k0: v}\n".to_owned(), |text, level| {
        format!("{text}a{level}: &a{level} {{k{level}: [*a{0}, *a{0}], <<: *a{0}}}\n", level - 1)
    });
    let indented = (0..10_000).fold(String::new(), |mut text, level| {
        text.push_str(&" ".repeat(level % 2_000));
        text.push_str("a:\n");
        text
    });
    vec![
        ("laughs", laughs(20), ProblemKind::TooManyNodes),
        ("merged laughs", merges, ProblemKind::TooManyNodes),
        (
            "a large alias",
            format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a,".repeat(100)),
            ProblemKind::TooMuchText,
        ),
        (
            "nested anchors",
            format!("{}{}1{}", "&a [".repeat(100), "1, ".repeat(3_000), "]".repeat(100)),
            ProblemKind::TooManyNodes,
        ),
        ("many nodes", "- 1\n".repeat(1 << 20), ProblemKind::TooManyNodes),
        ("many documents", "---\n".repeat(1 << 20), ProblemKind::TooManyNodes),
        ("brackets", "[".repeat(10_000), ProblemKind::TooDeep),
        ("closed brackets", format!("{}{}", "[".repeat(200), "]".repeat(200)), ProblemKind::TooDeep),
        ("braces", "{a: ".repeat(10_000), ProblemKind::TooDeep),
        ("dashes", "- ".repeat(1 << 20), ProblemKind::TooDeep),
        ("complex keys", "? ".repeat(100_000), ProblemKind::TooDeep),
        ("indentation", indented, ProblemKind::TooDeep),
        (
            "an alias in a nest",
            format!("a: &a {}1{}\nb: {0}*a{1}\n", "[".repeat(80), "]".repeat(80)),
            ProblemKind::TooDeep,
        ),
        ("a cycle", "a: &a [*a]\n".to_owned(), ProblemKind::CyclicAlias),
        ("a flow collection without end", format!("[{}", ":,".repeat(8 << 20)), ProblemKind::TooManyIndicators),
        ("a full flow collection", format!("[{}]", ":,".repeat(MAX_INDICATORS / 2 - 1)), ProblemKind::TooManyNodes),
        (
            "full nested flow collections",
            format!("{}{}", "[".repeat(254), ":,".repeat(MAX_INDICATORS / 2 - 254)),
            ProblemKind::TooDeep,
        ),
        (
            "a long tag prefix",
            format!("%TAG !a! {}\n---\n{}", "x".repeat(1 << 20), "- !a!b c\n".repeat(1 << 17)),
            ProblemKind::LongDirective,
        ),
    ]
}

#[test]
fn bombs_are_refused_within_bounds() {
    for (name, text, expected) in bombs() {
        let started = Instant::now();
        let stream = parse(&format!("{text}\n---\nafter: 1\n"));
        let kinds: Vec<&ProblemKind> = stream.problems.iter().map(|problem| &problem.kind).collect();
        assert!(kinds.contains(&&expected), "{name}: {:?}", stream.problems);
        assert!(started.elapsed() < Duration::from_secs(20), "{name} takes {:?}", started.elapsed());
        let nodes: usize = stream.documents.iter().map(count).sum();
        assert!(nodes <= MAX_NODES, "{name}: {nodes} nodes");
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(..) => 0,
        Kind::Sequence(items) => items.iter().map(count).sum(),
        Kind::Mapping(pairs) => pairs.iter().map(|(key, value)| count(key) + count(value)).sum(),
    }
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(..) => 0,
        Kind::Sequence(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Mapping(pairs) => 1 + pairs.iter().map(|(key, value)| depth(key).max(depth(value))).max().unwrap_or(0),
    }
}

/// Text made of what has a meaning in YAML.
fn yaml_ish() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "\t",
        "\r",
        "\r\n",
        "- ",
        "? ",
        ": ",
        "a: ",
        "a",
        "b",
        "<<: ",
        "&a ",
        "*a",
        "&b ",
        "*b",
        "[",
        "]",
        "{",
        "}",
        ",",
        "|\n",
        ">-\n",
        "|2\n",
        "'",
        "\"",
        "\\",
        "\\x4",
        "#",
        " # c",
        "!!str ",
        "!a!b ",
        "!<x> ",
        "%TAG !a! b\n",
        "%YAML 1.2\n",
        "\n---\n",
        "\n--- ",
        "\n...\n",
        "~",
        "null",
        "\u{feff}",
        "\u{0}",
        "é",
        "{{ .x }}",
    ]);
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_panics_or_grows_out_of_bounds(text in prop_oneof![yaml_ish(), ".{0,80}"]) {
        let lines = u32::try_from(text.matches('\n').count() + 1).unwrap();
        let stream = parse(&text);
        for document in &stream.documents {
            prop_assert!(count(document) <= MAX_NODES && depth(document) <= MAX_DEPTH);
            prop_assert!(document.line <= lines);
        }
        for problem in &stream.problems {
            prop_assert!((1..=lines + 1).contains(&problem.line), "{problem}");
        }
    }

    #[test]
    fn text_in_json_strings_comes_back(texts in prop::collection::vec(".{0,20}", 0..8)) {
        let text = serde_json::to_string(&texts).unwrap();
        let stream = parse(&text);
        prop_assert_eq!(&stream.problems, &[]);
        let read = stream.documents[0].items().unwrap();
        let read: Vec<&str> = read.iter().map(|node| node.str().unwrap()).collect();
        prop_assert_eq!(read, texts);
    }
}
