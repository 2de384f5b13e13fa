//! What a value certainly is not: a secret.

use super::candidate::Candidate;
use super::link::Link;
use super::names::{self, Kind};
use super::value::Quote;

/// What is judged of a value: the password within a `Basic` header, the numbers of a list, and else the value.
pub(super) fn inner<'a>(text: &'a [u8], candidate: &Candidate, decoded: &'a mut [u8]) -> &'a [u8] {
    let value = &text[candidate.value.range.clone()];
    if candidate.value.quote == Quote::Bytes {
        let length = numbers(value, decoded);
        return &decoded[..length];
    }
    if candidate.kind != Kind::Scheme || !text[candidate.name.clone()].eq_ignore_ascii_case(b"basic") {
        return value;
    }
    match base64(value, decoded) {
        Some(length) => {
            let plain = &decoded[..length];
            let colon = plain.iter().position(|byte| *byte == b':');
            colon.map_or(&[], |colon| &plain[colon + 1..])
        }
        None => &[],
    }
}

/// Reads a list of bytes, decimal or hexadecimal; says how many there are.
fn numbers(value: &[u8], out: &mut [u8]) -> usize {
    let parts = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|part| !part.is_empty());
    let read = |part: &[u8]| {
        let text = std::str::from_utf8(part).ok()?;
        let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
        hexadecimal.map_or_else(|| text.parse().ok(), |digits| u8::from_str_radix(digits, 16).ok())
    };
    let mut length = 0;
    for (number, place) in parts.map_while(read).zip(out.iter_mut()) {
        *place = number;
        length += 1;
    }
    length
}

/// Decodes base64 that is printable text; says how long it is.
fn base64(value: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut bits, mut held, mut length) = (0_u32, 0, 0);
    for &byte in value.iter().take_while(|byte| **byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(digit)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            let plain = (bits >> held & 0xff) as u8;
            if plain < b' ' || plain == 0x7f {
                return None;
            }
            *out.get_mut(length)? = plain;
            length += 1;
        }
    }
    Some(length)
}

/// Says why a value cannot be a secret.
pub(super) fn drop(text: &[u8], value: &[u8], candidate: &Candidate) -> Option<&'static str> {
    let (words, _) = names::groups(&text[candidate.name.clone()]);
    if words & names::group::SHOWN != 0 {
        return Some("the name is one of a text to show");
    }
    let least = if candidate.kind == Kind::Password || candidate.kind == Kind::Scheme { 4 } else { 6 };
    if candidate.value.quote == Quote::Bytes {
        return (value.len() < 12).then_some("it is too short");
    }
    if value.len() < least {
        return Some("it is too short");
    }
    let reason = [
        (is_reference as fn(&[u8]) -> bool, "it refers to a value elsewhere"),
        (is_hash, "it is a password's hash"),
        (is_mark, "it stands in a log for a value that the log does not show"),
        (is_example, "it says that it is an example"),
        (is_colour, "it is a colour"),
        (is_url, "it is an address"),
        (is_path, "it is a path"),
        (is_masked, "it is a mask"),
        (is_foreign, "it is written in another script"),
        (is_prose, "it is a sentence"),
    ];
    let found = reason.iter().find(|(is, _)| is(value)).map(|(_, why)| *why);
    let bare = matches!(candidate.value.quote, Quote::Bare | Quote::Line);
    if found.is_none() && bare {
        if is_number(value) {
            return Some("it is a number of a program");
        }
        let ends = text.get(candidate.value.range.end) == Some(&b';');
        let is_name = value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if candidate.linked.typed || (ends && is_name && candidate.linked.spaced) {
            return Some("it is a variable");
        }
    }
    let code = candidate.linked.link == Link::Assign && candidate.linked.spaced;
    found.or_else(|| (bare && is_expression(value, code)).then_some("it is an expression"))
}

/// What the audit of Vault and OpenBao puts in the place of a value: `hmac-sha256:` and the hash under a salt of its own.
/// <https://developer.hashicorp.com/vault/docs/audit#sensitive-information>
fn is_mark(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"hmac-sha256:");
    digits.is_some_and(|digits| digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit))
}

fn is_reference(value: &[u8]) -> bool {
    let starts: &[&[u8]] = &[
        b"${",
        b"$(",
        b"{{",
        b"<%",
        b"%{",
        b"#{",
        b"$ENV",
        b"@{",
        b"vault:",
        b"ssm:",
        b"arn:",
        b"secretsmanager:",
        b"env:",
        b"ref:",
        b"op://",
        b"file:",
        b"process.env",
        b"os.environ",
        b"os.getenv",
        b"ENV[",
        b"env(",
        b"getenv(",
        b"!Ref",
        b"!Sub",
        b"!vault",
        b"secrets.",
        b"vars.",
    ];
    let named = value.strip_prefix(b"$").or(value.strip_prefix(b"%").and_then(|rest| rest.strip_suffix(b"%")));
    let is_variable = named.is_some_and(|name| {
        name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
    });
    is_variable
        || starts.iter().any(|start| value.starts_with(start))
        || (value.starts_with(b"<") && value.ends_with(b">"))
        || (value.starts_with(b"__") && value.ends_with(b"__"))
        || value.windows(2).any(|pair| pair == b"${" || pair == b"{{" || pair == b"#{" || pair == b"<%")
}

fn is_hash(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"{CRYPT}").unwrap_or(value);
    let starts: &[&[u8]] = &[
        b"$argon2",
        b"$2a$",
        b"$2b$",
        b"$2y$",
        b"$1$",
        b"$5$",
        b"$6$",
        b"$pbkdf2",
        b"$scrypt",
        b"{SSHA",
        b"{SHA",
        b"pbkdf2_sha",
        b"$y$",
        b"{MD5}",
    ];
    starts.iter().any(|start| value.starts_with(start))
}

/// The documentation of AWS marks its stand-ins with this word in capitals.
fn is_example(value: &[u8]) -> bool {
    value.windows(7).any(|part| part[0] | 0x20 == b'e' && matches!(part, b"EXAMPLE" | b"Example" | b"example"))
}

/// `0x8004004A_u32`, `67108864u32`
fn is_number(value: &[u8]) -> bool {
    let body = value.strip_prefix(b"0x").or(value.strip_prefix(b"0X"));
    let ends: [&[u8]; 8] = [b"u8", b"u16", b"u32", b"u64", b"usize", b"i32", b"i64", b"UL"];
    let plain = |part: &[u8]| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'_');
    let rest = body.unwrap_or(value);
    let stem = ends.iter().find_map(|end| rest.strip_suffix(*end));
    let is_short_hexadecimal = body.is_some() && rest.len() <= 16 && plain(rest);
    is_short_hexadecimal || stem.is_some_and(|stem| stem.first().is_some_and(u8::is_ascii_alphanumeric) && plain(stem))
}

fn is_colour(value: &[u8]) -> bool {
    let digits = value.rsplit(|byte| *byte == b' ').next().and_then(|last| last.strip_prefix(b"#"));
    digits.is_some_and(|digits| matches!(digits.len(), 3 | 6 | 8) && digits.iter().all(u8::is_ascii_hexdigit))
}

fn is_url(value: &[u8]) -> bool {
    let scheme = value.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'+').count();
    scheme > 1 && value[scheme..].starts_with(b"://")
}

fn is_path(value: &[u8]) -> bool {
    let starts: &[&[u8]] = &[
        b"./", b"../", b"~/", b"/etc/", b"/var/", b"/run/", b"/tmp/", b"/home/", b"/usr/", b"/opt/", b"/path/",
        b"C:\\", b"c:\\",
    ];
    starts.iter().any(|start| value.starts_with(start))
}

fn is_masked(value: &[u8]) -> bool {
    let first = value[0];
    value.iter().all(|byte| *byte == first)
        || value.iter().filter(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.')).count() * 10 > value.len() * 7
}

fn is_foreign(value: &[u8]) -> bool {
    value.iter().filter(|byte| !byte.is_ascii()).count() * 3 > value.len()
}

fn is_prose(value: &[u8]) -> bool {
    let blanks = value.trim_ascii().iter().filter(|byte| **byte == b' ').count();
    (blanks >= 2 && !value.starts_with(b"{")) || value.contains(&b'\n')
}

fn is_expression(value: &[u8], code: bool) -> bool {
    let call = value.iter().position(|byte| *byte == b'(');
    let called = call.is_some_and(|at| {
        at > 0 && value[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.:$".contains(byte))
    });
    let index = value.iter().position(|byte| *byte == b'[');
    let indexed = (code || value.ends_with(b"]"))
        && index.is_some_and(|at| {
            at > 0 && value[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.:$@".contains(byte))
        });
    let word: &[&[u8]] = &[b"null", b"true", b"false", b"none", b"nil", b"undefined", b"string", b"self", b"this"];
    called || indexed || value.starts_with(b"@") || word.iter().any(|known| value.eq_ignore_ascii_case(known))
}
