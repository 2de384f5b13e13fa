//! Interpolation of compose files (<https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md>).

use std::collections::BTreeSet;

use zeroize::Zeroizing;

/// `${A:-${B:-…}}`: a default within a default, and so on.
const MAX_LEVELS: usize = 16;

/// A text with its references looked at.
pub(super) struct Filled<'t> {
    /// The names of all variables in it.
    pub(super) names: BTreeSet<&'t str>,
    /// The text with the defaults filled in; a reference without one is `${NAME}`. It may be a secret.
    pub(super) text: Zeroizing<String>,
    /// Whether a reference without a default is in it.
    pub(super) is_open: bool,
}

impl Filled<'_> {
    /// Whether the text is one reference without a default, and nothing else.
    pub(super) fn is_one_reference(&self) -> bool {
        let inner = self.text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        self.is_open && inner.is_some_and(|inner| self.names.contains(inner))
    }
}

/// Looks at the references of a text.
///
/// # Errors
/// A message for a `$` that starts none, or for braces that do not close.
pub(super) fn interpolate(text: &str) -> Result<Filled<'_>, &'static str> {
    let mut parser = Parser { rest: text, names: BTreeSet::new() };
    let mut filled = Zeroizing::new(String::with_capacity(text.len()));
    let is_open = parser.take_text(0, &mut filled)?;
    Ok(Filled { names: parser.names, text: filled, is_open })
}

struct Parser<'t> {
    rest: &'t str,
    names: BTreeSet<&'t str>,
}

impl<'t> Parser<'t> {
    /// Takes text up to the end, or up to the brace that closes the reference around it. Whether it has a reference
    /// without a default.
    fn take_text(&mut self, level: usize, filled: &mut String) -> Result<bool, &'static str> {
        if level > MAX_LEVELS {
            return Err("the defaults of this variable are nested too deeply");
        }
        let mut is_open = false;
        loop {
            let stop = self.rest.find(|c| c == '$' || (c == '}' && level > 0)).unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(stop);
            filled.push_str(text);
            self.rest = rest;
            let Some(rest) = self.rest.strip_prefix('$') else {
                // The end, or a closing brace, which is left to the caller.
                return Ok(is_open);
            };
            self.rest = rest;
            if let Some(rest) = self.rest.strip_prefix('$') {
                filled.push('$');
                self.rest = rest;
            } else if let Some(rest) = self.rest.strip_prefix('{') {
                self.rest = rest;
                is_open |= self.take_braced(level, filled)?;
            } else {
                let name = self.take_name().ok_or("a `$` that starts no variable")?;
                push_reference(filled, name);
                is_open = true;
            }
        }
    }

    /// Takes what follows `${`.
    fn take_braced(&mut self, level: usize, filled: &mut String) -> Result<bool, &'static str> {
        let name = self.take_name().ok_or("a `${` that names no variable")?;
        let operators = [":-", "-", ":?", "?", ":+", "+"];
        let operator = operators.iter().find(|operator| self.rest.starts_with(**operator)).copied().unwrap_or("");
        self.rest = &self.rest[operator.len()..];
        let mut argument = Zeroizing::new(String::new());
        let argument_is_open = !operator.is_empty() && self.take_text(level + 1, &mut argument)?;
        self.rest = self.rest.strip_prefix('}').ok_or("a `${` that is not closed")?;
        // The argument of `?` is a message; that of `+` stands in for a value that is set elsewhere.
        if operator.ends_with('-') && !argument.is_empty() {
            filled.push_str(&argument);
            return Ok(argument_is_open);
        }
        push_reference(filled, name);
        Ok(true)
    }

    fn take_name(&mut self) -> Option<&'t str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        self.names.insert(name);
        Some(name)
    }
}

fn push_reference(filled: &mut String, name: &str) {
    filled.push_str("${");
    filled.push_str(name);
    filled.push('}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::interpolate;

    #[test]
    fn references_are_found_and_defaults_filled_in() {
        // Text, names, text with the defaults, whether a reference is open, whether it is all.
        let cases: &[(&str, &[&str], &str, bool, bool)] = &[
            ("plain", &[], "plain", false, false),
            ("$X", &["X"], "${X}", true, true),
            ("${X}", &["X"], "${X}", true, true),
            ("${X:?must be set}", &["X"], "${X}", true, true),
            ("${X:+on}", &["X"], "${X}", true, true),
            ("${X:-}", &["X"], "${X}", true, true),
            ("${X-d}", &["X"], "d", false, false),
            ("${X:-a}b", &["X"], "ab", false, false),
            ("${X:-${Y}}", &["X", "Y"], "${Y}", true, true),
            ("${X:-${Y:-z}}", &["X", "Y"], "z", false, false),
            ("$X$Y", &["X", "Y"], "${X}${Y}", true, false),
            ("a$$X", &[], "a$X", false, false),
            ("$${X}", &[], "${X}", false, false),
            ("u://a:${P:-s3}@$H/}", &["H", "P"], "u://a:s3@${H}/}", true, false),
        ];
        for (text, names, filled, is_open, is_all) in cases {
            let result = interpolate(text).expect(text);
            assert_eq!(result.names.iter().copied().collect::<Vec<_>>(), *names, "{text}");
            assert_eq!((result.text.as_str(), result.is_open), (*filled, *is_open), "{text}");
            assert_eq!(result.is_one_reference(), *is_all, "{text}");
        }
    }

    #[test]
    fn what_compose_refuses_is_an_error() {
        let deep = format!("{}{}", "${A:-".repeat(10_000), "}".repeat(10_000));
        for text in ["$", "a $ b", "$1", "${", "${}", "${X", "${X:-a", "${1}", "${X!}", "$(date)", &deep] {
            assert!(interpolate(text).is_err(), "{text:.20}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[${}:?+A-C \\-]{0,60}") {
            let _ = interpolate(&text);
        }

        #[test]
        fn escaped_text_comes_back(text in ".{0,40}") {
            let escaped = text.replace('$', "$$");
            let filled = interpolate(&escaped).expect("no reference");
            prop_assert_eq!(filled.text.as_str(), text.as_str());
        }
    }
}
