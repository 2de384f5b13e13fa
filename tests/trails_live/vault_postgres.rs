//! OpenBao with two audit devices, and PostgreSQL with its JSON log and pgAudit.

use std::fs;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

use super::{Estate, check_evidence, findings, verdicts};
use crate::support::openbao::OpenBao;
use crate::support::postgres::{PASSWORD, Postgres};

/// The tables of the store and of the trails.
const TABLES: &str = "\
[[store]]
name = \"vault\"
kind = \"vault\"
address = \"ADDRESS\"
mounts = [\"secret\"]
read_values = true

[[trail]]
name = \"vault-audit\"
kind = \"vault-audit\"
paths = [\"audit.*.log\"]
COVERS

[[trail]]
name = \"database\"
kind = \"postgres-log\"
path = \"pg.json\"
consumer = \"kubernetes:demo/deployment/api\"
COVERS
";

/// A running estate: the servers, and what was done to them.
struct Live {
    bao: OpenBao,
    postgres: Postgres,
    estate: Estate,
}

impl Live {
    async fn start() -> Self {
        sqlx::any::install_default_drivers();
        let live = Self { bao: OpenBao::start().await, postgres: Postgres::start_audited(), estate: Estate::new() };
        live.bao.mount("", "secret", 2).await;
        live
    }

    /// A secret of its own path, with its first value.
    async fn secret(&mut self, key: &str, more: &str) {
        self.estate.secret(key, &format!("vault:secret/cases/{key}#{key}"), more);
        self.put(key, "planted-first", None).await;
    }

    /// Writes a value, as part of a run.
    async fn put(&self, key: &str, value: &str, run: Option<&str>) {
        // Two secrets of one value would be a group.
        let data = json!({ "data": { key: format!("{value}-{key}") } });
        let path = format!("secret/data/cases/{key}");
        match run {
            None => drop(self.bao.put(&path, data).await),
            Some(run) => drop(self.bao.put_as(&self.token(run).await, &path, data).await),
        }
    }

    /// A token that carries the id of a run.
    async fn token(&self, run: &str) -> String {
        let made = self.bao.put("auth/token/create", json!({ "meta": { "run_id": run } })).await;
        made["auth"]["client_token"].as_str().expect("a token").to_owned()
    }

    async fn sql(&self, statement: &str) {
        let mut admin = AnyConnection::connect(&self.postgres.url("postgres")).await.expect("a login");
        admin.execute(AssertSqlSafe(statement.to_owned())).await.expect("a statement");
        admin.close().await.expect("an end");
    }

    /// Logs in as a role.
    async fn login(&self, role: &str, password: &str) {
        let url = format!("postgres://{role}:{password}@127.0.0.1:{}/postgres", self.postgres.port());
        AnyConnection::connect(&url).await.expect("a login").close().await.expect("an end");
    }

    /// Copies the logs to the estate, without the audit lines that hold a text.
    fn collect(&self, without: Option<&str>) {
        let folder = self.estate.folder.path();
        for (at, log) in self.bao.audit_logs().iter().enumerate() {
            let text = fs::read_to_string(log).expect("an audit log");
            let kept = text.lines().filter(|line| without.is_none_or(|without| !line.contains(without)));
            let kept: String = kept.map(|line| format!("{line}\n")).collect();
            fs::write(folder.join(format!("audit.{at}.log")), kept).expect("a file");
        }
        fs::copy(self.postgres.json_log(), folder.join("pg.json")).expect("a log");
        self.estate.write(&TABLES.replace("ADDRESS", &self.bao.address));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_rotation_is_judged_right() {
    let mut live = Live::start().await;
    for key in [
        "TRACED",
        "SILENT_PUT",
        "NEVER_APPLIED",
        "NEVER_LOADED",
        "NO_OP",
        "ROLLED_BACK",
        "STALE_CAS",
        "UNTOUCHED",
        "DELETED",
    ] {
        live.secret(key, "").await;
    }
    for role in ["silent_role", "background_role"] {
        live.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")).await;
    }
    live.secret("SILENT_ROLE", "known_as = [\"postgres:role/silent_role\"]\n").await;
    live.secret("DB_PASSWORD", "").await;
    live.estate.secret("DB_URL", "vault:secret/cases/DB_URL#DB_URL", "derived_from = [\"DB_PASSWORD\"]\n");
    let url = "postgres://app:planted-first-DB_PASSWORD@db/app";
    live.bao.put("secret/data/cases/DB_URL", json!({ "data": { "DB_URL": url } })).await;
    live.estate.secret(
        "BACKGROUND",
        "vault:database/static-roles/background",
        "known_as = [\"postgres:role/background_role\"]\n",
    );

    // As it should be.
    live.estate.request("run-traced", "TRACED");
    live.put("TRACED", "planted-second", Some("run-traced")).await;
    live.estate.load("TRACED");
    // Nobody asked.
    live.put("SILENT_PUT", "planted-second", None).await;
    live.estate.load("SILENT_PUT");
    live.sql("ALTER ROLE silent_role PASSWORD 'planted-second'").await;
    live.login("silent_role", "planted-second").await;
    // Asked for, and no more.
    live.estate.request_at(Utc::now() + TimeDelta::minutes(1), "run-never-applied", "NEVER_APPLIED");
    live.estate.request("run-never-loaded", "NEVER_LOADED");
    live.put("NEVER_LOADED", "planted-second", Some("run-never-loaded")).await;
    // The same value again, and an older one again.
    live.estate.request("run-no-op", "NO_OP");
    live.put("NO_OP", "planted-first", Some("run-no-op")).await;
    live.estate.load("NO_OP");
    live.estate.request("run-second", "ROLLED_BACK");
    live.put("ROLLED_BACK", "planted-second", Some("run-second")).await;
    live.estate.load("ROLLED_BACK");
    live.estate.request("run-rolled-back", "ROLLED_BACK");
    live.put("ROLLED_BACK", "planted-first", Some("run-rolled-back")).await;
    live.estate.load("ROLLED_BACK");
    // Half a group: the URL that holds the password keeps the old one.
    live.estate.request("run-half", "DB_PASSWORD");
    live.put("DB_PASSWORD", "planted-second", Some("run-half")).await;
    live.estate.load("DB_PASSWORD");
    // Refused by compare-and-set, so that nothing changed.
    let stale = json!({ "options": { "cas": 7 }, "data": { "STALE_CAS": "planted-stale" } });
    live.bao.refused("secret/data/cases/STALE_CAS", stale).await;
    // Gone, and nobody asked.
    live.bao.delete("secret/data/cases/DELETED").await;
    // The store rotates by itself, and its audit does not say so.
    background(&live).await;

    live.collect(None);
    let outcome = live.estate.scan(&[("VAULT_TOKEN", &live.bao.root_token)]);
    let report = outcome.json();
    let found = verdicts(&report);
    let of = |item: &str| found.get(item).map_or(Vec::new(), |verdicts| verdicts.iter().map(String::as_str).collect());
    assert_eq!(of("TRACED"), ["traced"], "{found:#?}");
    assert_eq!(of("SILENT_PUT"), ["silent no-request"]);
    assert_eq!(of("SILENT_ROLE"), ["silent out-of-band"]);
    assert_eq!(of("NEVER_APPLIED"), ["requested-never-applied"]);
    assert_eq!(of("NEVER_LOADED"), ["applied-never-loaded"]);
    assert_eq!(of("NO_OP"), ["traced no-op"]);
    assert_eq!(of("ROLLED_BACK"), ["traced", "traced regression"]);
    assert_eq!(of("DB_PASSWORD"), ["traced partial-group"]);
    for untouched in ["STALE_CAS", "UNTOUCHED", "DELETED", "DB_URL"] {
        assert_eq!(of(untouched), <[&str; 0]>::default(), "{untouched}");
    }
    let background = of("BACKGROUND");
    assert!(
        !background.is_empty() && background.iter().all(|verdict| verdict.starts_with("silent ")),
        "{background:?}"
    );
    assert!(check_evidence(live.estate.folder.path(), &report) > 10);
    insta::assert_debug_snapshot!(findings(&report));
    assert_eq!(report["gaps"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_lines_proves_nothing() {
    let mut live = Live::start().await;
    for key in ["LOST", "KEPT"] {
        live.secret(key, "").await;
        live.estate.request(&format!("run-{key}"), key);
        live.put(key, "planted-second", Some(&format!("run-{key}"))).await;
        live.estate.load(key);
    }
    live.collect(Some("cases/LOST"));
    let report = live.estate.scan(&[("VAULT_TOKEN", &live.bao.root_token)]).json();
    let found = verdicts(&report);
    assert_eq!(found["KEPT"], ["traced"]);
    assert_eq!(found["LOST"].len(), 1, "{found:#?}");
    assert!(found["LOST"][0].starts_with("inconclusive"), "{found:#?}");
    assert!(findings(&report).iter().any(|finding| finding.starts_with("trail-tampered")), "{:#?}", findings(&report));
}

/// Lets the store rotate a role of the database some times by itself.
async fn background(live: &Live) {
    live.bao.put("sys/mounts/database", json!({ "type": "database" })).await;
    let url = format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres", live.postgres.port());
    let config = json!({
        "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url,
        "username": "keytrail", "password": PASSWORD,
    });
    live.bao.put("database/config/pg", config).await;
    let role = json!({ "db_name": "pg", "username": "background_role", "rotation_period": "5s" });
    live.bao.put("database/static-roles/background", role).await;
    let rotated = async || {
        let read = live.bao.get("database/static-creds/background").await;
        read["data"]["last_vault_rotation"].as_str().expect("a time").to_owned()
    };
    let first = rotated().await;
    let end = Instant::now() + Duration::from_secs(60);
    while rotated().await == first {
        assert!(Instant::now() < end, "the store does not rotate by itself");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // So that it rotates no more while the logs are copied.
    live.bao.delete("database/static-roles/background").await;
}
