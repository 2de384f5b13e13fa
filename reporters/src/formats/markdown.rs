//! GitHub-flavoured Markdown, for issues, wikis and pull-request comments.
//!
//! # Guarantees
//! Scanned text makes no link, image, mention, reference, heading, HTML or column: what is not plain words stands in a code
//! span, in which nothing is read as markup. The only links are ours, to lines of the repository. What does not fit is
//! left out at the border of a row, and said.

mod page;
mod sections;
mod text;

use keytrail_rules::report::Report;

use super::Format;
use crate::{Error, Options};
use page::Page;
use sections::{Extent, Sections};

/// Everything, as far as a comment can hold it.
pub(super) static FORMAT: Format = Format {
    name: "markdown",
    summary: "for issues, wikis and pull-request comments",
    extension: "md",
    is_text: true,
    render,
};

/// GitHub refuses comments and issues of more than 65,536 characters.
const MAX_COMMENT: usize = 65_000;

/// GitHub drops the whole summary of a step when it has more than 1,024 KiB; the rest is for what else the step writes.
const MAX_SUMMARY: usize = 1_000_000;

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    Ok(write(report, options, MAX_COMMENT, Extent::ALL))
}

/// What one screen holds of a report: the verdict, the gaps, the changes and the worst findings.
pub(super) fn summary(report: &Report, options: &Options) -> Vec<u8> {
    write(report, options, MAX_SUMMARY, Extent::TOP)
}

/// What matters most comes first: what does not fit is cut from the end.
fn write(report: &Report, options: &Options, limit: usize, extent: Extent) -> Vec<u8> {
    let mut page = Page::new(limit);
    let sections = Sections { report, options, extent };
    sections.verdict(&mut page);
    sections.gaps(&mut page);
    sections.changes(&mut page);
    sections.findings(&mut page);
    sections.secrets(&mut page);
    sections.rotations(&mut page);
    sections.exceptions(&mut page);
    sections.controls(&mut page);
    sections.scope(&mut page);
    page.finish()
}

#[cfg(test)]
mod tests;
