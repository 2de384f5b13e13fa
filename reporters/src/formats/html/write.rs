//! Text on its way into markup.
//!
//! # Guarantees
//! What [`text`] returns is safe between tags and between double quotes: it holds none of `<`, `>`, `&`, `"`, `'`, and no
//! character that does something else than show itself. Nothing that was read is written in any other place: no unquoted
//! attribute, no style, no script, no URL.

use std::fmt::Display;

use chrono::{SecondsFormat, TimeDelta};
use keytrail_rules::model::{Location, Severity, Time};

use crate::escape;

/// A longer text is no name and no sentence; the JSON report has it whole.
const MAX_TEXT: usize = 300;

/// Scanned text for markup and quoted attributes.
pub(super) fn text(raw: impl AsRef<str>) -> String {
    let shown = escape::terminal(raw.as_ref());
    let shown = escape::clip(&shown, MAX_TEXT);
    let mut safe = String::with_capacity(shown.len() + 8);
    for c in shown.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The id of a secret, which is best broken before its environment.
pub(super) fn id(raw: &str) -> String {
    match text(raw) {
        shown if shown.trim().is_empty() => "(no name)".to_owned(),
        shown => shown.replacen('@', "<wbr>@", 1),
    }
}

/// Scanned text, or a word for its absence.
pub(super) fn or(raw: Option<impl AsRef<str>>, none: &str) -> String {
    raw.map(text).filter(|text| !text.trim().is_empty()).unwrap_or_else(|| none.to_owned())
}

/// Scanned names in one line.
pub(super) fn list<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    const MAX: usize = 20;
    let mut all = all.into_iter();
    let mut shown: Vec<String> = all.by_ref().take(MAX).map(|one| text(one.to_string())).collect();
    let rest = all.count();
    if rest > 0 {
        shown.push(format!("and {rest} more"));
    }
    shown.join(", ")
}

/// A place in a file.
pub(super) fn line(location: &Location) -> String {
    format!("<code>{}</code>", text(location.to_string()))
}

/// `1 file`, `2 files`, `12,000 files`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        _ if number == 1 => noun.to_owned(),
        Some(stem) if !noun.ends_with("ey") => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    format!("{} {plural}", grouped(number))
}

/// `12,000`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2026-03-01`.
pub(super) fn day(time: Time) -> String {
    time.format("%Y-%m-%d").to_string()
}

/// `2026-03-01 12:00 UTC`.
pub(super) fn minute(time: Time) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-03-01T12:00:00Z`, for machines.
pub(super) fn instant(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An instant for people and machines.
pub(super) fn time(time: Time) -> String {
    format!("<time datetime={}>{}</time>", instant(time), minute(time))
}

/// The largest unit that there is one of: `3 d`, `15 min`.
pub(super) fn duration(length: TimeDelta) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let seconds = length.num_seconds();
    let unit = UNITS.iter().find(|(size, _)| seconds >= *size);
    unit.map_or_else(|| format!("{seconds} s"), |(size, name)| format!("{} {name}", seconds / size))
}

/// `123 d ago`, `in 9 d`.
pub(super) fn distance(time: Time, as_of: Time) -> String {
    let length = time - as_of;
    match length.num_seconds() {
        0 => "now".to_owned(),
        1.. => format!("in {}", duration(length)),
        _ => format!("{} ago", duration(-length)),
    }
}

/// A severity as a word with a shape.
pub(super) fn severity(severity: Severity) -> String {
    format!("<b class=\"tag {0}\">{0}</b>", severity.as_str())
}

/// A section with a heading; nothing without a body.
pub(super) fn section(id: &str, title: &str, lead: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    let lead = if lead.is_empty() { String::new() } else { format!("<p class=lead>{lead}\n") };
    format!("<section id={id} aria-labelledby={id}-h>\n<h2 id={id}-h>{title}</h2>\n{lead}{body}</section>\n")
}

/// A table of a few columns; nothing without rows. Cells are markup.
pub(super) fn table(
    class: &str,
    caption: &str,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut body = String::new();
    for row in rows {
        body += "<tr>";
        for (cell, name) in row.iter().zip(header) {
            body += &format!("<td data-n=\"{name}\">{cell}");
        }
        body.push('\n');
    }
    if body.is_empty() {
        return String::new();
    }
    let header: String = header.iter().map(|name| format!("<th scope=col>{name}")).collect();
    format!(
        "<table class=\"plain {class}\"><caption>{caption}</caption>\n<thead><tr>{header}</thead>\n<tbody>\n{body}</tbody></table>\n"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{count, distance, grouped, text};
    use crate::escape::{is_deceptive, tests};
    use crate::samples::time;

    #[test]
    fn markup_is_spelt_out() {
        assert_eq!(text("<script>&'\""), "&lt;script&gt;&amp;&#39;&quot;");
        assert_eq!(text("a\u{2028}b\u{202e}"), r"a\u{2028}b\u{202e}");
        assert_eq!(text("x".repeat(10_000)).chars().count(), 300);
    }

    #[test]
    fn numbers_are_said_in_words() {
        assert_eq!((grouped(1), grouped(1_234), grouped(1_234_567)), ("1".into(), "1,234".into(), "1,234,567".into()));
        assert_eq!(
            (count(1, "policy"), count(2, "policy"), count(0, "key")),
            ("1 policy".into(), "2 policies".into(), "0 keys".into())
        );
        let now = time("2026-11-21T00:00:00Z");
        assert_eq!(distance(time("2026-11-22T00:00:00Z"), now), "in 1 d");
        assert_eq!(distance(time("2026-11-20T21:00:00Z"), now), "3 h ago");
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(raw in tests::text()) {
            let safe = text(raw);
            prop_assert!(!safe.contains(|c| matches!(c, '<' | '>' | '"' | '\'') || is_deceptive(c)));
        }
    }
}
