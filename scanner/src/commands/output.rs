//! What the commands that make a report share: its formats, its baseline, its exit status.

mod file;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use keytrail_reporters::{AwsAccount, Format, Options, Pipeline, SarifProfile};
use keytrail_rules::controls::{Framework, bears_on};
use keytrail_rules::report::Report;

use super::{Status, print, terminal, use_color, warn};
use crate::cli::{Color, FailOn, Links, Profile, ReportArgs};
use crate::error::Error;
use crate::lines::{self, Wanted};
use crate::source::open_regular;

/// A format and where its bytes go; `None` is standard output.
type Output = (&'static Format, Option<PathBuf>);

/// Where a report goes, and what it is measured by. Made before anything is scanned, so that a mistake shows at once.
pub(super) struct Outputs {
    outputs: Vec<Output>,
    baseline: Option<BTreeSet<String>>,
    fail_on: FailOn,
    color: Color,
    frameworks: Vec<&'static Framework>,
    aws: Option<AwsAccount>,
    links: Links,
    profile: SarifProfile,
    pipeline: Option<Pipeline>,
    category: Option<String>,
}

impl Outputs {
    /// Reads the options.
    pub(super) fn new(args: &ReportArgs, color: Color) -> Result<Self, Error> {
        let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
        let (profile, pipeline) = match args.show.sarif_profile {
            Profile::Github => (SarifProfile::Github, None),
            Profile::Full => (SarifProfile::Full, None),
            Profile::Ado => (SarifProfile::Ado, Some(pipeline()?)),
        };
        let outputs = outputs(args)?;
        Ok(Self {
            aws: account(args, &outputs)?,
            frameworks: args.narrow.framework.clone(),
            outputs,
            baseline,
            fail_on: args.fail_on,
            color,
            links: args.show.links,
            profile,
            pipeline,
            category: args.show.category.clone(),
        })
    }

    /// Whether a program reads the report from standard output.
    pub(super) fn is_piped(&self) -> bool {
        self.outputs.iter().any(|(format, file)| file.is_none() && format.name != "table")
    }

    /// Marks what the baseline has, and says how the command ends.
    pub(super) fn judge(&self, report: &mut Report) -> Status {
        if let Some(known) = &self.baseline {
            report.apply_baseline(known);
        }
        status(report, self.fail_on, &self.frameworks)
    }

    /// Writes the report on the folder `root` in every format.
    pub(super) fn write(self, report: &Report, context: &Options, root: &Path) -> Result<(), Error> {
        let narrowed = (!self.frameworks.is_empty()).then(|| report.only(&self.frameworks));
        let report = narrowed.as_ref().unwrap_or(report);
        let has = |name: &str| self.outputs.iter().any(|(format, _)| format.name == name);
        let is_sarif = has("sarif");
        let wanted = Wanted { hashes: is_sarif, shown: context.verbose && has("table") };
        let mut options = Options {
            lines: lines::of_report(report, root, wanted),
            sarif_profile: self.profile,
            pipeline: self.pipeline,
            aws: self.aws,
            ..context.clone()
        };
        if let Some(category) = self.category {
            options.category = category;
        }
        let (links, width) = (terminal::links(self.links, root), options.width);
        for (format, file) in self.outputs {
            let is_shown = file.is_none();
            options.color = is_shown && use_color(self.color);
            options.width = width.filter(|_| is_shown);
            options.links = links.clone().filter(|_| is_shown);
            let bytes = (format.render)(report, &options)?;
            match file {
                Some(file) => file::write(&file, &bytes).map_err(|error| Error::Write(file, error))?,
                None => print(&bytes)?,
            }
        }
        if is_sarif && self.profile != SarifProfile::Full && !report.summary.complete {
            warn(
                "the SARIF is of an incomplete scan and says so: do not upload it, it would close the alerts it misses",
            );
        }
        Ok(())
    }
}

/// How a report is rendered on this machine.
pub(super) fn options(color: bool, verbose: bool, exit_code: u8) -> Options {
    Options { color, width: terminal::width(), verbose, exit_code, ..Options::default() }
}

/// The build of Azure Pipelines that this runs in.
fn pipeline() -> Result<Pipeline, Error> {
    Pipeline::from_variables(&|name| std::env::var(name).ok()).map_err(|missing| {
        Error::usage(
            format!("the ado profile names the pipeline, and {missing} is not set"),
            "run it in Azure Pipelines, which sets it, or leave --sarif-profile out",
        )
    })
}

/// The formats of `--format` and their files.
fn outputs(args: &ReportArgs) -> Result<Vec<Output>, Error> {
    let mut outputs: Vec<Output> = Vec::new();
    if args.output.is_some() && !args.format.is_empty() && args.format.iter().all(|wanted| wanted.contains('=')) {
        return Err(Error::usage(
            "--output names a file, and every format has its own",
            "leave --output out, or name a format without a file",
        ));
    }
    let guessed = [guess(args.output.as_deref()).name.to_owned()];
    let wanted: &[String] = if args.format.is_empty() { &guessed } else { args.format.as_slice() };
    for wanted in wanted {
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
        if !format.is_text && file.is_none() && std::io::stdout().is_terminal() {
            return Err(Error::usage(
                format!("{} is no text, and standard output is a terminal", format.name),
                format!("name a file: --format {}=report.{}", format.name, format.extension),
            ));
        }
        outputs.push((format, file));
    }
    Ok(outputs)
}

/// The first format whose files have that ending; else the table.
fn guess(file: Option<&Path>) -> &'static Format {
    let ending = file.and_then(Path::extension).and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    let formats = keytrail_reporters::FORMATS;
    formats.iter().copied().find(|format| format.extension.eq_ignore_ascii_case(ending)).unwrap_or(formats[0])
}

/// The account of AWS that a format asks for.
fn account(args: &ReportArgs, outputs: &[Output]) -> Result<Option<AwsAccount>, Error> {
    let hint = "name it: --aws-account 123456789012 --aws-region eu-central-1";
    let account = args.narrow.aws().map_err(|wrong| Error::usage(wrong, hint))?;
    if account.is_none() && outputs.iter().any(|(format, _)| format.name == "asff") {
        return Err(Error::usage("findings of Security Hub belong to an AWS account, and none is named", hint));
    }
    Ok(account)
}

fn read_baseline(file: &Path) -> Result<BTreeSet<String>, Error> {
    Ok(keytrail_reporters::baseline(&read_regular(file)?)?)
}

/// The bytes of an earlier report.
pub(super) fn read_regular(file: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error| Error::Read(file.to_owned(), error);
    let Some((open, _)) = open_regular(file).map_err(unreadable)? else {
        return Err(unreadable(std::io::Error::other("not a regular file")));
    };
    read_report(open).map_err(unreadable)
}

/// The bytes of an earlier report, up to a limit that none reaches.
pub(super) fn read_report(from: impl Read) -> std::io::Result<Vec<u8>> {
    const LIMIT: u64 = 1 << 30;
    let mut bytes = Vec::new();
    from.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(std::io::Error::other("it has more than 1 GiB, which no report has"));
    }
    Ok(bytes)
}

/// Findings that have to do with none of the frameworks do not fail a scan; what could not be read does, whatever it is.
fn status(report: &Report, fail_on: FailOn, frameworks: &[&Framework]) -> Status {
    let fails = |severity| fail_on.0.is_some_and(|limit| severity >= limit);
    if report.counting().any(|finding| fails(finding.severity) && bears_on(finding.rule, frameworks)) {
        Status::Findings
    } else if !report.summary.complete {
        Status::Incomplete
    } else {
        Status::Clean
    }
}
