use keytrail_rules::model::Declaration;
use proptest::prelude::*;

use super::super::testing::{fixture, outline, read, read_text};
use super::{KIND, claims};
use crate::source::{MAX_FILE_GAPS, SourceFile};

fn runbook(text: &str) -> String {
    outline(&read_text(&KIND, "docs/secrets.md", text))
}

fn read_fixture(name: &str) -> String {
    outline(&read(&KIND, &fixture(&format!("runbook/{name}.md"))))
}

fn is_claimed(text: &str) -> bool {
    claims(&SourceFile::from_bytes("x.md", text.as_bytes().to_vec()))
}

#[test]
fn tables_of_both_shapes_name_secrets() {
    insta::assert_snapshot!(read_fixture("rotation"), @r"
    9: Session signing key | cadence=every 90 days | auto=No
    10: Booking database password | cadence=every 90 days | auto=RDS: Yes
    11: Maps API key | cadence=every 6 months | auto=No
    12: Deploy access keys | cadence=every 30 days | auto=No (use OIDC)
    13: Fax gateway PIN | cadence=?When Ellen is back | auto=No
    19: SESSION_SIGNING_KEY | owner=Web | cadence=every 3 months | places=vault:harbour/site#SESSION_SIGNING_KEY
    20: MAIL_USER | owner=Web | cadence=on provider change | places=vault:harbour/site#MAIL_USER
    20: MAIL_PASSWORD | owner=Web | cadence=on provider change | places=vault:harbour/site#MAIL_PASSWORD
    21: POSTGRES_PASSWORD | owner=Data | cadence=every 1 year | places=vault:secret/shared/postgres#POSTGRES_PASSWORD
    22: DATABASE_URL | owner=Data | cadence=on password change | places=vault:secret/shared/postgres#DATABASE_URL
    23: KEYCLOAK_ADMIN | owner=Identity | cadence=never (static) | places=vault:harbour/keycloak#KEYCLOAK_ADMIN
    37: Tide table licence | cadence=every 1 year
    38: Mooring fees login | cadence=every 6 months
    ");
}

#[test]
fn tables_are_read_however_they_are_written() {
    insta::assert_snapshot!(read_fixture("messy"), @r"
    8: LEDGER_TOKEN | class=secret | owner=Ledger | cadence=every 90 days | environment=production | places=bao:team/ledger#token
    8: LEDGER_TOKEN | class=secret | owner=Ledger | cadence=every 90 days | environment=staging | places=bao:team/ledger#token
    9: LEDGER_URL | class=rotation-required | owner=Ledger | cadence=every 90 days | environment=production | places=vault:team/ledger#LEDGER_URL | from=LEDGER_TOKEN
    10: LEDGER_SALT | cadence=never (static)
    15: PAY_WEBHOOK_KEY | cadence=every 1 month
    16: PAY_KEY_ID | cadence=every 14 days
    16: PAY_KEY_SECRET | cadence=every 14 days
    17: api-key | cadence=every 30 days | places=vault:pay/gateway#api-key
    18: Refund tokens (cards, wallets)
    23: PAY_LAST | cadence=every 1 year
    20: gap: a name with * stands for secrets that are not named (name each secret in a row of its own)
    22: gap: the row names no secret (name the secret, or remove the row)
    23: gap: the row has more cells than the table has columns, so the last ones were not read (write a | inside a cell as \|)
    25: gap: the rows from this line on belong to no table, so they were not read (remove what parts them from the table above, or give them a header)
    ");
}

#[test]
fn tables_of_other_things_are_not_claimed() {
    assert!(claims(&fixture("runbook/rotation.md")) && claims(&fixture("runbook/messy.md")));
    assert!(!claims(&fixture("runbook/other.md")));
    assert_eq!(read_fixture("other"), "");
    assert!(!is_claimed(""));
    assert!(!is_claimed("Rotate every secret:\n\n- one\n- two\n"));
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    for name in ["rotation", "messy"] {
        let text = fixture(&format!("runbook/{name}.md")).text().to_owned();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(runbook(&windows), runbook(&text), "{name}");
    }
}

#[test]
fn bytes_that_are_not_utf8_lose_nothing_else() {
    let facts = read_text(&KIND, "x.md", b"|Secret|Rotation|\n|-|-|\n|A_KEY|daily|\n|caf\xe9|daily|\n|B_KEY|daily|\n");
    assert_eq!((facts.declarations.len(), facts.gaps.len()), (3, 1));
}

#[test]
fn a_cell_that_is_prose_is_a_gap() {
    let long = "x".repeat(300);
    let found = runbook(&format!("|Secret|Rotation|Owner|\n|-|-|-|\n|A_KEY|daily|{long}|\n|B_KEY|daily|web|"));
    insta::assert_snapshot!(found, @r"
    3: A_KEY | cadence=every 1 day
    4: B_KEY | owner=web | cadence=every 1 day
    3: gap: a cell of the row is too long to be read (shorten the cell)
    ");
}

#[test]
fn hostile_files_are_read_in_time_and_memory_or_not_at_all() {
    let table = "\n\n|Secret|Rotation|\n|-|-|\n|A_KEY|daily|\n";
    let rows = |count: usize| format!("|Secret|Rotation|\n|-|-|\n{}", "|A_KEY|daily|\n".repeat(count));
    for (text, declarations, gaps) in [
        (">".repeat(100_000) + table, 0, 1),
        ("- ".repeat(20_000) + "a\n" + &"b\n".repeat(100_000) + table, 0, 1),
        ("1. ".repeat(20_000) + "a\n" + &"b\n".repeat(100_000) + table, 0, 1),
        ((0..400).map(|depth| " ".repeat(2 * depth) + "- a\n").collect::<String>() + table, 0, 1),
        ("[".repeat(500_000) + table, 1, 0),
        ("*a_ ".repeat(200_000) + table, 1, 0),
        ("<a ".repeat(200_000) + table, 1, 0),
        ("x".repeat(16 << 20) + table, 0, 1),
        ("a\n|Secret|Rotation|\n|-|-|\n\n".repeat(30_000), 0, 0),
        ("a\n|Secret|Rotation\n|-|-|-\n".repeat(30_000) + table, 1, 0),
        ("- a\nb\n|Secret|Rotation|\n|-|-|\n".repeat(30_000), 0, 0),
        ("- a\n".to_owned() + &"b\n|Secret|Rotation|\n|-|-|\n|A|daily|\n".repeat(20_000), 20_000, 0),
        (rows(20_000), 20_000, 0),
        (format!("{}\n{}\n{}", "|Secret|Rotation".repeat(20_000), "|-|-".repeat(20_000), "|\n".repeat(100_000)), 0, 1),
        (format!("|Secret|Rotation|\n|-|-|\n|{}|daily|", "A_KEY,".repeat(500_000)), 0, 1),
        (format!("|Secret|Rotation|\n|-|-|\n|{}", "A|".repeat(500_000)), 1, 1),
    ] {
        let head: String = text.chars().take(20).collect();
        let facts = read_text(&KIND, "x.md", &text);
        assert_eq!(
            (facts.declarations.len(), facts.gaps.len()),
            (declarations, gaps),
            "{head}: {:?}",
            facts.gaps.first()
        );
        assert!(is_claimed(&text), "{head}");
    }
}

/// Pieces of which runbooks consist.
fn markdown_like() -> impl Strategy<Value = String> {
    let pieces = [
        "|Secret|Rotation|Owner|\n",
        "|---|:-:|---|\n",
        "|",
        "\\|",
        "`",
        "**",
        "A_KEY",
        "daily",
        "\n",
        "\n\n",
        "\r\n",
        "> ",
        "- ",
        "# ",
        "<br>",
        "<!--",
        "-->",
        "[a](b)",
        "\"",
        ",",
        "(",
        ")",
        "*",
        "vault:a/b#c",
        "é",
        "~~",
        "    ",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60).prop_map(|pieces| pieces.concat())
}

/// What one row says, by column.
fn row() -> impl Strategy<Value = [String; 5]> {
    let owner = prop::sample::select(vec!["web", "data platform", ""]);
    let frequency = prop::sample::select(vec!["90 days", "Quarterly", "On token change", "some day", ""]);
    let auto = prop::sample::select(vec!["No", "RDS: Yes", ""]);
    let path = prop::sample::select(vec!["harbour/site", "secret/data/a/b", "a safe", ""]);
    ("[A-Z]{2,6}_[A-Z]{2,6}", owner, frequency, auto, path)
        .prop_map(|(name, owner, frequency, auto, path)| [&name, owner, frequency, auto, path].map(str::to_owned))
}

const HEADER: [&str; 5] = ["Key", "Owner", "Rotation frequency", "Auto-rotation", "Vault path"];

fn table(rows: &[[String; 5]], order: &[usize]) -> String {
    let line = |cells: &dyn Fn(usize) -> String| {
        format!("| {} |\n", order.iter().map(|at| cells(*at)).collect::<Vec<_>>().join(" | "))
    };
    let header = line(&|at| HEADER[at].to_owned()) + &line(&|_| "---".to_owned());
    rows.iter().fold(header, |text, row| text + &line(&|at| row[at].clone()))
}

proptest! {
    #[test]
    fn any_text_is_read(text in prop_oneof![markdown_like(), "(?s).{0,200}"]) {
        let facts = read_text(&KIND, "x.md", &text);
        prop_assert!(facts.gaps.len() <= MAX_FILE_GAPS + 2);
        prop_assert!(facts.declarations.is_empty() || is_claimed(&text));
    }

    #[test]
    fn the_order_of_columns_does_not_matter(
        rows in prop::collection::vec(row(), 1..6),
        order in Just(vec![0usize, 1, 2, 3, 4]).prop_shuffle(),
    ) {
        let declarations = |order: &[usize]| -> Vec<Declaration> {
            let facts = read_text(&KIND, "x.md", table(&rows, order));
            let unplaced = |mut declaration: Declaration| {
                // Where the line ends depends on the order of nothing but the cells.
                declaration.location = declaration.location.map(|at| keytrail_rules::model::Location::of_line("x.md", at.line, ""));
                declaration
            };
            facts.declarations.into_iter().map(unplaced).collect()
        };
        let straight = declarations(&[0, 1, 2, 3, 4]);
        prop_assert_eq!(&straight, &declarations(&order));
        prop_assert_eq!(straight.len(), rows.len());
        for (said, [name, owner, frequency, auto, path]) in straight.iter().zip(&rows) {
            prop_assert_eq!(&said.label, name);
            prop_assert_eq!(said.owner.clone().unwrap_or_default(), owner.clone());
            prop_assert_eq!(said.cadence.as_ref().map_or("", |cadence| &cadence.text), frequency);
            prop_assert_eq!(said.auto_rotation.as_ref().map_or("", |auto| &auto.text), auto);
            prop_assert_eq!(said.places.len(), usize::from(path.contains('/')));
        }
    }
}
