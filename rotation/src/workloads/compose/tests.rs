use serde_json::json;

use super::*;

fn open(place: &str) -> Option<Compose> {
    Compose::new(place, &Settings::default()).ok()
}

#[test]
fn a_service_is_named_by_its_file_or_alone() {
    for (place, project, service) in [
        ("api", vec![], "api"),
        ("compose.yaml/api", vec![], "api"),
        ("deploy/docker-compose.override.yml/api", vec!["--project-directory", "deploy"], "api"),
        ("deploy/prod.yaml/api_1", vec!["-f", "deploy/prod.yaml"], "api_1"),
    ] {
        let compose = open(place).unwrap();
        assert_eq!(
            (compose.project, compose.service.as_str()),
            (project.into_iter().map(str::to_owned).collect(), service)
        );
    }
    for place in ["", "compose.yaml", "deploy/api", "compose.yaml/-d", "compose.yaml/a b", "--help", "compose.yaml/"] {
        assert!(open(place).is_none(), "{place}");
    }
    let unknown = json!({ "hots": "unix:///var/run/docker.sock" });
    assert!(Compose::new("api", &Settings(unknown.as_object().unwrap().clone())).is_err());
}

/// What a container in a state with an environment says of itself.
fn said(state: &serde_json::Value, env: &[&str]) -> (Option<String>, Progress) {
    let output =
        json!([{ "Id": "0123456789abcdef", "State": state, "Config": { "Env": env }, "Name": "/api" }]).to_string();
    let containers = read(output.as_bytes()).unwrap();
    let expected = Credential::of_value("planted\"new".into());
    let values = Values::from([("DB_PASSWORD@production", &expected)]);
    let env = BTreeMap::from([("DB_PASSWORD".to_owned(), "PASS".to_owned()), ("OTHER".to_owned(), "NONE".to_owned())]);
    (containers[0].obstacle(), containers[0].progress(&env, &values))
}

const NEW: &[&str] = &["PASSWORD=x", "PASS=planted\"new"];

#[test]
fn a_container_is_done_when_it_runs_and_is_healthy() {
    let waiting = |why: &str| Progress::Waiting(format!("container 0123456789ab {why}"));
    let failed = |why: &str| Progress::Failed(format!("container 0123456789ab {why}"));
    let running = |health: &str| json!({ "Status": "running", "Health": { "Status": health } });
    for (state, obstacle, progress) in [
        (json!({ "Status": "running" }), None, Progress::Done),
        (running("healthy"), None, Progress::Done),
        (running("starting"), Some("is starting"), waiting("is starting")),
        (running("unhealthy"), Some("is not healthy"), failed("is not healthy")),
        (json!({ "Status": "restarting" }), Some("is restarting"), waiting("does not run yet")),
        (json!({ "Status": "created" }), Some("does not run"), waiting("does not run yet")),
        (json!({ "Status": "exited", "ExitCode": 3 }), Some("does not run"), failed("ended with 3")),
        (json!({ "Status": "paused" }), Some("does not run"), waiting("does not run")),
    ] {
        let obstacle = obstacle.map(|what| format!("container 0123456789ab {what}"));
        assert_eq!(said(&state, NEW), (obstacle, progress), "{state}");
    }
}

#[test]
fn a_new_container_with_another_value_will_not_get_the_right_one() {
    let text = "container 0123456789ab was made anew with another PASS than the stores hold";
    for env in [&["PASS=planted-old"][..], &["PASS"], &[]] {
        let (_, progress) = said(&json!({ "Status": "running" }), env);
        assert_eq!(progress, Progress::Failed(text.to_owned()));
    }
}

#[test]
fn what_cannot_be_done_is_an_obstacle_with_what_to_do() {
    let found = obstacles(Err(Failure::not_done("there is no program docker").hint("install it")));
    assert_eq!(found.unwrap(), ["there is no program docker: install it"]);
    assert!(obstacles(Err(Failure::unknown("no reply"))).is_err(), "what is not known is not an obstacle");
}

#[test]
fn what_will_not_come_decides() {
    let (waiting, failed) = (Progress::Waiting("w".to_owned()), Progress::Failed("f".to_owned()));
    assert_eq!(worst([Progress::Done, waiting.clone(), Progress::Done].into_iter()), waiting);
    assert_eq!(worst([failed.clone(), waiting, Progress::Done].into_iter()), failed);
}

#[test]
fn what_docker_does_not_say_is_no_panic() {
    for output in ["", "[", "{}", "[{}]", "[{\"Id\":1}]", "[{\"Id\":\"é\",\"State\":{},\"Config\":{}}]"] {
        assert!(read(output.as_bytes()).is_err(), "{output}");
    }
    let short = json!([{ "Id": "é", "State": { "Status": "running" }, "Config": {} }]).to_string();
    assert_eq!(read(short.as_bytes()).unwrap()[0].name(), "container é");
}
