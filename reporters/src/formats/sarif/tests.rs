use keytrail_rules::model::{Evidence, Finding, Place, Severity};
use keytrail_rules::report::Report;
use proptest::prelude::*;
use serde_json::Value;

use super::{Files, Log, MAX_RESULTS, MAX_TEXT};
use crate::escape::tests::text;
use crate::formats::tests::render;
use crate::source::SourceLine;
use crate::{Options, Pipeline, Repository, SarifProfile, profile, samples};

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
    run["tool"]["driver"]["rules"][0]["help"]["markdown"].take();
    run["tool"]["driver"]["rules"][0]["properties"]["controls"].take();
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
        assert!(rule["name"].as_str().expect("a name").chars().count() <= 255);
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

fn options_of(profile: SarifProfile) -> Options {
    Options { sarif_profile: profile, ..Options::default() }
}

#[test]
fn a_finding_that_is_not_as_severe_as_its_rule_has_a_rule_of_its_own() {
    let usual = a_finding();
    let mut mild = usual.clone().severity(Severity::Low);
    mild.fingerprint = "0".repeat(64);
    let mut report = report_of(usual);
    report.findings.push(mild);
    let run = run(&report, &Options::default());
    check_results(&run);
    let ids: Vec<&str> = results(&run).iter().map(|result| result["ruleId"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["KT2004", "KTL2004"]);
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let last = rules.last().expect("a rule");
    assert_eq!((&last["id"], &last["name"]), (&"KTL2004".into(), &"OverdueRotationLow".into()));
    assert_eq!(last["properties"]["security-severity"], "2.0");
    assert_eq!(last["defaultConfiguration"]["level"], "note");
}

/// The hashes of findings at the same line or at others, of which some are known.
fn hashes(lines: &[u32], known: &[(u32, &str)]) -> Vec<String> {
    let mut report = samples::empty();
    for (at, line) in lines.iter().enumerate() {
        let mut finding = a_finding();
        finding.location.as_mut().expect("a line").line = *line;
        finding.fingerprint = format!("{at:064x}").chars().rev().collect();
        report.findings.push(finding);
    }
    let file = a_finding().location.expect("a line").file;
    let line = |hash: &str| SourceLine { hash: Some(hash.to_owned()), shown: None };
    let lines = known.iter().map(|(at, hash)| ((file.clone(), *at), line(hash))).collect();
    let run = run(&report, &Options { lines, ..Options::default() });
    let hash = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].as_str().map(str::to_owned);
    results(&run).iter().map(|result| hash(result).expect("a hash")).collect()
}

#[test]
fn a_line_of_the_repository_has_the_hash_that_github_computes() {
    let stable = |at: usize| format!("{at}000000000000000:1");
    assert_eq!(hashes(&[3, 4], &[(3, "271789c17abda88f:1")]), ["271789c17abda88f:1".to_owned(), stable(1)]);
    assert_eq!(hashes(&[3, 4], &[(3, "aa:1"), (4, "aa:2")]), ["aa:1", "aa:2"]);
}

#[test]
fn findings_of_a_rule_on_one_line_stay_apart() {
    assert_eq!(hashes(&[3, 3, 4], &[(3, "aa:1"), (4, "bb:1")])[2], "bb:1");
    assert_eq!(hashes(&[3, 3], &[(3, "aa:1")]), ["0000000000000000:1", "1000000000000000:1"]);
}

#[test]
fn a_finding_of_a_store_points_at_the_line_that_declares_it() {
    let mut report = samples::company();
    let declared = report.items[0].declared_at[0].clone();
    let mut about_item = a_finding().item(report.items[0].id.clone());
    let mut about_place = a_finding();
    let place = report.items[0].copies[0].place.clone();
    (about_item.location, about_place.location, about_place.item) = (None, None, None);
    about_place = about_place.evidence([Evidence::new("written", None, Some(place.clone()))]);
    for finding in [about_item, about_place] {
        report.findings = vec![finding];
        let run = run(&report, &Options::default());
        let location = &results(&run)[0]["locations"][0];
        assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], declared.file.as_str());
        assert_eq!(location["physicalLocation"]["region"]["startLine"], declared.line);
        assert_eq!(location["properties"]["partial"], Value::Null);
    }
}

#[test]
fn in_full_nothing_is_left_out() {
    let mut report = samples::everything();
    report.changes = None;
    let full = run(&report, &options_of(SarifProfile::Full));
    check_results(&full);
    assert_eq!(results(&full).len(), report.findings.len());
    for (result, finding) in results(&full).iter().map(|result| {
        let fingerprint = &result["partialFingerprints"]["keytrail/v1"];
        (result, report.findings.iter().find(|one| *fingerprint == one.fingerprint.as_str()).expect("a finding"))
    }) {
        assert_eq!(result["suppressions"][0]["justification"].as_str(), finding.exception.as_deref());
        assert_eq!(result["baselineState"], if finding.baselined { "unchanged" } else { "new" });
    }
    report.findings =
        (0..MAX_RESULTS + 7).map(|at| Finding { fingerprint: format!("{at:064x}"), ..a_finding() }).collect();
    let full = run(&report, &options_of(SarifProfile::Full));
    assert_eq!(results(&full).len(), MAX_RESULTS + 7);
    assert!(results(&full).iter().all(|result| result["baselineState"].is_null()));
}

#[test]
fn in_full_what_is_let_pass_says_for_how_long() {
    let mut report = samples::everything();
    let exception = report.exceptions.first().expect("an exception").clone();
    let rule = keytrail_rules::checks::Rule::find(&exception.rule).expect("a rule");
    let mut finding = Finding::new(rule, "x", "Excepted.");
    finding.exception = Some(exception.reason.clone());
    finding.item = report
        .items
        .iter()
        .map(|item| item.id.clone())
        .find(|id| exception.secret.as_deref().is_none_or(|secret| id.as_str().starts_with(secret)));
    report.findings = vec![finding];
    let full = run(&report, &options_of(SarifProfile::Full));
    let suppression = &results(&full)[0]["suppressions"][0];
    assert_eq!((&suppression["kind"], &suppression["status"]), (&"external".into(), &"accepted".into()));
    assert!(suppression["properties"]["expires"].is_string(), "{suppression}");
    assert!(results(&run(&report, &Options::default())).is_empty());
}

#[test]
fn in_full_results_say_what_is_new() {
    let mut report = samples::everything();
    let changes = report.changes.as_mut().expect("changes");
    let [new, back, same] = [0, 1, 2].map(|at| report.findings[at].fingerprint.clone());
    let mut change = changes.new.first().expect("a change").clone();
    change.fingerprint.clone_from(&new);
    changes.new = vec![change.clone()];
    change.fingerprint.clone_from(&back);
    changes.regressed = vec![change];
    let full = run(&report, &options_of(SarifProfile::Full));
    for (fingerprint, state) in [(new, "new"), (back, "new"), (same, "unchanged")] {
        let is_it = |result: &&Value| result["partialFingerprints"]["keytrail/v1"] == fingerprint.as_str();
        assert_eq!(results(&full).iter().find(is_it).expect("a result")["baselineState"], state);
    }
    assert!(full["properties"]["changes"]["fixed"].is_u64());
}

#[test]
fn a_run_of_azure_is_named_after_its_pipeline() {
    let pipeline = Pipeline::from_variables(&profile::tests::variable).ok();
    let options = Options { pipeline, ..options_of(SarifProfile::Ado) };
    let details = run(&samples::empty(), &options)["automationDetails"].take();
    insta::assert_snapshot!(serde_json::to_string_pretty(&details).expect("JSON"), @r#"
{
  "id": "azuredevops/pipeline/build/contoso/Shop/42/96ac2280-8cb4-5df5-99de-dd2da759617d/refs/heads/main/1234",
  "properties": {
    "azuredevops/pipeline/build/buildDefinitionId": "42",
    "azuredevops/pipeline/build/buildDefinitionName": "nightly",
    "azuredevops/pipeline/build/phaseId": "96ac2280-8cb4-5df5-99de-dd2da759617d",
    "azuredevops/pipeline/build/phaseName": "scan"
  }
}
"#);
}

#[test]
fn related_locations_have_a_limit() {
    let mut report = samples::empty();
    for at in 0..250u32 {
        let lines = (0..150).map(|line| {
            let mut at = a_finding().location.expect("a line");
            at.line = line + 1;
            Evidence::new("here", Some(at), None)
        });
        let fingerprint = format!("{at:064x}");
        report.findings.push(Finding { fingerprint, ..a_finding() }.evidence(lines));
    }
    let run = run(&report, &Options::default());
    let related = |result: &Value| result["relatedLocations"].as_array().map_or(0, Vec::len);
    assert_eq!(results(&run).iter().map(related).max(), Some(100));
    assert_eq!(results(&run).iter().map(related).sum::<usize>(), 20_000);
    let notices = run["invocations"][0]["toolExecutionNotifications"].as_array().expect("notices");
    assert_eq!(notices[0]["descriptor"]["id"], "locations-left-out");
    assert!(notices[0]["message"]["text"].as_str().expect("text").starts_with("17500 "), "{notices:?}");
}

#[test]
fn what_github_would_refuse_for_its_size_is_cut_to_fit() {
    // Text that no compression makes small.
    let mut state = 1u64;
    let mut noise = || -> String {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from((state >> 33) % 90).expect("small"))
        };
        (0..1_000).map(|_| next()).collect()
    };
    let mut report = samples::empty();
    for at in 0..400 {
        report.findings.push(Finding { fingerprint: format!("{at:064x}"), message: noise(), ..a_finding() });
    }
    let options = Options::default();
    let log = Log { report: &report, options: &options, files: Files::new(&report, &options) };
    let limit = 250_000;
    let document = log.fitting(limit).expect("a document");
    assert!(document.len() as u64 > limit && super::compressed(&document, limit) <= limit);
    let run = serde_json::from_slice::<Value>(&document).expect("JSON")["runs"][0].take();
    assert_eq!(results(&run).len(), 200);
    let notices = run["invocations"][0]["toolExecutionNotifications"].as_array().expect("notices");
    assert!(notices[0]["message"]["text"].as_str().expect("text").starts_with("200 results were left out"));
}
