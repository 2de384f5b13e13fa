//! `.env.schema`: what every variable is, in one of two dialects that are told apart by content.

use keytrail_rules::model::{Facts, GapReason};

use super::FileKind;
use crate::dotenv;
use crate::source::{FileGaps, Reader, SourceFile};

mod blocks;
mod decorators;
mod syntax;
#[cfg(test)]
mod tests;

/// The schema of environment variables.
pub static KIND: FileKind = FileKind {
    name: "env-schema",
    config_key: "schema",
    patterns: &["**/.env.schema", "**/*.env.schema"],
    claims: |_| true,
    read,
};

/// How a schema is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dialect {
    /// Blocks of `field: value`.
    Blocks,
    /// `KEY=value` under `# @decorator` comments.
    Decorators,
}

fn read(file: &SourceFile, reader: &Reader<'_>) -> Facts {
    let mut gaps = FileGaps::new(file);
    let declarations = match dialect(file) {
        Some(Dialect::Blocks) => blocks::read(file, reader, &mut gaps),
        Some(Dialect::Decorators) => decorators::read(file, reader, &mut gaps),
        None => {
            if let Some((line, _)) = file.lines().find(|(_, line)| is_content(line)) {
                gaps.push(
                    line,
                    GapReason::Unsupported,
                    "the schema is in neither of the two dialects that are read",
                    "write blocks of `key: …` lines, or KEY=value under `# @decorator` comments",
                );
            }
            Vec::new()
        }
    };
    Facts { declarations, gaps: gaps.finish(), ..Facts::default() }
}

/// The dialect that most lines speak for; `None` where none does.
fn dialect(file: &SourceFile) -> Option<Dialect> {
    let (mut fields, mut assignments) = (0u32, 0u32);
    for (_, line) in file.lines().filter(|(_, line)| is_content(line)) {
        let line = dotenv::without_export(line.trim_start());
        let name = line.len() - line.trim_start_matches(|c: char| dotenv::is_key_char(c) || c == ' ').len();
        if line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            fields += u32::from(line[name..].starts_with(':'));
            assignments += u32::from(line[name..].starts_with('='));
        }
    }
    match fields.cmp(&assignments) {
        std::cmp::Ordering::Greater => Some(Dialect::Blocks),
        std::cmp::Ordering::Less => Some(Dialect::Decorators),
        std::cmp::Ordering::Equal => (fields > 0).then_some(Dialect::Blocks),
    }
}

fn is_content(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}
