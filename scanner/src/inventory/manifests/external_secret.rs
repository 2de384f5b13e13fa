//! ExternalSecrets of the External Secrets Operator (<https://external-secrets.io/latest/api/externalsecret/>):
//! which key of a Secret is filled from which place of a store.

use std::collections::BTreeMap;

use keytrail_rules::model::{CopyKind, Link, Place};
use keytrail_rules::value::{Shape, Value};

use super::{Manifest, Object};
use crate::yaml::Node;

/// The stores that a file defines, by kind and name.
pub(super) struct Stores<'n> {
    known: BTreeMap<(&'n str, &'n str), Provider<'n>>,
}

/// Where a store keeps its values.
#[derive(Clone, Copy)]
struct Provider<'n> {
    /// `vault`, `aws`, `gcpsm`, …
    name: &'n str,
    /// The mount of a Vault store; where it is missing, keys start with it.
    mount: Option<&'n str>,
    /// Whether a Vault store is KV version 1, whose paths have no `data/`.
    is_kv1: bool,
}

impl<'n> Stores<'n> {
    pub(super) fn of(objects: &[&'n Node]) -> Self {
        let known = objects.iter().filter_map(|object| {
            let kind =
                object.get("kind")?.str().filter(|kind| matches!(*kind, "SecretStore" | "ClusterSecretStore"))?;
            let name = object.get("metadata")?.get("name")?.str()?;
            let (provider, settings) = object.get("spec")?.get("provider")?.pairs()?.first()?;
            let setting = |key: &str| settings.get(key).and_then(Node::str);
            let provider = Provider {
                name: provider.str()?,
                mount: setting("path").map(|path| path.trim_matches('/')),
                is_kv1: setting("version") == Some("v1"),
            };
            Some(((kind, name), provider))
        });
        Self { known: known.collect() }
    }

    /// The provider of the store that a `secretStoreRef` names; Vault, where the file does not define it.
    fn provider(&self, reference: Option<&Node>) -> Provider<'n> {
        let text = |key: &str| reference.and_then(|node| node.get(key)).and_then(Node::str);
        let kind = text("kind").unwrap_or("SecretStore");
        let known = text("name").and_then(|name| self.known.get(&(kind, name)));
        known.copied().unwrap_or(Provider { name: "vault", mount: None, is_kv1: false })
    }
}

impl Provider<'_> {
    /// The place that a `remoteRef` names.
    fn place(&self, key: &str, property: Option<&str>) -> Place {
        let path = if self.name == "vault" { self.vault_path(key) } else { key.to_owned() };
        match property {
            Some(property) => Place::new(self.name, &path, property),
            None => Place::of_path(self.name, &path),
        }
    }

    /// Mount and path without the `data/` between them that the KV v2 API has, as the operator's own `buildPath`.
    fn vault_path(&self, key: &str) -> String {
        let key = key.trim_matches('/');
        let (mount, path) = match self.mount {
            Some(mount) => (mount, key.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/')).ok_or(key)),
            None => match key.split_once('/') {
                Some((mount, path)) => (mount, Ok(path)),
                None => return key.to_owned(),
            },
        };
        let path = match path {
            Ok(path) if !self.is_kv1 => path.strip_prefix("data/").unwrap_or(path),
            Ok(path) | Err(path) => path,
        };
        format!("{mount}/{path}")
    }
}

impl Manifest<'_> {
    pub(super) fn read_external_secret(&mut self, object: &Object<'_>, stores: &Stores<'_>) {
        let Some(spec) = self.yaml.mapping(object.node, "spec") else { return };
        let target = self.yaml.mapping(spec, "target");
        let name = match target.filter(|target| target.get("name").is_some()) {
            Some(target) => self.yaml.name(target, "name"),
            None => Some(object.name),
        };
        let Some(name) = name else { return };
        for entry in self.yaml.items(spec, "data") {
            let Some(key) = self.yaml.text(entry, "secretKey") else { continue };
            let place = object.place("secret", name, key);
            let line = entry.get("secretKey").unwrap_or(entry).line;
            self.add_reference(object, place.clone(), line);
            let provider = stores.provider(store_reference(spec, entry));
            if let Some(remote) = self.yaml.mapping(entry, "remoteRef") {
                self.add_link(&place, provider, remote);
            }
        }
        for entry in self.yaml.items(spec, "dataFrom") {
            let place = Place::of_path("kubernetes", &object.path_of("secret", name));
            self.add_reference(object, place.clone(), entry.line);
            let provider = stores.provider(store_reference(spec, entry));
            // Version v1alpha1 had the fields of `extract` in the entry itself.
            let remote = self.yaml.mapping(entry, "extract").or_else(|| entry.get("key").map(|_| entry));
            if let Some(remote) = remote {
                self.add_link(&place, provider, remote);
            }
        }
        // The keys of a template take the place of those under `data`, and are made from them.
        if let Some(template) = target.and_then(|target| self.yaml.mapping(target, "template")) {
            for (key, _) in self.yaml.pairs(template, "data") {
                if let Some(text) = self.yaml.scalar(key, "the key") {
                    self.add_reference(object, object.place("secret", name, text), key.line);
                }
            }
        }
    }

    fn add_reference(&mut self, object: &Object<'_>, place: Place, line: u32) {
        self.add_copy(object, place, CopyKind::ExternalSecret, line, Value::of_shape(Shape::Reference));
    }

    fn add_link(&mut self, place: &Place, provider: Provider<'_>, remote: &Node) {
        let Some(key) = self.yaml.name(remote, "key") else { return };
        let property = match remote.get("property") {
            Some(_) => match self.yaml.text(remote, "property") {
                Some(property) => Some(property),
                None => return,
            },
            None => None,
        };
        let line = remote.get("key").unwrap_or(remote).line;
        self.facts.links.push(Link {
            a: place.clone(),
            b: provider.place(key, property),
            location: self.yaml.at(line),
        });
    }
}

/// The store of an entry: its own, else that of the whole object.
fn store_reference<'n>(spec: &'n Node, entry: &'n Node) -> Option<&'n Node> {
    let own = entry.get("sourceRef").and_then(|source| source.get("storeRef"));
    own.or_else(|| spec.get("secretStoreRef"))
}
