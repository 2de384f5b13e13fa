//! A server that keeps the secrets of GitHub Actions as GitHub does: it opens what was sealed for it, and holds every
//! request, and its own answers, against what GitHub publishes of its API (`fixtures/github/openapi.json`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::SecretKey;
use crypto_box::aead::OsRng;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// A secret.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) value: String,
    /// In seconds after midnight.
    pub(super) written: u32,
    /// Of an organisation's: who sees it.
    pub(super) visibility: Option<&'static str>,
    pub(super) repositories: Vec<u64>,
}

/// What the server has, and what it saw.
#[derive(Default)]
pub(super) struct State {
    /// By the path of the API: `/repos/acme/shop/actions/secrets/KEY`.
    pub(super) secrets: BTreeMap<String, Kept>,
    pub(super) environments: Vec<String>,
    /// What is answered instead, to everything.
    pub(super) instead: Option<ResponseTemplate>,
    /// The scopes of the token.
    pub(super) scopes: Option<&'static str>,
    /// Bodies of `PUT`.
    pub(super) put: Vec<Value>,
    pub(super) agents: Vec<String>,
    /// What GitHub would not have understood.
    pub(super) wrong: Vec<String>,
    clock: u32,
}

pub(super) struct Github {
    pub(super) server: MockServer,
    pub(super) state: Arc<Mutex<State>>,
}

/// What the server takes for a token.
pub(super) const TOKEN: &str = "planted-token";

struct Answering {
    state: Arc<Mutex<State>>,
    key: SecretKey,
    operations: Value,
}

impl Github {
    pub(super) async fn start() -> Self {
        let path = crate::support::repository().join("fixtures/github/openapi.json");
        let operations: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let state = Arc::new(Mutex::new(State { clock: 100, ..State::default() }));
        let server = MockServer::start().await;
        let key = SecretKey::generate(&mut OsRng);
        let answering = Answering { state: Arc::clone(&state), key, operations: operations["paths"].clone() };
        Mock::given(any()).respond_with(answering).mount(&server).await;
        Self { server, state }
    }

    pub(super) fn keep(&self, path: &str, kept: Kept) {
        self.state.lock().unwrap().secrets.insert(path.to_owned(), kept);
    }

    pub(super) fn value(&self, path: &str) -> String {
        self.state.lock().unwrap().secrets[path].value.clone()
    }
}

impl Drop for Github {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.state.lock().unwrap().wrong, Vec::<String>::new());
        }
    }
}

impl Respond for Answering {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.state.lock().unwrap();
        let (method, path) = (request.method.as_str().to_lowercase(), request.url.path());
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        state.agents.push(header("user-agent").to_owned());
        if header("x-github-api-version") != "2022-11-28" || header("accept") != "application/vnd.github+json" {
            state.wrong.push(format!("{method} {path}: no version"));
        }
        let Some(operation) = self.operation(&method, path) else {
            state.wrong.push(format!("{method} {path}: no such operation"));
            return ResponseTemplate::new(404);
        };
        state.wrong.extend(faults(operation, request).into_iter().map(|fault| format!("{method} {path}: {fault}")));
        if header("authorization") != format!("Bearer {TOKEN}") {
            return ResponseTemplate::new(401);
        }
        if let Some(instead) = &state.instead {
            return instead.clone();
        }
        let answer = match &*method {
            "put" => return self.put(&mut state, path, request.body_json().unwrap()),
            _ => self.get(&state, path, request),
        };
        let Some(answer) = answer else { return ResponseTemplate::new(404) };
        if let Some(schema) = operation.get("response").filter(|schema| !jsonschema::is_valid(schema, &answer)) {
            state.wrong.push(format!("the answer {answer} is not {schema}"));
        }
        let answer = ResponseTemplate::new(200).set_body_json(answer);
        match state.scopes {
            Some(scopes) => answer.insert_header("x-oauth-scopes", scopes),
            None => answer,
        }
    }
}

impl Answering {
    /// The published operation of a path. One that names a part goes before one with a parameter in its place.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &&String| {
            let names: Vec<&str> = template.split('/').collect();
            let same = |(name, part): (&&str, &&str)| (name.starts_with('{') && !part.is_empty()) || name == part;
            names.len() == parts.len() && names.iter().zip(&parts).all(same)
        };
        let found = self.operations.as_object()?.keys().filter(fits).min_by_key(|name| name.matches('{').count())?;
        self.operations[found].get(method)
    }

    fn get(&self, state: &State, path: &str, request: &Request) -> Option<Value> {
        let number = |name: &str, usual: usize| {
            let given = request.url.query_pairs().find(|(key, _)| key == name);
            given.map_or(usual, |(_, value)| value.parse().unwrap())
        };
        let (size, page) = (number("per_page", 30), number("page", 1));
        if path.ends_with("/public-key") {
            return Some(json!({ "key_id": "key-7", "key": STANDARD.encode(self.key.public_key().as_bytes()) }));
        }
        if path.ends_with("/environments") {
            let names = state.environments.iter().map(|name| json!({ "name": name }));
            return Some(json!({ "total_count": state.environments.len(), "environments": names.collect::<Vec<_>>() }));
        }
        if let Some(secret) = path.strip_suffix("/repositories") {
            let ids = &state.secrets.get(secret)?.repositories;
            let shown: Vec<Value> =
                ids.iter().skip((page - 1) * size).take(size).map(|id| json!({ "id": id })).collect();
            return Some(json!({ "total_count": ids.len(), "repositories": shown }));
        }
        if path.ends_with("/secrets") {
            let below = format!("{path}/");
            let all = state.secrets.iter().filter_map(|(name, kept)| Some(shown(name.strip_prefix(&below)?, kept)));
            let all: Vec<Value> = all.collect();
            let shown: Vec<Value> = all.iter().skip((page - 1) * size).take(size).cloned().collect();
            return Some(json!({ "total_count": all.len(), "secrets": shown }));
        }
        Some(shown(path.rsplit('/').next()?, state.secrets.get(path)?))
    }

    fn put(&self, state: &mut State, path: &str, body: Value) -> ResponseTemplate {
        let sealed = STANDARD.decode(body["encrypted_value"].as_str().unwrap()).unwrap();
        let Ok(value) = self.key.unseal(&sealed) else { return ResponseTemplate::new(422) };
        state.clock += 1;
        let written = state.clock;
        let kept = state.secrets.entry(path.to_owned()).or_default();
        kept.value = String::from_utf8(value).unwrap();
        kept.written = written;
        if path.starts_with("/orgs/") {
            let visibilities = ["all", "private", "selected"];
            kept.visibility = visibilities.into_iter().find(|name| body["visibility"] == *name);
            let ids = body["selected_repository_ids"].as_array().into_iter().flatten();
            kept.repositories = ids.map(|id| id.as_u64().unwrap()).collect();
        }
        state.put.push(body);
        ResponseTemplate::new(204)
    }
}

fn shown(name: &str, kept: &Kept) -> Value {
    let at = |seconds: u32| format!("2026-11-21T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut shown = json!({ "name": name, "created_at": at(0), "updated_at": at(kept.written) });
    if let Some(visibility) = kept.visibility {
        shown["visibility"] = visibility.into();
        shown["selected_repositories_url"] = "https://api.github.com/x".into();
    }
    shown
}

/// What GitHub would not take of a request.
fn faults(operation: &Value, request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap();
    for (name, value) in request.url.query_pairs() {
        let known = parameters.iter().find(|known| known["in"] == "query" && known["name"] == *name);
        let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
        if known.is_none_or(|known| !jsonschema::is_valid(&known["schema"], &value)) {
            faults.push(format!("the parameter {name}"));
        }
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    match (schema.is_null(), request.body.is_empty()) {
        (true, true) => {}
        (false, false) => {
            let body: Value = request.body_json().unwrap();
            let validator = jsonschema::validator_for(schema).unwrap();
            faults.extend(validator.iter_errors(&body).map(|error| error.to_string()));
            // Documented as needed, though the schema lets them be left out.
            faults.extend(
                ["encrypted_value", "key_id"].iter().filter(|key| body[**key].is_null()).map(|key| (*key).into()),
            );
            let known = schema["properties"].as_object().unwrap();
            faults.extend(body.as_object().unwrap().keys().filter(|key| !known.contains_key(*key)).cloned());
        }
        _ => faults.push("the body".to_owned()),
    }
    faults
}
