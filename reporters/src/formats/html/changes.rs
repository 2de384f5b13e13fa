//! What is different from the scan before, and what will be soon.

use keytrail_rules::history::{FindingChange, StatusChange};
use keytrail_rules::report::ExceptionState;

use super::Page;
use super::write::{count, day, distance, or, section, severity, text, time};

/// More than this of one kind nobody reads here.
const MAX: usize = 500;

impl Page<'_> {
    pub(super) fn changes(&self) -> String {
        let ending = self.ending();
        let Some(changes) = &self.report.changes else {
            let none = "<p class=none>No earlier scan is known, so that nothing can be said on what changed.\n";
            return section("changes", "Since the last scan", "", &format!("{none}{ending}"));
        };
        let groups = [
            ("New", "new", &changes.new, "they were in no scan before"),
            ("Back", "back", &changes.regressed, "they were fixed once"),
            ("Fixed", "fixed", &changes.fixed, "they are gone"),
            ("Not seen", "unseen", &changes.unseen, "this scan did not look there, or could not: they may still be"),
        ];
        let tiles: String = groups
            .iter()
            .map(|(name, class, findings, _)| format!("<li class={class}><strong>{}</strong> {name}", findings.len()))
            .collect();
        let lists: String = groups
            .iter()
            .filter(|(_, _, findings, _)| !findings.is_empty())
            .map(|(name, class, findings, what)| {
                let open = if findings.len() <= 8 { " open" } else { "" };
                let rows = self.capped(findings, MAX, "findings", |change| self.change(change));
                format!(
                    "<details class={class}{open}><summary><h3>{name}</h3> {}: {what}</summary><ul class=rows>{rows}</ul></details>\n",
                    count(findings.len(), "finding")
                )
            })
            .collect();
        let lead = format!(
            "Compared with the scan of {}; {} are in both.",
            time(changes.since),
            count(usize::try_from(changes.unchanged).unwrap_or(usize::MAX), "finding")
        );
        let items = self.status_changes(&changes.items);
        section(
            "changes",
            "Since the last scan",
            &lead,
            &format!("<ul class=tiles>{tiles}</ul>\n{lists}{items}{ending}"),
        )
    }

    fn change(&self, change: &FindingChange) -> String {
        let item = change.item.as_ref().map(|id| format!(" {}", self.item_link(id))).unwrap_or_default();
        format!(
            "<li>{} {} <small><code>{}</code>{item}</small>\n",
            severity(change.severity),
            text(&change.message),
            text(&change.rule)
        )
    }

    fn status_changes(&self, all: &[StatusChange]) -> String {
        if all.is_empty() {
            return String::new();
        }
        let open = if all.len() <= 8 { " open" } else { "" };
        let rows = self.capped(all, MAX, "secrets", |change| {
            let (before, after) = (or(change.before.as_ref(), "(new)"), or(change.after.as_ref(), "(gone)"));
            format!("<li>{} <small>{before} <span class=arrow>→</span> {after}</small>\n", self.item_link(&change.item))
        });
        format!(
            "<details{open}><summary><h3>Status</h3> {} judged otherwise than before</summary><ul class=rows>{rows}</ul></details>\n",
            count(all.len(), "secret")
        )
    }

    /// The exceptions that end soon: what they cover will be findings.
    fn ending(&self) -> String {
        let ending: Vec<_> = self.report.exceptions.iter().filter(|one| one.state == ExceptionState::Ending).collect();
        if ending.is_empty() {
            return String::new();
        }
        let rows = self.capped(&ending, MAX, "exceptions", |one| {
            let (rule, secret) = (text(&one.rule), or(one.secret.as_ref(), "every secret"));
            format!(
                "<li><b class=\"tag medium\">ending</b> <code>{rule}</code> for {secret} ends on {} ({}) <small>{}</small>\n",
                day(one.expires),
                distance(one.expires, self.report.as_of),
                text(&one.reason)
            )
        });
        format!(
            "<details open><summary><h3>Exceptions that end soon</h3></summary><ul class=rows>{rows}</ul></details>\n"
        )
    }
}
