//! What statements do to roles. A statement is taken apart as the server would, and one that it would refuse says
//! nothing.

use keytrail_rules::model::EventKind;

/// What a statement does, so far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step<'a> {
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    RollbackTo(String),
    Change(Change<'a>),
}

/// What is done to a role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change<'a> {
    /// The name; `None` for who asks.
    pub(super) role: Option<String>,
    pub(super) kind: EventKind,
    /// The role is no longer let in after this time, as the statement spells it.
    pub(super) until: Option<&'a str>,
}

enum Token<'a> {
    /// A keyword, a name or a number, in lower case.
    Word(String),
    /// A name in quotes.
    Name(String),
    /// What stands in quotes, as it stands there.
    Text(&'a str),
    Sign(u8),
}

/// What the statements of a text do, in order.
pub(super) fn steps(text: &str) -> Vec<Step<'_>> {
    let Some(tokens) = tokens(text) else { return Vec::new() };
    tokens.split(|token| matches!(token, Token::Sign(b';'))).flat_map(steps_of).collect()
}

fn word<'t>(tokens: &'t [Token<'_>], at: usize) -> &'t str {
    match tokens.get(at) {
        Some(Token::Word(word)) => word,
        _ => "",
    }
}

fn steps_of<'a>(tokens: &[Token<'a>]) -> Vec<Step<'a>> {
    let name = |at: usize| match tokens.get(at) {
        Some(Token::Word(name) | Token::Name(name)) => name.clone(),
        _ => String::new(),
    };
    match (word(tokens, 0), word(tokens, 1)) {
        ("begin", _) | ("start", "transaction") => vec![Step::Begin],
        ("commit" | "end", _) if word(tokens, 1) != "prepared" => vec![Step::Commit],
        ("rollback" | "abort", _) => match (1..4).find(|at| word(tokens, *at) == "to") {
            Some(at) if word(tokens, at + 1) == "savepoint" => vec![Step::RollbackTo(name(at + 2))],
            Some(at) => vec![Step::RollbackTo(name(at + 1))],
            None if word(tokens, 1) == "prepared" => Vec::new(),
            None => vec![Step::Rollback],
        },
        ("savepoint", _) => vec![Step::Savepoint(name(1))],
        ("alter", "role" | "user") => altered(&tokens[2..], true),
        ("create", "role" | "user") => altered(&tokens[2..], false),
        ("drop", "role" | "user" | "group") => dropped(&tokens[2..]),
        _ => Vec::new(),
    }
}

/// `name [WITH] option …` of `ALTER ROLE` and `CREATE ROLE`.
/// <https://www.postgresql.org/docs/current/sql-alterrole.html>
fn altered<'a>(tokens: &[Token<'a>], exists: bool) -> Vec<Step<'a>> {
    let role = match tokens.first() {
        Some(Token::Word(word)) if ["current_user", "current_role", "session_user"].contains(&word.as_str()) => None,
        Some(Token::Word(name) | Token::Name(name)) => Some(name.clone()),
        _ => return Vec::new(),
    };
    let Some(found) = options(&tokens[1..]) else { return Vec::new() };
    let change = |kind, until| Step::Change(Change { role: role.clone(), kind, until });
    let mut steps = Vec::new();
    match found.password {
        Some(true) if !exists => steps.push(change(EventKind::Created, None)),
        Some(true) => steps.push(change(EventKind::Issued, None)),
        Some(false) if exists => steps.push(change(EventKind::Revoked, None)),
        _ if found.login == Some(false) && exists => steps.push(change(EventKind::Revoked, None)),
        _ => {}
    }
    steps.extend(found.until.map(|until| change(EventKind::Revoked, Some(until))));
    steps
}

#[derive(Default)]
struct Options<'a> {
    /// Whether there is one.
    password: Option<bool>,
    login: Option<bool>,
    until: Option<&'a str>,
}

/// `None` for what is no list of options: `RENAME TO`, `SET`, or no SQL.
fn options<'a>(tokens: &[Token<'a>]) -> Option<Options<'a>> {
    let mut found = Options::default();
    let mut at = 0;
    while at < tokens.len() {
        let Token::Word(option) = &tokens[at] else { return None };
        at += 1;
        match (option.as_str(), tokens.get(at)) {
            ("with" | "encrypted" | "unencrypted", _) => {}
            ("password", Some(Token::Text(_))) => {
                found.password = Some(true);
                at += 1;
            }
            ("password", Some(Token::Word(null))) if null == "null" => {
                found.password = Some(false);
                at += 1;
            }
            // `<REDACTED>`, and nothing after it: pgAudit cuts the statement there.
            ("password", Some(Token::Sign(b'<'))) => {
                found.password = Some(true);
                return Some(found);
            }
            ("valid", _) => match (word(tokens, at), tokens.get(at + 1)) {
                ("until", Some(Token::Text(until))) => {
                    found.until = Some(until);
                    at += 2;
                }
                _ => return None,
            },
            ("login", _) => found.login = Some(true),
            ("nologin", _) => found.login = Some(false),
            ("connection", _) if word(tokens, at) == "limit" => {
                at += 1 + usize::from(matches!(tokens.get(at + 1), Some(Token::Sign(b'-')))) + 1;
            }
            ("sysid", _) => at += 1,
            ("in", _) if ["role", "group"].contains(&word(tokens, at)) => at = list(tokens, at + 1)?,
            ("role" | "admin" | "user" | "group", _) => at = list(tokens, at)?,
            (flag, _) if is_flag(flag) => {}
            _ => return None,
        }
    }
    Some(found)
}

fn is_flag(word: &str) -> bool {
    let flags = ["superuser", "createdb", "createrole", "createuser", "inherit", "replication", "bypassrls"];
    flags.contains(&word.strip_prefix("no").unwrap_or(word))
}

/// Skips `name, name`.
fn list(tokens: &[Token<'_>], mut at: usize) -> Option<usize> {
    loop {
        match tokens.get(at)? {
            Token::Word(_) | Token::Name(_) => at += 1,
            _ => return None,
        }
        match tokens.get(at) {
            Some(Token::Sign(b',')) => at += 1,
            _ => return Some(at),
        }
    }
}

/// `[IF EXISTS] name, name` of `DROP ROLE`.
fn dropped<'a>(tokens: &[Token<'a>]) -> Vec<Step<'a>> {
    let start = if word(tokens, 0) == "if" && word(tokens, 1) == "exists" { 2 } else { 0 };
    if list(tokens, start) != Some(tokens.len()) {
        return Vec::new();
    }
    let names = tokens[start..].iter().filter_map(|token| match token {
        Token::Word(name) | Token::Name(name) => Some(name.clone()),
        _ => None,
    });
    names.map(|name| Step::Change(Change { role: Some(name), kind: EventKind::Revoked, until: None })).collect()
}

/// `None` where a quote or a comment does not end.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at += memchr::memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = comment(bytes, at)?,
            b'\'' => {
                at = quoted(bytes, at, false)?;
                tokens.push(Token::Text(text.get(start + 1..at - 1)?));
            }
            b'e' | b'E' if bytes.get(at + 1) == Some(&b'\'') => {
                at = quoted(bytes, at + 1, true)?;
                tokens.push(Token::Text(text.get(start + 2..at - 1)?));
            }
            b'"' => {
                at = quoted(bytes, at, false)?;
                tokens.push(Token::Name(text.get(start + 1..at - 1)?.replace("\"\"", "\"")));
            }
            b'$' if let Some(end) = dollar(text, at)? => {
                at = end;
                tokens.push(Token::Text(""));
            }
            _ if is_word(byte) => {
                at += bytes[at..].iter().take_while(|byte| is_word(**byte) || **byte == b'$').count();
                tokens.push(Token::Word(text.get(start..at)?.to_ascii_lowercase()));
            }
            _ => {
                at += 1;
                if !byte.is_ascii_whitespace() {
                    tokens.push(Token::Sign(byte));
                }
            }
        }
    }
    Some(tokens)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The end of a comment; they nest.
fn comment(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at..at + 2)? {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The end of what begins with the quote at `at`; two of them are one of the content.
fn quoted(bytes: &[u8], at: usize, escapes: bool) -> Option<usize> {
    let quote = bytes[at];
    let mut at = at + 1;
    loop {
        let byte = *bytes.get(at)?;
        at += match byte {
            b'\\' if escapes => 2,
            _ if byte == quote && bytes.get(at + 1) == Some(&quote) => 2,
            _ if byte == quote => return Some(at + 1),
            _ => 1,
        };
    }
}

/// The end of `$tag$…$tag$`; nothing where the sign begins no such text.
#[expect(clippy::option_option, reason = "a text that does not end is not the same as none")]
fn dollar(text: &str, at: usize) -> Option<Option<usize>> {
    let after = &text[at + 1..];
    let tag = after.bytes().take_while(|byte| is_word(*byte)).count();
    if after.as_bytes().get(tag) != Some(&b'$') || after.as_bytes()[0].is_ascii_digit() {
        return Some(None);
    }
    let tag = &text[at..at + tag + 2];
    let begin = at + tag.len();
    let end = memchr::memmem::find(&text.as_bytes()[begin..], tag.as_bytes())?;
    Some(Some(begin + end + tag.len()))
}
