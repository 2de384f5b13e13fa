//! `keytrail diff`.

use std::path::Path;

use keytrail_reporters::diff::{diff, markdown};
use keytrail_reporters::formats::{diff_json, diff_table};

use super::output::{read_regular, read_report};
use super::{Status, print, use_color};
use crate::cli::{Cli, DiffArgs, DiffFormat};
use crate::error::Error;

pub(super) fn run(cli: &Cli, args: &DiffArgs) -> Result<Status, Error> {
    let is_input = |path: &Path| path.as_os_str() == "-";
    if is_input(&args.before) && is_input(&args.after) {
        return Err(Error::usage("both reports are standard input", "name a file for one of them"));
    }
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let (first, second) = (name(&args.before), name(&args.after));
    let diff = diff((&first, &before), (&second, &after))?;
    let bytes = match args.format {
        DiffFormat::Table => diff_table(&diff, &super::output::options(use_color(cli.color), false, 0)),
        DiffFormat::Json => diff_json(&diff)?,
        DiffFormat::Markdown => markdown(&diff),
    };
    print(&bytes)?;
    let fails = |worst| args.fail_on.0.is_some_and(|limit| worst >= limit);
    Ok(match diff.worst() {
        Some(worst) if fails(worst) => Status::Findings,
        _ if !diff.after.complete => Status::Incomplete,
        _ => Status::Clean,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    if path.as_os_str() != "-" {
        return read_regular(path);
    }
    read_report(std::io::stdin().lock()).map_err(|error| Error::Read("standard input".into(), error))
}

fn name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        keytrail_rules::text::visible(&path.to_string_lossy()).into_owned()
    }
}
