//! A PgBouncer in a temporary folder, for as long as a test holds it.

use std::env;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::postgres::{as_user, server_user};

/// The password of `admin`, who may use the console.
pub(crate) const ADMIN: &str = "planted-console-password";

/// A running PgBouncer.
pub(crate) struct PgBouncer {
    folder: TempDir,
    server: Child,
    port: u16,
}

impl PgBouncer {
    /// Starts one with these lines in `[databases]`, these in `[pgbouncer]`, and these users beside `admin`.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) fn start(databases: &str, settings: &str, users: &str) -> Self {
        let program = env::var_os("KEYTRAIL_TEST_PGBOUNCER").map_or("/usr/sbin/pgbouncer".into(), PathBuf::from);
        assert!(
            program.exists(),
            "there is no PgBouncer: run tests/run, or set KEYTRAIL_TEST_PGBOUNCER to its program"
        );
        let folder = tempfile::Builder::new().prefix("keytrail-pgbouncer-").tempdir().expect("a temporary folder");
        let user = server_user();
        let place = folder.path();
        // The port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let ini = format!(
                "; written by hand\n[databases]\n{databases}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {0}/userlist.txt\nadmin_users = admin\n\
                 logfile = {0}/log\n{settings}\n",
                place.display()
            );
            for (name, text) in [("pgbouncer.ini", ini), ("userlist.txt", format!("\"admin\" \"{ADMIN}\"\n{users}"))] {
                fs::write(place.join(name), text).expect("a file");
                fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o640)).expect("a mode");
            }
            if let Some((uid, gid)) = user {
                for path in [place.to_owned(), place.join("pgbouncer.ini"), place.join("userlist.txt")] {
                    chown(path, Some(uid), Some(gid)).expect("root may give a file away");
                }
            }
            fs::write(place.join("console-password"), ADMIN).expect("a file");
            let errors = File::create(place.join("errors")).expect("a file");
            let mut command = as_user(&program, user);
            let mut server = command.arg(place.join("pgbouncer.ini")).stderr(errors).spawn().expect("pgbouncer runs");
            if comes_up(&mut server, port) {
                return Self { folder, server, port };
            }
        }
        panic!("pgbouncer: {}", fs::read_to_string(place.join("errors")).unwrap_or_default());
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A file of it: `pgbouncer.ini`, `userlist.txt`, `log`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a file of it holds.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).expect("a text file")
    }

    /// The `[[workload]]` table of it.
    pub(crate) fn workload(&self, database: &str, guard: &Path) -> Value {
        json!({
            "ini": self.file("pgbouncer.ini"), "database": database, "guard": guard,
            "admin": {
                "url": format!("postgres://admin@127.0.0.1:{}/pgbouncer", self.port),
                "password": {"file": self.file("console-password")},
            },
        })
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

/// Waits until it takes connections; `false` if it ends before.
fn comes_up(server: &mut Child, port: u16) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        if server.try_wait().expect("a child").is_some() {
            return false;
        }
        assert!(Instant::now() < end, "pgbouncer does not come up");
        thread::sleep(Duration::from_millis(10));
    }
}
