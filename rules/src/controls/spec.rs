//! `controls.toml`, read and checked when the program is built.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Of the mapping.
    pub version: String,
    pub frameworks: Vec<Framework>,
    /// Rule to what it looks at.
    pub needs: BTreeMap<String, String>,
    /// Rule to why it has to do with no control.
    pub none: BTreeMap<String, String>,
    map: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    pub id: String,
    pub short: String,
    pub name: String,
    pub version: String,
    /// Control to title.
    pub controls: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: String,
    #[serde(default)]
    direct: Vec<String>,
    #[serde(default)]
    supporting: Vec<String>,
    why: String,
}

/// A rule and a control, by the places of the framework and of the control among [`Framework::ordered`].
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link<'a> {
    pub framework: usize,
    pub control: usize,
    pub direct: bool,
    pub why: &'a str,
}

impl Framework {
    /// The controls and their titles, `2.2.1` before `10.2.1`.
    pub fn ordered(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<(&str, &str)> =
            self.controls.iter().map(|(id, title)| (id.as_str(), title.as_str())).collect();
        all.sort_by_key(|(id, _)| natural(id));
        all
    }
}

impl Spec {
    /// Reads the file. The error names what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The controls of a rule, by framework and control.
    pub fn links(&self, rule: &str) -> Result<Vec<Link<'_>>, String> {
        let mut links = Vec::new();
        for entry in self.map.iter().filter(|entry| entry.rule == rule) {
            let both = [(true, &entry.direct), (false, &entry.supporting)];
            for (direct, controls) in both {
                for control in controls {
                    let (framework, control) = self.find(control).ok_or_else(|| format!("{rule}: no {control}"))?;
                    links.push(Link { framework, control, direct, why: &entry.why });
                }
            }
        }
        links.sort();
        let different: BTreeSet<_> = links.iter().map(|link| (link.framework, link.control)).collect();
        if different.len() < links.len() {
            return Err(format!("{rule}: a control is there twice"));
        }
        Ok(links)
    }

    /// The rules that have controls.
    pub fn rules(&self) -> BTreeSet<&str> {
        self.map.iter().map(|entry| entry.rule.as_str()).collect()
    }

    fn find(&self, link: &str) -> Option<(usize, usize)> {
        let (short, control) = link.split_once(':')?;
        let framework = self.frameworks.iter().position(|framework| framework.short == short)?;
        let place = self.frameworks.get(framework)?.ordered().iter().position(|(id, _)| *id == control)?;
        Some((framework, place))
    }
}

/// Numbers by their size, all else by its letters.
fn natural(id: &str) -> Vec<(u32, String)> {
    let mut parts: Vec<(u32, String)> = Vec::new();
    for c in id.chars() {
        match (c.to_digit(10), parts.last_mut()) {
            (Some(digit), Some((number, text))) if text.is_empty() => *number = number.saturating_mul(10) + digit,
            (Some(digit), _) => parts.push((digit, String::new())),
            (None, Some((_, text))) if !text.is_empty() => text.push(c),
            (None, _) => parts.push((0, c.to_string())),
        }
    }
    parts
}
