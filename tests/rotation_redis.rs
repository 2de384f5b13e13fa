//! The issuer and the probe of Redis, against real servers.

use std::collections::BTreeMap;
use std::process::Stdio;

use keytrail_rotation::context::Context;
use keytrail_rotation::credential::Credential;
use keytrail_rotation::issuers::{Issuer, IssuerKind};
use keytrail_rotation::probes::{Health, Moment, Probe, ProbeKind};
use keytrail_rotation::settings::Settings;
use keytrail_rotation::state::Answer;
use keytrail_rules::model::Secret;
use serde_json::{Value, json};

use crate::support::redis::Redis;

const OLD: &str = "planted-old-password";
const ADMIN: &str = "planted-admin-password";

fn settings(table: Value) -> Settings {
    serde_json::from_value(table).expect("a table")
}

fn issuer(table: Value) -> Box<dyn Issuer> {
    (IssuerKind::find("redis").expect("a kind").open)(&settings(table)).expect("an issuer")
}

fn old() -> Credential {
    Credential::of_value(Secret::from(OLD))
}

fn context() -> Context {
    Context::new("kt-20261121t183000z-0f3a9c21")
}

/// A server with an administrator and an application, and the issuer that changes the password of the application.
fn with_users(folder: &tempfile::TempDir, end_sessions: bool) -> (Redis, Box<dyn Issuer>) {
    let users = format!(
        "user default off\nuser admin on +@all ~* &* >{ADMIN}\nuser app on +@read +@write +ping ~app:* >{OLD}\n"
    );
    let acl = folder.path().join("users.acl");
    std::fs::write(&acl, users).expect("a file");
    let admin = folder.path().join("admin");
    std::fs::write(&admin, format!("{ADMIN}\n")).expect("a file");
    let redis = Redis::start(&format!("aclfile {}", acl.display()));
    let issuer = issuer(json!({
        "nodes": [redis.url()], "user": "app", "admin_user": "admin", "admin": { "file": admin },
        "end_sessions": end_sessions,
    }));
    (redis, issuer)
}

#[tokio::test]
async fn a_user_has_two_passwords_until_the_old_one_is_revoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut redis, issuer) = with_users(&folder, false);
    let (context, old) = (context(), old());
    assert_eq!(issuer.preflight(&context, Some(&old)).await.expect("an answer"), Vec::<String>::new());
    let new = issuer.choose(Some(&old)).expect("random numbers").expect("a value");
    assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Rejected));
    for _ in 0..2 {
        issuer.set(&context, Some(&old), Some(&new)).await.expect("set");
        assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Works));
        assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Works));
    }
    for _ in 0..2 {
        issuer.withdraw(&context, Some(&old), Some(&new)).await.expect("withdrawn");
        assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Rejected));
        assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Works));
    }
    issuer.set(&context, Some(&old), Some(&new)).await.expect("set");
    for _ in 0..2 {
        issuer.revoke(&context, &old, Some(&new)).await.expect("revoked");
        assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Rejected));
        assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Works));
    }
    redis.restart();
    assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Rejected), "a restart brings it back");
    assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Works));
    let users = redis.cli("admin", ADMIN, &["ACL", "LIST"]);
    assert!(users.contains("~app:*") && users.contains("user default off"), "{users}");
}

#[tokio::test]
async fn the_only_user_changes_its_own_password_and_that_of_replicas() {
    let secondary = Redis::start(&format!("requirepass {OLD}\nmasterauth {OLD}"));
    let mut primary = Redis::start(&format!("requirepass {OLD}\nmasterauth {OLD}"));
    let issuer = issuer(json!({ "nodes": [primary.url(), secondary.url()] }));
    let (context, old) = (context(), old());
    assert_eq!(issuer.preflight(&context, Some(&old)).await.expect("an answer"), Vec::<String>::new());
    let new = issuer.choose(Some(&old)).expect("random numbers").expect("a value");
    let value = new.value().expect("a value").expose();
    issuer.set(&context, Some(&old), Some(&new)).await.expect("set");
    assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Works));
    assert!(secondary.cli("default", OLD, &["CONFIG", "GET", "masterauth"]).contains(value));
    issuer.revoke(&context, &old, Some(&new)).await.expect("revoked");
    assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Rejected));
    primary.restart();
    assert_eq!(issuer.check(&context, &old).await, Ok(Answer::Rejected));
    assert_eq!(issuer.check(&context, &new).await, Ok(Answer::Works));
    assert!(secondary.cli("default", value, &["CONFIG", "GET", "requirepass"]).contains(value));
}

#[tokio::test]
async fn what_would_go_wrong_is_said_before() {
    let redis = Redis::start(&format!("requirepass {OLD}"));
    let (context, old) = (context(), old());
    let obstacles = |table: Value| {
        let (context, old) = (&context, &old);
        async move { issuer(table).preflight(context, Some(old)).await.expect("an answer").join("\n") }
    };
    assert!(obstacles(json!({ "nodes": [redis.url()], "user": "app" })).await.contains("rejects the login"));
    redis.cli("default", OLD, &["ACL", "SETUSER", "app", "on", "nopass", "+@all"]);
    let open = obstacles(json!({ "nodes": [redis.url()], "user": "app" })).await;
    assert!(open.contains("needs no password") && open.contains("another password than the store"), "{open}");
    drop(redis);
    let gone = obstacles(json!({ "nodes": ["redis://127.0.0.1:1"] })).await;
    assert!(gone.contains("cannot be reached"), "{gone}");
    for (table, why) in [
        (json!({ "nodes": [] }), "`nodes` is empty"),
        (json!({ "nodes": ["redis://:pw@h"] }), "has a user or a password"),
        (json!({ "nodes": ["http://h"] }), "is none of Redis"),
        (json!({ "nodes": ["redis://h"], "admin_user": "a" }), "need each other"),
    ] {
        let opened = (IssuerKind::find("redis").expect("a kind").open)(&settings(table));
        let failure = opened.err().expect("a mistake");
        assert!(failure.what.contains(why) && !failure.what.contains("pw"), "{failure}");
    }
}

#[tokio::test]
async fn the_probe_logs_in_with_what_it_is_given() {
    let redis = Redis::start(&format!("requirepass {OLD}"));
    let open = |table: Value| -> Box<dyn Probe> {
        let table = settings(table);
        (ProbeKind::of(&table).expect("a kind").open)(&table).expect("a probe")
    };
    let probe = open(json!({ "redis": redis.url(), "item": "CACHE_PASSWORD" }));
    let (right, wrong) = (old(), Credential::of_value(Secret::from("planted-wrong")));
    let check = async |credential: &Credential, item: &str| {
        let values = BTreeMap::from([(item, credential)]);
        probe.check(&context(), &Moment::Before, &values).await
    };
    assert!(matches!(check(&right, "CACHE_PASSWORD@production").await, Ok(Health::Healthy(_))));
    assert!(matches!(check(&wrong, "CACHE_PASSWORD").await, Ok(Health::Unhealthy(_))));
    assert!(check(&wrong, "OTHER").await.is_err());
    let values = BTreeMap::from([("A", &right)]);
    let nobody = open(json!({ "redis": "redis://127.0.0.1:1" }));
    let health = nobody.check(&context(), &Moment::Before, &values).await.expect("an answer");
    assert!(matches!(health, Health::Unknown(_)), "{health:?}");
}

/// Clients that stay connected, and clients that log in again for every request, while the password changes ten times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_notices_ten_rotations() {
    let folder = tempfile::tempdir().expect("a folder");
    let (redis, issuer) = with_users(&folder, false);
    let context = context();
    let mut current = old();
    let load = |password: &str, reconnect: bool| {
        let mut command = redis.benchmark();
        command.args(["--user", "app", "-a", password, "-c", "10", "-t", "set", "-q", "-r", "1000"]);
        command.args(["-k", if reconnect { "0" } else { "1" }, "-n", if reconnect { "2000" } else { "1000000" }]);
        command.args(["SET", "app:key", "v"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("redis-benchmark runs")
    };
    let mut steady = load(OLD, false);
    for _ in 0..10 {
        let new = issuer.choose(Some(&current)).expect("random numbers").expect("a value");
        issuer.set(&context, Some(&current), Some(&new)).await.expect("set");
        // Consumers of both kinds while both work: the one that has not loaded the new one yet, and the one that has.
        for credential in [&current, &new] {
            let clients = load(credential.value().expect("a value").expose(), true);
            let output = clients.wait_with_output().expect("an end");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && !errors.contains("Error"), "{errors}");
        }
        issuer.revoke(&context, &current, Some(&new)).await.expect("revoked");
        assert_eq!(issuer.check(&context, &current).await, Ok(Answer::Rejected));
        current = new;
    }
    let _ = steady.kill();
    let output = steady.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("Error") && !said.contains("WRONGPASS") && !said.contains("NOAUTH"), "{said}");
}

#[tokio::test]
async fn sessions_of_a_leaked_password_end_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (redis, issuer) = with_users(&folder, true);
    let mut stays = redis.benchmark();
    stays.args(["--user", "app", "-a", OLD, "-c", "1", "-n", "100000000", "-q", "SET", "app:key", "v"]);
    let mut stays = stays.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-benchmark runs");
    while !redis.cli("admin", ADMIN, &["CLIENT", "LIST"]).contains("user=app") {
        std::thread::yield_now();
    }
    let (context, old) = (context(), old());
    let new = issuer.choose(Some(&old)).expect("random numbers").expect("a value");
    issuer.set(&context, Some(&old), Some(&new)).await.expect("set");
    issuer.revoke(&context, &old, Some(&new)).await.expect("revoked");
    assert!(!redis.cli("admin", ADMIN, &["CLIENT", "LIST"]).contains("user=app"));
    let _ = stays.kill();
    let _ = stays.wait();
}
