//! A consumer logs in all the time, while a rotation is killed at system calls that write, send or receive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keytrail_rotation::context::Context;
use keytrail_rotation::credential::Credential;
use keytrail_rotation::issuers::{Issuer, IssuerKind};
use keytrail_rotation::state::Answer;
use keytrail_rules::model::Secret;
use serde_json::json;

use crate::support::redis::Redis;

/// How often it is killed, unless `KEYTRAIL_TEST_KILLS` says another number.
const KILLS: usize = 30;
/// What changes something that outlives the process, or asks somebody else to.
const CALLS: &str = "write,pwrite64,writev,fsync,fdatasync,ftruncate,rename,renameat2,unlink,connect,sendto,sendmsg";
const OLD: &str = "plum-orchard-lantern-4417";
const ADMIN: &str = "planted-admin-password";

struct Shop {
    folder: tempfile::TempDir,
    redis: Redis,
}

impl Shop {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let users = format!("user default off\nuser admin on +@all ~* &* >{ADMIN}\nuser app on +ping >{OLD}\n");
        fs::create_dir(path("server")).expect("a folder");
        fs::write(path("server/users.acl"), users).expect("a file");
        fs::write(path("server/admin"), ADMIN).expect("a file");
        let redis = Redis::start(&format!("aclfile {}", path("server/users.acl").display()));
        let url = redis.url();
        let config = format!(
            "[[secret]]\nkey = \"CACHE_PASSWORD\"\nowner = \"data\"\ncadence = \"90 days\"\nconsumers = []\n\
             grace = \"0s\"\nverify = [{{ redis = \"{url}\", user = \"app\" }}]\n\n\
             [secret.issuer]\nkind = \"redis\"\nnodes = [\"{url}\"]\nuser = \"app\"\nadmin_user = \"admin\"\n\
             admin = {{ file = \"{}\" }}\n\n[rotation]\nlease = \"1s\"\n",
            path("server/admin").display()
        );
        fs::create_dir(path("app")).expect("a folder");
        fs::write(path("app/keytrail.toml"), config).expect("a file");
        fs::write(path("app/.env"), format!("# cache\nCACHE_PASSWORD={OLD}\nREGION=eu\n")).expect("a file");
        Self { folder, redis }
    }

    fn app(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    fn keytrail(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keytrail"));
        self.prepare(&mut command).args(args);
        command
    }

    /// The same under `strace`, with options for it.
    fn traced(&self, options: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new("strace");
        self.prepare(&mut command).args(["-f", "-qq", "-e", &format!("trace={CALLS}")]).args(options);
        command.arg(env!("CARGO_BIN_EXE_keytrail")).args(args);
        command
    }

    fn prepare<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.folder.path()).current_dir(self.app());
        command.stdin(Stdio::null())
    }

    /// Goes on until nothing is under way.
    fn resume_to_the_end(&self) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let output = self.keytrail(&["rotate", "--resume"]).output().expect("the binary runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("nothing is under way") {
                return;
            }
            assert!(Instant::now() < end, "it does not end: {said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

const ROTATE: [&str; 3] = ["rotate", "CACHE_PASSWORD", "--yes"];

/// The password that the application reads when it logs in.
fn current(app: &Path) -> String {
    let text = fs::read_to_string(app.join(".env")).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[2]), (3, "# cache", "REGION=eu"), "a sibling was changed");
    lines[1].strip_prefix("CACHE_PASSWORD=").expect("a password").to_owned()
}

/// Logs in until it is told to stop; counts the logins. The value may change between the look and the login, and only
/// then may the login be refused.
async fn log_in(app: PathBuf, issuer: Box<dyn Issuer>, stop: Arc<AtomicBool>, logins: Arc<AtomicUsize>) {
    let context = Context::new("kt-consumer");
    while !stop.load(Ordering::Relaxed) {
        let seen = current(&app);
        let answer = issuer.check(&context, &Credential::of_value(Secret::from(seen.as_str()))).await;
        if answer != Ok(Answer::Works) {
            assert_ne!(current(&app), seen, "the application is locked out: {answer:?}");
        }
        logins.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_can_log_in_at_every_instant_whatever_is_killed() {
    let kills = std::env::var("KEYTRAIL_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let shop = Shop::start();
    let table = json!({
        "nodes": [shop.redis.url()], "user": "app", "admin_user": "admin",
        "admin": { "file": shop.folder.path().join("server/admin") },
    });
    let settings = serde_json::from_value(table).expect("a table");
    let issuer = (IssuerKind::find("redis").expect("a kind").open)(&settings).expect("an issuer");
    let (stop, logins) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let consumer = tokio::spawn(log_in(shop.app(), issuer, stop.clone(), logins.clone()));

    // Each thread counts its own calls.
    let log = shop.folder.path().join("calls");
    let whole = shop.traced(&["-o", &log.display().to_string()], &ROTATE).output().expect("strace runs");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let text = fs::read_to_string(&log).expect("a log");
    let mut calls = std::collections::BTreeMap::<&str, usize>::new();
    text.lines().filter_map(|line| line.split_whitespace().next()).for_each(|pid| *calls.entry(pid).or_default() += 1);
    let most = calls.values().copied().max().expect("calls");

    let (mut values, mut hits) = (vec![OLD.to_owned(), current(&shop.app())], 0);
    for kill in 0..kills {
        let at = 1 + kill * most / kills;
        let inject = format!("inject={CALLS}:signal=KILL:when={at}");
        let traced = shop.traced(&["-o", "/dev/null", "-e", &inject], &ROTATE);
        let ended = tokio::task::spawn_blocking(move || {
            let mut traced = traced;
            traced.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("strace runs")
        });
        hits += usize::from(!ended.await.expect("an end").success());
        tokio::task::block_in_place(|| shop.resume_to_the_end());
        let value = current(&shop.app());
        if values.last() != Some(&value) {
            assert!(!values.contains(&value), "a value came back");
            values.push(value);
        }
        // Nothing is left behind: the user has one password.
        let user = shop.redis.cli("admin", ADMIN, &["ACL", "LIST"]);
        let app = user.lines().find(|line| line.contains("user app")).expect("the user");
        assert_eq!(app.matches('#').count(), 1, "{app}");
    }
    stop.store(true, Ordering::Relaxed);
    consumer.await.expect("the application was never locked out");
    assert!(hits * 10 > kills * 8, "only {hits} of {kills} kills hit it");
    assert!(logins.load(Ordering::Relaxed) > kills, "the application hardly logged in");
    assert!(values.len() > 2, "no rotation went on");
}
