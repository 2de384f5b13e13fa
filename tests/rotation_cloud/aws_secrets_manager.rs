//! Secrets of AWS Secrets Manager, in LocalEmu.

use keytrail::stores::aws_secrets_manager::SecretsManager;
use serde_json::Value;

use super::*;
use crate::support::localemu::LocalEmu;

/// As nobody would write it, so that a change of a sibling shows.
const TEXT: &str = "{\"port\":5432.0,  \"password\" : \"planted-old\",\n\"user\":\"\\u0061pp\"}";

struct Estate {
    emulator: LocalEmu,
    folder: tempfile::TempDir,
}

impl Estate {
    async fn start() -> Self {
        Self { emulator: LocalEmu::start().await, folder: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> SecretsManager {
        SecretsManager::new(access(&self.emulator.address, self.folder.path()))
    }

    fn create(&self, name: &str, text: &str) {
        self.emulator.aws(&["secretsmanager", "create-secret", "--name", name, "--secret-string", text]);
    }

    fn text(&self, name: &str, label: &str) -> String {
        let args = ["secretsmanager", "get-secret-value", "--secret-id", name, "--version-stage", label];
        self.emulator.aws(&args)["SecretString"].as_str().unwrap().to_owned()
    }

    /// The labels of each version.
    fn labels(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let described = self.emulator.aws(&["secretsmanager", "describe-secret", "--secret-id", name]);
        serde_json::from_value(described["VersionIdsToStages"].clone()).unwrap()
    }

    fn label_of(&self, name: &str, label: &str) -> Option<Version> {
        let found = self.labels(name).into_iter().find(|(_, labels)| labels.iter().any(|one| one == label));
        found.map(|(version, _)| Version(version))
    }
}

#[tokio::test]
async fn a_new_version_becomes_the_current_one_and_siblings_stay() {
    let estate = Estate::start().await;
    let (store, context) = (estate.store(), run("one"));
    estate.create("app/db", TEXT);
    assert_eq!(obstacles(&store, "app/db", &["password", "user"]).await, "");
    let (first, old) = read(&store, "app/db", &["password", "none"]).await;
    assert_eq!(old, ["planted-old"]);

    // Staged, twice: nobody sees it.
    for _ in 0..2 {
        stage(&store, &context, "app/db", &[("password", "planted\"new")]).await.unwrap();
        assert_eq!(estate.labels("app/db").len(), 2);
        assert_eq!(read(&store, "app/db", &["password"]).await, (first.clone(), old.clone()));
    }
    let staged = estate.label_of("app/db", "AWSPENDING").unwrap();

    // Promoted, twice.
    for _ in 0..2 {
        let second = write(&store, &context, "app/db", &[("password", "planted\"new")], &first).await.unwrap();
        assert_eq!(second, staged);
    }
    assert_eq!(estate.text("app/db", "AWSCURRENT"), TEXT.replace("planted-old", "planted\\\"new"));
    assert_eq!(estate.text("app/db", "AWSPREVIOUS"), TEXT);
    let labels: Vec<String> = estate.labels("app/db").into_values().flatten().collect();
    assert_eq!((labels.len(), labels.contains(&"AWSPENDING".to_owned())), (2, false), "{labels:?}");

    // Restored, twice, byte by byte; and whoever comes from the first version is too late.
    let third = write(&store, &context, "app/db", &[("password", "planted-old")], &staged).await.unwrap();
    assert_eq!(write(&store, &context, "app/db", &[("password", "planted-old")], &staged).await.unwrap(), third);
    assert_eq!(estate.text("app/db", "AWSCURRENT"), TEXT);
    let late = write(&store, &run("late"), "app/db", &[("password", "planted-late")], &first).await;
    assert_eq!(outcome(late), Outcome::Conflict);
    assert_eq!(read(&store, "app/db", &["password"]).await, (third, vec!["planted-old".to_owned()]));
}

#[tokio::test]
async fn a_secret_that_is_one_value_is_written_whole_and_what_was_staged_is_taken_back() {
    let estate = Estate::start().await;
    let (store, context) = (estate.store(), run("whole"));
    estate.create("token", "planted-old");
    let (first, _) = read(&store, "token", &[""]).await;
    stage(&store, &context, "token", &[("", "planted-new")]).await.unwrap();
    for _ in 0..2 {
        store.unstage(&context, "token").await.unwrap();
        assert_eq!(estate.label_of("token", "AWSPENDING"), None);
    }
    // What is staged and then changed by a sibling's writer is not what is promoted.
    let second = write(&store, &context, "token", &[("", "planted-other")], &first).await.unwrap();
    assert_eq!(read(&store, "token", &[""]).await, (second, vec!["planted-other".to_owned()]));
    assert!(estate.labels("token").values().flatten().all(|label| label.starts_with("AWS")));
}

#[tokio::test]
async fn of_many_writers_one_wins() {
    let estate = Estate::start().await;
    estate.create("race", TEXT);
    let store = estate.store();
    let (first, _) = read(&store, "race", &["password"]).await;
    let writers = (0..8).map(|number| {
        let (store, first) = (&store, &first);
        async move {
            let (context, value) = (run(&format!("w{number}")), format!("planted-{number}"));
            (write(store, &context, "race", &[("password", &value)], first).await, value)
        }
    });
    let (won, lost): (Vec<_>, Vec<_>) =
        futures::future::join_all(writers).await.into_iter().partition(|(result, _)| result.is_ok());
    assert_eq!((won.len(), lost.len()), (1, 7), "{lost:?}");
    assert!(lost.into_iter().all(|(result, _)| outcome(result) == Outcome::Conflict));
    let (version, value) = &won[0];
    let now = read(&store, "race", &["password"]).await;
    assert_eq!((&now.0, &now.1[0]), (version.as_ref().unwrap(), value));
}

#[tokio::test]
async fn what_is_in_the_way_is_told_before() {
    let estate = Estate::start().await;
    let store = estate.store();
    estate.create("numbers", "{\"pin\": 1234, \"a\": \"x\", \"b\": \"1\", \"b\": \"2\"}");
    let told = obstacles(&store, "numbers", &["pin", "none", "b", "a"]).await;
    let each: Vec<&str> = told.lines().collect();
    let expected = [
        "the secret numbers has something other than a text as pin",
        "the secret numbers has no key none",
        "the secret numbers has the key b twice",
    ];
    assert_eq!(each, expected);
    assert_eq!(obstacles(&store, "numbers", &[""]).await, "");
    assert!(obstacles(&store, "gone", &["a"]).await.starts_with("the secret gone is not there"));

    let blob = ["secretsmanager", "create-secret", "--name", "blob", "--secret-binary", "AAEC"];
    estate.emulator.aws(&blob);
    assert!(obstacles(&store, "blob", &[""]).await.starts_with("the secret blob is binary"));

    estate.create("other", "planted-old");
    let (first, _) = read(&store, "other", &[""]).await;
    let pending =
        ["put-secret-value", "--secret-id", "other", "--secret-string", "x", "--version-stages", "AWSPENDING"];
    estate.emulator.aws(&[&["secretsmanager"], &pending[..]].concat());
    assert!(obstacles(&store, "other", &[""]).await.starts_with("a rotation of the secret other is under way"));
    let theirs = estate.label_of("other", "AWSPENDING");
    assert_eq!(outcome(stage(&store, &run("new"), "other", &[("", "planted-new")]).await), Outcome::Conflict);
    // A write needs no AWSPENDING, and leaves theirs.
    write(&store, &run("new"), "other", &[("", "planted-new")], &first).await.unwrap();
    store.unstage(&run("new"), "other").await.unwrap();
    assert_eq!(estate.label_of("other", "AWSPENDING"), theirs);

    estate.create("deleted", "planted-old");
    estate.emulator.aws(&["secretsmanager", "delete-secret", "--secret-id", "deleted"]);
    assert!(obstacles(&store, "deleted", &[""]).await.starts_with("the secret deleted is to be deleted"));
}

#[tokio::test]
async fn the_run_is_in_the_trail() {
    let estate = Estate::start().await;
    estate.create("traced", "planted-old");
    let store = estate.store();
    let (first, _) = read(&store, "traced", &[""]).await;
    let version = write(&store, &run("traced"), "traced", &[("", "planted-new")], &first).await.unwrap();
    let name = "AttributeKey=EventName,AttributeValue=PutSecretValue";
    let found = estate.emulator.aws(&["cloudtrail", "lookup-events", "--lookup-attributes", name]);
    let record: Value = serde_json::from_str(found["Events"][0]["CloudTrailEvent"].as_str().unwrap()).unwrap();
    let agent = record["userAgent"].as_str().unwrap();
    assert!(agent.contains("keytrail-run/kt-20261121t183000z-traced"), "{agent}");
    assert_eq!(record["requestParameters"]["clientRequestToken"], *version.0);
}

#[tokio::test]
async fn no_reply_is_no_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let server = wiremock::MockServer::start().await;
    let store = SecretsManager::new(access(&server.uri(), folder.path()));
    let context = Context { timeout: std::time::Duration::from_millis(300), ..run("slow") };
    for answer in [
        wiremock::ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(20)),
        wiremock::ResponseTemplate::new(500),
        wiremock::ResponseTemplate::new(400).set_body_string("{\"__type\":\"ThrottlingException\"}"),
    ] {
        server.reset().await;
        wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
        let written = write(&store, &context, "x", &[("", "planted")], &Version("1".into())).await;
        assert_eq!(outcome(written), Outcome::Unknown);
        assert_eq!(outcome(store.preflight(&context, "x", &[]).await), Outcome::Unknown);
    }
}
