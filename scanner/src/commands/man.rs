//! `keytrail man`: the manual pages, one a command, in the roff that `man` reads.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::{Status, print};
use crate::cli::{Cli, ManArgs};
use crate::error::Error;

/// What holds for every command, unless its help says otherwise.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Nothing was found at or above --fail-on; or the command did what it was asked to."),
    ("1", "Something was found at or above --fail-on."),
    ("2", "It could not run: wrong usage, config or state."),
    ("3", "Nothing worse, but some evidence could not be read."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "KEYTRAIL_FINGERPRINT_KEY",
        "The key of the fingerprints, instead of the file that holds it: for jobs that keep no files.",
    ),
    ("KEYTRAIL_ROTATION_KEY", "The key that values of rotations under way are sealed with, instead of its file."),
    (
        "VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT",
        "A Vault or OpenBao that the config names without them.",
    ),
    ("KUBECONFIG", "How clusters are reached."),
    ("GITHUB_REPOSITORY, GITHUB_SHA, GITHUB_REF_NAME", "In a workflow of GitHub: what reports link to."),
    ("NO_COLOR", "No colours, where it is set and not empty."),
];

const FILES: &[(&str, &str)] = &[
    ("keytrail.toml", "The config, in the scanned folder. None is needed; keytrail init writes one."),
    (
        ".keytrail/",
        "What scans remember: the state, and the key of the fingerprints, mode 0600. No value is kept in plain. Keep it out \
         of version control.",
    ),
];

pub(super) fn run(args: &ManArgs) -> Result<Status, Error> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    match &args.out {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|error| Error::Write(folder.clone(), error))?;
            write_all(&command, folder)?;
        }
        None => print(&page(&command))?,
    }
    Ok(Status::Clean)
}

/// Writes the page of a command and those of the commands below it.
fn write_all(command: &Command, folder: &Path) -> Result<(), Error> {
    let path = folder.join(format!("{}.1", name(command)));
    fs::write(&path, page(command)).map_err(|error| Error::Write(path, error))?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| write_all(below, folder))
}

/// `keytrail-rules-explain`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// The page of one command, in section 1. It has no date, so that equal versions have equal pages.
fn page(command: &Command) -> Vec<u8> {
    let man = Man::new(command.clone()).source(format!("keytrail {}", env!("CARGO_PKG_VERSION"))).manual("Keytrail");
    let mut page = Vec::new();
    let written = [Man::render_title, Man::render_name_section, Man::render_synopsis_section]
        .into_iter()
        .chain([Man::render_description_section, Man::render_options_section])
        .try_for_each(|section| section(&man, &mut page));
    #[expect(clippy::expect_used, reason = "a vector takes whatever is written to it")]
    written.expect("written to memory");
    let mut rest = Roff::new();
    commands(&mut rest, command);
    let says_exit_status = help(&mut rest, command);
    if !says_exit_status {
        section(&mut rest, "EXIT STATUS", EXIT_STATUS);
    }
    section(&mut rest, "ENVIRONMENT", ENVIRONMENT);
    section(&mut rest, "FILES", FILES);
    see_also(&mut rest, command);
    page.extend(rest.render().into_bytes());
    page
}

fn commands(roff: &mut Roff, command: &Command) {
    let below: Vec<&Command> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
    if below.is_empty() {
        return;
    }
    roff.control("SH", ["COMMANDS"]);
    for below in below {
        let about = below.get_about().map(ToString::to_string).unwrap_or_default();
        entry(roff, &format!("{}(1)", name(below)), &about);
    }
}

/// The help that stands below the options, paragraph by paragraph: those that begin with a heading are sections. Whether
/// one of them tells the exit status.
fn help(roff: &mut Roff, command: &Command) -> bool {
    let Some(text) = command.get_after_long_help().or_else(|| command.get_after_help()) else {
        return false;
    };
    let text = text.to_string();
    let mut says_exit_status = false;
    let mut in_notes = false;
    for paragraph in text.split("\n\n") {
        let (heading, lines) = match paragraph.split_once(':') {
            Some((heading @ ("Examples" | "Exit status"), lines)) => (heading.to_uppercase(), lines),
            _ if in_notes => {
                roff.control("PP", []);
                literal_or_text(roff, paragraph);
                continue;
            }
            _ => ("NOTES".to_owned(), paragraph),
        };
        in_notes = heading == "NOTES";
        says_exit_status |= heading == "EXIT STATUS";
        roff.control("SH", [heading.as_str()]);
        literal_or_text(roff, lines);
    }
    says_exit_status
}

/// Indented lines stay as they are, others are filled.
fn literal_or_text(roff: &mut Roff, text: &str) {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let is_literal = lines.iter().all(|line| line.starts_with("  "));
    if is_literal {
        roff.control("nf", []);
    }
    for line in lines {
        roff.text([roman(line.trim())]);
    }
    if is_literal {
        roff.control("fi", []);
    }
}

fn section(roff: &mut Roff, heading: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, text) in entries {
        entry(roff, term, text);
    }
}

fn entry(roff: &mut Roff, term: &str, text: &str) {
    let lines: [Vec<Inline>; 2] = [vec![bold(term)], vec![roman(text)]];
    roff.control("TP", []);
    for line in lines {
        roff.text(line);
    }
}

/// The pages above, by the dashes of the name.
fn see_also(roff: &mut Roff, command: &Command) {
    let name = name(command);
    let above: Vec<String> = name.match_indices('-').map(|(at, _)| format!("{}(1)", &name[..at])).collect();
    if !above.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([roman(above.join(", "))]);
    }
}
