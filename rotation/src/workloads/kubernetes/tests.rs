use serde_json::{Value, json};

use super::*;

fn object(kind: Kind, generation: i64, spec: &Value, status: &Value) -> DynamicObject {
    let (group, kind, _) = kind.resource();
    serde_json::from_value(json!({
        "apiVersion": format!("{group}/v1"),
        "kind": kind,
        "metadata": { "name": "api", "generation": generation },
        "spec": spec,
        "status": status,
    }))
    .unwrap()
}

fn table(text: Value) -> Table {
    let Value::Object(table) = text else { panic!("a table") };
    Settings(table).read().unwrap()
}

fn progress(kind: Kind, spec: &Value, status: &Value) -> Progress {
    kind.progress(&object(kind, 7, spec, status))
}

fn waits(why: &str) -> Progress {
    Progress::Waiting(why.to_owned())
}

#[test]
fn a_deployment_is_rolled_out_when_every_pod_is_new_and_available() {
    let status = |replicas: i64, updated: i64, available: i64| json!({ "observedGeneration": 7, "replicas": replicas, "updatedReplicas": updated, "availableReplicas": available });
    let spec = json!({ "replicas": 3 });
    let deployment = |status: Value| progress(Kind::Deployment, &spec, &status);
    assert_eq!(deployment(status(3, 3, 3)), Progress::Done);
    assert_eq!(deployment(status(4, 1, 3)), waits("1 of 3 pods are new"));
    assert_eq!(deployment(status(4, 3, 3)), waits("1 old pods are left"));
    assert_eq!(deployment(status(3, 3, 2)), waits("2 of 3 new pods are available"));
    let mut with_ending = status(3, 3, 3);
    with_ending["terminatingReplicas"] = 1.into();
    assert_eq!(deployment(with_ending), waits("1 old pods are ending"));
    assert_eq!(deployment(json!({})), waits("its controller has not seen the change"));
    let mut seen_before = status(3, 3, 3);
    seen_before["observedGeneration"] = 6.into();
    seen_before["conditions"] = json!([{ "type": "Progressing", "reason": "ProgressDeadlineExceeded" }]);
    assert_eq!(
        deployment(seen_before.clone()),
        waits("its controller has not seen the change"),
        "of an earlier rollout"
    );
    seen_before["observedGeneration"] = 7.into();
    assert!(matches!(deployment(seen_before), Progress::Failed(_)));
    assert!(matches!(progress(Kind::Deployment, &json!({ "paused": true }), &json!({})), Progress::Failed(_)));
    let none = progress(Kind::Deployment, &json!({ "replicas": 0 }), &json!({ "observedGeneration": 7 }));
    assert_eq!(none, Progress::Done, "with no pods there is nothing to wait for");
    let one = progress(Kind::Deployment, &json!({}), &json!({ "observedGeneration": 7 }));
    assert_eq!(one, waits("0 of 1 pods are new"), "one, where nothing is said");
}

#[test]
fn stateful_and_daemon_sets_have_rules_of_their_own() {
    let status = |current: &str, ready: i64| {
        json!({ "observedGeneration": 7, "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready,
                "currentRevision": current, "updateRevision": "b" })
    };
    let set = |status: Value| progress(Kind::StatefulSet, &json!({ "replicas": 2 }), &status);
    assert_eq!(set(status("b", 2)), Progress::Done);
    assert_eq!(set(status("a", 2)), waits("old pods are left"));
    assert_eq!(set(status("b", 1)), waits("1 of 2 new pods are available"));
    let partition = json!({ "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 1 } } });
    assert!(matches!(progress(Kind::StatefulSet, &partition, &json!({})), Progress::Failed(_)));

    let status = |updated: i64, available: i64| {
        json!({ "observedGeneration": 7, "desiredNumberScheduled": 2, "updatedNumberScheduled": updated,
                "numberAvailable": available })
    };
    let set = |status: Value| progress(Kind::DaemonSet, &json!({}), &status);
    assert_eq!(set(status(2, 2)), Progress::Done);
    assert_eq!(set(status(1, 2)), waits("1 of 2 pods are new"));
    assert_eq!(set(status(2, 1)), waits("1 of 2 new pods are available"));
    for kind in [Kind::StatefulSet, Kind::DaemonSet] {
        let by_hand = json!({ "updateStrategy": { "type": "OnDelete" } });
        assert!(matches!(progress(kind, &by_hand, &json!({})), Progress::Failed(_)), "{kind:?}");
    }
}

#[test]
fn a_template_that_went_back_is_found() {
    let stamp = Stamp::now("kt-1");
    let mark = stamp.mark(7);
    let spec = |run: &str| json!({ "template": { "metadata": { "annotations": { "keytrail.dev/run": run } } } });
    let judged = |spec: Value| Stamp::of(&mark).judge(&object(Kind::Deployment, 9, &spec, &json!({})));
    let text = mark.0.rsplit_once(' ').unwrap().0;
    assert_eq!(judged(spec(text)), None);
    assert_eq!(judged(spec("9999-01-01T00:00:00.000000Z kt-2")), None, "a later restart");
    for earlier in [spec("2026-01-01T00:00:00.000000Z kt-0"), json!({})] {
        assert!(matches!(judged(earlier), Some(Progress::Failed(_))));
    }
}

#[test]
fn variables_become_references() {
    let one = json!({ "template": { "spec": { "containers": [{ "name": "api", "env": [
        { "name": "PASS", "value": "planted" }, { "name": "REF", "valueFrom": {} }] }] } } });
    let one = object(Kind::Deployment, 1, &one, &json!({}));
    let two = json!({ "template": { "spec": { "containers": [{ "name": "api" }, { "name": "side" }] } } });
    let two = object(Kind::Deployment, 1, &two, &json!({}));
    let reference = json!({ "secret": "db-v2", "key": "password" });
    let alone = table(json!({ "set_env": { "PASS": reference }, "env": { "DB_PASSWORD": "PASS" } }));
    let patch = patch::restart(&one, &alone, &Stamp::now("kt-1")).unwrap();
    let expected = json!([{ "name": "api", "env": [
        { "name": "PASS", "value": null, "valueFrom": { "secretKeyRef": { "name": "db-v2", "key": "password" } } }] }]);
    assert_eq!(patch["spec"]["template"]["spec"]["containers"], expected);
    assert_eq!(patch::obstacles(&one, &alone), [""; 0]);
    assert_eq!(patch::obstacles(&two, &alone), ["there are several containers"]);
    assert!(patch::restart(&two, &alone, &Stamp::now("kt-1")).is_err());
    let said = patch::obstacles(&one, &table(json!({ "env": { "DB_PASSWORD": "PASS", "OTHER": "REF" } })));
    assert_eq!(said, ["the value of PASS stands in the template: let `set_env` make it a reference"]);
    let plain = patch::restart(&two, &Table::default(), &Stamp::now("kt-1")).unwrap();
    assert_eq!(plain["spec"]["template"].as_object().unwrap().len(), 1, "nothing but annotations");
}

#[test]
fn keys_of_a_config_map_are_written_and_shown_by_no_debug() {
    let (new, old) = ("new".to_owned(), "old".to_owned());
    let written = Written::of([(&new, Some("planted".into())), (&old, None)]);
    assert_eq!(serde_json::to_value(&written).unwrap(), json!({ "data": { "new": "planted", "old": null } }));
    assert_eq!(format!("{written:?}"), r#"{"new", "old"}"#);
}

#[test]
fn places_are_names_of_workloads() {
    for place in ["shop/deployment/api", "shop/StatefulSet/db-0", "a.b/cronjob/x"] {
        assert!(Kubernetes::new(place, &Settings::default()).is_ok(), "{place}");
    }
    for place in
        ["", "api", "shop/api", "shop/service/api", "shop/deployment/", "shop/deployment/a/b", "../deployment/a%2f"]
    {
        assert!(Kubernetes::new(place, &Settings::default()).is_err(), "{place}");
    }
}

#[tokio::test]
async fn what_nothing_replaces_is_an_obstacle_and_not_loaded() {
    let context = Context::new("kt-1");
    for kind in ["job", "pod", "replicaset"] {
        let workload = Kubernetes::new(&format!("shop/{kind}/x"), &Settings::default()).unwrap();
        assert_eq!(workload.preflight(&context).await.unwrap().len(), 1);
        assert!(workload.load(&context, &Values::new(), &Values::new()).await.is_err());
    }
}
