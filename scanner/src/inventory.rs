//! The table of file kinds that the inventory is read from. Each is one file of `inventory/`.

use std::path::Path;

use keytrail_rules::model::{Facts, Gap, GapReason, ScopeEntry};

use crate::source::{Reader, SourceFile};

/// A kind of file.
#[derive(Debug)]
pub struct FileKind {
    /// How reports name it: `env-schema`.
    pub name: &'static str,
    /// The key of `[inventory]` that names such files: `schema`.
    pub config_key: &'static str,
    /// Where such files are looked for when the config names none: glob patterns over the path, as `**/.env.schema`.
    pub patterns: &'static [&'static str],
    /// Whether a file is really of this kind, by its content.
    pub claims: fn(&SourceFile) -> bool,
    /// Reads it. Never fails: what cannot be read becomes a gap among the facts.
    pub read: fn(&SourceFile, &Reader<'_>) -> Facts,
}

#[cfg(test)]
mod testing;

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every kind of file, in the order in which they are tried.
        pub static KINDS: &[&FileKind] = &[$(&$name::KIND),*];
    };
}

table![env_schema, runbook, env_file, manifests, compose, workflows, code, key_file];

/// Reads a file as a kind, with its scope entry.
pub fn read(kind: &FileKind, file: &SourceFile, reader: &Reader<'_>) -> Facts {
    let mut facts = (kind.read)(file, reader);
    if let Some(line) = file.broken_line {
        facts.gaps.push(
            Gap::at(
                file.at(line),
                GapReason::Malformed,
                "from this line on, some bytes are not UTF-8; they were read as �",
            )
            .hint("save the file as UTF-8"),
        );
    }
    let held =
        facts.declarations.len() + facts.copies.len() + facts.uses.len() + facts.code.len() + facts.key_files.len();
    facts.scope.push(ScopeEntry { source: file.path().to_owned(), kind: kind.name.to_owned(), held: held as u64 });
    facts
}

/// Reads what can be told of a file that is no text, or may not be read, from its name, its mode and its first bytes: of a
/// key store that is enough. For any other kind among `kinds` the `gap` stands, which says why it cannot be read.
pub fn read_without_content(
    kinds: &[&'static FileKind],
    root: &Path,
    path: &str,
    reader: &Reader<'_>,
    gap: Gap,
) -> Facts {
    let by_name = |kind: &&&FileKind| kind.name == key_file::KIND.name;
    let mut facts = Facts::default();
    let mut is_lost = true;
    if let (Some(kind), Ok(file)) = (kinds.iter().find(by_name), SourceFile::without_content(root, path)) {
        let claimed = (kind.claims)(&file);
        if claimed {
            facts = read(kind, &file, reader);
        }
        // A binary file of a name that is not only that of keys, such as a slide deck `intro.key`, is no key.
        let is_no_key = !claimed && gap.reason == GapReason::Malformed;
        is_lost = kinds.len() > 1 || !(claimed || is_no_key);
    }
    if is_lost {
        facts.gaps.push(gap);
    }
    facts
}

#[cfg(test)]
mod tests;
