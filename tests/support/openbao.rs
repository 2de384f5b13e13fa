//! A real OpenBao in a temporary folder, for as long as a test holds it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How a server is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listener {
    Plain,
    /// With a certificate for 127.0.0.1 of an authority that nobody else trusts.
    Tls,
}

/// A running server.
pub(crate) struct OpenBao {
    folder: TempDir,
    server: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
    pub(crate) root_token: String,
    unseal_key: String,
    http: reqwest::Client,
}

impl OpenBao {
    /// Starts a server, initialised and unsealed.
    ///
    /// # Panics
    /// Where there is none to start, or it does not come up.
    pub(crate) async fn start() -> Self {
        let mut bao = Self::launch(Listener::Plain).await;
        bao.initialise().await;
        bao
    }

    /// Starts a server that was never initialised.
    pub(crate) async fn launch(listener: Listener) -> Self {
        let program = program();
        let folder = tempfile::Builder::new().prefix("keytrail-openbao-").tempdir().expect("a temporary folder");
        let (scheme, mut http) = ("http", reqwest::Client::builder().no_proxy());
        let (scheme, tls) = match listener {
            Listener::Plain => (scheme, "tls_disable = true".to_owned()),
            Listener::Tls => {
                make_certificates(folder.path());
                let ca = fs::read(folder.path().join("ca.pem")).expect("a file");
                http = http.tls_certs_only([reqwest::Certificate::from_pem(&ca).expect("a certificate")]);
                let path = folder.path().display();
                ("https", format!("tls_cert_file = \"{path}/cert.pem\" tls_key_file = \"{path}/key.pem\""))
            }
        };
        let http = http.build().expect("a client");
        // The port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let address = format!("{scheme}://127.0.0.1:{port}");
            let config = format!(
                "storage \"inmem\" {{}}\nlistener \"tcp\" {{ address = \"127.0.0.1:{port}\" {tls} }}\n\
                 api_addr = \"{address}\"\n\
                 audit \"file\" \"file\" {{ options {{ file_path = \"audit.log\" }} }}\n\
                 audit \"file\" \"second\" {{ options {{ file_path = \"audit.second.log\" }} }}\n"
            );
            fs::write(folder.path().join("config.hcl"), config).expect("a file");
            let log = File::create(folder.path().join("log")).expect("a file");
            let mut server = command(&program, folder.path());
            server.arg("server").arg("-config=config.hcl").stdout(log.try_clone().expect("a file")).stderr(log);
            let mut server = server.spawn().expect("OpenBao starts");
            if comes_up(&http, &address, &mut server).await {
                return Self { folder, server, address, root_token: String::new(), unseal_key: String::new(), http };
            }
        }
        panic!("OpenBao: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    /// Initialises and unseals.
    pub(crate) async fn initialise(&mut self) {
        let made = self.put("sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
        self.root_token = made["root_token"].as_str().expect("a token").to_owned();
        self.unseal_key = made["keys"][0].as_str().expect("a key").to_owned();
        self.put("sys/unseal", json!({ "key": self.unseal_key })).await;
        let end = Instant::now() + Duration::from_secs(30);
        while !self.http.get(format!("{}/v1/sys/health", self.address)).send().await.is_ok_and(|ok| ok.status() == 200)
        {
            assert!(Instant::now() < end, "OpenBao does not become active");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The PEM file of the authority of its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Asks the API as root. The path must need no escaping.
    pub(crate) async fn request(&self, method: Method, namespace: &str, path: &str, body: Option<Value>) -> Value {
        let mut request = self.http.request(method, format!("{}/v1/{path}", self.address));
        if !self.root_token.is_empty() {
            request = request.header("X-Vault-Token", &self.root_token);
        }
        if !namespace.is_empty() {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.request(Method::GET, "", path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Value {
        self.request(Method::PUT, "", path, Some(body)).await
    }

    /// Writes with another token.
    pub(crate) async fn put_as(&self, token: &str, path: &str, body: Value) -> Value {
        let request = self.http.put(format!("{}/v1/{path}", self.address)).header("X-Vault-Token", token);
        let response = request.body(body.to_string()).send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    /// Writes what the server refuses.
    pub(crate) async fn refused(&self, path: &str, body: Value) {
        let request = self.http.put(format!("{}/v1/{path}", self.address)).header("X-Vault-Token", &self.root_token);
        let response = request.body(body.to_string()).send().await.expect("an answer");
        assert!(response.status().is_client_error(), "{path}: {}", response.status());
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.request(Method::DELETE, "", path, None).await;
    }

    /// Mounts a KV engine of version 1 or 2, and waits until it takes writes.
    pub(crate) async fn mount(&self, namespace: &str, path: &str, version: u8) {
        let body = json!({ "type": "kv", "options": { "version": version.to_string() } });
        self.request(Method::POST, namespace, &format!("sys/mounts/{path}"), Some(body)).await;
        // An engine of version 2 answers 400 while it prepares its storage.
        let ready = || async {
            let request = self.http.get(format!("{}/v1/{path}/config", self.address));
            let request = request.header("X-Vault-Token", &self.root_token).header("X-Vault-Namespace", namespace);
            request.send().await.expect("an answer").status().is_success()
        };
        let end = Instant::now() + Duration::from_secs(30);
        while version == 2 && !ready().await {
            assert!(Instant::now() < end, "the engine at {path} does not become ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes one version of a KV v2 path.
    pub(crate) async fn write(&self, mount: &str, path: &str, data: Value) {
        self.put(&format!("{mount}/data/{path}"), json!({ "data": data })).await;
    }

    /// Makes a policy and a token that has it and no other.
    pub(crate) async fn token(&self, name: &str, policy: &str) -> String {
        self.put(&format!("sys/policies/acl/{name}"), json!({ "policy": policy })).await;
        let body = json!({ "policies": [name], "no_default_policy": true, "no_parent": true });
        let made = self.put("auth/token/create", body).await;
        made["auth"]["client_token"].as_str().expect("a token").to_owned()
    }

    /// The files of its two audit devices, each with a salt of its own.
    pub(crate) fn audit_logs(&self) -> [PathBuf; 2] {
        ["audit.log", "audit.second.log"].map(|name| self.folder.path().join(name))
    }

    /// The `operation path` of every request that the audit device has recorded.
    pub(crate) fn audited(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("audit.log")).expect("an audit log");
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        lines
            .filter(|line| line["type"] == "request")
            .map(|line| format!("{} {}", text(&line["request"]["operation"]), text(&line["request"]["path"])))
            .collect()
    }

    /// Runs OpenBao's own client as root: another implementation of everything that is sent.
    pub(crate) fn cli(&self, args: &[&str]) -> String {
        let mut client = command(&program(), self.folder.path());
        self.run(client.args(args))
    }

    /// Runs a script as root in a folder. Its `vault` is OpenBao's own client.
    pub(crate) fn script(&self, folder: &Path, script: &str) -> String {
        let script = format!("set -euo pipefail\nvault() {{ '{}' \"$@\"; }}\n{script}", program().display());
        let mut bash = command(Path::new("bash"), folder);
        bash.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        self.run(bash.args(["-c", &script]))
    }

    fn run(&self, command: &mut Command) -> String {
        let output = command.env("BAO_ADDR", &self.address).env("BAO_TOKEN", &self.root_token).output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("KEYTRAIL_TEST_BAO").expect("KEYTRAIL_TEST_BAO is not set: run tests/run");
    let path = PathBuf::from(path);
    assert!(path.is_file(), "{} is not there: run tests/run", path.display());
    path
}

/// The program with nothing of this process's environment.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", folder).current_dir(folder).stdin(Stdio::null());
    command
}

/// Waits until the server answers; `false` if it ends before.
async fn comes_up(http: &reqwest::Client, address: &str, server: &mut Child) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if http.get(format!("{address}/v1/sys/seal-status")).send().await.is_ok() {
            return true;
        }
        if server.try_wait().expect("a child").is_some() {
            return false;
        }
        assert!(Instant::now() < end, "OpenBao does not come up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An authority (`ca.pem`) and its certificate for 127.0.0.1 (`cert.pem`, `key.pem`).
fn make_certificates(folder: &Path) {
    let openssl = |args: &str| {
        let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().expect("openssl runs");
        assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    };
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=keytrail-test-authority"));
    openssl(&format!("req {key} -keyout key.pem -out request.pem -subj /CN=keytrail-test"));
    openssl("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile names");
}
