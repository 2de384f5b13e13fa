//! `keytrail scan`.

use std::collections::BTreeSet;
use std::io::Write;

use keytrail_reporters::Options;
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::model::Location;
use keytrail_rules::report::Report;

use super::output::{Outputs, options};
use super::{Status, collect_to_record, fix, history, incidents, print};
use crate::cli::{Cli, ScanArgs, SourceArgs};
use crate::error::Error;
use crate::repository;

pub(super) fn run(cli: &Cli, args: &ScanArgs) -> Result<Status, Error> {
    fix::check(args)?;
    incidents::check(args)?;
    let outputs = Outputs::new(&args.report, cli.color)?;
    let facets: BTreeSet<Facet> = match args.only.as_slice() {
        [] => Facet::ALL.into(),
        parts => parts.iter().map(|part| (*part).into()).collect(),
    };
    let (snapshot, config, mode, changed) = if args.fix && !args.dry_run {
        fix::run(cli, args, &facets)?
    } else {
        let (snapshot, config, mode) = collect_to_record(cli, &fix::source(args), &facets)?;
        (snapshot, config, mode, Status::Clean)
    };
    let mut report = evaluate(&snapshot, &config.policy, &facets);
    history::tell(&mut report, &config, &args.source.path, mode)?;
    let mut status = outputs.judge(&mut report).worse(changed);
    if args.file_incidents && !incidents::run(args, &config, &report, &facets)? && status == Status::Clean {
        status = Status::Incomplete;
    }
    let context = Options {
        anchor: anchor(&report, &args.source),
        category: category(&facets),
        prefix: repository::prefix(&args.source.path),
        repository: repository::of_workflow(&|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
        ..options(false, args.report.verbose, status.code())
    };
    // A program that reads the report must not find the plan behind it.
    let is_piped = outputs.is_piped();
    outputs.write(&report, &context, &args.source.path)?;
    if args.fix && args.dry_run {
        let plan = fix::preview(args, &config, &report)?;
        if is_piped {
            // Nobody is left to be told if standard error is gone.
            let _ = std::io::stderr().write_all(plan.as_bytes());
        } else {
            print(plan.as_bytes())?;
        }
    }
    Ok(status)
}

/// What the run is about: one that looked at some parts only must not close the alerts of the others.
fn category(facets: &BTreeSet<Facet>) -> String {
    if facets.len() == Facet::ALL.len() {
        return "scan".to_owned();
    }
    let parts: Vec<&str> = facets.iter().map(|facet| facet.as_str()).collect();
    format!("scan-{}", parts.join("-"))
}

/// The file that a finding without a line of its own points to: the config, else a schema, else any file that was
/// read.
pub(super) fn anchor(report: &Report, source: &SourceArgs) -> String {
    let config = source.config.clone().unwrap_or_else(|| source.path.join("keytrail.toml"));
    let of_kind = |kind: &str| report.scope.iter().find(|scope| scope.kind == kind).map(|scope| scope.source.clone());
    let declared =
        || report.items.iter().flat_map(|item| &item.declared_at).next().map(|Location { file, .. }| file.clone());
    if config.is_file() && source.config.is_none() {
        return "keytrail.toml".to_owned();
    }
    of_kind("env-schema").or_else(declared).unwrap_or_else(|| "keytrail.toml".to_owned())
}
