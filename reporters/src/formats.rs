//! The table of formats. Each is one file of `formats/`.

use keytrail_rules::report::Report;

use crate::{Error, Options};

/// A format that a report can be written in.
#[derive(Debug)]
pub struct Format {
    /// The spelling of `--format`: `table`.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub summary: &'static str,
    /// The usual ending of its files, without the dot.
    pub extension: &'static str,
    /// Whether the bytes are text, which may be shown at a terminal.
    pub is_text: bool,
    /// Writes a report. Equal reports and options give equal bytes.
    pub render: fn(&Report, &Options) -> Result<Vec<u8>, Error>,
}

/// Declares the modules of the formats and lists them: one line a format.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every format, the default first.
        pub static FORMATS: &[&Format] = &[$(&$name::FORMAT),*];
    };
}

table![
    table,
    json,
    sarif,
    html,
    csv,
    csv_findings,
    xlsx,
    junit,
    markdown,
    summary,
    prometheus,
    oscal,
    ocsf,
    asff,
    vanta,
];

pub use json::diff as diff_json;
pub(crate) use json::document;
pub use json::history as history_json;
pub use json::inventory as inventory_json;
pub use json::trails as trails_json;
pub use table::diff as diff_table;
pub use table::history as history_table;
pub use table::inventory as inventory_table;
pub use table::trails as trails_table;

impl Format {
    /// The format of that name.
    pub fn find(name: &str) -> Option<&'static Format> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }
}

#[cfg(test)]
mod tests;
