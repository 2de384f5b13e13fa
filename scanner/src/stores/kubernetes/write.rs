//! Writes Secrets.
//!
//! # Guarantees
//! * A write is one merge patch of the given keys, with the `resourceVersion` that it expects: the server compares and
//!   writes, both at once. Sibling keys, binary ones among them, and the type are not part of it.
//! * The run is part of the user agent, which the server's audit keeps, and the annotation `keytrail.dev/run`; the field
//!   manager is `keytrail`.
//! * No change is sent twice. What is not a plain refusal may have been done: it is [`Outcome::Unknown`].
//! * A preflight sends the patch of the annotation alone, as a dry run: the server checks rights and admission, and
//!   stores nothing.
//!
//! # Why no server-side apply
//! What a manager applied before and does not repeat, apply takes away: a write of one key would delete those of earlier
//! rotations. A patch does not ask who manages a field; `resourceVersion` keeps it from overwriting anything unseen,
//! and a Secret that a controller or an operator writes is an obstacle.
//!
//! [`Outcome::Unknown`]: keytrail_rotation::failure::Outcome::Unknown

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use keytrail_rotation::context::{Act, Context};
use keytrail_rotation::failure::Failure;
use keytrail_rotation::store::{Abilities, Held, Store, Version, no_such};
use keytrail_rules::model::{GapReason, Secret};
use kube::api::PatchParams;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::cluster::{Ask, Cluster, Unanswered};
use super::value::{decode, encode};
use crate::config::StoreConfig;
use crate::stores::Writable;

mod obstacles;

/// The field manager.
const MANAGER: &str = "keytrail";

/// The annotation that names the run which wrote last.
const RUN: &str = "keytrail.dev/run";

/// A cluster that is written.
struct Kubernetes {
    config: StoreConfig,
    cluster: Mutex<Option<Arc<Cluster>>>,
}

/// Opens the store of a table. It connects at the first use.
#[expect(clippy::unnecessary_wraps, reason = "the table's type")]
pub(super) fn open(config: &StoreConfig) -> Writable {
    Ok(Arc::new(Kubernetes { config: config.clone(), cluster: Mutex::default() }))
}

/// A Secret as the server wrote it.
#[derive(Deserialize)]
struct Object<'a> {
    metadata: Metadata,
    #[serde(borrow, default)]
    data: Option<BTreeMap<String, Cow<'a, str>>>,
    #[serde(default)]
    immutable: Option<bool>,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
    #[serde(default)]
    owner_references: Vec<Owner>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: Option<bool>,
}

impl Store for Kubernetes {
    fn abilities(&self) -> Abilities {
        Abilities { reads: true, compares: true, stages: false }
    }

    fn preflight<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>> {
        async move {
            let look = async {
                let at = self.at(context, path).await?;
                let answer = at.get().await?;
                let object = at.object(&answer)?;
                let found = obstacles::of(path, &object, keys);
                if !found.is_empty() {
                    return Ok(found);
                }
                let tried = at.patch(&object.metadata.resource_version, &BTreeMap::new(), true).await;
                Ok(tried.err().map(|failed| format!("{path} cannot be patched: {}", failed.what)).into_iter().collect())
            };
            Ok(look.await.unwrap_or_else(|failure: Failure| vec![failure.what]))
        }
        .boxed()
    }

    fn read<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held> {
        async move {
            let at = self.at(context, path).await?;
            let answer = at.get().await?;
            let object = at.object(&answer)?;
            let mut values = BTreeMap::new();
            for key in keys {
                if let Some(encoded) = object.data.as_ref().and_then(|data| data.get(key)) {
                    let value =
                        decode(encoded).ok_or_else(|| Failure::not_done(format!("{key} of {path} is no text")))?;
                    values.insert(key.clone(), value);
                }
            }
            Ok(Held { version: Version(object.metadata.resource_version), values })
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        context: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
        expected: &'a Version,
    ) -> Act<'a, Version> {
        async move {
            let at = self.at(context, path).await?;
            // Without one the server would compare nothing.
            if expected.0.is_empty() {
                return Err(Failure::not_done(format!("no version of {path} is expected")));
            }
            let answer = at.patch(&expected.0, values, false).await.map_err(|failed| at.unwritten(&failed))?;
            let made = at.object(&answer).map_err(|failure| Failure::unknown(failure.what))?;
            Ok(Version(made.metadata.resource_version))
        }
        .boxed()
    }
}

/// A Secret of the cluster.
struct At<'a> {
    cluster: Arc<Cluster>,
    context: &'a Context,
    agent: HeaderValue,
    path: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl Kubernetes {
    async fn at<'a>(&self, context: &'a Context, path: &'a str) -> Result<At<'a>, Failure> {
        let (namespace, name) = parts(path).ok_or_else(|| {
            Failure::not_done(format!("{path} is no place of a Secret")).hint("write NAMESPACE/secret/NAME")
        })?;
        let agent = HeaderValue::from_str(&context.user_agent())
            .map_err(|_| Failure::not_done("the run has characters that no HTTP header can hold"))?;
        let mut cluster = self.cluster.lock().await;
        let cluster = match cluster.as_ref() {
            Some(cluster) => cluster.clone(),
            None => {
                let made = Cluster::connect(&self.config).await;
                let made = made.map_err(|failed| Failure::not_done(failed.what).hint(failed.hint))?;
                cluster.insert(Arc::new(made)).clone()
            }
        };
        Ok(At { cluster, context, agent, path, namespace, name })
    }
}

/// The namespace and the name of `NAMESPACE/secret/NAME`.
fn parts(path: &str) -> Option<(&str, &str)> {
    let (namespace, rest) = path.split_once('/')?;
    let name = rest.strip_prefix("secret/")?;
    // <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>
    let is_name = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
            && part.bytes().any(|byte| byte.is_ascii_alphanumeric())
    };
    (is_name(namespace) && is_name(name)).then_some((namespace, name))
}

impl At<'_> {
    async fn get(&self) -> Result<Zeroizing<String>, Failure> {
        self.ask(Ask::Get(self.name)).await.map_err(|failed| match failed.status {
            Some(404) => no_such(self.path),
            _ => self.failure(&format!("{} cannot be read", self.path), &failed),
        })
    }

    fn object<'a>(&self, answer: &'a str) -> Result<Object<'a>, Failure> {
        // A message of serde_json may quote what it read.
        serde_json::from_str(answer)
            .map_err(|_| Failure::unknown(format!("{}: {}", self.path, Unanswered::unknown_form().what)))
    }

    async fn patch(
        &self,
        version: &str,
        values: &BTreeMap<String, &Secret>,
        dry_run: bool,
    ) -> Result<Zeroizing<String>, Unanswered> {
        let parameters = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        self.ask(Ask::Patch { name: self.name, parameters, body: body(version, &self.context.run, values) }).await
    }

    async fn ask(&self, asked: Ask<'_>) -> Result<Zeroizing<String>, Unanswered> {
        self.cluster.ask(Some(self.namespace), asked, Some(&self.agent), self.context.timeout).await
    }

    /// What became of a patch that was not answered with success.
    fn unwritten(&self, failed: &Unanswered) -> Failure {
        match failed.status {
            // It was there when its version was read.
            Some(404 | 409) => Failure::conflict(format!("{} was changed or deleted by somebody else", self.path))
                .hint("look at the change, then start again"),
            _ => self.failure(&format!("{} may not be written", self.path), failed),
        }
    }

    fn failure(&self, what: &str, failed: &Unanswered) -> Failure {
        let message = format!("{what}: {}", failed.what);
        let refused = match failed.status {
            Some(408 | 429) => false,
            Some(status) => (400..500).contains(&status),
            None => failed.reason == GapReason::Unsupported,
        };
        let failure = if refused { Failure::not_done(message) } else { Failure::unknown(message) };
        failure.hint(failed.hint)
    }
}

/// A merge patch (RFC 7396) of some keys, if the object still has that version.
fn body(version: &str, run: &str, values: &BTreeMap<String, &Secret>) -> Vec<u8> {
    let head = serde_json::json!({ "resourceVersion": version, "annotations": { RUN: run } }).to_string();
    let encoded: Vec<(String, Zeroizing<String>)> =
        values.iter().map(|(key, value)| (serde_json::Value::from(key.as_str()).to_string(), encode(value))).collect();
    // It must not move in memory while it grows.
    let room = encoded.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>() + head.len() + 32;
    let mut body = Vec::with_capacity(room);
    body.extend_from_slice(br#"{"metadata":"#);
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(br#","data":{"#);
    for (at, (key, value)) in encoded.iter().enumerate() {
        for part in [if at > 0 { "," } else { "" }, key, ":\"", value, "\""] {
            body.extend_from_slice(part.as_bytes());
        }
    }
    body.extend_from_slice(b"}}");
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_the_given_keys_alone() {
        let (one, two) = (Secret::from("planted-ä"), Secret::from(""));
        let values = BTreeMap::from([("a\"b".to_owned(), &one), ("c".to_owned(), &two)]);
        let body = body("17", "kt-1", &values);
        let read: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let expected = serde_json::json!({
            "metadata": { "resourceVersion": "17", "annotations": { "keytrail.dev/run": "kt-1" } },
            "data": { "a\"b": "cGxhbnRlZC3DpA==", "c": "" },
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn a_place_has_a_namespace_and_a_name() {
        assert_eq!(parts("shop/secret/db.main-1"), Some(("shop", "db.main-1")));
        for bad in [
            "shop",
            "shop/secret/",
            "/secret/db",
            "shop/configmap/db",
            "shop/secret/a/b",
            "..",
            "a/secret/..",
            "a/secret/x?y",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
