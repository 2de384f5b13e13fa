use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Error, earlier};

/// The part of a report that a baseline consists of.
#[derive(Deserialize)]
struct Known {
    findings: Vec<KnownFinding>,
}

#[derive(Deserialize)]
struct KnownFinding {
    fingerprint: String,
    exception: Option<IgnoredAny>,
}

/// The fingerprints of the findings of an earlier JSON report.
///
/// Findings that an exception covered are not among them: an exception ends on a day, and what it covered is to
/// show up then.
///
/// # Errors
/// The bytes are not JSON, not a Keytrail report, or a report of a newer version.
pub fn baseline(bytes: &[u8]) -> Result<BTreeSet<String>, Error> {
    let known: Known = earlier::read("the baseline", bytes)?;
    let open = known.findings.into_iter().filter(|finding| finding.exception.is_none());
    Ok(open.map(|finding| finding.fingerprint).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::baseline;
    use crate::{Format, Options, samples};

    fn refusal(bytes: &[u8]) -> String {
        let error = baseline(bytes).expect_err("refused");
        format!("{error}; hint: {}", error.hint().expect("a hint"))
    }

    #[test]
    fn a_report_is_its_own_baseline() {
        let mut report = samples::company();
        let json = Format::find("json").expect("json");
        let bytes = (json.render)(&report, &Options::default()).expect("renders");
        report.apply_baseline(&baseline(&bytes).expect("a baseline"));
        assert_eq!(report.counting().count(), 0);
        assert!(report.summary.baselined > 0 && report.summary.excepted > 0);
    }

    #[test]
    fn an_excepted_finding_is_no_baseline() {
        let bytes = r#"{"schema": "keytrail/report/v1", "findings": [
            {"fingerprint": "a"}, {"fingerprint": "b", "exception": "vendor ends the service"}]}"#;
        assert_eq!(baseline(bytes.as_bytes()).expect("a baseline").into_iter().collect::<Vec<_>>(), ["a"]);
        let with_bom = format!("\u{feff}{bytes}");
        assert_eq!(baseline(with_bom.as_bytes()).expect("a baseline").len(), 1);
    }

    #[test]
    fn refusals_are_clear_and_repeat_nothing() {
        insta::assert_snapshot!(refusal(b"API_KEY=hunter2"), @"read the baseline: it is not JSON from line 1, column 1 on; hint: write one with `keytrail scan --format json --output FILE`");
        insta::assert_snapshot!(refusal(b""), @"read the baseline: it is not JSON from line 1, column 1 on; hint: write one with `keytrail scan --format json --output FILE`");
        insta::assert_snapshot!(refusal(br#"{"API_KEY": "hunter2"}"#), @"read the baseline: it is JSON, but no Keytrail report (line 1, column 22); hint: write one with `keytrail scan --format json --output FILE`");
        insta::assert_snapshot!(refusal(br#"{"schema": "keytrail/report/v1", "findings": "hunter2"}"#), @"read the baseline: it is JSON, but no Keytrail report (line 1, column 54); hint: write one with `keytrail scan --format json --output FILE`");
        insta::assert_snapshot!(refusal(br#"{"schema": "keytrail/report/v2", "findings": 5}"#), @"read the baseline: its schema is `keytrail/report/v2`, and this version reads `keytrail/report/v1`; hint: update Keytrail, or write it anew with `keytrail scan --format json --output FILE`");
        insta::assert_snapshot!(refusal(b"{\"schema\": \"\\u001b[2J\\u202e\"}"), @r"read the baseline: its schema is `\u{1b}[2J\u{202e}`, and this version reads `keytrail/report/v1`; hint: update Keytrail, or write it anew with `keytrail scan --format json --output FILE`");
    }

    #[test]
    fn what_another_format_holds_is_said_to() {
        let sarif = br#"{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": []}"#;
        insta::assert_snapshot!(refusal(sarif), @"read the baseline: it is SARIF, no JSON report of Keytrail; hint: write one with `keytrail scan --format json --output FILE`");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read_or_refused = baseline(&bytes);
        }
    }
}
