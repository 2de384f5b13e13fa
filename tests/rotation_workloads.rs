//! Workloads of a rotation, in real systems: a Kubernetes control plane that rolls out, and a Docker engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use keytrail_rotation::context::Context;
use keytrail_rotation::credential::Credential;
use keytrail_rotation::settings::Settings;
use keytrail_rotation::workloads::{Mark, Progress, Values, Workload, WorkloadKind};
use serde_json::{Value, json};

use crate::support::docker::{Docker, IMAGE};
use crate::support::kubernetes::Kubernetes;

const RUN: &str = "kt-20261121t183000z-0f3a9c21";

fn open(kind: &str, place: &str, table: Value) -> Box<dyn Workload> {
    let kind = WorkloadKind::find(kind).expect("a kind");
    let Value::Object(table) = table else { panic!("a table") };
    (kind.open)(place, &Settings(table)).expect("a workload")
}

fn value(text: &str) -> Credential {
    Credential::of_value(text.into())
}

/// Asks until it is done or will not come.
async fn end(workload: &dyn Workload, context: &Context, mark: &Mark, values: &Values<'_>) -> Progress {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        match workload.progress(context, mark, values).await.expect("an answer") {
            Progress::Waiting(why) => assert!(Instant::now() < end, "{why}"),
            other => return other,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/demo/deployments/api";

fn deployment() -> Value {
    let container = json!({ "name": "api", "image": "api", "env": [{ "name": "DB_PASSWORD", "value": "planted" }] });
    json!({
        "metadata": { "name": "api" },
        "spec": {
            "replicas": 2,
            "minReadySeconds": 1,
            "selector": { "matchLabels": { "app": "api" } },
            "template": {
                "metadata": { "labels": { "app": "api" } },
                "spec": { "containers": [container], "automountServiceAccountToken": false },
            },
        },
    })
}

/// A control plane with a Deployment that has rolled out, and a Keytrail that may do everything.
async fn cluster() -> (Kubernetes, Context) {
    let mut cluster = Kubernetes::start().await;
    cluster.start_controllers().await;
    cluster.create("/apis/apps/v1/namespaces/demo/deployments", &deployment()).await;
    let context = Context::new(RUN);
    settle(&cluster, &*workload(&cluster, json!({})), &context).await;
    (cluster, context)
}

/// Lets pods run until nothing is in the way of a rotation.
async fn settle(cluster: &Kubernetes, workload: &dyn Workload, context: &Context) {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let obstacles = workload.preflight(context).await.expect("an answer");
        if obstacles.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{obstacles:?}");
        cluster.run_pods("demo").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn workload(cluster: &Kubernetes, mut table: Value) -> Box<dyn Workload> {
    table["kubeconfig"] = json!(cluster.login(true));
    open("kubernetes", "demo/deployment/api", table)
}

/// Lets pods run until a rollout is done or will not come.
async fn roll_out(cluster: &Kubernetes, api: &dyn Workload, context: &Context, mark: &Mark) -> Progress {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        match api.progress(context, mark, &Values::new()).await.expect("an answer") {
            Progress::Waiting(why) => assert!(Instant::now() < end, "{why}"),
            other => return other,
        }
        cluster.run_pods("demo").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_deployment_is_rolled_out_to_its_end_and_a_second_rollout_waits() {
    let (cluster, context) = cluster().await;
    let api = workload(&cluster, json!({}));
    let none = Values::new();
    let uids = async || {
        let (_, pods) = cluster.get("/api/v1/namespaces/demo/pods").await;
        let pods = pods["items"].as_array().expect("pods").clone();
        pods.iter().map(|pod| pod["metadata"]["uid"].to_string()).collect::<Vec<_>>()
    };
    let before = uids().await;
    assert_eq!(before.len(), 2);

    let mark = api.load(&context, &none, &none).await.expect("it is restarted");
    // No kubelet lets the new pods run yet.
    assert!(matches!(api.progress(&context, &mark, &none).await, Ok(Progress::Waiting(_))));
    let obstacles = api.preflight(&context).await.expect("an answer");
    assert!(obstacles[0].starts_with("demo/deployment/api: in the middle of a rollout"), "{obstacles:?}");

    assert_eq!(roll_out(&cluster, &*api, &context, &mark).await, Progress::Done);
    let after = uids().await;
    assert!(after.len() == 2 && after.iter().all(|uid| !before.contains(uid)), "{before:?} {after:?}");
    let (_, object) = cluster.get(DEPLOYMENT).await;
    let managers = object["metadata"]["managedFields"].as_array().expect("managers");
    assert!(managers.iter().any(|manager| manager["manager"] == RUN), "the run is the field manager");

    // Somebody takes the annotations away: the pods of before the restart would serve again.
    let undone = json!({ "spec": { "template": { "metadata": { "annotations": null } } } });
    cluster.patch(DEPLOYMENT, "kubectl", &undone).await;
    assert!(matches!(roll_out(&cluster, &*api, &context, &mark).await, Progress::Failed(_)));
}

#[tokio::test]
async fn a_rollout_that_makes_no_progress_has_failed_and_another_one_mends_it() {
    let (cluster, context) = cluster().await;
    let (api, none) = (workload(&cluster, json!({})), Values::new());
    let deadline = async |seconds: u64| {
        cluster.patch(DEPLOYMENT, "kubectl", &json!({ "spec": { "progressDeadlineSeconds": seconds } })).await;
    };
    deadline(2).await;
    let mark = api.load(&context, &none, &none).await.expect("it is restarted");
    let failed = Progress::Failed("its rollout makes no progress (ProgressDeadlineExceeded)".to_owned());
    assert_eq!(end(&*api, &context, &mark, &none).await, failed);
    let obstacles = api.preflight(&context).await.expect("an answer");
    assert!(obstacles[0].ends_with("(ProgressDeadlineExceeded)"), "{obstacles:?}");

    deadline(600).await;
    // The way back: what the status says of the failed rollout does not count for the next one.
    let again = api.load(&context, &none, &none).await.expect("it is restarted");
    assert_ne!(again, mark);
    assert_eq!(roll_out(&cluster, &*api, &context, &again).await, Progress::Done);

    cluster.patch(DEPLOYMENT, "kubectl", &json!({ "spec": { "paused": true } })).await;
    let obstacles = api.preflight(&context).await.expect("an answer");
    assert_eq!(obstacles, ["demo/deployment/api: its rollout is paused: resume it first"]);
}

#[tokio::test]
async fn stateful_and_daemon_sets_are_rolled_out_too() {
    let (cluster, context) = cluster().await;
    cluster.create("/api/v1/nodes", &json!({ "metadata": { "name": "node-1" } })).await;
    // A new node is tainted until its kubelet says that it is ready.
    cluster.patch("/api/v1/nodes/node-1", "kubelet", &json!({ "spec": { "taints": null } })).await;
    let mut set = deployment();
    set["spec"] = json!({
        "selector": set["spec"]["selector"],
        "template": set["spec"]["template"],
    });
    let none = Values::new();
    for kind in ["daemonset", "statefulset"] {
        if kind == "statefulset" {
            set["spec"]["serviceName"] = "db".into();
            set["spec"]["replicas"] = 2.into();
        }
        for place in ["selector/matchLabels", "template/metadata/labels"] {
            *set["spec"].pointer_mut(&format!("/{place}/app")).expect("a label") = kind.into();
        }
        cluster.create(&format!("/apis/apps/v1/namespaces/demo/{kind}s"), &set).await;
        let table = json!({ "kubeconfig": cluster.login(true) });
        let workload = open("kubernetes", &format!("demo/{kind}/api"), table);
        settle(&cluster, &*workload, &context).await;
        let mark = workload.load(&context, &none, &none).await.expect("it is restarted");
        let first = workload.progress(&context, &mark, &none).await;
        assert!(matches!(first, Ok(Progress::Waiting(_))), "{kind}: {first:?}");
        assert_eq!(roll_out(&cluster, &*workload, &context, &mark).await, Progress::Done, "{kind}");
    }
    let by_hand = json!({ "spec": { "updateStrategy": { "type": "OnDelete", "rollingUpdate": null } } });
    cluster.patch("/apis/apps/v1/namespaces/demo/statefulsets/api", "kubectl", &by_hand).await;
    let table = json!({ "kubeconfig": cluster.login(true) });
    let obstacles = open("kubernetes", "demo/statefulset/api", table).preflight(&context).await.expect("an answer");
    assert!(obstacles.len() == 1 && obstacles[0].contains("OnDelete"), "{obstacles:?}");
}

#[tokio::test]
async fn variables_become_references_and_a_config_map_keeps_two_keys() {
    let (cluster, context) = cluster().await;
    let config_map = json!({ "name": "keys", "new_key": "current", "old_key": "previous", "item": "JWT_KEY" });
    let reference = json!({ "secret": "db-v2", "key": "password" });
    let table = json!({ "set_env": { "DB_PASSWORD": reference }, "config_map": config_map });
    let api = workload(&cluster, table);
    let obstacles = api.preflight(&context).await.expect("an answer");
    assert_eq!(obstacles, ["there is no Secret db-v2 in the namespace demo", "there is no ConfigMap keys"]);
    let literal = workload(&cluster, json!({ "env": { "DB": "DB_PASSWORD" } }));
    let obstacles = literal.preflight(&context).await.expect("an answer");
    assert_eq!(obstacles, ["the value of DB_PASSWORD stands in the template: let `set_env` make it a reference"]);

    cluster.create("/api/v1/namespaces/demo/secrets", &json!({ "metadata": { "name": "db-v2" } })).await;
    let keys = json!({ "metadata": { "name": "keys" }, "data": { "current": "planted-one", "other": "stays" } });
    cluster.create("/api/v1/namespaces/demo/configmaps", &keys).await;
    assert_eq!(api.preflight(&context).await.expect("an answer"), [""; 0]);

    let data = async || cluster.get("/api/v1/namespaces/demo/configmaps/keys").await.1["data"].clone();
    let (one, two) = (value("planted-one"), value("planted-two"));
    let (old, new) = (Values::from([("JWT_KEY", &one)]), Values::from([("JWT_KEY", &two)]));
    let mark = api.load(&context, &new, &old).await.expect("it is restarted");
    assert_eq!(data().await, json!({ "current": "planted-two", "previous": "planted-one", "other": "stays" }));
    assert_eq!(roll_out(&cluster, &*api, &context, &mark).await, Progress::Done);
    let (_, object) = cluster.get(DEPLOYMENT).await;
    let expected = json!([{ "name": "DB_PASSWORD",
        "valueFrom": { "secretKeyRef": { "name": "db-v2", "key": "password" } } }]);
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["env"], expected);
    for _ in 0..2 {
        api.forget(&context, &new, &old).await.expect("it is forgotten");
        assert_eq!(data().await, json!({ "current": "planted-two", "other": "stays" }));
    }
}

#[tokio::test]
async fn what_is_not_allowed_or_not_there_is_an_obstacle() {
    let (cluster, context) = cluster().await;
    let none = Values::new();
    let nobody = json!({ "kubeconfig": cluster.login(false) });
    let obstacles = open("kubernetes", "demo/deployment/api", nobody.clone()).preflight(&context).await;
    assert_eq!(
        obstacles.expect("an answer"),
        ["demo/deployment/api: the Kubernetes API does not allow it (403): grant `get` and `patch` on it"]
    );

    // Who may look but not touch learns that before anything is changed.
    let rule = json!({ "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"] });
    let role = json!({ "metadata": { "name": "look" }, "rules": [rule] });
    cluster.create("/apis/rbac.authorization.k8s.io/v1/namespaces/demo/roles", &role).await;
    let binding = json!({
        "metadata": { "name": "look" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody" }],
    });
    cluster.create("/apis/rbac.authorization.k8s.io/v1/namespaces/demo/rolebindings", &binding).await;
    let api = open("kubernetes", "demo/deployment/api", nobody);
    let end = Instant::now() + Duration::from_secs(60);
    let obstacles = loop {
        let obstacles = api.preflight(&context).await.expect("an answer");
        if !obstacles[0].contains("403") {
            break obstacles;
        }
        assert!(Instant::now() < end, "the rights do not come");
    };
    assert_eq!(obstacles, ["Keytrail may not patch deployments/api in the namespace demo"]);
    let refused = api.load(&context, &none, &none).await.expect_err("it may not");
    assert_eq!(refused.outcome, keytrail_rotation::failure::Outcome::NotDone);

    let gone = open("kubernetes", "demo/deployment/gone", json!({ "kubeconfig": cluster.login(true) }));
    assert_eq!(gone.preflight(&context).await.expect("an answer"), ["there is no demo/deployment/gone"]);
    assert!(matches!(gone.progress(&context, &Mark::default(), &none).await, Ok(Progress::Failed(_))));
}

/// A project with a service of two containers, and another service.
struct Project {
    docker: Docker,
    folder: tempfile::TempDir,
    context: Context,
    api: Box<dyn Workload>,
}

const COMPOSE: &str = "\
services:
  api:
    image: IMAGE
    network_mode: none
    stop_signal: SIGKILL
    env_file: [.env]
    healthcheck: { test: [CMD, /program, check], interval: 1s, timeout: 30s, retries: 1 }
  other:
    image: IMAGE
    network_mode: none
    stop_signal: SIGKILL
";

impl Project {
    fn start() -> Self {
        let docker = Docker::start();
        let folder = tempfile::Builder::new().prefix("kt-compose-").tempdir().expect("a folder");
        fs::create_dir(folder.path().join("deploy")).expect("a folder");
        fs::write(folder.path().join("deploy/compose.yaml"), COMPOSE.replace("IMAGE", IMAGE)).expect("a file");
        let context = Context { folder: folder.path().to_owned(), ..Context::new(RUN) };
        let table = json!({ "host": docker.host, "config": docker.config, "env": { "DB_PASSWORD": "DB_PASSWORD" } });
        let api = open("compose", "deploy/compose.yaml/api", table);
        let project = Self { docker, folder, context, api };
        project.store("planted-old");
        project
    }

    /// What the store of the value holds: a `.env` file.
    fn store(&self, value: &str) {
        fs::write(self.folder.path().join("deploy/.env"), format!("DB_PASSWORD={value}\n")).expect("a file");
    }

    fn compose(&self, arguments: &[&str]) -> String {
        self.docker.run(&self.folder.path().join("deploy"), &[&["compose"], arguments].concat())
    }

    /// The containers of a service.
    fn ids(&self, service: &str) -> Vec<String> {
        let mut ids: Vec<String> =
            self.compose(&["ps", "-aq", service]).split_whitespace().map(str::to_owned).collect();
        ids.sort();
        ids
    }

    /// Waits until nothing is in the way of a rotation.
    async fn settle(&self) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let obstacles = self.api.preflight(&self.context).await.expect("an answer");
            if obstacles.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "{obstacles:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["down", "--timeout", "0"]);
    }
}

#[tokio::test]
async fn a_service_of_compose_has_the_new_value_only_in_new_containers() {
    let project = Project::start();
    let (api, context) = (&*project.api, &project.context);
    project.compose(&["up", "-d", "--scale", "api=2"]);
    project.settle().await;
    let (before, other) = (project.ids("api"), project.ids("other"));
    assert_eq!(before.len(), 2);
    let (old, new) = (value("planted-old"), value("planted-new"));
    let (old, new) = (Values::from([("DB_PASSWORD", &old)]), Values::from([("DB_PASSWORD", &new)]));

    // What people do: the value is not read again, and that is seen.
    project.store("planted-new");
    project.compose(&["restart", "--timeout", "0", "api"]);
    let mark = Mark(before.join(","));
    let still = api.progress(context, &mark, &new).await.expect("an answer");
    assert!(matches!(&still, Progress::Waiting(why) if why.ends_with("is the one from before")), "{still:?}");

    let mark = api.load(context, &new, &old).await.expect("it is made anew");
    assert_eq!(mark.0, before.join(","));
    assert_eq!(end(api, context, &mark, &new).await, Progress::Done);
    let after = project.ids("api");
    assert!(after.len() == 2 && after.iter().all(|id| !before.contains(id)), "as many, and all new");
    assert_eq!(project.ids("other"), other, "no other service is touched");
    assert!(matches!(end(api, context, &mark, &old).await, Progress::Failed(_)), "they have the new value");
}

#[tokio::test]
async fn containers_that_do_not_get_well_are_told() {
    let project = Project::start();
    let (api, context) = (&*project.api, &project.context);
    project.compose(&["up", "-d", "api"]);
    project.settle().await;
    for (text, why) in [("planted-bad", "is not healthy"), ("planted-crash", "ended with 3")] {
        project.store(text);
        let new = value(text);
        let new = Values::from([("DB_PASSWORD", &new)]);
        let mark = api.load(context, &new, &BTreeMap::new()).await.expect("it is made anew");
        let progress = end(api, context, &mark, &new).await;
        assert!(matches!(&progress, Progress::Failed(said) if said.ends_with(why)), "{progress:?}");
    }
    let obstacles = api.preflight(context).await.expect("an answer");
    assert!(obstacles.len() == 1 && obstacles[0].ends_with("does not run"), "{obstacles:?}");

    // The way back.
    project.store("planted-old");
    let old = value("planted-old");
    let old = Values::from([("DB_PASSWORD", &old)]);
    let mark = api.load(context, &old, &BTreeMap::new()).await.expect("it is made anew");
    assert_eq!(end(api, context, &mark, &old).await, Progress::Done);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_obstacle() {
    let project = Project::start();
    let context = &project.context;
    let first = async |place: &str, host: &str| {
        let table = json!({ "host": host, "config": project.docker.config });
        let obstacles = open("compose", place, table).preflight(context).await.expect("an answer");
        obstacles.first().cloned().unwrap_or_default()
    };
    let host = project.docker.host.as_str();
    let unknown = first("deploy/compose.yaml/nobody", host).await;
    assert!(unknown.starts_with("Compose does not know the service nobody"), "{unknown}");
    assert_eq!(first("deploy/compose.yaml/api", host).await, "the service api has no container: start it first");
    let nowhere = format!("unix://{}", Path::new("/nowhere/engine.sock").display());
    assert!(first("deploy/compose.yaml/api", &nowhere).await.contains("or has no engine"));
}
