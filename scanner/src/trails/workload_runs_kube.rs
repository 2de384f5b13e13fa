//! The ledger of workload runs as custom resources of Kubernetes: `resource` of the config names them, as
//! `workloadruns.example.com/v1alpha1`, in one `namespace` or in all.
//!
//! The cluster is that of `KUBECONFIG`, of `~/.kube/config` or the one that Keytrail runs in; or the server at `url`, with
//! the token in the variable of `url_env`. Objects can be deleted without a trace, so that they prove nothing complete.

use std::env;
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{Entry, Gap, GapReason, Role};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::{Client, Config};
use serde_json::Value;

use super::workload_runs_sql::entries;
use super::{Opening, Reads, TrailConfig, TrailKind};

/// `workload-runs-kubernetes`.
pub static KIND: TrailKind = TrailKind {
    name: "workload-runs-kubernetes",
    role: Role::Ledger,
    delay: TimeDelta::zero(),
    watches: &[],
    requires: &["resource"],
    reads: Reads::Server(read),
};

/// How long the server may take for everything.
const WHOLE: Duration = Duration::from_secs(120);
/// How long it may take to answer one request.
const ANSWER: Duration = Duration::from_secs(30);
/// Objects are asked for so many at a time.
const PAGE: u32 = 500;
/// So many are taken at most.
const MAX_OBJECTS: usize = 200_000;

fn read<'a>(opening: &'a Opening<'a>) -> BoxFuture<'a, (Vec<Entry>, Vec<Gap>)> {
    async move {
        let config = opening.config;
        let objects = tokio::time::timeout(WHOLE, objects(config)).await.unwrap_or_else(|_| {
            let message = format!("the Kubernetes API does not answer within {} s", WHOLE.as_secs());
            Err(gap(config, GapReason::TimedOut, message, "check that the server runs"))
        });
        match objects {
            Ok(objects) => entries(opening, config.resource.as_deref().unwrap_or_default(), objects),
            Err(gap) => (Vec::new(), vec![gap]),
        }
    }
    .boxed()
}

fn gap(config: &TrailConfig, reason: GapReason, message: impl Into<String>, hint: &str) -> Gap {
    Gap::new(&config.name, reason, message).hint(hint)
}

async fn objects(config: &TrailConfig) -> Result<Vec<Value>, Gap> {
    let Some(resource) = config.resource.as_deref().and_then(resource) else {
        let message = "the resource is not understood";
        return Err(gap(config, GapReason::Malformed, message, "write resource = \"PLURAL.GROUP/VERSION\""));
    };
    let client = client(config).await?;
    let api: Api<DynamicObject> = match &config.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let mut asked = ListParams::default().limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list(&asked).await.map_err(|error| refusal(config, &error))?;
        for mut object in page.items {
            // Who set which field when: of no use here, and larger than all else.
            object.metadata.managed_fields = None;
            found.push(serde_json::to_value(&object).unwrap_or_default());
        }
        if found.len() > MAX_OBJECTS {
            let message = format!("there are more than {MAX_OBJECTS} objects");
            return Err(gap(config, GapReason::TooLarge, message, "name a `namespace`"));
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => asked = asked.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// `PLURAL.GROUP/VERSION`.
fn resource(text: &str) -> Option<ApiResource> {
    let (name, version) = text.split_once('/')?;
    let (plural, group) = name.split_once('.')?;
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    [plural, group, version].into_iter().all(is_part).then(|| ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: format!("{group}/{version}"),
        kind: plural.to_owned(),
        plural: plural.to_owned(),
    })
}

async fn client(config: &TrailConfig) -> Result<Client, Gap> {
    let unusable = |message: &str, hint: &str| gap(config, GapReason::Unreachable, message, hint);
    let mut cluster = match &config.url {
        Some(url) => Config::new(url.parse().map_err(|_| unusable("the URL is not understood", "check the URL"))?),
        None => {
            let hint = "set KUBECONFIG, or `url` and `url_env` of the trail";
            Config::infer().await.map_err(|_| unusable("there is no usable configuration of Kubernetes", hint))?
        }
    };
    if let Some(name) = &config.url_env {
        let Ok(token) = env::var(name) else {
            let message = format!("the environment variable {name} is not set");
            return Err(gap(config, GapReason::Unauthenticated, message, "set it to a token"));
        };
        cluster.auth_info.token = Some(token.into());
    }
    cluster.connect_timeout = Some(Duration::from_secs(10));
    cluster.read_timeout = Some(ANSWER);
    let hint = "check the configuration of Kubernetes";
    Client::try_from(cluster).map_err(|_| unusable("there is no usable configuration of Kubernetes", hint))
}

/// What an error means. What the client says may quote what a login program printed.
fn refusal(config: &TrailConfig, error: &kube::Error) -> Gap {
    let kube::Error::Api(status) = error else {
        let message = "the Kubernetes API cannot be reached";
        return gap(config, GapReason::Unreachable, message, "check KUBECONFIG, and that the server runs");
    };
    let resource = config.resource.as_deref().unwrap_or_default();
    match status.code {
        401 => {
            let message = "the Kubernetes API refuses the login";
            gap(config, GapReason::Unauthenticated, message, "log in anew, or check the token")
        }
        403 => {
            let message = format!("the Kubernetes API does not let {resource} be listed");
            gap(config, GapReason::PermissionDenied, message, "grant `list` on it, or name a `namespace`")
        }
        404 => {
            let message = format!("the Kubernetes API does not know {resource}");
            gap(config, GapReason::Unreachable, message, "check `resource`, or install its definition")
        }
        code => {
            let message = format!("the Kubernetes API answers with status {code}");
            gap(config, GapReason::Unreachable, message, "try again")
        }
    }
}

#[cfg(test)]
mod tests;
