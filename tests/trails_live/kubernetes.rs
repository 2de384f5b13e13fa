//! A Kubernetes API server with an audit policy: values in one namespace, metadata in the other.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Estate, check_evidence, findings, verdicts};
use crate::support::kubernetes::Kubernetes;

const TABLES: &str = "\
[[trail]]
name = \"api-server\"
kind = \"kubernetes-audit\"
path = \"audit.log\"
COVERS
";

const JSON: &str = "application/json";

async fn make(cluster: &Kubernetes, namespace: &str, name: &str) {
    let body = json!({ "metadata": { "name": name }, "stringData": { "password": "planted-first" } });
    let path = format!("/api/v1/namespaces/{namespace}/secrets");
    assert_eq!(cluster.request(Method::POST, &path, JSON, &body).await.0, 201);
}

async fn patch(cluster: &Kubernetes, namespace: &str, name: &str, manager: &str, body: &Value) -> u16 {
    cluster.patch(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"), manager, body).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_label_is_none_of_a_value() {
    let cluster = Kubernetes::start().await;
    let value = |value: &str| json!({ "stringData": { "password": value } });
    let label = json!({ "metadata": { "labels": { "team": "payments" } } });
    for (namespace, name) in
        [("full", "traced"), ("full", "silent"), ("full", "refused"), ("demo", "labelled"), ("demo", "perhaps")]
    {
        make(&cluster, namespace, name).await;
    }
    let mut estate = Estate::new();
    for (key, place) in [
        ("TRACED", "kubernetes:full/secret/traced#password"),
        ("SILENT", "kubernetes:full/secret/silent#password"),
        ("REFUSED", "kubernetes:full/secret/refused#password"),
        ("LABELLED", "kubernetes:demo/secret/labelled#password"),
        ("PERHAPS", "kubernetes:demo/secret/perhaps#password"),
    ] {
        estate.secret(key, place, "");
    }
    estate.request("run-traced", "TRACED");
    assert_eq!(patch(&cluster, "full", "traced", "run-traced", &value("planted-second")).await, 200);
    estate.load("TRACED");
    assert_eq!(patch(&cluster, "full", "silent", "kubectl", &value("planted-second")).await, 200);
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "stringData": { "password": "planted-stale" } });
    assert_eq!(patch(&cluster, "full", "refused", "kubectl", &stale).await, 409);
    assert_eq!(patch(&cluster, "demo", "labelled", "kubectl", &label).await, 200);
    assert_eq!(patch(&cluster, "demo", "perhaps", "kubectl", &value("planted-second")).await, 200);
    assert_eq!(patch(&cluster, "full", "refused", "kubectl", &label).await, 200);

    fs::copy(cluster.audit_log(), estate.folder.path().join("audit.log")).expect("a log");
    estate.write(TABLES);
    let report = estate.scan(&[]).json();
    let found = verdicts(&report);
    assert_eq!(found.get("TRACED"), Some(&vec!["traced".to_owned()]), "{found:#?}");
    assert_eq!(found.get("SILENT"), Some(&vec!["silent no-request".to_owned()]), "{found:#?}");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(findings(&report), ["silent-rotation SILENT"]);
    assert!(check_evidence(estate.folder.path(), &report) >= 3);
    assert!(!report.to_string().contains("planted-"), "a value of the audit is in the report");
}
