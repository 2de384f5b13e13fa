//! GitHub workflows (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax>): the secrets
//! and variables that their expressions read, with the environments of the jobs, and the literals of their `env`.

mod expression;

use std::collections::BTreeMap;

use keytrail_rules::model::{CopyKind, Environment, Facts, GapReason, Key, Place, SecretCopy, Use, UseKind};
use keytrail_rules::value::{Reveals, Value};

use super::FileKind;
use crate::source::{Reader, SourceFile};
use crate::yaml::{Kind, MAX_NAME_BYTES, Node, Style, YamlFile};
use expression::{Context, read_condition, read_text};

/// GitHub workflows.
pub static KIND: FileKind = FileKind {
    name: "github-workflow",
    config_key: "workflows",
    patterns: &[".github/workflows/*.y*ml", "**/.github/workflows/*.y*ml"],
    claims,
    read,
};

/// GitHub allows a thousand secrets for an organisation.
const MAX_NAMES: usize = 10_000;

fn claims(file: &SourceFile) -> bool {
    file.lines().any(|(_, line)| line.starts_with("jobs:"))
}

fn read(file: &SourceFile, reader: &Reader<'_>) -> Facts {
    let (yaml, documents) = YamlFile::open(file);
    let mut workflow = Workflow { file, reader, yaml, names: BTreeMap::new(), literals: Facts::default() };
    for document in &documents {
        workflow.read_document(document);
    }
    let mut facts = workflow.literals;
    for (name, line) in workflow.names {
        let Name { context, environment, name } = name;
        let (copy_kind, use_kind) = match context {
            Context::Secrets => (CopyKind::GithubSecret, UseKind::Secret),
            Context::Vars => (CopyKind::GithubVariable, UseKind::Variable),
        };
        let path = environment.map_or("actions".to_owned(), |environment| format!("environment/{environment}"));
        let environment = environment.map(Environment::new);
        let place = Place::new("github", &path, &name);
        let location = workflow.yaml.at(line);
        facts.uses.push(Use {
            key: Key::new(&name),
            consumer: format!("github:{}", file.path()),
            from: Some(place.clone()),
            environment: environment.clone().or_else(|| reader.environment(file)),
            location: location.clone(),
            kind: use_kind,
        });
        let mut copy = SecretCopy::new(place, copy_kind, Some(location), Value::unread());
        copy.environment = environment;
        copy.generated = reader.generated;
        facts.copies.push(copy);
    }
    facts.gaps = workflow.yaml.into_gaps();
    facts
}

/// A secret or variable, as one job reads it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name<'n> {
    context: Context,
    environment: Option<&'n str>,
    name: String,
}

/// A file under reading.
struct Workflow<'a, 'n> {
    file: &'a SourceFile,
    reader: &'a Reader<'a>,
    yaml: YamlFile<'a>,
    /// With the first line of each.
    names: BTreeMap<Name<'n>, u32>,
    /// What `env` sets in the workflow itself.
    literals: Facts,
}

impl<'n> Workflow<'_, 'n> {
    fn read_document(&mut self, document: &'n Node) {
        let Some(pairs) = document.pairs() else {
            if !document.is_null() {
                self.yaml.add_malformed(document, "this document is no workflow");
            }
            return;
        };
        for (key, value) in pairs {
            if key.str() == Some("jobs") {
                for (name, job) in self.yaml.pairs(document, "jobs") {
                    let environment = self.environment_of(job);
                    self.read_job_env(name, job, environment);
                    self.read_node(job, environment, false);
                }
            } else {
                self.read_node(value, None, false);
            }
        }
        self.read_env(document, self.file.path(), None);
    }

    /// Reads the `env` of a job, of its containers and of its steps. A variable may have another value in each of them,
    /// so each is a path of its own; a step without an `id` goes by its number.
    fn read_job_env(&mut self, name: &'n Node, job: &'n Node, environment: Option<&'n str>) {
        let Some(name) = name.str().filter(|text| self.yaml.check_name(name, text)) else { return };
        let path = format!("{}/{name}", self.file.path());
        self.read_env(job, &path, environment);
        if let Some(container) = job.get("container") {
            self.read_env(container, &format!("{path}/container"), environment);
        }
        for (name, service) in job.get("services").and_then(Node::pairs).unwrap_or_default() {
            if let Some(name) = name.str().filter(|text| self.yaml.check_name(name, text)) {
                self.read_env(service, &format!("{path}/services/{name}"), environment);
            }
        }
        for (at, step) in job.get("steps").and_then(Node::items).unwrap_or_default().iter().enumerate() {
            let id = step.get("id").and_then(Node::str).filter(|id| id.len() <= MAX_NAME_BYTES);
            let step_path = id.map_or_else(|| format!("{path}/{}", at + 1), |id| format!("{path}/{id}"));
            self.read_env(step, &step_path, environment);
        }
    }

    /// Reads the literals of the `env` of a node, which may be an expression as a whole.
    fn read_env(&mut self, node: &'n Node, path: &str, environment: Option<&'n str>) {
        let is_expression = |env: &Node| env.str().is_some_and(|text| text.contains("${{"));
        if node.get("env").is_some_and(is_expression) {
            return;
        }
        for (key, value) in self.yaml.pairs(node, "env") {
            let Some(name) = self.yaml.scalar(key, "the name of a variable") else { continue };
            let Some(text) = self.yaml.scalar(value, "the value of this variable") else { continue };
            let value = self.reader.observe(text);
            // Of a value that has expressions in it, only the password of a URL between them is a literal.
            if text.contains("${{") && value.reveals != Some(Reveals::UrlPassword) {
                continue;
            }
            let environment = environment.map(Environment::new).or_else(|| self.reader.environment(self.file));
            let (place, location) = (Place::new("github", path, name), self.yaml.at(key.line));
            self.literals.uses.push(Use {
                key: Key::new(name),
                consumer: format!("github:{}", self.file.path()),
                from: Some(place.clone()),
                environment: environment.clone(),
                location: location.clone(),
                kind: UseKind::Variable,
            });
            let mut copy = SecretCopy::new(place, CopyKind::WorkloadEnv, Some(location), value);
            copy.environment = environment;
            copy.generated = self.reader.generated;
            self.literals.copies.push(copy);
        }
    }

    /// The environment that a job runs in; `None` as well where it is known only at run time.
    fn environment_of(&mut self, job: &'n Node) -> Option<&'n str> {
        let environment = job.get("environment")?;
        let name = match environment.kind {
            Kind::Mapping(_) => self.yaml.name(environment, "name")?,
            _ => self.yaml.scalar(environment, "`environment`")?,
        };
        let is_known = !name.is_empty() && !name.contains("${{");
        (is_known && self.yaml.check_name(environment, name)).then_some(name)
    }

    /// Reads the expressions below a node. An `if` is one, with or without `${{ }}`.
    fn read_node(&mut self, node: &'n Node, environment: Option<&'n str>, is_condition: bool) {
        match &node.kind {
            Kind::Scalar(text, style) => self.read_scalar(node, text, *style, environment, is_condition),
            Kind::Sequence(items) => items.iter().for_each(|item| self.read_node(item, environment, false)),
            Kind::Mapping(pairs) => {
                for (key, value) in pairs {
                    self.read_node(value, environment, key.str() == Some("if"));
                }
            }
        }
    }

    fn read_scalar(&mut self, node: &Node, text: &str, style: Style, environment: Option<&'n str>, is_condition: bool) {
        let mut found = Vec::new();
        let closed = if is_condition && !text.contains("${{") {
            read_condition(text, &mut found);
            true
        } else {
            read_text(text, &mut found)
        };
        // A literal block starts at its first line that is not empty.
        let (mut line, mut counted) = (node.line, text.len() - text.trim_start_matches('\n').len());
        for reference in found {
            if style == Style::Literal && reference.offset > counted {
                let breaks = text[counted..reference.offset].matches('\n').count();
                line = line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
                counted = reference.offset;
            }
            match reference.name {
                Some(name) => self.add_name(reference.context, environment, name, line),
                None => {
                    let message = format!(
                        "the names that are read from `{}` here are made at run time",
                        reference.context.as_str()
                    );
                    let hint = Some("name each one as it is");
                    self.yaml.add_gap(line, GapReason::Unsupported, message, hint);
                }
            }
        }
        if !closed {
            self.yaml.add_malformed(node, "a `${{` is not closed");
        }
    }

    fn add_name(&mut self, context: Context, environment: Option<&'n str>, name: &str, line: u32) {
        // Names are case-insensitive, and GitHub shows them in upper case.
        let name = name.to_ascii_uppercase();
        // Minted for each run.
        if context == Context::Secrets && name == "GITHUB_TOKEN" {
            return;
        }
        if self.names.len() >= MAX_NAMES {
            let message = format!("the workflow reads more than {MAX_NAMES} names; this one was passed over");
            self.yaml.add_gap(line, GapReason::TooLarge, message, None);
            return;
        }
        self.names.entry(Name { context, environment, name }).or_insert(line);
    }
}

#[cfg(test)]
mod tests;
