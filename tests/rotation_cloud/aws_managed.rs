//! Secrets that AWS rotates itself: in Moto, which makes the version of a rotation and never fills it; and with a server
//! that does what a function does.

use std::sync::{Arc, Mutex};

use keytrail_rotation::credential::VALUE;
use keytrail_rotation::issuers::Overlap;
use keytrail_rotation::state::Answer;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::support::moto::Moto;

fn described(moto: &Moto) -> BTreeMap<String, Vec<String>> {
    let described = moto.aws(&["secretsmanager", "describe-secret", "--secret-id", "prod/db"]);
    serde_json::from_value(described["VersionIdsToStages"].clone()).unwrap()
}

fn put(moto: &Moto, version: &str, label: &str, text: &str) {
    let args = ["put-secret-value", "--secret-id", "prod/db", "--client-request-token", version];
    let more = ["--version-stages", label, "--secret-string", text];
    moto.aws(&[&["secretsmanager"], &args[..], &more[..]].concat());
}

/// Secrets Manager with a function that takes three looks to rotate its only secret.
#[derive(Default)]
struct Rotating {
    enabled: bool,
    /// The token of each request to rotate.
    asked: Vec<String>,
    looks: usize,
}

const OLD: &str = r#"{"username":"app","password":"planted-old","port":5432}"#;

impl Rotating {
    fn answer(&mut self, call: &str, body: &Value) -> ResponseTemplate {
        let token = self.asked.last().cloned().unwrap_or_default();
        let answer = match call {
            "RotateSecret" => {
                self.asked.push(body["ClientRequestToken"].as_str().unwrap().to_owned());
                json!({ "VersionId": body["ClientRequestToken"] })
            }
            "DescribeSecret" => {
                self.looks += usize::from(!self.asked.is_empty());
                let versions = match self.looks {
                    0 => json!({ "first": ["AWSCURRENT"] }),
                    1..3 => json!({ "first": ["AWSCURRENT"], token: ["AWSPENDING"] }),
                    _ => json!({ "first": ["AWSPREVIOUS"], token: ["AWSCURRENT", "AWSPENDING"] }),
                };
                json!({ "Name": "prod/db", "RotationEnabled": self.enabled, "VersionIdsToStages": versions })
            }
            // The first to ask comes before everybody knows of it.
            "GetSecretValue" if self.looks > 3 && body["VersionId"] == *token => {
                json!({ "VersionId": token, "SecretString": OLD.replace("planted-old", "planted-new") })
            }
            _ => {
                let answer = json!({ "__type": "ResourceNotFoundException" });
                return ResponseTemplate::new(400).set_body_raw(answer.to_string(), "application/x-amz-json-1.1");
            }
        };
        ResponseTemplate::new(200).set_body_raw(answer.to_string(), "application/x-amz-json-1.1")
    }
}

#[tokio::test]
async fn aws_is_asked_once_and_waited_for() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let state = Arc::new(Mutex::new(Rotating::default()));
    let shared = Arc::clone(&state);
    let respond = move |request: &Request| {
        let target = request.headers["x-amz-target"].to_str().unwrap();
        let call = target.strip_prefix("secretsmanager.").unwrap();
        shared.lock().unwrap().answer(call, &request.body_json().unwrap())
    };
    Mock::given(any()).respond_with(respond).mount(&server).await;
    let open = |more: &Value| {
        let mut table = json!({ "secret": "prod/db", "key": "password" });
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        issuer("aws-managed", &server.uri(), folder.path(), &table)
    };
    let (issuer, context) = (open(&json!({})), run("managed"));
    let told = issuer.preflight(&context, None).await.unwrap();
    assert_eq!(told, ["AWS does not rotate prod/db: set rotation up for it, or use another issuer"]);
    state.lock().unwrap().enabled = true;
    assert_eq!(issuer.preflight(&context, None).await.unwrap(), Vec::<String>::new());
    issuer.withdraw(&context, None, None).await.unwrap();

    let credential = issuer.set(&context, None, None).await.unwrap();
    let part = |name: &str| credential.part(name).map(|part| part.expose().to_owned());
    let parts = [part(VALUE), part("username"), part("port")];
    assert_eq!(parts, [Some("planted-new".to_owned()), Some("app".to_owned()), None]);

    // Asked again, it is the same version.
    let again = issuer.set(&context, None, None).await.unwrap();
    assert!(again.agrees_with(&credential));
    assert_eq!(state.lock().unwrap().asked.len(), 1);
    assert_eq!(issuer.check(&context, &credential).await.unwrap(), Answer::Unknown);

    // One user has one password: there is no way back. Of two, the old one still has its own.
    assert_eq!(issuer.nature().overlap, Overlap::One);
    assert_eq!(outcome(issuer.withdraw(&context, None, Some(&credential)).await), Outcome::NotDone);
    issuer.revoke(&context, &credential, None).await.unwrap();
    let both = open(&json!({ "overlap": "both" }));
    both.withdraw(&context, None, Some(&credential)).await.unwrap();
    assert_eq!(outcome(both.revoke(&context, &credential, None).await), Outcome::NotDone);
    both.revoke(&context, &credential, Some(&credential)).await.unwrap();
    issuer.withdraw(&run("never-began"), None, None).await.unwrap();
}

#[tokio::test]
async fn another_rotation_is_left_alone_and_one_that_hangs_is_told() {
    let moto = Moto::start().await;
    let folder = tempfile::tempdir().unwrap();
    let open =
        |wait: u64| issuer("aws-managed", &moto.address, folder.path(), &json!({ "secret": "prod/db", "wait": wait }));
    moto.aws(&["secretsmanager", "create-secret", "--name", "prod/db", "--secret-string", "planted-old"]);
    let rules = ["--rotation-rules", "AutomaticallyAfterDays=30"];
    moto.aws(&[&["secretsmanager", "rotate-secret", "--secret-id", "prod/db"], &rules[..]].concat());

    // It makes a version, and no function fills it.
    let failed = open(0).set(&run("hangs"), None, None).await.unwrap_err();
    assert_eq!((failed.outcome, failed.what.contains("did not end")), (Outcome::Unknown, true), "{}", failed.what);

    put(&moto, "11111111-2222-3333-4444-555555555555", "AWSPENDING", "planted-theirs");
    let before = described(&moto);
    let told = open(0).preflight(&run("mine"), None).await.unwrap();
    assert_eq!(told, ["another rotation of prod/db is under way"]);
    assert_eq!(outcome(open(0).set(&run("mine"), None, None).await), Outcome::Conflict);
    assert_eq!(described(&moto), before);
}
