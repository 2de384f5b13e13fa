use std::collections::{BTreeMap, BTreeSet};

use super::{Context, about};
use crate::inventory::Item;
use crate::model::{Class, CopyKind, Declaration, Evidence, Finding, Key, Origin, SecretCopy, Severity, Target};

rule! {
    /// The schema and the rest of the tree disagree on a variable.
    ///
    /// The schema is the one list of what a deployment needs. Drift is: a variable that files set or workloads load and
    /// the schema does not know; one that the schema says twice; one that is required and nowhere set; one that is set
    /// where its `targets` do not reach; and, in the files that `[inventory] generated` names, a variable that is
    /// missing or whose plain default differs. Without a schema nothing drifts. Undeclared *secrets* are found by
    /// `undeclared-secret`.
    ///
    /// # How to fix
    /// Add the variable to the schema or delete it where it is set; generate the files anew.
    "schema-drift", "KT1011", Inventory, Low
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let in_schema = |item: &Item| item.declarations.iter().any(|one| one.origin == Origin::Schema);
    if !cx.inventory.items.values().any(in_schema) {
        return Vec::new();
    }
    let generated = GeneratedFiles::of(cx);
    cx.inventory.items.values().filter_map(|item| judge(cx, item, &generated)).collect()
}

fn judge(cx: &Context<'_>, item: &Item, generated: &GeneratedFiles<'_>) -> Option<Finding> {
    let schema: Vec<&Declaration> = item.declarations.iter().filter(|one| one.origin == Origin::Schema).collect();
    let drift = match schema.first() {
        None => unknown_to_schema(item),
        Some(first) => {
            let mut drift = said_twice(&schema);
            drift.extend(nowhere_set(cx, item, first));
            drift.extend(out_of_target(item, first));
            drift.extend(generated.missing(item, first));
            drift.extend(differs_from_default(item, first));
            drift
        }
    };
    let first = drift.first()?;
    let more = if drift.len() > 1 { format!(" (and {} more)", drift.len() - 1) } else { String::new() };
    let known = !schema.is_empty();
    Some(
        about(&RULE, item, format!("Variable '{}' {}{more}.", item.id, first.note))
            .severity(if known { Severity::Medium } else { Severity::Low })
            .at(first.location.clone().or_else(|| item.location()))
            .evidence(drift)
            .next(if known {
                "generate the files anew, or correct the schema"
            } else {
                "add it to the schema, or delete it"
            }),
    )
}

/// Variables that the system, a shell or a CI runner sets, which no schema lists.
fn is_ambient(key: &Key) -> bool {
    const NAMES: &[&str] = &[
        "PATH",
        "HOME",
        "USER",
        "SHELL",
        "PWD",
        "TZ",
        "LANG",
        "LANGUAGE",
        "TERM",
        "HOSTNAME",
        "CI",
        "TMPDIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "GITHUB_TOKEN",
    ];
    const PREFIXES: &[&str] = &["LC_", "GITHUB_", "RUNNER_", "KUBERNETES_", "COMPOSE_", "DOCKER_", "ACTIONS_"];
    NAMES.contains(&key.as_str()) || PREFIXES.iter().any(|prefix| key.as_str().starts_with(prefix))
}

fn unknown_to_schema(item: &Item) -> Vec<Evidence> {
    if is_ambient(&item.key) || (item.is_secret && !item.is_declared()) {
        return Vec::new();
    }
    let copies = item.copies_in(CopyKind::is_env_named);
    let set = copies.map(|copy| {
        Evidence::new(
            format!("is set in {}, but not in the schema", copy.place),
            copy.location.clone(),
            Some(copy.place.clone()),
        )
    });
    let loaded = item.uses.iter().map(|one| {
        Evidence::new(format!("is loaded by {}, but not in the schema", one.consumer), Some(one.location.clone()), None)
    });
    set.chain(loaded).collect()
}

fn said_twice(schema: &[&Declaration]) -> Vec<Evidence> {
    let mut seen: BTreeMap<(&str, &Key), u32> = BTreeMap::new();
    let mut drift = Vec::new();
    for declaration in schema {
        let Some(location) = &declaration.location else {
            continue;
        };
        match seen.get(&(location.file.as_str(), &declaration.key)) {
            Some(first) => drift.push(Evidence::new(
                format!("is in the schema twice, first on line {first}"),
                Some(location.clone()),
                None,
            )),
            None => {
                seen.insert((&location.file, &declaration.key), location.line);
            }
        }
    }
    drift
}

fn nowhere_set(cx: &Context<'_>, item: &Item, schema: &Declaration) -> Option<Evidence> {
    let has_default = schema.default.as_ref().is_some_and(|default| default.shape != crate::value::Shape::Empty);
    let looked = !cx.snapshot.facts.copies.is_empty();
    let nowhere = item.copies.is_empty() && item.uses.is_empty() && looked;
    (schema.required == Some(true) && !has_default && !item.is_secret && nowhere)
        .then(|| Evidence::new("is required, has no default, and is set nowhere", schema.location.clone(), None))
}

/// The target that a copy of that kind is written for.
fn target_of(kind: CopyKind) -> Option<Target> {
    match kind {
        CopyKind::EnvFile => Some(Target::Local),
        CopyKind::ConfigMap | CopyKind::KubernetesSecret | CopyKind::WorkloadEnv => Some(Target::Kubernetes),
        _ => None,
    }
}

fn out_of_target(item: &Item, schema: &Declaration) -> Vec<Evidence> {
    let reached = |target: Target| {
        schema.targets.is_empty() || schema.targets.contains(&target) || schema.targets.contains(&Target::Cloud)
    };
    let out = item
        .copies
        .iter()
        .filter_map(|copy| target_of(copy.kind).filter(|target| !reached(*target)).map(|target| (copy, target)));
    out.map(|(copy, target)| {
        let note = format!("is set in {}, but its targets do not name {}", copy.place, target.as_str());
        Evidence::new(note, copy.location.clone(), Some(copy.place.clone()))
    })
    .collect()
}

fn differs_from_default(item: &Item, schema: &Declaration) -> Vec<Evidence> {
    let Some(default) = schema.default.as_ref().and_then(|default| default.fingerprint.as_ref()) else {
        return Vec::new();
    };
    let differs =
        |copy: &&SecretCopy| copy.generated && copy.value.fingerprint.as_ref().is_some_and(|value| value != default);
    let plain = schema.class == Some(Class::Plain);
    let copies = item.copies.iter().filter(differs).filter(|_| plain);
    copies
        .map(|copy| {
            Evidence::new(
                format!("differs from its default in the generated {}", copy.place),
                copy.location.clone(),
                Some(copy.place.clone()),
            )
        })
        .collect()
}

/// The generated files, with what they hold.
struct GeneratedFiles<'a> {
    keys: BTreeMap<(&'a str, CopyKind), BTreeSet<&'a Key>>,
    /// The folders that have a schema.
    schema_folders: BTreeSet<&'a str>,
}

impl<'a> GeneratedFiles<'a> {
    fn of(cx: &'a Context<'_>) -> Self {
        let mut keys: BTreeMap<(&str, CopyKind), BTreeSet<&Key>> = BTreeMap::new();
        for copy in cx.snapshot.facts.copies.iter().filter(|copy| copy.generated) {
            if let (Some(location), Some(key)) = (&copy.location, &copy.key) {
                keys.entry((&location.file, copy.kind)).or_default().insert(key);
            }
        }
        let schemas = cx.snapshot.facts.declarations.iter().filter(|one| one.origin == Origin::Schema);
        let schema_folders = schemas.filter_map(|one| one.location.as_ref()).map(|line| folder(&line.file)).collect();
        Self { keys, schema_folders }
    }

    /// Whether a file is generated from a schema: from that of the nearest folder above it; from all, if there is none.
    fn is_from(&self, file: &str, schema: &Declaration) -> bool {
        let holds =
            |above: &str| above.is_empty() || file.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
        let nearest = self.schema_folders.iter().filter(|above| holds(above)).max_by_key(|above| above.len());
        nearest.is_none_or(|nearest| schema.location.as_ref().is_some_and(|line| folder(&line.file) == *nearest))
    }

    /// The generated files that should have the item, and have not.
    fn missing(&self, item: &Item, schema: &Declaration) -> Vec<Evidence> {
        let plain = schema.class.unwrap_or(Class::Plain) == Class::Plain;
        let belongs = |kind: CopyKind| {
            let reached =
                target_of(kind).is_some_and(|target| schema.targets.is_empty() || schema.targets.contains(&target));
            reached && (kind == CopyKind::EnvFile || (kind == CopyKind::ConfigMap) == plain)
        };
        let lacking = self
            .keys
            .iter()
            .filter(|((file, kind), keys)| belongs(*kind) && self.is_from(file, schema) && !keys.contains(&item.key));
        lacking
            .map(|((file, _), _)| {
                Evidence::new(format!("is missing in the generated {file}"), schema.location.clone(), None)
            })
            .collect()
    }
}

/// The folder of a file, without the slash; empty at the top.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}
