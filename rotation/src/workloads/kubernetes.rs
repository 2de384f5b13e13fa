//! Workloads of Kubernetes: `kubernetes:NAMESPACE/KIND/NAME`.
//!
//! A Deployment, StatefulSet or DaemonSet is restarted as `kubectl rollout restart` does it: an annotation of its pod
//! template changes, and its controller replaces the pods. Where the table says so, an environment variable is made a
//! reference to a Secret (`set_env`), and the newest and the older value are kept under two keys of a ConfigMap
//! (`config_map`), in the same go. A CronJob loads with its next run. Whatever no controller replaces is an obstacle.
//!
//! # Guarantees
//! 1. Nothing but annotations of the template, the variables of `set_env` and the two keys of `config_map` is changed.
//! 2. A rollout is done only when its controller has seen this restart or a later one and every pod that there is to be
//!    is new and available, as `kubectl rollout status` judges it; and never once the template went back to an earlier
//!    restart, whose pods may still be there with the old value.
//! 3. The field manager is the run, so that the cluster's audit log tells who did it.
//!
//! # Assumptions
//! * The container's readiness probe fails where it cannot work with what it loaded; else a probe has to show it.
//! * Pods that are ending still use the old value for as long as their grace period; only newer clusters count them.
//! * Whether a Secret that the pods refer to can be changed is for its store to say.

mod patch;
mod rollout;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;

use futures::FutureExt;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use reqwest::header::{HeaderValue, USER_AGENT};
use serde::Deserialize;

use self::patch::{Stamp, Written};
use self::rollout::Kind;
use super::{Mark, Progress, Values, Workload, WorkloadKind, credential_of, obstacles};
use crate::context::{Act, Context};
use crate::credential::VALUE;
use crate::failure::Failure;
use crate::settings::Settings;

/// Workloads of Kubernetes.
pub(super) static KIND: WorkloadKind = WorkloadKind {
    name: "kubernetes",
    about: "restarts a Deployment, StatefulSet or DaemonSet and waits for the rollout",
    open: |place, settings| Ok(Box::new(Kubernetes::new(place, settings)?)),
};

/// Its table.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Table {
    /// The file; `KUBECONFIG`, `~/.kube/config` or the cluster that Keytrail runs in without one.
    kubeconfig: Option<PathBuf>,
    /// The context in it; the current one without.
    context: Option<String>,
    /// The variable that holds an item, by the item's id or key: no value of it may stand in the template.
    env: BTreeMap<String, String>,
    /// Variables that are made references to a key of a Secret.
    set_env: BTreeMap<String, Reference>,
    /// Two keys of a ConfigMap.
    config_map: Option<DualKey>,
}

/// A key of a Secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    secret: String,
    key: String,
    /// May be left out where the template has one container.
    container: Option<String>,
}

/// Where a ConfigMap keeps the newest value, and the one that is still accepted. For what is public: a key that
/// signatures are verified with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DualKey {
    name: String,
    new_key: String,
    old_key: String,
    /// The item whose value it is.
    item: String,
    /// The part of its credential.
    part: Option<String>,
}

struct Kubernetes {
    namespace: String,
    kind: Kind,
    name: String,
    table: Table,
}

impl Kubernetes {
    fn new(place: &str, settings: &Settings) -> Result<Self, Failure> {
        let unclear = || {
            Failure::not_done(format!("kubernetes:{place} names no workload"))
                .hint("write kubernetes:NAMESPACE/deployment/NAME")
        };
        let parts: Vec<&str> = place.split('/').collect();
        let &[namespace, kind, name] = parts.as_slice() else {
            return Err(unclear());
        };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        if !is_name(namespace) || !is_name(name) {
            return Err(unclear());
        }
        let kind = Kind::find(kind).ok_or_else(unclear)?;
        Ok(Self { namespace: namespace.to_owned(), kind, name: name.to_owned(), table: settings.read()? })
    }

    fn full_name(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.kind.name(), self.name)
    }

    async fn client(&self, context: &Context) -> Result<Client, Failure> {
        // What the library says may quote the file, or what a login program printed.
        let unusable = || {
            Failure::not_done("there is no usable configuration of Kubernetes")
                .hint("set KUBECONFIG, or `kubeconfig` and `context` of the workload")
        };
        let options = KubeConfigOptions { context: self.table.context.clone(), ..KubeConfigOptions::default() };
        let config = match &self.table.kubeconfig {
            Some(file) => {
                let file = Kubeconfig::read_from(context.folder.join(file)).map_err(|_| unusable())?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|_| unusable())
            }
            None if options.context.is_some() => Config::from_kubeconfig(&options).await.map_err(|_| unusable()),
            None => Config::infer().await.map_err(|_| unusable()),
        };
        let mut config = config?;
        (config.connect_timeout, config.read_timeout) = (Some(context.timeout), Some(context.timeout));
        let agent = HeaderValue::from_str(&context.user_agent()).map_err(|_| unusable())?;
        config.headers.push((USER_AGENT, agent));
        Client::try_from(config).map_err(|_| unusable())
    }

    fn api(&self, client: Client) -> Api<DynamicObject> {
        let (group, kind, plural) = self.kind.resource();
        let resource = ApiResource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            api_version: format!("{group}/v1"),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Api::namespaced_with(client, &self.namespace, &resource)
    }

    async fn get(&self, context: &Context, client: &Client) -> Result<Option<DynamicObject>, Failure> {
        ask(context, &self.full_name(), self.api(client.clone()).get_opt(&self.name)).await
    }

    /// What Keytrail may not do, in words.
    async fn refusals(&self, context: &Context, client: &Client) -> Result<Vec<String>, Failure> {
        let (group, _, plural) = self.kind.resource();
        let mut wanted = vec![(group, plural, self.name.as_str())];
        wanted.extend(self.table.config_map.iter().map(|dual| ("", "configmaps", dual.name.as_str())));
        let mut refusals = Vec::new();
        for (group, plural, name) in wanted.into_iter().filter(|_| self.kind != Kind::CronJob) {
            let attributes = ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(plural.to_owned()),
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                verb: Some("patch".to_owned()),
                ..ResourceAttributes::default()
            };
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
                ..Default::default()
            };
            let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
            let params = PostParams::default();
            let answer = ask(context, "the rights in the cluster", reviews.create(&params, &review)).await?;
            if !answer.status.is_some_and(|status| status.allowed) {
                refusals.push(format!("Keytrail may not patch {plural}/{name} in the namespace {}", self.namespace));
            }
        }
        Ok(refusals)
    }

    async fn obstacles(&self, context: &Context) -> Result<Vec<String>, Failure> {
        if let Some(obstacle) = self.kind.obstacle() {
            return Ok(vec![format!("{}: {obstacle}", self.full_name())]);
        }
        let client = self.client(context).await?;
        let Some(object) = self.get(context, &client).await? else {
            return Ok(vec![format!("there is no {}", self.full_name())]);
        };
        let mut obstacles = self.refusals(context, &client).await?;
        obstacles.extend(self.kind.unsettled(&object).map(|why| format!("{}: {why}", self.full_name())));
        obstacles.extend(patch::obstacles(&object, &self.table));
        for secret in self.table.set_env.values().map(|reference| &reference.secret) {
            // Of its metadata alone: values stay where they are.
            let secrets: Api<Secret> = Api::namespaced(client.clone(), &self.namespace);
            if ask(context, &format!("Secret {secret}"), secrets.get_metadata_opt(secret)).await?.is_none() {
                obstacles.push(format!("there is no Secret {secret} in the namespace {}", self.namespace));
            }
        }
        if let Some(dual) = &self.table.config_map {
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &self.namespace);
            let map = ask(context, &format!("ConfigMap {}", dual.name), maps.get_opt(&dual.name)).await?;
            match map.map(|map| map.immutable == Some(true)) {
                None => obstacles.push(format!("there is no ConfigMap {}", dual.name)),
                Some(true) => obstacles.push(format!("the ConfigMap {} is immutable", dual.name)),
                Some(false) => {}
            }
        }
        Ok(obstacles)
    }

    async fn restart(&self, context: &Context, values: &Values<'_>, others: &Values<'_>) -> Result<Mark, Failure> {
        if let Some(obstacle) = self.kind.obstacle() {
            return Err(Failure::not_done(format!("{}: {obstacle}", self.full_name())));
        }
        let client = self.client(context).await?;
        let gone = || Failure::not_done(format!("there is no {}", self.full_name()));
        let object = self.get(context, &client).await?.ok_or_else(gone)?;
        if let Some(dual) = &self.table.config_map {
            let part = |values: &Values<'_>| {
                let credential = credential_of(values, &dual.item)?;
                let value = credential.part(dual.part.as_deref().unwrap_or(VALUE))?;
                Some(keytrail_rules::model::Secret::from(value.expose()))
            };
            let Some(new) = part(values) else {
                return Err(Failure::not_done(format!("{} has no such part as `config_map` names", dual.item)));
            };
            let keys = Written::of([(&dual.new_key, Some(new)), (&dual.old_key, part(others))]);
            self.write_map(context, &client, dual, &keys).await?;
        }
        if self.kind == Kind::CronJob {
            return Ok(Mark(rollout::active_runs(&object).join(",")));
        }
        let stamp = Stamp::now(&context.run);
        let patch = patch::restart(&object, &self.table, &stamp)?;
        let api = self.api(client);
        let manager = PatchParams { field_manager: Some(context.run.clone()), ..PatchParams::default() };
        let patched =
            ask(context, &self.full_name(), api.patch(&self.name, &manager, &Patch::Strategic(patch))).await?;
        Ok(stamp.mark(patched.metadata.generation.unwrap_or_default()))
    }

    async fn write_map(
        &self,
        context: &Context,
        client: &Client,
        dual: &DualKey,
        keys: &Written<'_>,
    ) -> Result<(), Failure> {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &self.namespace);
        let manager = PatchParams { field_manager: Some(context.run.clone()), ..PatchParams::default() };
        let name = format!("ConfigMap {}", dual.name);
        ask(context, &name, maps.patch(&dual.name, &manager, &Patch::Merge(keys))).await?;
        Ok(())
    }

    async fn look(&self, context: &Context, mark: &Mark) -> Result<Progress, Failure> {
        let client = self.client(context).await?;
        let Some(object) = self.get(context, &client).await? else {
            return Ok(Progress::Failed(format!("{} is gone", self.full_name())));
        };
        if self.kind == Kind::CronJob {
            let started: Vec<&str> = mark.0.split(',').collect();
            let runs = rollout::active_runs(&object);
            return Ok(match runs.iter().any(|run| started.contains(&run.as_str())) {
                true => Progress::Waiting("a run from before has not ended".to_owned()),
                false => Progress::Done,
            });
        }
        match Stamp::of(mark).judge(&object) {
            Some(progress) => Ok(progress),
            None => Ok(self.kind.progress(&object)),
        }
    }

    async fn drop_old(&self, context: &Context) -> Result<(), Failure> {
        let Some(dual) = &self.table.config_map else {
            return Ok(());
        };
        let client = self.client(context).await?;
        self.write_map(context, &client, dual, &Written::of([(&dual.old_key, None)])).await
    }
}

/// Asks the API within the limit.
async fn ask<T>(context: &Context, what: &str, asked: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    let limit = context.timeout;
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(refusal(what, &error)),
        Err(_) => Err(Failure::unknown(format!("{what}: the Kubernetes API did not answer within {limit:?}"))),
    }
}

/// What an error means. What the client says may quote what a login program printed.
fn refusal(what: &str, error: &kube::Error) -> Failure {
    let kube::Error::Api(status) = error else {
        return Failure::unknown(format!("{what}: the Kubernetes API cannot be reached"))
            .hint("check KUBECONFIG, and that the server runs");
    };
    let code = status.code;
    match code {
        401 => Failure::not_done(format!("{what}: the Kubernetes API refuses the login (401)"))
            .hint("log in anew, or check the token"),
        403 => Failure::not_done(format!("{what}: the Kubernetes API does not allow it (403)"))
            .hint("grant `get` and `patch` on it"),
        404 => Failure::not_done(format!("{what} is not there (404)")),
        409 => Failure::conflict(format!("{what} was changed by somebody else (409)")),
        429 | 500.. => Failure::unknown(format!("{what}: the Kubernetes API fails ({code})")),
        _ => Failure::not_done(format!("{what}: the Kubernetes API refuses it ({code})")),
    }
}

impl Workload for Kubernetes {
    fn preflight<'a>(&'a self, context: &'a Context) -> Act<'a, Vec<String>> {
        self.obstacles(context).map(obstacles).boxed()
    }

    fn load<'a>(&'a self, context: &'a Context, values: &'a Values<'a>, others: &'a Values<'a>) -> Act<'a, Mark> {
        self.restart(context, values, others).boxed()
    }

    fn progress<'a>(&'a self, context: &'a Context, mark: &'a Mark, _: &'a Values<'a>) -> Act<'a, Progress> {
        self.look(context, mark).boxed()
    }

    fn forget<'a>(&'a self, context: &'a Context, _: &'a Values<'a>, _: &'a Values<'a>) -> Act<'a, ()> {
        self.drop_old(context).boxed()
    }
}

#[cfg(test)]
mod tests;
