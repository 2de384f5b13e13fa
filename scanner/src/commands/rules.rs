//! `keytrail rules`.

use std::fmt::Write;

use keytrail_rules::checks::{RULES, Rule};

use super::{Status, print};
use crate::cli::RulesCommand;
use crate::error::Error;

pub(super) fn run(command: Option<&RulesCommand>) -> Result<Status, Error> {
    let text = match command {
        None | Some(RulesCommand::List) => list(),
        Some(RulesCommand::Explain { rule }) => explain(Rule::find(rule).ok_or_else(|| unknown(rule))?),
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

fn explain(rule: &Rule) -> String {
    format!("{} ({}, {}, {})\n\n{}", rule.id, rule.code, rule.facet.as_str(), rule.severity.as_str(), rule.markdown())
}

fn unknown(name: &str) -> Error {
    let nearest = RULES.iter().map(|rule| rule.id).max_by(|a, b| {
        let near = |id: &str| strsim::jaro_winkler(id, name);
        near(a).total_cmp(&near(b))
    });
    let nearest = nearest.unwrap_or_default();
    Error::usage(
        format!("there is no rule '{}'", name.escape_debug()),
        format!("did you mean {nearest}? `keytrail rules list` lists them all"),
    )
}
