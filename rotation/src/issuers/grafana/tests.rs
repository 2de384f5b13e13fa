use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use wiremock::matchers::{header as sent, method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::super::testing::{RUN, assert_hidden, context, credential, given, issuer, part, refusal, value};
use super::*;

const TOKENS: &str = "/api/serviceaccounts/7/tokens";
const LOGIN: &str = "lantern-admin";

/// A service account: id, name and value of each token.
type Tokens = Arc<Mutex<Vec<(u64, String, String)>>>;

struct Grafana {
    server: MockServer,
    tokens: Tokens,
    folder: tempfile::TempDir,
}

fn make(tokens: &Tokens, request: &Request) -> Result<Value, ResponseTemplate> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let (mut tokens, name) = (tokens.lock().unwrap(), body["name"].as_str().unwrap().to_owned());
    if tokens.iter().any(|(_, taken, _)| *taken == name) {
        return Err(ResponseTemplate::new(409));
    }
    let id = tokens.iter().map(|(id, ..)| id + 1).max().unwrap_or(1);
    let key = format!("made-{id}-{}", "whisper");
    tokens.push((id, name.clone(), key.clone()));
    Ok(json!({"id": id, "name": name, "key": key}))
}

impl Grafana {
    /// One with a token 1 that is in use, and a token 2 of somebody else.
    async fn start() -> Self {
        let server = MockServer::start().await;
        let first = [(1, "old".to_owned(), "old-value".to_owned()), (2, "other".to_owned(), "other-value".to_owned())];
        let tokens: Tokens = Arc::new(Mutex::new(first.into()));
        let login = || sent("authorization", format!("Bearer {LOGIN}").as_str());
        let own = tokens.clone();
        let list = move |_: &Request| {
            let all: Vec<_> = own.lock().unwrap().iter().map(|(id, name, _)| json!({"id": id, "name": name})).collect();
            ResponseTemplate::new(200).set_body_json(all)
        };
        Mock::given(method("GET")).and(path(TOKENS)).and(login()).respond_with(list).mount(&server).await;
        let own = tokens.clone();
        let post = move |request: &Request| match make(&own, request) {
            Ok(made) => ResponseTemplate::new(200).set_body_json(made),
            Err(refused) => refused,
        };
        Mock::given(method("POST")).and(path(TOKENS)).and(login()).respond_with(post).mount(&server).await;
        let own = tokens.clone();
        let delete = move |request: &Request| {
            let id: u64 = request.url.path_segments().unwrap().next_back().unwrap().parse().unwrap();
            let mut tokens = own.lock().unwrap();
            let before = tokens.len();
            tokens.retain(|(known, ..)| *known != id);
            ResponseTemplate::new(if tokens.len() < before { 200 } else { 404 })
        };
        let one = path_regex(format!("^{TOKENS}/[0-9]+$"));
        Mock::given(method("DELETE")).and(one).and(login()).respond_with(delete).mount(&server).await;
        let own = tokens.clone();
        let permissions = move |request: &Request| {
            let login = request.headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
            let known = own.lock().unwrap().iter().any(|(.., value)| *value == login);
            ResponseTemplate::new(if known { 200 } else { 401 })
        };
        let place = path("/api/access-control/user/permissions");
        Mock::given(method("GET")).and(place).respond_with(permissions).mount(&server).await;
        Self { server, tokens, folder: tempfile::tempdir().unwrap() }
    }

    fn table(&self) -> Value {
        json!({"address": self.server.uri(), "service_account": 7, "token": given(self.folder.path(), LOGIN)})
    }

    fn open(&self) -> Box<dyn Issuer> {
        issuer("grafana", self.table())
    }

    /// The next POST is carried out, and its reply is lost.
    async fn lose_a_reply(&self) {
        let own = self.tokens.clone();
        let lost = move |request: &Request| {
            let _made = make(&own, request);
            std::io::Error::other("closed")
        };
        let post = Mock::given(method("POST")).respond_with_err(lost).up_to_n_times(1);
        post.with_priority(1).mount(&self.server).await;
    }

    /// The next request of a method gets this.
    async fn answer(&self, verb: &str, answer: ResponseTemplate) {
        Mock::given(method(verb)).respond_with(answer).up_to_n_times(1).with_priority(1).mount(&self.server).await;
    }

    fn ids(&self) -> Vec<u64> {
        self.tokens.lock().unwrap().iter().map(|(id, ..)| *id).collect()
    }
}

fn old() -> Credential {
    credential("old-value").with(TOKEN_ID, Secret::from("1"))
}

#[tokio::test]
async fn a_rotation_leaves_the_new_token_alone() {
    let grafana = Grafana::start().await;
    let (issuer, context, old) = (grafana.open(), context(), old());
    assert_eq!(issuer.nature(), Nature { chooser: Chooser::Issuer, overlap: Overlap::Both, answers: true });
    assert!(issuer.choose(Some(&old)).unwrap().is_none());
    assert_eq!(issuer.preflight(&context, Some(&old)).await.unwrap(), Vec::<String>::new());
    let new = issuer.set(&context, Some(&old), None).await.unwrap();
    assert_eq!((value(&new), part(&new, TOKEN_ID)), ("made-3-whisper", "3"));
    assert_eq!(grafana.tokens.lock().unwrap()[2].1, format!("keytrail-{RUN}"));
    for credential in [&old, &new] {
        assert_eq!(issuer.check(&context, credential).await.unwrap(), Answer::Works, "both work at once");
    }
    for _ in 0..2 {
        issuer.revoke(&context, &old, Some(&new)).await.unwrap();
        assert_eq!(grafana.ids(), [2, 3]);
    }
    assert_eq!(issuer.check(&context, &old).await.unwrap(), Answer::Rejected);
    assert_eq!(issuer.check(&context, &new).await.unwrap(), Answer::Works);
    assert_hidden(&new, &[value(&new)]);
}

#[tokio::test]
async fn what_a_run_makes_twice_is_there_once_and_is_withdrawn_whole() {
    let grafana = Grafana::start().await;
    let (issuer, context, old) = (grafana.open(), context(), old());
    let first = issuer.set(&context, Some(&old), None).await.unwrap();
    let again = issuer.set(&context, Some(&old), None).await.unwrap();
    assert_eq!(grafana.ids(), [1, 2, 3]);
    assert_eq!(issuer.check(&context, &again).await.unwrap(), Answer::Works);
    for known in [Some(&first), Some(&again), None] {
        issuer.withdraw(&context, Some(&old), known).await.unwrap();
        assert_eq!(grafana.ids(), [1, 2]);
    }
}

#[tokio::test]
async fn a_token_whose_reply_was_lost_is_found_by_its_name() {
    let grafana = Grafana::start().await;
    let (issuer, context) = (grafana.open(), context());
    grafana.lose_a_reply().await;
    let failure = issuer.set(&context, Some(&old()), None).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Unknown, "{failure:?}");
    assert_eq!(grafana.ids(), [1, 2, 3], "it was made all the same");
    issuer.withdraw(&context, Some(&old()), None).await.unwrap();
    assert_eq!(grafana.ids(), [1, 2]);
    grafana.lose_a_reply().await;
    issuer.set(&context, Some(&old()), None).await.unwrap_err();
    let new = issuer.set(&context, Some(&old()), None).await.unwrap();
    assert_eq!((grafana.ids(), part(&new, TOKEN_ID)), (vec![1, 2, 3], "3"));
    assert_eq!(issuer.check(&context, &new).await.unwrap(), Answer::Works);
}

#[tokio::test]
async fn a_request_that_is_carried_out_late_is_no_obstacle() {
    let grafana = Grafana::start().await;
    let (issuer, context) = (grafana.open(), context());
    issuer.set(&context, Some(&old()), None).await.unwrap();
    // The list does not have it yet, and the name is taken.
    grafana.answer("GET", ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let new = issuer.set(&context, Some(&old()), None).await.unwrap();
    assert_eq!(issuer.check(&context, &new).await.unwrap(), Answer::Works);
    assert_eq!(grafana.ids().len(), 3);
}

#[tokio::test]
async fn refusals_are_told_from_what_may_have_been_done() {
    use Outcome::{Conflict, NotDone, Unknown};
    let meanings = [
        (401, NotDone),
        (403, NotDone),
        (404, NotDone),
        (409, Conflict),
        (429, Unknown),
        (500, Unknown),
        (302, NotDone),
    ];
    for (status, outcome) in meanings {
        for verb in ["GET", "POST"] {
            let grafana = Grafana::start().await;
            let refused = Mock::given(method(verb)).respond_with(ResponseTemplate::new(status).set_body_string(LOGIN));
            refused.with_priority(1).mount(&grafana.server).await;
            let failure = grafana.open().set(&context(), Some(&old()), None).await.unwrap_err();
            assert_eq!(failure.outcome, outcome, "{verb} {status}: {failure:?}");
            assert_hidden(&failure, &[LOGIN]);
        }
        let grafana = Grafana::start().await;
        grafana.answer("DELETE", ResponseTemplate::new(status)).await;
        let revoked = grafana.open().revoke(&context(), &old(), None).await;
        let expected = if status == 404 { None } else { Some(outcome) };
        assert_eq!(revoked.err().map(|failure| failure.outcome), expected, "DELETE {status}");
        grafana.answer("GET", ResponseTemplate::new(status)).await;
        let answer = grafana.open().check(&context(), &credential("any")).await.unwrap();
        assert_eq!(answer, if status == 401 { Answer::Rejected } else { Answer::Unknown }, "check {status}");
    }
}

#[tokio::test]
async fn odd_answers_may_hide_that_it_was_done() {
    let odd = [
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_json(json!({"id": 3})),
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; (1 << 20) + 1]),
        ResponseTemplate::new(200).set_delay(Duration::from_secs(3600)),
    ];
    let grafana = Grafana::start().await;
    let hasty = Context { timeout: Duration::from_secs(2), ..context() };
    for answer in odd {
        grafana.answer("POST", answer).await;
        let failure = grafana.open().set(&hasty, Some(&old()), None).await.unwrap_err();
        assert_eq!(failure.outcome, Outcome::Unknown, "{failure:?}");
    }
}

#[tokio::test]
async fn without_the_id_of_the_old_token_nothing_is_deleted() {
    let grafana = Grafana::start().await;
    let (issuer, context, nameless) = (grafana.open(), context(), credential("old-value"));
    let obstacles = issuer.preflight(&context, Some(&nameless)).await.unwrap();
    assert_eq!(obstacles, ["which token of the service account is the old one is not known"]);
    let failure = issuer.revoke(&context, &nameless, None).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::NotDone);
    assert!(failure.hint.unwrap().contains("token_id"));
    assert_eq!(grafana.ids(), [1, 2]);
    let new = credential("new").with(TOKEN_ID, Secret::from("1"));
    assert!(issuer.revoke(&context, &old(), Some(&new)).await.is_err(), "never the new one");
    assert_eq!(grafana.ids(), [1, 2]);
    let mut table = grafana.table();
    table["current_token_id"] = 1.into();
    let issuer = super::super::testing::issuer("grafana", table);
    issuer.revoke(&context, &nameless, None).await.unwrap();
    assert_eq!(grafana.ids(), [2]);
    let obstacles = issuer.preflight(&context, Some(&nameless)).await.unwrap();
    assert_eq!(obstacles, ["the service account has no token 1, which the current one is said to be"]);
}

#[tokio::test]
async fn the_lifetime_is_sent_and_tables_are_checked() {
    let grafana = Grafana::start().await;
    let mut table = grafana.table();
    table["lifetime"] = "90 days".into();
    issuer("grafana", table.clone()).set(&context(), None, None).await.unwrap();
    let requests = grafana.server.received_requests().await.unwrap();
    let post = requests.iter().find(|request| request.method.as_str() == "POST").unwrap();
    let body: Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!(body, json!({"name": format!("keytrail-{RUN}"), "secondsToLive": 7_776_000}));
    table["address"] = "http://grafana.example.com".into();
    assert!(refusal("grafana", table.clone()).contains("does not start with https://"));
    table["address"] = "https://grafana.example.com".into();
    table["token"] = "in-the-config".into();
    assert!(refusal("grafana", table).starts_with("no credential is part of the config"));
}
