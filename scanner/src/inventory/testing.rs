//! What the tests of the kinds share: files from text or fixtures, and facts in short.

use std::path::Path;

use keytrail_rules::model::{Declaration, Facts, FingerprintKey, Gap, Location, Stated, UseKind};
use keytrail_rules::value::Value;

use super::FileKind;
use crate::source::{Reader, SourceFile};

pub(super) fn fixture(path: &str) -> SourceFile {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/inventory");
    SourceFile::read(&root, path).expect("the fixture is there")
}

pub(super) fn read(kind: &FileKind, file: &SourceFile) -> Facts {
    super::read(
        kind,
        file,
        &Reader {
            key: &FingerprintKey::new([7; 32]),
            generated: false,
            as_of: chrono::DateTime::UNIX_EPOCH,
            known: None,
        },
    )
}

pub(super) fn read_text(kind: &FileKind, path: &str, text: impl AsRef<[u8]>) -> Facts {
    read(kind, &SourceFile::from_bytes(path, text.as_ref().to_vec()))
}

/// A line for each declaration and gap.
pub(super) fn outline(facts: &Facts) -> String {
    facts.declarations.iter().map(declaration).chain(facts.gaps.iter().map(gap)).collect::<Vec<_>>().join("\n")
}

fn declaration(of: &Declaration) -> String {
    let mut parts = vec![format!("{}: {}", of.location.as_ref().map_or(0, |at| at.line), of.label)];
    let mut add = |name: &str, value: Option<String>| parts.extend(value.map(|value| format!("{name}={value}")));
    let join = |values: Vec<String>| (!values.is_empty()).then(|| values.join(","));
    add("class", of.class.map(|class| class.as_str().to_owned()));
    add("owner", of.owner.clone());
    add("cadence", of.cadence.as_ref().map(stated));
    add("auto", of.auto_rotation.as_ref().map(|auto| auto.text.clone()));
    add("required", of.required.map(|required| required.to_string()));
    add("default", of.default.as_ref().map(|value| format!("{:?}", value.shape)));
    add("targets", join(of.targets.iter().map(|target| target.as_str().to_owned()).collect()));
    add("environment", of.environment.as_ref().map(ToString::to_string));
    add("places", join(of.places.iter().map(ToString::to_string).collect()));
    add("from", join(of.derived_from.iter().map(ToString::to_string).collect()));
    parts.join(" | ")
}

fn stated<T: std::fmt::Display>(stated: &Stated<T>) -> String {
    stated.meaning.as_ref().map_or_else(|| format!("?{}", stated.text), ToString::to_string)
}

fn gap(of: &Gap) -> String {
    let line = of.location.as_ref().map_or(0, |at| at.line);
    format!("{line}: gap: {} ({})", of.message, of.hint.as_deref().unwrap_or_default())
}

/// A line for each copy, use, link and gap.
pub(super) fn holdings(facts: &Facts) -> String {
    let line = |location: Option<&Location>| location.map_or(0, |at| at.line);
    let environment = |of: Option<String>| of.map_or(String::new(), |name| format!(" [{name}]"));
    let copies = facts.copies.iter().map(|copy| {
        let environment = environment(copy.environment.as_ref().map(ToString::to_string));
        let value = value(&copy.value);
        format!("{}: {} {}{environment} {value}", line(copy.location.as_ref()), copy.kind.as_str(), copy.place)
    });
    let uses = facts.uses.iter().map(|one| {
        let verb = if one.kind == UseKind::Secret { "loads secret" } else { "loads" };
        let environment = environment(one.environment.as_ref().map(ToString::to_string));
        let from = one.from.as_ref().map_or(String::new(), |place| format!(" from {place}"));
        format!("{}: {}{environment} {verb} {}{from}", one.location.line, one.consumer, one.key)
    });
    let links = facts.links.iter().map(|link| format!("{}: {} = {}", link.location.line, link.a, link.b));
    let gaps = facts.gaps.iter().map(|gap| {
        let hint = gap.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
        format!("{}: gap, {:?}: {}{hint}", line(gap.location.as_ref()), gap.reason, gap.message)
    });
    copies.chain(uses).chain(links).chain(gaps).collect::<Vec<_>>().join("\n")
}

fn value(value: &Value) -> String {
    let reveals = value.reveals.map_or(String::new(), |reveals| format!(", {}", reveals.describe()));
    format!("{:?}{reveals}", value.shape)
}
