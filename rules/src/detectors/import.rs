//! Imports the rule files of gitleaks and betterleaks as they are.
//! <https://github.com/gitleaks/gitleaks#configuration>, <https://github.com/betterleaks/betterleaks>.

mod allow;
mod expression;
mod go_regex;
mod rule;

use std::fmt;

use toml::{Table, Value};

use super::analyse;
use super::spec::Spec;
use allow::Allow;

/// What a rule file gave.
#[derive(Debug, Default)]
pub struct Imported {
    /// The rules, as detectors.
    pub specs: Vec<Spec>,
    /// Whether the file adds to the built-in detectors (`extend.useDefault`), and does not replace them.
    pub use_default: bool,
    /// The rules that it switches off, by their ids.
    pub disabled: Vec<String>,
    /// What could not be honoured.
    pub notes: Vec<Note>,
}

/// Something of a rule file that could not be honoured, or not quite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The rule; `None` for the whole file.
    pub rule: Option<String>,
    /// The key.
    pub what: String,
    /// Why, and what was done instead.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, what, why } = self;
        match rule {
            Some(rule) => write!(f, "{rule}: {what}: {why}"),
            None => write!(f, "{what}: {why}"),
        }
    }
}

/// Collects notes about one rule, or about the file.
struct Notes<'n> {
    rule: Option<&'n str>,
    notes: &'n mut Vec<Note>,
}

impl Notes<'_> {
    fn add(&mut self, what: &str, why: impl Into<String>) {
        self.notes.push(Note { rule: self.rule.map(str::to_owned), what: what.to_owned(), why: why.into() });
    }

    /// A regular expression of Go in our spelling; `None`, with a note, where it cannot be used.
    fn regex(&mut self, what: &str, go: &str) -> Option<String> {
        let regex = go_regex::translate(go);
        match analyse::parse(&regex).and_then(|_| super::compiled::compile(&regex)) {
            Ok(_) => Some(regex),
            Err(reason) => {
                self.add(what, format!("the regular expression cannot be used: {reason}"));
                None
            }
        }
    }
}

/// Reads a rule file of gitleaks or betterleaks.
///
/// # Errors
/// Why it is no TOML, with the line. What is only beyond this import is a [`Note`].
pub fn import(toml: &str) -> Result<Imported, super::DetectorError> {
    let file: Table = toml::from_str(toml).map_err(|error| super::DetectorError {
        line: 1 + error.span().map_or(0, |span| toml[..span.start].matches('\n').count()),
        detector: None,
        reason: error.message().to_owned(),
    })?;
    let mut imported = Imported::default();
    let mut of_the_file = Notes { rule: None, notes: &mut imported.notes };
    let mut global: Vec<Allow> = allow::read_all(&file, &mut of_the_file);
    for key in ["filter", "prefilter"] {
        if let Some(text) = file.get(key).and_then(Value::as_str) {
            global.push(expression::read(text, key, &mut of_the_file));
        }
    }
    for key in file.keys() {
        const KNOWN: &[&str] = &[
            "title",
            "description",
            "minVersion",
            "betterleaksMinVersion",
            "extend",
            "allowlist",
            "allowlists",
            "rules",
            "filter",
            "prefilter",
        ];
        if !KNOWN.contains(&key.as_str()) {
            of_the_file.add(key, "is not known");
        }
    }
    if let Some(extend) = file.get("extend").and_then(Value::as_table) {
        imported.use_default = extend.get("useDefault").and_then(Value::as_bool).unwrap_or(false);
        imported.disabled = strings(extend, "disabledRules");
        for key in ["path", "url"].into_iter().filter(|key| extend.contains_key(*key)) {
            of_the_file.add(&format!("extend.{key}"), "other files are not followed; give them beside this one");
        }
    }
    let rules = file.get("rules").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (number, rule) in (1..).zip(rules.iter().filter_map(Value::as_table)) {
        let Some(id) = rule.get("id").and_then(Value::as_str) else {
            let mut notes = Notes { rule: None, notes: &mut imported.notes };
            notes.add("rules", format!("the rule number {number} has no id and is left out"));
            continue;
        };
        if imported.disabled.iter().any(|disabled| disabled == id) {
            continue;
        }
        let mut notes = Notes { rule: Some(id), notes: &mut imported.notes };
        if imported.specs.iter().any(|spec| spec.about.id == id) {
            notes.add("id", "is there twice; the first rule stands");
        } else if let Some(spec) = rule::read(id, rule, &global, &mut notes) {
            imported.specs.push(spec);
        }
    }
    Ok(imported)
}

/// The texts of an array, or a single one.
fn strings(table: &Table, key: &str) -> Vec<String> {
    match table.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
