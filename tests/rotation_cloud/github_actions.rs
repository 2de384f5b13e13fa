//! Secrets of GitHub Actions.

use std::time::Duration;

use keytrail::config::{StoreAuth, StoreConfig};
use keytrail::source::Reader;
use keytrail::stores::StoreKind;
use keytrail_rules::model::{FingerprintKey, GapReason, Location};
use wiremock::ResponseTemplate;

use super::github_server::{Github, Kept, TOKEN};
use super::*;

fn config(github: &Github, folder: &Path) -> StoreConfig {
    std::fs::write(folder.join("token"), TOKEN).unwrap();
    StoreConfig {
        name: "github".into(),
        kind: "github-actions".into(),
        location: Location::of_file("keytrail.toml"),
        root: folder.into(),
        address: Some(github.server.uri()),
        mounts: vec!["acme/shop".into()],
        namespace: None,
        paths: Vec::new(),
        read_values: false,
        environment: None,
        auth: StoreAuth::TokenFile("token".into()),
        ca_file: None,
        timeout: Duration::from_secs(20),
        concurrency: 4,
    }
}

struct Estate {
    github: Github,
    folder: tempfile::TempDir,
}

impl Estate {
    async fn start() -> Self {
        Self { github: Github::start().await, folder: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> std::sync::Arc<dyn Store> {
        let config = config(&self.github, self.folder.path());
        keytrail::stores::writer("github", &[config], self.folder.path()).unwrap_or_else(|failed| panic!("{failed}"))
    }
}

fn kept(value: &str) -> Kept {
    Kept { value: value.into(), written: 7, ..Kept::default() }
}

#[tokio::test]
async fn values_are_sealed_for_the_owner_that_the_place_means() {
    let estate = Estate::start().await;
    let store = estate.store();
    for (path, api) in [
        ("acme/shop", "/repos/acme/shop/actions/secrets/TOKEN"),
        ("actions", "/repos/acme/shop/actions/secrets/TOKEN"),
        ("acme/shop/live eu/1", "/repos/acme/shop/environments/live%20eu%2F1/secrets/TOKEN"),
        ("environment/production", "/repos/acme/shop/environments/production/secrets/TOKEN"),
    ] {
        estate.github.keep(api, kept("planted-old"));
        assert_eq!(obstacles(&*store, path, &["TOKEN"]).await, "");
        let (first, values) = read(&*store, path, &["TOKEN"]).await;
        assert_eq!((&*first.0, values.len()), ("2026-11-21T00:00:07Z", 0));
        let value = "planted-néw\n$(x) 💥";
        let second = write(&*store, &run("one"), path, &[("TOKEN", value)], &first).await.unwrap();
        assert_eq!(estate.github.value(api), value);
        assert_eq!(read(&*store, path, &["TOKEN"]).await.0, second);

        let late = write(&*store, &run("late"), path, &[("TOKEN", "planted-late")], &first).await;
        assert_eq!(outcome(late), Outcome::Conflict);
        assert_eq!(estate.github.value(api), value);
    }
    let state = estate.github.state.lock().unwrap();
    assert!(state.put.iter().all(|body| body["key_id"] == "key-7" && !body.to_string().contains("planted")));
    assert!(
        state.agents.iter().any(|agent| agent.ends_with("keytrail-run/kt-20261121t183000z-one")),
        "{:?}",
        state.agents
    );
}

#[tokio::test]
async fn who_sees_a_secret_of_an_organisation_stays_as_it_is() {
    let estate = Estate::start().await;
    let store = estate.store();
    let chosen: Vec<u64> = (1..=230).collect();
    for (name, visibility, repositories) in [
        ("ALL", "all", vec![]),
        ("PRIVATE", "private", vec![]),
        ("SOME", "selected", chosen),
        ("NONE", "selected", vec![]),
    ] {
        let api = format!("/orgs/acme/actions/secrets/{name}");
        let before = Kept { visibility: Some(visibility), repositories: repositories.clone(), ..kept("planted-old") };
        estate.github.keep(&api, before);
        assert_eq!(obstacles(&*store, "acme", &[name]).await, "");
        let (first, _) = read(&*store, "acme", &[name]).await;
        write(&*store, &run("org"), "acme", &[(name, "planted-new")], &first).await.unwrap();
        let state = estate.github.state.lock().unwrap();
        let after = &state.secrets[&api];
        assert_eq!(
            (&*after.value, after.visibility, &after.repositories),
            ("planted-new", Some(visibility), &repositories)
        );
        assert_eq!(state.put.last().unwrap().get("selected_repository_ids").is_some(), visibility == "selected");
    }
}

#[tokio::test]
async fn what_github_cannot_do_now_is_no_refusal() {
    let estate = Estate::start().await;
    let store = estate.store();
    estate.github.keep("/repos/acme/shop/actions/secrets/A", kept("planted-old"));
    let (first, _) = read(&*store, "acme/shop", &["A"]).await;
    for (answer, outcome_of) in [
        (ResponseTemplate::new(429), Outcome::Unknown),
        (ResponseTemplate::new(403).insert_header("retry-after", "60"), Outcome::Unknown),
        (ResponseTemplate::new(403).insert_header("x-ratelimit-remaining", "0"), Outcome::Unknown),
        (ResponseTemplate::new(502), Outcome::Unknown),
        (ResponseTemplate::new(200).set_body_string("<html>planted"), Outcome::Unknown),
        (ResponseTemplate::new(200).set_body_string("x".repeat(2 << 20)), Outcome::Unknown),
        (ResponseTemplate::new(403), Outcome::NotDone),
        (ResponseTemplate::new(404), Outcome::NotDone),
        (ResponseTemplate::new(301).insert_header("location", "http://127.0.0.1:1/"), Outcome::NotDone),
    ] {
        estate.github.state.lock().unwrap().instead = Some(answer);
        let written = write(&*store, &run("x"), "acme/shop", &[("A", "planted-new")], &first).await;
        assert_eq!(outcome(written), outcome_of);
        let looked = store.preflight(&run("x"), "acme/shop", &owned(&["A"])).await;
        match outcome_of {
            Outcome::Unknown => assert_eq!(outcome(looked), Outcome::Unknown),
            _ => assert!(!looked.unwrap().is_empty()),
        }
    }
    estate.github.state.lock().unwrap().instead = None;
    assert_eq!(estate.github.value("/repos/acme/shop/actions/secrets/A"), "planted-old");

    let slow = Context { timeout: Duration::from_millis(200), ..run("slow") };
    let delayed = ResponseTemplate::new(200).set_delay(Duration::from_secs(20));
    estate.github.state.lock().unwrap().instead = Some(delayed);
    assert_eq!(outcome(write(&*store, &slow, "acme/shop", &[("A", "planted-new")], &first).await), Outcome::Unknown);
}

#[tokio::test]
async fn what_is_in_the_way_and_what_is_hidden_is_told_before() {
    let estate = Estate::start().await;
    let store = estate.store();
    estate.github.keep("/repos/acme/shop/actions/secrets/A", kept("planted-old"));
    estate.github.keep("/repos/acme/shop/environments/live/secrets/A", kept("planted-other"));
    {
        let mut state = estate.github.state.lock().unwrap();
        state.environments = vec!["live".into(), "test".into()];
        state.scopes = Some("gist, read:org");
    }
    let told = obstacles(&*store, "acme/shop", &["A", "NONE", "bad-name"]).await;
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("the secret NONE of the repository acme/shop: GitHub knows none"), "{told}");
    assert!(lines[1].ends_with("GitHub takes no such name"), "{told}");
    assert!(lines[2].starts_with("the token has not the scope repo"), "{told}");
    assert_eq!(lines.len(), 3);
    let hidden = store.warnings(&run("x"), "acme/shop", &owned(&["A"])).await.unwrap();
    let expected = "the environment live of acme/shop has a secret A of its own, which its jobs see instead of that of the \
                    repository acme/shop";
    assert_eq!(hidden, [expected]);

    std::fs::write(estate.folder.path().join("token"), "planted-wrong").unwrap();
    let told = obstacles(&*store, "acme/shop", &["A"]).await;
    assert!(told.contains("GitHub does not accept the token") && !told.contains("planted"), "{told}");
}

#[tokio::test]
async fn names_are_read_and_values_are_not() {
    let estate = Estate::start().await;
    for number in 0..130 {
        estate.github.keep(&format!("/repos/acme/shop/actions/secrets/K{number:03}"), kept("planted-old"));
    }
    estate.github.keep("/repos/acme/shop/environments/live/secrets/A", kept("planted-old"));
    let mut config = config(&estate.github, estate.folder.path());
    config.mounts = ["acme/shop", "acme/shop/live", "acme/.."].map(str::to_owned).to_vec();
    let key = FingerprintKey::new([7; 32]);
    let reader = Reader { key: &key, generated: false, as_of: chrono::Utc::now(), known: None };
    let facts = (StoreKind::find("github-actions").unwrap().read)(&config, &reader).await;
    assert_eq!(facts.copies.len(), 131);
    assert_eq!(facts.copies[0].place.as_str(), "github:acme/shop#K000");
    let last = facts.copies.last().unwrap();
    assert_eq!(
        (last.place.as_str(), last.environment.as_ref().unwrap().is_production()),
        ("github:acme/shop/live#A", true)
    );
    assert_eq!(facts.gaps.iter().map(|gap| gap.reason).collect::<Vec<_>>(), [GapReason::PermissionDenied]);
    assert!(!format!("{facts:?}").contains("planted"));
}
