//! `keytrail scan`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use keytrail_reporters::{Format, Options};
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::model::Location;
use keytrail_rules::report::Report;

use super::{Status, collect, print, use_color};
use crate::cli::{Cli, FailOn, ScanArgs};
use crate::error::Error;
use crate::repository;
use crate::source::open_regular;

/// A format and where its bytes go; `None` is standard output.
type Output = (&'static Format, Option<PathBuf>);

pub(super) fn run(cli: &Cli, args: &ScanArgs) -> Result<Status, Error> {
    if args.fix && !args.dry_run {
        return Err(Error::usage(
            "this version plans rotations, and does not carry them out",
            "add --dry-run to print the plan",
        ));
    }
    let outputs = outputs(args)?;
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    let (snapshot, config) = collect(cli, &args.source)?;
    let facets: BTreeSet<Facet> = match args.only.as_slice() {
        [] => Facet::ALL.into(),
        parts => parts.iter().map(|part| (*part).into()).collect(),
    };
    let mut report = evaluate(&snapshot, &config.policy, &facets);
    if let Some(known) = baseline {
        report.apply_baseline(&known);
    }
    let status = status(&report, args.fail_on);
    let context = Options {
        anchor: anchor(&report, args),
        prefix: repository::prefix(&args.source.path),
        repository: repository::of_workflow(&|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
        ..options(false, args.verbose, status.code())
    };
    // A program that reads the report must not find the plan behind it.
    let is_piped = outputs.iter().any(|(format, file)| file.is_none() && format.name != "table");
    for (format, file) in outputs {
        let to_terminal = file.is_none() && use_color(cli.color);
        let options =
            Options { color: to_terminal, width: context.width.filter(|_| file.is_none()), ..context.clone() };
        let bytes = (format.render)(&report, &options)?;
        match file {
            Some(file) => fs::write(&file, bytes).map_err(|error| Error::Write(file, error))?,
            None => print(&bytes)?,
        }
    }
    if args.fix {
        let plan = keytrail_rotation::plan::Plan::new(&report).render();
        if is_piped {
            // Nobody is left to be told if standard error is gone.
            let _ = std::io::stderr().write_all(plan.as_bytes());
        } else {
            print(plan.as_bytes())?;
        }
    }
    Ok(status)
}

/// How a report is rendered on this machine.
pub(super) fn options(color: bool, verbose: bool, exit_code: u8) -> Options {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let width = terminal_size::terminal_size().map(|(width, _)| width.0).filter(|_| is_terminal);
    Options { color, width, verbose, exit_code, ..Options::default() }
}

/// The formats of `--format` and their files.
fn outputs(args: &ScanArgs) -> Result<Vec<Output>, Error> {
    let mut outputs: Vec<Output> = Vec::new();
    if args.output.is_some() && args.format.iter().all(|wanted| wanted.contains('=')) {
        return Err(Error::usage(
            "--output names a file, and every format has its own",
            "leave --output out, or name a format without a file",
        ));
    }
    for wanted in &args.format {
        let (name, file) = match wanted.split_once('=') {
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (wanted.as_str(), args.output.clone()),
        };
        let file = file.filter(|file| file.as_os_str() != "-");
        let known = || keytrail_reporters::FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
        let format = Format::find(name).ok_or_else(|| {
            Error::usage(
                format!("there is no format '{}'", name.escape_debug()),
                format!("the formats are {}", known()),
            )
        })?;
        if outputs.iter().any(|(_, other)| *other == file) {
            return Err(Error::usage(
                "two formats go to one place",
                "give each its file: --format table --format sarif=keytrail.sarif",
            ));
        }
        outputs.push((format, file));
    }
    Ok(outputs)
}

fn read_baseline(file: &Path) -> Result<BTreeSet<String>, Error> {
    let unreadable = |error| Error::Read(file.to_owned(), error);
    let Some((mut open, _)) = open_regular(file).map_err(unreadable)? else {
        return Err(unreadable(std::io::Error::other("not a regular file")));
    };
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(keytrail_reporters::baseline(&bytes)?)
}

fn status(report: &Report, fail_on: FailOn) -> Status {
    let fails = |severity| fail_on.0.is_some_and(|limit| severity >= limit);
    if report.counting().any(|finding| fails(finding.severity)) {
        Status::Findings
    } else if !report.summary.complete {
        Status::Incomplete
    } else {
        Status::Clean
    }
}

/// The file that a finding without a line of its own points to: the config, else a schema, else any file that was
/// read.
fn anchor(report: &Report, args: &ScanArgs) -> String {
    let config = args.source.config.clone().unwrap_or_else(|| args.source.path.join("keytrail.toml"));
    let of_kind = |kind: &str| report.scope.iter().find(|scope| scope.kind == kind).map(|scope| scope.source.clone());
    let declared =
        || report.items.iter().flat_map(|item| &item.declared_at).next().map(|Location { file, .. }| file.clone());
    if config.is_file() && args.source.config.is_none() {
        return "keytrail.toml".to_owned();
    }
    of_kind("env-schema").or_else(declared).unwrap_or_else(|| "keytrail.toml".to_owned())
}
