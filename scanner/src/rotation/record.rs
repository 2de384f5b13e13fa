//! Dates of rotations in files for people: the table of a runbook, and a file of notes.
//!
//! # Guarantees
//! Nothing else in a file changes, and it is replaced whole: a reader sees all of the old text or all of the new one. A note
//! of a run is there once, however often it is written.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use keytrail_rules::model::{Declaration, Location, Origin, Time};

use super::after::Ended;

/// Longer files are no notes of people.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Adds a line for each confirmed run to a Markdown file, which is made where it is not there.
///
/// # Errors
/// The file cannot be read or written.
pub fn note(path: &Path, ended: &[Ended], day: Time) -> io::Result<()> {
    const HEAD: &str = "# Rotations\n\n| Date | Secrets | Asked for by | Why | Run |\n|---|---|---|---|---|\n";
    let before = match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => HEAD.to_owned(),
        read => read?,
    };
    let mut text = before.clone();
    for ended in ended.iter().filter(|ended| ended.is_confirmed()) {
        let (run, request) = (&ended.job.run, &ended.job.request);
        if before.contains(run.as_str()) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let cells = [date(day), ended.items().join(", "), request.by.clone(), request.reason.clone(), run.clone()];
        text.push_str(&format!("| {} |\n", cells.map(|cell| as_cell(&cell)).join(" | ")));
    }
    if text == before { Ok(()) } else { replace(path, &text) }
}

/// Writes a date into the rows of runbooks that declare some items, in the column of the last rotation. Gives the rows that
/// it could not be written to, and why.
pub fn stamp_runbooks(
    root: &Path,
    declarations: &[Declaration],
    is_rotated: &dyn Fn(&Declaration) -> bool,
    day: Time,
) -> Vec<String> {
    let in_runbooks = || declarations.iter().filter(|one| one.origin == Origin::Runbook);
    let rows: BTreeSet<&Location> =
        in_runbooks().filter(|one| is_rotated(one)).filter_map(|one| one.location.as_ref()).collect();
    let mut missed = Vec::new();
    for row in rows {
        let is_here = |one: &&Declaration| one.location.as_ref() == Some(row);
        if in_runbooks().filter(is_here).any(|one| !is_rotated(one)) {
            missed.push(format!("{row} speaks of other secrets too, which were not rotated: set its date by hand"));
            continue;
        }
        let path = root.join(&row.file);
        let written = read(&path).and_then(|text| match stamped(&text, row.line as usize, &date(day)) {
            Some(new) if new != text => replace(&path, &new),
            Some(_) => Ok(()),
            None => Err(io::Error::other("its table has no column for the last rotation")),
        });
        if let Err(error) = written {
            missed.push(format!("the date was not written to {row}: {error}"));
        }
    }
    missed
}

/// A text with a date in the column of the last rotation of a row (1-based); `None` where its table has no such column.
fn stamped(text: &str, row: usize, date: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = row.checked_sub(1)?;
    let is_rule =
        |line: &&str| line.contains('-') && line.trim().chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t'));
    let rule = (1..at).rev().find(|line| lines.get(*line).is_some_and(is_rule))?;
    let column =
        cells(lines.get(rule - 1)?).iter().position(|span| is_last_rotation(&lines[rule - 1][span.clone()]))?;
    let line = *lines.get(at)?;
    let span = cells(line).get(column)?.clone();
    let old = &line[span.clone()];
    let new = if old.trim().is_empty() { format!(" {date} ") } else { old.replacen(old.trim(), date, 1) };
    let mut stamped: String = lines[..at].concat();
    stamped.extend([&line[..span.start], &new, &line[span.end..]]);
    stamped.extend(lines[at + 1..].iter().copied());
    Some(stamped)
}

/// Whether a column is headed `Last rotated`, `Last rotation`, `Rotated on`, `Date rotated`.
fn is_last_rotation(head: &str) -> bool {
    let head = head.to_lowercase();
    head.contains("rotat") && ["last", " on", "date", " at"].iter().any(|word| head.contains(word))
}

/// The cells of a row (GitHub Flavored Markdown, "Tables"): bytes between `|` that no backslash precedes.
fn cells(line: &str) -> Vec<std::ops::Range<usize>> {
    let line = line.trim_end();
    let mut cells = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in line.char_indices() {
        if c == '|' && !escaped {
            cells.push(start..at);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    cells.push(start..line.len());
    // Before the first bar there is no cell, nor after the last one.
    if line.trim_start().starts_with('|') {
        cells.remove(0);
    }
    cells
}

fn as_cell(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect::<String>().replace('\\', "\\\\").replace('|', "\\|")
}

fn date(day: Time) -> String {
    day.format("%Y-%m-%d").to_string()
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_BYTES {
        return Err(io::Error::other("the file is larger than 16 MiB"));
    }
    fs::read_to_string(path)
}

/// Replaces a file, or the one that a link leads to, with its mode.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target: PathBuf = fs::canonicalize(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(path.to_owned()),
        _ => Err(error),
    })?;
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".keytrail-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Ok(metadata) = fs::metadata(&target) {
        file.as_file().set_permissions(metadata.permissions())?;
    } else {
        make_readable(file.as_file())?;
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// A new file of notes is for everybody who may read its folder; temporary files are not.
#[cfg(unix)]
fn make_readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::stamped;

    #[test]
    fn a_date_replaces_one_cell_and_nothing_else() {
        let before = "# Keys\r\n\r\n| Secret | Last rotated | Every |\r\n|---|:--|---|\r\n| `A\\|B` | 2025-01-01 | 90 days |\r\n| C |  | 30 days |\r\n";
        let after = before.replace("2025-01-01", "2026-11-21");
        assert_eq!(stamped(before, 5, "2026-11-21").as_deref(), Some(after.as_str()));
        let empty = before.replace("| C |  |", "| C | 2026-11-21 |");
        assert_eq!(stamped(before, 6, "2026-11-21").as_deref(), Some(empty.as_str()));
    }

    #[test]
    fn a_table_without_the_column_is_left_as_it_is() {
        let text = "Secret | Every\n---|---\nA | 90 days\n";
        assert_eq!(stamped(text, 3, "2026-11-21"), None);
        assert_eq!(stamped("", 3, "2026-11-21"), None);
        assert_eq!(stamped(text, 0, "2026-11-21"), None);
        let bare = "Secret | Rotated on\n---|---\nA | never\n";
        assert_eq!(stamped(bare, 3, "2026-11-21").as_deref(), Some("Secret | Rotated on\n---|---\nA | 2026-11-21\n"));
    }
}
