//! Generators of kustomizations (<https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>): Secrets and
//! ConfigMaps that are made from literals, env files and other files.

use keytrail_rules::model::{CopyKind, GapReason, Key, Place, Use, UseKind};
use keytrail_rules::value::{Shape, Value};

use super::{Manifest, Object};
use crate::source::SourceFile;
use crate::yaml::Node;

/// The names that kustomize looks for. In such a file `apiVersion` and `kind` may be missing.
const NAMES: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What a generator makes: its field, how its values are kept, and the kind of the object in paths.
type Generator = (&'static str, CopyKind, &'static str);
const GENERATORS: &[Generator] = &[
    ("secretGenerator", CopyKind::KubernetesSecret, "secret"),
    ("configMapGenerator", CopyKind::ConfigMap, "configmap"),
];

/// Whether a file is a kustomization by its name, and generates something.
pub(super) fn claims(file: &SourceFile) -> bool {
    let generates = |line: &str| GENERATORS.iter().any(|(field, ..)| line.starts_with(field));
    NAMES.contains(&file.name()) && file.lines().any(|(_, line)| generates(line))
}

/// Whether an object is a kustomization, or a component of one.
pub(super) fn is_kustomization(node: &Node, file: &SourceFile) -> bool {
    match node.get("apiVersion") {
        Some(version) => version.str().is_some_and(|version| version.starts_with("kustomize.config.k8s.io/")),
        None => NAMES.contains(&file.name()),
    }
}

impl Manifest<'_> {
    pub(super) fn read_kustomization(&mut self, node: &Node) {
        for generator in GENERATORS {
            for entry in self.yaml.items(node, generator.0) {
                let Some(name) = self.yaml.name(entry, "name") else { continue };
                // The namespace of the kustomization is set on everything that it makes.
                let own = [node, entry].into_iter().find(|parent| parent.get("namespace").is_some());
                let namespace = match own {
                    Some(parent) => self.yaml.name(parent, "namespace"),
                    None => Some("default"),
                };
                let Some(namespace) = namespace else { continue };
                let object = Object {
                    node: entry,
                    kind: generator.2,
                    namespace,
                    name,
                    environment: self.environment_in(namespace),
                };
                self.read_generator(&object, generator);
            }
        }
    }

    fn read_generator(&mut self, object: &Object<'_>, (_, copy_kind, path): &Generator) {
        for literal in self.yaml.items(object.node, "literals") {
            let Some(text) = self.yaml.scalar(literal, "an entry of `literals`") else { continue };
            let Some((key, value)) = text.split_once('=') else {
                self.yaml.add_malformed(literal, "an entry of `literals` has no `=`");
                continue;
            };
            let value = self.observe(unquoted(value));
            self.add_copy(object, object.place(path, object.name, key), *copy_kind, literal.line, value);
        }
        let envs = self.yaml.items(object.node, "envs").iter().chain(object.node.get("env"));
        for entry in envs {
            let Some(file) = self.yaml.scalar(entry, "an entry of `envs`") else { continue };
            if let Some(in_tree) = self.in_tree(entry, file) {
                self.facts.uses.push(Use {
                    key: Key::new(&in_tree),
                    consumer: format!("kubernetes:{}", object.path_of(path, object.name)),
                    from: Some(Place::of_path("env-file", &in_tree)),
                    environment: object.environment.clone(),
                    location: self.yaml.at(entry.line),
                    kind: UseKind::Variable,
                });
            }
        }
        for entry in self.yaml.items(object.node, "files") {
            let Some(text) = self.yaml.scalar(entry, "an entry of `files`") else { continue };
            let (key, file) = text.split_once('=').unwrap_or_else(|| (text.rsplit('/').next().unwrap_or(text), text));
            if self.in_tree(entry, file).is_some() {
                let value = Value::of_shape(Shape::Reference);
                self.add_copy(object, object.place(path, object.name, key), *copy_kind, entry.line, value);
            }
        }
    }

    /// The path of a file that a generator names, from the scanned folder; a gap for one outside of it.
    fn in_tree(&mut self, node: &Node, path: &str) -> Option<String> {
        if !self.yaml.check_name(node, path) {
            return None;
        }
        let in_tree = self.file.path_in_tree(path);
        if in_tree.is_none() {
            let message = format!("the file '{path}' of a generator is not in the scanned folder");
            self.yaml.add_gap(node.line, GapReason::Unreachable, message, Some("scan the folder that holds it"));
        }
        in_tree
    }
}

/// The value without the quotes around it, as kustomize takes them off.
fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}
