//! Every secret, by id.

use keytrail_rules::model::Class;
use keytrail_rules::report::ItemReport;

use super::layout::{Row, lines};
use super::secrets::{age_in_words, day, status_style};
use super::{HEADING, Page, cell};

const HEADER: [&str; 7] = ["STATUS", "SECRET", "CLASS", "OWNER", "AGE / CADENCE", "DUE", "PLACES"];

impl Page<'_> {
    /// Every secret, by id.
    pub(super) fn inventory(&self) -> String {
        let rows: Vec<Row> = self.report.items.iter().map(|item| self.item(item)).collect();
        if rows.is_empty() {
            return lines(["No secrets were found.".to_owned()]);
        }
        lines([self.paint(HEADING, "Secrets")]) + &self.rows(&HEADER, &rows)
    }

    fn item(&self, item: &ItemReport) -> Row {
        let or_none = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), cell);
        let age = item.age.as_ref().map_or_else(|| "unknown".to_owned(), |age| age_in_words(age, self.report.as_of));
        let age = format!("{age} / {}", or_none(item.cadence.as_deref()));
        let due = item.due_at.map_or_else(|| "-".to_owned(), day);
        let class = item.class.map_or("-", Class::as_str);
        let owner = or_none(item.owner.as_deref());
        let places = match item.copies.as_slice() {
            [] => "no place was seen".to_owned(),
            [one] => cell(one.place.as_str()),
            [first, rest @ ..] => format!("{} and {} more", cell(first.place.as_str()), rest.len()),
        };
        let (status, id) = (item.status.as_str(), cell(item.id.as_str()));
        Row {
            title: format!("{status}  {id}"),
            details: vec![format!("{age}, due {due}, class {class}, owner {owner}"), places.clone()],
            cells: vec![status.to_owned(), id, class.to_owned(), owner, age, due, places],
            word: Some((status, status_style(item.status))),
        }
    }
}
