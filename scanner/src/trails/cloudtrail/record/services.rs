//! What the calls and events of each service mean.

use keytrail_rules::model::{EventKind, Place};
use serde_json::Value;

use super::{Record, Told, shown, text};
use crate::trails::cloudtrail::names;

/// The calls to KMS that mean something where their context names a credential.
pub(super) const KMS: &[&[u8]] = &[b"GenerateDataKey", b"GenerateDataKeyWithoutPlaintext", b"Encrypt", b"Decrypt"];
/// The calls to Systems Manager that mean something.
pub(super) const SSM: &[&[u8]] = &[
    b"PutParameter",
    b"GetParameter",
    b"GetParameters",
    b"GetParametersByPath",
    b"DeleteParameter",
    b"DeleteParameters",
];
/// The calls to IAM that mean something.
pub(super) const IAM: &[&[u8]] = &[b"CreateAccessKey", b"UpdateAccessKey", b"DeleteAccessKey"];
/// The calls to RDS that mean something.
pub(super) const RDS: &[&[u8]] = &[b"ModifyDBInstance", b"ModifyDBCluster"];
/// The calls to ElastiCache that mean something.
pub(super) const ELASTICACHE: &[&[u8]] = &[b"ModifyReplicationGroup"];

/// What a record says of credentials; nothing where it is about none, or does not say which.
pub(super) fn tell(record: &Record<'_>) -> Vec<Told> {
    match record.event_source.0.strip_suffix(".amazonaws.com") {
        Some("secretsmanager") => secrets_manager(record),
        Some("ssm") => parameters(record),
        Some("kms") => kms(record),
        Some("iam") => access_keys(record),
        Some("rds") => databases(record).into_iter().collect(),
        Some("elasticache") => replication_groups(record).into_iter().collect(),
        _ => Vec::new(),
    }
}

impl Told {
    fn new(kind: EventKind, target: Place) -> Self {
        Self { kind, target, version: None, same: None, details: Vec::new() }
    }

    fn version(self, version: Option<&str>) -> Self {
        Self { version: version.filter(|text| !text.is_empty()).map(str::to_owned), ..self }
    }

    fn detail(mut self, key: &'static str, value: Option<&str>) -> Self {
        self.details.extend(value.map(|value| (key, value.to_owned())));
        self
    }
}

/// The spellings of the key that holds an ARN; records before February 2024 have `aRN`.
const ARN: [&str; 3] = ["arn", "aRN", "ARN"];

/// The spellings of the key that holds the id of a version in the data of an event.
const VERSION: &[&str] = &["versionId", "VersionId", "secretVersionId", "SecretVersionId"];

fn secrets_manager(record: &Record<'_>) -> Vec<Told> {
    let request = &record.request_parameters;
    if record.event_name.0 == "BatchGetSecretValue" {
        return texts(&request["secretIdList"]).map(|id| of_secret(EventKind::Read, id, None)).collect();
    }
    let Some(kind) = meaning_of_secret_call(record) else { return Vec::new() };
    let Some((target, same, version_of_rotation)) = secret(record) else { return Vec::new() };
    let version = match &*record.event_name.0 {
        "UpdateSecretVersionStage" => text(request, &["moveToVersionId"]),
        "GetSecretValue" => text(request, &["versionId"]),
        _ => text(request, &["clientRequestToken"])
            .or_else(|| text(&record.response_elements, &["versionId"]))
            .or_else(|| text(&record.additional_event_data, VERSION))
            .or(version_of_rotation),
    };
    let stages = &request["versionStages"];
    let stage = text(request, &["versionStage"]).or_else(|| stages.get(0).and_then(Value::as_str));
    let removed = text(request, &["removeFromVersionId"]);
    let told = Told { same, ..Told::new(kind, target) };
    vec![told.version(version).detail("stage", stage).detail("removed-from", removed)]
}

fn meaning_of_secret_call(record: &Record<'_>) -> Option<EventKind> {
    let request = &record.request_parameters;
    let has = |key: &str| request.get(key).is_some_and(|value| !value.is_null());
    Some(match &*record.event_name.0 {
        "PutSecretValue" => EventKind::Written,
        "CreateSecret" => EventKind::Created,
        // It may also change nothing but the description; KMS tells.
        "UpdateSecret" => EventKind::MaybeWritten,
        "GetSecretValue" => EventKind::Read,
        "RotateSecret" if has("rotationRules") => EventKind::AutoRotationOn,
        "CancelRotateSecret" => EventKind::AutoRotationOff,
        "RotationSucceeded" => EventKind::AutoRotated,
        "RotationFailed" | "RotationAbandoned" => EventKind::AutoRotationFailed,
        "UpdateSecretVersionStage"
            if has("moveToVersionId") && text(request, &["versionStage"]) == Some("AWSCURRENT") =>
        {
            EventKind::Promoted
        }
        "DeleteSecret" if request["forceDeleteWithoutRecovery"] == Value::Bool(true) => EventKind::Destroyed,
        "DeleteSecret" => EventKind::Deleted,
        "RestoreSecret" | "CancelSecretVersionDelete" => EventKind::Restored,
        "StartSecretVersionDelete" | "EndSecretVersionDelete" => EventKind::Destroyed,
        _ => return None,
    })
}

/// The secret of a record: its place, by ARN where the record shows it, the other name that it shows, and the version in
/// the id of a rotation.
fn secret<'a>(record: &'a Record<'_>) -> Option<(Place, Option<Place>, Option<&'a str>)> {
    let (arn_of_rotation, version) =
        shown(&record.request_id).and_then(names::rotation).map_or((None, None), |(arn, id)| (Some(arn), Some(id)));
    let of_response = text(&record.response_elements, &ARN);
    let of_event = text(&record.additional_event_data, &["SecretId", "secretId"])
        .or_else(|| text(&record.additional_event_data, &ARN))
        .or_else(|| text(&record.service_event_details, &["secretId", "SecretId"]))
        .or_else(|| text(&record.service_event_details, &ARN));
    let asked = text(&record.request_parameters, &["secretId", "name"]);
    let arn = [of_response, of_event, asked, arn_of_rotation]
        .into_iter()
        .flatten()
        .find(|id| names::secret_name(id).is_some());
    let told = match arn {
        Some(arn) => of_secret(EventKind::Read, arn, text(&record.response_elements, &["name"])),
        None => of_secret(EventKind::Read, asked.or(of_event).filter(|id| !id.is_empty())?, None),
    };
    Some((told.target, told.same, version))
}

/// Something about a secret, of which the ARN shows the name.
fn of_secret(kind: EventKind, id: &str, name: Option<&str>) -> Told {
    let same = name.or_else(|| names::secret_name(id)).map(names::secret);
    Told { same, ..Told::new(kind, names::secret(id)) }
}

fn parameters(record: &Record<'_>) -> Vec<Told> {
    let request = &record.request_parameters;
    let kind = match &*record.event_name.0 {
        "PutParameter" => EventKind::Written,
        "GetParameter" | "GetParameters" | "GetParametersByPath" => EventKind::Read,
        "DeleteParameter" | "DeleteParameters" => EventKind::Destroyed,
        _ => return Vec::new(),
    };
    let written = record.response_elements.get("version").filter(|_| kind == EventKind::Written);
    let written = written.map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned));
    let deleted = &record.response_elements["deletedParameters"];
    let several = if deleted.is_array() { deleted } else { &request["names"] };
    let kind = if written.as_deref() == Some("1") { EventKind::Created } else { kind };
    let one = text(request, &["name", "path"]);
    let decrypted = request.get("withDecryption").filter(|_| kind == EventKind::Read).map(Value::to_string);
    let told = one.into_iter().chain(texts(several)).filter(|name| !name.is_empty()).map(|name| {
        let told = of_parameter(kind, name);
        let version = told.version.clone().or_else(|| written.clone());
        Told { version, ..told }.detail("decrypted", decrypted.as_deref())
    });
    told.collect()
}

/// Something about a parameter; its other spelling is another name of it.
fn of_parameter(kind: EventKind, id: &str) -> Told {
    let (target, selector) = names::parameter(id);
    let path = target.path();
    let alone = path.strip_prefix('/').filter(|name| !name.contains('/'));
    let same = alone.map(names::parameter_place);
    Told { same, ..Told::new(kind, target) }.version(selector)
}

fn kms(record: &Record<'_>) -> Vec<Told> {
    let kind = match &*record.event_name.0 {
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" | "Encrypt" => EventKind::Encrypted,
        "Decrypt" => EventKind::Read,
        _ => return Vec::new(),
    };
    let context = &record.request_parameters["encryptionContext"];
    let of_secret = text(context, &["SecretARN"]).map(|arn| {
        let version = text(context, &["SecretVersionId"]);
        of_secret(kind, arn, None).version(version)
    });
    let of_parameter = text(context, &["PARAMETER_ARN"]).map(|arn| of_parameter(kind, arn));
    of_secret.into_iter().chain(of_parameter).collect()
}

fn access_keys(record: &Record<'_>) -> Vec<Told> {
    let request = &record.request_parameters;
    let created = &record.response_elements["accessKey"];
    let kind = match &*record.event_name.0 {
        "CreateAccessKey" => EventKind::Issued,
        "UpdateAccessKey" if text(request, &["status"]) == Some("Inactive") => EventKind::Revoked,
        "DeleteAccessKey" => EventKind::Revoked,
        _ => return Vec::new(),
    };
    let key = text(created, &["accessKeyId"]).or_else(|| text(request, &["accessKeyId"]));
    // Who names no user means itself.
    let user = text(request, &["userName"])
        .or_else(|| text(created, &["userName"]))
        .or_else(|| shown(&record.user_identity.as_ref()?.user_name));
    let of_user = user.map(|user| format!("user/{user}"));
    let of_key = key.map(|key| format!("access-key/{key}"));
    let targets = of_user.into_iter().chain(of_key);
    targets.map(|path| Told::new(kind, Place::of_path("aws-iam", &path)).version(key)).collect()
}

fn databases(record: &Record<'_>) -> Option<Told> {
    let request = &record.request_parameters;
    let path = match &*record.event_name.0 {
        "ModifyDBInstance" => format!("db/{}", text(request, &["dBInstanceIdentifier", "dbInstanceIdentifier"])?),
        "ModifyDBCluster" => format!("cluster/{}", text(request, &["dBClusterIdentifier", "dbClusterIdentifier"])?),
        _ => return None,
    };
    // Of all that these calls change, this is the password.
    let pending = record.response_elements["pendingModifiedValues"].get("masterUserPassword");
    let failed_with_password = record.error_code.is_some() && request.get("masterUserPassword").is_some();
    (pending.is_some_and(|value| !value.is_null()) || failed_with_password)
        .then(|| Told::new(EventKind::Issued, Place::of_path("aws-rds", &path)))
}

/// `ROTATE` adds a token beside the old one, `SET` leaves only the new one, `DELETE` none.
///
/// Source: <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>
fn replication_groups(record: &Record<'_>) -> Option<Told> {
    let request = &record.request_parameters;
    let strategy =
        text(request, &["authTokenUpdateStrategy"]).filter(|_| record.event_name.0 == "ModifyReplicationGroup")?;
    let kind = if strategy == "ROTATE" { EventKind::Issued } else { EventKind::Revoked };
    let path = format!("group/{}", text(request, &["replicationGroupId"])?);
    Some(Told::new(kind, Place::of_path("aws-elasticache", &path)).detail("strategy", Some(strategy)))
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}
