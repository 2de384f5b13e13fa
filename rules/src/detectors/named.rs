//! Values that are known by the name that they are assigned to, in code, YAML, JSON, XML, environments, flags, headers.

use std::borrow::Cow;
use std::ops::Range;

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::examine::Place;
use super::family::{BRIDGE_LENGTH, NAME_LENGTH};
use super::names::is_separator;
use super::verdict::Verdict;

/// Says each value that is assigned to the name at the place, where that name contains one of `names`; else once why
/// there is none. `value` has the value as group 1, and the secret as the group after `group`.
pub(super) fn examine(
    place: Place<'_>,
    window: &Range<usize>,
    names: &[Cow<'static, str>],
    group: usize,
    value: &Regex,
    say: &mut dyn FnMut(Result<Range<usize>, Verdict>),
) {
    let text = place.text;
    let name = name_around(text, place.at..place.at + place.length, window);
    if !names.iter().any(|known| contains_squeezed(&text[name.clone()], known.as_bytes())) {
        return say(Err(Verdict::NoName));
    }
    let last_start = (name.end + BRIDGE_LENGTH).min(window.end);
    let mut start = name.end;
    let mut met = false;
    while start < last_start {
        let Some(met_at) = value.search(&Input::new(text).span(start..window.end)) else {
            break;
        };
        if met_at.start() >= last_start {
            break;
        }
        let mut captures = value.create_captures();
        value.search_captures(&Input::new(text).span(met_at.range()).anchored(Anchored::Yes), &mut captures);
        let Some(whole) = captures.get_group(1) else {
            break;
        };
        if assigned(&text[name.end..whole.start]) && ends_value(text, whole.end) {
            let secret = captures.get_group(group + 1).unwrap_or(whole);
            say(Ok(secret.start..secret.end));
            met = true;
            start = whole.end;
        } else if text[whole.start].is_ascii_alphanumeric() {
            start = next_word(text, whole.start, whole.end);
        } else {
            // Where a value may begin with `=`, the operator looks like one.
            start = whole.start + 1;
        }
    }
    if !met {
        say(Err(Verdict::NoAssignment));
    }
}

/// Where to look on after a match that is no value: past the word that it begins in.
fn next_word(text: &[u8], start: usize, end: usize) -> usize {
    let word = text[start..end].iter().take_while(|byte| is_value_byte(**byte)).count();
    let rest = text[start + word..].iter().take(NAME_LENGTH).take_while(|byte| is_value_byte(**byte)).count();
    start + (word + rest).max(1)
}

/// The name that the literal is a part of.
pub(super) fn name_around(text: &[u8], literal: Range<usize>, window: &Range<usize>) -> Range<usize> {
    let first = literal.start.saturating_sub(NAME_LENGTH).max(window.start);
    let last = (literal.end + NAME_LENGTH).min(window.end);
    let before = text[first..literal.start].iter().rev().take_while(|byte| is_name_byte(**byte)).count();
    let after = text[literal.end..last].iter().take_while(|byte| is_name_byte(**byte)).count();
    literal.start - before..literal.end + after
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$')
}

/// Whether a name contains a word of it, in lower case, whatever separates the parts.
fn contains_squeezed(name: &[u8], word: &[u8]) -> bool {
    (0..name.len()).any(|start| {
        let mut letters = name[start..].iter().filter(|byte| !is_separator(**byte)).map(u8::to_ascii_lowercase);
        word.iter().all(|wanted| letters.next() == Some(*wanted))
    })
}

/// Bytes that, after a value, would belong to it.
fn is_value_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'~' | b'$' | b'%' | b'@' | b':')
}

fn ends_value(text: &[u8], end: usize) -> bool {
    match (text.get(end), text.get(end + 1)) {
        (Some(b'.'), Some(next)) => !is_name_byte(*next),
        (Some(b':' | b'='), Some(next)) => next.is_ascii_whitespace(),
        (Some(byte), _) => !is_value_byte(*byte),
        (None, _) => true,
    }
}

/// Whether what stands between a name and a text assigns the text to the name: closing quotes, a type, an operator,
/// opening quotes; or the same after a second name, in an object or the arguments of a call, that is a credential's.
fn assigned(bridge: &[u8]) -> bool {
    let (bridge, quoted) = without_opening(bridge);
    let Some(owner) = without_operator(bridge, quoted) else {
        return false;
    };
    let owner = without_type(owner);
    let closed =
        trim_end(owner, |byte| is_quote(byte) || byte.is_ascii_whitespace() || matches!(byte, b']' | b')' | b'\\'));
    if closed.is_empty() {
        return true;
    }
    if closed.iter().filter(|byte| **byte == b'\n').count() > 3 || closed.contains(&b';') {
        return false;
    }
    let length = closed.iter().rev().take_while(|byte| is_name_byte(**byte)).count();
    let inner = &closed[closed.len() - length..];
    is_spaced_name(closed) || (length < closed.len() && (is_credential(inner) || is_pair(closed, inner)))
}

/// Whether name and value are given apart: `<add key="NAME" value="…"/>`, `- name: NAME` and `value: …` in YAML.
fn is_pair(between: &[u8], inner: &[u8]) -> bool {
    between.len() <= 40 && [&b"value"[..], b"Value", b"VALUE", b"default"].contains(&inner)
}

/// Whether the rest of a name follows in the words of a sentence: `Datadog API key: `.
fn is_spaced_name(text: &[u8]) -> bool {
    text.len() <= 24
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-' | b'.'))
        && text.split(|byte| *byte == b' ').next_back().is_some_and(is_credential)
}

/// Whether a name is that of a credential, and not of a digest of something.
fn is_credential(name: &[u8]) -> bool {
    const CREDENTIAL: &[&str] =
        &["key", "token", "secret", "pass", "pwd", "auth", "cred", "api", "bearer", "dsn", "license", "webhook"];
    const DIGEST: &[&str] =
        &["sha", "md5", "hash", "digest", "checksum", "integrity", "commit", "etag", "rev", "version"];
    let has = |words: &[&str]| words.iter().any(|word| contains_squeezed(name, word.as_bytes()));
    has(CREDENTIAL) && !has(DIGEST)
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn trim_end(text: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    let kept = text.len() - text.iter().rev().take_while(|byte| drop(**byte)).count();
    &text[..kept]
}

/// What is left of a bridge without the quotes, prefixes and schemes before the value; and whether a quote was there.
fn without_opening(bridge: &[u8]) -> (&[u8], bool) {
    let mut rest = bridge;
    for scheme in ["Bearer", "bearer", "Basic", "basic", "Token", "token", "ApiKey"] {
        let trimmed = trim_end(rest, |byte| byte == b' ' || byte == b'+');
        if trimmed.len() < rest.len()
            && let Some(before) = trimmed.strip_suffix(scheme.as_bytes())
            && before.last().is_some_and(|byte| !is_name_byte(*byte))
        {
            rest = before;
            break;
        }
    }
    let unquoted = trim_end(rest, |byte| is_quote(byte) || byte == b'\\');
    let quoted = unquoted.len() < rest.len();
    // The prefix of a literal: r"…", b"…", f"…", @"…", N'…'.
    if quoted
        && let [head @ .., b'r' | b'b' | b'f' | b'u' | b'@' | b'N'] = unquoted
        && head.last().is_none_or(|byte| !is_name_byte(*byte))
    {
        return (head, true);
    }
    (unquoted, quoted)
}

/// What is left of a bridge without its operator; `None` where there is none.
fn without_operator(bridge: &[u8], quoted: bool) -> Option<&[u8]> {
    let trimmed = trim_end(bridge, |byte| byte.is_ascii_whitespace());
    let before = match trimmed {
        [head @ .., b'=', b'>'] | [head @ .., b'=', b'='] | [head @ .., b':', b'='] | [head @ .., b'?', b'='] => head,
        // `===`, and YAML's `: >-`, are the same with one byte more; an XML tag ends with `>`.
        [head @ .., b'=' | b':' | b'>' | b','] => head,
        [head @ .., b'('] if quoted => head,
        // A flag, or ENV in a Dockerfile: only a space between.
        _ if trimmed.is_empty() && bridge.iter().all(|byte| *byte == b' ' || *byte == b'\t') && !bridge.is_empty() => {
            trimmed
        }
        // A quoted text right after the name, as in Ruby or Tcl.
        _ if trimmed.is_empty() && quoted && !bridge.is_empty() => trimmed,
        _ => return None,
    };
    Some(trim_end(before, |byte| byte.is_ascii_whitespace() || matches!(byte, b'=' | b':' | b'|' | b'?' | b'!')))
}

/// What is left without a type annotation: `: &'static str`, `: string`, `: Optional[str]`.
fn without_type(owner: &[u8]) -> &[u8] {
    const TYPES: &[&str] = &[
        "str",
        "string",
        "String",
        "std::string",
        "Optional[str]",
        "Secret",
        "SecretStr",
        "text",
        "any",
        "char",
        "&str",
    ];
    for name in TYPES {
        if let Some(before) = owner.strip_suffix(name.as_bytes()) {
            let before = before.strip_suffix(b"&'static ").or_else(|| before.strip_suffix(b"&")).unwrap_or(before);
            let before = trim_end(before, |byte| byte == b' ');
            if let Some(before) = before.strip_suffix(b":") {
                return before;
            }
            if before.is_empty() {
                return before;
            }
        }
    }
    owner
}
