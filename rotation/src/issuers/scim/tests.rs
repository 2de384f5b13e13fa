use std::sync::Arc;

use serde_json::{Value, json};
use wiremock::matchers::{body_json, header as sent, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::super::testing::{Script, assert_hidden, context, credential, given, issuer, part, refusal, value};
use super::*;
use crate::failure::Outcome;

const SECRETS: &str = "/v1.0/servicePrincipals/sp-1/synchronization/secrets";
const LOGIN: &str = "lantern-admin";

fn table(server: &MockServer, folder: &tempfile::TempDir) -> Value {
    let graph = format!("{}/v1.0", server.uri());
    json!({
        "endpoint": format!("{}/scim/v2/", server.uri()),
        "accepted": {"separator": ","},
        "counterpart": {"entra": {"service_principal": "sp-1", "address": graph, "token": given(folder.path(), LOGIN)}},
    })
}

/// The tokens that Entra was told, in order.
async fn told(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let puts = requests.iter().filter(|request| request.method.as_str() == "PUT");
    let token = |request: &Request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["value"][1]["key"], "SecretToken");
        body["value"][1]["value"].as_str().unwrap().to_owned()
    };
    puts.map(token).collect()
}

#[test]
fn the_application_keeps_the_hash_of_the_token() {
    let counterpart = json!({"human": {"steps": ["Paste it."]}});
    let made = issuer("scim", json!({"counterpart": counterpart})).choose(None).unwrap().unwrap();
    let token = part(&made, "token");
    assert_eq!(token.len(), 64, "48 bytes");
    assert_eq!(value(&made), &*hex(&Sha256::digest(token.as_bytes())));
    assert_hidden(&made, &[token, value(&made)]);
    let made = issuer("scim", json!({"counterpart": counterpart, "stored": "token", "prefix": "scim_"}));
    let made = made.choose(None).unwrap().unwrap();
    assert!(value(&made).starts_with("scim_"));
    assert_eq!(part(&made, "hash"), &*hex(&Sha256::digest(value(&made).as_bytes())));
    // FIPS 180-4: the hash of "abc".
    let known = hash(&Secret::from("abc"));
    assert_eq!(known.expose(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[tokio::test]
async fn entra_is_told_the_new_token_and_on_the_way_back_the_old_one() {
    let (server, folder, context) = (MockServer::start().await, tempfile::tempdir().unwrap(), context());
    let issuer = issuer("scim", table(&server, &folder));
    let (old, new) = (issuer.choose(None).unwrap().unwrap(), issuer.choose(None).unwrap().unwrap());
    let expected = json!({"value": [
        {"key": "BaseAddress", "value": format!("{}/scim/v2/", server.uri())},
        {"key": "SecretToken", "value": part(&new, "token")},
    ]});
    let login = sent("authorization", format!("Bearer {LOGIN}").as_str());
    let right = Mock::given(method("PUT")).and(path(SECRETS)).and(login).and(body_json(expected));
    right.respond_with(ResponseTemplate::new(204)).expect(2).mount(&server).await;
    for _ in 0..2 {
        let set = issuer.set(&context, Some(&old), Some(&new)).await.unwrap();
        assert!(set.agrees_with(&new) && part(&set, "token") == part(&new, "token"));
    }
    let back = Mock::given(method("PUT")).and(path(SECRETS));
    back.respond_with(ResponseTemplate::new(204)).mount(&server).await;
    for _ in 0..2 {
        issuer.withdraw(&context, Some(&old), Some(&new)).await.unwrap();
        issuer.revoke(&context, &old, Some(&new)).await.unwrap();
    }
    let [old, new] = [&old, &new].map(|credential| part(credential, "token").to_owned());
    assert_eq!(told(&server).await, [new.clone(), new, old.clone(), old]);
}

#[tokio::test]
async fn a_reply_that_is_lost_leaves_it_open_and_the_way_back_works() {
    let (server, folder, context) = (MockServer::start().await, tempfile::tempdir().unwrap(), context());
    let issuer = issuer("scim", table(&server, &folder));
    let (old, new) = (issuer.choose(None).unwrap().unwrap(), issuer.choose(None).unwrap().unwrap());
    let lost = Mock::given(method("PUT")).respond_with_err(|_: &Request| std::io::Error::other("closed"));
    lost.up_to_n_times(1).mount(&server).await;
    let failure = issuer.set(&context, Some(&old), Some(&new)).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Unknown);
    assert_hidden(&failure, &[part(&new, "token"), LOGIN]);
    Mock::given(method("PUT")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    issuer.withdraw(&context, Some(&old), Some(&new)).await.unwrap();
    assert_eq!(told(&server).await.last().unwrap(), part(&old, "token"));
    Mock::given(method("PUT")).respond_with(ResponseTemplate::new(403)).with_priority(1).mount(&server).await;
    let failure = issuer.set(&context, Some(&old), Some(&new)).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::NotDone);
}

#[tokio::test]
async fn the_endpoint_tells_which_token_works() {
    let (server, folder, context) = (MockServer::start().await, tempfile::tempdir().unwrap(), context());
    let issuer = issuer("scim", table(&server, &folder));
    assert_eq!(issuer.nature(), Nature { chooser: Chooser::Keytrail, overlap: Overlap::Both, answers: false });
    let (old, new) = (issuer.choose(None).unwrap().unwrap(), issuer.choose(None).unwrap().unwrap());
    for (credential, status) in [(&old, 401), (&new, 200)] {
        let bearer = format!("Bearer {}", part(credential, "token"));
        let asked = Mock::given(path("/scim/v2/ServiceProviderConfig")).and(sent("authorization", bearer.as_str()));
        asked.respond_with(ResponseTemplate::new(status)).mount(&server).await;
    }
    assert_eq!(issuer.check(&context, &new).await.unwrap(), Answer::Works);
    assert_eq!(issuer.check(&context, &old).await.unwrap(), Answer::Rejected);
    assert_eq!(issuer.check(&context, &credential("a hash alone")).await.unwrap(), Answer::Unknown);
    let both = issuer.accepted(&[&new, &old]).unwrap().unwrap();
    assert_eq!(both.expose(), format!("{},{}", value(&new), value(&old)));
}

#[tokio::test]
async fn where_the_old_token_is_kept_nowhere_there_is_no_way_back() {
    let (server, folder, context) = (MockServer::start().await, tempfile::tempdir().unwrap(), context());
    let jobs = Mock::given(method("GET")).and(path("/v1.0/servicePrincipals/sp-1/synchronization/jobs"));
    jobs.respond_with(ResponseTemplate::new(200).set_body_string("{}")).mount(&server).await;
    let hash_alone = credential("a hash");
    let issuer_of = |table: Value| issuer("scim", table);
    let issuer = issuer_of(table(&server, &folder));
    let obstacles = issuer.preflight(&context, Some(&hash_alone)).await.unwrap();
    assert!(obstacles.len() == 1 && obstacles[0].contains("no way back"), "{obstacles:?}");
    let failure = issuer.withdraw(&context, Some(&hash_alone), None).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::NotDone);
    assert!(told(&server).await.is_empty());
    let mut accepting = table(&server, &folder);
    accepting["one_way"] = true.into();
    let issuer = issuer_of(accepting);
    assert_eq!(issuer.preflight(&context, Some(&hash_alone)).await.unwrap(), Vec::<String>::new());
    server.reset().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(403)).mount(&server).await;
    assert_eq!(issuer.preflight(&context, None).await.unwrap(), ["127.0.0.1 does not let Keytrail do that (403)"]);
}

#[tokio::test]
async fn a_program_can_be_the_counterpart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::write(&state, "{\"accounts\": {}}").unwrap();
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rotation/command/issuer");
    let command = json!({"program": sample, "args": [state], "timeout": "5 minutes"});
    let issuer = issuer("scim", json!({"counterpart": {"command": command}}));
    assert_eq!(issuer.nature(), Nature { chooser: Chooser::Keytrail, overlap: Overlap::One, answers: false });
    let new = issuer.choose(None).unwrap().unwrap();
    assert_eq!(issuer.preflight(&context(), None).await.unwrap(), Vec::<String>::new());
    issuer.set(&context(), None, Some(&new)).await.unwrap();
    let state = std::fs::read_to_string(state).unwrap();
    assert!(state.contains(part(&new, "token")) && !state.contains(value(&new)));
}

#[tokio::test]
async fn a_person_can_be_the_counterpart() {
    let table = json!({"counterpart": {"human": {"steps": ["Paste it into the console."]}}});
    let new = issuer("scim", table).choose(None).unwrap().unwrap();
    let scim = |person: &Arc<Script>| {
        let counterpart = Counterpart::Human { steps: vec!["Paste it.".to_owned()], person: person.clone() };
        let recipe = Recipe::of(RecipeTable::default()).unwrap();
        Scim { stored: Stored::Hash, recipe, verify: None, counterpart, separator: None, one_way: true }
    };
    let person = Script::of(&["yes"]);
    scim(&person).set(&context(), None, Some(&new)).await.unwrap();
    assert!(person.told().contains("Paste it.\n(shown)\n") && !person.told().contains(part(&new, "token")));
    let failure = scim(&Script::of(&["no"])).set(&context(), None, Some(&new)).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::NotDone);
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    let human = json!({"human": {"steps": ["Paste it."]}});
    let entra = json!({"entra": {"service_principal": "sp-1", "token": {"env": "TOKEN"}}});
    let refused = [
        (json!({"counterpart": entra}), "Entra is told the address of the endpoint too"),
        (
            json!({"counterpart": human, "accepted": {"separator": "a"}}),
            "the separator of `accepted` may be part of a value",
        ),
        (json!({"counterpart": human, "bytes": 8}), "such a value has 64 bits and could be guessed: 128 are needed"),
    ];
    for (table, why) in refused {
        assert_eq!(refusal("scim", table.clone()), why, "{table}");
    }
    assert!(refusal("scim", json!({})).contains("counterpart"));
    assert!(refusal("scim", json!({"counterpart": human, "endpoint": "http://app.example.com"})).contains("https://"));
}
