//! What keeps a Secret from being written, or a write from lasting.

use super::{Object, decode};

/// Annotations of operators that write Secrets which others own as well: the start of the name, and whose it is.
/// <https://external-secrets.io/latest/guides/ownership-deletion-policy/>
const OPERATORS: &[(&str, &str)] = &[
    ("reconcile.external-secrets.io/", "an ExternalSecret"),
    ("vaultsecretoperator.hashicorp.com/", "a VaultStaticSecret"),
];

/// A type whose values Kubernetes itself makes.
const MADE_BY_THE_CLUSTER: &str = "kubernetes.io/service-account-token";

pub(super) fn of(path: &str, object: &Object<'_>, keys: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let metadata = &object.metadata;
    if metadata.deletion_timestamp.is_some() {
        found.push(format!("{path} is being deleted"));
    }
    if object.immutable == Some(true) {
        found.push(format!("{path} is immutable: a new value needs a Secret of another name"));
    }
    if object.kind == MADE_BY_THE_CLUSTER {
        found.push(format!("{path} is a token that the cluster itself makes"));
    }
    let writes =
        |kind: &str| matches!(kind, "SealedSecret" | "ExternalSecret" | "VaultStaticSecret" | "VaultDynamicSecret");
    let owners = metadata.owner_references.iter();
    let owners = owners.filter(|owner| owner.controller == Some(true) || writes(&owner.kind));
    found.extend(owners.map(|owner| {
        let (kind, name) = (&owner.kind, &owner.name);
        format!("{path} belongs to {kind} {name}, which would write it again: rotate what that one reads")
    }));
    let operators =
        OPERATORS.iter().filter(|(start, _)| metadata.annotations.keys().any(|name| name.starts_with(start)));
    if found.is_empty() {
        found.extend(operators.map(|(_, who)| format!("{who} writes {path}: rotate what that one reads")));
    }
    for key in keys {
        match object.data.as_ref().and_then(|data| data.get(key)) {
            None => found.push(format!("{path} has no key {key}")),
            Some(value) if decode(value).is_none() => found.push(format!("{key} of {path} is no text")),
            Some(_) => {}
        }
    }
    found
}
