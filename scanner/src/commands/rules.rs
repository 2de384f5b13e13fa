//! `keytrail rules`.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;

use keytrail_rules::checks::{RULES, Rule};
use keytrail_rules::controls::{FRAMEWORKS, Framework, Mapping, VERSION, none_of, of_rule};
use keytrail_rules::detectors::{Detectors, Matcher, Verdict};
use zeroize::Zeroizing;

use super::{Status, print};
use crate::cli::RulesCommand;
use crate::error::Error;

pub(super) fn run(command: Option<&RulesCommand>) -> Result<Status, Error> {
    let text = match command {
        None | Some(RulesCommand::List) => list(),
        Some(RulesCommand::Detectors) => detectors(),
        Some(RulesCommand::Controls { framework }) => controls(framework),
        Some(RulesCommand::Explain { rule, on: Some(file) }) => judge(rule, file)?,
        Some(RulesCommand::Explain { rule, on: None }) => match Rule::find(rule) {
            Some(rule) => explain(rule),
            None => explain_detector(rule).ok_or_else(|| unknown(rule))?,
        },
    };
    print(text.as_bytes())?;
    Ok(Status::Clean)
}

fn list() -> String {
    let mut text = String::new();
    for rule in RULES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<7} {:<9} {:<26} {}", rule.code, rule.severity.as_str(), rule.id, rule.summary());
    }
    text
}

fn detectors() -> String {
    let detectors = Detectors::builtin();
    let mut all: Vec<_> = detectors.all().collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all.iter().fold(String::new(), |mut text, about| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<9} {:<44} {}", about.severity.as_str(), about.id, about.name);
        text
    })
}

fn explain(rule: &Rule) -> String {
    let (facet, severity) = (rule.facet.as_str(), rule.severity.as_str());
    let mut text = format!("{} ({}, {facet}, {severity})\n\n{}\n# Controls\n", rule.id, rule.code, rule.markdown());
    // Writing to a string cannot fail.
    if let Some(reason) = none_of(rule.id) {
        let _ = writeln!(text, "None: {reason}.");
    }
    for mapping in of_rule(rule.id) {
        let (framework, control) = (mapping.framework, mapping.control);
        let name = format!("{} {}", framework.name, control.id);
        let _ = writeln!(text, "{name:<40} {:<10} {}", mapping.relation.as_str(), control.title);
    }
    text
}

/// The controls of some frameworks, or of all, with their rules.
fn controls(frameworks: &[&Framework]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for framework in FRAMEWORKS.iter().filter(|one| frameworks.is_empty() || frameworks.contains(one)) {
        let _ = writeln!(text, "{}, {} ({})", framework.name, framework.version, framework.short);
        for control in framework.controls {
            let _ = writeln!(text, "  {:<20} {}", control.id, control.title);
            let is_it = |one: &&Mapping| one.framework == *framework && one.control == control;
            for rule in RULES {
                for mapping in of_rule(rule.id).iter().filter(is_it) {
                    let relation = mapping.relation.as_str();
                    let _ = writeln!(text, "    {:<26} {relation:<10} {}", rule.id, mapping.rationale);
                }
            }
        }
    }
    let _ =
        writeln!(text, "Mapping {VERSION}. Evidence is not compliance: whether a control is met, an assessor says.");
    text
}

/// What a detector finds, how it tells it, and what to do about it.
fn explain_detector(id: &str) -> Option<String> {
    let detectors = Detectors::builtin();
    let index = detectors.find(id)?;
    let about = detectors.about(index);
    let mut text = format!("{} (detector, {})\n\n{}.", about.id, about.severity.as_str(), about.name);
    if about.public {
        text.push_str(" An identifier: no secret by itself.");
    }
    text.push_str("\n\n# How it is recognised\n");
    match detectors.spec(index).map(|spec| &spec.matcher) {
        Some(Matcher::Token { regex, .. }) => text += &format!("By its form: {regex}\n"),
        Some(Matcher::Named { names, value, .. }) => {
            text += &format!("A value of the form {value} beside a name with {}\n", names.join(", "));
        }
        None => text.push_str("By the name that it is assigned to, and by how random it looks.\n"),
    }
    text += &format!("\n# How to fix\n{}\n", about.remedy);
    if let Some(docs) = &about.docs {
        text += &format!("\nSee {docs}\n");
    }
    Some(text)
}

/// What a detector, or every one (`all`), makes of each place of a file where it looked closer, by line and column.
fn judge(id: &str, file: &Path) -> Result<String, Error> {
    /// A file to ask about; a search is what larger ones are for.
    const LIMIT: u64 = 16 << 20;
    let detectors = Detectors::builtin();
    let only = match id {
        "all" => None,
        id => Some(detectors.find(id).ok_or_else(|| unknown(id))?),
    };
    let mut text = Zeroizing::new(Vec::new());
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(LIMIT).read_to_end(&mut text)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(LIMIT).read_to_end(&mut text))
    };
    read.map_err(|error| Error::Read(file.to_owned(), error))?;
    let mut shown = String::new();
    for trace in detectors.explain(&text, only) {
        let before = &text[..trace.value.start];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let kept = if trace.verdict == Verdict::Kept { "kept" } else { "dropped" };
        let id = &detectors.about(trace.detector).id;
        let _ = writeln!(shown, "{line}:{column} {id}: {kept}: {}", trace.verdict);
        for note in &trace.notes {
            let _ = writeln!(shown, "    {note}");
        }
    }
    if shown.is_empty() {
        shown.push_str("nothing in it has what the detector looks for\n");
    }
    Ok(shown)
}

fn unknown(name: &str) -> Error {
    let detectors = Detectors::builtin();
    let ids = RULES.iter().map(|rule| rule.id).chain(detectors.all().map(|about| about.id.as_ref()));
    let near = |id: &str| strsim::jaro_winkler(id, name);
    let nearest = ids.max_by(|a, b| near(a).total_cmp(&near(b))).unwrap_or_default();
    Error::usage(
        format!("there is no rule or detector '{}'", name.escape_debug()),
        format!("did you mean {nearest}? `keytrail rules list` and `keytrail rules detectors` list them all"),
    )
}
