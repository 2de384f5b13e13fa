//! Access keys of AWS users, in a LocalEmu that rejects inactive and deleted ones, but for asking who one is; so that is
//! asked of Moto.

use keytrail_rotation::aws::ACCESS_KEY_ID;
use keytrail_rotation::credential::{Credential, VALUE};
use keytrail_rotation::state::Answer;

use super::*;
use crate::support::localemu::{self, LocalEmu};
use crate::support::moto::Moto;

struct Estate {
    emulator: LocalEmu,
    folder: tempfile::TempDir,
}

impl Estate {
    async fn start() -> Self {
        let emulator = LocalEmu::start_strict().await;
        emulator.aws(&["iam", "create-user", "--user-name", "ci"]);
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let put = ["iam", "put-user-policy", "--user-name", "ci", "--policy-name", "all", "--policy-document", policy];
        emulator.aws(&put);
        Self { emulator, folder: tempfile::tempdir().unwrap() }
    }

    fn issuer(&self, more: &Value) -> Box<dyn Issuer> {
        let mut table = json!({ "user": "ci" });
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        issuer("aws-iam", &self.emulator.address, self.folder.path(), &table)
    }

    /// A key that somebody made by hand.
    fn make_key(&self) -> Credential {
        let made = &self.emulator.aws(&["iam", "create-access-key", "--user-name", "ci"])["AccessKey"];
        let text = |name: &str| Secret::from(made[name].as_str().unwrap());
        Credential::of_value(text("SecretAccessKey")).with(ACCESS_KEY_ID, text("AccessKeyId"))
    }

    /// The keys, and whether each is active.
    fn keys(&self) -> BTreeMap<String, bool> {
        let listed = self.emulator.aws(&["iam", "list-access-keys", "--user-name", "ci"]);
        let keys = listed["AccessKeyMetadata"].as_array().unwrap().iter();
        keys.map(|key| (key["AccessKeyId"].as_str().unwrap().to_owned(), key["Status"] == "Active")).collect()
    }

    fn tags(&self) -> Value {
        self.emulator.aws(&["iam", "list-user-tags", "--user-name", "ci"])["Tags"].clone()
    }
}

fn id(key: &Credential) -> String {
    key.part(ACCESS_KEY_ID).unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_key_is_made_and_the_old_one_is_deleted() {
    let estate = Estate::start().await;
    let (issuer, context) = (estate.issuer(&json!({})), run("keys"));
    let old = estate.make_key();
    assert_eq!(issuer.preflight(&context, Some(&old)).await.unwrap(), Vec::<String>::new());
    assert!(issuer.choose(Some(&old)).unwrap().is_none());

    let new = issuer.set(&context, Some(&old), None).await.unwrap();
    assert_eq!(estate.keys(), BTreeMap::from([(id(&old), true), (id(&new), true)]));
    assert_eq!(issuer.check(&context, &new).await.unwrap(), Answer::Works);
    assert_eq!(issuer.check(&context, &old).await.unwrap(), Answer::Works);

    // A third key is refused, and who is in the way is told.
    let told = issuer.preflight(&run("next"), Some(&old)).await.unwrap().join("\n");
    let (in_the_way, used) = (id(&new), id(&old));
    assert!(told.contains(&format!("--user-name ci --access-key-id {in_the_way}")), "{told}");
    assert!(!told.contains(&used) && told.contains("active"), "{told}");
    assert_eq!(outcome(issuer.set(&run("next"), Some(&old), None).await), Outcome::NotDone);
    assert_eq!(estate.keys().len(), 2);

    // Not the only key that works.
    let same = issuer.revoke(&context, &old, Some(&old)).await;
    assert_eq!(outcome(same), Outcome::NotDone);
    for _ in 0..2 {
        issuer.revoke(&context, &old, Some(&new)).await.unwrap();
    }
    assert_eq!(estate.keys(), BTreeMap::from([(id(&new), true)]));
    assert!(!use_key(&estate, &old) && use_key(&estate, &new));
    assert_eq!(estate.tags(), json!([]));
}

#[tokio::test]
async fn what_an_interrupted_call_made_is_found_and_nothing_else_is_deleted() {
    let estate = Estate::start().await;
    let (issuer, context) = (estate.issuer(&json!({})), run("orphan"));
    let old = estate.make_key();
    // No reply came: the key is there, and nobody knows its secret.
    let lost = id(&issuer.set(&context, Some(&old), None).await.unwrap());
    let again = id(&issuer.set(&context, Some(&old), None).await.unwrap());
    assert_ne!(lost, again);
    assert_eq!(estate.keys().into_keys().collect::<Vec<_>>().len(), 2);
    assert!(estate.keys().contains_key(&again) && !estate.keys().contains_key(&lost));
    for _ in 0..2 {
        issuer.withdraw(&context, Some(&old), None).await.unwrap();
        assert_eq!(estate.keys(), BTreeMap::from([(id(&old), true)]));
    }
    assert_eq!(estate.tags(), json!([]));

    // Not the key that was there before, even if nobody told Keytrail that it is in use; nor one of another run.
    let orphan = id(&issuer.set(&context, None, None).await.unwrap());
    issuer.withdraw(&run("other"), None, None).await.unwrap();
    assert!(estate.keys().contains_key(&orphan));
    issuer.withdraw(&context, None, None).await.unwrap();
    assert_eq!(estate.keys(), BTreeMap::from([(id(&old), true)]));

    // Nor one that somebody uses: its secret was told.
    let used = issuer.set(&context, Some(&old), None).await.unwrap();
    assert!(use_key(&estate, &used));
    issuer.withdraw(&context, Some(&old), None).await.unwrap();
    assert!(estate.keys().contains_key(&id(&used)));
    issuer.withdraw(&context, Some(&old), Some(&used)).await.unwrap();
    assert_eq!(estate.keys(), BTreeMap::from([(id(&old), true)]));
    assert!(!use_key(&estate, &used));
}

/// Asks for the secrets as the one who has the key. Whether AWS answers.
fn use_key(estate: &Estate, key: &Credential) -> bool {
    let secret = key.part(VALUE).unwrap().expose();
    let login =
        [("AWS_ACCESS_KEY_ID", &*id(key)), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_DEFAULT_REGION", localemu::REGION)];
    localemu::aws(&estate.emulator.address, &login, &["secretsmanager", "list-secrets"]).status.success()
}

#[tokio::test]
async fn a_key_in_use_is_made_inactive_and_can_come_back() {
    let estate = Estate::start().await;
    let (issuer, context) = (estate.issuer(&json!({})), run("used"));
    let old = estate.make_key();
    let new = issuer.set(&context, Some(&old), None).await.unwrap();
    assert!(use_key(&estate, &old));
    for _ in 0..2 {
        let failed = issuer.revoke(&context, &old, Some(&new)).await.unwrap_err();
        assert_eq!(failed.outcome, Outcome::Unknown);
        assert!(failed.what.contains("secretsmanager"), "{}", failed.what);
        assert!(!estate.keys()[&id(&old)]);
    }
    assert!(!use_key(&estate, &old));
    let told = issuer.preflight(&run("next"), Some(&old)).await.unwrap().join("\n");
    assert!(told.contains(&format!("the access key {} is inactive", id(&old))), "{told}");

    // The way back.
    issuer.withdraw(&context, Some(&old), Some(&new)).await.unwrap();
    assert_eq!(estate.keys(), BTreeMap::from([(id(&old), true)]));
    assert!(use_key(&estate, &old));

    // And on, for who does not want to wait.
    let new = issuer.set(&context, Some(&old), None).await.unwrap();
    estate.issuer(&json!({ "quiet": 0 })).revoke(&context, &old, Some(&new)).await.unwrap();
    assert_eq!(estate.keys(), BTreeMap::from([(id(&new), true)]));
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let estate = Estate::start().await;
    let key = estate.make_key();
    let nameless = Credential::of_value(Secret::from(key.value().unwrap().expose()));
    let unknown = key.duplicate().with(ACCESS_KEY_ID, Secret::from("somebody-elses"));
    let table =
        |user: &str| issuer("aws-iam", &estate.emulator.address, estate.folder.path(), &json!({ "user": user }));
    for (user, key, why) in [
        ("ci", Some(&nameless), "which access key it is, is not known: parts = { access_key_id = [\"…\"] } is missing"),
        ("ci", Some(&unknown), "the access key that is kept is none of the user ci"),
        ("nobody", None, "AWS has no user nobody"),
    ] {
        assert_eq!(table(user).preflight(&run("missing"), key).await.unwrap(), [why]);
    }
}

#[tokio::test]
async fn aws_itself_says_whether_a_key_works() {
    let moto = Moto::start().await;
    let folder = tempfile::tempdir().unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let keys = ["keytrail", "ci"].map(|user| {
        moto.aws(&["iam", "create-user", "--user-name", user]);
        let put = ["iam", "put-user-policy", "--user-name", user, "--policy-name", "all", "--policy-document", policy];
        moto.aws(&put);
        let made = moto.aws(&["iam", "create-access-key", "--user-name", user])["AccessKey"].clone();
        let text = |name: &str| Secret::from(made[name].as_str().unwrap());
        Credential::of_value(text("SecretAccessKey")).with(ACCESS_KEY_ID, text("AccessKeyId"))
    });
    moto.check_logins().await;
    let [own, old] = keys;
    let aws_iam = issuer("aws-iam", &moto.address, folder.path(), &json!({ "user": "ci" }));
    for (name, part) in [("id", ACCESS_KEY_ID), ("key", VALUE)] {
        std::fs::write(folder.path().join(name), own.part(part).unwrap().expose()).unwrap();
    }
    let context = run("check");
    let new = aws_iam.set(&context, Some(&old), None).await.unwrap();
    assert_eq!(aws_iam.check(&context, &old).await.unwrap(), Answer::Works);
    assert_eq!(aws_iam.check(&context, &new).await.unwrap(), Answer::Works);
    // It was just made: that AWS refuses it may pass.
    let brief = Context { timeout: std::time::Duration::from_secs(5), ..run("check") };
    let wrong = new.duplicate().with(VALUE, Secret::from("planted-wrong"));
    assert_eq!(aws_iam.check(&brief, &wrong).await.unwrap(), Answer::Unknown);
    let nowhere = issuer("aws-iam", "http://127.0.0.1:1", folder.path(), &json!({ "user": "ci" }));
    assert_eq!(nowhere.check(&context, &new).await.unwrap(), Answer::Unknown);
}

/// What IAM and STS answer to who asks about a key that is not among those of the user.
fn answer(request: &wiremock::Request) -> wiremock::ResponseTemplate {
    let body = String::from_utf8_lossy(&request.body);
    let (status, text) = match body.contains("Action=GetCallerIdentity") {
        true => (403, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>"),
        false => {
            let members = "<AccessKeyMetadata/><IsTruncated>false</IsTruncated>";
            let answer = format!(
                "<ListAccessKeysResponse><ListAccessKeysResult>{members}</ListAccessKeysResult></ListAccessKeysResponse>"
            );
            return wiremock::ResponseTemplate::new(200).set_body_raw(answer, "text/xml");
        }
    };
    wiremock::ResponseTemplate::new(status).set_body_raw(text, "text/xml")
}

#[tokio::test]
async fn a_key_that_is_gone_is_rejected_at_once() {
    let (server, folder) = (wiremock::MockServer::start().await, tempfile::tempdir().unwrap());
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    let aws_iam = issuer("aws-iam", &server.uri(), folder.path(), &json!({ "user": "ci" }));
    let gone = Credential::of_value(Secret::from("planted")).with(ACCESS_KEY_ID, Secret::from("gone"));
    assert_eq!(aws_iam.check(&run("gone"), &gone).await.unwrap(), Answer::Rejected);
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}
