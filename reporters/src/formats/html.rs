//! A page for people: what is wrong, what changed, how old every secret is, what the trails show, and what was not seen.
//!
//! # Guarantees
//! * One file, which asks nothing of any network: its policy (Content Security Policy, level 3) allows its own style and
//!   its own script, by their hashes, and nothing else.
//! * All that it says is in the markup: without the script it lacks filters and sorting only.
//! * Nothing that was read becomes markup, style or script: see [`write`].
//! * A report with gaps says so in its first line.
//! * It stays within [`MAX_BYTES`] for 10,000 secrets: what is left out then is said where it is.

mod changes;
mod controls;
mod findings;
mod header;
mod rotation;
mod rotations;
mod scope;
mod secrets;
mod swimlanes;
mod timeline;
mod trends;
mod write;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keytrail_rules::report::{ItemReport, Report};
use sha2::{Digest, Sha256};

use super::Format;
use crate::{Error, Options};
use timeline::Timeline;

/// One page for people, without any other file.
pub(super) static FORMAT: Format = Format {
    name: "html",
    summary: "one page for people, with all that it needs",
    extension: "html",
    is_text: true,
    render,
};

const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = include_str!("html/report.js");

/// A larger page is written again with less detail.
const MAX_BYTES: usize = 4_900_000;

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    let page = Page::new(report, options);
    let whole = page.render();
    let text = if whole.len() <= MAX_BYTES { whole } else { Page { is_short: true, ..page }.render() };
    Ok(text.into_bytes())
}

/// A report on its way to a page. Each section is markup; empty where there is nothing to say.
struct Page<'a> {
    report: &'a Report,
    options: &'a Options,
    /// The secrets by id, with their numbers in the page.
    items: BTreeMap<&'a str, (usize, &'a ItemReport)>,
    timeline: Timeline,
    /// Whether details are left out, so that the page does not become too large.
    is_short: bool,
}

impl<'a> Page<'a> {
    fn new(report: &'a Report, options: &'a Options) -> Self {
        let items = report.items.iter().enumerate().map(|(number, item)| (item.id.as_str(), (number, item))).collect();
        Self { report, options, items, timeline: Timeline::new(report), is_short: false }
    }

    fn render(&self) -> String {
        let scale = self.timeline.style();
        let mut page = String::with_capacity(100_000);
        page += "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n";
        page += &format!(
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src {} {}; script-src {}; \
             img-src data:; base-uri 'none'; form-action 'none'\">\n",
            hash(STYLE),
            hash(&scale),
            hash(SCRIPT)
        );
        page += "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n";
        page += "<meta name=referrer content=no-referrer>\n<meta name=color-scheme content=\"light dark\">\n";
        page += &format!("<title>{}</title>\n", self.title());
        page += &format!("<style>{STYLE}</style>\n<style>{scale}</style>\n</head>\n<body>\n");
        page += &self.banner();
        page += "<main id=main>\n";
        let sections = [
            self.overview(),
            self.changes(),
            self.toolbar(),
            self.secrets(),
            self.findings(),
            self.rotations(),
            self.leaks(),
            self.controls(),
            self.exceptions(),
            self.scope(),
        ];
        page += &sections.concat();
        page += "</main>\n";
        page += &self.footer();
        page += &format!("<script>{SCRIPT}</script>\n</body>\n</html>\n");
        page
    }
}

/// The source expression of an inline style or script (Content Security Policy level 3, §2.3.1).
fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests;
