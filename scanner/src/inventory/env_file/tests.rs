use keytrail_rules::model::{Environment, Facts, FingerprintKey};
use keytrail_rules::value::{Reveals, Shape};
use proptest::prelude::*;

use super::super::testing::{fixture, outline, read, read_text};
use super::{KIND, claims};
use crate::source::{MAX_FILE_GAPS, Reader, SourceFile};

fn copies(facts: &Facts) -> String {
    let line = |copy: &keytrail_rules::model::SecretCopy| {
        let line = copy.location.as_ref().map_or(0, |at| at.line);
        format!("{line}: {} {:?}", copy.place, copy.value.shape)
    };
    facts.copies.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_line_is_a_copy() {
    let facts = read(&KIND, &fixture("env_file/.env.staging"));
    insta::assert_snapshot!(copies(&facts), @r"
    16: env-file:env_file/.env.staging#AFTER Literal
    11: env-file:env_file/.env.staging#CACHE_TOKEN Placeholder
    6: env-file:env_file/.env.staging#DATABASE_URL Literal
    12: env-file:env_file/.env.staging#EMPTY Empty
    13: env-file:env_file/.env.staging#LOG_LEVEL Literal
    10: env-file:env_file/.env.staging#MAIL_PASSWORD Reference
    4: env-file:env_file/.env.staging#PAYMENT_API_KEY Literal
    5: env-file:env_file/.env.staging#SESSION_SECRET Literal
    7: env-file:env_file/.env.staging#SIGNING_KEY Literal
    ");
    insta::assert_snapshot!(outline(&facts), @r"
    14: gap: the line has no `=`, so it sets no variable (write KEY=value, or put # before a comment)
    15: gap: the quote before the value is never closed (close the quote, or escape it)
    ");
    let url = facts.copies.iter().find(|copy| copy.place.as_str().ends_with("#DATABASE_URL")).expect("a copy");
    assert_eq!(url.value.reveals, Some(Reveals::UrlPassword));
    assert!(facts.copies.iter().all(|copy| copy.environment.as_ref().is_some_and(|name| name.as_str() == "staging")));
    assert!(facts.copies.iter().all(|copy| !copy.generated));
    assert_eq!(facts.scope[0].held, facts.copies.len() as u64);
}

#[test]
fn the_value_is_the_one_that_programs_get() {
    let fingerprint = |text: &str| {
        let facts = read_text(&KIND, ".env", text);
        facts.copies[0].value.fingerprint.clone().expect("a literal")
    };
    let plain = fingerprint("K=otter-and-river-12");
    for same in
        ["K='otter-and-river-12'", "\u{feff}export K = \"otter-and-river-12\" # note\r\n", "K=x\nK=otter-and-river-12"]
    {
        assert_eq!(fingerprint(same), plain, "{same:?}");
    }
    assert_eq!(fingerprint("K=\"one\r\ntwo\""), fingerprint("K=\"one\\ntwo\""));
    assert_ne!(fingerprint("K=otter-and-river-12#"), plain);
}

#[test]
fn a_generated_file_says_so() {
    let file = SourceFile::from_bytes("deploy/.env.local", b"A=1".to_vec());
    let facts = super::read(
        &file,
        &Reader {
            key: &FingerprintKey::new([7; 32]),
            generated: true,
            as_of: chrono::DateTime::UNIX_EPOCH,
            known: None,
        },
    );
    assert!(facts.copies[0].generated);
    assert_eq!(facts.copies[0].environment.as_ref().map(Environment::as_str), Some("local"));
}

#[test]
fn schemas_and_examples_are_not_copies() {
    let claimed = |path: &str| claims(&SourceFile::from_bytes(path, Vec::new()));
    for path in [".env", "a/.env.local", "prod.env", "schema/.env", "sample-shop.env"] {
        assert!(claimed(path), "{path}");
    }
    for path in [
        ".env.schema",
        "app.env.schema",
        ".env.example",
        "a/.env.sample",
        ".env.template",
        ".env.dist",
        "example.env",
        ".env.local.Example",
    ] {
        assert!(!claimed(path), "{path}");
    }
}

#[test]
fn bytes_that_are_not_utf8_lose_nothing_else() {
    let facts = read_text(&KIND, ".env", b"A=1\nB=\xff\xfe\nC=3");
    assert_eq!(facts.copies.len(), 3);
    assert_eq!(facts.gaps.len(), 1);
    assert_eq!(facts.gaps[0].location.as_ref().map(|at| at.line), Some(2));
}

#[test]
fn a_file_of_broken_lines_gives_few_gaps() {
    let facts = read_text(&KIND, ".env", "no variable here\n".repeat(100_000) + "A=1");
    assert_eq!(facts.copies.len(), 1);
    assert_eq!(facts.gaps.len(), MAX_FILE_GAPS + 1);
    let last = facts.gaps.last().expect("a gap");
    assert_eq!(last.message, "from this line on, 99900 more lines could not be read");
}

#[test]
fn one_huge_line_is_read() {
    let facts = read_text(&KIND, ".env", format!("A={}", "otter ".repeat(2 << 20)));
    assert_eq!(facts.copies.len(), 1);
    assert_eq!(facts.copies[0].value.shape, Shape::Literal);
}

proptest! {
    #[test]
    fn any_text_is_read_and_no_value_is_told(text in "(?s).{0,200}", secret in "[a-z]{6}-[0-9]{6}") {
        let facts = read_text(&KIND, ".env", &text);
        prop_assert!(facts.gaps.len() <= MAX_FILE_GAPS + 2);
        for line in [format!("K=\"{secret}"), secret.clone(), format!("K='a' {secret}"), format!("{secret} a=1")] {
            let facts = read_text(&KIND, ".env", format!("{line}\n"));
            let told = format!("{facts:?}").contains(&secret);
            prop_assert!(!told, "{}", line);
        }
    }
}
