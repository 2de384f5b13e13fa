//! The page for people in a real browser: whether it can be read, used and printed, and asks for nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keytrail_reporters::{Format, Options, Signed};
use keytrail_rules::report::Report;

use crate::sarif::samples;
use crate::support::{Keytrail, copy_tree, repository};

/// What a page of 10,000 secrets may weigh.
const MAX_BYTES: u64 = 5_000_000;

fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run tests/run"));
    let path = PathBuf::from(path);
    assert!(path.exists(), "{} is not there: run tests/run", path.display());
    path
}

/// Runs a script of `tests/html`, which ends with 1 and says why where the page is not as it should be.
fn script(name: &str, arguments: &[&Path]) -> Output {
    let output = Command::new("node")
        .arg(repository().join("tests/html").join(name))
        .args(arguments)
        .env("KEYTRAIL_TEST_CHROMIUM", tool("KEYTRAIL_TEST_CHROMIUM"))
        .env("KEYTRAIL_TEST_BROWSER", tool("KEYTRAIL_TEST_BROWSER"))
        .output()
        .expect("node starts");
    assert!(output.status.success(), "{name}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Writes the page of a report, and the ids of its secrets as the page shows them.
fn write(folder: &Path, name: &str, report: &Report, options: &Options) -> PathBuf {
    let format = Format::find("html").expect("html");
    let file = folder.join(name).with_extension("html");
    fs::write(&file, (format.render)(report, options).expect("renders")).expect("written");
    let shown = |id: &str| {
        let visible = keytrail_reporters::escape::terminal(id).into_owned();
        keytrail_reporters::escape::clip(&visible, 300).into_owned() + "\n"
    };
    let ids: String = report.items.iter().map(|item| shown(item.id.as_str())).collect();
    fs::write(file.with_extension("txt"), ids).expect("written");
    file
}

fn signed() -> Options {
    let signed = Signed {
        key: "SHA256:0vYpU7jZlC7rj7v5n3dJxFqQfWm2c1cYx1bq9YkQ1aE".to_owned(),
        checkpoint: Some("12 rows, root 3q2+7w".to_owned()),
        verify: "keytrail verify evidence".to_owned(),
    };
    Options { signed: Some(signed), ..Options::default() }
}

#[test]
fn every_report_is_a_page_that_all_can_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages: Vec<PathBuf> = [
        ("empty", samples::empty()),
        ("company", samples::company()),
        ("everything", samples::everything()),
        ("gaps", samples::gaps_only()),
        ("hostile", samples::full_of(&samples::hostile_strings())),
    ]
    .into_iter()
    .map(|(name, report)| write(folder.path(), name, &report, &signed()))
    .collect();
    script("pages.mjs", &pages.iter().map(PathBuf::as_path).collect::<Vec<_>>());
}

#[test]
fn a_page_can_be_filtered_searched_sorted_and_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = samples::large::large(240);
    let page = write(folder.path(), "large", &report, &signed());
    script("use.mjs", &[&page]);

    let printed = folder.path().join("large.pdf");
    script("print.mjs", &[&page, &printed]);
    let text = Command::new("pdftotext").arg("-raw").arg(&printed).arg("-").output().expect("pdftotext starts");
    assert!(text.status.success(), "{}", String::from_utf8_lossy(&text.stderr));
    let text: String = String::from_utf8_lossy(&text.stdout).split_whitespace().collect();
    for item in &report.items {
        assert!(text.contains(item.id.as_str()), "{} is not printed", item.id);
    }
}

#[test]
fn the_estate_is_a_page_that_all_can_read() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_tree(&repository().join("fixtures/estate"), folder.path());
    let out = Keytrail::new(folder.path()).args(["scan", "--as-of", "2026-11-01", "--format", "html=page.html"]).run();
    let page = folder.path().join("page.html");
    assert!(out.status == Some(1) && page.is_file(), "{out:?}");
    fs::write(page.with_extension("txt"), "").expect("written");
    script("pages.mjs", &[&page]);
}

#[test]
fn ten_thousand_secrets_fit_in_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = write(folder.path(), "large", &samples::large::large(10_000), &signed());
    let bytes = fs::metadata(&page).expect("a page").len();
    assert!(bytes <= MAX_BYTES, "{bytes} bytes");
    script("large.mjs", &[&page]);
}
