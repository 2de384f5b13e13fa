//! Rotations of PostgreSQL roles, alone and in turns, direct and through PgBouncer, with real servers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keytrail_rotation::context::Context;
use keytrail_rotation::credential::Credential;
use keytrail_rotation::issuers::{Issuer, IssuerKind};
use keytrail_rotation::probes::{Health, Moment, Probe, ProbeKind};
use keytrail_rotation::settings::Settings;
use keytrail_rotation::state::Answer;
use keytrail_rotation::workloads::{Progress, Workload, WorkloadKind};
use keytrail_rules::model::Secret;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use tempfile::TempDir;

use crate::support::postgres::{PASSWORD, Postgres, programs};

mod grants;
mod load;
mod pgbouncer;
mod pgbouncer_guard;
mod plaintext;
mod roles;

/// The id of the only item.
const ITEM: &str = "shop/db";

/// A server with the database `app`, and where its admin's password is.
struct Shop {
    server: Postgres,
    folder: TempDir,
}

impl Shop {
    async fn start() -> Self {
        let server = Postgres::start_with("log_statement = 'all'\nlog_connections = on\nlog_line_prefix = '<%a> '\n");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("admin"), format!("{PASSWORD}\n")).unwrap();
        let shop = Self { server, folder };
        shop.sql("postgres", "CREATE DATABASE app").await;
        shop
    }

    /// The roles of the README: one owns what both make.
    async fn with_turns() -> Self {
        let shop = Self::start().await;
        shop.sql(
            "app",
            "CREATE ROLE app_owner NOLOGIN; CREATE ROLE app_a LOGIN PASSWORD 'first-password' IN ROLE app_owner; \
             ALTER ROLE app_a SET role = app_owner; GRANT CREATE ON SCHEMA public TO app_owner",
        )
        .await;
        shop
    }

    async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.server.url(database)).await.expect("a login")
    }

    async fn sql(&self, database: &str, statements: &str) {
        let mut connection = self.connect(database).await;
        let run = connection.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))).await;
        run.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// The rows of a query of texts, each joined by `|`.
    async fn ask(&self, database: &str, query: &str) -> Vec<String> {
        let mut connection = self.connect(database).await;
        let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(query.to_owned()))).await.expect("an answer");
        let field = |row: &PgRow, at| row.try_get_unchecked::<Option<String>, _>(at).unwrap().unwrap_or_default();
        rows.iter().map(|row| (0..row.len()).map(|at| field(row, at)).collect::<Vec<_>>().join("|")).collect()
    }

    /// The verifier of a role, and the transaction that last wrote it.
    async fn kept(&self, role: &str) -> String {
        self.ask("app", &format!("SELECT xmin, rolpassword FROM pg_authid WHERE rolname = '{role}'")).await.concat()
    }

    /// The table of an issuer with the server's admin.
    fn issuer(&self, more: Value) -> Box<dyn Issuer> {
        let Value::Object(more) = more else { panic!("no table") };
        let url = format!("postgres://keytrail@127.0.0.1:{}/app", self.server.port());
        let mut table = json!({"admin": {"url": url, "password": {"file": self.folder.path().join("admin")}}});
        table.as_object_mut().unwrap().extend(more);
        issuer(table)
    }

    fn turns(&self) -> Box<dyn Issuer> {
        self.issuer(json!({"alternating": ["app_a", "app_b"], "owner": "app_owner"}))
    }
}

fn settings(table: Value) -> Settings {
    serde_json::from_value(table).unwrap()
}

fn issuer(table: Value) -> Box<dyn Issuer> {
    (IssuerKind::find("postgres").unwrap().open)(&settings(table)).unwrap()
}

fn workload(table: Value) -> Box<dyn Workload> {
    (WorkloadKind::find("pgbouncer").unwrap().open)("main", &settings(table)).unwrap()
}

fn probe(table: Value) -> Box<dyn Probe> {
    let table = settings(table);
    (ProbeKind::of(&table).unwrap().open)(&table).unwrap()
}

fn context() -> Context {
    Context::new("kt-20261121t183000z-0f3a9c21")
}

fn credential(user: &str, value: &str) -> Credential {
    Credential::of_value(Secret::from(value)).with("user", Secret::from(user))
}

fn part<'a>(credential: &'a Credential, name: &str) -> &'a str {
    credential.part(name).expect("the part").expose()
}

/// The program that guards a PAUSE.
fn guard() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_keytrail"))
}

fn pgbench() -> PathBuf {
    programs().join("pgbench")
}

async fn set(issuer: &dyn Issuer, old: &Credential) -> Credential {
    let chosen = issuer.choose(Some(old)).unwrap().expect("Keytrail chooses");
    issuer.set(&context(), Some(old), Some(&chosen)).await.unwrap()
}

async fn check(issuer: &dyn Issuer, credential: &Credential) -> Answer {
    issuer.check(&context(), credential).await.unwrap()
}

async fn load(workload: &dyn Workload, new: &Credential, old: &Credential) {
    let (values, others) = (BTreeMap::from([(ITEM, new)]), BTreeMap::from([(ITEM, old)]));
    let mark = workload.load(&context(), &values, &others).await.unwrap();
    let progress = workload.progress(&context(), &mark, &values).await.unwrap();
    assert_eq!(progress, Progress::Done);
}

async fn health(probe: &dyn Probe, credential: &Credential) -> Health {
    probe.check(&context(), &Moment::Before, &BTreeMap::from([(ITEM, credential)])).await.unwrap()
}
