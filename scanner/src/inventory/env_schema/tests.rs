use keytrail_rules::model::{Class, Declaration};
use proptest::prelude::*;

use super::super::testing::{fixture, outline, read, read_text};
use super::KIND;
use crate::source::{MAX_FILE_ENTRIES, MAX_FILE_GAPS};

fn schema(text: &str) -> String {
    outline(&read_text(&KIND, ".env.schema", text))
}

fn read_fixture(name: &str) -> String {
    outline(&read(&KIND, &fixture(&format!("env_schema/{name}.env.schema"))))
}

#[test]
fn blocks_declare_variables() {
    insta::assert_snapshot!(read_fixture("blocks"), @r#"
    3: PARCEL_LOG_LEVEL | class=plain | required=false | default=Literal | targets=local,kubernetes,cloud
    13: PARCEL_S3_SECRET_KEY | class=secret | owner=storage | required=true | default=Empty | targets=kubernetes,cloud
    18: PARCEL_SESSION_SECRET | class=rotation-required | owner=#parcel-desk | cadence=every 90 days | required=true | default=Literal
    27: PARCEL_DATABASE_URL | class=rotation-required | owner=platform | cadence=on password change | from=PARCEL_DB_PASSWORD,PARCEL_DB_USER
"#);
}

#[test]
fn what_is_wrong_in_a_block_loses_nothing_else() {
    insta::assert_snapshot!(read_fixture("broken"), @r#"
    1: LEDGER_API_URL | targets=local
    12: LEDGER_API_TOKEN | owner=finance
    17: LEDGER_WEBHOOK_SECRET | class=secret
    2: gap: the field has an unknown name (did you mean `classification`?)
    4: gap: `required` is neither true nor false (write true or false)
    3: gap: a target is unknown (did you mean `kubernetes`?)
    6: gap: the block has no `key:`, so it declares nothing (add the variable's `key:`, or remove the blank line that cuts the block off)
    9: gap: the key has no name (write the variable after `key:`)
    15: gap: the block has this field already (keep one of the two, or put a blank line between two blocks)
    16: gap: the line is no `field: value` (put # before a comment)
    17: gap: the block has this field already (keep one of the two, or put a blank line between two blocks)
    13: gap: the classification is unknown (did you mean `secret`?)
    19: gap: the field has an unknown name (known are `key`, `description`, `required`, `default`, `targets`, `classification`, `owner`, `cadence`, `rotation`, `derived_from`)
"#);
}

#[test]
fn decorators_declare_variables() {
    insta::assert_snapshot!(read_fixture("decorators"), @r#"
    13: APP_ENV | class=plain | required=true | default=Literal
    15: PUBLIC_SITE_NAME | class=plain | required=true | default=Literal
    19: PAYMENT_API_KEY | class=rotation-required | owner=payments | cadence=every 90 days | required=false
    22: DATABASE_URL | class=rotation-required | owner=data platform | cadence=on password change | required=false | default=Reference | from=DB_USER,DB_PASSWORD
    27: PUBLIC_PARTNER_TOKEN | class=secret | default=Reference
    30: MAYBE_SECRET | class=secret | required=false
    33: MOTD | class=plain | required=false | default=Literal
    41: DB_PASSWORD | class=secret | required=false
"#);
}

#[test]
fn what_is_wrong_in_a_decorated_item_loses_nothing_else() {
    insta::assert_snapshot!(read_fixture("broken_decorators"), @r#"
    4: BUCKET_NAME | class=secret | required=true | default=Literal
    7: BUCKET_SECRET | class=secret | required=true | default=Literal
    9: TOKEN | class=secret | required=true
    12: KEPT | class=secret | required=true | default=Literal
    13: UNCLOSED | class=secret | required=true
    14: LAST | class=secret | required=true | default=Literal
    1: gap: the value of @defaultSensitive is not understood (known are true, false and inferFromPrefix(…))
    3: gap: a quote is never closed (close the quote, or escape it)
    6: gap: the value of @sensitive is not understood (known are true and false)
    8: gap: the line is neither KEY=value nor a comment (write KEY=value, or put # before a comment)
    9: gap: a bracket is never closed (close it; inside a comment, start every further line with #)
    11: gap: the line is neither KEY=value nor a comment (write KEY=value, or put # before a comment)
    13: gap: a quote is never closed (close the quote, or escape it)
"#);
}

#[test]
fn another_format_is_one_gap() {
    insta::assert_snapshot!(read_fixture("json"), @"1: gap: the schema is in neither of the two dialects that are read (write blocks of `key: …` lines, or KEY=value under `# @decorator` comments)");
    assert_eq!(schema(""), "");
    assert_eq!(schema("# nothing yet\n"), "");
}

#[test]
fn defaults_are_those_of_varlock() {
    for (header, item, expected) in [
        ("", "A=1", "class=secret | required=true"),
        ("", "A=", "class=secret | required=true"),
        ("# @defaultSensitive=false", "A=", "class=plain | required=true"),
        ("# @defaultSensitive=false", "# @sensitive\nA=", "class=secret | required=true"),
        ("# @defaultSensitive=false", "# @sensitive=false\nA=", "class=plain | required=true"),
        ("# @defaultSensitive=false", "# @public=false\nA=", "class=secret | required=true"),
        ("# @defaultSensitive=false", "# @sensitive @public\nA=", "class=secret | required=true"),
        ("# @defaultSensitive=false", "# @proxy(api.example.com) @public\nA=", "class=secret | required=true"),
        ("# @defaultSensitive=false", "A=keychain(x)", "class=secret | required=true"),
        ("# @defaultSensitive=false", "# @cadence=90d\nA=", "class=plain | cadence=every 90 days | required=true"),
        ("", "# @cadence=90d\nA=", "class=rotation-required | cadence=every 90 days | required=true"),
        ("# @defaultRequired=false", "A=1", "class=secret | required=false"),
        ("# @defaultRequired=infer", "A=1", "class=secret | required=true"),
        ("# @defaultRequired=infer", "A=", "class=secret | required=false"),
        ("# @defaultRequired=infer", "A=''", "class=secret | required=false"),
        ("# @defaultRequired=infer", "A=fn()", "class=secret | required=true"),
        ("# @defaultRequired=false", "# @required\nA=", "class=secret | required=true"),
        ("", "# @optional\nA=", "class=secret | required=false"),
        ("", "# @required=eq($B, 1)\nA=", "class=secret"),
        ("# @madeUp=1 @plugin(x)", "# @alsoMadeUp @icon=mdi:key\nA=", "class=secret | required=true"),
    ] {
        for divider in ["# ---", "", "#======"] {
            let text = format!("{header}\n{divider}\n{item}\n");
            let outline = schema(&text).replace(" | default=Literal", "").replace(" | default=Empty", "");
            let outline = outline.replace(" | default=Reference", "");
            assert!(outline.ends_with(&format!(": A | {expected}")), "{text}\n{outline}");
        }
    }
}

#[test]
fn values_of_items_are_observed_as_written() {
    for (value, expected) in [
        ("", ""),
        ("''", "default=Empty"),
        ("info # @public", "default=Literal"),
        ("fn(a, \"b)\", c=[1, 2])", "default=Reference"),
        ("fn(\n  a, # first (\n  b,\n)", "default=Reference"),
        ("${OTHER}", "default=Reference"),
        ("\"one\ntwo\"", "default=Literal"),
        ("```\none = 1\n```", "default=Literal"),
        ("foo(bar)baz", "default=Literal"),
        ("{\"json\": 1}", "default=Literal"),
        ("[a,\n b]", "default=Literal"),
        ("changeme", "default=Placeholder"),
    ] {
        let found = schema(&format!("# @optional\nA={value}\nB=\n"));
        let lines: Vec<&str> = found.lines().collect();
        assert_eq!(lines.len(), 2, "{value}\n{found}");
        assert_eq!(lines[0].contains("default="), !expected.is_empty(), "{value}\n{found}");
        assert!(lines[0].ends_with(expected) || lines[0].contains(&format!("{expected} |")), "{value}\n{found}");
    }
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    for name in ["blocks", "decorators"] {
        let text = fixture(&format!("env_schema/{name}.env.schema")).text().to_owned();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(schema(&windows), schema(&text), "{name}");
    }
}

#[test]
fn a_key_that_is_declared_twice_is_kept_twice() {
    assert_eq!(schema("key: A\nowner: x\n\nkey: A\nowner: y"), "1: A | owner=x\n4: A | owner=y");
    assert_eq!(schema("# @owner=x\nA=\n# @owner=y\nA=").lines().count(), 2);
}

#[test]
fn bytes_that_are_not_utf8_lose_nothing_else() {
    let facts = read_text(&KIND, ".env.schema", b"key: A\ndescription: caf\xe9\n\nkey: B\n");
    assert_eq!(outline(&facts).lines().filter(|line| !line.contains("gap")).count(), 2);
    assert_eq!(facts.gaps.len(), 1);
}

#[test]
fn many_blocks_take_linear_time() {
    let blocks =
        |count: usize| (0..count).map(|at| format!("key: K{at}\nclassification: secret\n\n")).collect::<String>();
    let facts = read_text(&KIND, ".env.schema", blocks(200_000));
    assert_eq!((facts.declarations.len(), facts.gaps.len()), (200_000, 0));
    let facts = read_text(&KIND, ".env.schema", blocks(MAX_FILE_ENTRIES + 10));
    assert_eq!((facts.declarations.len(), facts.gaps.len()), (MAX_FILE_ENTRIES, 1));
}

#[test]
fn hostile_files_take_linear_time() {
    // Each of these takes hours if what is never closed, or in vain, is searched for again and again.
    let (long, many) = (1 << 19, 40_000);
    for text in [
        format!("A={}", "otter ".repeat(2 << 20)),
        format!("key: A\ntargets: {}", "a,".repeat(long)),
        format!("key: A\nderived_from: {}", "a,".repeat(long)),
        "# @owner(\n".repeat(many) + "A=1",
        "A=fn(\n".repeat(many),
        format!("{}{} x", "A=fn(\n".repeat(many), ")".repeat(many)),
        format!("{}{} x", "A=[\n".repeat(many), "]".repeat(many)),
        "A=\"\"\"\nB=```\n".repeat(many),
        "A=\"\nB='\n".repeat(many),
        format!("# {}\nA=1", "@owner=x ".repeat(long / 8)),
        format!("# {}\nA=1", "@owner( ".repeat(long / 8)),
        format!("A=fn({}", "\"a\",".repeat(long / 4)),
        format!("A=fn({}", "'a,\"b,".repeat(long / 6)),
        format!("A={}", "fn(".repeat(long / 3)),
        "nothing: of this\n".repeat(many),
    ] {
        let facts = read_text(&KIND, ".env.schema", text);
        assert!(facts.gaps.len() <= MAX_FILE_GAPS + 2);
    }
}

/// One block schema line for each field, and what it says.
fn block() -> impl Strategy<Value = (String, Vec<String>)> {
    let class = prop::option::of(prop::sample::select(vec![Class::Plain, Class::Secret, Class::RotationRequired]));
    let text = || prop::option::of("[a-z][a-z0-9 -]{0,10}[a-z0-9]");
    ("[A-Z][A-Z0-9_]{0,12}[A-Z]", class, text(), text(), prop::option::of(any::<bool>())).prop_map(
        |(key, class, owner, cadence, required)| {
            let mut lines = vec![format!("key: {key}")];
            lines.extend(class.map(|class| format!("classification: {}", class.as_str())));
            lines.extend(owner.map(|owner| format!("owner:   {owner}")));
            lines.extend(cadence.map(|cadence| format!("cadence: {cadence}")));
            lines.extend(required.map(|required| format!("  required: {required}  # why")));
            (key, lines)
        },
    )
}

fn said(declaration: &Declaration) -> (Option<Class>, Option<String>, Option<String>, Option<bool>) {
    let cadence = declaration.cadence.as_ref().map(|cadence| cadence.text.clone());
    (declaration.class, declaration.owner.clone(), cadence, declaration.required)
}

/// Pieces of which schemas of either dialect consist.
fn schema_like() -> impl Strategy<Value = String> {
    let pieces = [
        "# ",
        "@owner",
        "@sensitive",
        "@cadence",
        "=",
        "KEY",
        "key",
        ":",
        " ",
        "\n",
        "\r\n",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "`",
        "```",
        "\"\"\"",
        "\\",
        ",",
        "$A",
        "fn",
        "# ---\n",
        "é",
        "classification: secret\n",
        "\u{2028}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_read(text in prop_oneof![schema_like(), "(?s).{0,200}"]) {
        let facts = read_text(&KIND, ".env.schema", &text);
        prop_assert_eq!(facts.declarations.len() as u64, facts.scope[0].held);
    }

    #[test]
    fn the_order_of_fields_does_not_matter(
        (blocks, shuffled) in prop::collection::vec(block(), 1..6).prop_flat_map(|blocks| {
            let shuffled: Vec<_> = blocks.iter().map(|(_, lines)| Just(lines.clone()).prop_shuffle()).collect();
            (Just(blocks), shuffled)
        }),
    ) {
        let text = |blocks: Vec<&Vec<String>>| blocks.iter().map(|lines| lines.join("\n")).collect::<Vec<_>>().join("\n\n");
        let straight = read_text(&KIND, ".env.schema", text(blocks.iter().map(|(_, lines)| lines).collect()));
        let mixed = read_text(&KIND, ".env.schema", text(shuffled.iter().collect()));
        prop_assert!(straight.gaps.is_empty() && mixed.gaps.is_empty());
        prop_assert_eq!(straight.declarations.len(), blocks.len());
        for ((one, other), (key, lines)) in straight.declarations.iter().zip(&mixed.declarations).zip(&blocks) {
            prop_assert_eq!(&one.label, key);
            prop_assert_eq!(&one.label, &other.label);
            prop_assert_eq!(said(one), said(other));
            prop_assert_eq!(one.owner.as_ref().map(|owner| format!("owner:   {owner}")), lines.iter().find(|line| line.starts_with("owner")).cloned());
        }
    }

    #[test]
    fn no_value_is_told(secret in "[a-z]{6}-[0-9]{6}") {
        for text in [
            format!("key: A\ndefault: {secret}\n{secret}\n{secret}: x\nclassification: {secret}\ntargets: {secret}\nrequired: {secret}"),
            format!("A={secret}\nB=\"{secret}\n{secret}\nC='a' {secret}\n# @sensitive={secret}\nD=fn({secret}\n"),
        ] {
            let facts = read_text(&KIND, ".env.schema", &text);
            let told = format!("{facts:?}").contains(&secret);
            prop_assert!(!facts.gaps.is_empty() && !told, "{}", text);
        }
    }
}
