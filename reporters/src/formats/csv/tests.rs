use keytrail_rules::report::Report;
use proptest::prelude::*;

use super::{begins_formula, guarded};
use crate::formats::tests::render;
use crate::sheets::{inventory, visible};
use crate::{Options, escape, samples};

/// The rows of a table by another reader's rules than ours: none but those of RFC 4180.
fn rows(format: &str, report: &Report) -> Vec<Vec<String>> {
    let text = render(format, report, &Options::default());
    assert!(text.replace("\r\n", "").chars().all(|c| !escape::is_deceptive(c)));
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect());
    std::iter::once(header).chain(rows).collect()
}

/// What the guard put in is taken out.
fn unguarded(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        if begins_formula(c) && plain.ends_with('\'') {
            plain.pop();
        }
        plain.push(c);
    }
    plain
}

fn cell(rows: &[Vec<String>], secret: &str, column: &str) -> String {
    let at = |name: &str| rows[0].iter().position(|one| one == name).expect("a column");
    let row = rows.iter().find(|row| row[at("secret")] == secret).expect("a row");
    row[at(column)].clone()
}

#[test]
fn a_company_is_one_table() {
    insta::assert_snapshot!(render("csv", &samples::company(), &Options::default()).replace("\r\n", "\n"));
}

#[test]
fn its_findings_are_another() {
    insta::assert_snapshot!(render("csv-findings", &samples::company(), &Options::default()).replace("\r\n", "\n"));
}

#[test]
fn a_secret_has_its_proof_its_traces_and_its_exception() {
    let mut report = samples::everything();
    report.rotations.truncate(3);
    let rows = rows("csv", &report);
    for (column, expected) in [
        ("key", "DATABASE_PASSWORD"),
        ("environment", "production"),
        ("last_rotation_not_before", "2026-04-22T11:30:00Z"),
        ("due", "2026-07-21T11:30:00Z"),
        ("last_change", "2026-03-01T23:10:00Z"),
        ("verdict", "inconclusive"),
        ("requested", "present"),
        ("requested_evidence", "runs ledger/runs.jsonl:5"),
        ("written_evidence", "vault-audit audit/vault.log:1402"),
        ("loaded", "unknown"),
        ("loaded_evidence", ""),
        ("consumers", "kubernetes:shop/deployment/api"),
    ] {
        assert_eq!(cell(&rows, "DATABASE_PASSWORD@production", column), expected, "{column}");
    }
    assert_eq!(cell(&rows, "LEGACY_KEY", "findings"), "overdue-rotation (excepted)");
    report.exceptions[1].reason = "the vendor ends the service in March".to_owned();
    let rows = self::rows("csv", &report);
    assert_eq!(cell(&rows, "LEGACY_KEY", "exception"), "the vendor ends the service in March");
    assert_eq!(cell(&rows, "LEGACY_KEY", "exception_expires"), "2026-12-01T00:00:00Z");
}

#[test]
fn what_could_not_be_read_is_in_the_table() {
    for format in ["csv", "csv-findings"] {
        let rows = rows(format, &samples::gaps_only());
        assert_eq!(rows.len(), 3, "{format}");
        assert_eq!(rows[2][0], "gap", "{format}");
        assert!(rows[1].iter().any(|cell| cell.contains("the server is sealed")), "{format}");
    }
}

#[test]
fn no_cell_is_a_formula() {
    let report = samples::full_of(&samples::hostile_strings());
    for format in ["csv", "csv-findings"] {
        let text = render(format, &report, &Options::default());
        assert!(text.contains("\"'=cmd|''/c calc'!A1\"") || text.contains("\"'=cmd|'/c calc'!A1\""), "{format}");
        // However the lines are split: by any separator, with or without quotes.
        for part in text.split([',', ';', '|', '\t', '\n', '"']) {
            assert!(!part.trim_start().starts_with(begins_formula), "{format}: {part}");
        }
    }
}

#[test]
fn the_guard_is_where_a_formula_could_begin() {
    for (text, expected) in [
        ("=1+1", "'=1+1"),
        ("  -x", "  '-x"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("a;=1", "a;'=1"),
        ("a, @b", "a, '@b"),
        ("\"+1", "\"'+1"),
        ("a-b@c", "a-b@c"),
        ("2026-03-01", "2026-03-01"),
        ("keytrail scan --fix", "keytrail scan --fix"),
        ("", ""),
    ] {
        assert_eq!(guarded(text), expected);
        assert_eq!(unguarded(expected), text);
    }
}

proptest! {
    #[test]
    fn a_reader_gets_every_text_back(texts in proptest::collection::vec("[-=+@,;|\"' a\\t\\n＝]{0,8}|.{0,12}", 1..6)) {
        let report = samples::full_of(&texts);
        let rows = rows("csv", &report);
        let columns = inventory(&report).columns;
        let owner = 1 + columns.iter().position(|column| column.name == "owner").expect("a column");
        for (row, text) in rows[1..].iter().zip(&texts) {
            prop_assert!(!row[owner].trim_start().starts_with(begins_formula));
            prop_assert_eq!(unguarded(&row[owner]), visible(text));
        }
    }
}
