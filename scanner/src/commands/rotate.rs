//! `keytrail rotate`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use keytrail_rotation::job::Mode;
use keytrail_rotation::journal::Saved;
use keytrail_rotation::plan::Plan;
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{Declaration, Time};
use keytrail_rules::text::visible;

use super::rotation::{Asked, Proposal, continue_runs, deliver_rows, finish, rows, say, wants_runbooks};
use super::{Status, collect, print, runtime};
use crate::cli::{Cli, RotateArgs, SourceArgs};
use crate::config::Config;
use crate::error::Error;
use crate::rotation::{Call, Ended, harden, open_journal, unfinished, unfinished_run};

pub(super) fn run(cli: &Cli, args: &RotateArgs) -> Result<Status, Error> {
    harden();
    match (&args.resume, &args.rollback) {
        _ if args.list => list(args),
        (Some(run), _) => go_on(cli, args, run.as_deref(), Call::Resume),
        (None, Some(run)) => go_on(cli, args, Some(run), Call::RollBack),
        (None, None) => items(cli, args),
    }
}

/// `--list`.
fn list(args: &RotateArgs) -> Result<Status, Error> {
    let config = Config::load(&args.path, args.config.as_deref())?;
    let runs = runtime()?.block_on(unfinished(&config, &args.path))?;
    let mut text = String::new();
    for saved in &runs {
        let run = unfinished_run(saved);
        let waits = run.due.map_or(String::new(), |due| format!(", waits until {}", instant(due)));
        let failed = run.failure.map_or(String::new(), |why| format!(", stuck: {why}"));
        let line = format!(
            "{}  {} since {}{waits}{failed}  {}",
            run.run,
            run.state,
            instant(run.touched),
            run.items.join(", ")
        );
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", visible(&line));
    }
    if runs.is_empty() {
        text.push_str("no rotation is under way\n");
    }
    print(text.as_bytes())?;
    Ok(Status::Clean)
}

/// `--resume [RUN]` and `--rollback RUN`.
fn go_on(cli: &Cli, args: &RotateArgs, run: Option<&str>, call: Call) -> Result<Status, Error> {
    let config = Config::load(&args.path, args.config.as_deref())?;
    let runtime = runtime()?;
    let mut runs = runtime.block_on(unfinished(&config, &args.path))?;
    if let Some(run) = run {
        runs.retain(|saved| saved.job.run == run);
        if runs.is_empty() {
            return Err(Error::usage(
                format!("no rotation under way is called '{}'", run.escape_debug()),
                "`keytrail rotate --list` lists them; one that has ended is neither resumed nor rolled back",
            ));
        }
    }
    if runs.is_empty() {
        say("nothing is under way");
        return Ok(Status::Clean);
    }
    if args.dry_run {
        let verb = if call == Call::Resume { "resumed" } else { "rolled back" };
        runs.iter().for_each(|saved| say(&format!("would be {verb}: {} in state '{}'", saved.job.run, saved.state)));
        return Ok(Status::Clean);
    }
    let asked = asked(args, &config);
    let ended = resume(&asked, &runs, call)?;
    let declarations = declarations(cli, args, &config, &ended)?;
    runtime.block_on(finish(&asked, &ended, &declarations));
    Ok(status(&ended))
}

/// Goes on with runs of the state, or turns them back.
pub(super) fn resume(asked: &Asked<'_>, runs: &[Saved], call: Call) -> Result<Vec<Ended>, Error> {
    runtime()?.block_on(async {
        let journal = open_journal(asked.config, asked.root).await?;
        let ended = continue_runs(asked, &journal, runs, call).await?;
        deliver_rows(asked, &journal).await;
        journal.close().await?;
        Ok(ended)
    })
}

/// `ITEM…`.
fn items(cli: &Cli, args: &RotateArgs) -> Result<Status, Error> {
    let source = source(args);
    let facets = BTreeSet::from([Facet::Inventory, Facet::Cadence]);
    let (snapshot, config) = collect(cli, &source, &facets)?;
    let inventory = Inventory::new(&snapshot, &config.policy);
    let mut wanted = BTreeSet::new();
    for item in &args.items {
        wanted.extend(super::trace::find(&inventory, item)?);
    }
    let report = evaluate(&snapshot, &config.policy, &facets);
    let asked = asked(args, &config);
    let runs = runtime()?.block_on(unfinished(&config, &args.path))?;
    let proposal = Proposal::new(asked, Plan::of_items(&report, &wanted), &runs)?;
    if args.dry_run {
        print(proposal.text().as_bytes())?;
        print(proposal.obstacles()?.as_bytes())?;
        return Ok(if proposal.is_whole() { Status::Clean } else { Status::Findings });
    }
    let Some(ended) = carry_out(&asked, &proposal, &rows(&snapshot.facts.declarations))? else {
        return Ok(Status::Findings);
    };
    let whole = ended.len() == proposal.count();
    Ok(if whole { status(&ended) } else { Status::Findings })
}

/// Shows a plan, asks, and carries it out; `None` where nothing of it can be, or nobody wants it.
pub(super) fn carry_out(
    asked: &Asked<'_>,
    proposal: &Proposal<'_>,
    rows: &[Declaration],
) -> Result<Option<Vec<Ended>>, Error> {
    super::rotation::show(&proposal.text());
    if proposal.is_empty() || !proposal.confirm()? {
        say("nothing was rotated");
        return Ok(None);
    }
    let ended = runtime()?.block_on(async {
        let journal = open_journal(asked.config, asked.root).await?;
        let ended = proposal.carry_out(&journal).await?;
        finish(asked, &ended, rows).await;
        deliver_rows(asked, &journal).await;
        journal.close().await?;
        Ok::<_, Error>(ended)
    })?;
    Ok(Some(ended))
}

/// The rows of runbooks that dates are to be written to.
fn declarations(cli: &Cli, args: &RotateArgs, config: &Config, ended: &[Ended]) -> Result<Vec<Declaration>, Error> {
    if !wants_runbooks(config, ended) {
        return Ok(Vec::new());
    }
    let (snapshot, _) = collect(cli, &source(args), &BTreeSet::from([Facet::Inventory]))?;
    Ok(rows(&snapshot.facts.declarations))
}

fn asked<'a>(args: &'a RotateArgs, config: &'a Config) -> Asked<'a> {
    Asked {
        root: &args.path,
        config,
        mode: if args.emergency { Mode::Emergency } else { Mode::Orderly },
        reason: args.reason.as_deref(),
        approver: args.approved_by.as_deref(),
        yes: args.yes,
    }
}

fn source(args: &RotateArgs) -> SourceArgs {
    let (path, config) = (args.path.clone(), args.config.clone());
    // Nothing is remembered of a plan that is only looked at.
    SourceArgs { path, config, as_of: None, record: false, forget: args.dry_run }
}

/// Nothing is left to be seen to where all of them are well.
pub(super) fn status(ended: &[Ended]) -> Status {
    if ended.iter().all(Ended::is_well) { Status::Clean } else { Status::Findings }
}

fn instant(time: Time) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
