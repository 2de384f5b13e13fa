//! The colours of the terminal. They never carry meaning alone.

use anstyle::{AnsiColor, Style};

pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const URGENT: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(crate) const NOTICE: Style = AnsiColor::Cyan.on_default();
pub(crate) const FINE: Style = AnsiColor::Green.on_default();

/// Text in a style, if there is colour.
pub(crate) fn paint(color: bool, style: Style, text: &str) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
