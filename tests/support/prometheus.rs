//! A real Prometheus that watches itself, in a temporary folder, for as long as a test holds it.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const CONFIG: &str = "\
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs: [{ job_name: itself, static_configs: [{ targets: ['ADDRESS'] }] }]
";

/// A running server.
pub(crate) struct Prometheus {
    _folder: TempDir,
    process: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Prometheus {
    /// Starts a server, and waits until it has samples of itself.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) async fn start() -> Self {
        // A port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
            let mut server = Self::spawn(free);
            if server.comes_up().await {
                return server;
            }
        }
        panic!("Prometheus ends at once");
    }

    fn spawn(listen: SocketAddr) -> Self {
        let program = std::env::var_os("KEYTRAIL_TEST_PROMETHEUS").expect("KEYTRAIL_TEST_PROMETHEUS: run tests/run");
        let folder = tempfile::Builder::new().prefix("keytrail-prometheus-").tempdir().expect("a temporary folder");
        let path = folder.path();
        fs::write(path.join("config.yml"), CONFIG.replace("ADDRESS", &listen.to_string())).expect("a file");
        let log = File::create(path.join("log")).expect("a file");
        let mut command = Command::new(program);
        command.args(["--config.file=config.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={listen}")).current_dir(path).stdin(Stdio::null());
        let process = command.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("it starts");
        Self { _folder: folder, process, address: format!("http://{listen}") }
    }

    /// Waits for the first samples; `false` if it ends before.
    async fn comes_up(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(120);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        loop {
            let asked = http.get(format!("{}/api/v1/query?query=up", self.address)).send().await;
            if let Ok(answer) = asked
                && answer.text().await.is_ok_and(|text| text.contains("\"value\""))
            {
                return true;
            }
            if self.process.try_wait().expect("a child").is_some() {
                return false;
            }
            assert!(Instant::now() < end, "Prometheus does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
