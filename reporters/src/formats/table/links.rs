//! Links of a terminal (OSC 8, <https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda>). A URL holds no
//! character that ends it: paths are percent-encoded.

use std::collections::BTreeMap;

use keytrail_rules::model::Location;

use super::Page;
use crate::escape;

/// Where the rules are described.
const RULES: &str = "https://keytrail.dev/rules";

impl Page<'_> {
    /// A text that leads to a file of the scanned folder, where the terminal follows links.
    pub(super) fn link_to_line(&self, at: &Location, text: &str) -> String {
        match self.url(at) {
            Some(url) => link(&url, text),
            None => text.to_owned(),
        }
    }

    /// A text that leads to the help of a rule, where the terminal follows links.
    pub(super) fn link_to_rule(&self, code: &str) -> String {
        match &self.options.links {
            Some(_) => link(&format!("{RULES}/{code}"), code),
            None => code.to_owned(),
        }
    }

    /// The URL of the file of a line.
    pub(super) fn url(&self, at: &Location) -> Option<String> {
        let folder = self.options.links.as_ref()?;
        Some(format!("{folder}{}", escape::uri_path("", &at.file)?))
    }

    /// Lines of which the first cells that are places lead there.
    pub(super) fn linked(&self, text: String, places: &BTreeMap<String, String>) -> String {
        if places.is_empty() {
            return text;
        }
        let linked = text.lines().map(|line| {
            let rest = line.trim_start();
            let (indent, first) = (&line[..line.len() - rest.len()], rest.split("  ").next().unwrap_or(rest));
            match places.get(first) {
                Some(url) => format!("{indent}{}{}\n", link(url, first), &rest[first.len()..]),
                None => format!("{line}\n"),
            }
        });
        linked.collect()
    }
}

fn link(url: &str, text: &str) -> String {
    format!("\u{1b}]8;;{url}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
}
