//! `keytrail scan --fix`.

use std::collections::BTreeSet;

use keytrail_rotation::job::Mode;
use keytrail_rotation::plan::Plan;
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::model::Snapshot;
use keytrail_rules::report::Report;

use super::rotate::{carry_out, resume, status};
use super::rotation::{Asked, Proposal, finish, rows, say};
use super::{Status, collect_to_record, runtime};
use crate::cli::{Cli, ScanArgs, SourceArgs};
use crate::config::Config;
use crate::error::Error;
use crate::rotation::{Call, harden, unfinished};
use crate::state;

/// Refuses to change what is now as if it were another time.
pub(super) fn check(args: &ScanArgs) -> Result<(), Error> {
    if args.fix && !args.dry_run && args.source.as_of.is_some() {
        return Err(Error::usage(
            "--fix is about now, and --as-of may be about any time",
            "leave one of them out, or add --dry-run to see the plan as of then",
        ));
    }
    Ok(())
}

/// What is read. Nothing is remembered of a plan that is only looked at.
pub(super) fn source(args: &ScanArgs) -> SourceArgs {
    SourceArgs { forget: args.fix && args.dry_run, ..args.source.clone() }
}

/// The plan for what is due, with what would be in the way. Changes nothing.
pub(super) fn preview(args: &ScanArgs, config: &Config, report: &Report) -> Result<String, Error> {
    let runs = runtime()?.block_on(unfinished(config, &args.source.path))?;
    let proposal = Proposal::new(asked(args, config), Plan::new(report), &runs)?;
    Ok(proposal.text() + &proposal.obstacles()?)
}

/// Goes on with what is under way, rotates what is due, and collects anew where anything was changed.
pub(super) fn run(
    cli: &Cli,
    args: &ScanArgs,
    facets: &BTreeSet<Facet>,
) -> Result<(Snapshot, Config, state::Mode, Status), Error> {
    harden();
    let mut worst = Status::Clean;
    let config = Config::load(&args.source.path, args.source.config.as_deref())?;
    let runs = runtime()?.block_on(unfinished(&config, &args.source.path))?;
    let resumed = if runs.is_empty() { Vec::new() } else { resume(&asked(args, &config), &runs, Call::Resume)? };
    worst = worst.worse(status(&resumed));

    let (snapshot, config, mode) = collect_to_record(cli, &args.source, facets)?;
    let asked = asked(args, &config);
    runtime()?.block_on(finish(&asked, &resumed, &rows(&snapshot.facts.declarations)));
    let report = evaluate(&snapshot, &config.policy, facets);
    let runs = runtime()?.block_on(unfinished(&config, &args.source.path))?;
    let plan = Plan::new(&report);
    if plan.groups.is_empty() {
        say("nothing is due");
        return Ok((snapshot, config, mode, worst));
    }
    let proposal = Proposal::new(asked, plan, &runs)?;
    let Some(ended) = carry_out(&asked, &proposal, &rows(&snapshot.facts.declarations))? else {
        return Ok((snapshot, config, mode, worst));
    };
    worst = worst.worse(status(&ended));
    let (snapshot, config, mode) = collect_to_record(cli, &args.source, facets)?;
    Ok((snapshot, config, mode, worst))
}

fn asked<'a>(args: &'a ScanArgs, config: &'a Config) -> Asked<'a> {
    Asked {
        root: &args.source.path,
        config,
        mode: Mode::Orderly,
        reason: None,
        approver: args.approved_by.as_deref(),
        yes: args.yes,
    }
}
