use keytrail_rules::report::Report;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options as Syntax, Parser, Tag, TagEnd};

use super::{MAX_COMMENT, MAX_SUMMARY, write};
use crate::escape::tests::text;
use crate::formats::markdown::sections::Extent;
use crate::formats::tests::render;
use crate::{Options, Repository, samples};

const REPOSITORY: &str = "https://github.com/example/shop";

fn options() -> Options {
    let mut repository = Repository::from_remote(&format!("{REPOSITORY}.git")).expect("a remote");
    repository.revision = Some("388cfb4342cd51c0602d4c6faf677ec901aedd1b".to_owned());
    Options { repository: Some(repository), prefix: "services".to_owned(), exit_code: 1, ..Options::default() }
}

/// What GitHub would make of text that is neither code nor a link of ours.
fn is_reference(text: &str) -> bool {
    let is_digit = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    text.contains('@')
        || text.contains("://")
        || text.to_lowercase().contains("www.")
        || text.split('#').skip(1).any(is_digit)
        || text.to_lowercase().split("gh-").skip(1).any(is_digit)
}

/// Reads a page as other people's Markdown reader does. Fails on anything that is not ours, and gives the rows of its
/// tables by number of cells.
fn rows(page: &str) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut headings = 0;
    // The parser hands text over in pieces.
    let mut plain = String::new();
    for event in Parser::new_ext(page, Syntax::all() - Syntax::ENABLE_SMART_PUNCTUATION) {
        if !matches!(event, Event::Text(_)) {
            assert!(!is_reference(&plain), "a reference: {plain}");
            plain.clear();
        }
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with(&format!("{REPOSITORY}/blob/388cfb")), "a foreign link: {dest_url}");
            }
            Event::Start(Tag::Heading { .. }) => headings += 1,
            Event::Start(Tag::TableRow | Tag::TableHead) => rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => rows.last_mut().expect("a row").push(String::new()),
            Event::Text(text) => {
                plain.push_str(&text);
                if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                    cell.push_str(&text);
                }
            }
            Event::Code(text) => {
                if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                    cell.push_str(&text);
                }
            }
            Event::Start(Tag::Table(_) | Tag::Paragraph | Tag::Strong) | Event::SoftBreak => {}
            Event::End(
                TagEnd::Link
                | TagEnd::Heading(_)
                | TagEnd::TableRow
                | TagEnd::TableHead
                | TagEnd::TableCell
                | TagEnd::Table
                | TagEnd::Paragraph
                | TagEnd::Strong,
            ) => {}
            other => panic!("what is this doing here? {other:?}"),
        }
    }
    assert!(headings <= 10, "{headings} headings");
    rows
}

/// Every row that was written is one that a reader sees, with all of its cells.
fn check(page: &str) {
    let rows = rows(page);
    let written = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    assert_eq!(rows.len(), written.clone().count());
    for (row, line) in rows.iter().zip(written) {
        assert_eq!(row.len(), line.matches('|').count() - 1, "{line}");
    }
}

#[test]
fn a_company_is_a_page() {
    insta::assert_snapshot!(render("markdown", &samples::company(), &options()));
}

#[test]
fn a_step_summary_is_short() {
    insta::assert_snapshot!(render("summary", &samples::everything(), &options()));
}

#[test]
fn pages_are_what_they_look_like() {
    for report in [
        samples::empty(),
        samples::gaps_only(),
        samples::company(),
        samples::everything(),
        samples::full_of(&samples::hostile_strings()),
    ] {
        for format in ["markdown", "summary"] {
            check(&render(format, &report, &options()));
            check(&render(format, &report, &Options::default()));
        }
    }
}

#[test]
fn the_first_line_says_how_it_ended() {
    let says = |report: &Report, exit_code, words: &str| {
        let page = render("summary", report, &Options { exit_code, ..options() });
        assert!(page.starts_with(&format!("## Keytrail\n\n**{words}.**")), "{page}");
    };
    says(&samples::empty(), 0, "Nothing was scanned");
    says(&samples::gaps_only(), 3, "Incomplete");
    says(&samples::company(), 1, "Failed, and incomplete");
    says(&samples::company(), 3, "Incomplete");
    let mut report = samples::company();
    report.gaps.clear();
    report.apply_baseline(&Default::default());
    says(&report, 1, "Failed");
    says(&report, 0, "Passed, with findings");
    report.findings.clear();
    report.apply_baseline(&Default::default());
    says(&report, 0, "Clean");
}

#[test]
fn a_page_ends_where_a_row_does() {
    let mut report = samples::company();
    let (finding, item) = (report.findings[0].clone(), report.items[0].clone());
    report.findings = vec![finding; 30_000];
    report.items = vec![item; 30_000];
    report.summary.findings.clear();
    for limit in (3_000..4_000).step_by(41).chain([MAX_COMMENT, MAX_SUMMARY]) {
        let page = String::from_utf8(write(&report, &options(), limit, Extent::ALL)).expect("UTF-8");
        assert!(page.len() <= limit && page.len() + 4_000 > limit, "{} of {limit}", page.len());
        assert!(page.contains("Of 30000 rows,") || page.contains("Left out,"), "{page}");
        check(&page);
    }
    let page = render("summary", &report, &options());
    assert!(page.contains("Of 30000 rows, 20 are shown.") && page.len() < 20_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_becomes_markup(
        texts in proptest::collection::vec(prop_oneof![text(), "[-a|`<>@#!\\[\\]()*_~:/.\\\\&;$=+ \\n1]{0,24}".boxed()], 1..8),
    ) {
        let report = samples::full_of(&texts);
        for format in ["markdown", "summary"] {
            check(&render(format, &report, &options()));
        }
    }
}
