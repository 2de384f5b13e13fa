//! A real Kubernetes API server with its etcd, in a temporary folder, for as long as a test holds it; with its controllers
//! where a test wants them. There is no kubelet: a test says when pods run.

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
/// That of a user with no rights.
const POWERLESS: &str = "planted-powerless-token";

/// The controllers that roll out, with what admission wants of a namespace.
const CONTROLLERS: &str = "deployment,replicaset,statefulset,daemonset,serviceaccount";

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
        let tokens = format!("{TOKEN},admin,admin,\"system:masters\"\n{POWERLESS},nobody,nobody\n");
        fs::write(path.join("tokens.csv"), tokens).expect("a file");
        let http = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build();
        let http = http.expect("a client");
        // A port may be taken between asking for it and listening on it.
        for _ in 0..5 {
            let [client, peer, secure] = [(); 3].map(|()| free_port());
            let _ = fs::remove_dir_all(path.join("etcd"));
            let etcd = spawn(path, Path::new("etcd"), "etcd.log", &etcd_options(client, peer));
            let address = format!("https://127.0.0.1:{secure}");
            let server = spawn(path, &program("kube-apiserver"), "api.log", &server_options(client, secure));
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

    /// Starts the controllers, and waits for the service account that pods need.
    pub(crate) async fn start_controllers(&mut self) {
        let path = self.folder.path();
        let options = [
            format!("--kubeconfig={}", self.kubeconfig("admin", TOKEN).display()),
            format!("--controllers={CONTROLLERS}"),
            "--leader-elect=false".to_owned(),
            "--service-account-private-key-file=sa.key".to_owned(),
            "--port=0".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        self.processes.push(spawn(path, &program("kube-controller-manager"), "controllers.log", &options));
        let end = Instant::now() + Duration::from_secs(120);
        while self.get("/api/v1/namespaces/demo/serviceaccounts/default").await.0 != 200 {
            let log = || fs::read_to_string(path.join("controllers.log")).unwrap_or_default();
            assert!(Instant::now() < end, "the controllers do not come up: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A file that `kubectl` and its like log in with: as the administrator, or as somebody with no rights.
    pub(crate) fn login(&self, is_administrator: bool) -> PathBuf {
        if is_administrator { self.kubeconfig("admin", TOKEN) } else { self.kubeconfig("nobody", POWERLESS) }
    }

    /// The PEM file of the authority of its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("certs/apiserver.crt")
    }

    fn kubeconfig(&self, name: &str, token: &str) -> PathBuf {
        let file = self.folder.path().join(format!("{name}.kubeconfig"));
        let text = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": { "server": self.address, "insecure-skip-tls-verify": true } }],
            "users": [{ "name": name, "user": { "token": token } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": name } }],
            "current-context": "test",
        });
        fs::write(&file, text.to_string()).expect("a file");
        file
    }

    /// Gets an object; the status and the body.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.request(Method::GET, path, "application/json", &Value::Null).await
    }

    /// Makes an object.
    pub(crate) async fn create(&self, path: &str, body: &Value) {
        let (status, answer) = self.request(Method::POST, path, "application/json", body).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// What a kubelet does: lets the pods of a namespace run that do not, and tells that they are ready.
    pub(crate) async fn run_pods(&self, namespace: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let (_, pods) = self.get(&path).await;
        let waits = |pod: &&Value| pod["status"]["phase"] != "Running";
        for pod in pods["items"].as_array().expect("pods").iter().filter(waits) {
            let at = "2026-01-01T00:00:00Z";
            let state = serde_json::json!({ "status": {
                "phase": "Running",
                "startTime": at,
                "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": at }],
            } });
            let name = pod["metadata"]["name"].as_str().expect("a name");
            // It may have gone meanwhile.
            self.patch(&format!("{path}/{name}/status"), "kubelet", &state).await;
        }
    }

    /// Asks the API as its administrator; the status and the body.
    pub(crate) async fn request(&self, method: Method, path: &str, content: &str, body: &Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.address)).bearer_auth(TOKEN);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.header("Content-Type", content).body(body);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.expect("a body")).expect("JSON"))
    }

    /// Changes an object by a strategic merge patch, as `manager`.
    pub(crate) async fn patch(&self, path: &str, manager: &str, body: &Value) -> (u16, Value) {
        let path = format!("{path}?fieldManager={manager}");
        self.request(Method::PATCH, &path, "application/strategic-merge-patch+json", body).await
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

fn program(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("KEYTRAIL_TEST_KUBERNETES").expect("KEYTRAIL_TEST_KUBERNETES is not set: run tests/run");
    let path = PathBuf::from(folder).join(name);
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
