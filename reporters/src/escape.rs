//! What comes out of a scanned tree may be made to deceive: to move the cursor, to turn text around, to hide
//! letters. Every format escapes it in its own way, over the one set of characters in [`is_deceptive`].

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use keytrail_rules::text::{is_deceptive, visible as terminal};

/// For a JSON document, which may be shown at a terminal: deceptive characters become `\u202e`. Outside of its
/// strings a document has none but line feeds, so that its meaning stays.
pub fn json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for c in document.chars() {
        if is_deceptive(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// At most `limit` characters, of which the last is `…` where there were more.
pub fn clip(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().take(limit.saturating_sub(1)).chain(['…']).collect())
}

/// Everything that is not unreserved in RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A relative URI (RFC 3986) for a path below a folder, `a/b%20c`: no leading slash, no `.` or `..`, no backslash.
/// `None` for a path that does not lie below the root that `folder` is relative to.
pub fn uri_path(folder: &str, path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with(['/', '\\']) || is_drive(path) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let encoded: Vec<String> = parts.into_iter().map(|part| utf8_percent_encode(part, RESERVED).to_string()).collect();
    (!encoded.is_empty()).then(|| encoded.join("/"))
}

/// `C:\…` or `C:/…`.
fn is_drive(path: &str) -> bool {
    let mut chars = path.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && matches!(chars.next(), Some('/' | '\\'))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::{clip, is_deceptive, json, terminal, uri_path};

    /// Every character that must not reach a terminal.
    const DECEPTIVE: &str = "\0\u{7}\u{8}\t\n\r\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{61c}\u{200b}\u{200c}\u{200d}\
        \u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\
        \u{2069}\u{feff}\u{e0041}";

    #[test]
    fn deceptive_characters_are_spelt_out() {
        assert!(DECEPTIVE.chars().all(is_deceptive));
        assert_eq!(terminal("a\u{1b}[2J\u{202e}b\n"), r"a\u{1b}[2J\u{202e}b\n");
        assert_eq!(terminal("clé 漢字 😀 \\ \"'"), "clé 漢字 😀 \\ \"'");
    }

    #[test]
    fn text_is_cut_at_characters() {
        assert_eq!(clip("漢字漢字", 4), "漢字漢字");
        assert_eq!(clip("漢字漢字", 3), "漢字…");
        assert_eq!(clip("", 0), "");
    }

    #[test]
    fn paths_become_uris() {
        for (folder, path, uri) in [
            ("", ".env", Some(".env")),
            ("", "a b/c%d/é#?:@.env", Some("a%20b/c%25d/%C3%A9%23%3F%3A%40.env")),
            ("", "./a//b/./c", Some("a/b/c")),
            ("", r"a\b", Some("a%5Cb")),
            ("services/api", "../web/.env", Some("services/web/.env")),
            ("", "a/../b", Some("b")),
            ("", "../x", None),
            ("services", "../../x", None),
            ("", "/etc/app/.env", None),
            ("", r"\\host\share", None),
            ("", r"C:\work\.env", None),
            ("", "", None),
            ("", ".", None),
        ] {
            assert_eq!(uri_path(folder, path).as_deref(), uri, "{folder:?} {path:?}");
        }
    }

    /// Text of any characters, deceptive ones often among them.
    pub(crate) fn text() -> impl Strategy<Value = String> {
        let deceptive = proptest::sample::select(DECEPTIVE.chars().collect::<Vec<_>>());
        let c = prop_oneof![any::<char>(), deceptive, proptest::char::range(' ', '~')];
        proptest::collection::vec(c, 0..20).prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_deceptive_reaches_a_terminal(text in text()) {
            prop_assert!(!terminal(&text).contains(is_deceptive));
        }

        #[test]
        fn json_keeps_its_meaning(text in text()) {
            let document = serde_json::to_string(&[&text]).expect("JSON");
            let escaped = json(&document);
            prop_assert!(!escaped.contains(is_deceptive));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).expect("JSON"), [text]);
        }

        #[test]
        fn uris_are_relative_and_plain(path in prop_oneof![text(), "[./\\\\a:%]{0,12}".boxed()]) {
            if let Some(uri) = uri_path("", &path) {
                prop_assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%/".contains(&b)), "{uri}");
                prop_assert!(!uri.starts_with('/') && uri.split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}
