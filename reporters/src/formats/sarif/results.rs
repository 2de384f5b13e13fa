//! Findings as results (SARIF 2.1.0 §3.27).

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::model::{Finding, Severity};
use serde_json::json;
use serde_sarif::sarif::{Message, PropertyBag, Result as Outcome, ResultLevel, Suppression};

use super::descriptors::{Descriptors, MESSAGE};
use super::locations::{MAX_LOCATIONS, Primary};
use super::{Log, sentence, text};
use crate::Error;

/// So many related locations of a whole run are written for code scanning: nobody looks at more, and a file has to be
/// small.
const MAX_RELATED: usize = 20_000;

impl Log<'_> {
    /// The results, and how many related locations were left out.
    pub(super) fn results(
        &self,
        groups: &[Vec<&Finding>],
        descriptors: &Descriptors,
    ) -> Result<(Vec<Outcome>, usize), Error> {
        let primaries: Vec<Primary<'_>> = groups.iter().map(|group| self.files.primary(group[0])).collect();
        let hashes = self.hashes(groups, &primaries, descriptors)?;
        let new = self.added();
        let (mut written, mut unrelated) = (0, 0);
        let mut results = Vec::with_capacity(groups.len());
        for ((group, primary), hash) in groups.iter().zip(primaries).zip(hashes) {
            let mut result = self.result(group, primary, hash, descriptors)?;
            let mut related = self.files.related(group);
            if !self.is_full() {
                let kept = related.len().min(MAX_LOCATIONS).min(MAX_RELATED.saturating_sub(written));
                unrelated += related.len() - kept;
                related.truncate(kept);
                written += kept;
            }
            result.related_locations = (!related.is_empty()).then_some(related);
            if self.is_full() {
                self.suppress(group[0], &mut result);
                let is_new = |new: &BTreeSet<&str>| new.contains(group[0].fingerprint.as_str());
                result.baseline_state =
                    new.as_ref().map(|new| if is_new(new) { json!("new") } else { json!("unchanged") });
            }
            results.push(result);
        }
        Ok((results, unrelated))
    }

    /// One result for findings of one fingerprint, the first of which speaks for them.
    fn result(
        &self,
        group: &[&Finding],
        primary: Primary<'_>,
        hash: String,
        descriptors: &Descriptors,
    ) -> Result<Outcome, Error> {
        let finding = group[0];
        let (index, id) = descriptors.of(finding)?;
        let subject = finding.item.as_ref().map_or_else(|| self.files.subject(finding), |item| text(item.as_str()));
        Ok(Outcome::builder()
            .rule_id(id)
            .rule_index(i64::try_from(index).unwrap_or(i64::MAX))
            .level(level(finding.severity))
            .message(Message::builder().id(MESSAGE).arguments(vec![subject]).text(sentence(&finding.message)).build())
            .locations(vec![primary.location])
            .partial_fingerprints(BTreeMap::from([
                ("keytrail/v1".to_owned(), finding.fingerprint.clone()),
                ("primaryLocationLineHash".to_owned(), hash),
            ]))
            .properties(properties(finding))
            .build())
    }

    /// What GitHub tells the alerts of a rule apart by, for each group.
    ///
    /// It is the hash of the line, which GitHub would compute as well, where that is known: for a line of a file of the
    /// repository. Where there is none, and for all of several results of a rule on lines that are the same, it is that of
    /// the finding: otherwise two secrets would be one alert, and which of them was dismissed would be left to chance.
    fn hashes(
        &self,
        groups: &[Vec<&Finding>],
        primaries: &[Primary<'_>],
        descriptors: &Descriptors,
    ) -> Result<Vec<String>, Error> {
        let mut lines: Vec<(usize, Option<&str>)> = Vec::with_capacity(groups.len());
        let mut times: BTreeMap<(usize, &str), usize> = BTreeMap::new();
        for (group, primary) in groups.iter().zip(primaries) {
            let (rule, _) = descriptors.of(group[0])?;
            let line = primary.line.and_then(|at| self.options.lines.get(&(at.file.clone(), at.line)));
            let hash = line.and_then(|line| line.hash.as_deref());
            if let Some(hash) = hash {
                *times.entry((rule, hash)).or_default() += 1;
            }
            lines.push((rule, hash));
        }
        let of_finding = |finding: &Finding| {
            let short: String = finding.fingerprint.chars().take(16).collect();
            format!("{short}:1")
        };
        let hash = |(rule, hash): &(usize, Option<&str>), group: &Vec<&Finding>| {
            let alone = hash.filter(|hash| times.get(&(*rule, hash)) == Some(&1));
            alone.map_or_else(|| of_finding(group[0]), str::to_owned)
        };
        Ok(lines.iter().zip(groups).map(|(line, group)| hash(line, group)).collect())
    }

    /// The findings that the scan before had not, or that are back; `None` where no scan before is known.
    fn added(&self) -> Option<BTreeSet<&str>> {
        let all = self.report.findings.iter();
        let (known, unknown): (Vec<&Finding>, Vec<&Finding>) = all.partition(|finding| finding.baselined);
        let Some(changes) = &self.report.changes else {
            return (!known.is_empty()).then(|| unknown.iter().map(|finding| finding.fingerprint.as_str()).collect());
        };
        let mut new: BTreeSet<&str> =
            changes.new.iter().chain(&changes.regressed).map(|change| change.fingerprint.as_str()).collect();
        for finding in known {
            new.remove(finding.fingerprint.as_str());
        }
        Some(new)
    }

    /// Says that a finding is let pass, why, and for how long (§3.35).
    fn suppress(&self, finding: &Finding, result: &mut Outcome) {
        let Some(reason) = &finding.exception else {
            return;
        };
        let about = |secret: &str| finding.item.as_ref().is_some_and(|item| item.as_str().starts_with(secret));
        let exception =
            self.report.exceptions.iter().find(|one| {
                one.rule == finding.rule && one.reason == *reason && one.secret.as_deref().is_none_or(about)
            });
        let mut suppression = Suppression::builder()
            .kind(json!("external"))
            .status(json!("accepted"))
            .justification(text(reason))
            .build();
        if let Some(exception) = exception {
            let mut bag = BTreeMap::from([("expires".to_owned(), json!(exception.expires))]);
            if let Some(name) = &exception.approved_by {
                bag.insert("approvedBy".to_owned(), json!(text(name)));
            }
            suppression.properties = Some(PropertyBag::builder().additional_properties(bag).build());
            suppression.location = self.files.of_line(&exception.location);
        }
        result.suppressions = Some(vec![suppression]);
    }
}

fn properties(finding: &Finding) -> PropertyBag {
    let mut bag = BTreeMap::from([
        ("rule".to_owned(), json!(finding.rule)),
        ("severity".to_owned(), json!(finding.severity.as_str())),
        ("fixable".to_owned(), json!(finding.fixable)),
    ]);
    if let Some(item) = &finding.item {
        bag.insert("secret".to_owned(), json!(text(item.as_str())));
    }
    if !finding.next.is_empty() {
        bag.insert("next".to_owned(), json!(text(&finding.next)));
    }
    PropertyBag::builder().additional_properties(bag).build()
}

pub(super) fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium => ResultLevel::Warning,
        Severity::Low | Severity::Info => ResultLevel::Note,
    }
}
