//! What standard output is: a terminal or not, of which width, and what it takes.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

use keytrail_reporters::escape;

use crate::cli::{Color, Links};

/// Reads a variable of the environment.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Columns of the terminal; `None` for a pipe or a file.
pub(super) fn width() -> Option<u16> {
    let is_terminal = std::io::stdout().is_terminal();
    terminal_size::terminal_size().map(|(width, _)| width.0).filter(|width| is_terminal && *width > 0)
}

/// Whether standard output gets colours.
pub(super) fn use_color(color: Color) -> bool {
    wants_color(color, &variable, std::io::stdout().is_terminal())
}

/// `NO_COLOR` (<https://no-color.org>) goes before `CLICOLOR_FORCE` (<https://bixense.com/clicolors/>).
fn wants_color(color: Color, variable: Variable<'_>, is_terminal: bool) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if is_set("NO_COLOR") => false,
        Color::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") => true,
        Color::Auto => is_terminal && !is_dumb(variable) && variable("CLICOLOR").is_none_or(|value| value != "0"),
    }
}

fn is_dumb(variable: Variable<'_>) -> bool {
    variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// The URL that links of a terminal begin with; `None` where there are to be none.
pub(super) fn links(links: Links, root: &Path) -> Option<String> {
    if !wants_links(links, &variable, std::io::stdout().is_terminal()) {
        return None;
    }
    let path = root.canonicalize().ok()?;
    let path = escape::uri_path("", path.to_str()?.trim_start_matches('/')).unwrap_or_default();
    // With the host, a terminal tells files of another machine, as over SSH, from its own.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let host = Some(host.trim()).filter(|host| host.chars().all(is_host)).unwrap_or_default();
    Some(format!("file://{host}/{path}/"))
}

/// No terminal says whether it follows links, and some that do not print them: those that do are known by name.
fn wants_links(links: Links, variable: Variable<'_>, is_terminal: bool) -> bool {
    let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
    let programs = ["iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "rio", "Tabby"];
    let terms = ["kitty", "alacritty", "foot", "ghostty", "wezterm", "contour"];
    let follows = || {
        programs.contains(&text("TERM_PROGRAM").as_str())
            || terms.iter().any(|name| text("TERM").contains(name))
            || text("VTE_VERSION").parse::<u32>().is_ok_and(|version| version >= 5_000)
            || ["KONSOLE_VERSION", "WT_SESSION", "DOMTERM"].iter().any(|name| !text(name).is_empty())
    };
    match links {
        Links::Always => true,
        Links::Never => false,
        Links::Auto => is_terminal && !is_dumb(variable) && text("TMUX").is_empty() && follows(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{wants_color, wants_links};
    use crate::cli::{Color, Links};

    fn of(list: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        let list: Vec<(String, OsString)> = list.iter().map(|(name, value)| ((*name).into(), value.into())).collect();
        move |name| list.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn colours_are_for_a_terminal_that_shows_them() {
        for (variables, terminal, piped) in [
            (&[("TERM", "xterm")][..], true, false),
            (&[("TERM", "dumb")], false, false),
            (&[], false, false),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], false, false),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], true, false),
            (&[("TERM", "xterm"), ("CLICOLOR", "0")], false, false),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[("TERM", "xterm"), ("CLICOLOR_FORCE", "0")], true, false),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
        ] {
            let wants = |is_terminal| wants_color(Color::Auto, &of(variables), is_terminal);
            assert_eq!((wants(true), wants(false)), (terminal, piped), "{variables:?}");
        }
        assert!(wants_color(Color::Always, &of(&[("NO_COLOR", "1")]), false));
        assert!(!wants_color(Color::Never, &of(&[("CLICOLOR_FORCE", "1")]), true));
    }

    #[test]
    fn links_are_for_terminals_that_follow_them() {
        for (variables, expected) in [
            (&[("TERM", "xterm-256color")][..], false),
            (&[("TERM", "xterm-kitty")], true),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "vscode")], true),
            (&[("TERM", "xterm-256color"), ("VTE_VERSION", "7600")], true),
            (&[("TERM", "xterm-256color"), ("VTE_VERSION", "4602")], false),
            (&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/tmux")], false),
            (&[("TERM", "dumb"), ("TERM_PROGRAM", "vscode")], false),
        ] {
            assert_eq!(wants_links(Links::Auto, &of(variables), true), expected, "{variables:?}");
            assert!(!wants_links(Links::Auto, &of(variables), false), "{variables:?} in a pipe");
        }
        assert!(wants_links(Links::Always, &of(&[]), false) && !wants_links(Links::Never, &of(&[]), true));
    }
}
