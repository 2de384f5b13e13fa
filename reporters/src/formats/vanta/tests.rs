use keytrail_rules::report::Report;
use serde_json::Value;

use crate::formats::tests::render;
use crate::{Options, Repository, samples};

fn body(report: &Report, options: &Options) -> Value {
    serde_json::from_str(&render("vanta", report, options)).expect("JSON")
}

fn complete() -> Report {
    let mut report = samples::company();
    report.gaps.clear();
    report
}

#[test]
fn a_believable_report() {
    let mut report = complete();
    report.items.truncate(6);
    let repository = Repository::from_remote("https://github.com/example/shop.git");
    let options = Options { repository, ..Options::default() };
    insta::assert_snapshot!(serde_json::to_string_pretty(&body(&report, &options)).expect("JSON"));
}

/// What Vanta's OpenAPI document requires of a `Secret`.
#[test]
fn every_secret_has_what_vanta_requires() {
    let mut hostile = samples::full_of(&samples::hostile_strings());
    hostile.gaps.clear();
    for report in [complete(), hostile] {
        let body = body(&report, &Options::default());
        let secrets = body["resources"].as_array().expect("resources");
        assert_eq!(secrets.len(), report.items.len());
        for secret in secrets {
            for name in ["displayName", "uniqueId", "name", "description", "creator", "owner"] {
                assert!(secret[name].is_string(), "{name}: {secret}");
            }
            assert!(secret["externalUrl"].as_str().expect("a URL").starts_with("https://"));
            for name in ["createdTimestamp", "updatedTimestamp", "expiresTimestamp"] {
                let time = secret.get(name).map(|time| time.as_str().expect("text"));
                assert!(time.is_none_or(|time| chrono::DateTime::parse_from_rfc3339(time).is_ok()), "{secret}");
            }
            assert!(secret["createdTimestamp"].is_string());
        }
    }
}

#[test]
fn a_bound_is_never_taken_for_a_later_rotation() {
    let body = body(&complete(), &Options::default());
    let of =
        |id: &str| body["resources"].as_array().expect("resources").iter().find(|one| one["uniqueId"] == id).cloned();
    let stripe = of("STRIPE_API_KEY@production").expect("a secret");
    assert_eq!(stripe["updatedTimestamp"], "2026-08-20T00:00:00.000Z");
    let session = of("SESSION_SECRET@production").expect("a secret");
    assert_eq!(session.get("updatedTimestamp"), None);
    assert_eq!(session["owner"], "");
}

#[test]
fn a_report_with_gaps_cannot_be_sent() {
    let body = body(&samples::company(), &Options::default());
    assert!(body.get("resources").is_none() && body["incomplete"].is_string());
    assert_eq!(body["resourcesSeen"].as_array().map(Vec::len), Some(samples::company().items.len()));
}
