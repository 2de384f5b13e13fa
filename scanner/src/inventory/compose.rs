//! Compose files (<https://github.com/compose-spec/compose-spec/blob/main/spec.md>): the values that they give to
//! services, the env files and secrets that services load, and the variables that are filled in (`${X}`).

mod interpolation;

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::model::{CopyKind, Environment, Facts, GapReason, Key, Place, SecretCopy, Use, UseKind};
use keytrail_rules::value::{Shape, Value};

use super::{FileKind, manifests};
use crate::source::{Reader, SourceFile};
use crate::yaml::{Kind, Node, YamlFile};
use interpolation::interpolate;

/// Compose files.
pub static KIND: FileKind = FileKind {
    name: "compose",
    config_key: "compose",
    patterns: &["**/compose*.y*ml", "**/docker-compose*.y*ml"],
    claims,
    read,
};

/// A file that uses more variables than this is none that a person wrote.
const MAX_USES: usize = 20_000;

fn claims(file: &SourceFile) -> bool {
    let has_section =
        |line: &str| ["services:", "secrets:", "include:"].iter().any(|section| line.starts_with(section));
    file.lines().any(|(_, line)| has_section(line)) && !manifests::claims(file)
}

fn read(file: &SourceFile, reader: &Reader<'_>) -> Facts {
    let (yaml, documents) = YamlFile::open(file);
    let mut compose = Compose {
        file,
        yaml,
        reader,
        environment: reader.environment(file),
        facts: Facts::default(),
        uses: BTreeMap::new(),
    };
    for document in &documents {
        compose.read_document(document);
    }
    compose.into_facts()
}

/// What is used: by whom, what, how, and from where.
type UseId = (String, Key, UseKind, Option<Place>);

/// A file under reading.
struct Compose<'a> {
    file: &'a SourceFile,
    yaml: YamlFile<'a>,
    reader: &'a Reader<'a>,
    environment: Option<Environment>,
    facts: Facts,
    /// The line of each use, the first where there are several.
    uses: BTreeMap<UseId, u32>,
}

/// A service, with its path in places and its name as a consumer.
struct Service {
    path: String,
    consumer: String,
}

impl Compose<'_> {
    fn into_facts(mut self) -> Facts {
        // `X: ${X:-default}` both is a copy and reads a variable of that name: one use, from the copy.
        let copied: BTreeSet<(String, Key, UseKind)> = self
            .uses
            .keys()
            .filter(|(.., from)| from.is_some())
            .map(|(consumer, key, kind, _)| (consumer.clone(), key.clone(), *kind))
            .collect();
        for ((consumer, key, kind, from), line) in self.uses {
            if from.is_none() && copied.contains(&(consumer.clone(), key.clone(), kind)) {
                continue;
            }
            let (environment, location) = (self.environment.clone(), self.yaml.at(line));
            self.facts.uses.push(Use { key, consumer, from, environment, location, kind });
        }
        self.facts.gaps = self.yaml.into_gaps();
        self.facts
    }

    fn read_document(&mut self, document: &Node) {
        let Some(sections) = document.pairs() else {
            if !document.is_null() {
                self.yaml.add_malformed(document, "this document is no compose file");
            }
            return;
        };
        self.read_services(document);
        self.read_secrets(document);
        self.read_include(document);
        let consumer = format!("compose:{}", self.file.path());
        for (name, section) in sections {
            // Extensions are there to be merged into services, where they are read.
            let read_elsewhere = name.str().is_some_and(|name| name == "services" || name.starts_with("x-"));
            if !read_elsewhere {
                self.read_variables(&consumer, section);
            }
        }
    }

    fn read_services(&mut self, document: &Node) {
        for (name, node) in self.yaml.pairs(document, "services") {
            let Some(name) = name.str().filter(|text| self.yaml.check_name(name, text)) else { continue };
            if !matches!(node.kind, Kind::Mapping(_)) {
                if !node.is_null() {
                    self.yaml.add_malformed(node, "this service is no mapping");
                }
                continue;
            }
            let path = format!("{}/{name}", self.file.path());
            let service = Service { consumer: format!("compose:{path}"), path };
            self.read_environment(&service, node, "environment");
            self.read_build_args(&service, node);
            self.read_extends(node);
            self.read_env_files(&service, node);
            self.read_service_secrets(&service, node);
            self.read_variables(&service.consumer, node);
        }
    }

    /// Reads `args` of `build`, which are part of the image's history. They are no variables of the running service.
    fn read_build_args(&mut self, service: &Service, node: &Node) {
        let Some(build) = node.get("build").filter(|build| build.pairs().is_some()) else { return };
        let service = Service { path: format!("{}/build", service.path), consumer: service.consumer.clone() };
        self.read_environment(&service, build, "args");
    }

    /// Tells of a service of another file that this one is made from.
    fn read_extends(&mut self, node: &Node) {
        if let Some(file) = node.get("extends").and_then(|extends| extends.get("file")) {
            self.add_elsewhere("extends", file);
        }
    }

    /// Tells of the other files that `include` merges in.
    fn read_include(&mut self, document: &Node) {
        for entry in self.yaml.items(document, "include") {
            let path = entry.get("path").unwrap_or(entry);
            path.items()
                .unwrap_or(std::slice::from_ref(path))
                .iter()
                .for_each(|path| self.add_elsewhere("include", path));
        }
    }

    /// Other files are read by themselves, if their names are those of compose files, and never as part of this one.
    fn add_elsewhere(&mut self, field: &str, path: &Node) {
        let Some(name) = self.yaml.scalar(path, &format!("the path of `{field}`")) else { return };
        if self.yaml.check_name(path, name) {
            let message = format!("`{field}` takes settings from '{name}', which are not read as part of this file");
            let hint = Some("scan the output of `docker compose config`");
            self.yaml.add_gap(path.line, GapReason::Unsupported, message, hint);
        }
    }

    /// Reads variables under a field: a mapping, or a list of `KEY=value`.
    fn read_environment(&mut self, service: &Service, node: &Node, field: &str) {
        let Some(environment) = node.get(field) else { return };
        if environment.items().is_none() {
            for (key, value) in self.yaml.pairs(node, field) {
                let Some(name) = self.yaml.scalar(key, "the name of a variable") else { continue };
                let Some(text) = self.yaml.scalar(value, "the value of this variable") else { continue };
                let value = (!value.is_null()).then_some(text);
                self.read_variable(service, name, value, key.line);
            }
            return;
        }
        for entry in environment.items().unwrap_or_default() {
            let Some(text) = self.yaml.scalar(entry, &format!("an entry of `{field}`")) else { continue };
            match text.split_once('=') {
                Some((name, value)) => self.read_variable(service, name, Some(value), entry.line),
                None => self.read_variable(service, text, None, entry.line),
            }
        }
    }

    /// Reads a variable of a service: with no value, or with a reference alone, it comes from outside.
    fn read_variable(&mut self, service: &Service, name: &str, text: Option<&str>, line: u32) {
        let value = text.and_then(|text| self.observe(text));
        let place = Place::new("compose", &service.path, name);
        let from = value.is_some().then(|| place.clone());
        if let Some(value) = value {
            self.add_copy(place, CopyKind::ComposeEnv, line, value);
        }
        self.add_use(service.consumer.clone(), name, line, UseKind::Variable, from);
    }

    /// What a value is once defaults are filled in; `None` for one that is a reference alone.
    fn observe(&self, text: &str) -> Option<Value> {
        let Ok(filled) = interpolate(text) else {
            return Some(self.reader.observe(text));
        };
        if filled.is_one_reference() {
            return None;
        }
        let value = self.reader.observe(&filled.text);
        // Of a value that has references in it, only a secret that stands between them is a literal.
        let is_literal = !filled.is_open || value.reveals.is_some();
        Some(if is_literal { value } else { Value::of_shape(Shape::Reference) })
    }

    /// Reads `env_file`: a path, or a list of paths and of mappings with `path`.
    fn read_env_files(&mut self, service: &Service, node: &Node) {
        let Some(files) = node.get("env_file") else { return };
        for entry in files.items().unwrap_or(std::slice::from_ref(files)) {
            let path = match entry.kind {
                Kind::Mapping(_) => self.yaml.name(entry, "path"),
                _ => self.yaml.scalar(entry, "an entry of `env_file`"),
            };
            let Some(path) = path.filter(|path| self.yaml.check_name(entry, path)) else { continue };
            let line = entry.get("path").unwrap_or(entry).line;
            let filled = interpolate(path).ok().filter(|filled| !filled.is_open);
            match filled.and_then(|filled| self.file.path_in_tree(&filled.text)) {
                Some(in_tree) => {
                    let from = Some(Place::of_path("env-file", &in_tree));
                    self.add_use(service.consumer.clone(), &in_tree, line, UseKind::Variable, from);
                }
                None => {
                    let message = format!("the env file '{path}' is not in the scanned folder");
                    let hint = Some("scan the folder that holds it");
                    self.yaml.add_gap(line, GapReason::Unreachable, message, hint);
                }
            }
        }
    }

    /// Reads the `secrets` of a service: names, or mappings with `source`.
    fn read_service_secrets(&mut self, service: &Service, node: &Node) {
        for entry in self.yaml.items(node, "secrets") {
            let name = match entry.kind {
                Kind::Mapping(_) => self.yaml.name(entry, "source"),
                _ => self.yaml.scalar(entry, "an entry of `secrets`"),
            };
            let Some(name) = name.filter(|name| self.yaml.check_name(entry, name)) else { continue };
            let from = Some(Place::new("compose", self.file.path(), name));
            self.add_use(service.consumer.clone(), name, entry.line, UseKind::Secret, from);
        }
    }

    /// Reads the top-level `secrets`, whose values are in files, in the environment, or kept by the platform.
    fn read_secrets(&mut self, document: &Node) {
        for (key, secret) in self.yaml.pairs(document, "secrets") {
            let Some(name) = key.str().filter(|name| self.yaml.check_name(key, name)) else { continue };
            if !["file", "environment", "external"].iter().any(|source| secret.get(source).is_some()) {
                self.yaml.add_malformed(key, "this secret has no `file`, `environment` or `external`");
                continue;
            }
            let place = Place::new("compose", self.file.path(), name);
            self.add_copy(place, CopyKind::ComposeSecret, key.line, Value::of_shape(Shape::Reference));
            if let Some(node) = secret.get("environment")
                && let Some(variable) = self.yaml.scalar(node, "`environment`")
            {
                let consumer = format!("compose:{}", self.file.path());
                self.add_use(consumer, variable, node.line, UseKind::Secret, None);
            }
        }
    }

    /// Reads the variables that are filled in anywhere below a node.
    fn read_variables(&mut self, consumer: &str, node: &Node) {
        match &node.kind {
            Kind::Scalar(text, _) if text.contains('$') => match interpolate(text) {
                Ok(filled) => {
                    for name in filled.names {
                        self.add_use(consumer.to_owned(), name, node.line, UseKind::Variable, None);
                    }
                }
                Err(message) => {
                    let hint = Some("write `$$` for a dollar sign");
                    self.yaml.add_gap(node.line, GapReason::Malformed, message, hint);
                }
            },
            Kind::Scalar(..) => {}
            Kind::Sequence(items) => items.iter().for_each(|item| self.read_variables(consumer, item)),
            Kind::Mapping(pairs) => pairs.iter().for_each(|(_, value)| self.read_variables(consumer, value)),
        }
    }

    fn add_copy(&mut self, place: Place, kind: CopyKind, line: u32, value: Value) {
        let mut copy = SecretCopy::new(place, kind, Some(self.yaml.at(line)), value);
        copy.environment.clone_from(&self.environment);
        copy.generated = self.reader.generated;
        self.facts.copies.push(copy);
    }

    fn add_use(&mut self, consumer: String, name: &str, line: u32, kind: UseKind, from: Option<Place>) {
        if self.uses.len() >= MAX_USES {
            let message = format!("the file uses more than {MAX_USES} variables; this one was passed over");
            self.yaml.add_gap(line, GapReason::TooLarge, message, None);
            return;
        }
        let first = self.uses.entry((consumer, Key::new(name), kind, from)).or_insert(line);
        *first = line.min(*first);
    }
}

#[cfg(test)]
mod tests;
