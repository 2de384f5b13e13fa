//! Regular expressions of Go's `regexp` in the spelling of the `regex` crate. Both are RE2's family; what differs is
//! what stands for itself. <https://pkg.go.dev/regexp/syntax>

/// Spells an expression anew. What is wrong in Go stays wrong.
pub(super) fn translate(go: &str) -> String {
    let mut out = String::with_capacity(go.len() + 8);
    let mut rest = go;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\\' => escape(rest, &mut out),
            '[' => class(rest, &mut out),
            '{' if !is_repetition(rest) => {
                out.push_str(r"\{");
                1
            }
            _ => {
                out.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Whether a brace begins a repetition; any other stands for itself in Go.
fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else {
        return false;
    };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// Copies an escape; returns how long it is in Go.
fn escape(text: &str, out: &mut String) -> usize {
    let Some(escaped) = text[1..].chars().next() else {
        out.push('\\');
        return 1;
    };
    match escaped {
        // Quoted text.
        'Q' => {
            let quoted = text[2..].split(r"\E").next().unwrap_or_default();
            out.push_str(&regex_syntax::escape(quoted));
            let end = 2 + quoted.len();
            return if text[end..].starts_with(r"\E") { end + 2 } else { end };
        }
        // The ends of words here, themselves in Go.
        '<' | '>' => out.push(escaped),
        _ => {
            out.push('\\');
            out.push(escaped);
        }
    }
    1 + escaped.len_utf8()
}

/// Copies a class in brackets; returns how long it is in Go. There are no classes in classes and no operators in Go.
fn class(text: &str, out: &mut String) -> usize {
    let mut at = 1;
    out.push('[');
    if text[at..].starts_with('^') {
        out.push('^');
        at += 1;
    }
    // A bracket that comes first stands for itself.
    if text[at..].starts_with(']') {
        out.push_str(r"\]");
        at += 1;
    }
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        match next {
            ']' => {
                out.push(']');
                return at + 1;
            }
            '\\' => {
                at += escape(rest, out);
                continue;
            }
            '[' => match rest.strip_prefix("[:").and_then(|name| name.find(":]")) {
                Some(length) => {
                    out.push_str(&rest[..length + 4]);
                    at += length + 4;
                    continue;
                }
                None => out.push_str(r"\["),
            },
            '&' | '~' => {
                out.push('\\');
                out.push(next);
            }
            '-' if rest.starts_with("--") => out.push_str(r"\-"),
            _ => out.push(next),
        }
        at += next.len_utf8();
    }
    at
}
