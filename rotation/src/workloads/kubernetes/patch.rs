//! What is changed of a workload.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{SecondsFormat, Utc};
use keytrail_rules::model::Secret;
use kube::api::DynamicObject;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::super::{Mark, Progress};
use super::Table;
use crate::failure::Failure;

/// What `kubectl rollout restart` sets.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
/// When Keytrail did, and in which run.
const RUN: &str = "keytrail.dev/run";

/// What tells a restart from an earlier one.
pub(super) struct Stamp {
    /// RFC 3339, UTC, to the microsecond: as a text it is ordered as the time is.
    at: String,
    run: String,
}

impl Stamp {
    pub(super) fn now(run: &str) -> Self {
        Self { at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true), run: run.to_owned() }
    }

    /// As it is journaled, with the generation that it made.
    pub(super) fn mark(&self, generation: i64) -> Mark {
        Mark(format!("{} {} {generation}", self.at, self.run))
    }

    pub(super) fn of(mark: &Mark) -> Self {
        let mut words = mark.0.split(' ').map(str::to_owned);
        Self { at: words.next().unwrap_or_default(), run: words.next().unwrap_or_default() }
    }

    /// Whether the template went back to an earlier restart; `None` where it holds this one, or a later one. A template
    /// equal to an earlier one would bring the pods of that time back, or keep them.
    pub(super) fn judge(&self, object: &DynamicObject) -> Option<Progress> {
        let held = object.data["spec"]["template"]["metadata"]["annotations"][RUN].as_str().unwrap_or_default();
        let at = held.split(' ').next().unwrap_or_default();
        (at < self.at.as_str())
            .then(|| Progress::Failed(format!("its template went back: {RUN} is not of this restart any more")))
    }
}

/// The patch that restarts a workload, and makes variables references; of the kind "strategic merge".
pub(super) fn restart(object: &DynamicObject, table: &Table, stamp: &Stamp) -> Result<Value, Failure> {
    let annotations = json!({ RESTARTED: stamp.at, RUN: format!("{} {}", stamp.at, stamp.run) });
    let mut template = json!({ "metadata": { "annotations": annotations } });
    let mut containers: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (variable, reference) in &table.set_env {
        let container = container(object, reference.container.as_deref())?;
        let from = json!({ "secretKeyRef": { "name": reference.secret, "key": reference.key } });
        // Lists are merged by name; what the variable was before has to go.
        let variable = json!({ "name": variable, "value": null, "valueFrom": from });
        containers.entry(container).or_default().push(variable);
    }
    if !containers.is_empty() {
        let containers: Vec<Value> =
            containers.into_iter().map(|(name, env)| json!({ "name": name, "env": env })).collect();
        template["spec"] = json!({ "containers": containers });
    }
    Ok(json!({ "spec": { "template": template } }))
}

/// The containers of the template.
fn containers(object: &DynamicObject) -> impl Iterator<Item = &Value> {
    let spec = &object.data["spec"];
    let template =
        if spec["jobTemplate"].is_null() { &spec["template"] } else { &spec["jobTemplate"]["spec"]["template"] };
    template["spec"]["containers"].as_array().into_iter().flatten()
}

/// The name of a container: the one asked for, or the only one.
fn container(object: &DynamicObject, asked: Option<&str>) -> Result<String, Failure> {
    let names: Vec<&str> = containers(object).filter_map(|container| container["name"].as_str()).collect();
    match (asked, names.as_slice()) {
        (Some(asked), names) if names.contains(&asked) => Ok(asked.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (Some(asked), _) => Err(Failure::not_done(format!("there is no container {asked}"))),
        (None, _) => Err(Failure::not_done("there are several containers").hint("name one: `container`")),
    }
}

/// What in the template keeps it from loading a new value, in words.
pub(super) fn obstacles(object: &DynamicObject, table: &Table) -> Vec<String> {
    let references = table.set_env.values();
    let mut obstacles: Vec<String> = references
        .filter_map(|reference| container(object, reference.container.as_deref()).err())
        .map(|failure| failure.what)
        .collect();
    for variable in table.env.values().filter(|variable| !table.set_env.contains_key(*variable)) {
        let env = containers(object).flat_map(|container| container["env"].as_array().into_iter().flatten());
        if env.filter(|each| each["name"] == **variable).any(|each| each["value"].is_string()) {
            obstacles
                .push(format!("the value of {variable} stands in the template: let `set_env` make it a reference"));
        }
    }
    obstacles
}

/// Keys of a ConfigMap and what is written there; `None` takes one away. Of the kind "merge". The values are copied
/// nowhere before they are sent.
pub(super) struct Written<'a>(BTreeMap<&'a str, Option<Secret>>);

impl<'a> Written<'a> {
    pub(super) fn of<const N: usize>(keys: [(&'a String, Option<Secret>); N]) -> Self {
        Self(keys.into_iter().map(|(key, value)| (key.as_str(), value)).collect())
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data: BTreeMap<&str, Option<&str>> =
            self.0.iter().map(|(key, value)| (*key, value.as_ref().map(Secret::expose))).collect();
        BTreeMap::from([("data", data)]).serialize(serializer)
    }
}

impl fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
