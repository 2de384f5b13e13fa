//! Allowlists: what a rule does not report.

use std::borrow::Cow;

use toml::{Table, Value};

use super::super::spec::{Deny, Target};
use super::{Notes, strings};

/// What is not reported, of one rule or of some.
#[derive(Default)]
pub(super) struct Allow {
    /// What is dropped when it matches.
    pub(super) deny: Vec<Deny>,
    /// Lower-case parts of secrets.
    pub(super) stopwords: Vec<Cow<'static, str>>,
    /// Paths where nothing is reported.
    pub(super) paths: Vec<Cow<'static, str>>,
    /// Whether secrets made of words are dropped.
    pub(super) words: bool,
    /// The rules that it is for; empty: all.
    rules: Vec<String>,
}

impl Allow {
    /// Whether it is for a rule.
    pub(super) fn is_for(&self, rule: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|known| known == rule)
    }
}

/// Reads the allowlists of a rule or of a file.
pub(super) fn read_all(table: &Table, notes: &mut Notes<'_>) -> Vec<Allow> {
    let single = table.get("allowlist").and_then(Value::as_table);
    let several = table.get("allowlists").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    single.into_iter().chain(several.iter().filter_map(Value::as_table)).filter_map(|list| read(list, notes)).collect()
}

fn read(list: &Table, notes: &mut Notes<'_>) -> Option<Allow> {
    const KINDS: [&str; 4] = ["commits", "paths", "regexes", "stopwords"];
    for key in list.keys() {
        let known = ["description", "condition", "regexTarget", "targetRules", "ruleIDs"];
        if !KINDS.contains(&key.as_str()) && !known.contains(&key.as_str()) {
            notes.add("allowlist", format!("`{key}` is not known"));
        }
    }
    let kinds = KINDS.iter().filter(|kind| !strings(list, kind).is_empty()).count();
    let condition = list.get("condition").and_then(Value::as_str).unwrap_or("OR");
    if kinds > 1 && (condition.eq_ignore_ascii_case("and") || condition == "&&") {
        notes.add("allowlist", "conditions that must all hold cannot be kept; nothing is dropped by this list");
        return None;
    }
    if !strings(list, "commits").is_empty() {
        notes.add("allowlist.commits", "a secret is the same in every commit; suppress it by its fingerprint");
    }
    let target = match list.get("regexTarget").and_then(Value::as_str) {
        None | Some("" | "secret") => Target::Secret,
        Some("match") => Target::Match,
        Some("line") => Target::Line,
        Some(other) => {
            notes.add("allowlist.regexTarget", format!("`{other}` is not known; the list is left out"));
            return None;
        }
    };
    let regexes = strings(list, "regexes");
    let deny = regexes.iter().filter_map(|regex| notes.regex("allowlist.regexes", regex));
    let deny = deny.map(|regex| Deny { target, regex: Cow::Owned(regex) }).collect();
    let paths = strings(list, "paths");
    let paths = paths.iter().filter_map(|regex| notes.regex("allowlist.paths", regex)).map(Cow::Owned).collect();
    let stopwords = strings(list, "stopwords");
    let stopwords = stopwords.iter().map(|word| Cow::Owned(word.to_ascii_lowercase())).collect();
    let mut rules = strings(list, "targetRules");
    rules.extend(strings(list, "ruleIDs"));
    Some(Allow { deny, stopwords, paths, words: false, rules })
}
