//! `keytrail history`, and what a scan has to do with those before it.

use std::path::Path;

use keytrail_reporters::formats::{history_json, history_table};
use keytrail_rules::history::Scan;
use keytrail_rules::model::Time;
use keytrail_rules::report::Report;

use super::{Status, print, runtime, use_color, warn};
use crate::cli::{Cli, HistoryArgs, ListFormat};
use crate::config::Config;
use crate::error::Error;
use crate::state::{Mode, State, estate};

/// Fills in what is different from the scan before and the trends, and records the scan where it may.
pub(super) fn tell(report: &mut Report, config: &Config, root: &Path, mode: Mode) -> Result<(), Error> {
    let estate = estate(&config.state, root);
    let reading = async {
        let Some(state) = State::open(&config.state, root, mode).await? else {
            return Ok(None);
        };
        let past = match mode {
            Mode::ReadOnly => state.past(&estate, report.as_of).await?,
            Mode::ReadWrite => state.record_scan(&estate, report).await?,
        };
        state.close().await?;
        Ok::<_, crate::state::StateError>(Some(past))
    };
    if let Some(past) = runtime()?.block_on(reading)? {
        if let Some(later) = past.later {
            let later = later.format("%Y-%m-%d");
            warn(&format!("this scan is not added to the history, which has one of {later} already"));
        }
        past.tell(report);
    }
    Ok(())
}

pub(super) fn run(cli: &Cli, args: &HistoryArgs) -> Result<Status, Error> {
    let unreadable = |error| Error::Root(args.path.clone(), error);
    if !args.path.metadata().map_err(unreadable)?.is_dir() {
        return Err(unreadable(std::io::ErrorKind::NotADirectory.into()));
    }
    let config = Config::load(&args.path, args.config.as_deref())?;
    let reading = async {
        let Some(state) = State::open(&config.state, &args.path, Mode::ReadOnly).await? else {
            return Ok(Vec::new());
        };
        let scans = state.scans(&estate(&config.state, &args.path)).await?;
        state.close().await?;
        Ok::<_, crate::state::StateError>(scans)
    };
    let mut scans: Vec<Scan> = runtime()?.block_on(reading)?;
    let known = scans.len();
    scans.retain(|scan| args.since.is_none_or(|since| scan.as_of >= since));
    match args.format {
        ListFormat::Json => print(&history_json(&scans)?)?,
        ListFormat::Table if scans.is_empty() => print(how_to_have_one(known, args.since).as_bytes())?,
        ListFormat::Table => print(&history_table(&scans, &super::output::options(use_color(cli.color), false, 0)))?,
    }
    Ok(Status::Clean)
}

/// What to do, where no scan is known.
fn how_to_have_one(known: usize, since: Option<Time>) -> String {
    match since {
        Some(since) if known > 0 => {
            format!("No scan was recorded since {since}; {known} were before.\n", since = since.format("%Y-%m-%d"))
        }
        _ => "No scan was recorded here yet.\n\
              `keytrail scan` without --as-of records what it finds in the state: .keytrail/, or [state] url of \
              keytrail.toml.\nRun it every night, and this command lists the scans with what they measured.\n"
            .to_owned(),
    }
}
