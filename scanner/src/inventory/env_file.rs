//! `.env` files: every line is a copy of a secret or variable.

use std::collections::BTreeMap;

use keytrail_rules::model::{CopyKind, Facts, GapReason, Place, SecretCopy};

use super::FileKind;
use crate::dotenv::{self, Fault, LineKind};
use crate::source::{FileGaps, Reader, SourceFile};

#[cfg(test)]
mod tests;

/// `.env` files. The schema and the examples beside them (`.env.example`, `.env.dist`, …) hold no copies.
pub static KIND: FileKind = FileKind {
    name: "env-file",
    config_key: "env_files",
    patterns: &["**/.env", "**/.env.*", "**/*.env"],
    claims,
    read,
};

/// Parts of a file name that make it a schema or an example.
const NO_COPIES: &[&str] = &["schema", "example", "sample", "template", "dist"];

fn claims(file: &SourceFile) -> bool {
    let name = file.name().to_lowercase();
    !name.split('.').any(|part| NO_COPIES.contains(&part))
}

fn read(file: &SourceFile, reader: &Reader<'_>) -> Facts {
    let text = file.text();
    let environment = reader.environment(file);
    let mut gaps = FileGaps::new(file);
    // A key that is set twice has the later value, as programs see it.
    let mut copies: BTreeMap<&str, SecretCopy> = BTreeMap::new();
    for line in dotenv::parse(text) {
        match line.kind {
            LineKind::Blank | LineKind::Comment => {}
            LineKind::Broken(fault) => {
                let (message, hint) = explain(fault);
                gaps.push(file.line_of(line.span.start), GapReason::Malformed, message, hint);
            }
            LineKind::Assignment(assignment) => {
                let number = file.line_of(assignment.key.start);
                if gaps.full(copies.len(), number) {
                    break;
                }
                let key = &text[assignment.key.clone()];
                let place = Place::new(KIND.name, file.path(), key);
                let value = reader.observe(assignment.read(text).expose());
                let mut copy = SecretCopy::new(place, CopyKind::EnvFile, Some(file.at(number)), value);
                copy.environment.clone_from(&environment);
                copy.generated = reader.generated;
                copies.insert(key, copy);
            }
        }
    }
    Facts { copies: copies.into_values().collect(), gaps: gaps.finish(), ..Facts::default() }
}

/// What is lost with a broken line, and how to mend it. The line may hold a value, so it is not quoted.
fn explain(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::NoEquals => {
            ("the line has no `=`, so it sets no variable", "write KEY=value, or put # before a comment")
        }
        Fault::BadName => ("what stands before `=` is no name of a variable", "use letters, digits, `_`, `.` and `-`"),
        Fault::OpenQuote => ("the quote before the value is never closed", "close the quote, or escape it"),
        Fault::TextAfterQuote => {
            ("text follows the closing quote of the value", "quote the whole value, or put # before a comment")
        }
    }
}
