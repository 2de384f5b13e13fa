//! `keytrail leaks`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::model::{Facts, Secret, Snapshot};
use keytrail_reporters::Options;

use super::output::{Outputs, options};
use super::{Status, now};
use crate::cli::{Cli, LeaksArgs};
use crate::collect::progress;
use crate::config::Config;
use crate::error::Error;
use crate::leaks::{Hunt, KnownValue, Targets, Which};
use crate::repository;
use crate::state::{self, Mode};

pub(super) fn run(cli: &Cli, args: &LeaksArgs) -> Result<Status, Error> {
    let outputs = Outputs::new(&args.report, cli.color)?;
    let root = root(&args.paths);
    let config = Config::load(root, args.config.as_deref())?;
    let key = state::fingerprint_key(&config.state, root, if args.new { Mode::ReadWrite } else { Mode::ReadOnly })?;
    let mut leaks = config.leaks.clone();
    leaks.rules.extend(args.rules.iter().map(|path| absolute(path)));
    leaks.ignore_files.extend(args.ignore_file.iter().map(|path| absolute(path)));
    leaks.values.extend(args.value_env.iter().cloned());
    leaks.value_files.extend(args.value_file.iter().map(|path| absolute(path)));
    let bar = progress(cli.quiet);
    let hunt = Hunt {
        root,
        config: &leaks,
        state: &config.state,
        key: &key,
        known: Vec::new(),
        which: which(args),
        respect_ignore: !args.no_ignore,
        as_of: now(),
        progress: &bar,
    };
    let facts = hunt.run(&Targets::named(&args.paths, args))?;
    bar.finish_and_clear();
    let snapshot = Snapshot { as_of: hunt.as_of, facts, sightings: BTreeMap::new() };
    let mut report = evaluate(&snapshot, &config.policy, &BTreeSet::from([Facet::Leaks]));
    let status = outputs.judge(&mut report);
    let context = Options {
        prefix: repository::prefix(root),
        repository: repository::of_workflow(&|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
        ..options(false, args.report.verbose, status.code())
    };
    outputs.write(&report, &context)?;
    Ok(status)
}

/// The folder that the config and the paths of the report are relative to.
fn root(paths: &[PathBuf]) -> &Path {
    paths.iter().map(PathBuf::as_path).find(|path| path.is_dir()).unwrap_or(Path::new("."))
}
