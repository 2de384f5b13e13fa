//! What is read of a real server.

use keytrail::config::StoreConfig;
use keytrail_rules::age::Age;
use keytrail_rules::model::{Class, Environment, Facts, Key, Place, Time};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{copies, gaps, only_gap, read, store};
use crate::support::openbao::OpenBao;

/// Paths and keys that break careless clients.
const ODD: [&str; 11] = [
    "a b/c.d",
    "per%cent/x%2Fy",
    "hash#tag",
    "what?now&x",
    "quo'te\"s",
    "ünï/cödé-💥",
    "a+b;c",
    "back\\slash",
    "star*",
    "dots../..x",
    "~tilde_-.",
];

#[tokio::test]
async fn every_path_and_key_is_found_whatever_it_is_called() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.mount("", "team/kv", 2).await;
    bao.mount("", "old", 1).await;
    for (at, name) in ODD.iter().enumerate() {
        // OpenBao's own client decides what the path is.
        bao.cli(&["kv", "put", "-mount=secret", name, &format!("{name}=planted-{at}")]);
        bao.cli(&["kv", "put", "-mount=old", name, &format!("{name}=planted-{at}")]);
    }
    let deep = (0..20).map(|n| format!("d{n}/")).collect::<String>() + "leaf";
    bao.write("team/kv", &deep, json!({ "k": "planted" })).await;
    bao.write("team/kv", "d0", json!({ "beside-a-folder": "planted" })).await;

    let folder = tempdir().expect("a folder");
    let mut config = store(&bao.address, &bao.root_token, folder.path());
    let mut expected: Vec<(String, String)> = Vec::new();
    for mount in ["secret", "old"] {
        expected.extend(ODD.iter().map(|name| (format!("{mount}/{name}"), (*name).to_owned())));
    }
    expected.push((format!("team/kv/{deep}"), "k".into()));
    expected.push(("team/kv/d0".into(), "beside-a-folder".into()));
    expected.sort();
    let found = |facts: &Facts, kind: &str| {
        let copies = facts.copies.iter().filter(|copy| copy.kind.as_str().contains(kind));
        let mut found: Vec<_> = copies.map(|copy| (copy.place.path(), copy.place.key().unwrap_or_default())).collect();
        found.sort();
        found
    };

    let facts = read(&config).await;
    assert_eq!(gaps(&facts), "");
    assert_eq!(found(&facts, ""), expected);
    assert!(facts.copies.iter().all(|copy| copy.value.fingerprint.is_some()), "every value was read");
    let scope = &facts.scope[0];
    assert_eq!((scope.source.as_str(), scope.kind.as_str(), scope.held), ("vault", "vault", expected.len() as u64));

    // Without values: the same names of KV v2, the paths of KV v1, and nothing that holds a value is asked for.
    let before = bao.audited().len();
    config.read_values = false;
    let facts = read(&config).await;
    assert_eq!(gaps(&facts), "");
    assert_eq!(found(&facts, "kv2").len(), ODD.len() + 2);
    assert!(found(&facts, "kv2").iter().all(|copy| expected.contains(copy)));
    assert_eq!(found(&facts, "kv1").len(), ODD.len());
    assert!(facts.copies.iter().all(|copy| copy.value.fingerprint.is_none()));
    let asked = bao.audited().split_off(before);
    assert!(asked.iter().any(|request| request.starts_with("read secret/subkeys/")));
    let values = |request: &&String| request.contains("/data/") || request.starts_with("read old/");
    assert_eq!(asked.iter().find(values), None);

    // Named mounts, one of them a folder of a mount.
    config.mounts = vec!["old/".into(), "team/kv/d0/d1".into()];
    let facts = read(&config).await;
    assert_eq!(gaps(&facts), "");
    assert_eq!((found(&facts, "kv1").len(), found(&facts, "kv2").len()), (ODD.len(), 1));
    config.mounts = vec!["team/kv".into(), "nope".into(), "sys".into()];
    let facts = read(&config).await;
    assert_eq!(found(&facts, "").len(), 2);
    insta::assert_snapshot!(gaps(&facts), @r"
    PermissionDenied: the server shows the token no mount nope [vault:nope]
    Unsupported: the server has a secrets engine there that is no KV store, when asked for sys [vault:sys]
    ");
}

#[tokio::test]
async fn each_key_is_compared_across_the_versions_of_its_path() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    for (path, writes) in [
        (
            "siblings",
            vec![
                json!({"a": "planted1", "b": "planted1"}),
                json!({"a": "planted1", "b": "planted2"}),
                json!({"a": "planted1", "c": "planted3"}),
            ],
        ),
        ("same-value", vec![json!({"k": "planted1"}); 3]),
        ("rollback", vec![json!({"k": "planted1"}), json!({"k": "planted2"})]),
        ("deleted-middle", vec![json!({"k": "planted1"}), json!({"k": "planted2"}), json!({"k": "planted3"})]),
        ("destroyed-middle", vec![json!({"k": "planted1"}), json!({"k": "planted2"}), json!({"k": "planted3"})]),
        ("deleted-now", vec![json!({"k": "planted1"}), json!({"k": "planted2"})]),
        ("destroyed-now", vec![json!({"k": "planted1"})]),
        ("undeleted", vec![json!({"k": "planted1"})]),
        ("edited", vec![json!({"k": "planted1"})]),
        (
            "not-texts",
            vec![
                json!({"n": 1, "t": true, "z": null, "o": {"b": [1], "a": "planted"}}),
                json!({"n": 1, "t": false, "z": null, "o": {"a": "planted", "b": [1]}}),
            ],
        ),
    ] {
        for data in writes {
            bao.write("secret", path, data).await;
        }
    }
    bao.cli(&["kv", "rollback", "-mount=secret", "-version=1", "rollback"]);
    bao.cli(&["kv", "delete", "-mount=secret", "-versions=2", "deleted-middle"]);
    bao.cli(&["kv", "destroy", "-mount=secret", "-versions=2", "destroyed-middle"]);
    bao.cli(&["kv", "delete", "-mount=secret", "deleted-now"]);
    bao.cli(&["kv", "destroy", "-mount=secret", "-versions=1", "destroyed-now"]);
    bao.cli(&["kv", "delete", "-mount=secret", "undeleted"]);
    bao.cli(&["kv", "undelete", "-mount=secret", "-versions=1", "undeleted"]);
    bao.cli(&["kv", "metadata", "put", "-mount=secret", "-custom-metadata=owner=x", "edited"]);
    bao.cli(&["kv", "metadata", "put", "-mount=secret", "-custom-metadata=owner=x", "never-written"]);
    bao.cli(&["kv", "metadata", "put", "-mount=secret", "-max-versions=2", "few"]);
    for n in 1..=4 {
        bao.write("secret", "few", json!({ "k": format!("planted{}", n / 2) })).await;
    }

    let folder = tempdir().expect("a folder");
    let mut config = store(&bao.address, &bao.root_token, folder.path());
    let facts = read(&config).await;
    assert_eq!(gaps(&facts), "");
    insta::assert_snapshot!(copies(&facts), @r"
    vault:secret/deleted-middle#k vault-kv2 1:Live:a 2:Deleted:? 3:Live:b
    vault:secret/destroyed-middle#k vault-kv2 1:Live:a 2:Destroyed:? 3:Live:b
    vault:secret/edited#k vault-kv2 1:Live:a
    vault:secret/few#k vault-kv2 3:Live:a 4:Live:b
    vault:secret/not-texts#n vault-kv2 1:Live:a 2:Live:a
    vault:secret/not-texts#o vault-kv2 1:Live:a 2:Live:a
    vault:secret/not-texts#t vault-kv2 1:Live:a 2:Live:b
    vault:secret/not-texts#z vault-kv2 1:Live:a 2:Live:a
    vault:secret/rollback#k vault-kv2 1:Live:a 2:Live:b 3:Live:a
    vault:secret/same-value#k vault-kv2 1:Live:a 2:Live:a 3:Live:a
    vault:secret/siblings#a vault-kv2 1:Live:a 2:Live:a 3:Live:a
    vault:secret/siblings#c vault-kv2 1:Live:- 2:Live:- 3:Live:a
    vault:secret/undeleted#k vault-kv2 1:Live:a
    ");
    // Three paths hold nothing now; they are counted, and that is all.
    assert_eq!(facts.scope[0].held, facts.copies.len() as u64 + facts.declarations.len() as u64 + 3);

    // Ages: times are those of the writes, and no edit, undelete, rollback or repeated value is a rotation.
    let written = |path: &'static str, version: u64| {
        let bao = &bao;
        async move {
            let metadata = bao.get(&format!("secret/metadata/{path}")).await;
            let time = metadata["data"]["versions"][version.to_string()]["created_time"]
                .as_str()
                .expect("a time")
                .parse::<Time>();
            time.expect("a time")
        }
    };
    for (path, key, set_in) in [
        ("siblings", "a", 1),
        ("siblings", "c", 3),
        ("same-value", "k", 1),
        ("rollback", "k", 1),
        ("undeleted", "k", 1),
        ("edited", "k", 1),
        ("not-texts", "o", 1),
        ("not-texts", "t", 2),
    ] {
        let place = format!("vault:secret/{path}#{key}");
        let copy = facts.copies.iter().find(|copy| copy.place.as_str() == place).expect("a copy");
        let age = Age::of_copy(copy, &[], chrono::Utc::now()).expect("an age");
        assert_eq!(age.exact(), Some(written(path, set_in).await), "{place}: {}", age.proof);
    }

    config.read_values = false;
    let facts = read(&config).await;
    assert_eq!(gaps(&facts), "");
    insta::assert_snapshot!(copies(&facts), @r"
    vault:secret/deleted-middle#k vault-kv2 1:Live:? 2:Deleted:? 3:Live:?
    vault:secret/destroyed-middle#k vault-kv2 1:Live:? 2:Destroyed:? 3:Live:?
    vault:secret/edited#k vault-kv2 1:Live:?
    vault:secret/few#k vault-kv2 3:Live:? 4:Live:?
    vault:secret/not-texts#n vault-kv2 1:Live:? 2:Live:?
    vault:secret/not-texts#o vault-kv2 1:Live:? 2:Live:?
    vault:secret/not-texts#t vault-kv2 1:Live:? 2:Live:?
    vault:secret/not-texts#z vault-kv2 1:Live:? 2:Live:?
    vault:secret/rollback#k vault-kv2 1:Live:? 2:Live:? 3:Live:?
    vault:secret/same-value#k vault-kv2 1:Live:? 2:Live:? 3:Live:?
    vault:secret/siblings#a vault-kv2 1:Live:? 2:Live:? 3:Live:?
    vault:secret/siblings#c vault-kv2 1:Live:? 2:Live:? 3:Live:?
    vault:secret/undeleted#k vault-kv2 1:Live:?
    ");
}

#[tokio::test]
async fn custom_metadata_declares_and_environments_are_told() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.write("secret", "prod/db", json!({ "password": "planted", "url": "planted" })).await;
    bao.write("secret", "billing", json!({ "token": "planted" })).await;
    let custom = json!({ "owner": "platform", "cadence": "90 days", "class": "rotation-required" });
    bao.put("secret/metadata/prod/db", json!({ "custom_metadata": custom })).await;
    let custom = json!({ "environment": "staging", "derived_from": "db_password", "class": "top" });
    bao.put("secret/metadata/billing", json!({ "custom_metadata": custom })).await;

    let folder = tempdir().expect("a folder");
    let mut config = store(&bao.address, &bao.root_token, folder.path());
    config.read_values = false;
    let facts = read(&config).await;
    let [billing, db] = &facts.declarations[..] else { panic!("two declarations") };
    assert_eq!((db.owner.as_deref(), db.class), (Some("platform"), Some(Class::RotationRequired)));
    assert_eq!(
        db.places.iter().map(Place::as_str).collect::<Vec<_>>(),
        ["vault:secret/prod/db#password", "vault:secret/prod/db#url"]
    );
    assert_eq!((billing.class, &billing.derived_from[..]), (None, &[Key::new("DB_PASSWORD")][..]));
    assert!(only_gap_message(&facts).starts_with("'class' is none of"));
    let environments =
        |facts: &Facts| facts.copies.iter().map(|copy| copy.environment.clone().expect("one")).collect::<Vec<_>>();
    let [staging, production] = ["staging", "production"].map(Environment::new);
    assert_eq!(environments(&facts), [staging, production.clone(), production]);
    config.environment = Some(Environment::new("test"));
    assert!(environments(&read(&config).await).iter().all(|one| one.as_str() == "test"));
}

fn only_gap_message(facts: &Facts) -> &str {
    assert_eq!(facts.gaps.len(), 1, "{}", gaps(facts));
    &facts.gaps[0].message
}

#[tokio::test]
async fn what_a_policy_denies_is_named_and_the_rest_is_read() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.mount("", "old", 1).await;
    for path in ["open", "prod/a", "prod/b", "no-metadata", "no-data", "no-keys"] {
        bao.write("secret", path, json!({ "k": "planted1" })).await;
        bao.write("secret", path, json!({ "k": "planted2" })).await;
    }
    bao.put("old/open", json!({ "k": "planted" })).await;
    bao.put("old/closed", json!({ "k": "planted" })).await;
    let policy = r#"
        path "secret/*" { capabilities = ["list", "read"] }
        path "secret/metadata/prod/*" { capabilities = ["deny"] }
        path "secret/metadata/no-metadata" { capabilities = ["deny"] }
        path "secret/data/no-data" { capabilities = ["deny"] }
        path "secret/data/no-keys" { capabilities = ["deny"] }
        path "secret/subkeys/no-keys" { capabilities = ["deny"] }
        path "old/*" { capabilities = ["list", "read"] }
        path "old/closed" { capabilities = ["deny"] }
    "#;
    let token = bao.token("some", policy).await;
    let folder = tempdir().expect("a folder");
    let mut config = store(&bao.address, &token, folder.path());
    let facts = read(&config).await;
    insta::assert_snapshot!(format!("{}\n{}", copies(&facts), gaps(&facts)), @r"
    vault:old/closed vault-kv1
    vault:old/open#k vault-kv1
    vault:secret/no-data#k vault-kv2 1:Live:? 2:Live:?
    vault:secret/no-keys vault-kv2 1:Live:? 2:Live:?
    vault:secret/no-metadata#k vault-kv2 2:Live:a
    vault:secret/open#k vault-kv2 1:Live:a 2:Live:b

    PermissionDenied: the token may not list secret/prod/ [vault:secret/prod]
    PermissionDenied: the token may not read the metadata of secret/no-metadata [vault:secret/no-metadata]
    PermissionDenied: the token may not read the values of old/closed [vault:old/closed]
    PermissionDenied: the token may not read the values of secret/no-data [vault:secret/no-data]
    PermissionDenied: the token may not read the values of secret/no-keys [vault:secret/no-keys]
    ");
    assert!(facts.gaps.iter().all(|gap| gap.hint.as_ref().is_some_and(|hint| hint.starts_with("grant the token"))));

    config.read_values = false;
    let facts = read(&config).await;
    insta::assert_snapshot!(format!("{}\n{}", copies(&facts), gaps(&facts)), @r"
    vault:old/closed vault-kv1
    vault:old/open vault-kv1
    vault:secret/no-data#k vault-kv2 1:Live:? 2:Live:?
    vault:secret/no-keys vault-kv2 1:Live:? 2:Live:?
    vault:secret/no-metadata#k vault-kv2 2:Live:?
    vault:secret/open#k vault-kv2 1:Live:? 2:Live:?

    PermissionDenied: the token may not list secret/prod/ [vault:secret/prod]
    PermissionDenied: the token may not read the metadata of secret/no-metadata [vault:secret/no-metadata]
    PermissionDenied: the token may not read the names of the keys of secret/no-keys [vault:secret/no-keys]
    ");

    // Values of many paths: one gap that counts them.
    for n in 0..25 {
        bao.write("secret", &format!("many/p{n:02}"), json!({ "k": "planted" })).await;
    }
    let policy = r#"path "secret/metadata/*" { capabilities = ["list", "read"] }"#;
    config = store(&bao.address, &bao.token("names", policy).await, folder.path());
    config.mounts = vec!["secret/many".into()];
    let facts = read(&config).await;
    assert_eq!(facts.copies.len(), 25);
    insta::assert_snapshot!(gaps(&facts), @r"
    PermissionDenied: the token may not read the values of 25 paths: secret/many/p00, secret/many/p01, secret/many/p02 and 22 more [vault:secret/many]
    ");

    // A folder that may be listed, in a mount that may not.
    let policy = r#"path "secret/metadata/prod/*" { capabilities = ["list", "read"] }
                    path "secret/subkeys/prod/*" { capabilities = ["read"] }"#;
    config = store(&bao.address, &bao.token("folder", policy).await, folder.path());
    config.read_values = false;
    insta::assert_snapshot!(gaps(&read(&config).await), @r"
    PermissionDenied: the token may not list secret/ [vault:secret]
    ");
    config.mounts = vec!["secret/prod".into()];
    let facts = read(&config).await;
    insta::assert_snapshot!(format!("{}{}", copies(&facts), gaps(&facts)), @r"
    vault:secret/prod/a#k vault-kv2 (production) 1:Live:? 2:Live:?
    vault:secret/prod/b#k vault-kv2 (production) 1:Live:? 2:Live:?
    ");
}

/// The policies that the documentation recommends are enough, and the one without values is without values.
#[tokio::test]
async fn the_least_policies_are_enough() {
    let fixture = |name: &str| {
        let path = crate::support::repository().join("fixtures/stores/vault").join(name);
        std::fs::read_to_string(path).expect("a fixture")
    };
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.write("secret", "app/db", json!({ "k": "planted" })).await;
    let folder = tempdir().expect("a folder");
    let (names, values) = (fixture("names.hcl"), fixture("names.hcl") + &fixture("values.hcl"));
    for (policy, read_values, told) in [
        (&names, false, "vault:secret/app/db#k vault-kv2 1:Live:?\n"),
        (&values, true, "vault:secret/app/db#k vault-kv2 1:Live:a\n"),
        (
            &names,
            true,
            "vault:secret/app/db#k vault-kv2 1:Live:?\n\
             PermissionDenied: the token may not read the values of secret/app/db [vault:secret/app/db]\n",
        ),
    ] {
        let token = bao.token("least", policy).await;
        let config = StoreConfig { read_values, ..store(&bao.address, &token, folder.path()) };
        let facts = read(&config).await;
        assert_eq!(copies(&facts) + &gaps(&facts), told);
    }
}

#[tokio::test]
async fn a_namespace_is_a_store_of_its_own() {
    let bao = OpenBao::start().await;
    bao.put("sys/namespaces/team", json!({})).await;
    bao.mount("", "secret", 2).await;
    bao.mount("team", "secret", 2).await;
    bao.write("secret", "root", json!({ "k": "planted" })).await;
    let body = json!({ "data": { "k": "planted" } });
    bao.request(reqwest::Method::PUT, "team", "secret/data/theirs", Some(body)).await;

    let folder = tempdir().expect("a folder");
    let mut config = store(&bao.address, &bao.root_token, folder.path());
    assert_eq!(copies(&read(&config).await), "vault:secret/root#k vault-kv2 1:Live:a\n");
    config.namespace = Some("team".into());
    let facts = read(&config).await;
    assert_eq!((copies(&facts).as_str(), gaps(&facts).as_str()), ("vault:secret/theirs#k vault-kv2 1:Live:a\n", ""));
    config.namespace = Some("nobody".into());
    assert_eq!(only_gap(&read(&config).await).1, "the server has no such namespace");
}

#[tokio::test]
async fn a_metadata_that_the_clock_deletes_is_there_until_then() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    bao.put("secret/metadata/short", json!({ "delete_version_after": "24h" })).await;
    bao.write("secret", "short", json!({ "k": "planted" })).await;
    let deletion: Value = bao.get("secret/metadata/short").await["data"]["versions"]["1"]["deletion_time"].clone();
    assert_ne!(deletion, "", "the server plans the deletion");
    let folder = tempdir().expect("a folder");
    let facts = read(&store(&bao.address, &bao.root_token, folder.path())).await;
    assert_eq!(copies(&facts), "vault:secret/short#k vault-kv2 1:Live:a\n");
}
