//! `userlist.txt`: lines of `"user" "password"`, in which a quote is doubled. Source:
//! <https://www.pgbouncer.org/config.html#authentication-file-format>.

use std::ops::Range;

use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::files::Text;
use crate::postgres::scram;

/// A parsed file.
pub(super) struct Userlist<'a> {
    text: &'a str,
    entries: Vec<Entry>,
}

struct Entry {
    user: String,
    secret: Zeroizing<String>,
    /// Between the quotes of the password.
    inner: Range<usize>,
    /// The whole line with its end.
    line: Range<usize>,
}

/// How a password is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// As it is.
    Plain,
    /// `SCRAM-SHA-256$…`
    Verifier,
    /// `md5…`
    Md5,
}

impl<'a> Userlist<'a> {
    /// Lines that are no entries are not looked at, and stay as they are.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut entries = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let range = start..start + line.len();
            entries.extend(entry(text, range.clone()));
            start = range.end;
        }
        Self { text, entries }
    }

    fn find(&self, user: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.user == user)
    }

    /// What is kept for a user.
    pub(super) fn secret(&self, user: &str) -> Option<Secret> {
        self.find(user).map(|entry| Secret::from(entry.secret.as_str()))
    }

    /// How that of a user is kept.
    pub(super) fn style(&self, user: &str) -> Option<Style> {
        let secret = &self.find(user)?.secret;
        let digits = secret.strip_prefix("md5");
        Some(match digits {
            _ if scram::is_verifier(secret) => Style::Verifier,
            Some(digits) if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Style::Md5,
            _ => Style::Plain,
        })
    }

    /// The file with an entry changed or added.
    #[expect(clippy::needless_pass_by_value, reason = "the secret ends here")]
    pub(super) fn with(&self, user: &str, secret: Secret) -> Text {
        let quoted = Zeroizing::new(secret.expose().replace('"', "\"\""));
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + user.len() * 2 + quoted.len() + 8));
        if let Some(entry) = self.find(user) {
            for part in [&self.text[..entry.inner.start], quoted.as_str(), &self.text[entry.inner.end..]] {
                text.push_str(part);
            }
            return text;
        }
        text.push_str(self.text);
        let end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            text.push_str(end);
        }
        for part in ["\"", &user.replace('"', "\"\""), "\" \"", quoted.as_str(), "\"", end] {
            text.push_str(part);
        }
        text
    }

    /// The file without the entries of a user.
    pub(super) fn without(&self, user: &str) -> Text {
        let mut text = Zeroizing::new(String::with_capacity(self.text.len()));
        let mut start = 0;
        for entry in self.entries.iter().filter(|entry| entry.user == user) {
            text.push_str(&self.text[start..entry.line.start]);
            start = entry.line.end;
        }
        text.push_str(&self.text[start..]);
        text
    }
}

fn entry(text: &str, line: Range<usize>) -> Option<Entry> {
    let (user, end) = quoted(text, line.clone())?;
    let (secret, inner_end) = quoted(text, end..line.end)?;
    let open = end + text[end..line.end].find('"')? + 1;
    Some(Entry { user: user.to_string(), secret, inner: open..inner_end - 1, line })
}

/// The text between the first quotes, which nothing but spaces may stand before, and where they end.
fn quoted(text: &str, range: Range<usize>) -> Option<(Zeroizing<String>, usize)> {
    let start = range.start + text[range.clone()].find(|c: char| !c.is_ascii_whitespace())?;
    let mut rest = text[start..range.end].strip_prefix('"')?;
    let mut found = Zeroizing::new(String::with_capacity(rest.len()));
    loop {
        let (part, after) = rest.split_once('"')?;
        found.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                found.push('"');
                rest = more;
            }
            None => return Some((found, range.end - after.len())),
        }
    }
}
