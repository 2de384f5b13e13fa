use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keytrail_rules::history::Changes;
use keytrail_rules::report::Report;
use sha2::{Digest, Sha256};

use super::{MAX_BYTES, SCRIPT, STYLE};
use crate::formats::tests::render;
use crate::{Options, Signed, samples};

fn page(report: &Report) -> String {
    render("html", report, &Options::default())
}

/// The texts between every pair of two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).filter_map(|rest| rest.split(to).next()).collect()
}

fn headline(report: &Report) -> String {
    between(&page(report), "</span> ", "</h1>").first().expect("a headline").to_string()
}

#[test]
fn the_headline_says_what_is_wrong_and_what_is_missing() {
    assert_eq!(headline(&samples::empty()), "Nothing was scanned; evidence complete");
    assert_eq!(headline(&samples::gaps_only()), "No findings in what could be read; evidence incomplete: 2 gaps");
    assert_eq!(headline(&samples::company()), "4 findings at or above high, 17 below; evidence incomplete: 2 gaps");
    let mut clean = samples::company();
    (clean.gaps, clean.findings) = (Vec::new(), Vec::new());
    clean.apply_baseline(&BTreeSet::new());
    assert_eq!(headline(&clean), "No findings; evidence complete");
}

#[test]
fn the_policy_allows_what_is_in_the_page_and_nothing_else() {
    let page = page(&samples::everything());
    let policy = between(&page, "Content-Security-Policy content=\"", "\"").concat();
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    let styles: Vec<String> = between(&page, "<style>", "</style>").into_iter().map(hash).collect();
    assert_eq!(styles.len(), 2);
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
            styles.join(" "),
            hash(SCRIPT)
        )
    );
    assert!(!page.contains(" style=") && !page.contains(" onclick") && !page.contains("src="));
}

#[test]
fn hostile_texts_stay_texts() {
    let page = page(&samples::full_of(&samples::hostile_strings()));
    assert_eq!(between(&page, "<script", "</script>"), [format!(">{SCRIPT}")]);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    let without_ours = page.replace(STYLE, "").replace(SCRIPT, "");
    assert!(!without_ours.contains("href=\"http") && !without_ours.contains("href=http"));
}

#[test]
fn ids_are_unique_and_links_lead_somewhere() {
    for report in [samples::everything(), samples::full_of(&samples::hostile_strings()), samples::empty()] {
        let page = page(&report).replace(SCRIPT, "").replace(STYLE, "");
        let ids: Vec<&str> = between(&page, " id=", ">").into_iter().map(first_word).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len());
        for link in between(&page, "href=\"#", "\"")
            .into_iter()
            .chain(between(&page, "href=#", ">").into_iter().map(first_word))
        {
            assert!(unique.contains(link), "{link} leads nowhere");
        }
    }
}

fn first_word(text: &str) -> &str {
    text.trim_start_matches('"').split([' ', '"']).next().unwrap_or_default()
}

#[test]
fn every_part_of_a_report_is_in_its_page() {
    let report = samples::everything();
    let page = page(&report).replace("<wbr>", "");
    let has = |text: &str| assert!(page.contains(&super::write::text(text)), "{text} is not in the page");
    report.items.iter().for_each(|item| has(item.id.as_str()));
    report.findings.iter().for_each(|finding| has(&finding.message));
    report.gaps.iter().for_each(|gap| has(&gap.message));
    report.scope.iter().for_each(|source| has(&source.source));
    report.trails.iter().for_each(|trail| has(&trail.name));
    report.trails.iter().flat_map(|trail| &trail.holes).for_each(|hole| has(&hole.reason));
    report.leaks.iter().for_each(|leak| has(leak.fingerprint.as_str()));
    report.exceptions.iter().for_each(|one| has(&one.reason));
    report.controls.iter().for_each(|control| has(&control.control));
    report.rotations.iter().for_each(|rotation| has(rotation.verdict.as_str()));
    let changes = report.changes.as_ref().expect("changes");
    [&changes.new, &changes.regressed, &changes.fixed, &changes.unseen]
        .into_iter()
        .flatten()
        .for_each(|change| has(&change.message));
    assert!(!page.to_lowercase().contains("compliant"));
}

#[test]
fn nothing_known_is_not_shown_as_nothing_wrong() {
    let empty = page(&samples::empty());
    for words in [
        "No earlier scan is known",
        "Nothing was searched for leaks",
        "no secret has a calendar cadence",
        "No trail was read",
    ] {
        assert!(empty.contains(words), "{words}");
    }
    let mut unseen = samples::company();
    unseen.changes =
        Some(Changes { unseen: samples::everything().changes.expect("changes").unseen, ..Changes::default() });
    assert!(page(&unseen).contains("this scan did not look there, or could not: they may still be"));
}

#[test]
fn a_signature_is_shown_with_how_to_verify_it() {
    let signed = Signed { key: "SHA256:k".into(), checkpoint: None, verify: "keytrail verify evidence".into() };
    let options = Options { signed: Some(signed), ..Options::default() };
    let page = render("html", &samples::company(), &options);
    for text in ["<code>SHA256:k</code>", "none: no ledger was exported", "<code>keytrail verify evidence</code>"] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_page_of_ten_thousand_secrets_is_short_and_says_so() {
    let large = page(&samples::large::large(10_000));
    assert!(large.len() < 5_000_000, "{} bytes", large.len());
    assert!(large.contains("this page is short") && large.matches("<tr id=s").count() == 10_000);
    let small = page(&samples::large::large(500));
    assert!(small.len() < MAX_BYTES && !small.contains("this page is short"));
}
