//! `keytrail export`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keytrail_reporters::Options;
use keytrail_rotation::ledger::note::Verifier;
use keytrail_rotation::ledger::verify::Ledger;
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use sha2::{Digest, Sha256};

use super::scan::anchor;
use super::{Status, collect_first, history, now, print, runtime, warn};
use crate::cli::{Cli, ExportArgs, SourceArgs};
use crate::config::{Config, FILE_NAME};
use crate::error::Error;
use crate::export::{self, ConfigDigest, Evidence, Run, Written};
use crate::repository;
use crate::rotation::requester;
use crate::signing::KeyPlace;
use crate::state::{Mode, State, ledger_verifier};

pub(super) fn run(cli: &Cli, args: &ExportArgs) -> Result<Status, Error> {
    // What is wrong with the command line should show before anything is scanned.
    export::check(&args.out, args.timestamp.as_deref())?;
    let (since, until) = (args.since, args.until);
    if since.is_some_and(|since| since >= until.unwrap_or_else(now)) {
        return Err(Error::usage("--since is not before --until, or is yet to come", "name an earlier time"));
    }
    let source =
        SourceArgs { path: args.path.clone(), config: args.config.clone(), as_of: until, record: false, forget: false };
    let config = Config::load(&args.path, args.config.as_deref())?;
    let place = KeyPlace::of(&args.path, &config, args.key.key.as_deref(), args.key.transit.as_deref())?;
    let runtime = runtime()?;
    let key = runtime.block_on(place.open())?;

    let mut collected = collect_first(cli, &source, true)?;
    collected.read_trails()?;
    let arsenal = collected.arsenal.take();
    let (snapshot, config) = collected.finish();
    let mut report = evaluate(&snapshot, &config.policy, &BTreeSet::from(Facet::ALL));
    history::tell(&mut report, &config, &args.path, Mode::ReadOnly)?;
    let (ledger, verifiers) = runtime.block_on(read_ledger(&config, &args.path))?;
    let evidence = Evidence {
        root: &args.path,
        config: &config,
        config_digest: digest(&args.path, args.config.as_deref())?,
        snapshot: &snapshot,
        report: &report,
        options: Options {
            anchor: anchor(&report, &source),
            prefix: repository::prefix(&args.path),
            repository: repository::of_workflow(&|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
            ..Options::default()
        },
        since,
        ledger,
        verifiers,
        arsenal: arsenal.as_ref(),
        run: (!args.no_identity).then(|| who(&config)),
        timestamp: args.timestamp.as_deref(),
        previous: args.previous.as_deref(),
    };
    let signer = key.public().fingerprint();
    let written = runtime.block_on(export::write(evidence, &key, &args.out));
    runtime.block_on(key.close());
    let written = written?;
    print(describe(&written, &args.out, &signer).as_bytes())?;
    if let Some(why) = &written.unchained {
        warn(&format!("the next export will not follow this one, unless --previous names it: {why}"));
    }
    Ok(if report.summary.complete { Status::Clean } else { Status::Incomplete })
}

fn describe(written: &Written, out: &Path, signer: &str) -> String {
    let (included, withheld, unavailable) = written.records;
    let mut text = format!(
        "{}: {} files, signed with {signer}\n{included} raw records ({withheld} withheld, {unavailable} gone), {} rows of the ledger\n",
        out.display(),
        written.files,
        written.rows,
    );
    for (format, why) in &written.skipped {
        text += &format!("not written as {format}: {why}\n");
    }
    text + &format!("VERIFY.md says how to verify it; `keytrail verify {} --key KEY` does\n", out.display())
}

/// The ledger of the state, and what checks its checkpoints.
async fn read_ledger(config: &Config, root: &Path) -> Result<(Ledger, Vec<Verifier>), Error> {
    let verifiers = ledger_verifier(root)?.into_iter().collect();
    let ledger = match State::open(&config.state, root, Mode::ReadOnly).await? {
        Some(state) => {
            let ledger = state.rotation_ledger().await?;
            state.close().await?;
            ledger
        }
        None => Ledger::default(),
    };
    Ok((ledger, verifiers))
}

fn digest(root: &Path, explicit: Option<&Path>) -> Result<Option<ConfigDigest>, Error> {
    let path = explicit.map_or_else(|| root.join(FILE_NAME), Path::to_owned);
    if explicit.is_none() && !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(|error| Error::Read(path.clone(), error))?;
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Some(ConfigDigest { file, sha256 }))
}

fn who(config: &Config) -> Run {
    Run {
        at: now(),
        user: requester(&config.rotation),
        host: host(),
        arguments: std::env::args_os().skip(1).map(|one| one.to_string_lossy().into_owned()).collect(),
    }
}

/// The name of this machine, so far as it tells.
fn host() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let variable = || std::env::var("HOSTNAME").ok();
    kernel.or_else(variable).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
