use keytrail_rules::model::{Evidence, Finding, Place, Severity};
use keytrail_rules::report::Report;
use proptest::prelude::*;
use serde_json::Value;

use super::{MAX_RESULTS, MAX_TEXT};
use crate::escape::tests::text;
use crate::formats::tests::render;
use crate::{Options, Repository, samples};

fn run(report: &Report, options: &Options) -> Value {
    let mut log: Value = serde_json::from_str(&render("sarif", report, options)).expect("JSON");
    log["runs"][0].take()
}

fn results(run: &Value) -> &Vec<Value> {
    run["results"].as_array().expect("results")
}

/// A report of one finding.
fn report_of(finding: Finding) -> Report {
    let mut report = samples::empty();
    report.findings = vec![finding];
    report
}

fn a_finding() -> Finding {
    samples::company().findings.swap_remove(1)
}

#[test]
fn a_believable_report() {
    let mut repository = Repository::from_remote("git@github.com:example/shop.git").expect("a remote");
    repository.revision = Some("388cfb4342cd51c0602d4c6faf677ec901aedd1b".to_owned());
    repository.branch = Some("main".to_owned());
    let options = Options { repository: Some(repository), exit_code: 1, ..Options::default() };
    let mut report = samples::company();
    report.findings.truncate(3);
    let mut run = run(&report, &options);
    run["tool"]["driver"]["rules"].as_array_mut().expect("rules").truncate(1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&run).expect("JSON"));
}

/// What GitHub requires of each result; a file with one that lacks it is refused as a whole.
fn check_results(run: &Value) {
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let mut fingerprints = std::collections::BTreeSet::new();
    for result in results(run) {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let message = result["message"]["text"].as_str().expect("text");
        assert!(message.ends_with('.') && message.chars().count() <= MAX_TEXT, "{message}");
        assert!(!message.contains("]("), "{message}");
        assert_eq!(result["message"]["arguments"].as_array().map(Vec::len), Some(1));
        assert!(
            fingerprints.insert(result["partialFingerprints"]["primaryLocationLineHash"].as_str().expect("a hash"))
        );
        assert_eq!(result["locations"].as_array().map(Vec::len), Some(1));
        let related = result["relatedLocations"].as_array().into_iter().flatten();
        for location in result["locations"].as_array().into_iter().flatten().chain(related) {
            let physical = &location["physicalLocation"];
            let uri = physical["artifactLocation"]["uri"].as_str().expect("a URI");
            assert!(!uri.is_empty() && !uri.starts_with('/') && !uri.contains(['\\', ':', ' ']), "{uri}");
            assert_eq!(physical["artifactLocation"]["uriBaseId"], "%SRCROOT%");
            let number = |name: &str| physical["region"][name].as_i64().expect("a number");
            assert!(number("startLine") >= 1 && number("endLine") == number("startLine"));
            assert!(number("startColumn") >= 1 && number("endColumn") >= number("startColumn"));
            assert!(number("endLine") <= i64::from(i32::MAX) && number("endColumn") <= i64::from(i32::MAX));
            assert_eq!(physical["region"]["snippet"]["text"], "[REDACTED]");
        }
    }
}

#[test]
fn every_result_has_what_code_scanning_requires() {
    let hostile = samples::full_of(&samples::hostile_strings());
    for report in [samples::company(), samples::everything(), hostile] {
        let run = run(&report, &Options::default());
        check_results(&run);
        assert!(!results(&run).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn results_of_any_text_have_what_code_scanning_requires(texts in proptest::collection::vec(text(), 1..30)) {
        check_results(&run(&samples::full_of(&texts), &Options::default()));
    }
}

#[test]
fn rules_have_what_code_scanning_requires() {
    let run = run(&samples::empty(), &Options::default());
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), keytrail_rules::checks::RULES.len());
    for rule in rules {
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[text]["text"].as_str().expect("text").is_empty(), "{rule}");
        }
        assert!(rule["help"]["markdown"].as_str().expect("Markdown").contains("# How to fix"), "{rule}");
        assert!(rule["fullDescription"]["text"].as_str().expect("text").chars().count() <= MAX_TEXT);
        let tags = rule["properties"]["tags"].as_array().expect("tags");
        assert!(tags.len() <= 10 && tags.contains(&"security".into()));
        let score: f64 = rule["properties"]["security-severity"].as_str().expect("text").parse().expect("a number");
        assert!(score > 0.0 && score <= 10.0);
    }
}

#[test]
fn an_empty_report_has_results_so_that_alerts_close() {
    let run = run(&samples::empty(), &Options::default());
    assert_eq!(run["results"], Value::Array(Vec::new()));
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn a_scan_with_gaps_is_not_successful() {
    let run = run(&samples::gaps_only(), &Options { exit_code: 3, ..Options::default() });
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["exitCode"], 3);
    insta::assert_snapshot!(serde_json::to_string_pretty(&invocation["toolExecutionNotifications"]).expect("JSON"), @r#"
[
  {
    "descriptor": {
      "id": "gap/sealed"
    },
    "level": "error",
    "message": {
      "text": "'vault' could not be read (sealed): the server is sealed. Hint: unseal it."
    }
  },
  {
    "descriptor": {
      "id": "gap/malformed"
    },
    "level": "error",
    "locations": [
      {
        "physicalLocation": {
          "artifactLocation": {
            "uri": "deploy/.env",
            "uriBaseId": "%SRCROOT%"
          },
          "contextRegion": {
            "endLine": 1,
            "snippet": {
              "text": "[REDACTED]"
            },
            "startLine": 1
          },
          "region": {
            "endColumn": 2,
            "endLine": 1,
            "snippet": {
              "text": "[REDACTED]"
            },
            "startColumn": 1,
            "startLine": 1
          }
        }
      }
    ],
    "message": {
      "text": "'deploy/.env' could not be read (malformed): the file is binary, not text."
    }
  }
]
"#);
}

#[test]
fn a_finding_without_a_line_points_at_its_evidence() {
    let mut finding = a_finding();
    let line = finding.location.take();
    let place = Place::new("vault", "secret/shop/database", "password");
    let finding = finding.evidence([
        Evidence::new("version 3 of the path", None, Some(place)),
        Evidence::new("the runbook says every 90 days", line, None),
    ]);
    let run = run(&report_of(finding), &Options::default());
    let location = &results(&run)[0]["locations"][0];
    assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], "docs/rotation.md");
    assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], "vault:secret/shop/database#password");
    assert_eq!(location["properties"]["partial"], Value::Null);
}

#[test]
fn a_finding_without_any_line_points_at_the_anchor() {
    let mut finding = a_finding();
    finding.location = None;
    let options =
        Options { anchor: "config/.env.schema".to_owned(), prefix: "services/api".to_owned(), ..Options::default() };
    let run = run(&report_of(finding), &options);
    let location = &results(&run)[0]["locations"][0];
    assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], "services/api/config/.env.schema");
    assert_eq!(location["physicalLocation"]["region"]["startLine"], 1);
    assert_eq!(location["properties"]["partial"], true);
}

#[test]
fn what_does_not_count_is_left_out() {
    let mut excepted = a_finding();
    excepted.exception = Some("accepted".to_owned());
    assert!(results(&run(&report_of(excepted), &Options::default())).is_empty());
    let mut known = a_finding();
    known.baselined = true;
    assert!(results(&run(&report_of(known), &Options::default())).is_empty());
}

#[test]
fn findings_with_one_fingerprint_are_one_result() {
    let (mut mild, mut severe) = (a_finding().severity(Severity::Low), a_finding().severity(Severity::High));
    (mild.message, severe.message) = ("The mild one.".to_owned(), "The severe one.".to_owned());
    let mut report = report_of(mild);
    report.findings.push(severe);
    let run = run(&report, &Options::default());
    assert_eq!(results(&run).len(), 1);
    assert_eq!(results(&run)[0]["message"]["text"], "The severe one.");
    assert_eq!(results(&run)[0]["relatedLocations"][0]["message"]["text"], "The mild one.");
}

#[test]
fn the_worst_results_are_kept_and_the_rest_counted() {
    let mut report = samples::empty();
    for at in 0..MAX_RESULTS + 7 {
        let mut finding = a_finding().severity(if at % 2 == 0 { Severity::Low } else { Severity::High });
        finding.fingerprint = format!("{at:064x}").chars().rev().collect();
        report.findings.push(finding);
    }
    let run = run(&report, &Options::default());
    assert_eq!(results(&run).len(), MAX_RESULTS);
    let levels: Vec<&str> = results(&run).iter().map(|result| result["level"].as_str().expect("a level")).collect();
    assert_eq!(levels.iter().filter(|level| **level == "error").count(), (MAX_RESULTS + 7) / 2);
    assert!(levels.is_sorted());
    let notification = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert!(notification["message"]["text"].as_str().expect("text").starts_with("7 results were left out"));
}

#[test]
fn the_category_ends_in_a_slash() {
    for (category, id) in [("scan", "keytrail/scan/"), ("/prod/eu/", "keytrail/prod/eu/"), ("", "keytrail/")] {
        let options = Options { category: category.to_owned(), ..Options::default() };
        assert_eq!(run(&samples::empty(), &options)["automationDetails"]["id"], id);
    }
}
