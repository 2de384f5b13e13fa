//! An AWS emulator that rotates secrets without a function, in a temporary folder, for as long as a test holds it.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::localemu;

/// A running emulator.
pub(crate) struct Moto {
    _folder: TempDir,
    server: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Moto {
    /// Starts an emulator.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) async fn start() -> Self {
        let programs = std::env::var_os("KEYTRAIL_TEST_MOTO").expect("KEYTRAIL_TEST_MOTO is not set: run tests/run");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let mut server = Command::new(std::path::Path::new(&programs).join("moto_server"));
            server.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env_clear().env("HOME", folder.path());
            server.env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(folder.path());
            server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut server = server.spawn().expect("the emulator starts");
            if comes_up(port, &mut server).await {
                return Self { _folder: folder, server, address: format!("http://127.0.0.1:{port}") };
            }
        }
        panic!("moto does not come up");
    }

    /// From here on requests are answered only if they are signed with an access key that it made.
    pub(crate) async fn check_logins(&self) {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = http.post(format!("{}/moto-api/reset-auth", self.address)).body("0").send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    /// Runs AWS's own command line against it; what it prints, as JSON.
    ///
    /// # Panics
    /// Where the command fails.
    pub(crate) fn aws(&self, args: &[&str]) -> Value {
        let output = localemu::aws(&self.address, &localemu::environment(), args);
        assert!(output.status.success(), "aws {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }
}

async fn comes_up(port: u16, server: &mut Child) -> bool {
    let end = Instant::now() + Duration::from_secs(120);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if server.try_wait().expect("a child").is_some() {
            return false;
        }
        assert!(Instant::now() < end, "the emulator does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
