//! What the containers of workloads load.

use keytrail_rules::model::{CopyKind, GapReason, Key, Place, Use, UseKind};

use super::{Manifest, Object};
use crate::yaml::Node;

/// What a workload refers to: how it is used, and the kind of the object in paths.
type Source = (UseKind, &'static str);
const SECRET: Source = (UseKind::Secret, "secret");
const CONFIG_MAP: Source = (UseKind::Variable, "configmap");

impl Manifest<'_> {
    pub(super) fn read_workload(&mut self, object: &Object<'_>) {
        let path: &[&str] = match object.kind {
            "Pod" => &["spec"],
            "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
            _ => &["spec", "template", "spec"],
        };
        // A patch may have no pod template.
        let pod = path.iter().try_fold(object.node, |node, key| self.yaml.mapping(node, key));
        let Some(pod) = pod else { return };
        for list in ["initContainers", "containers"] {
            for container in self.yaml.items(pod, list) {
                for entry in self.yaml.items(container, "env") {
                    self.read_env(object, entry);
                }
                for entry in self.yaml.items(container, "envFrom") {
                    self.read_whole(object, entry, "secretRef", "name", SECRET);
                    self.read_whole(object, entry, "configMapRef", "name", CONFIG_MAP);
                }
            }
        }
        for volume in self.yaml.items(pod, "volumes") {
            self.read_whole(object, volume, "secret", "secretName", SECRET);
            if let Some(projected) = self.yaml.mapping(volume, "projected") {
                for source in self.yaml.items(projected, "sources") {
                    self.read_whole(object, source, "secret", "name", SECRET);
                }
            }
        }
    }

    /// Reads an entry of `env`.
    fn read_env(&mut self, object: &Object<'_>, entry: &Node) {
        let Some(variable) = self.yaml.name(entry, "name") else { return };
        let (key, line) = (Key::new(variable), entry.get("name").unwrap_or(entry).line);
        if let Some(from) = self.yaml.mapping(entry, "valueFrom") {
            let (reference, (kind, path)) = match (from.get("secretKeyRef"), from.get("configMapKeyRef")) {
                (Some(_), _) => ("secretKeyRef", SECRET),
                (None, Some(_)) => ("configMapKeyRef", CONFIG_MAP),
                // The cluster fills these in.
                (None, None) if from.get("fieldRef").or_else(|| from.get("resourceFieldRef")).is_some() => return,
                (None, None) => {
                    let message = "`valueFrom` names no secret, config map or field";
                    self.yaml.add_gap(from.line, GapReason::Unsupported, message, None);
                    return;
                }
            };
            let Some(reference) = self.yaml.mapping(from, reference) else { return };
            let (Some(name), Some(data_key)) = (self.yaml.name(reference, "name"), self.yaml.name(reference, "key"))
            else {
                return;
            };
            self.add_use(object, key, line, kind, object.place(path, name, data_key));
            return;
        }
        if entry.get("valueFrom").is_some() {
            return;
        }
        let text = match entry.get("value") {
            Some(value) => self.yaml.scalar(value, "`value`"),
            None => Some(""),
        };
        let Some(text) = text else { return };
        let place = object.place(&object.kind.to_lowercase(), object.name, variable);
        let value = self.observe(text);
        self.add_copy(object, place.clone(), CopyKind::WorkloadEnv, line, value);
        self.add_use(object, key, line, UseKind::Variable, place);
    }

    /// Reads a reference to a whole object, which may be missing.
    fn read_whole(&mut self, object: &Object<'_>, parent: &Node, field: &str, named: &str, source: Source) {
        let Some(reference) = self.yaml.mapping(parent, field) else { return };
        let Some(name) = self.yaml.name(reference, named) else { return };
        let line = reference.get(named).unwrap_or(reference).line;
        let (kind, path) = source;
        let from = Place::of_path("kubernetes", &object.path_of(path, name));
        self.add_use(object, Key::new(name), line, kind, from);
    }

    fn add_use(&mut self, object: &Object<'_>, key: Key, line: u32, kind: UseKind, from: Place) {
        let consumer = format!("kubernetes:{}", object.path_of(&object.kind.to_lowercase(), object.name));
        let (environment, location) = (object.environment.clone(), self.yaml.at(line));
        self.facts.uses.push(Use { key, consumer, from: Some(from), environment, location, kind });
    }
}
