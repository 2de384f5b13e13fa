use super::*;

/// What the events of one record are.
fn of(record: Value) -> Vec<String> {
    let given = read_bytes(&file(&[record]));
    assert!(given.gaps.is_empty() && given.holes.is_empty(), "{:?}", given.gaps);
    given.events.iter().map(told).collect()
}

fn secrets(name: &str, request: Value, response: Value) -> Vec<String> {
    of(record(1, "secretsmanager", name, request, response))
}

/// An event of a service, with these data.
fn event_of(name: &str, data: Value, id: &str) -> Vec<String> {
    let mut record = record(1, "secretsmanager", name, Value::Null, Value::Null);
    record["eventType"] = "AwsServiceEvent".into();
    record["userIdentity"] = json!({"accountId": "111122223333", "invokedBy": "secretsmanager.amazonaws.com"});
    record["additionalEventData"] = data;
    record["requestID"] = id.into();
    of(record)
}

const VERSION: &str = "0f6d5c1e-1111-4222-8333-444455556666";

#[test]
fn calls_of_secrets_manager() {
    let place = format!("aws-secrets-manager:{ARN}");
    let id = json!({"secretId": "prod/db"});
    let answer = |key: &str| json!({key: ARN, "name": "prod/db"});
    assert_eq!(of(put(7)), [format!("written {place} token-7")]);
    let update = json!({"secretId": "prod/db", "clientRequestToken": "t"});
    assert_eq!(secrets("UpdateSecret", update, answer("aRN")), [format!("maybe-written {place} t")]);
    let create = json!({"name": "prod/db", "clientRequestToken": "t"});
    assert_eq!(secrets("CreateSecret", create, answer("arn")), [format!("created {place} t")]);
    assert_eq!(secrets("RotateSecret", id.clone(), answer("arn")), Vec::<String>::new());
    let rules = json!({"secretId": "prod/db", "rotationRules": {"automaticallyAfterDays": 30}});
    assert_eq!(secrets("RotateSecret", rules, answer("arn")), [format!("auto-rotation-on {place} -")]);
    assert_eq!(secrets("CancelRotateSecret", id.clone(), answer("arn")), [format!("auto-rotation-off {place} -")]);
    let stage =
        json!({"secretId": ARN, "versionStage": "AWSCURRENT", "moveToVersionId": "b", "removeFromVersionId": "a"});
    assert_eq!(secrets("UpdateSecretVersionStage", stage, answer("arn")), [format!("promoted {place} b")]);
    let pending = json!({"secretId": ARN, "versionStage": "AWSPENDING", "removeFromVersionId": "a"});
    assert_eq!(secrets("UpdateSecretVersionStage", pending, answer("arn")), Vec::<String>::new());
    assert_eq!(secrets("DeleteSecret", id.clone(), answer("arn")), [format!("deleted {place} -")]);
    let force = json!({"secretId": ARN, "forceDeleteWithoutRecovery": true});
    assert_eq!(secrets("DeleteSecret", force, answer("arn")), [format!("destroyed {place} -")]);
    assert_eq!(secrets("RestoreSecret", id.clone(), answer("arn")), [format!("restored {place} -")]);
    assert_eq!(secrets("GetSecretValue", id, Value::Null), ["read aws-secrets-manager:prod/db -"]);
    let batch = json!({"secretIdList": ["prod/db", ARN]});
    let both = ["read aws-secrets-manager:prod/db -".to_owned(), format!("read {place} -")];
    assert_eq!(secrets("BatchGetSecretValue", batch, Value::Null), both);
    assert_eq!(secrets("DescribeSecret", json!({"secretId": ARN}), Value::Null), Vec::<String>::new());
}

#[test]
fn events_of_secrets_manager() {
    let place = format!("aws-secrets-manager:{ARN}");
    let rotation = format!("Rotation-{ARN}-{VERSION}");
    let rotated = [format!("auto-rotated {place} {VERSION}")];
    assert_eq!(event_of("RotationSucceeded", json!({"SecretId": ARN}), &rotation), rotated);
    assert_eq!(event_of("RotationSucceeded", Value::Null, &rotation), rotated);
    assert_eq!(event_of("RotationStarted", json!({"SecretId": ARN}), &rotation), Vec::<String>::new());
    for name in ["RotationFailed", "RotationAbandoned"] {
        let failed = [format!("auto-rotation-failed {place} {VERSION}")];
        assert_eq!(event_of(name, json!({"SecretId": ARN}), &rotation), failed);
    }
    for name in ["StartSecretVersionDelete", "EndSecretVersionDelete"] {
        assert_eq!(event_of(name, json!({"ARN": ARN}), "x"), [format!("destroyed {place} -")]);
    }
}

#[test]
fn parameters_of_systems_manager() {
    let ssm = |name: &str, request: Value, response: Value| of(record(1, "ssm", name, request, response));
    let put = json!({"name": "/app/db", "value": "HIDDEN_DUE_TO_SECURITY_REASONS", "overwrite": true});
    assert_eq!(ssm("PutParameter", put.clone(), json!({"version": 3})), ["written aws-ssm:/app/db 3"]);
    assert_eq!(ssm("PutParameter", put, json!({"version": 1})), ["created aws-ssm:/app/db 1"]);
    let get = json!({"name": "/app/db:2", "withDecryption": true});
    assert_eq!(ssm("GetParameter", get, Value::Null), ["read aws-ssm:/app/db 2"]);
    let several = json!({"names": ["/app/db", "arn:aws:ssm:eu-west-1:111122223333:parameter/app/key"]});
    let read = ["read aws-ssm:/app/db -", "read aws-ssm:/app/key -"];
    assert_eq!(ssm("GetParameters", several.clone(), Value::Null), read);
    let deleted = json!({"deletedParameters": ["/app/db"], "invalidParameters": ["/app/key"]});
    assert_eq!(ssm("DeleteParameters", several, deleted), ["destroyed aws-ssm:/app/db -"]);
    assert_eq!(ssm("GetParametersByPath", json!({"path": "/app"}), Value::Null), ["read aws-ssm:/app -"]);
    let given = read_bytes(&file(&[record(1, "ssm", "DeleteParameter", json!({"name": "db"}), Value::Null)]));
    assert_eq!(given.events.iter().map(told).collect::<Vec<_>>(), ["destroyed aws-ssm:/db -"]);
    assert_eq!(given.same, [("aws-ssm:db".to_owned(), "aws-ssm:/db".to_owned())]);
}

#[test]
fn kms_proves_that_a_value_was_written() {
    let kms =
        |name: &str, context: Value| of(record(1, "kms", name, json!({"encryptionContext": context}), Value::Null));
    let of_secret = json!({"SecretARN": ARN, "SecretVersionId": VERSION});
    let of_parameter = json!({"PARAMETER_ARN": "arn:aws:ssm:eu-west-1:111122223333:parameter/app/db"});
    let place = format!("aws-secrets-manager:{ARN} {VERSION}");
    assert_eq!(kms("GenerateDataKey", of_secret.clone()), [format!("encrypted {place}")]);
    assert_eq!(kms("Decrypt", of_secret), [format!("read {place}")]);
    assert_eq!(kms("Encrypt", of_parameter.clone()), ["encrypted aws-ssm:/app/db -"]);
    assert_eq!(kms("Decrypt", of_parameter), ["read aws-ssm:/app/db -"]);
    assert_eq!(kms("GenerateDataKey", json!({"aws:s3:arn": "arn:aws:s3:::bucket"})), Vec::<String>::new());
}

#[test]
fn providers() {
    let iam = |name: &str, request: Value, response: Value| of(record(1, "iam", name, request, response));
    let both = |kind: &str| [format!("{kind} aws-iam:user/ci AKEY1"), format!("{kind} aws-iam:access-key/AKEY1 AKEY1")];
    let created = json!({"accessKey": {"accessKeyId": "AKEY1", "userName": "ci", "status": "Active"}});
    assert_eq!(iam("CreateAccessKey", json!({"userName": "ci"}), created), both("issued"));
    let update = |status: &str| json!({"userName": "ci", "accessKeyId": "AKEY1", "status": status});
    assert_eq!(iam("UpdateAccessKey", update("Inactive"), Value::Null), both("revoked"));
    assert_eq!(iam("UpdateAccessKey", update("Active"), Value::Null), Vec::<String>::new());
    assert_eq!(iam("DeleteAccessKey", update("Active"), Value::Null), both("revoked"));

    let rds = |pending: Value| {
        let response = json!({"pendingModifiedValues": pending});
        of(record(1, "rds", "ModifyDBInstance", json!({"dBInstanceIdentifier": "shop"}), response))
    };
    assert_eq!(rds(json!({"masterUserPassword": "****"})), ["issued aws-rds:db/shop -"]);
    assert_eq!(rds(json!({"allocatedStorage": 20})), Vec::<String>::new());

    let cache = |strategy: &str| {
        let request = json!({"replicationGroupId": "sessions", "authTokenUpdateStrategy": strategy});
        of(record(1, "elasticache", "ModifyReplicationGroup", request, Value::Null))
    };
    assert_eq!(cache("ROTATE"), ["issued aws-elasticache:group/sessions -"]);
    assert_eq!(cache("SET"), ["revoked aws-elasticache:group/sessions -"]);
}

#[test]
fn a_call_that_failed_or_was_turned_away() {
    let with_error = |code: &str, request: Value| {
        let mut record = record(1, "secretsmanager", "PutSecretValue", request, Value::Null);
        record["errorCode"] = code.into();
        read_bytes(&file(&[record]))
    };
    let id = json!({"secretId": "prod/db"});
    let told_of = |given: &Given| given.events.iter().map(told).collect::<Vec<_>>();
    let failed = with_error("AccessDenied", id.clone());
    assert_eq!(told_of(&failed), ["written aws-secrets-manager:prod/db - failed"]);
    assert!(failed.events[0].details.contains(&("error", "AccessDenied".to_owned())));
    let throttled = with_error("ThrottlingException", id);
    assert_eq!(told_of(&throttled), ["written aws-secrets-manager:prod/db - throttled"]);
    let unknown = with_error("ThrottlingException", Value::Null);
    assert!(unknown.events.is_empty() && unknown.holes.is_empty());
    assert!(unknown.gaps[0].message.starts_with("1 calls were turned away"), "{:?}", unknown.gaps);
}

#[test]
fn who_when_and_in_which_run() {
    let mut record = put(61);
    let uuid = "3d0e2c4a-0000-4000-8000-00000000abcd";
    let run_of = |record: &mut Value, agent: String| {
        record["userAgent"] = agent.into();
        read_bytes(&file(std::slice::from_ref(record))).events.remove(0).run
    };
    assert_eq!(run_of(&mut record, "aws-cli/2.31".to_owned()), None);
    assert_eq!(run_of(&mut record, format!("[aws-sdk exec-env/grimoire_{uuid} cfg/x]")).as_deref(), Some(uuid));
    assert_eq!(run_of(&mut record, "x/1 keytrail-run/r-17.b md/y".to_owned()).as_deref(), Some("r-17.b"));
    assert_eq!(run_of(&mut record, "keytrail/run-17;x".to_owned()).as_deref(), Some("17"));
    let event = read_bytes(&file(&[record])).events.remove(0);
    assert_eq!((event.trail, event.time), (3, at("2026-02-01T00:01:01Z")));
    assert_eq!(event.actor.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/deploy/alice"));
    assert_eq!(&*event.id, "11111111-0000-4000-8000-000000000061");
    let details: BTreeMap<_, _> = event.details.into_iter().collect();
    assert_eq!(details["account"], "111122223333");
    assert_eq!((details["region"].as_str(), details["address"].as_str()), ("eu-west-1", "203.0.113.7"));
}

#[test]
fn values_that_a_record_holds_by_mistake_are_not_copied() {
    let mut record = put(1);
    record["requestParameters"]["secretString"] = "correct horse battery".into();
    let given = read_bytes(&file(&[record]));
    assert!(!format!("{:?}{:?}", given.events, given.gaps).contains("horse"));
    assert_eq!(given.events.len(), 1);
}

#[test]
fn names_and_arns_are_of_one_credential() {
    let given = read_bytes(&file(&[put(1), put(2)]));
    let pair = ("aws-secrets-manager:prod/db".to_owned(), format!("aws-secrets-manager:{ARN}"));
    assert_eq!(given.same, std::slice::from_ref(&pair));
    // The same name in another account is another secret.
    let mut other = put(3);
    let other_arn = ARN.replace("111122223333", "444455556666");
    other["responseElements"]["arn"] = other_arn.as_str().into();
    let given = read_bytes(&file(&[put(1), other.clone(), other]));
    assert_eq!(given.same, [pair]);
    assert_eq!(given.gaps.len(), 1);
    assert_eq!(given.events[1].target.as_str(), format!("aws-secrets-manager:{other_arn}"));
}

#[test]
fn the_raw_bytes_are_those_of_the_record() {
    let text = [&b"\n\n"[..], &file(&[noise(1), put(2), put(3)])].concat();
    for event in read_bytes(&text).events {
        let start = usize::try_from(event.raw.offset).unwrap();
        let raw = &text[start..start + usize::try_from(event.raw.length).unwrap()];
        let record: Value = serde_json::from_slice(raw).unwrap();
        assert_eq!(record["eventID"], *event.id);
        assert_eq!(event.raw.line, 3);
        assert_eq!(event.raw.sha256, *aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, raw).as_ref());
    }
}
