use std::path::Path;

use keytrail_rules::model::{CodeUseKind, FingerprintKey, Secret};
use proptest::prelude::*;

use super::{KIND, MAX_USES, is_comment};
use crate::inventory;
use crate::source::{Reader, SourceFile};

fn key() -> FingerprintKey {
    FingerprintKey::new([7; 32])
}

fn read(file: &SourceFile) -> keytrail_rules::model::Facts {
    inventory::read(
        &KIND,
        file,
        &Reader { key: &key(), generated: false, as_of: chrono::DateTime::UNIX_EPOCH, known: None },
    )
}

/// A line for each use.
fn uses(file: &SourceFile) -> String {
    let facts = read(file);
    assert_eq!(facts.gaps, []);
    let lines = facts.code.iter().map(|code| match &code.kind {
        CodeUseKind::EnvironRead(Some(key)) => format!("{}: reads {key}", code.location.line),
        CodeUseKind::EnvironRead(None) => format!("{}: reads a variable", code.location.line),
        CodeUseKind::CredentialUrl { target, .. } => format!("{}: password for {target}", code.location.line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn uses_of(text: &str) -> String {
    uses(&SourceFile::from_bytes("app/main", text.into()))
}

#[test]
fn a_file_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/inventory/code");
    let file = SourceFile::read(&root, "settings.py").expect("the fixture");
    insta::assert_snapshot!(uses(&file), @"
    5: reads DATABASE_URL
    6: reads API_KEY
    8: password for amqp://queue.internal:5672
    14: reads a variable
    ");
}

#[test]
fn reads_are_found_in_every_language() {
    for (line, expected) in [
        (r#"x = os.environ["A_KEY"]"#, "A_KEY"),
        (r#"x = os.environ [ "A_KEY" ]"#, "A_KEY"),
        (r#"x = os.environ.get('A_KEY', 1)"#, "A_KEY"),
        (r#"x = os.environ.pop( "A_KEY")"#, "A_KEY"),
        (r#"x = os.environb[b"A_KEY"]"#, "A_KEY"),
        ("x = os.environ[name]", "?"),
        (r#"x = os.getenv("A_KEY")"#, "A_KEY"),
        ("x = os.getenv(f\"{prefix}_KEY\")", "?"),
        ("const x = process.env.A_KEY;", "A_KEY"),
        ("const x = process.env.A_KEY ?? 'd';", "A_KEY"),
        ("if (process.env.A_KEY === 'x') {", "A_KEY"),
        (r#"const x = process.env["A_KEY"]"#, "A_KEY"),
        ("const x = process.env[`A_KEY`]", "A_KEY"),
        ("const x = process.env[name]", "?"),
        (r#"let x = std::env::var("A_KEY")?;"#, "A_KEY"),
        (r#"let x = env::var_os("A_KEY");"#, "A_KEY"),
        ("let x = env::var(NAME);", "?"),
        (r#"x := os.Getenv("A_KEY")"#, "A_KEY"),
        ("x, ok := os.LookupEnv(`A_KEY`)", "A_KEY"),
        (r#"String x = System.getenv("A_KEY");"#, "A_KEY"),
        (r#"x = ENV["A_KEY"]"#, "A_KEY"),
        (r#"x = ENV.fetch("A_KEY") { 1 }"#, "A_KEY"),
        (r#"x = ENV.fetch "A_KEY""#, "A_KEY"),
        (r#"char *x = getenv("A_KEY");"#, "A_KEY"),
        (r#"*x = secure_getenv ("A_KEY");"#, "A_KEY"),
        (r#"#define X getenv("A_KEY")"#, "A_KEY"),
        (r#"$x = $_ENV['A_KEY'];"#, "A_KEY"),
        (r#"var x = Environment.GetEnvironmentVariable("A_KEY");"#, "A_KEY"),
        ("const { A_KEY, B: b, C = 'd', ...rest } = process.env;", "A_KEY B C"),
        (r#"x = [os.getenv("A_KEY"), os.getenv("A_KEY"), process.env.B]"#, "A_KEY B"),
        // No reads.
        (r#"os.environ["A_KEY"] = "x""#, ""),
        ("process.env.A_KEY = 'x'", ""),
        (r#"ENV["A_KEY"] = "x""#, ""),
        (r#"# x = os.environ["A_KEY"]"#, ""),
        ("  // process.env.A_KEY", ""),
        (" * getenv(\"A_KEY\")", ""),
        ("settings.environ.get('A_KEY')", ""),
        ("my_getenv('A_KEY')", ""),
        ("environment::variable(\"A_KEY\")", ""),
    ] {
        let found = uses_of(line).replace("1: reads a variable", "?").replace("1: reads ", "").replace('\n', " ");
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn only_literal_passwords_count() {
    for (line, expected) in [
        (r#"url = "postgres://app:tiger-9-x@db.internal:5432/app?x=1""#, "postgres://db.internal:5432"),
        ("url: 'redis://:tiger-9-x@cache:6379/0'", "redis://cache:6379"),
        ("curl https://ci:tiger-9-x@example.com/path)", "https://example.com"),
        ("x = f'amqp://app:tiger-9-x@{host}/v'", "amqp://{host}"),
        ("url = \"postgres://app:tiger-9-x@[::1]:5432/app\"", "postgres://[::1]:5432"),
        // No literal passwords.
        ("x = f'postgres://app:{settings.db_word}@db/app'", ""),
        ("x = `postgres://app:${secrets.dbWord}@db/app`", ""),
        ("x = \"postgres://app:#{secrets.db_word}@db/app\"", ""),
        ("x = 'postgres://app:%s@db/app' % word", ""),
        ("x = 'postgres://app:%(word)s@db/app' % all", ""),
        ("x = 'postgres://app:' + word + '@db/app'", ""),
        ("x = \"postgres://app:$DB_WORD@db/app\"", ""),
        ("x = 'postgres://app:<your-password>@db/app'", ""),
        ("x = 'postgres://app:changeme@db/app'", ""),
        ("x = 'postgres://app@db/app'", ""),
        ("x = 'https://example.com:8443/a@b'", ""),
        ("# x = 'postgres://app:tiger-9-x@db/app'", ""),
    ] {
        let found = uses_of(line).replace("1: password for ", "");
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn the_password_is_fingerprinted_decoded() {
    let facts = read(&SourceFile::from_bytes("a.py", b"x = 'postgres://app:p%40ss-w9@db/app'".to_vec()));
    let expected = CodeUseKind::CredentialUrl {
        target: "postgres://db".into(),
        password: key().fingerprint(&Secret::from("p@ss-w9")),
    };
    assert_eq!(facts.code[0].kind, expected);
    assert!(!format!("{facts:?}").contains("ss-w9"));
}

#[test]
fn comments_are_told_from_code() {
    for line in ["# x", "  // x", "/* x", " * x", " */", "-- x", "<!-- x", "; x", "#!/bin/sh", "*"] {
        assert!(is_comment(line), "{line}");
    }
    for line in ["", "x # y", "*x = y;", "#[attribute]", "#define X", "x // y"] {
        assert!(!is_comment(line), "{line}");
    }
}

#[test]
fn a_hostile_file_is_bounded() {
    let text = "getenv(\"A\")\n".repeat(MAX_USES + 5);
    let facts = read(&SourceFile::from_bytes("a.c", text.into()));
    assert_eq!((facts.code.len(), facts.gaps.len()), (MAX_USES, 1));
    assert_eq!(facts.gaps[0].location.as_ref().map(|at| at.line), u32::try_from(MAX_USES + 1).ok());

    let text: String = (0..=MAX_USES).map(|at| format!("getenv(\"A{at}\")")).collect();
    let facts = read(&SourceFile::from_bytes("a.c", text.into()));
    assert_eq!((facts.code.len(), facts.gaps.len()), (0, 1));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(bytes in any::<Vec<u8>>(), text in "(os\\.environ\\[|getenv\\(|://|:|@|\"|'|\\{|\\}|=|\\n|é|a|%| ){0,40}") {
        read(&SourceFile::from_bytes("a", bytes));
        read(&SourceFile::from_bytes("a", text.into()));
    }
}
