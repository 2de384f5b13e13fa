//! A real Kubernetes API server with its etcd, in a temporary folder, for as long as a test holds it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

/// The token of the cluster's administrator.
pub(crate) const TOKEN: &str = "planted-kubernetes-token";

/// What is audited: values only where the namespace says so, everything else by its metadata.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  resources: [{group: '', resources: [secrets]}]
  namespaces: [full]
- level: Metadata
  resources: [{group: '', resources: [secrets]}]
- level: RequestResponse
  resources: [{group: apps, resources: [deployments]}]
- level: None
";

/// A running API server.
pub(crate) struct Kubernetes {
    folder: TempDir,
    processes: Vec<Child>,
    /// `https://127.0.0.1:PORT`
    pub(crate) address: String,
    http: reqwest::Client,
}

impl Kubernetes {
    /// Starts a server with the namespaces `demo` and `full`.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("keytrail-kubernetes-").tempdir().expect("a temporary folder");
        let path = folder.path();
        let made = Command::new("openssl").args(["genrsa", "-out", "sa.key", "2048"]).current_dir(path).output();
        assert!(made.expect("openssl runs").status.success(), "openssl genrsa");
        fs::write(path.join("audit.yaml"), POLICY).expect("a file");
        fs::write(path.join("tokens.csv"), format!("{TOKEN},admin,admin,\"system:masters\"\n")).expect("a file");
        let http = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build();
        let http = http.expect("a client");
        // A port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let [client, peer, secure] = [(); 3].map(|()| free_port());
            let _ = fs::remove_dir_all(path.join("etcd"));
            let etcd = spawn(path, Path::new("etcd"), "etcd.log", &etcd_options(client, peer));
            let address = format!("https://127.0.0.1:{secure}");
            let server = spawn(path, &program(), "api.log", &server_options(client, secure));
            let mut processes = vec![server, etcd];
            if comes_up(&http, &address, &mut processes).await {
                let cluster = Self { folder, processes, address, http };
                for namespace in ["demo", "full"] {
                    let body = serde_json::json!({ "metadata": { "name": namespace } });
                    cluster.request(Method::POST, "/api/v1/namespaces", "application/json", &body).await;
                }
                return cluster;
            }
            stop(&mut processes);
        }
        panic!("kube-apiserver: {}", fs::read_to_string(path.join("api.log")).unwrap_or_default());
    }

    /// Asks the API as its administrator; the status and the body.
    pub(crate) async fn request(&self, method: Method, path: &str, content: &str, body: &Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.address)).bearer_auth(TOKEN);
        let request = request.header("Content-Type", content).body(body.to_string());
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.expect("a body")).expect("JSON"))
    }

    /// Changes an object by a strategic merge patch, as `manager`.
    pub(crate) async fn patch(&self, path: &str, manager: &str, body: &Value) -> (u16, Value) {
        let path = format!("{path}?fieldManager={manager}");
        self.request(Method::PATCH, &path, "application/strategic-merge-patch+json", body).await
    }

    /// The PEM file of the authority of its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("certs/apiserver.crt")
    }

    /// The file that the audit goes to.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        stop(&mut self.processes);
    }
}

fn etcd_options(client: u16, peer: u16) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let pairs = [
        ("data-dir", "etcd"),
        ("listen-client-urls", &client),
        ("advertise-client-urls", &client),
        ("listen-peer-urls", &peer),
        ("initial-advertise-peer-urls", &peer),
        ("initial-cluster", &format!("default={peer}")),
    ];
    pairs.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

fn server_options(etcd: u16, secure: u16) -> Vec<String> {
    let (etcd, secure) = (format!("http://127.0.0.1:{etcd}"), secure.to_string());
    let pairs = [
        ("etcd-servers", etcd.as_str()),
        ("bind-address", "127.0.0.1"),
        ("advertise-address", "127.0.0.1"),
        ("secure-port", &secure),
        ("cert-dir", "certs"),
        ("service-cluster-ip-range", "10.96.0.0/16"),
        ("service-account-issuer", "https://kubernetes.default.svc"),
        ("service-account-signing-key-file", "sa.key"),
        ("service-account-key-file", "sa.key"),
        ("api-audiences", "api"),
        ("authorization-mode", "RBAC"),
        ("token-auth-file", "tokens.csv"),
        ("audit-policy-file", "audit.yaml"),
        ("audit-log-path", "audit.log"),
        // Each line is there when the answer is.
        ("audit-log-mode", "blocking"),
    ];
    pairs.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

fn program() -> PathBuf {
    let folder =
        std::env::var_os("KEYTRAIL_TEST_KUBERNETES").expect("KEYTRAIL_TEST_KUBERNETES is not set: run tests/run");
    let path = PathBuf::from(folder).join("kube-apiserver");
    assert!(path.is_file(), "{} is not there: run tests/run", path.display());
    path
}

fn spawn(folder: &Path, program: &Path, log: &str, options: &[String]) -> Child {
    let log = File::create(folder.join(log)).expect("a file");
    let mut command = Command::new(program);
    command.args(options).current_dir(folder).env_clear().env("HOME", folder).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("the server starts")
}

fn stop(processes: &mut [Child]) {
    for process in processes {
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// Waits until the server is ready; `false` if it or its etcd ends before.
async fn comes_up(http: &reqwest::Client, address: &str, processes: &mut [Child]) -> bool {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let ready = http.get(format!("{address}/readyz")).bearer_auth(TOKEN).send().await;
        if ready.is_ok_and(|ready| ready.status() == 200) {
            return true;
        }
        if processes.iter_mut().any(|process| process.try_wait().expect("a child").is_some()) {
            return false;
        }
        assert!(Instant::now() < end, "the API server does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
