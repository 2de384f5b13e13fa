//! What of a value is the secret: the password of a URL, the leaf of a JSON, the body of a PEM; not the host beside it.

use serde_json::Value as Json;

use crate::model::{Key, Secret};
use crate::value::{Shape, is_random_token, is_secret_name, percent_decode, shape, url_password};

/// Structures within structures that are looked into: a URL in a JSON in a JSON string.
const MAX_DEPTH: usize = 4;
/// Parts of one value that are searched for.
const MAX_PARTS: usize = 64;
/// The least letters of a PEM's body that are worth a search.
const MIN_BODY: usize = 40;

/// The secret parts of a value. A value without structure is its own only part.
pub(super) fn secret_parts(value: &str) -> Vec<Secret> {
    let mut parts = Vec::new();
    collect(value, 0, &mut parts);
    parts.truncate(MAX_PARTS);
    parts
}

fn collect(text: &str, depth: usize, parts: &mut Vec<Secret>) {
    let text = unquoted(text);
    let before = parts.len();
    if depth < MAX_DEPTH && shape(text) == Shape::Literal {
        let _is_structured = pem_bodies(text, parts)
            || json_leaves(text, depth, parts)
            || url_secrets(text, depth, parts)
            || fields(text, depth, parts)
            || after_scheme(text, depth, parts)
            || basic_auth(text, parts);
    }
    if parts.len() == before {
        push(text, parts);
    }
}

fn push(text: &str, parts: &mut Vec<Secret>) {
    if !parts.iter().any(|known| known.expose() == text) {
        parts.push(Secret::from(text));
    }
}

/// Without the white space and the quotes around it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    ['"', '\'', '`'].into_iter().find_map(inner).filter(|inner| !inner.is_empty()).unwrap_or(text)
}

/// The base64 of private keys, without line breaks (RFC 7468).
fn pem_bodies(text: &str, parts: &mut Vec<Secret>) -> bool {
    let mut rest = text;
    let before = parts.len();
    while let Some(begin) = rest.find("-----BEGIN ") {
        rest = &rest[begin + 11..];
        let Some((label, after)) = rest.split_once("-----") else { break };
        let (body, next) = after.split_once("-----END").unwrap_or((after, ""));
        if label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK") {
            push_body(body, parts);
        }
        rest = next;
    }
    parts.len() > before
}

fn push_body(body: &str, parts: &mut Vec<Secret>) {
    let body = body.replace("\\r", "").replace("\\n", "\n");
    // An old key's headers (`DEK-Info: …`) and an OpenPGP checksum are no part of the body.
    let lines = body.lines().map(str::trim).filter(|line| !line.contains(':') && !line.starts_with('='));
    let joined: String =
        lines.flat_map(str::chars).filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c)).collect();
    let joined = Secret::new(joined);
    let letters = joined.expose().trim_end_matches('=');
    if letters.len() >= MIN_BODY {
        push(letters, parts);
    }
}

/// The leaves of a JSON text that are secrets by their name or by their look.
fn json_leaves(text: &str, depth: usize, parts: &mut Vec<Secret>) -> bool {
    if !text.starts_with(['{', '[']) {
        return false;
    }
    let Ok(json) = serde_json::from_str::<Json>(text) else { return false };
    let before = parts.len();
    leaves(&json, None, depth, parts);
    parts.len() > before
}

fn leaves(json: &Json, name: Option<&str>, depth: usize, parts: &mut Vec<Secret>) {
    match json {
        Json::String(text) => {
            let named = name.is_some_and(|name| is_secret_name(&Key::new(name)));
            if named || reveals_itself(text) {
                collect(text, depth + 1, parts);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| leaves(item, name, depth, parts)),
        Json::Object(members) => members.iter().for_each(|(name, item)| leaves(item, Some(name), depth, parts)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn reveals_itself(text: &str) -> bool {
    url_password(text).is_some() || text.contains("PRIVATE KEY-----") || is_random_token(text)
}

/// The password of a URL, as it is written and percent-decoded, and what its query gives to secret names.
fn url_secrets(text: &str, depth: usize, parts: &mut Vec<Secret>) -> bool {
    let before = parts.len();
    if let Some(password) = url_password(text) {
        if let Some(raw) = raw_password(text)
            && raw != password.expose()
        {
            push(raw, parts);
        }
        push(password.expose(), parts);
    }
    if text.contains("://")
        && let Some((_, query)) = text.split_once('?')
    {
        let query = query.split('#').next().unwrap_or(query);
        for (name, value) in query.split('&').filter_map(|field| field.split_once('=')) {
            if is_secret_field(name) && !value.is_empty() {
                collect(Secret::new(percent_decode(value)).expose(), depth + 1, parts);
            }
        }
    }
    parts.len() > before
}

fn raw_password(text: &str) -> Option<&str> {
    let authority = text.split_once("://")?.1.split(['/', '?', '#']).next()?;
    Some(authority.rsplit_once('@')?.0.split_once(':')?.1)
}

fn is_secret_field(name: &str) -> bool {
    let key = Key::new(name);
    is_secret_name(&key) || ["SIG", "CODE", "AUTH", "ACCOUNTKEY", "SHAREDACCESSKEY"].contains(&key.as_str())
}

/// The secret fields of a connection string: `Server=db;User Id=app;Password=…`, `host=db user=app password=…`.
fn fields(text: &str, depth: usize, parts: &mut Vec<Secret>) -> bool {
    let before = parts.len();
    let separators: &[char] = if text.contains(';') { &[';', '\n'] } else { &[' ', '\n', ',', '\t'] };
    let pairs: Vec<(&str, &str)> = text.split(separators).filter_map(|field| field.split_once('=')).collect();
    let is_name = |name: &str| name.trim().chars().all(|c| c.is_ascii_alphanumeric() || " _-.".contains(c));
    if pairs.len() < 2 || !pairs.iter().all(|(name, _)| is_name(name)) {
        return false;
    }
    for (name, value) in pairs {
        if is_secret_field(name.trim()) && !value.trim().is_empty() {
            collect(value, depth + 1, parts);
        }
    }
    parts.len() > before
}

/// The credentials of an HTTP header: `Bearer …`, `Basic …`, `token …`.
fn after_scheme(text: &str, depth: usize, parts: &mut Vec<Secret>) -> bool {
    let Some((scheme, rest)) = text.split_once(' ') else { return false };
    let known = ["bearer", "basic", "token", "apikey"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    if !known || rest.trim().is_empty() || rest.trim().contains(' ') {
        return false;
    }
    collect(rest, depth + 1, parts);
    true
}

/// The password of `user:password`.
fn basic_auth(text: &str, parts: &mut Vec<Secret>) -> bool {
    let Some((user, password)) = text.split_once(':') else { return false };
    let is_user = !user.is_empty()
        && user.len() <= 64
        && user.starts_with(|c: char| c.is_ascii_alphabetic())
        && user.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@+".contains(c));
    let is_password = password.len() >= 8 && !password.contains([':', '/', ' ', '\n']);
    if is_user && is_password {
        push(password, parts);
    }
    is_user && is_password
}
