//! Which secrets and variables an expression reads
//! (<https://docs.github.com/actions/reference/workflows-and-actions/expressions>).

/// The two contexts that hold what is set outside of the workflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Context {
    /// `secrets`.
    Secrets,
    /// `vars`.
    Vars,
}

impl Context {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Vars => "vars",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Secrets, Self::Vars].into_iter().find(|context| word.eq_ignore_ascii_case(context.as_str()))
    }
}

/// A place where a context is read.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Reference<'t> {
    /// Where in the text, in bytes.
    pub(super) offset: usize,
    /// Of what.
    pub(super) context: Context,
    /// The name; `None` where it is made at run time: `secrets[matrix.name]`, `toJSON(secrets)`.
    pub(super) name: Option<&'t str>,
}

/// Reads the expressions `${{ … }}` of a text. `false` if the last one is not closed.
pub(super) fn read_text<'t>(text: &'t str, found: &mut Vec<Reference<'t>>) -> bool {
    let mut at = 0;
    while let Some(start) = text[at..].find("${{") {
        let mut scanner = Scanner { text, at: at + start + 3, after_dot: false };
        if !scanner.run(found) {
            return false;
        }
        at = scanner.at;
    }
    true
}

/// Reads an `if` that is an expression without `${{ }}`.
pub(super) fn read_condition<'t>(text: &'t str, found: &mut Vec<Reference<'t>>) {
    Scanner { text, at: 0, after_dot: false }.run(found);
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Whether a word at this place is a property of what stands before.
    after_dot: bool,
}

impl<'t> Scanner<'t> {
    /// Reads up to `}}`, and says whether it is there.
    fn run(&mut self, found: &mut Vec<Reference<'t>>) -> bool {
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("}}") {
                self.at += 2;
                return true;
            }
            if c == '\'' {
                self.take_string();
                self.after_dot = false;
            } else if is_word_start(c) {
                let offset = self.at;
                let word = self.take_word();
                if let Some(context) = Context::parse(word).filter(|_| !self.after_dot) {
                    let name = self.take_name();
                    found.push(Reference { offset, context, name });
                }
                self.after_dot = false;
            } else {
                self.at += c.len_utf8();
                if !c.is_whitespace() {
                    // A digit belongs to a number, whose letters are no word: `0xff`.
                    self.after_dot = c == '.' || c.is_ascii_digit();
                }
            }
        }
        false
    }

    /// Takes `.NAME` or `['NAME']`.
    fn take_name(&mut self) -> Option<&'t str> {
        self.skip_space();
        if self.take_char('.') {
            self.skip_space();
            return self.rest().starts_with(is_word_start).then(|| self.take_word());
        }
        if !self.take_char('[') {
            return None;
        }
        self.skip_space();
        if !self.rest().starts_with('\'') {
            return None;
        }
        let name = self.take_string();
        self.skip_space();
        self.rest().starts_with(']').then_some(name)
    }

    /// Takes a string in single quotes; a quote within it is doubled.
    fn take_string(&mut self) -> &'t str {
        let start = self.at + 1;
        self.at = start;
        while let Some(end) = self.rest().find('\'') {
            self.at += end + 1;
            if !self.take_char('\'') {
                return &self.text[start..self.at - 1];
            }
        }
        self.at = self.text.len();
        &self.text[start..]
    }

    fn take_word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take_char(&mut self, c: char) -> bool {
        let is_there = self.rest().starts_with(c);
        self.at += if is_there { c.len_utf8() } else { 0 };
        is_there
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Context, read_condition, read_text};

    fn names(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        read_text(text, &mut found);
        found.iter().map(|one| format!("{}@{} {}", one.context.as_str(), one.offset, one.name.unwrap_or("?"))).collect()
    }

    #[test]
    fn contexts_are_found_in_expressions_alone() {
        let cases: &[(&str, &[&str])] = &[
            ("secrets.A", &[]),
            ("${{ secrets.A }}", &["secrets@4 A"]),
            ("x ${{secrets.A}} ${{ vars.B }}", &["secrets@5 A", "vars@21 B"]),
            ("${{ Secrets['a-b'] || secrets [ 'C' ] }}", &["secrets@4 a-b", "secrets@22 C"]),
            ("${{ secrets . A }}", &["secrets@4 A"]),
            ("${{ secrets.A-B_1 }}", &["secrets@4 A-B_1"]),
            ("${{ 'secrets.A' == vars.B }}", &["vars@19 B"]),
            ("${{ 'it''s }} secrets.A' && vars.B }}", &["vars@28 B"]),
            ("${{ steps.secrets.outputs.vars }}", &[]),
            ("${{ my_secrets.A + secrets_.B }}", &[]),
            ("${{ secrets[matrix.name] }}", &["secrets@4 ?"]),
            ("${{ secrets[format('{0}_A', vars.B)] }}", &["secrets@4 ?", "vars@28 B"]),
            ("${{ toJSON(secrets) }}", &["secrets@11 ?"]),
            ("${{ secrets.* }}", &["secrets@4 ?"]),
            ("${{ 0xsecrets.A }}", &[]),
            ("${{ secrets.A }} }} secrets.B", &["secrets@4 A"]),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text), *expected, "{text}");
        }
    }

    #[test]
    fn an_open_expression_is_told() {
        for (text, closed) in [("${{ a }}", true), ("${{ a", false), ("${{ 'a }}", false), ("$ { {", true)] {
            assert_eq!(read_text(text, &mut Vec::new()), closed, "{text}");
        }
    }

    #[test]
    fn a_condition_needs_no_braces() {
        let mut found = Vec::new();
        read_condition("vars.DEPLOY == 'secrets.X'", &mut found);
        assert_eq!(
            found.iter().map(|one| (one.context, one.name)).collect::<Vec<_>>(),
            [(Context::Vars, Some("DEPLOY"))]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r"(\$\{\{|\}\}|secrets|vars|[.'\[\] aé*0-]){0,30}") {
            read_text(&text, &mut Vec::new());
            read_condition(&text, &mut Vec::new());
        }
    }
}
