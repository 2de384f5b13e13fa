//! What is SQLite's own: files, modes, locks. What holds on every database is tested in `tests/state.rs`.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use keytrail_rules::model::{Secret, Time};
use sqlx::Executor;
use tempfile::TempDir;

use super::*;

const SHORT: Limits = Limits { busy: std::time::Duration::from_millis(50), ..Limits::USUAL };

fn root() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn open(root: &Path, mode: Mode) -> Result<Option<State>, StateError> {
    State::open_within(&StateConfig::default(), root, mode, SHORT).await
}

async fn writable(root: &Path) -> State {
    open(root, Mode::ReadWrite).await.unwrap().expect("a state")
}

fn seen(places: usize) -> Vec<Seen> {
    (0..places)
        .map(|at| Seen {
            place: Place::new("vault", &format!("secret/app-{at}"), "password"),
            fingerprint: Fingerprint::from_stored("f".repeat(32)),
            version: None,
        })
        .collect()
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file of a folder with its mode and content.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), (mode_of(&path), fs::read(&path).unwrap_or_default()))).collect()
}

#[tokio::test]
async fn everything_is_for_the_owner_alone() {
    let root = root();
    let folder = root.path().join(FOLDER);
    let state = writable(root.path()).await;
    state.record("key", Time::default(), &seen(3)).await.unwrap();
    fingerprint_key(&StateConfig::default(), root.path(), Mode::ReadWrite).unwrap();
    let names: Vec<String> = contents(&folder)
        .into_iter()
        .map(|(path, (mode, _))| format!("{} {mode:o}", path.file_name().unwrap().display()))
        .collect();
    assert_eq!(
        names,
        [".gitignore 600", "fingerprint.key 600", "state.db 600", "state.db-shm 600", "state.db-wal 600"]
    );
    assert_eq!(mode_of(&folder), 0o700);
    assert_eq!(fs::read_to_string(folder.join(".gitignore")).unwrap(), "*\n");

    let names = ["fingerprint.key", "state.db", "state.db-shm", "state.db-wal"];
    set_mode(&folder, 0o755);
    names.iter().for_each(|name| set_mode(&folder.join(name), 0o644));
    fs::write(folder.join(".gitignore"), "mine").unwrap();
    writable(root.path()).await;
    fingerprint_key(&StateConfig::default(), root.path(), Mode::ReadWrite).unwrap();
    assert_eq!(mode_of(&folder), 0o700);
    for name in names {
        assert_eq!(mode_of(&folder.join(name)), 0o600, "{name}");
    }
    assert_eq!(fs::read_to_string(folder.join(".gitignore")).unwrap(), "mine", "what is there stays");
}

#[tokio::test]
async fn what_is_another_users_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root may give files away.
    }
    let root = root();
    let folder = root.path().join(FOLDER);
    writable(root.path()).await.close().await.unwrap();
    fingerprint_key(&StateConfig::default(), root.path(), Mode::ReadWrite).unwrap();
    for name in ["state.db", "fingerprint.key", ""] {
        let path = folder.join(name);
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        set_mode(&path, 0o755);
        let refused = match name {
            "fingerprint.key" => fingerprint_key(&StateConfig::default(), root.path(), Mode::ReadWrite).unwrap_err(),
            _ => open(root.path(), Mode::ReadWrite).await.unwrap_err(),
        };
        assert!(matches!(refused, StateError::OtherOwner(_)), "{name}: {refused}");
        assert_eq!(mode_of(&path), 0o755, "{name}");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
}

#[tokio::test]
async fn links_are_not_followed() {
    let (root, other) = (root(), root_with_mode(0o755));
    symlink(other.path(), root.path().join(FOLDER)).unwrap();
    let refused = open(root.path(), Mode::ReadWrite).await.unwrap_err();
    assert!(matches!(refused, StateError::NotPlain(_, "folder")), "{refused}");
    assert_eq!(mode_of(other.path()), 0o755);
    assert_eq!(contents(other.path()), BTreeMap::new());

    fs::remove_file(root.path().join(FOLDER)).unwrap();
    fs::create_dir(root.path().join(FOLDER)).unwrap();
    let target = other.path().join("target");
    fs::write(&target, "a".repeat(64)).unwrap();
    symlink(&target, root.path().join(FOLDER).join("state.db")).unwrap();
    symlink(&target, root.path().join(FOLDER).join("fingerprint.key")).unwrap();
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let refused = open(root.path(), mode).await.unwrap_err();
        assert!(matches!(refused, StateError::NotPlain(_, "file")), "{refused}");
        let refused = fingerprint_key(&StateConfig::default(), root.path(), mode).unwrap_err();
        assert!(matches!(refused, StateError::NotPlain(_, "file")), "{refused}");
    }
}

fn root_with_mode(mode: u32) -> TempDir {
    let root = root();
    set_mode(root.path(), mode);
    root
}

#[tokio::test]
async fn a_reader_makes_and_changes_nothing() {
    let root = root();
    assert!(open(root.path(), Mode::ReadOnly).await.unwrap().is_none());
    assert_eq!(contents(root.path()), BTreeMap::new());

    // Closed: one file. In use: a log and its index beside it.
    let state = writable(root.path()).await;
    state.record("key", Time::default(), &seen(3)).await.unwrap();
    state.close().await.unwrap();
    let folder = root.path().join(FOLDER);
    let closed = contents(&folder);
    assert_eq!(closed.len(), 2);
    let reader = open(root.path(), Mode::ReadOnly).await.unwrap().expect("a state");
    assert_eq!(reader.sightings("key").await.unwrap().len(), 3);
    reader.close().await.unwrap();
    assert_eq!(contents(&folder), closed);

    let writer = writable(root.path()).await;
    writer.record("key", Time::default(), &seen(5)).await.unwrap();
    let mut in_use = contents(&folder);
    assert_eq!(in_use.len(), 4);
    let reader = open(root.path(), Mode::ReadOnly).await.unwrap().expect("a state");
    assert_eq!(reader.sightings("key").await.unwrap().len(), 5, "the log is read too");
    reader.close().await.unwrap();
    // The index holds the locks of readers, which is how a writer knows of them.
    let mut after = contents(&folder);
    in_use.remove(&folder.join("state.db-shm"));
    after.remove(&folder.join("state.db-shm"));
    assert_eq!(after, in_use);
}

#[tokio::test]
async fn a_reader_without_a_lock_does_not_miss_a_change() {
    let root = root();
    writable(root.path()).await.close().await.unwrap();
    let reader = open(root.path(), Mode::ReadOnly).await.unwrap().expect("a state");
    assert_eq!(reader.sightings("key").await.unwrap().len(), 0);
    let writer = writable(root.path()).await;
    writer.record("key", Time::default(), &seen(1)).await.unwrap();
    let refused = reader.sightings("key").await.unwrap_err();
    assert!(matches!(refused, StateError::Locked(_)), "{refused}");
    writer.close().await.unwrap();
}

#[tokio::test]
async fn a_reader_does_not_mend_a_log_without_its_index() {
    let root = root();
    let folder = root.path().join(FOLDER);
    let writer = writable(root.path()).await;
    writer.record("key", Time::default(), &seen(3)).await.unwrap();
    let copy = root_with_mode(0o700);
    fs::create_dir(copy.path().join(FOLDER)).unwrap();
    for name in ["state.db", "state.db-wal"] {
        fs::copy(folder.join(name), copy.path().join(FOLDER).join(name)).unwrap();
    }
    let before = contents(&copy.path().join(FOLDER));
    let refused = open(copy.path(), Mode::ReadOnly).await.unwrap_err();
    assert!(matches!(refused, StateError::Unrecovered(_)), "{refused}");
    assert_eq!(contents(&copy.path().join(FOLDER)), before);
    assert_eq!(writable(copy.path()).await.sightings("key").await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_no_state_database_is_never_overwritten() {
    let foreign = {
        let folder = root();
        let path = folder.path().join("foreign.db");
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        connection.execute("CREATE TABLE orders (id BIGINT)").await.unwrap();
        connection.close().await.unwrap();
        fs::read(path).unwrap()
    };
    let damaged = {
        let root = root();
        let state = writable(root.path()).await;
        state.record("key", Time::default(), &seen(2_000)).await.unwrap();
        state.close().await.unwrap();
        let mut bytes = fs::read(root.path().join(FOLDER).join("state.db")).unwrap();
        // The schema is on the first page; the rest is garbage.
        bytes[4_096..].fill(0xff);
        bytes
    };
    let text = b"this is no database, although it is longer than the header of one is: ".repeat(20);
    for (name, bytes) in [("foreign", foreign), ("text", text), ("damaged", damaged)] {
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let root = root();
            let path = root.path().join(FOLDER).join("state.db");
            fs::create_dir(root.path().join(FOLDER)).unwrap();
            fs::write(&path, &bytes).unwrap();
            let refused = match open(root.path(), mode).await {
                Ok(state) => state.expect("a state").sightings("key").await.unwrap_err(),
                Err(refused) => refused,
            };
            match name {
                "foreign" => assert!(matches!(refused, StateError::Foreign(_)), "{refused}"),
                _ => assert!(matches!(refused, StateError::Damaged(_)), "{name}: {refused}"),
            }
            assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
        }
    }
}

#[tokio::test]
async fn an_empty_file_is_a_new_database() {
    let root = root();
    fs::create_dir(root.path().join(FOLDER)).unwrap();
    fs::write(root.path().join(FOLDER).join("state.db"), "").unwrap();
    assert!(open(root.path(), Mode::ReadOnly).await.unwrap().is_none());
    assert_eq!(writable(root.path()).await.sightings("key").await.unwrap(), BTreeMap::new());
}

#[tokio::test]
async fn a_lock_is_waited_for_and_then_reported() {
    let root = root();
    let state = writable(root.path()).await;
    let other = writable(root.path()).await;
    let mut connection = other.connection.lock().await;
    let transaction = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = state.record("key", Time::default(), &seen(1)).await.unwrap_err();
    assert!(matches!(refused, StateError::Locked(_)), "{refused}");
    assert_eq!(state.sightings("key").await.unwrap().len(), 0, "reading needs no lock");
    transaction.rollback().await.unwrap();
    state.record("key", Time::default(), &seen(1)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_recorded() {
    let root = root();
    let state = writable(root.path()).await;
    state.record("key", Time::default(), &seen(10)).await.unwrap();
    state.connection.lock().await.execute("PRAGMA max_page_count = 40").await.unwrap();
    let refused = state.record("key", Time::default(), &seen(5_000)).await.unwrap_err();
    assert!(matches!(refused, StateError::Full(_)), "{refused}");
    assert_eq!(state.sightings("key").await.unwrap().len(), 10);
    state.connection.lock().await.execute("PRAGMA max_page_count = 100000").await.unwrap();
    state.record("key", Time::default(), &seen(5_000)).await.unwrap();
    assert_eq!(state.sightings("key").await.unwrap().len(), 5_000);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_an_error() {
    let root = root();
    fs::write(root.path().join(FOLDER), "a file in the way").unwrap();
    let refused = open(root.path(), Mode::ReadWrite).await.unwrap_err();
    assert!(matches!(refused, StateError::NotPlain(_, "folder")), "{refused}");
    let refused = open(&root.path().join("absent"), Mode::ReadWrite).await.unwrap_err();
    assert!(matches!(refused, StateError::File { .. }), "{refused}");
    let config = StateConfig { url: Some("sqlite:.keytrail/sub/state.db".into()), ..StateConfig::default() };
    let refused = State::open(&config, root.path(), Mode::ReadWrite).await.unwrap_err();
    assert!(matches!(refused, StateError::File { .. }), "{refused}");
}

/// Undoes the steps of the schema from a number on.
fn older_than(step: usize) -> String {
    let tables = database::MIGRATIONS[step - 1..].iter().flat_map(|(_, sql)| sql.split("CREATE TABLE ").skip(1));
    let drops = tables.map(|table| format!("DROP TABLE {};", table.split(' ').next().unwrap_or_default()));
    drops.collect::<String>() + &format!("DELETE FROM keytrail_migrations WHERE version >= {step}")
}

#[tokio::test]
async fn a_reader_of_an_older_schema_finds_no_verdicts() {
    let root = root();
    let state = writable(root.path()).await;
    state.connection.lock().await.execute(sqlx::AssertSqlSafe(older_than(3))).await.unwrap();
    state.record("key", Time::default(), &seen(1)).await.unwrap();
    state.close().await.unwrap();
    let reader = open(root.path(), Mode::ReadOnly).await.unwrap().expect("a state");
    assert_eq!(reader.verdicts(Time::default()).await.unwrap(), BTreeMap::new());
    assert_eq!(reader.unfinished_rotations().await.unwrap(), []);
    assert_eq!(reader.rotation_ledger().await.unwrap().rows, []);
    assert_eq!(reader.past("", Time::MAX_UTC).await.unwrap(), Past::default());
    assert_eq!(reader.sightings("key").await.unwrap().len(), 1);
    reader.close().await.unwrap();
    let state = writable(root.path()).await;
    assert_eq!(state.verdicts(Time::default()).await.unwrap(), BTreeMap::new(), "the schema is brought up to date");
    assert_eq!(state.sightings("key").await.unwrap().len(), 1, "and what was there stays");
}

fn key(root: &Path, mode: Mode) -> Result<String, StateError> {
    fingerprint_key::read_or_make(None, &StateConfig::default(), root, mode).map(|key| key.id())
}

#[test]
fn a_key_is_made_once() {
    let root = root();
    let path = root.path().join(FOLDER).join("fingerprint.key");
    assert_ne!(key(root.path(), Mode::ReadOnly).unwrap(), key(root.path(), Mode::ReadOnly).unwrap());
    assert_eq!(contents(root.path()), BTreeMap::new());

    let ids: Vec<String> = thread::scope(|scope| {
        let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| key(root.path(), Mode::ReadWrite).unwrap())).collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(key(root.path(), Mode::ReadOnly).unwrap(), ids[0]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.len() == 65 && text.ends_with('\n') && text[..64].bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(contents(&root.path().join(FOLDER)).len(), 2, "no temporary file is left");

    let bytes: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    let made = keytrail_rules::model::FingerprintKey::new(bytes.try_into().unwrap());
    assert_eq!(made.id(), ids[0], "the file holds the key that is used");
    assert_eq!(made.fingerprint(&Secret::from("x")).as_str().len(), 32);
}

#[test]
fn a_key_is_read_where_the_config_says() {
    let root = root();
    let config = StateConfig { fingerprint_key: Some("keys/k".into()), ..StateConfig::default() };
    let read = |mode| fingerprint_key::read_or_make(None, &config, root.path(), mode).map(|key| key.id());
    let made = read(Mode::ReadWrite).unwrap();
    assert_eq!(mode_of(&root.path().join("keys")), 0o700);
    assert_eq!(read(Mode::ReadOnly).unwrap(), made);
    assert!(!root.path().join(FOLDER).exists());
}

#[test]
fn a_key_from_the_environment_comes_first() {
    let root = root();
    let made = key(root.path(), Mode::ReadWrite).unwrap();
    let read = |text: &str| {
        let variable = Some(text.as_bytes().to_vec());
        fingerprint_key::read_or_make(variable, &StateConfig::default(), root.path(), Mode::ReadOnly)
    };
    let id = read(&"0A".repeat(32)).unwrap().id();
    assert_ne!(id, made);
    assert_eq!(read(&format!(" {}\n", "0a".repeat(32))).unwrap().id(), id);
    for bad in ["", "planted", &"0".repeat(63), &"0".repeat(65), &"é".repeat(32), &"+1".repeat(32)] {
        let refused = read(bad).unwrap_err();
        assert_eq!(refused.to_string(), "KEYTRAIL_FINGERPRINT_KEY is not 64 hexadecimal digits");
    }
}

#[test]
fn a_file_that_holds_no_key_is_refused_and_kept() {
    let root = root();
    let path = root.path().join(FOLDER).join("fingerprint.key");
    fs::create_dir(root.path().join(FOLDER)).unwrap();
    for content in ["", "planted", &"f".repeat(10_000)] {
        fs::write(&path, content).unwrap();
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let refused = key(root.path(), mode).unwrap_err();
            assert!(matches!(refused, StateError::NotAKey(_)), "{refused}");
            assert!(!format!("{refused:?}").contains("planted"));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}
