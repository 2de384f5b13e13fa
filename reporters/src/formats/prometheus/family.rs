//! A metric with its samples.

use std::collections::BTreeMap;

use crate::{escape, sheets};

/// A longer id is no help in a dashboard.
const MAX_LABEL: usize = 1_000;

/// A gauge with its samples, each of other labels: a file with two samples of the same ones is refused whole.
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    samples: BTreeMap<String, f64>,
}

/// Names and values.
type Labels<'a> = [(&'static str, &'a str)];

impl Family {
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, samples: BTreeMap::new() }
    }

    /// A sample, in place of an earlier one of the same labels.
    pub(super) fn add(&mut self, labels: &Labels<'_>, value: f64) {
        self.samples.insert(text(labels), value);
    }

    /// Adds to a sample, which begins at 0.
    pub(super) fn count(&mut self, labels: &Labels<'_>, number: u64) {
        *self.samples.entry(text(labels)).or_default() += number as f64;
    }

    /// A sample; the lesser one where there is one of the same labels: ids that differ in what does not show only.
    pub(super) fn earliest(&mut self, labels: &Labels<'_>, value: f64) {
        let sample = self.samples.entry(text(labels)).or_insert(value);
        *sample = sample.min(value);
    }

    /// The lines; none where there is no sample.
    pub(super) fn into_text(self) -> String {
        let Self { name, help, samples } = self;
        if samples.is_empty() {
            return String::new();
        }
        let mut lines = format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in samples {
            lines.push_str(&format!("{name}{labels} {value}\n"));
        }
        lines
    }
}

/// `{a="b"}`. An empty value is that of a label that is not there.
fn text(labels: &Labels<'_>) -> String {
    let labels: Vec<String> = labels
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

fn escaped(value: &str) -> String {
    let value = sheets::visible(value);
    escape::clip(&value, MAX_LABEL).replace('\\', r"\\").replace('"', "\\\"")
}
