//! An AWS emulator that records CloudTrail, in a temporary folder, for as long as a test holds it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The region that everything is in.
pub(crate) const REGION: &str = "us-east-1";

/// A running emulator.
pub(crate) struct LocalEmu {
    _folder: TempDir,
    server: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
}

impl LocalEmu {
    /// Starts an emulator.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts an emulator that honours no key but `test` and those of its own users, while they are active.
    pub(crate) async fn start_strict() -> Self {
        Self::start_with(&[("IAM_ENFORCEMENT", "1"), ("ROOT_ACCESS_KEYS", "test"), ("PARITY_AWS_ACCESS_KEY_ID", "1")])
            .await
    }

    async fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("keytrail-localemu-").tempdir().expect("a temporary folder");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        // The port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let address = format!("http://127.0.0.1:{port}");
            let log = File::create(folder.path().join("log")).expect("a file");
            let mut server = Command::new(program("localemu"));
            server.args(["start"]).env_clear().env("HOME", folder.path()).current_dir(folder.path());
            server.env("PATH", std::env::var_os("PATH").unwrap_or_default());
            server.env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"));
            server.env("LOCALEMU_VOLUME_DIR", folder.path().join("volume")).envs(settings.iter().copied());
            server.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
            let mut server = server.spawn().expect("the emulator starts");
            if comes_up(&http, &address, &mut server).await {
                return Self { _folder: folder, server, address };
            }
        }
        panic!("localemu: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    /// Runs AWS's own command line against it; what it prints, as JSON.
    ///
    /// # Panics
    /// Where the command fails.
    pub(crate) fn aws(&self, args: &[&str]) -> Value {
        let output = self.try_aws(args);
        assert!(output.status.success(), "aws {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Runs AWS's own command line, which may fail.
    pub(crate) fn try_aws(&self, args: &[&str]) -> std::process::Output {
        aws(&self.address, &environment(), args)
    }
}

/// Runs AWS's own command line against a server.
pub(crate) fn aws(address: &str, login: &[(&str, &str)], args: &[&str]) -> std::process::Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(program("aws"));
    command.args(["--endpoint-url", address, "--output", "json"]).args(args).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.path());
    command.envs(login.iter().copied());
    command.stdin(Stdio::null()).output().expect("the AWS command line runs")
}

/// What logs a client in.
pub(crate) fn environment() -> [(&'static str, &'static str); 3] {
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_DEFAULT_REGION", REGION)]
}

impl Drop for LocalEmu {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A program that `tests/install/localemu.sh` installed.
pub(crate) fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("KEYTRAIL_TEST_LOCALEMU").expect("KEYTRAIL_TEST_LOCALEMU is not set: run tests/run");
    let path = PathBuf::from(folder).join(name);
    assert!(path.is_file(), "{} is not there: run tests/run", path.display());
    path
}

async fn comes_up(http: &reqwest::Client, address: &str, server: &mut Child) -> bool {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let health = http.get(format!("{address}/_localemu/health")).send().await;
        if health.is_ok_and(|health| health.status() == 200) {
            return true;
        }
        if server.try_wait().expect("a child").is_some() {
            return false;
        }
        assert!(Instant::now() < end, "the emulator does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
