//! The filter expressions of betterleaks, so far as they are alternatives of a few simple kinds: what an expression
//! says yes to is dropped.

use std::borrow::Cow;

use super::super::spec::{Deny, Target};
use super::Notes;
use super::allow::Allow;

/// Reads `filter` or `prefilter`. What of it is not understood is noted, and drops nothing.
pub(super) fn read(text: &str, key: &str, notes: &mut Notes<'_>) -> Allow {
    let mut allow = Allow::default();
    for term in alternatives(text) {
        if entropy_of(term).is_some() {
            continue;
        }
        // How many tokens of a language model a secret takes tells words from chance; our own filter does the same.
        if ["tokenRatio(finding[\"secret\"])", "failsTokenEfficiency(finding[\"secret\"])"]
            .iter()
            .any(|known| bare(term).starts_with(known))
        {
            allow.words = true;
            continue;
        }
        if !term_into(term, key, notes, &mut allow) {
            notes.add(key, "a part of the expression is not understood; it drops nothing");
        }
    }
    allow
}

/// The least entropy that a filter asks for: `entropy(finding["secret"]) <= 3.0` drops what has less.
pub(super) fn entropy(text: &str) -> Option<f64> {
    alternatives(text).into_iter().find_map(entropy_of)
}

fn entropy_of(term: &str) -> Option<f64> {
    let rest = bare(term).strip_prefix("entropy(finding[\"secret\"])")?;
    rest.trim_start().strip_prefix('<')?.trim_start_matches('=').trim().parse().ok()
}

/// A term without the name of the space that its function may be in.
fn bare(term: &str) -> &str {
    term.strip_prefix("filter.").unwrap_or(term)
}

fn term_into(term: &str, key: &str, notes: &mut Notes<'_>, allow: &mut Allow) -> bool {
    let Some((function, arguments)) = bare(term).strip_suffix(')').and_then(|term| term.split_once('(')) else {
        return false;
    };
    let Some((subject, list)) = arguments.split_once('[').and_then(|_| split_list(arguments)) else {
        return false;
    };
    let Some(texts) = literals(list) else {
        return false;
    };
    let path = subject.starts_with("get(attributes, \"path\"") || subject.starts_with("attributes[\"path\"]");
    let target = match subject {
        "finding[\"secret\"]" => Some(Target::Secret),
        "finding[\"match\"]" => Some(Target::Match),
        "finding[\"line\"]" => Some(Target::Line),
        _ => None,
    };
    match (function, target) {
        ("matchesAny", _) if path => {
            allow.paths.extend(texts.iter().filter_map(|regex| notes.regex(key, regex)).map(Cow::Owned));
        }
        ("matchesAny", Some(target)) => {
            let regexes = texts.iter().filter_map(|regex| notes.regex(key, regex));
            allow.deny.extend(regexes.map(|regex| Deny { target, regex: Cow::Owned(regex) }));
        }
        ("containsAny", Some(Target::Secret)) => {
            allow.stopwords.extend(texts.iter().map(|text| Cow::Owned(text.to_ascii_lowercase())));
        }
        ("containsAny", Some(target)) => {
            let any_case = |text: &String| Cow::Owned(format!("(?i){}", regex_syntax::escape(text)));
            allow.deny.extend(texts.iter().map(|text| Deny { target, regex: any_case(text) }));
        }
        _ => return false,
    }
    true
}

/// The subject and the list of the arguments `subject, [list]`.
fn split_list(arguments: &str) -> Option<(&str, &str)> {
    let (subject, list) = arguments.split_once(", [").or_else(|| arguments.split_once(",["))?;
    Some((subject.trim(), list.trim().strip_suffix(']')?))
}

/// The literals of a list, in either quotes.
fn literals(list: &str) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let mut rest = list.trim_start();
    while let Some(quote) = rest.chars().next() {
        let (text, after) = match quote {
            '`' => rest[1..].split_once('`').map(|(text, after)| (text.to_owned(), after))?,
            '"' => quoted(&rest[1..])?,
            _ => return None,
        };
        texts.push(text);
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(texts)
}

/// A text in double quotes, without its escapes, and what comes after.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => out.push(letters.next()?.1),
            _ => out.push(letter),
        }
    }
    None
}

/// The parts of an expression between `||`, without the brackets round them.
fn alternatives(text: &str) -> Vec<&str> {
    let text = unwrapped(text.trim());
    let (mut parts, mut depth, mut start, mut quote) = (Vec::new(), 0_usize, 0, None);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(b'"'), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'`')) => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, b'|') if depth == 0 && bytes.get(at + 1) == Some(&b'|') => {
                parts.push(text[start..at].trim());
                start = at + 2;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(text[start.min(text.len())..].trim());
    parts.retain(|part| !part.is_empty());
    if parts.len() > 1 { parts.into_iter().flat_map(alternatives).collect() } else { parts }
}

/// A text without one pair of brackets that encloses it all.
fn unwrapped(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) else {
        return text;
    };
    let (mut depth, mut quote) = (0_isize, None);
    for byte in inner.bytes() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'`') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return text;
        }
    }
    inner.trim()
}
