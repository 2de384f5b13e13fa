//! `keytrail trails`.

use std::collections::BTreeSet;

use keytrail_reporters::formats::{trails_json, trails_table};
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::model::Snapshot;

use super::{Status, collect_first, follow, print, use_color};
use crate::cli::{Cli, ListFormat, TrailsArgs};
use crate::config::Config;
use crate::error::Error;
use crate::trails::KINDS;

pub(super) fn run(cli: &Cli, args: &TrailsArgs) -> Result<Status, Error> {
    let mut collected = collect_first(cli, &args.source, false)?;
    let list = |snapshot: &Snapshot, config: &Config| -> Result<Status, Error> {
        let report = evaluate(snapshot, &config.policy, &BTreeSet::from([Facet::Trails]));
        let options = super::output::options(use_color(cli.color), true, 0);
        match args.format {
            ListFormat::Json => print(&trails_json(&report)?)?,
            ListFormat::Table if config.trails.is_empty() => print(how_to_have_one().as_bytes())?,
            ListFormat::Table => print(&trails_table(&report, &options))?,
        }
        Ok(if report.summary.complete { Status::Clean } else { Status::Incomplete })
    };
    if !args.follow || collected.config.trails.is_empty() {
        collected.read_trails()?;
        let (snapshot, config) = collected.finish();
        return list(&snapshot, &config);
    }
    if args.format == ListFormat::Json {
        return Err(Error::usage("--follow prints lines for people", "leave --format out"));
    }
    follow::run(collected, &|snapshot, config| {
        list(snapshot, config)?;
        print(b"\nNew events and verdicts, until you interrupt it:\n")
    })?;
    Ok(Status::Clean)
}

/// What to write in the config, where it has no trail.
fn how_to_have_one() -> String {
    let mut kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    kinds.sort_unstable();
    format!(
        "The config names no trail, so that nothing is known of who changed what.\n\
         A [[trail]] of keytrail.toml names a log of a store, of an application, or of the requests for rotations:\n\n\
         [[trail]]\n\
         name = \"vault-audit\"\n\
         kind = \"vault-audit\"\n\
         path = \"audit/vault.log*\"\n\
         covers = [2026-01-01, 2026-06-30]   # where nothing proves what it holds: reported as declared\n\n\
         Kinds: {}\n",
        kinds.join(", ")
    )
}
