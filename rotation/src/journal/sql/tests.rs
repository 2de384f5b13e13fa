//! The journal on SQLite and on PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use keytrail_rules::model::Secret;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;

use super::*;
use crate::failure::Outcome;
use crate::journal::conformance::{self, begin, row, time};
use crate::ledger::Status;
use crate::ledger::tree;
use crate::ledger::verify::{LedgerError, verify};
use crate::testing::postgres::Postgres;

mod crashes;

/// A database that nobody has used yet.
pub(crate) struct Fresh {
    folder: TempDir,
    url: String,
    _server: Option<Arc<Postgres>>,
}

impl Fresh {
    fn of(url: Option<String>, server: Option<Arc<Postgres>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite://{}?mode=rwc", folder.path().join("state.db").display());
        Self { folder, url: url.unwrap_or(file), _server: server }
    }

    async fn sqlite() -> Self {
        let fresh = Self::of(None, None);
        fresh.tamper(SCHEMA).await;
        fresh
    }

    pub(crate) async fn both() -> [Self; 2] {
        let server = Postgres::shared();
        let url = server.new_database().await;
        let postgres = Self::of(Some(url), Some(server));
        postgres.tamper(SCHEMA).await;
        [Self::sqlite().await, postgres]
    }

    pub(crate) async fn journal(&self) -> SqlJournal {
        let journal = open(&self.url, 1).await.signed_by(self.signer());
        journal.prepare().await.unwrap();
        journal
    }

    /// The same key each time.
    fn signer(&self) -> Signer {
        let path = self.folder.path().join("ledger.key");
        if !path.exists() {
            std::fs::write(&path, Signer::generate().unwrap().to_pem().as_bytes()).unwrap();
        }
        Signer::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Runs statements behind Keytrail's back.
    async fn tamper(&self, sql: &str) {
        self.try_tamper(sql).await.unwrap();
    }

    async fn try_tamper(&self, sql: &str) -> Result<(), sqlx::Error> {
        let mut connection = connect(&self.url).await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map(drop)?;
        connection.close().await
    }

    /// Without the triggers, as somebody would who owns the database.
    async fn force(&self, table: &str, sql: &str) {
        let drop = match self.url.starts_with("sqlite:") {
            true => format!("DROP TRIGGER {table}_update; DROP TRIGGER {table}_delete;"),
            false => format!("DROP TRIGGER {table}_guard ON {table};"),
        };
        self.tamper(&format!("{drop} {sql}")).await;
    }
}

async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    if url.starts_with("sqlite:") {
        let settings = "PRAGMA busy_timeout = 20000; PRAGMA journal_mode = WAL";
        sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
    }
    connection
}

async fn open(url: &str, key: u8) -> SqlJournal {
    SqlJournal::new(connect(url).await, SealKey::new(&[key; 32]).unwrap(), Arc::new(time_now))
}

fn time_now() -> Time {
    time()
}

fn planted(text: &str) -> Credential {
    Credential::of_value(Secret::from(text))
}

/// Carries out a whole run of one item.
pub(crate) async fn rotate(journal: &SqlJournal, run: &str, item: &str) {
    let lease = begin(journal, run, &[item]).await;
    journal.keep(&lease, run, item, Which::New, &planted(&format!("planted-{run}"))).await.unwrap();
    journal.advance(&lease, run, State::Planned, State::Sealed).await.unwrap();
    journal.finish(&lease, run, State::Sealed, State::Confirmed, &row(run, Status::Succeeded)).await.unwrap();
    journal.release(&lease).await.unwrap();
}

#[tokio::test]
async fn it_is_a_journal() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        conformance::check(&journal).await;
        let ledger = journal.ledger().await.unwrap();
        verify(&ledger, &[fresh.signer().verifier()]).unwrap();
        journal.prepare().await.unwrap();
        journal.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_ledger_is_chained_signed_and_proven() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        for run in 0..5 {
            rotate(&journal, &format!("kt-{run}"), "DB").await;
        }
        let ledger = journal.ledger().await.unwrap();
        let verifier = fresh.signer().verifier();
        let (entries, signed) = verify(&ledger, std::slice::from_ref(&verifier)).unwrap();
        assert_eq!(signed, 10);
        assert_eq!(entries, journal.entries(0, 100).await.unwrap());
        assert_eq!(journal.entries(3, 2).await.unwrap(), entries[3..5]);
        assert_eq!(ledger.checkpoints.keys().copied().collect::<Vec<_>>(), [2, 4, 6, 8, 10]);
        let leaves: Vec<_> = ledger.rows.iter().map(|(_, hash)| hash.unwrap()).collect();
        let checkpoint = |size| verifier.checkpoint(&ledger.checkpoints[&size]).unwrap();
        let (old, new) = (checkpoint(4), checkpoint(10));
        let proof = tree::prove_consistency(&leaves, 4).unwrap();
        assert!(tree::verify_consistency((old.size, old.root), (new.size, new.root), &proof));
        let proof = tree::prove_inclusion(&leaves, 7).unwrap();
        assert!(tree::verify_inclusion(entries[7].hash(), 7, 10, &proof, new.root));
    }
}

#[tokio::test]
async fn what_is_written_once_is_not_changed() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        rotate(&journal, "kt-1", "DB").await;
        for (table, column) in [
            ("keytrail_rotation_notes", "note"),
            ("keytrail_rotation_fingerprints", "run"),
            ("keytrail_ledger", "entry"),
            ("keytrail_ledger_checkpoints", "note"),
        ] {
            for sql in [format!("UPDATE {table} SET {column} = 'x'"), format!("DELETE FROM {table}")] {
                let refused = fresh.try_tamper(&sql).await.unwrap_err().to_string();
                assert!(refused.contains("are only added"), "{sql}: {refused}");
            }
        }
        let ledger = journal.ledger().await.unwrap();
        assert_eq!(ledger.rows.len(), 2);
    }
}

#[tokio::test]
async fn a_ledger_that_was_changed_by_force_is_not_signed() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        rotate(&journal, "kt-1", "DB").await;
        let lease = begin(&journal, "kt-2", &["DB"]).await;
        fresh.force("keytrail_ledger", "UPDATE keytrail_ledger SET entry = REPLACE(entry, 'ada', 'eve')").await;
        let ledger = journal.ledger().await.unwrap();
        let error = verify(&ledger, &[fresh.signer().verifier()]).unwrap_err();
        assert_eq!(error, LedgerError::Changed { seq: 0 });
        let end = row("kt-2", Status::RolledBack);
        let refused = journal.finish(&lease, "kt-2", State::Planned, State::Aborted, &end).await.unwrap_err();
        assert_eq!(refused.what, "row 2 of the ledger is missing or was changed");
        assert_eq!(journal.unfinished().await.unwrap().len(), 1, "nothing was written");
        fresh.tamper("DELETE FROM keytrail_ledger WHERE number = 2").await;
        let refused = journal.finish(&lease, "kt-2", State::Planned, State::Aborted, &end).await.unwrap_err();
        assert_eq!(refused.what, "row 2 of the ledger is missing or was changed");
        journal.prepare().await.unwrap();
        fresh.try_tamper("DELETE FROM keytrail_ledger").await.unwrap_err();
    }
}

#[tokio::test]
async fn sealed_rows_that_change_places_are_refused() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        let lease = begin(&journal, "kt-1", &["A", "B"]).await;
        for (item, which) in [("A", Which::Old), ("A", Which::New), ("B", Which::New)] {
            let credential = planted(&format!("planted-{item}-{}", which.as_str()));
            journal.keep(&lease, "kt-1", item, which, &credential).await.unwrap();
        }
        let sealed =
            |which: &str| format!("(SELECT MIN(sealed) FROM keytrail_rotation_sealed WHERE which = '{which}')");
        fresh
            .tamper(&format!("UPDATE keytrail_rotation_sealed SET sealed = {} WHERE which = 'old'", sealed("new")))
            .await;
        let refused = journal.kept("kt-1", "A", Which::Old).await.unwrap_err();
        assert!(refused.what.contains("the seal on the old credential of A in run kt-1 is broken"), "{refused}");
        let end = row("kt-1", Status::RolledBack);
        journal.finish(&lease, "kt-1", State::Planned, State::Aborted, &end).await.unwrap_err();
        assert_eq!(journal.unfinished().await.unwrap().len(), 1, "nothing was wiped");
    }
}

#[tokio::test]
async fn another_key_is_refused() {
    for fresh in Fresh::both().await {
        let journal = fresh.journal().await;
        let lease = begin(&journal, "kt-1", &["A"]).await;
        journal.keep(&lease, "kt-1", "A", Which::New, &planted("planted-value")).await.unwrap();
        let other = open(&fresh.url, 2).await;
        let refused = other.prepare().await.unwrap_err();
        assert_eq!(refused.what, "the values of run kt-1 were sealed with another key");
        assert!(refused.hint.unwrap().contains("rotation.key"));
        assert_eq!(other.kept("kt-1", "A", Which::New).await.unwrap_err().what, refused.what);
        let end = row("kt-1", Status::RolledBack);
        let failure = other.finish(&lease, "kt-1", State::Planned, State::Aborted, &end).await.unwrap_err();
        assert_eq!(failure.what, refused.what);
        journal.finish(&lease, "kt-1", State::Planned, State::Aborted, &end).await.unwrap();
        other.prepare().await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_leaves_no_lock_behind() {
    for fresh in Fresh::both().await {
        let (one, other) = (fresh.journal().await, fresh.journal().await);
        let lease = begin(&one, "kt-1", &["A"]).await;
        one.advance(&lease, "kt-1", State::Sealed, State::Staged).await.unwrap_err();
        other.advance(&lease, "kt-1", State::Planned, State::Sealed).await.unwrap();
    }
}

/// Every form in which a value would be found.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    // Base64 of a text in the middle of another depends on where it begins.
    let base64 = (0..3).map(|at| {
        let engine = base64::prelude::BASE64_STANDARD_NO_PAD;
        let whole = engine.encode([&vec![b'"'; at][..], value.as_bytes()].concat());
        whole[4..whole.len() - 4].to_owned()
    });
    [value.to_owned(), hex.to_uppercase(), hex].into_iter().chain(base64).map(String::into_bytes).collect()
}

fn find(folder: &Path, forms: &[Vec<u8>]) -> Option<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).find_map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        let found = forms.iter().any(|form| memmem(&bytes, form));
        found.then(|| path.display().to_string())
    })
}

fn memmem(bytes: &[u8], form: &[u8]) -> bool {
    bytes.windows(form.len()).any(|window| window == form)
}

#[tokio::test]
async fn no_value_is_in_any_file() {
    const VALUE: &str = "planted-value-0123456789-abcdefghij";
    let fresh = Fresh::sqlite().await;
    let journal = fresh.journal().await;
    let lease = begin(&journal, "kt-1", &["A"]).await;
    for which in [Which::Old, Which::New] {
        let credential = planted(VALUE).with("user", Secret::from(VALUE));
        journal.keep(&lease, "kt-1", "A", which, &credential).await.unwrap();
    }
    let files: Vec<_> = std::fs::read_dir(fresh.folder.path()).unwrap().collect();
    assert!(files.len() >= 4, "the log and its index are looked at too: {files:?}");
    assert_eq!(find(fresh.folder.path(), &forms(VALUE)), None);
    journal.finish(&lease, "kt-1", State::Planned, State::Aborted, &row("kt-1", Status::RolledBack)).await.unwrap();
    assert_eq!(find(fresh.folder.path(), &forms(VALUE)), None);
    journal.close().await.unwrap();
    assert_eq!(find(fresh.folder.path(), &forms(VALUE)), None);
    assert!(find(fresh.folder.path(), &[b"kt-1".to_vec()]).is_some(), "and what is there would be found");
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let fresh = Fresh::sqlite().await;
    let journal = fresh.journal().await;
    let lease = begin(&journal, "kt-1", &["A"]).await;
    journal.keep(&lease, "kt-1", "A", Which::Old, &planted("old")).await.unwrap();
    let limit = async |pages: &'static str| {
        sqlx::raw_sql(pages).execute(&mut *journal.connection.lock().await).await.unwrap();
    };
    limit("PRAGMA max_page_count = 1").await;
    let large = planted(&"x".repeat(200_000));
    let refused = journal.keep(&lease, "kt-1", "A", Which::Old, &large).await.unwrap_err();
    assert_eq!((refused.outcome, &*refused.what), (Outcome::NotDone, "no room is left for the state database"));
    assert!(journal.kept("kt-1", "A", Which::Old).await.unwrap().unwrap().agrees_with(&planted("old")));
    limit("PRAGMA max_page_count = 1000000").await;
    journal.keep(&lease, "kt-1", "A", Which::Old, &large).await.unwrap();
    assert!(journal.kept("kt-1", "A", Which::Old).await.unwrap().unwrap().agrees_with(&large));
}
