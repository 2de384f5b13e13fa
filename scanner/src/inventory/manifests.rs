//! Kubernetes manifests: the Secrets and ConfigMaps that they hold or generate, and the workloads that load them.
//!
//! Objects of other kinds are passed over. Field names are those of the Kubernetes API reference
//! (<https://kubernetes.io/docs/reference/kubernetes-api/>), of Sealed Secrets and of the External Secrets Operator.

mod external_secret;
mod kustomize;
mod workload;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use keytrail_rules::model::{CopyKind, Environment, Facts, Gap, GapReason, Place, SecretCopy};
use keytrail_rules::value::{Reveals, Shape, Value};
use zeroize::Zeroizing;

use super::FileKind;
use crate::source::{Reader, SourceFile};
use crate::yaml::{Kind, Node, YamlFile};
use external_secret::Stores;

/// Kubernetes manifests.
pub static KIND: FileKind = FileKind {
    name: "kubernetes-manifest",
    config_key: "manifests",
    patterns: &["**/*.yaml", "**/*.yml", "**/Kustomization"],
    claims,
    read,
};

/// As the API server decodes: padded, and lenient about the bits past the end.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// Whether a file is a manifest by its content.
pub(super) fn claims(file: &SourceFile) -> bool {
    let has = |key: &str| {
        file.lines().any(|(_, line)| {
            let quoted = || line.trim_start_matches([' ', '{']).strip_prefix('"')?.strip_prefix(key)?.strip_prefix('"');
            line.strip_prefix(key).or_else(quoted).is_some_and(|rest| rest.starts_with(':'))
        })
    };
    (has("apiVersion") && has("kind")) || kustomize::claims(file)
}

fn read(file: &SourceFile, reader: &Reader<'_>) -> Facts {
    let (mut yaml, documents) = YamlFile::open(file);
    let objects = objects(&mut yaml, &documents);
    let stores = Stores::of(&objects);
    let mut manifest = Manifest { file, yaml, reader, in_path: reader.environment(file), facts: Facts::default() };
    for object in objects {
        manifest.read_object(object, &stores);
    }
    let mut facts = manifest.facts;
    facts.gaps = gaps(file, manifest.yaml.into_gaps());
    facts
}

/// A Helm template is no YAML, or has values in odd places: that is one thing to say, not one for every line.
fn gaps(file: &SourceFile, gaps: Vec<Gap>) -> Vec<Gap> {
    let malformed = |gap: &Gap| gap.reason == GapReason::Malformed;
    let first = gaps.iter().find(|gap| malformed(gap)).and_then(|gap| gap.location.clone());
    match first {
        Some(location) if file.text().contains("{{") => {
            let template =
                Gap::at(location, GapReason::Unsupported, "a Helm template: documents that are no YAML before they are rendered were not read, and of the others only the plain values")
                    .hint("render it with `helm template` and scan the result");
            gaps.into_iter().filter(|gap| !malformed(gap)).chain([template]).collect()
        }
        _ => gaps,
    }
}

/// The objects of a file, those of lists included.
fn objects<'n>(yaml: &mut YamlFile<'_>, documents: &'n [Node]) -> Vec<&'n Node> {
    let mut pending: Vec<&Node> = documents.iter().rev().collect();
    let mut objects = Vec::new();
    while let Some(node) = pending.pop() {
        let is_list = node.get("kind").and_then(Node::str).is_some_and(|kind| kind.ends_with("List"));
        if is_list {
            pending.extend(yaml.items(node, "items").iter().rev());
        } else if matches!(node.kind, Kind::Mapping(_)) {
            objects.push(node);
        } else if !node.is_null() {
            yaml.add_malformed(node, "this document is no Kubernetes object");
        }
    }
    objects
}

/// A file under reading.
struct Manifest<'a> {
    file: &'a SourceFile,
    yaml: YamlFile<'a>,
    reader: &'a Reader<'a>,
    in_path: Option<Environment>,
    facts: Facts,
}

/// One object, with what identifies it.
struct Object<'n> {
    node: &'n Node,
    kind: &'n str,
    namespace: &'n str,
    name: &'n str,
    environment: Option<Environment>,
}

impl Object<'_> {
    /// The path of an object of its namespace: `shop/secret/db`.
    fn path_of(&self, kind: &str, name: &str) -> String {
        format!("{}/{kind}/{name}", self.namespace)
    }

    fn place(&self, kind: &str, name: &str, key: &str) -> Place {
        Place::new("kubernetes", &self.path_of(kind, name), key)
    }
}

/// The kinds that are read, with their API groups; `v1` has none.
const KINDS: &[(&str, &[&str])] = &[
    ("Secret", &[""]),
    ("ConfigMap", &[""]),
    ("SealedSecret", &["bitnami.com"]),
    ("ExternalSecret", &["external-secrets.io"]),
    ("Deployment", &["apps", "extensions"]),
    ("StatefulSet", &["apps"]),
    ("DaemonSet", &["apps", "extensions"]),
    ("ReplicaSet", &["apps", "extensions"]),
    ("Job", &["batch"]),
    ("CronJob", &["batch"]),
    ("Pod", &[""]),
];

/// How the values of a mapping are written.
#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Base64,
    Sealed,
    /// What is not sealed of a SealedSecret: text that may be filled with what is.
    Template,
}

impl Manifest<'_> {
    fn read_object(&mut self, node: &Node, stores: &Stores<'_>) {
        if kustomize::is_kustomization(node, self.file) {
            return self.read_kustomization(node);
        }
        let Some(kind) = node.get("kind") else { return };
        let Some(kind) = self.yaml.scalar(kind, "`kind`") else { return };
        let Some((_, groups)) = KINDS.iter().find(|(known, _)| *known == kind) else { return };
        let Some(version) = self.yaml.text(node, "apiVersion") else { return };
        let group = version.split_once('/').map_or("", |(group, _)| group);
        if !groups.contains(&group) {
            if kind == "ExternalSecret" {
                let message = "an ExternalSecret of another operator than external-secrets.io";
                self.yaml.add_gap(node.line, GapReason::Unsupported, message, None);
            }
            return;
        }
        let Some(object) = self.identify(node, kind) else { return };
        match kind {
            "Secret" => {
                self.read_data(&object, node, "data", Encoding::Base64);
                self.read_data(&object, node, "stringData", Encoding::Plain);
            }
            "ConfigMap" => {
                self.read_data(&object, node, "data", Encoding::Plain);
                self.read_data(&object, node, "binaryData", Encoding::Base64);
            }
            "SealedSecret" => {
                if let Some(spec) = self.yaml.mapping(node, "spec") {
                    self.read_data(&object, spec, "encryptedData", Encoding::Sealed);
                    if let Some(template) = self.yaml.mapping(spec, "template") {
                        self.read_data(&object, template, "data", Encoding::Template);
                    }
                }
            }
            "ExternalSecret" => self.read_external_secret(&object, stores),
            _ => self.read_workload(&object),
        }
    }

    /// Reads namespace and name. An object without a name gives a gap, since none of its values would have a place.
    fn identify<'n>(&mut self, node: &'n Node, kind: &'n str) -> Option<Object<'n>> {
        if node.get("metadata").is_none() {
            self.yaml.add_malformed(node, "`metadata` is missing");
        }
        let metadata = self.yaml.mapping(node, "metadata")?;
        let is_generated = metadata.get("name").is_none() && metadata.get("generateName").is_some();
        let name = self.yaml.name(metadata, if is_generated { "generateName" } else { "name" })?;
        let namespace = match metadata.get("namespace") {
            Some(_) => self.yaml.name(metadata, "namespace")?,
            None => "default",
        };
        Some(Object { node, kind, namespace, name, environment: self.environment_in(namespace) })
    }

    fn environment_in(&self, namespace: &str) -> Option<Environment> {
        Environment::in_path(namespace).or_else(|| self.in_path.clone())
    }

    /// Reads the values of a Secret, a ConfigMap or a SealedSecret, each a copy at the line of its key.
    fn read_data(&mut self, object: &Object<'_>, parent: &Node, field: &str, encoding: Encoding) {
        let (kind, path) = match (object.kind, encoding) {
            ("ConfigMap", _) => (CopyKind::ConfigMap, "configmap"),
            (_, Encoding::Sealed) => (CopyKind::SealedSecret, "secret"),
            _ => (CopyKind::KubernetesSecret, "secret"),
        };
        for (key, value) in self.yaml.pairs(parent, field) {
            let Some(name) = self.yaml.scalar(key, "the key") else { continue };
            let Some(text) = self.yaml.scalar(value, "the value of this key") else { continue };
            let value = match encoding {
                Encoding::Plain => self.observe(text),
                Encoding::Template => self.observe_template(text),
                Encoding::Sealed if text.trim().is_empty() => Value::of_shape(Shape::Empty),
                Encoding::Sealed => Value::of_shape(Shape::Encrypted),
                Encoding::Base64 => match self.observe_base64(text) {
                    Some(value) => value,
                    None => {
                        let message = "the value of this key is not base64";
                        let hint = Some("write plain text under `stringData`");
                        self.yaml.add_gap(key.line, GapReason::Malformed, message, hint);
                        continue;
                    }
                },
            };
            self.add_copy(object, object.place(path, object.name, name), kind, key.line, value);
        }
    }

    /// Observes a value, which SOPS may have encrypted.
    fn observe(&self, text: &str) -> Value {
        if text.starts_with("ENC[") && text.ends_with(']') {
            Value::of_shape(Shape::Encrypted)
        } else {
            self.reader.observe(text)
        }
    }

    /// Observes a template. With actions in it, only the password of a URL between them is a literal.
    fn observe_template(&self, text: &str) -> Value {
        let value = self.observe(text);
        let is_filled = text.contains("{{") && value.reveals != Some(Reveals::UrlPassword);
        if is_filled { Value::of_shape(Shape::Reference) } else { value }
    }

    /// Observes what a text in base64 stands for; `None` if it is no such text.
    fn observe_base64(&self, text: &str) -> Option<Value> {
        // A stand-in may be base64 by chance: CHANGEME is. And nothing that is encrypted by SOPS is.
        let written = self.observe(text);
        if matches!(written.shape, Shape::Placeholder | Shape::Reference | Shape::Encrypted) {
            return Some(written);
        }
        let text: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
        // What is no text is kept as base64 in other places, too.
        Some(self.reader.observe(std::str::from_utf8(&bytes).unwrap_or(&text)))
    }

    fn add_copy(&mut self, object: &Object<'_>, place: Place, kind: CopyKind, line: u32, value: Value) {
        let mut copy = SecretCopy::new(place, kind, Some(self.yaml.at(line)), value);
        copy.environment.clone_from(&object.environment);
        copy.generated = self.reader.generated;
        self.facts.copies.push(copy);
    }
}

#[cfg(test)]
mod tests;
