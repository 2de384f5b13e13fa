//! The issuers that have Vault's database engine change logins, against a real OpenBao and a real PostgreSQL.

use keytrail_rotation::context::Context;
use keytrail_rotation::credential::Credential;
use keytrail_rotation::issuers::{Issuer, IssuerKind};
use keytrail_rotation::settings::Settings;
use keytrail_rotation::state::Answer;
use keytrail_rules::model::Secret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::support::openbao::OpenBao;
use crate::support::postgres::{PASSWORD, Postgres};

struct Live {
    bao: OpenBao,
    postgres: Postgres,
    folder: tempfile::TempDir,
}

const CREATE: &str = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";

impl Live {
    async fn start() -> Self {
        let (bao, postgres) = (OpenBao::start().await, Postgres::start());
        let mut connection = PgConnection::connect(&postgres.url("postgres")).await.expect("a connection");
        let create = format!(
            "CREATE ROLE engine LOGIN SUPERUSER PASSWORD '{PASSWORD}'; CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.expect("roles");
        bao.put("sys/mounts/database", json!({ "type": "database" })).await;
        let url = format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres", postgres.port());
        let config = json!({
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url,
            "username": "engine", "password": PASSWORD,
        });
        bao.put("database/config/pg", config).await;
        let role = json!({ "db_name": "pg", "creation_statements": [CREATE], "default_ttl": "1h" });
        bao.put("database/roles/app", role).await;
        let role = json!({ "db_name": "pg", "username": "shop", "rotation_period": "24h" });
        bao.put("database/static-roles/shop", role).await;
        Self { bao, postgres, folder: tempfile::tempdir().expect("a folder") }
    }

    fn issuer(&self, kind: &str, more: Value, token: &str) -> Box<dyn Issuer> {
        let path = self.folder.path().join("token");
        std::fs::write(&path, token).expect("a file");
        let mut table = json!({ "address": self.bao.address, "token": { "file": path } });
        let Value::Object(more) = more else { panic!("no table") };
        table.as_object_mut().expect("a table").extend(more);
        let settings: Settings = serde_json::from_value(table).expect("a table");
        (IssuerKind::find(kind).expect("a kind").open)(&settings).expect("an issuer")
    }

    /// Whether PostgreSQL itself takes the login.
    async fn takes(&self, credential: &Credential) -> bool {
        let part = |name: &str| credential.part(name).expect("a part").expose();
        let options = sqlx::postgres::PgConnectOptions::new().host("127.0.0.1").port(self.postgres.port());
        let options = options.username(part("user")).password(part("value")).database("postgres");
        PgConnection::connect_with(&options).await.is_ok()
    }
}

fn context() -> Context {
    Context::new("kt-20261121t183000z-0f3a9c21")
}

#[tokio::test]
async fn a_dynamic_login_ends_with_its_lease_and_no_other() {
    let live = Live::start().await;
    let issuer = live.issuer("vault-dynamic", json!({ "role": "app" }), &live.bao.root_token);
    let context = context();
    let old = issuer.set(&context, None, None).await.expect("a login");
    assert_eq!(issuer.preflight(&context, Some(&old)).await, Ok(Vec::new()));
    assert!(issuer.choose(Some(&old)).expect("an answer").is_none());
    let new = issuer.set(&context, Some(&old), None).await.expect("a login");
    let other = issuer.set(&context, Some(&old), None).await.expect("a login");
    assert!(live.takes(&old).await && live.takes(&new).await && live.takes(&other).await);
    for _ in 0..2 {
        issuer.withdraw(&context, Some(&old), Some(&other)).await.expect("withdrawn");
        assert_eq!(issuer.check(&context, &other).await, Ok(Answer::Rejected));
    }
    assert!(!live.takes(&other).await && live.takes(&old).await);
    for _ in 0..2 {
        issuer.revoke(&context, &old, Some(&new)).await.expect("revoked");
        assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Rejected));
        assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Works));
    }
    assert!(!live.takes(&old).await && live.takes(&new).await);

    let unknown = Credential::of_value(Secret::from("planted-unknown"));
    let obstacles = issuer.preflight(&context, Some(&unknown)).await.expect("an answer").join("\n");
    assert!(obstacles.contains("the lease of the login is not known"), "{obstacles}");
    assert!(issuer.revoke(&context, &unknown, Some(&new)).await.is_err());
}

#[tokio::test]
async fn a_static_role_is_rotated_once_however_often_it_is_asked_for() {
    let live = Live::start().await;
    let issuer = live.issuer("vault-static", json!({ "role": "shop" }), &live.bao.root_token);
    let context = context();
    let read = live.bao.get("database/static-creds/shop").await;
    let old = Credential::of_value(Secret::from(read["data"]["password"].as_str().expect("a password")))
        .with("user", Secret::from("shop"));
    assert!(live.takes(&old).await);
    assert_eq!(issuer.preflight(&context, Some(&old)).await, Ok(Vec::new()));
    issuer.withdraw(&context, Some(&old), None).await.expect("nothing to withdraw");
    let new = issuer.set(&context, Some(&old), None).await.expect("rotated");
    let again = issuer.set(&context, Some(&old), None).await.expect("rotated before");
    assert!(new.agrees_with(&again), "it rotated twice");
    assert!(live.takes(&new).await && !live.takes(&old).await);
    assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Works));
    assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Rejected));
    issuer.revoke(&context, &old, Some(&new)).await.expect("it is");
    let refused = issuer.withdraw(&context, Some(&old), Some(&new)).await.expect_err("no way back");
    assert!(refused.hint.is_some());
    let obstacles = issuer.preflight(&context, Some(&old)).await.expect("an answer").join("\n");
    assert!(obstacles.contains("another password than the static role"), "{obstacles}");
}

#[tokio::test]
async fn the_own_login_of_the_store_is_rotated_and_told_to_nobody() {
    let live = Live::start().await;
    let issuer = live.issuer("vault-root", json!({ "connection": "pg" }), &live.bao.root_token);
    let context = context();
    let old = Credential::of_value(Secret::from(PASSWORD)).with("user", Secret::from("engine"));
    assert!(live.takes(&old).await);
    assert_eq!(issuer.preflight(&context, None).await, Ok(Vec::new()));
    for _ in 0..2 {
        let new = issuer.set(&context, None, None).await.expect("rotated");
        assert_eq!(new.parts().count(), 0);
    }
    assert!(!live.takes(&old).await);
    live.bao.get("database/creds/app").await;
}

#[tokio::test]
async fn a_token_without_the_rights_is_said_before_anything_is_done() {
    let live = Live::start().await;
    let token = live
        .bao
        .token(
            "reader",
            "path \"database/creds/app\" { capabilities = [\"read\"] }\n\
         path \"sys/capabilities-self\" { capabilities = [\"update\"] }",
        )
        .await;
    let context = context();
    for (kind, table, missing) in [
        ("vault-dynamic", json!({ "role": "app" }), "may not update sys/leases/revoke"),
        ("vault-static", json!({ "role": "shop" }), "may not update database/rotate-role/shop"),
        ("vault-root", json!({ "connection": "pg" }), "may not update database/rotate-root/pg"),
    ] {
        let obstacles = live.issuer(kind, table, &token).preflight(&context, None).await.expect("an answer").join("\n");
        assert!(obstacles.contains(missing), "{kind}: {obstacles}");
    }
    let nobody = live.issuer("vault-static", json!({ "role": "shop", "address": "http://127.0.0.1:1" }), "none");
    let obstacles = nobody.preflight(&context, None).await.expect("an answer").join("\n");
    assert!(obstacles.contains("cannot connect"), "{obstacles}");
    let wrong = live.issuer("vault-static", json!({ "role": "shop" }), "wrong");
    assert!(wrong.set(&context, None, None).await.is_err());
}
