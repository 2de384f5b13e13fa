//! The commands. Each is one file of `commands/` with a `run` that returns the exit status.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};

use chrono::{SubsecRound, Utc};
use indicatif::ProgressBar;
use keytrail_rules::checks::Facet;
use keytrail_rules::correlate::Verdict;
use keytrail_rules::model::{FingerprintKey, Snapshot, Time};
use keytrail_rules::text::visible;

use crate::cli::{Cli, Command, SourceArgs};
use crate::collect::{self, Collection, progress};
use crate::config::Config;
use crate::error::Error;
use crate::leaks::hunt;
use crate::leaks::known::Arsenal;
use crate::source::KnownSecrets;
use crate::state::{Mode, State};
use crate::trails::ask::{self, Asking};
use terminal::use_color;

mod completions;
mod diff;
mod export;
mod fix;
mod follow;
mod history;
mod incidents;
mod init;
mod inventory;
mod keys;
mod leaks;
mod man;
mod output;
mod rotate;
mod rotation;
mod rules;
mod scan;
mod terminal;
mod trace;
mod trails;
mod verify;

/// The exit status of a command that ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Nothing at or above `--fail-on`.
    Clean,
    /// Findings at or above `--fail-on`.
    Findings,
    /// Nothing worse, but some evidence could not be read.
    Incomplete,
}

impl Status {
    /// The number of the exit status; 2 is for what could not run.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Incomplete => 3,
        }
    }

    /// The one that says more of what is wrong.
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Findings, _) | (_, Self::Findings) => Self::Findings,
            (Self::Incomplete, _) | (_, Self::Incomplete) => Self::Incomplete,
            (Self::Clean, Self::Clean) => Self::Clean,
        }
    }
}

/// Runs the command of a command line.
pub(crate) fn run(cli: &Cli) -> Result<Status, Error> {
    match &cli.command {
        Command::Scan(args) => scan::run(cli, args),
        Command::Leaks(args) => leaks::run(cli, args),
        Command::Inventory(args) => inventory::run(cli, args),
        Command::Rotate(args) => rotate::run(cli, args),
        Command::Trace(args) => trace::run(cli, args),
        Command::Trails(args) => trails::run(cli, args),
        Command::Diff(args) => diff::run(cli, args),
        Command::History(args) => history::run(cli, args),
        Command::Export(args) => export::run(cli, args),
        Command::Verify(args) => verify::run(args),
        Command::Keys { command } => keys::run(command),
        Command::Rules { command } => rules::run(command.as_ref()),
        Command::Init(args) => init::run(args),
        Command::Completions { shell } => completions::run(*shell),
        Command::Man(args) => man::run(args),
        Command::PgbouncerGuard => match runtime()?.block_on(keytrail_rotation::workloads::guard_pgbouncer()) {
            Ok(()) => Ok(Status::Clean),
            Err(failure) => Err(Error::usage(failure.what, failure.hint.unwrap_or_default())),
        },
    }
}

/// What a command collected, and what it needs to go on.
struct Collected<'a> {
    args: &'a SourceArgs,
    config: Config,
    snapshot: Snapshot,
    /// How earlier scans judged what the trails show.
    verdicts: BTreeMap<String, Verdict>,
    mode: Mode,
    /// The key of its fingerprints.
    key: FingerprintKey,
    /// What leaks were searched with, where they were.
    arsenal: Option<Arsenal>,
    /// What the stores are to be asked before the trails are read.
    asking: Asking,
    bar: ProgressBar,
}

/// Collects the snapshot of a command, as far as the facets need it, and the config that it was collected under.
fn collect(cli: &Cli, args: &SourceArgs, facets: &BTreeSet<Facet>) -> Result<(Snapshot, Config), Error> {
    let (snapshot, config, _) = collect_to_record(cli, args, facets)?;
    Ok((snapshot, config))
}

/// [`collect`], and whether what is found may be recorded as well.
fn collect_to_record(
    cli: &Cli,
    args: &SourceArgs,
    facets: &BTreeSet<Facet>,
) -> Result<(Snapshot, Config, Mode), Error> {
    let mut collected = collect_first(cli, args, facets.contains(&Facet::Leaks))?;
    if facets.contains(&Facet::Trails) {
        collected.read_trails()?;
    }
    let mode = collected.mode;
    let (snapshot, config) = collected.finish();
    Ok((snapshot, config, mode))
}

/// Collects everything but the trails.
fn collect_first<'a>(cli: &Cli, args: &'a SourceArgs, leaks: bool) -> Result<Collected<'a>, Error> {
    let unreadable = |error| Error::Root(args.path.clone(), error);
    if !args.path.metadata().map_err(unreadable)?.is_dir() {
        return Err(unreadable(ErrorKind::NotADirectory.into()));
    }
    let mut config = Config::load(&args.path, args.config.as_deref())?;
    let bar = progress(cli.quiet);
    let known = KnownSecrets::default();
    let collection = Collection {
        root: &args.path,
        config: &config,
        as_of: args.as_of.unwrap_or_else(now),
        is_past: args.as_of.is_some(),
        record: (args.as_of.is_none() && !args.forget) || args.record,
        known: (leaks || ask::needs_values(&config)).then_some(&known),
        progress: &bar,
        warn: &|message| bar.suspend(|| warn(message)),
    };
    let collected = runtime()?.block_on(collection.collect());
    let collect::Collected { mut snapshot, key, verdicts, has_ledger, mode } = collected?;
    ask::leave_canaries_out(&config, &mut snapshot.facts);
    let asking = Asking::new(&config, &snapshot.facts, &known, mode == Mode::ReadWrite);
    let arsenal = if leaks {
        let warn = |message: &str| bar.suspend(|| warn(message));
        Some(hunt::in_scan(&mut snapshot, known, &key, &args.path, &config, &bar, &warn)?)
    } else {
        None
    };
    crate::trails::keytrail_ledger::complete(&mut config, &args.path, has_ledger);
    Ok(Collected { args, config, snapshot, verdicts, mode, key, arsenal, asking, bar })
}

impl Collected<'_> {
    /// Asks the stores, once, what only they can tell of their trails.
    fn ask_stores(&mut self) -> Result<(), Error> {
        let asking = std::mem::take(&mut self.asking);
        if !asking.is_empty() {
            self.bar.set_message("asking the stores of their audit");
            let gaps = runtime()?.block_on(asking.ask(&mut self.config));
            self.snapshot.facts.gaps.extend(gaps);
        }
        Ok(())
    }

    /// Reads the trails, and remembers how the changes that they show were judged.
    fn read_trails(&mut self) -> Result<(), Error> {
        self.ask_stores()?;
        crate::trails::in_scan(&mut self.snapshot, &self.config, &self.verdicts, &self.key, &self.bar)?;
        let rotations = self.snapshot.facts.correlation.as_ref().map_or(&[][..], |correlation| &correlation.rotations);
        if self.mode == Mode::ReadOnly || rotations.is_empty() {
            return Ok(());
        }
        // Opened anew: the trails may have taken longer than a server keeps a connection.
        let recording = async {
            match State::open(&self.config.state, &self.args.path, self.mode).await? {
                Some(state) => {
                    state.record_verdicts(rotations, self.snapshot.as_of).await?;
                    state.close().await
                }
                None => Ok(()),
            }
        };
        Ok(runtime()?.block_on(recording)?)
    }

    fn finish(self) -> (Snapshot, Config) {
        self.bar.finish_and_clear();
        (self.snapshot, self.config)
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Error::Runtime)
}

/// Tells the user something on standard error.
fn warn(message: &str) {
    // Nobody is left to be told if standard error is gone.
    let _ = writeln!(std::io::stderr(), "warning: {}", visible(message));
}

/// The time, in whole seconds: reports show no more.
fn now() -> Time {
    Utc::now().trunc_subsecs(0)
}

/// Writes to standard output. A reader that went away is no error.
fn print(bytes: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}
