//! `keytrail leaks`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use keytrail_reporters::Options;
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{Class, Declaration, Facts, FingerprintKey, Origin, Snapshot, Time};

use super::output::{Outputs, options};
use super::{Status, now, runtime, warn};
use crate::cli::{Cli, LeaksArgs};
use crate::collect::progress;
use crate::config::Config;
use crate::error::Error;
use crate::inventory::{self, env_file};
use crate::leaks::hunt::{self, Hunt, Target, Targets, Which};
use crate::leaks::known::{self, Arsenal};
use crate::repository;
use crate::source::{KnownSecrets, Reader, SourceFile};
use crate::state::{self, Mode, SearchId, State};

pub(super) fn run(cli: &Cli, args: &LeaksArgs) -> Result<Status, Error> {
    let outputs = Outputs::new(&args.report, cli.color)?;
    let targets = targets(args)?;
    let home = args.paths.iter().find(|path| path.is_dir()).map_or(Path::new("."), PathBuf::as_path);
    let config = Config::load(home, args.config.as_deref())?;
    let mode = if args.new { Mode::ReadWrite } else { Mode::ReadOnly };
    let key = state::fingerprint_key(&config.state, home, mode)?;
    let as_of = now();

    let mut wanted = config.leaks.clone();
    wanted.values.extend(args.value_env.iter().cloned());
    let here = |files: &[PathBuf]| files.iter().map(|file| absolute(file)).collect::<Vec<_>>();
    wanted.value_files.extend(here(&args.value_file));
    wanted.rules.extend(here(&args.rules));
    wanted.ignore_files.extend(here(&args.ignore_file));
    let (mut facts, values) = env_files(&args.env_file, &key, as_of)?;
    let policy = &config.policy;
    let snapshot = |facts| Snapshot { as_of, facts, sightings: BTreeMap::new() };
    let before = snapshot(facts.clone());
    let mut known = known::of_inventory(&Inventory::new(&before, policy), values.into_inner());
    known.extend(known::of_config(&wanted, home, &key)?);
    let arsenal = Arsenal::new(known, &wanted, home, !args.no_detectors, &key)?;

    arsenal.notes.iter().for_each(|note| warn(note));
    let bar = progress(cli.quiet);
    let mut hunt = Hunt {
        arsenal: &arsenal,
        key: &key,
        which: which(args),
        respect_ignore: !args.no_ignore,
        exclude: wanted.exclude.clone(),
        elsewhere: hunt::elsewhere(&wanted, home, &key, &mut facts.gaps),
        progress: &bar,
    };
    let found = if args.new {
        runtime()?.block_on(search_new(&mut hunt, &targets, &config, home, as_of))?
    } else {
        hunt.run(&targets)?
    };
    bar.finish_and_clear();
    facts.extend(found);
    let mut report = evaluate(&snapshot(facts), policy, &BTreeSet::from([Facet::Leaks]));
    let status = outputs.judge(&mut report);
    let context = Options {
        anchor: "keytrail.toml".to_owned(),
        category: "leaks".to_owned(),
        prefix: repository::prefix(Path::new(".")),
        repository: repository::of_workflow(&|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
        ..options(false, args.report.verbose, status.code())
    };
    outputs.write(&report, &context, Path::new("."))?;
    Ok(status)
}

/// Searches each repository for what no earlier search has seen, and remembers how far it came.
async fn search_new(
    hunt: &mut Hunt<'_>,
    targets: &Targets,
    config: &Config,
    home: &Path,
    as_of: Time,
) -> Result<Facts, Error> {
    let state = State::open(&config.state, home, Mode::ReadWrite).await?;
    let mut facts = hunt.run(&Targets { repositories: Vec::new(), ..targets.clone() })?;
    for repository in &targets.repositories {
        let path = repository.path.canonicalize().unwrap_or_else(|_| repository.path.clone());
        let id = SearchId::new(&path.to_string_lossy(), &hunt.arsenal.digest);
        let before = match &state {
            Some(state) => state.searched(&id).await?,
            None => Vec::new(),
        };
        let tips = hunt::tips(&repository.path);
        hunt.which = Which::Since(before);
        let found = hunt.run(&Targets { repositories: vec![repository.clone()], ..Targets::default() })?;
        // What could not be read is looked at again.
        if let (Some(state), true) = (&state, found.gaps.is_empty()) {
            state.record_searched(&id, &tips, as_of).await?;
        }
        facts.extend(found);
    }
    Ok(facts)
}

fn which(args: &LeaksArgs) -> Which {
    match &args.range {
        Some(range) => Which::Range(range.clone()),
        None if args.staged => Which::Staged,
        None => Which::Everything,
    }
}

/// What the paths of the command line are.
fn targets(args: &LeaksArgs) -> Result<Targets, Error> {
    let mut targets = Targets::default();
    let history_only = args.staged || args.range.is_some();
    for path in &args.paths {
        if path.as_os_str() == "-" {
            targets.standard_input = true;
            continue;
        }
        let metadata = path.metadata().map_err(|error| Error::Read(path.clone(), error))?;
        let target = Target { path: path.clone(), shown: shown(path) };
        let repository = metadata.is_dir().then(|| hunt::repository(path, history_only)).flatten();
        if let Some(repository) = repository.filter(|_| !args.no_history) {
            let at =
                if repository == *path { target.clone() } else { Target { path: repository, shown: String::new() } };
            targets.repositories.push(at);
        } else if history_only {
            return Err(Error::usage(
                format!("{} is in no git repository", path.display()),
                "name the folder of one: keytrail leaks --staged PATH",
            ));
        }
        if !history_only && !hunt::is_bare(path) {
            targets.trees.push(target);
        }
    }
    Ok(targets)
}

/// How reports call a path; empty for the current folder.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
    let text = text.trim_start_matches("./").trim_end_matches('/');
    if text == "." { String::new() } else { text.to_owned() }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The values of `.env` files, all of them taken for secrets.
fn env_files(files: &[PathBuf], key: &FingerprintKey, as_of: Time) -> Result<(Facts, KnownSecrets), Error> {
    let known = KnownSecrets::default();
    let mut facts = Facts::default();
    for file in files {
        file.metadata().map_err(|error| Error::Read(file.clone(), error))?;
        let reader = Reader { key, generated: false, as_of, known: Some(&known) };
        match SourceFile::read(Path::new(""), &shown(file)) {
            Ok(source) => facts.extend(inventory::read(&env_file::KIND, &source, &reader)),
            Err(gap) => facts.gaps.push(gap),
        }
    }
    let declared = facts.copies.iter().filter_map(|copy| {
        let mut declaration = Declaration::new(&copy.place.key()?, Origin::Config, copy.location.clone());
        declaration.class = Some(Class::Secret);
        declaration.environment.clone_from(&copy.environment);
        Some(declaration)
    });
    facts.declarations = declared.collect();
    Ok((facts, known))
}
