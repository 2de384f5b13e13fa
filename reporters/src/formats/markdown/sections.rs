//! What the pages say, section by section.

use keytrail_rules::controls::ControlStatus;
use keytrail_rules::correlate::Verdict;
use keytrail_rules::history::{FindingChange, Measures};
use keytrail_rules::model::{Finding, Gap, Severity};
use keytrail_rules::report::{ExceptionState, Report};

use super::page::Page;
use super::text::{code, place, prose};
use crate::Options;
use crate::sheets::{instant, is_complete};

/// How many rows of each table there are.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    findings: usize,
    others: usize,
    /// Whether to list what nothing needs to be done about.
    inventory: bool,
}

impl Extent {
    /// As many as there are room for.
    pub(super) const ALL: Self = Self { findings: usize::MAX, others: usize::MAX, inventory: true };
    /// What is to be seen at once.
    pub(super) const TOP: Self = Self { findings: 20, others: 20, inventory: false };
}

/// Gaps are few, or one of many; the findings need their room.
const MAX_GAPS: usize = 50;

/// A report on its way to a page.
pub(super) struct Sections<'a> {
    pub(super) report: &'a Report,
    pub(super) options: &'a Options,
    pub(super) extent: Extent,
}

impl Sections<'_> {
    /// What came out, and the numbers.
    pub(super) fn verdict(&self, page: &mut Page) {
        let report = self.report;
        page.block("## Keytrail");
        page.block(&self.sentence());
        let mut rows = vec![("Findings", self.numbers_of_findings()), ("Secrets", self.numbers_of_secrets())];
        if report.summary.measures != Measures::default() {
            rows.extend(measures(&report.summary.measures));
        }
        let evidence = match report.gaps.len() {
            0 if is_complete(report) => "complete".to_owned(),
            1 => "**incomplete**: 1 gap".to_owned(),
            number => format!("**incomplete**: {number} gaps"),
        };
        rows.push(("Evidence", evidence));
        rows.push(("Scope", format!("{} sources, {} trails", report.scope.len(), report.trails.len())));
        let tool = format!("{} {}", report.tool.name, report.tool.version);
        rows.push(("As of", format!("{}, {}", code(&instant(report.as_of)), code(&tool))));
        let rows: Vec<String> = rows.into_iter().map(|(what, value)| format!("| {what} | {value} |")).collect();
        page.block(&format!("| | |\n| --- | --- |\n{}", rows.join("\n")));
    }

    fn sentence(&self) -> String {
        let (number, complete) = (self.report.counting().count(), is_complete(self.report));
        let findings = if number == 1 { "1 finding counts".to_owned() } else { format!("{number} findings count") };
        match (number, complete) {
            (0, false) => "**Incomplete.** No findings in what could be read.".to_owned(),
            (0, true) if self.report.scope.is_empty() && self.report.searched.is_none() => {
                "**Nothing was scanned.** There is no file and no store that Keytrail reads.".to_owned()
            }
            (0, true) => "**Clean.** Everything in scope could be read, and no finding counts.".to_owned(),
            (_, true) if self.options.exit_code == 1 => format!("**Failed.** {findings}."),
            (_, false) if self.options.exit_code == 1 => {
                format!("**Failed, and incomplete.** {findings}, in what could be read.")
            }
            (_, true) => format!("**Passed, with findings.** {findings}; none is as severe as `--fail-on` asks for."),
            (_, false) => format!("**Incomplete.** {findings}, in what could be read."),
        }
    }

    fn numbers_of_findings(&self) -> String {
        let summary = &self.report.summary;
        let severity = |severity: &Severity| Some(format!("{} {}", summary.findings.get(severity)?, severity.as_str()));
        let mut parts: Vec<String> = Severity::ALL.iter().rev().filter_map(severity).collect();
        if parts.is_empty() {
            parts.push("0".to_owned());
        }
        for (number, what) in
            [(summary.excepted, "excepted"), (summary.baselined, "in the baseline"), (summary.fixable, "fixable")]
        {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        parts.join(", ")
    }

    fn numbers_of_secrets(&self) -> String {
        let statuses = self.report.summary.items.iter().map(|(status, number)| format!("{number} {}", status.as_str()));
        let statuses: Vec<String> = statuses.collect();
        let total = self.report.items.len();
        if statuses.is_empty() { total.to_string() } else { format!("{total}: {}", statuses.join(", ")) }
    }

    /// What could not be read.
    pub(super) fn gaps(&self, page: &mut Page) {
        let gaps = &self.report.gaps;
        let row = |gap: &Gap| {
            let at = match (&gap.location, &gap.place) {
                (Some(location), _) => place(location, self.options),
                (None, Some(place)) => code(place.as_str()),
                (None, None) => code(&gap.source),
            };
            vec![
                at,
                gap.reason.as_str().to_owned(),
                prose(&gap.message),
                gap.hint.as_deref().map(prose).unwrap_or_default(),
            ]
        };
        let most = self.extent.others.min(MAX_GAPS);
        let header = ["Where", "Why", "What is missing", "Next"];
        page.table("What could not be read", &header, gaps.iter().map(row), (most, gaps.len()));
    }

    /// What is different from the scan before.
    pub(super) fn changes(&self, page: &mut Page) {
        let Some(changes) = &self.report.changes else { return };
        let numbers = [
            (changes.new.len(), "new"),
            (changes.regressed.len(), "back again"),
            (changes.fixed.len(), "fixed"),
            (changes.unseen.len(), "not looked for again"),
        ];
        let numbers: Vec<String> = numbers.iter().map(|(number, what)| format!("{number} {what}")).collect();
        let since = code(&instant(changes.since));
        page.block(&format!("Since the scan of {since}: {}, {} unchanged.", numbers.join(", "), changes.unchanged));
        let row = |(kind, one): (&str, &FindingChange)| {
            let about = one.item.as_deref().map(code).unwrap_or_default();
            vec![kind.to_owned(), one.severity.as_str().to_owned(), code(&one.rule), about, prose(&one.message)]
        };
        let kinds = [("new", &changes.new), ("back again", &changes.regressed), ("fixed", &changes.fixed)];
        let all = || kinds.into_iter().flat_map(|(kind, list)| list.iter().map(move |one| (kind, one)));
        let header = ["Change", "Severity", "Rule", "Secret", "Finding"];
        page.table("What changed", &header, all().map(row), (self.extent.others, all().count()));
    }

    /// The findings that count, worst first.
    pub(super) fn findings(&self, page: &mut Page) {
        let row = |finding: &Finding| {
            vec![
                finding.severity.as_str().to_owned(),
                code(finding.rule),
                prose(&finding.message),
                self.place_of(finding),
                prose(&finding.next),
            ]
        };
        let all = || self.report.counting();
        let header = ["Severity", "Rule", "Finding", "Where", "Next"];
        page.table("Findings", &header, all().map(row), (self.extent.findings, all().count()));
    }

    fn place_of(&self, finding: &Finding) -> String {
        let evidence = || finding.evidence.iter();
        let line = finding.location.as_ref().or_else(|| evidence().find_map(|one| one.location.as_ref()));
        let store = || evidence().find_map(|one| one.place.as_ref()).map(|place| code(place.as_str()));
        line.map(|line| place(line, self.options)).or_else(store).unwrap_or_default()
    }

    /// Every secret.
    pub(super) fn secrets(&self, page: &mut Page) {
        if !self.extent.inventory {
            return;
        }
        let rows = self.report.items.iter().map(|item| {
            let set = item.age.as_ref().and_then(|age| age.not_before.or(age.not_after));
            let time = |time: Option<_>| time.map(|time| code(&instant(time))).unwrap_or_default();
            vec![
                code(item.id.as_str()),
                item.status.as_str().to_owned(),
                item.owner.as_deref().map(prose).unwrap_or_default(),
                item.cadence.as_deref().map(prose).unwrap_or_default(),
                match item.age.as_ref().filter(|age| age.not_before != age.not_after) {
                    Some(age) if age.not_before.is_none() => format!("by {}", time(age.not_after)),
                    Some(_) => format!("not before {}", time(set)),
                    None => time(set),
                },
                time(item.due_at),
            ]
        });
        let header = ["Secret", "Status", "Owner", "Cadence", "Set", "Due"];
        page.table("Secrets", &header, rows, (self.extent.others, self.report.items.len()));
    }

    /// The changes of secrets that did not leave their traces.
    pub(super) fn rotations(&self, page: &mut Page) {
        let all = || self.report.rotations.iter().filter(|one| one.verdict != Verdict::Traced);
        let rows = all().map(|one| {
            let flags: Vec<&str> = one.flags.iter().map(|flag| flag.as_str()).collect();
            vec![code(one.item.as_str()), code(&instant(one.at)), one.verdict.as_str().to_owned(), flags.join(", ")]
        });
        let header = ["Secret", "At", "Verdict", "Flags"];
        page.table("Changes without all of their traces", &header, rows, (self.extent.others, all().count()));
    }

    /// What is let pass; of a short page, only what ends soon or has ended.
    pub(super) fn exceptions(&self, page: &mut Page) {
        let all =
            || self.report.exceptions.iter().filter(|one| self.extent.inventory || one.state != ExceptionState::Active);
        let rows = all().map(|one| {
            vec![
                code(&one.rule),
                one.secret.as_deref().map_or_else(|| "every secret".to_owned(), code),
                prose(&one.reason),
                one.approved_by.as_deref().map(code).unwrap_or_default(),
                code(&instant(one.expires)),
                one.state.as_str().to_owned(),
            ]
        });
        let header = ["Rule", "Secret", "Reason", "Approved by", "Expires", "State"];
        let title = if self.extent.inventory { "Exceptions" } else { "Exceptions that end" };
        page.table(title, &header, rows, (self.extent.others, all().count()));
    }

    /// The controls that there is something to say on.
    pub(super) fn controls(&self, page: &mut Page) {
        if !self.extent.inventory {
            return;
        }
        let rows = self.report.controls.iter().map(|one| {
            let status = match one.status {
                ControlStatus::Findings => format!("{} findings", one.findings),
                ControlStatus::Evidence => "evidence, no findings".to_owned(),
                ControlStatus::NotAssessed => "not assessed".to_owned(),
            };
            vec![code(&one.framework), code(&one.control), prose(&one.title), status]
        });
        let header = ["Framework", "Control", "What it asks for", "Evidence"];
        page.table("Controls", &header, rows, (self.extent.others, self.report.controls.len()));
    }

    /// What was read.
    pub(super) fn scope(&self, page: &mut Page) {
        if !self.extent.inventory {
            return;
        }
        let rows = self.report.scope.iter().map(|one| vec![code(&one.source), code(&one.kind), one.held.to_string()]);
        page.table("Scope", &["Source", "Kind", "Held"], rows, (self.extent.others, self.report.scope.len()));
    }
}

fn measures(measures: &Measures) -> Vec<(&'static str, String)> {
    vec![
        ("Within their cadence", format!("{} of {}", measures.in_cadence, measures.with_cadence)),
        ("Silent changes", format!("{} of {} that could be judged", measures.silent, measures.judged)),
        ("Leaks", measures.leaks.to_string()),
    ]
}
