//! What is wrong with a config, shown at its line.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};
use keytrail_rules::model::{FingerprintKey, Key, Secret};
use keytrail_rules::value::{Value, is_secret_name};
use regex::Regex;

/// More mistakes than a person reads at once.
const MAX_SHOWN: usize = 100;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mistake {
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    /// Why it is wrong. Never quotes a value.
    pub(super) reason: String,
    /// What to do.
    pub(super) next: String,
    /// Whether something is not there, rather than there and wrong.
    pub(super) missing: bool,
}

/// Everything that is wrong with a config, in the order of its lines. `Display` shows each mistake with file, line and
/// column, the text of the line, the reason and the next step; values that look like secrets are masked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigErrors {
    shown: Vec<String>,
    count: usize,
}

impl ConfigErrors {
    /// The mistakes of `text`, which was read from `file`.
    pub(super) fn new(file: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| (a.span.start, a.span.end, &a.reason).cmp(&(b.span.start, b.span.end, &b.reason)));
        mistakes.dedup();
        let masked = mask(text);
        let shown = mistakes.iter().take(MAX_SHOWN).map(|mistake| render(file, &masked, mistake)).collect();
        Self { shown, count: mistakes.len() }
    }

    /// A config that cannot be read at all.
    pub(super) fn unreadable(file: &str, reason: &str, next: &str) -> Self {
        let title = normalize_untrusted_str(&format!("{file}: {reason}"));
        let report = [Level::ERROR.primary_title(title).element(Level::HELP.message(next))];
        Self { shown: vec![Renderer::plain().render(&report)], count: 1 }
    }

    /// How many mistakes there are.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown.join("\n\n"))?;
        match self.count.saturating_sub(self.shown.len()) {
            0 => Ok(()),
            more => write!(f, "\n\n… and {more} more"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// The line, column (1-based, in characters) and text of the line at a byte.
fn line_at(text: &str, at: usize) -> (usize, usize, &str) {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].split('\n').next().unwrap_or_default();
    (text[..start].matches('\n').count() + 1, start, line.strip_suffix('\r').unwrap_or(line))
}

fn render(file: &str, text: &str, mistake: &Mistake) -> String {
    let (number, start, line) = line_at(text, mistake.span.start);
    // A span that goes on over the following lines is underlined on its first.
    let from = line.floor_char_boundary(mistake.span.start - start);
    let to = line.floor_char_boundary(mistake.span.end.saturating_sub(start)).max(from);
    let snippet =
        Snippet::source(line).path(file).line_start(number).annotation(AnnotationKind::Primary.span(from..to));
    let report = [Level::ERROR
        .primary_title(normalize_untrusted_str(&mistake.reason))
        .element(snippet)
        .element(Level::HELP.message(mistake.next.as_str()))];
    Renderer::plain().render(&report)
}

/// Covers what may be a secret, so that a message may show the line: what is assigned to a key with a secret's name, or to
/// one that names an environment variable and does not; the password of a URL, and what follows the host of a webhook;
/// strings that give themselves away; lines that are no TOML at all, as those of another file that is named by mistake.
/// Every byte becomes one `*`: places stay.
fn mask(text: &str) -> String {
    #[expect(clippy::expect_used, reason = "the patterns are literals, and every test of a mistake compiles them")]
    static PATTERNS: LazyLock<[Regex; 5]> = LazyLock::new(|| {
        [
            r#"([A-Za-z0-9_-]+)["']?[ \t]*="#,
            // Up to the host; or to the end, where that is neither a host nor a port. As one pattern the two would take
            // quadratic time: after each match of the second, the first is searched for to the end of the word.
            r#":([^\s"'@]+)@"#,
            r#"://[^\s"'/@:]*:([^\s"'/@]*[^\s"'/@0-9][^\s"'/@]*)"#,
            r#"://hooks\.[^\s"'/]*/([^\s"']+)"#,
            r#""""(?s:(.*?))(?:"""|\z)|'''(?s:(.*?))(?:'''|\z)|"((?:[^"\\\n]|\\.)*)|'([^'\n]*)"#,
        ]
        .map(|pattern| Regex::new(pattern).expect("a valid pattern"))
    });
    let [assignment, password, open_password, webhook, string] = &*PATTERNS;
    let line_ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let mut covered = Vec::new();
    for found in assignment.captures_iter(text) {
        let start = found.get_match().end();
        let end = end_of_value(text, start, &line_ends);
        let (key, value) = (found[1].to_lowercase(), &text[start..end]);
        if holds_secret(&key) || (key.ends_with("_env") && !begins_with_variable(value)) {
            covered.push(start..end);
        }
    }
    let inner = |found: regex::Captures<'_>| found.iter().skip(1).flatten().next().map(|inner| inner.range());
    for addresses in [password, open_password, webhook] {
        covered.extend(addresses.captures_iter(text).filter_map(inner));
    }
    let key = FingerprintKey::new([0; 32]);
    let gives_itself_away =
        |range: &Range<usize>| Value::observe(&Secret::from(&text[range.clone()]), &key).reveals.is_some();
    covered.extend(string.captures_iter(text).filter_map(inner).filter(gives_itself_away));
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.contains(['=', '[', ']', '{', '}', '"', '\'', '#']) {
            covered.push(start..start + line.len());
        }
        start += line.len();
    }
    let mut bytes = text.as_bytes().to_vec();
    covered.sort_unstable_by_key(|range| range.start);
    let mut done = 0;
    for range in covered {
        // Many values may end where the line does.
        for byte in &mut bytes[range.start.max(done)..range.end.max(done)] {
            if !b" \t\r\n\"'".contains(byte) {
                *byte = b'*';
            }
        }
        done = done.max(range.end);
    }
    // Only whole characters were covered.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether a key takes a secret, not the name or the place of one; or is a slip of such a key.
fn holds_secret(key: &str) -> bool {
    const NAMES: &[&str] =
        &["token_env", "token_file", "secret_id_env", "secret_id_file", "routing_key_env", "signing_key_env", "secret"];
    let is_slip_of = |literal: &str| key.len() <= 2 * literal.len() && strsim::osa_distance(key, literal) <= 2;
    !NAMES.contains(&key) && (is_slip_of("token") || is_slip_of("secret_id") || is_secret_name(&Key::new(key)))
}

fn begins_with_variable(value: &str) -> bool {
    let value = value.trim_start().trim_start_matches(['"', '\'']);
    let end = value.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(value.len());
    (end == value.len() || value[end..].starts_with(['"', '\''])) && is_variable_name(&value[..end])
}

/// Whether a text can be the name of an environment variable, and does not look like a credential put in its place.
pub(super) fn is_variable_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && Value::observe(&Secret::from(text), &FingerprintKey::new([0; 32])).reveals.is_none()
}

/// The end of the string that begins at `start`; of the line, for any other value. Lines end at `line_ends`.
fn end_of_value(text: &str, start: usize, line_ends: &[usize]) -> usize {
    let value = text[start..].trim_start();
    let start = text.len() - value.len();
    for quote in ["\"\"\"", "'''", "\"", "'"] {
        if let Some(inner) = value.strip_prefix(quote) {
            let end =
                if quote.len() == 1 { inner.find(|c| c == '\n' || quote.starts_with(c)) } else { inner.find(quote) };
            return start + end.map_or(value.len(), |end| end + 2 * quote.len());
        }
    }
    line_ends.get(line_ends.partition_point(|end| *end < start)).copied().unwrap_or(text.len())
}
