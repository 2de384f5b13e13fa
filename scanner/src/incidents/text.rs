//! What an incident says of a finding: one line for each thing, bounded, without characters that deceive.

use keytrail_reporters::Repository;
use keytrail_reporters::escape::uri_path;
use keytrail_rules::checks::Rule;
use keytrail_rules::model::{Evidence, Finding, Location};
use keytrail_rules::text::visible;
use sha2::{Digest, Sha256};

use super::{EvidenceText, Incident};

/// Characters of one text.
const MAX_TEXT: usize = 2_000;

/// Characters of one thing that a finding rests on, and of its place.
const MAX_EVIDENCE_TEXT: usize = 500;

/// More evidence is only counted.
const MAX_EVIDENCE: usize = 40;

/// Characters of a summary.
const MAX_SUMMARY: usize = 300;

pub(super) use keytrail_reporters::escape::clip;

/// Where the scanned folder lies, for links.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The repository, where it is known.
    pub repository: Option<Repository>,
    /// Path of the scanned folder inside its repository.
    pub prefix: String,
}

impl Incident {
    /// The incident of a finding that came for the first time.
    pub fn of(finding: &Finding, estate: Option<&str>, source: &Source) -> Self {
        let place = |evidence: &Evidence| {
            let place = evidence.place.as_ref().map(|place| place.as_str().to_owned());
            place.or_else(|| evidence.location.as_ref().map(line))
        };
        let evidence = finding.evidence.iter().take(MAX_EVIDENCE).map(|evidence| EvidenceText {
            note: shown(&evidence.note, MAX_EVIDENCE_TEXT),
            at: place(evidence).map(|at| shown(&at, MAX_EVIDENCE_TEXT)),
        });
        Self {
            key: key(&finding.fingerprint, estate),
            fingerprint: finding.fingerprint.clone(),
            estate: estate.map(|estate| shown(estate, MAX_EVIDENCE_TEXT)),
            occurrence: 1,
            rule: finding.rule,
            code: Rule::find(finding.rule).map_or("", |rule| rule.code),
            severity: finding.severity,
            item: finding.item.as_ref().map(|item| shown(item.as_str(), MAX_EVIDENCE_TEXT)),
            message: shown(&finding.message, MAX_TEXT),
            next: shown(&finding.next, MAX_TEXT),
            location: finding.location.as_ref().map(|location| shown(&line(location), MAX_EVIDENCE_TEXT)),
            link: finding.location.as_ref().and_then(|location| link(location, source)),
            evidence: evidence.collect(),
            more_evidence: finding.evidence.len().saturating_sub(MAX_EVIDENCE),
        }
    }

    /// Rule and message in a line.
    pub fn summary(&self) -> String {
        clip(&format!("{}: {}", self.rule, self.message), MAX_SUMMARY).into_owned()
    }

    /// The lines of plain text that say all of it, each with a word before it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("What:     {}", self.message)];
        let mut add = |word: &str, text: Option<&str>| {
            lines.extend(text.filter(|text| !text.is_empty()).map(|text| format!("{word:<9} {text}")));
        };
        add("Item:", self.item.as_deref());
        add("Where:", self.location.as_deref());
        add("Next:", Some(&self.next));
        add("Estate:", self.estate.as_deref());
        for evidence in &self.evidence {
            let at = evidence.at.as_ref().map_or(String::new(), |at| format!(" ({at})"));
            add("Evidence:", Some(&format!("{}{at}", evidence.note)));
        }
        if self.more_evidence > 0 {
            add("Evidence:", Some(&format!("… and {} more", self.more_evidence)));
        }
        lines
    }
}

/// The fingerprint, or a digest of it and the estate, so that two estates have incidents of their own.
pub(super) fn key(fingerprint: &str, estate: Option<&str>) -> String {
    let Some(estate) = estate else {
        return fingerprint.to_owned();
    };
    let mut digest = Sha256::new();
    for part in ["keytrail/incident/v1", estate, fingerprint] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(text: &str, limit: usize) -> String {
    clip(&visible(text), limit).into_owned()
}

fn line(location: &Location) -> String {
    format!("{}:{}", location.file, location.line)
}

/// The line at the host of the repository, as GitHub spells it; `None` unless the commit is known.
fn link(location: &Location, source: &Source) -> Option<String> {
    let repository = source.repository.as_ref()?;
    let revision = repository.revision.as_ref().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let path = uri_path(&source.prefix, &location.file)?;
    Some(format!("{}/blob/{revision}/{path}#L{}", repository.uri(), location.line))
}

#[cfg(test)]
mod tests {
    use keytrail_rules::checks::RULES;
    use keytrail_rules::model::{Evidence, Finding, Location, Place};
    use proptest::prelude::*;

    use super::{Source, key};
    use crate::incidents::Incident;
    use crate::incidents::testing::finding;

    #[test]
    fn estates_have_incidents_of_their_own() {
        let fingerprint = "f".repeat(64);
        assert_eq!(key(&fingerprint, None), fingerprint);
        let (shop, web) = (key(&fingerprint, Some("shop")), key(&fingerprint, Some("web")));
        assert!(shop != web && shop != fingerprint && shop.len() == 64);
    }

    #[test]
    fn the_link_is_there_once_the_commit_is_known() {
        let mut repository = keytrail_reporters::Repository::from_remote("https://github.com/o/r").expect("a remote");
        let of = |repository| {
            Incident::of(&finding("A"), None, &Source { repository: Some(repository), prefix: "api".into() }).link
        };
        assert_eq!(of(repository.clone()), None);
        repository.revision = Some("abc123".into());
        let link = "https://github.com/o/r/blob/abc123/api/deploy/a%20b.yaml#L7";
        assert_eq!(of(repository).as_deref(), Some(link));
    }

    proptest! {
        #[test]
        fn every_text_is_one_bounded_line(text in ".{0,40}", times in 0..400_usize, pieces in 0..60_usize) {
            let text = text.repeat(times);
            let evidence = (0..pieces).map(|_| Evidence::new(&text, None, Some(Place::of_path("vault", &text))));
            let finding = Finding::new(RULES[0], "a", &text).next(&text).evidence(evidence)
                .at(Some(Location::of_file(&text)));
            let incident = Incident::of(&finding, Some(&text), &Source::default());
            let all = incident.lines().join("");
            prop_assert!(!all.contains(keytrail_rules::text::is_deceptive));
            prop_assert!(all.chars().count() < 50_000);
            prop_assert!(incident.summary().chars().count() <= 300);
        }
    }
}
