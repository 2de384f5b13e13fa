//! A finding with its line, in the way of compilers. What stands on the line is hidden but for names, see
//! [`crate::source::Shown`].

use keytrail_rules::model::Finding;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::layout::lines;
use super::{NOTICE, Page, cell, severity_style};
use crate::source::{SourceLine, line_of};

/// Columns that the frame of a line takes, beside its number.
const FRAME: usize = 6;

/// Where nothing is known of the terminal, lines are not longer.
const MAX_WIDTH: usize = 200;

impl Page<'_> {
    /// The finding with its line; `None` where nothing of the line is to be shown.
    pub(super) fn annotated(&self, finding: &Finding, message: &str, next: Option<&str>) -> Option<String> {
        let at = line_of(finding)?;
        let line: &SourceLine = self.options.lines.get(&(at.file.clone(), at.line))?;
        let shown = line.shown.as_ref()?;
        let number = at.line.to_string();
        let gutter = " ".repeat(number.len());
        let width = self.options.width.map_or(MAX_WIDTH, usize::from);
        let (start, under) = shown.cells(at.start_column, at.end_column);
        let (text, start) = window(&shown.text(), start, under, width.saturating_sub(FRAME + number.len()).max(20));
        let under = under.min(text.width().saturating_sub(start)).max(1);
        let frame = |text: &str| self.paint(NOTICE, text);

        let place = cell(&format!("{}:{}", at, at.start_column));
        let mut all = self.wrap(2, message);
        all.push(format!("  {gutter}{} {}", frame("-->"), self.link_to_line(at, &place)));
        all.push(format!("  {gutter} {}", frame("|")));
        all.push(format!("  {} {} {text}", frame(&number), frame("|")).trim_end().to_owned());
        let carets = self.paint(severity_style(finding.severity), &"^".repeat(under));
        all.push(format!("  {gutter} {} {}{carets}", frame("|"), " ".repeat(start)));
        let notes = finding.evidence.iter().map(|one| {
            let at = one.location.as_ref().map(ToString::to_string);
            let at = at.or_else(|| one.place.as_ref().map(ToString::to_string));
            let at = at.map(|at| format!(" ({})", cell(&at))).unwrap_or_default();
            format!("= evidence: {}{at}", cell(&one.note))
        });
        let indent = u16::try_from(number.len() + 3).unwrap_or(3);
        for note in notes.chain(next.map(|next| format!("= {next}"))) {
            all.extend(self.wrap(indent, &note));
        }
        Some(lines(all))
    }
}

/// As much of a line as fits, around the cells from `start` on; and where these are in it.
fn window(text: &str, start: usize, under: usize, width: usize) -> (String, usize) {
    if text.width() <= width {
        return (text.to_owned(), start);
    }
    let skipped = if start + under.min(width / 2) <= width { 0 } else { start.saturating_sub(width / 4) };
    let (mut cells, mut before, mut shown) = (0, 0, String::new());
    for c in text.chars() {
        let next = cells + c.width().unwrap_or(0);
        if cells < skipped {
            before = next;
        } else if next - before <= width {
            shown.push(c);
        } else {
            break;
        }
        cells = next;
    }
    (shown, start.saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn a_long_line_is_cut_around_what_it_is_about() {
        let text = format!("{}NAME{}", "a".repeat(50), "b".repeat(50));
        assert_eq!(window("short", 2, 3, 20), ("short".to_owned(), 2));
        let (shown, start) = window(&text, 50, 4, 20);
        assert_eq!((shown.as_str(), start), ("aaaaaNAMEbbbbbbbbbbb", 5));
        assert_eq!(window(&text, 0, 4, 20), ("a".repeat(20), 0));
        let (shown, start) = window(&"漢".repeat(40), 40, 2, 21);
        assert!(shown.chars().count() <= 10 && start <= 20, "{shown} {start}");
    }
}
