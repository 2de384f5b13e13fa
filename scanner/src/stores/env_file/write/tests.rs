use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use keytrail_rotation::context::Context;
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rotation::store::{Store, Version};
use keytrail_rules::model::Secret;

use super::super::super::{vault, writer};
use crate::config::StoreConfig;

const TEXT: &str = "# keep\r\nexport A='planted-old' # note\r\nB=planted-sibling\r\nA=planted-old";
const EDITED: &str = "# keep\r\nexport A='planted-new' # note\r\nB=planted-sibling\r\nA=planted-new";

/// The files of a folder without a `[[store]]`.
fn store(root: &Path) -> Arc<dyn Store> {
    writer("env-file", &[], root).expect("a store")
}

fn context() -> Context {
    Context::new("kt-20261121t183000z-0f3a9c21")
}

async fn version(store: &dyn Store, path: &str) -> Version {
    store.read(&context(), path, &["A".to_owned()]).await.expect("it reads").version
}

async fn write(store: &dyn Store, path: &str, value: &str, expected: &Version) -> Result<Version, Failure> {
    let value = Secret::from(value);
    store.write(&context(), path, &BTreeMap::from([("A".to_owned(), &value)]), expected).await
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_value_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, link) = (folder.path().join("shared.env"), folder.path().join(".env"));
    fs::write(&file, TEXT).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
    #[cfg(target_os = "linux")]
    rustix::fs::setxattr(&file, "user.team", b"payments", rustix::fs::XattrFlags::empty()).expect("an attribute");
    symlink("shared.env", &link).expect("a link");
    let store = store(folder.path());
    let keys = ["A".to_owned(), "B".to_owned(), "C".to_owned()];
    let held = store.read(&context(), ".env", &keys).await.expect("it reads");
    let read: Vec<(&str, &str)> = held.values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    assert_eq!(read, [("A", "planted-old"), ("B", "planted-sibling")]);
    assert_eq!(store.preflight(&context(), ".env", &keys[..2]).await, Ok(Vec::new()));
    assert_eq!(fs::read_to_string(&file).expect("a file"), TEXT, "a preflight writes nothing");

    let made = write(&*store, ".env", "planted-new", &held.version).await.expect("it writes");
    assert_eq!(fs::read_to_string(&file).expect("a file"), EDITED);
    assert_eq!(file.metadata().expect("a file").mode() & 0o7777, 0o640);
    assert!(link.symlink_metadata().expect("a link").is_symlink());
    #[cfg(target_os = "linux")]
    {
        let mut value = [0; 32];
        let len = rustix::fs::getxattr(&file, "user.team", &mut value[..]).expect("an attribute");
        assert_eq!(&value[..len], b"payments");
    }
    assert_eq!(names(folder.path()), [".env", "shared.env"]);
    assert_eq!(version(&*store, ".env").await, made);
    // What is there already is not written again.
    assert_eq!(write(&*store, ".env", "planted-new", &made).await, Ok(made.clone()));
    let stale = write(&*store, ".env", "planted-late", &held.version).await.expect_err("refused");
    assert_eq!(stale.outcome, Outcome::Conflict);
    assert_eq!(fs::read_to_string(&file).expect("a file"), EDITED);
}

#[tokio::test]
async fn a_change_of_the_same_length_at_the_same_moment_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(".env");
    let store = store(folder.path());
    for round in 0..10 {
        fs::write(&file, "A=planted-old\n").expect("a file");
        let seen = version(&*store, ".env").await;
        fs::write(&file, "A=planted-own\n").expect("a file");
        let refused = write(&*store, ".env", "planted-new", &seen).await.expect_err("refused");
        assert_eq!((refused.outcome, round), (Outcome::Conflict, round));
        assert_eq!(fs::read_to_string(&file).expect("a file"), "A=planted-own\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_writers_one_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(".env"), "A=0\n").expect("a file");
    let (one, other) = (store(folder.path()), store(folder.path()));
    for round in 1..=50 {
        let seen = version(&*one, ".env").await;
        let (left, right) = (format!("{round}left"), format!("{round}right"));
        let (first, second) = tokio::join!(
            tokio::spawn({
                let (one, seen, left) = (one.clone(), seen.clone(), left.clone());
                async move { write(&*one, ".env", &left, &seen).await }
            }),
            tokio::spawn({
                let (other, right) = (other.clone(), right.clone());
                async move { write(&*other, ".env", &right, &seen).await }
            }),
        );
        let results = [(first.expect("a task"), left), (second.expect("a task"), right)];
        let won: Vec<&String> = results.iter().filter(|(result, _)| result.is_ok()).map(|(_, value)| value).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        assert!(results.iter().any(|(result, _)| result.as_ref().is_err_and(|lost| lost.outcome == Outcome::Conflict)));
        assert_eq!(fs::read_to_string(folder.path().join(".env")).expect("a file"), format!("A={}\n", won[0]));
    }
    assert_eq!(names(folder.path()), [".env"]);
}

#[tokio::test]
async fn what_should_not_be_replaced_is_refused() {
    let (folder, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let at = |name: &str| folder.path().join(name);
    for name in ["linked.env", "readonly.env", "broken.env", "good.env"] {
        fs::write(at(name), "A=planted-old\n").expect("a file");
    }
    fs::hard_link(at("linked.env"), at("second.env")).expect("a link");
    fs::set_permissions(at("readonly.env"), fs::Permissions::from_mode(0o400)).expect("a mode");
    fs::write(at("broken.env"), b"A=planted-\xff\n").expect("a file");
    fs::write(outside.path().join("far.env"), "A=planted-old\n").expect("a file");
    symlink(outside.path().join("far.env"), at("far.env")).expect("a link");
    fs::create_dir(at("folder.env")).expect("a folder");
    let store = store(folder.path());
    for (path, why) in [
        ("linked.env", "hard links"),
        ("readonly.env", "read-only"),
        ("broken.env", "no UTF-8"),
        ("far.env", "outside the scanned folder"),
        ("folder.env", "not a regular file"),
        ("none.env", "is not there"),
    ] {
        let found = store.preflight(&context(), path, &["A".to_owned()]).await.expect("an answer");
        assert!(found.len() == 1 && found[0].contains(why), "{path}: {found:?}");
        let expected = version_or_none(&*store, path).await;
        let refused = write(&*store, path, "planted-new", &expected).await.expect_err("refused");
        assert_eq!(refused.outcome, Outcome::NotDone, "{path}");
        assert!(refused.what.contains(why) && !refused.what.contains("planted"), "{refused:?}");
    }
    let found = store.preflight(&context(), "good.env", &["A".to_owned(), "B".to_owned()]).await;
    assert_eq!(found, Ok(vec!["B is not set in the file".to_owned()]));
    assert_eq!(fs::read_to_string(at("linked.env")).expect("a file"), "A=planted-old\n");
}

async fn version_or_none(store: &dyn Store, path: &str) -> Version {
    let held = store.read(&context(), path, &[]).await;
    held.map_or(Version(String::new()), |held| held.version)
}

#[tokio::test]
async fn a_table_of_the_config_names_its_files() {
    let (folder, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let file = outside.path().join("host.env");
    fs::write(&file, "A=planted-old\n").expect("a file");
    fs::write(folder.path().join(".env"), "A=planted-old\n").expect("a file");
    let config = StoreConfig {
        name: "hosts".into(),
        kind: "env-file".into(),
        root: folder.path().into(),
        paths: vec![format!("{}/*.env", outside.path().display())],
        ..vault::tests::config("")
    };
    let store = writer("hosts", std::slice::from_ref(&config), folder.path()).expect("a store");
    let path = file.to_str().expect("UTF-8");
    let seen = version(&*store, path).await;
    write(&*store, path, "planted-new", &seen).await.expect("it writes");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "A=planted-new\n");
    let other = store.read(&context(), ".env", &[]).await.expect_err("refused");
    assert_eq!(
        (other.outcome, other.what.as_str()),
        (Outcome::NotDone, ".env is none of the files of the store hosts")
    );

    let refused = |name: &str, stores: &[StoreConfig]| writer(name, stores, folder.path()).err().expect("refused").what;
    assert_eq!(refused("vault", &[]), "no store is called vault");
    let export = StoreConfig { kind: "vault-export".into(), ..config };
    assert!(refused("hosts", &[export]).contains("a copy of another"));
}

/// The environment variable that names the folder of [`writes_once`].
const FOLDER: &str = "KEYTRAIL_TEST_WRITES_ONCE";

/// What the next test runs in a process of its own, to kill it.
#[tokio::test]
async fn writes_once() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = store(Path::new(&folder));
    let seen = version(&*store, ".env").await;
    write(&*store, ".env", "planted-new", &seen).await.expect("it writes");
}

#[cfg(target_os = "linux")]
#[test]
fn a_kill_leaves_the_old_file_or_the_new_one() {
    let (mut before, mut after) = (0, 0);
    let calls =
        ["flock", "getdents64", "openat", "write", "fchmod", "fsetxattr", "fsync", "renameat2", "unlink", "read"];
    for call in calls {
        for nth in 1.. {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join(".env");
            fs::write(&file, TEXT).expect("a file");
            rustix::fs::setxattr(&file, "user.team", b"payments", rustix::fs::XattrFlags::empty()).expect("set");
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/dev/null", "-P"]).arg(&file).arg("-P").arg(folder.path());
            strace.arg("-P").arg(folder.path().join(format!(".keytrail-{}.tmp", context().run)));
            strace.args(["-e", &format!("inject={call}:signal=KILL:when={nth}")]);
            strace.arg(std::env::current_exe().expect("a program"));
            strace.args(["--exact", "stores::env_file::write::tests::writes_once"]).env(FOLDER, folder.path());
            let killed = !strace.output().expect("strace runs").status.success();
            match fs::read_to_string(&file).expect("a file").as_str() {
                TEXT => before += 1,
                EDITED => after += 1,
                text => panic!("killed at {call} {nth}: {text:?}"),
            }
            let left = names(folder.path());
            assert!(left.len() <= 2, "{left:?}");
            for name in &left {
                let mode = folder.path().join(name).metadata().expect("a file").mode();
                assert!(name == ".env" || name.starts_with(".keytrail-"), "{name}");
                assert!(mode & 0o7777 == 0o644 || name != ".env", "{mode:o}");
            }
            let finished = Command::new(std::env::current_exe().expect("a program"))
                .args(["--exact", "stores::env_file::write::tests::writes_once"])
                .env(FOLDER, folder.path())
                .output()
                .expect("it runs");
            assert!(finished.status.success(), "{finished:?}");
            assert_eq!(fs::read_to_string(&file).expect("a file"), EDITED);
            assert_eq!(names(folder.path()), [".env"], "killed at {call} {nth}");
            if !killed {
                assert!(nth > 1, "{call} is never called");
                break;
            }
        }
    }
    assert!(before > 5 && after > 5, "{before} kills before, {after} after");
}
