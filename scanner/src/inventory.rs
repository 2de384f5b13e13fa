//! The table of file kinds that the inventory is read from. Each is one file of `inventory/`.

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

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every kind of file, in the order in which they are tried.
        pub static KINDS: &[&FileKind] = &[$(&$name::KIND),*];
    };
}

table![];

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
