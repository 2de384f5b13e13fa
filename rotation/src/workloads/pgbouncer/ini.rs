//! `pgbouncer.ini`, as far as it says who logs in to a database: `app = host=… user=app password='it''s'` in
//! `[databases]`. Source: <https://www.pgbouncer.org/config.html#section-databases>.

use std::ops::Range;

use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::files::Text;
use crate::failure::Failure;

/// A parsed file.
pub(super) struct Ini {
    text: Text,
    lines: Vec<Line>,
}

struct Line {
    section: String,
    key: String,
    /// What is behind the equals sign, without spaces around it.
    value: Range<usize>,
}

/// A database whose user is forced.
pub(super) struct Forced<'a> {
    text: &'a str,
    user: Field,
    password: Option<Field>,
}

/// A field of a connection string.
struct Field {
    value: String,
    range: Range<usize>,
}

impl Drop for Field {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.value);
    }
}

impl Ini {
    pub(super) fn parse(text: &Text) -> Self {
        let mut lines = Vec::new();
        let (mut start, mut section) = (0, String::new());
        for line in text.split_inclusive('\n') {
            let trimmed = line.trim();
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim().to_ascii_lowercase();
            } else if !trimmed.starts_with([';', '#'])
                && let Some((key, value)) = line.split_once('=')
            {
                let from = start + key.len() + 1 + (value.len() - value.trim_start().len());
                let key = key.trim().trim_matches('"').to_owned();
                lines.push(Line { section: section.clone(), key, value: from..from + value.trim().len() });
            }
            start += line.len();
        }
        Self { text: text.clone(), lines }
    }

    fn value(&self, section: &str, key: &str) -> Option<Range<usize>> {
        // Of two lines PgBouncer takes the last one.
        self.lines.iter().rfind(|line| line.section == section && line.key == key).map(|line| line.value.clone())
    }

    /// The file of users and passwords.
    pub(super) fn auth_file(&self) -> Option<&str> {
        self.value("pgbouncer", "auth_file").map(|range| &self.text[range])
    }

    /// Whether users that are not in the file are asked for at the server.
    pub(super) fn asks(&self) -> bool {
        self.value("pgbouncer", "auth_user").is_some() || self.text.contains("auth_user")
    }

    /// Who logs in to a database, if not the client.
    ///
    /// # Errors
    /// It stands for other databases too; its line cannot be read.
    pub(super) fn forced(&self, database: &str) -> Result<Option<Forced<'_>>, Failure> {
        let own = self.value("databases", database);
        let Some(range) = own.clone().or_else(|| self.value("databases", "*")) else {
            let failure = Failure::not_done(format!("the ini of PgBouncer has no database {database}"));
            return Err(failure.hint("if a file is included there, name that one as `ini`"));
        };
        let mut fields = fields(&self.text, range).ok_or_else(|| {
            Failure::not_done(format!("the line of {database} in the ini of PgBouncer cannot be read"))
                .hint("write it as key=value key='value with spaces'")
        })?;
        let mut take = |key: &str| fields.iter().rposition(|(name, _)| name == key).map(|at| fields.remove(at).1);
        let (user, password) = (take("user"), take("password"));
        match user {
            Some(_) if own.is_none() => {
                let failure = Failure::not_done("the user of all databases (*) is forced in the ini of PgBouncer");
                Err(failure.hint(format!("give {database} a line of its own, so that it can be paused alone")))
            }
            user => Ok(user.map(|user| Forced { text: &self.text, user, password })),
        }
    }
}

impl Forced<'_> {
    /// The user.
    pub(super) fn user(&self) -> &str {
        &self.user.value
    }

    /// Whether its password stands beside it, and not in the file of users.
    pub(super) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The file with another user and password.
    pub(super) fn with(&self, user: &str, password: &Secret) -> Text {
        let mut changes = vec![(&self.user.range, Zeroizing::new(quote(user)))];
        changes.extend(self.password.iter().map(|field| (&field.range, Zeroizing::new(quote(password.expose())))));
        changes.sort_by_key(|(range, _)| range.start);
        let longer: usize = changes.iter().map(|(_, value)| value.len()).sum();
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + longer));
        let mut start = 0;
        for (range, value) in changes {
            text.push_str(&self.text[start..range.start]);
            text.push_str(&value);
            start = range.end;
        }
        text.push_str(&self.text[start..]);
        text
    }
}

fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.+/$:=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

/// The fields of a connection string; `None` where it is none.
fn fields(text: &str, range: Range<usize>) -> Option<Vec<(String, Field)>> {
    let mut found = Vec::new();
    let mut at = range.start;
    let skip = |at: usize| at + text[at..range.end].len() - text[at..range.end].trim_start().len();
    loop {
        at = skip(at);
        if at >= range.end {
            return Some(found);
        }
        let length = text[at..range.end].find(|c: char| c == '=' || c.is_whitespace())?;
        let key = text[at..at + length].to_owned();
        at = skip(at + length);
        text[at..range.end].strip_prefix('=')?;
        at = skip(at + 1);
        let (value, end) = value(&text[..range.end], at)?;
        found.push((key, Field { value, range: at..end }));
        at = end;
    }
}

/// A value and where it ends.
fn value(text: &str, start: usize) -> Option<(String, usize)> {
    let Some(mut rest) = text[start..].strip_prefix('\'') else {
        let length = text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
        return Some((text[start..start + length].to_owned(), start + length));
    };
    let mut found = String::with_capacity(rest.len());
    loop {
        let (part, after) = rest.split_once('\'')?;
        found.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                found.push('\'');
                rest = more;
            }
            None => return Some((found, text.len() - after.len())),
        }
    }
}
