//! A real Redis in a temporary folder, for as long as a test holds it.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server.
pub(crate) struct Redis {
    folder: TempDir,
    server: Child,
    port: u16,
}

impl Redis {
    /// Starts a server with these lines in its config.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) fn start(config: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("keytrail-redis-").tempdir().expect("a temporary folder");
        // The port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let lines = format!("port {port}\nbind 127.0.0.1\nsave \"\"\n{config}\n");
            fs::write(folder.path().join("redis.conf"), lines).expect("a file");
            if let Some(server) = launch(&folder, port) {
                return Self { folder, server, port };
            }
        }
        panic!("Redis: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    /// Ends the server and starts it again from the config that it has now.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.server = launch(&self.folder, self.port).expect("Redis starts again");
    }

    /// `redis://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs `redis-cli` as a user; what it prints.
    pub(crate) fn cli(&self, user: &str, password: &str, args: &[&str]) -> String {
        let mut command = Command::new(program("redis-cli"));
        command.args(["-p", &self.port.to_string(), "--user", user, "--no-auth-warning"]).args(args);
        let output = command.env("REDISCLI_AUTH", password).stdin(Stdio::null()).output().expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// `redis-benchmark` against it, not started yet.
    pub(crate) fn benchmark(&self) -> Command {
        let mut command = Command::new(program("redis-benchmark"));
        command.args(["-p", &self.port.to_string()]).stdin(Stdio::null());
        command
    }

    fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(folder: &TempDir, port: u16) -> Option<Child> {
    let log = File::create(folder.path().join("log")).expect("a file");
    let mut server = Command::new(program("redis-server"));
    server.arg("redis.conf").current_dir(folder.path()).stdin(Stdio::null());
    let mut server = server.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("Redis starts");
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if server.try_wait().expect("a child").is_some() {
            return None;
        }
        assert!(Instant::now() < end, "Redis does not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(server)
}

fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("KEYTRAIL_TEST_REDIS").expect("KEYTRAIL_TEST_REDIS is not set: run tests/run");
    let path = PathBuf::from(folder).join(name);
    assert!(path.is_file(), "{} is not there: run tests/run", path.display());
    path
}
