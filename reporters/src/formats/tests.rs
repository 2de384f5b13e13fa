use keytrail_rules::report::Report;
use proptest::prelude::*;

use super::FORMATS;
use crate::escape::{is_deceptive, tests::text};
use crate::{Format, Options, samples};

pub(super) fn render(format: &str, report: &Report, options: &Options) -> String {
    let format = Format::find(format).expect("a format");
    String::from_utf8((format.render)(report, options).expect("renders")).expect("UTF-8")
}

/// The text of a format with one kind of line ending; RFC 4180 asks for another one.
fn lines(format: &Format, report: &Report, options: &Options) -> String {
    let text = render(format.name, report, options);
    if format.extension == "csv" { text.replace("\r\n", "\n") } else { text }
}

/// The formats whose bytes are text.
fn texts() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter().copied().filter(|format| format.is_text)
}

#[test]
fn equal_reports_give_equal_files() {
    let report = samples::everything();
    for format in FORMATS {
        let bytes = || (format.render)(&report, &Options::default()).expect("renders");
        assert!(bytes() == bytes(), "{}", format.name);
    }
}

/// Text without our own colours.
fn without_color(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        plain + rest.strip_prefix('m').unwrap_or("\u{1b}")
    })
}

fn every_option() -> Vec<Options> {
    let mut all = Vec::new();
    for color in [false, true] {
        for width in [None, Some(0), Some(60), Some(80), Some(200), Some(u16::MAX)] {
            for verbose in [false, true] {
                all.push(Options { color, width, verbose, ..Options::default() });
            }
        }
    }
    all
}

#[test]
fn formats_are_found_by_unique_names() {
    for format in FORMATS {
        assert!(std::ptr::eq(Format::find(format.name).expect("found"), *format));
        assert!(!format.summary.is_empty() && !format.extension.contains('.'));
    }
    assert!(Format::find("pdf").is_none());
}

#[test]
fn equal_reports_give_equal_bytes() {
    let reports = [samples::everything(), samples::full_of(&samples::hostile_strings()), samples::empty()];
    for format in texts() {
        for report in &reports {
            let (once, again) = (render(format.name, report, &Options::default()), report.clone());
            assert_eq!(once, render(format.name, &again, &Options::default()), "{}", format.name);
            assert!(once.ends_with('\n') && !once.ends_with("\n\n"), "{}", format.name);
        }
    }
}

#[test]
fn hostile_strings_come_out_harmless() {
    let report = samples::full_of(&samples::hostile_strings());
    for format in texts() {
        for options in every_option() {
            let shown = lines(format, &report, &options);
            let shown = if options.color { without_color(&shown) } else { shown };
            let found = shown.chars().find(|c| is_deceptive(*c) && *c != '\n');
            assert_eq!(found, None, "{} with {options:?}", format.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_comes_out_harmless(
        texts in proptest::collection::vec(text(), 1..12),
        color: bool,
        verbose: bool,
        width in proptest::option::of(0..300_u16),
    ) {
        let (report, options) = (samples::full_of(&texts), Options { color, width, verbose, ..Options::default() });
        for format in super::tests::texts() {
            let shown = lines(format, &report, &options);
            let shown = if color { without_color(&shown) } else { shown };
            prop_assert!(!shown.contains(|c| is_deceptive(c) && c != '\n'), "{}", format.name);
        }
    }
}
