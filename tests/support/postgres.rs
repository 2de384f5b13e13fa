//! A PostgreSQL server in a temporary folder, for as long as a test holds it.

use std::env;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The password of the only user, `keytrail`.
pub(crate) const PASSWORD: &str = "planted-postgres-password";

/// A running server.
pub(crate) struct Postgres {
    folder: TempDir,
    server: Child,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that the tests of this process share; the last that lets it go stops it.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// Starts a server on a free port.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server with more lines in its `postgresql.conf`.
    pub(crate) fn start_with(settings: &str) -> Self {
        let bin = programs();
        assert!(
            bin.join("initdb").exists(),
            "there is no PostgreSQL in {}: run tests/run, or set KEYTRAIL_TEST_PG_BIN to the folder of initdb",
            bin.display()
        );
        let folder = tempfile::Builder::new().prefix("keytrail-postgres-").tempdir().expect("a temporary folder");
        let user = server_user();
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).expect("root may give a folder away");
        }
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file");
        let data = folder.path().join("data");
        let mut initdb = as_user(&bin.join("initdb"), user);
        initdb.args(["--auth=scram-sha-256", "--username=keytrail", "--encoding=UTF8", "--no-sync"]);
        initdb.args([
            "--no-locale".as_ref(),
            "--pwfile".as_ref(),
            password.as_os_str(),
            "-D".as_ref(),
            data.as_os_str(),
        ]);
        let made = initdb.output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let config = data.join("postgresql.conf");
        let text = fs::read_to_string(&config).expect("a config");
        fs::write(config, text + settings).expect("a config");

        // The port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let log = File::create(folder.path().join("log")).expect("a file");
            let mut server = as_user(&bin.join("postgres"), user);
            server.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-h", "127.0.0.1", "-F", "-p"]);
            let mut server = server.arg(port.to_string()).stderr(log).spawn().expect("postgres runs");
            if comes_up(&mut server, port, &data) {
                return Self { folder, server, port, databases: AtomicU32::new(0) };
            }
        }
        panic!("postgres: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    /// Starts a server that logs as JSON who came in and which roles were changed, and when they were.
    pub(crate) fn start_audited() -> Self {
        Self::start_with(
            "shared_preload_libraries = 'pgaudit'\npgaudit.log = 'role'\ntrack_commit_timestamp = on\n\
             logging_collector = on\nlog_destination = 'jsonlog'\nlog_directory = 'log'\nlog_filename = 'pg.log'\n\
             log_connections = on\nlog_statement = 'none'\nlog_timezone = 'UTC'\n",
        )
    }

    /// The JSON log of [`Postgres::start_audited`].
    pub(crate) fn json_log(&self) -> PathBuf {
        self.folder.path().join("data/log/pg.json")
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// URL of a database, with the password.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://keytrail:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and gives its URL.
    pub(crate) async fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        sqlx::any::install_default_drivers();
        let mut admin =
            <sqlx::AnyConnection as sqlx::Connection>::connect(&self.url("postgres")).await.expect("a login");
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut admin)
            .await
            .expect("a database");
        self.url(&name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: end all sessions and stop.
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.server.wait();
        // As root, the folder could be removed in any case; as another user, it is this user's own.
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

/// The folder of `initdb`, `psql` and `pgbench`.
pub(crate) fn programs() -> PathBuf {
    env::var_os("KEYTRAIL_TEST_PG_BIN").map_or("/usr/lib/postgresql/15/bin".into(), PathBuf::from)
}

/// User and group to run the server as: it refuses to run as root.
pub(super) fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let id = |option| {
        let output = Command::new("id").args([option, "postgres"]).output().expect("id runs");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a user `postgres`: run tests/run")
    };
    Some((id("-u"), id("-g")))
}

pub(super) fn as_user(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).env_remove("PGPASSWORD").current_dir("/");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Waits until the server takes connections; `false` if it ends before.
fn comes_up(server: &mut Child, port: u16, data: &Path) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let ready = fs::read_to_string(data.join("postmaster.pid"))
            .is_ok_and(|file| file.lines().nth(7).is_some_and(|status| status.trim() == "ready"));
        if ready && TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        if server.try_wait().expect("a child").is_some() {
            return false;
        }
        assert!(Instant::now() < end, "postgres does not come up");
        thread::sleep(Duration::from_millis(10));
    }
}
