use std::collections::BTreeSet;

use keytrail_rules::report::Report;

use crate::formats::tests::render;
use crate::{Options, samples};

fn prometheus(report: &Report) -> String {
    render("prometheus", report, &Options::default())
}

#[test]
fn a_company_has_gauges() {
    insta::assert_snapshot!(prometheus(&samples::company()));
}

#[test]
fn no_series_comes_twice_and_none_has_a_timestamp() {
    let mut reports = vec![samples::everything(), samples::full_of(&samples::hostile_strings())];
    // Ids that are one when what does not show itself is spelt out.
    reports.push(samples::full_of(&["a\n".to_owned(), r"a\n".to_owned(), "x".repeat(2_000), "x".repeat(3_000)]));
    for report in reports {
        let text = prometheus(&report);
        let mut seen = BTreeSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            assert!(seen.insert(series.to_owned()), "{series} comes twice");
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite) && !value.contains('e'), "{line}");
            assert!(series.ends_with('}') || !series.contains(' '), "{line}");
        }
    }
}

#[test]
fn a_gap_is_no_success() {
    let text = prometheus(&samples::gaps_only());
    assert!(text.contains("\nkeytrail_scan_success 0\n") && text.contains("\nkeytrail_gaps 2\n"), "{text}");
    assert!(prometheus(&samples::empty()).contains("\nkeytrail_scan_success 1\n"));
}

#[test]
fn only_what_is_proven_has_a_time() {
    let text = prometheus(&samples::company());
    let last = |secret: &str| format!("keytrail_secret_last_rotation_timestamp_seconds{{secret=\"{secret}\"");
    assert!(text.contains(&last("STRIPE_API_KEY@production")) && !text.contains(&last("SESSION_SECRET@production")));
}

#[test]
fn measures_are_there_where_they_were_taken() {
    assert!(!prometheus(&samples::empty()).contains("keytrail_secrets_in_cadence"));
    let mut report = samples::everything();
    report.summary.measures.in_cadence = 6;
    let text = prometheus(&report);
    assert!(text.contains("\nkeytrail_secrets_in_cadence 6\n"));
    assert!(text.contains("\nkeytrail_rotation_delay_mean_seconds 345600\n"));
}
