//! The Secrets of a Kubernetes cluster.
//!
//! `mounts` of the `[[store]]` are the namespaces to read; without them, all that may be listed. The cluster is that of
//! `KUBECONFIG`, of `~/.kube/config` or the one that Keytrail runs in; or the server at `address`, with the token of `auth`
//! and the authorities of `ca_file`. A place in the store is `NAME:NAMESPACE/secret/SECRET#KEY`: of a
//! store that is named `kubernetes`, those of the manifests.
//!
//! # What is read
//! The names of the keys, from what the server notes of who set which field: then no value leaves it. With
//! `read_values = true` the values, which are compared as keyed fingerprints. Kubernetes remembers no earlier values.
//! Releases of Helm (`sh.helm.release.v1.…`) are left out: they hold manifests.
//!
//! How Secrets are written says `write`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use keytrail_rules::model::{CopyKind, Environment, Facts, Gap, GapReason, Place, ScopeEntry, SecretCopy};
use keytrail_rules::value::Value;
use kube::api::ListParams;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::StoreKind;
use crate::config::StoreConfig;
use crate::source::Reader;
use cluster::{Ask, Cluster, Unanswered};

mod cluster;
mod value;
mod write;

/// Secrets of Kubernetes.
pub static KIND: StoreKind = StoreKind {
    name: "kubernetes",
    requires: &[],
    read: |config, reader| read(config, reader).boxed(),
    open_for_writing: Some(write::open),
};

/// Secrets are asked for so many at a time: each may have 1 MiB.
const PAGE: u32 = 50;

/// So many are taken at most.
const MAX_SECRETS: usize = 100_000;

/// What the names of Helm's releases start with.
const HELM: &str = "sh.helm.release.v1.";

#[derive(Deserialize)]
struct Page<'a> {
    metadata: ListMetadata,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(default, rename = "continue")]
    token: Option<String>,
}

/// A Secret, or its metadata alone.
#[derive(Deserialize)]
struct Item<'a> {
    metadata: Metadata,
    #[serde(borrow, default)]
    data: Option<BTreeMap<String, Cow<'a, str>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    managed_fields: Vec<Manager>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manager {
    #[serde(default)]
    fields_v1: Fields,
}

/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>
#[derive(Deserialize, Default)]
struct Fields {
    #[serde(default, rename = "f:data")]
    data: BTreeMap<String, IgnoredAny>,
}

async fn read(config: &StoreConfig, reader: &Reader<'_>) -> Facts {
    let mut facts = Facts::default();
    if let Err(gap) = list(config, reader, &mut facts).await {
        facts.gaps.push(gap);
    }
    let held = facts.copies.len() as u64;
    facts.scope.push(ScopeEntry { source: config.name.clone(), kind: KIND.name.to_owned(), held });
    facts
}

async fn list(config: &StoreConfig, reader: &Reader<'_>, facts: &mut Facts) -> Result<(), Gap> {
    let cluster = Cluster::connect(config).await.map_err(|failed| gap(config, None, &failed))?;
    if config.mounts.is_empty() {
        return list_namespace(config, reader, &cluster, None, facts).await;
    }
    for namespace in &config.mounts {
        if let Err(gap) = list_namespace(config, reader, &cluster, Some(namespace), facts).await {
            facts.gaps.push(gap);
        }
    }
    Ok(())
}

async fn list_namespace(
    config: &StoreConfig,
    reader: &Reader<'_>,
    cluster: &Cluster,
    namespace: Option<&str>,
    facts: &mut Facts,
) -> Result<(), Gap> {
    let failed = |failed: Unanswered| gap(config, namespace, &failed);
    let mut asked = ListParams::default().limit(PAGE);
    let mut seen = 0;
    loop {
        let page = if config.read_values { Ask::List(&asked) } else { Ask::ListMetadata(&asked) };
        let answer = cluster.ask(namespace, page, None, config.timeout).await.map_err(failed)?;
        let page: Page<'_> = serde_json::from_str(&answer).map_err(|_| failed(Unanswered::unknown_form()))?;
        seen += page.items.len();
        for item in page.items.iter().filter(|item| !item.metadata.name.starts_with(HELM)) {
            facts.copies.extend(copies(config, reader, item));
        }
        match page.metadata.token.filter(|token| !token.is_empty()) {
            Some(_) if seen >= MAX_SECRETS => {
                let what = format!("only the first {MAX_SECRETS} Secrets were read");
                return Err(Gap::new(&config.name, GapReason::TooLarge, what).hint("name namespaces in `mounts`"));
            }
            Some(token) => asked = asked.continue_token(&token),
            None => return Ok(()),
        }
    }
}

fn copies(config: &StoreConfig, reader: &Reader<'_>, item: &Item<'_>) -> Vec<SecretCopy> {
    let Metadata { name, namespace, managed_fields } = &item.metadata;
    let path = format!("{namespace}/secret/{name}");
    let environment = config.environment.clone().or_else(|| Environment::in_path(&path));
    let copy = |place: Place, value: Value| SecretCopy {
        environment: environment.clone(),
        ..SecretCopy::new(place, CopyKind::KubernetesSecret, None, value)
    };
    if let Some(data) = &item.data {
        let observed =
            |encoded: &str| value::decode(encoded).map_or_else(Value::unread, |value| reader.observe_secret(&value));
        return data.iter().map(|(key, value)| copy(Place::new(&config.name, &path, key), observed(value))).collect();
    }
    let fields = managed_fields.iter().flat_map(|manager| manager.fields_v1.data.keys());
    let keys: BTreeSet<&str> = fields.filter_map(|field| field.strip_prefix("f:")).collect();
    if keys.is_empty() && !config.read_values {
        return vec![copy(Place::of_path(&config.name, &path), Value::unread())];
    }
    keys.into_iter().map(|key| copy(Place::new(&config.name, &path, key), Value::unread())).collect()
}

fn gap(config: &StoreConfig, namespace: Option<&str>, failed: &Unanswered) -> Gap {
    let of = namespace.map_or(String::new(), |namespace| format!(" of the namespace {namespace}"));
    let what = format!("the Secrets{of} cannot be listed: {}", failed.what);
    let hint = match failed.reason {
        GapReason::PermissionDenied => "grant `list` on secrets, or name the namespaces that may be listed in `mounts`",
        _ => failed.hint,
    };
    Gap::new(&config.name, failed.reason, what).hint(hint)
}
