//! Every secret: its age, when it is due, and what proves that.

use std::collections::BTreeSet;

use keytrail_rules::model::Class;
use keytrail_rules::report::{ItemReport, ItemStatus};

use super::Page;
use super::write::{count, day, distance, grouped, id, list, or, section, text};
use crate::formats::table::age_in_words;

const COLUMNS: [(&str, &str); 6] = [
    ("status", "Status"),
    ("secret", "Secret"),
    ("owner", "Owner"),
    ("env", "Environment"),
    ("age", "Age / cadence"),
    ("due", "Due"),
];

/// Rows that a browser lays out at once, when they come near; the script counts on the number.
pub(super) const CHUNK: usize = 100;

const KEY: &str = "<p class=key aria-hidden=true><span class=k></span>proven age <span class=b></span>set at some \
    time in here <span class=u></span>nothing known <span class=r></span>in order until due <span class=s></span>due \
    soon <span class=o></span>overdue <span class=d></span>due date\n";

impl Page<'_> {
    /// The table of the secrets, the worst first.
    pub(super) fn secrets(&self) -> String {
        let mut items: Vec<(usize, &ItemReport)> = self.report.items.iter().enumerate().collect();
        items.sort_by_key(|(_, item)| (item.status, item.due_at.is_none(), item.due_at, &item.id));
        let mut rows = String::with_capacity(items.len() * 500);
        for chunk in items.chunks(CHUNK) {
            rows += "<tbody>\n";
            chunk.iter().for_each(|(number, item)| self.secret(*number, item, &mut rows));
            rows += "</tbody>\n";
        }
        if rows.is_empty() {
            return section("secrets", "Secrets", "", "<p class=none>No secrets were found.\n");
        }
        let header: String = COLUMNS
            .iter()
            .map(|(name, title)| {
                format!("<th scope=col><button type=button data-sort={name} disabled>{title}</button>")
            })
            .collect();
        let without = if self.is_short {
            " There are so many that this page is short: the proof of those in order, and who loads the others, is in the \
             JSON report (<code>--format json</code>)."
        } else {
            ""
        };
        let lead = format!(
            "{}, the worst first. Open one for its proof, its places and who loads it.{without}",
            count(items.len(), "secret")
        );
        let table = format!(
            "{KEY}<table class=grid id=rows><caption>{} with age, due date and timeline</caption>\n<thead><tr>{header}<th \
             scope=col><span class=sr>Timeline, drawn from the columns before</span>{}</thead>\n{rows}</table>\n",
            count(items.len(), "secret"),
            self.timeline.axis()
        );
        section("secrets", "Cadence of every secret", &lead, &table)
    }

    fn secret(&self, number: usize, item: &ItemReport, rows: &mut String) {
        let status = item.status.as_str();
        let (owner, environment) =
            (or(item.owner.as_ref(), "–"), or(item.environment.as_ref().map(ToString::to_string), "–"));
        let age = item.age.as_ref().map_or_else(|| "unknown".to_owned(), |age| age_in_words(age, self.report.as_of));
        let cadence = or(item.cadence.as_ref(), "no cadence");
        let due = item.due_at.map_or_else(
            || "–".to_owned(),
            |due| format!("{}<small>{}</small>", day(due), distance(due, self.report.as_of)),
        );
        *rows += &format!(
            "<tr id=s{number} class={status}><td>{status}<td>{}<td>{owner}<td>{environment}<td>{age}<small>{cadence}\
             </small><td>{due}<td>{}\n",
            self.name(item),
            self.timeline.bar(item)
        );
    }

    /// The id, which opens to what is known beside.
    fn name(&self, item: &ItemReport) -> String {
        let is_fine = matches!(item.status, ItemStatus::Ok | ItemStatus::Static | ItemStatus::Exempt);
        let id = id(item.id.as_str());
        if self.is_short && is_fine {
            return format!("<span>{id}</span>");
        }
        let places: BTreeSet<&str> = item.copies.iter().map(|copy| copy.place.as_str()).collect();
        let proof = item.age.as_ref().map(|age| text(&age.proof));
        let proof = proof.unwrap_or_else(|| "no source that was read tells its age".to_owned());
        let first = item.age.as_ref().filter(|age| age.first_value).map(|_| "; it is its first value");
        let mut facts = format!("<p><b>Proof</b> {proof}{}", first.unwrap_or_default());
        let mut fact = |name: &str, value: String| {
            if !value.is_empty() {
                facts += &format!("<p><b>{name}</b> {value}");
            }
        };
        fact("Lies in", list(places));
        if !self.is_short {
            fact("Loaded by", list(&item.consumers));
            fact("Declared at", list(&item.declared_at));
            fact("Class", item.class.map(Class::as_str).unwrap_or_default().to_owned());
            fact("Also called", list(&item.aliases));
            fact("Made from", list(&item.derived_from));
        }
        format!("<details><summary>{id}</summary>{facts}</details>")
    }

    /// How many secrets there are of each status.
    pub(super) fn statuses(&self) -> String {
        let total = self.report.items.len();
        if total == 0 {
            return String::new();
        }
        let number = |status: ItemStatus| self.report.items.iter().filter(|item| item.status == status).count();
        let mut bar = String::new();
        let mut names = String::new();
        let mut at = 0;
        for status in ItemStatus::ALL {
            let (number, name) = (number(status), status.as_str());
            if number > 0 {
                let (from, to) = (at * 1_000 / total, (at + number) * 1_000 / total);
                bar += &format!("<rect class={name} x={from} width={} height=10 />", (to - from).max(2));
                names += &format!(
                    "<li><a href=#secrets data-set=\"status={name}\"><span class={name}>{name}</span> {}</a>",
                    grouped(number)
                );
                at += number;
            }
        }
        format!(
            "<svg class=share viewBox=\"0 0 1000 10\" preserveAspectRatio=none aria-hidden=true>{bar}</svg>\n\
             <ul class=statuses aria-label=\"Secrets by status\">{names}</ul>\n"
        )
    }
}
