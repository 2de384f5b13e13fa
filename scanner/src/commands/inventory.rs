//! `keytrail inventory`.

use std::collections::BTreeSet;

use keytrail_reporters::formats::{inventory_json, inventory_table};
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;

use super::{Status, collect, print, use_color};
use crate::cli::{Cli, InventoryArgs, ListFormat};
use crate::error::Error;

pub(super) fn run(cli: &Cli, args: &InventoryArgs) -> Result<Status, Error> {
    // What trails prove is part of the ages.
    let (snapshot, config) = collect(cli, &args.source, &BTreeSet::from([Facet::Trails]))?;
    let report = evaluate(&snapshot, &config.policy, &BTreeSet::new());
    let options = super::output::options(use_color(cli.color), false, 0);
    let bytes = match args.format {
        ListFormat::Table => inventory_table(&report, &options),
        ListFormat::Json => inventory_json(&report)?,
    };
    print(&bytes)?;
    Ok(if report.summary.complete { Status::Clean } else { Status::Incomplete })
}
