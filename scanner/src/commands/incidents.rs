//! `keytrail scan --file-incidents`.

use std::collections::BTreeSet;
use std::io::Write;

use keytrail_rules::checks::{Facet, Rule};
use keytrail_rules::model::{Finding, Gap, GapReason};
use keytrail_rules::report::Report;
use keytrail_rules::text::visible;

use super::{runtime, warn};
use crate::cli::ScanArgs;
use crate::config::{Config, IncidentConfig};
use crate::error::Error;
use crate::incidents::filing::{Filing, Found, Step, plan};
use crate::incidents::text::Source;
use crate::incidents::{Incident, Kind, Setting};
use crate::repository;
use crate::state::{Ledger, Mode, State, StateError};

/// Refuses to file what was as if it were now.
pub(super) fn check(args: &ScanArgs) -> Result<(), Error> {
    if args.file_incidents && args.source.as_of.is_some() && !args.source.record && !args.dry_run {
        return Err(Error::usage(
            "--file-incidents is about now, and --as-of may be about any time",
            "leave one of them out, add --dry-run to see what would be filed, or add --record",
        ));
    }
    Ok(())
}

/// Files and resolves the incidents of a report. Gives whether everything could be done; what could not was said.
pub(super) fn run(args: &ScanArgs, config: &Config, report: &Report, facets: &BTreeSet<Facet>) -> Result<bool, Error> {
    if config.incidents.is_empty() {
        return Err(Error::usage(
            "the config has no [[incident]] to file with",
            "add one to keytrail.toml: name, kind (github-issue, pagerduty, slack or webhook) and what the kind needs",
        ));
    }
    let gaps = runtime()?.block_on(Run { args, config, report, facets }.all());
    for gap in &gaps {
        let hint = gap.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
        warn(&format!("{}: {}{hint}", gap.source, gap.message));
    }
    Ok(gaps.is_empty())
}

struct Run<'a> {
    args: &'a ScanArgs,
    config: &'a Config,
    report: &'a Report,
    facets: &'a BTreeSet<Facet>,
}

impl Run<'_> {
    async fn all(&self) -> Vec<Gap> {
        let mode = if self.args.dry_run { Mode::ReadOnly } else { Mode::ReadWrite };
        let state = match State::open(&self.config.state, &self.args.source.path, mode).await {
            Ok(state) => state,
            Err(error) => return vec![no_state("state", &error)],
        };
        let mut gaps = Vec::new();
        for config in &self.config.incidents {
            // The config has checked the kind.
            let Some(kind) = Kind::find(&config.kind) else { continue };
            match self.steps(config, state.as_ref()).await {
                Err(error) => gaps.push(no_state(&config.name, &error)),
                Ok(steps) if self.args.dry_run => steps.iter().for_each(|step| preview(config, step)),
                Ok(steps) => gaps.extend(perform(config, kind, state.as_ref(), steps).await),
            }
        }
        if let Some(state) = state {
            gaps.extend(state.close().await.err().map(|error| no_state("state", &error)));
        }
        gaps
    }

    /// What is to be done with one receiver.
    async fn steps(&self, config: &IncidentConfig, state: Option<&State>) -> Result<Vec<Step>, StateError> {
        let estate = config.estate.as_deref();
        let rows = match state {
            Some(state) => state.incidents(estate.unwrap_or_default(), &config.name).await?,
            None => Vec::new(),
        };
        let source = Source {
            repository: repository::of_workflow(&|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
            prefix: repository::prefix(&self.args.source.path),
        };
        let matters = |finding: &&Finding| {
            finding.severity >= config.severity
                && (config.rules.is_empty() || config.rules.iter().any(|rule| rule == finding.rule))
        };
        let wanted = self.report.counting().filter(matters).map(|finding| Incident::of(finding, estate, &source));
        let found = Found {
            wanted: wanted.collect(),
            present: self.report.findings.iter().map(|finding| finding.fingerprint.as_str()).collect(),
            is_gone: &|rule| self.ran(rule),
        };
        let mut steps = plan(found, rows);
        let Report { items, findings, summary, .. } = self.report;
        let doubt = if items.is_empty() && findings.is_empty() && summary.variables == 0 {
            // Most likely it was one of the wrong folder.
            Some("found no secret and no variable at all")
        } else {
            (!summary.complete).then_some("has gaps")
        };
        if let Some(doubt) = doubt {
            let before = steps.len();
            steps.retain(|step| matches!(step, Step::File(..)));
            if steps.len() < before {
                let count = before - steps.len();
                say(&format!("nothing is resolved with {} ({count} may be over): the scan {doubt}", config.name));
            }
        }
        Ok(steps)
    }

    /// Whether a rule ran, so that what it does not find is not there.
    fn ran(&self, rule: &str) -> bool {
        Rule::find(rule).is_some_and(|rule| self.facets.contains(&rule.facet))
            && !self.config.policy.disabled_rules.iter().any(|disabled| disabled == rule)
    }
}

async fn perform(config: &IncidentConfig, kind: &Kind, state: Option<&State>, steps: Vec<Step>) -> Vec<Gap> {
    let setting = Setting::of_process();
    let (false, Some(ledger)) = (steps.is_empty(), state) else {
        return Vec::new();
    };
    let sink = match (kind.open)(config, &setting) {
        Ok(sink) => sink,
        Err(failure) => {
            let all =
                if steps.len() == 1 { "1 incident was".to_owned() } else { format!("{} incidents were", steps.len()) };
            let message = format!("{all} neither filed nor resolved: {}", failure.what);
            return vec![Gap { hint: failure.hint, ..Gap::new(&config.name, failure.reason, message) }];
        }
    };
    let filing =
        Filing { config, again: kind.again, pause: kind.pause, sink: &*sink, ledger, setting: &setting, say: &say };
    filing.run(steps).await
}

fn preview(config: &IncidentConfig, step: &Step) {
    let verb = if matches!(step, Step::File(..)) { "filed" } else { "resolved" };
    say(&format!("would be {verb} with {}: {}", config.name, step.summary()));
}

fn no_state(source: &str, error: &StateError) -> Gap {
    let message = format!("no incident was filed or resolved: {error}");
    Gap::new(source, GapReason::Unreachable, message).hint(error.hint())
}

/// Tells the user on standard error what was done.
fn say(line: &str) {
    // Nobody is left to be told if standard error is gone.
    let _ = writeln!(std::io::stderr(), "incident: {}", visible(line));
}
