//! The syntax of `@env-spec`: items, comments and decorators, with no meaning yet.
//! Source: <https://varlock.dev/env-spec/reference/>.

use std::borrow::Cow;

use keytrail_rules::model::Secret;

use crate::dotenv::{Quote, bare_len, closing_quote, is_key_char, next_line, unquote, without_export};

/// One part of a file, from the byte `start` on.
pub(super) struct Part<'a> {
    pub(super) start: usize,
    pub(super) syntax: Syntax<'a>,
}

pub(super) enum Syntax<'a> {
    /// `KEY=value # @decorator`.
    Item { key: &'a str, value: ItemValue<'a>, decorators: Vec<Decorator<'a>> },
    /// `# @decorator @decorator=value # comment`.
    Decorators(Vec<Decorator<'a>>),
    /// Any other comment.
    Comment,
    /// A blank line or a divider, which parts a comment from the item below it.
    Break,
    /// A line that is none of these, or a part of one.
    Broken(Fault),
}

/// The value of an item.
pub(super) enum ItemValue<'a> {
    /// `KEY=`.
    Missing,
    /// What a function of that name resolves.
    Call(&'a str),
    Text(Secret),
    /// There is one, but it is broken.
    Broken,
}

/// `@name`, `@name=value` or `@name(…)`.
pub(super) struct Decorator<'a> {
    pub(super) start: usize,
    pub(super) name: &'a str,
    pub(super) argument: Argument<'a>,
}

/// The value of a decorator.
pub(super) enum Argument<'a> {
    None,
    Text(Cow<'a, str>),
    /// `name(…)`, and `@name(…)` with no name.
    Call {
        name: &'a str,
        inner: &'a str,
    },
    /// `{…}` or `[…]`.
    Literal(&'a str),
}

impl Argument<'_> {
    /// The text, unless it is empty or no text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(text.trim()),
            _ => None,
        }
    }

    /// The names of a text, a list or a call.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        words(match self {
            Self::None => "",
            Self::Text(text) => text,
            Self::Call { inner, .. } | Self::Literal(inner) => inner,
        })
    }
}

/// The comma-separated words of a list, without quotes, `$` and the `#` of continued comments.
pub(super) fn words(inner: &str) -> impl Iterator<Item = String> {
    inner
        .split(',')
        .map(|word| word.chars().filter(|c| !c.is_whitespace() && !"'\"`$#{}".contains(*c)).collect::<String>())
        .filter(|word| !word.is_empty())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    NoItem,
    OpenQuote,
    OpenBracket,
    TextAfterValue,
}

/// Reads a file. Any text is read; a part that is broken does not break the lines after it. Decorators whose name is
/// not among `known` are passed over.
pub(super) fn parse<'a>(text: &'a str, known: &'static [&'static str]) -> impl Iterator<Item = Part<'a>> {
    let mut lexer = Lexer { text, known, next: 0, end: 0, may_span: true, single_line_until: 0, fault: None };
    std::iter::from_fn(move || lexer.part())
}

struct Lexer<'a> {
    text: &'a str,
    known: &'static [&'static str],
    /// Where the next line starts.
    next: usize,
    /// Where the line at hand ends, without white space.
    end: usize,
    /// Whether a value may span lines. After one that is never closed none may: each would be searched for to the
    /// end of the file.
    may_span: bool,
    /// Brackets that open before this place may not span lines: they lie in those of a value that was none, and each
    /// would be searched for up to there again.
    single_line_until: usize,
    /// What is wrong with the part that was read last.
    fault: Option<(usize, Fault)>,
}

impl<'a> Lexer<'a> {
    fn part(&mut self) -> Option<Part<'a>> {
        if let Some((start, fault)) = self.fault.take() {
            return Some(Part { start, syntax: Syntax::Broken(fault) });
        }
        if self.next >= self.text.len() {
            return None;
        }
        let line = self.next;
        self.go_to_line_of(line);
        let body = self.rest(line).trim_start();
        let start = self.end - body.len();
        let syntax = match body.strip_prefix('#') {
            Some(_) => self.comment(start + 1),
            None if body.is_empty() => Syntax::Break,
            None => self.item(start),
        };
        Some(Part { start, syntax })
    }

    /// Makes the line that holds `at` the one at hand.
    fn go_to_line_of(&mut self, at: usize) {
        self.next = next_line(self.text, at);
        self.end = at + self.text[at..self.next].trim_end().len();
    }

    /// The rest of the line at hand.
    fn rest(&self, at: usize) -> &'a str {
        &self.text[at..self.end]
    }

    fn comment(&mut self, start: usize) -> Syntax<'a> {
        let text = self.rest(start).trim_start();
        if text.starts_with('@') {
            return Syntax::Decorators(self.decorators(self.end - text.len()));
        }
        let rule = text.chars().take_while(|c| "-=*#".contains(*c)).count();
        if rule >= 3 { Syntax::Break } else { Syntax::Comment }
    }

    /// The decorators from `at` to the end of the comment. Text between them is passed over; what follows a `#` is a
    /// comment in the comment.
    fn decorators(&mut self, mut at: usize) -> Vec<Decorator<'a>> {
        let mut found = Vec::new();
        loop {
            let rest = self.rest(at).trim_start();
            at = self.end - rest.len();
            let Some(after) = rest.strip_prefix('@') else {
                if rest.is_empty() || rest.starts_with('#') {
                    return found;
                }
                at += rest.find(char::is_whitespace).unwrap_or(rest.len());
                continue;
            };
            let len = after.find(|c: char| c.is_whitespace() || "=()#@".contains(c)).unwrap_or(after.len());
            match self.argument(at + 1 + len) {
                Ok((argument, end)) => {
                    if self.known.contains(&&after[..len]) {
                        found.push(Decorator { start: at, name: &after[..len], argument });
                    }
                    at = end;
                }
                Err(fault) => {
                    self.fault = Some((at, fault));
                    return found;
                }
            }
        }
    }

    /// The argument of a decorator whose name ends at `at`, and where it ends.
    fn argument(&mut self, at: usize) -> Result<(Argument<'a>, usize), Fault> {
        let rest = self.rest(at);
        if rest.starts_with('(') {
            let end = self.closing_bracket(at, true).ok_or(Fault::OpenBracket)?;
            return Ok((Argument::Call { name: "", inner: &self.text[at + 1..end - 1] }, end));
        }
        let Some(value) = rest.strip_prefix('=') else {
            return Ok((Argument::None, at));
        };
        let start = at + 1;
        if let Some(quote) = Quote::opening(value) {
            let close = closing_quote(&self.text[..self.end], start + 1, quote).ok_or(Fault::OpenQuote)?;
            let text = unquote(&self.text[start + 1..close], quote).expose().to_owned();
            return Ok((Argument::Text(text.into()), close + 1));
        }
        if value.starts_with(['{', '[']) {
            let end = self.closing_bracket(start, true).ok_or(Fault::OpenBracket)?;
            return Ok((Argument::Literal(&self.text[start + 1..end - 1]), end));
        }
        if let Some(name) = called(value) {
            let open = start + name.len();
            let end = self.closing_bracket(open, true).ok_or(Fault::OpenBracket)?;
            return Ok((Argument::Call { name, inner: &self.text[open + 1..end - 1] }, end));
        }
        let len = value.find([' ', '\t', '#']).unwrap_or(value.len());
        Ok((Argument::Text(value[..len].into()), start + len))
    }

    fn item(&mut self, start: usize) -> Syntax<'a> {
        let named = without_export(self.rest(start));
        let key_len = named.find(|c: char| !is_key_char(c)).unwrap_or(named.len());
        let Some(raw) = named[key_len..].trim_start().strip_prefix('=').filter(|_| key_len > 0) else {
            return Syntax::Broken(Fault::NoItem);
        };
        let value = raw.trim_start();
        let (line, value_start) = ((self.next, self.end), self.end - value.len());
        let read = self.value(value_start, value.len() < raw.len()).and_then(|(value, end)| {
            let rest = self.rest(end).trim_start();
            match rest.strip_prefix('#') {
                None if !rest.is_empty() => {
                    Err(if self.end == line.1 { Fault::TextAfterValue } else { Fault::OpenQuote })
                }
                comment => Ok((value, comment.map(str::trim_start).filter(|comment| comment.starts_with('@')))),
            }
        });
        let key = &named[..key_len];
        match read {
            Ok((value, comment)) => {
                let decorators = comment.map(|comment| self.decorators(self.end - comment.len())).unwrap_or_default();
                Syntax::Item { key, value, decorators }
            }
            Err(fault) => {
                (self.next, self.end) = line;
                self.fault = Some((start, fault));
                Syntax::Item { key, value: ItemValue::Broken, decorators: Vec::new() }
            }
        }
    }

    /// The value that starts at `start`, and where it ends, in what is then the line at hand.
    fn value(&mut self, start: usize, after_space: bool) -> Result<(ItemValue<'a>, usize), Fault> {
        let value = self.rest(start);
        if let Some(fence) = ["\"\"\"", "```"].into_iter().find(|fence| value.starts_with(fence)) {
            let inner = start + fence.len();
            let close = self.spanning(|text| text[inner..].find(fence)).ok_or(Fault::OpenQuote)? + inner;
            self.reach(close + fence.len());
            let text = &self.text[inner..close];
            let text = text.strip_prefix('\r').unwrap_or(text);
            let text = text.strip_prefix('\n').unwrap_or(text);
            return Ok((ItemValue::Text(unquote(text, Quote::Backtick)), close + fence.len()));
        }
        if let Some(quote) = Quote::opening(value) {
            let close = self.spanning(|text| closing_quote(text, start + 1, quote)).ok_or(Fault::OpenQuote)?;
            self.reach(close + 1);
            return Ok((ItemValue::Text(unquote(&self.text[start + 1..close], quote)), close + 1));
        }
        let name = called(value);
        if name.is_some() || value.starts_with(['{', '[']) {
            let line = (self.next, self.end);
            let end = self.closing_bracket(start + name.map_or(0, str::len), false);
            if let Some(end) = end.filter(|end| matches!(self.rest(*end).trim_start().chars().next(), None | Some('#')))
            {
                let literal = || ItemValue::Text(Secret::from(&self.text[start..end]));
                return Ok((name.map_or_else(literal, ItemValue::Call), end));
            }
            // With more text after it, or a literal that is none (such as JSON), it is a bare value.
            if self.end != line.1 {
                self.single_line_until = self.end;
            }
            (self.next, self.end) = line;
            if end.is_none() && name.is_some() {
                return Err(Fault::OpenBracket);
            }
        }
        let len = bare_len(value, after_space);
        let text = &value[..len];
        Ok((if text.is_empty() { ItemValue::Missing } else { ItemValue::Text(text.into()) }, start + len))
    }

    /// What `find` finds in the text, up to the end of the line where values may no longer span lines.
    fn spanning(&mut self, find: impl FnOnce(&str) -> Option<usize>) -> Option<usize> {
        let found = find(if self.may_span { self.text } else { &self.text[..self.end] });
        self.may_span &= found.is_some();
        found
    }

    /// Makes the line that ends a value the one at hand.
    fn reach(&mut self, end: usize) {
        if end > self.end {
            self.go_to_line_of(end);
        }
    }

    /// The end of the bracket that opens at `open`, in what is then the line at hand. In a comment each further line
    /// has to start with `#`.
    fn closing_bracket(&mut self, open: usize, in_comment: bool) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let (mut depth, mut at, mut last) = (0u32, open, b'(');
        while at < self.text.len() {
            let byte = bytes[at];
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth -= 1,
                b'\n' if !self.may_span || (!in_comment && open < self.single_line_until) => return None,
                b'\n' => {
                    let line = &self.text[at + 1..];
                    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
                    if in_comment && !line[indent..].starts_with('#') {
                        break;
                    }
                    at += if in_comment { indent + 1 } else { 0 };
                }
                b'\'' | b'"' | b'`' if b"([{,=".contains(&last) => at = self.quoted_end(at),
                b'#' if bytes[at - 1].is_ascii_whitespace() && !self.is_tag(at, in_comment) => {
                    let Some(comment) = self.text[at..].find('\n') else {
                        break;
                    };
                    at += comment;
                    continue;
                }
                _ => {}
            }
            at += 1;
            if depth == 0 {
                self.reach(at);
                return Some(at);
            }
            if !byte.is_ascii_whitespace() {
                last = byte;
            }
        }
        self.may_span = false;
        None
    }

    /// The last byte of the string that opens at `open`; `open` itself where it does not close on its line.
    fn quoted_end(&self, open: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = open + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\n' => break,
                b'\\' => at += 1,
                _ if *byte == bytes[open] => return at,
                _ => {}
            }
            at += 1;
        }
        open
    }

    /// Whether a `#` in the brackets of a comment is a tag, as `#frontend`, and no comment.
    fn is_tag(&self, at: usize, in_comment: bool) -> bool {
        in_comment && self.text[at + 1..].starts_with(char::is_alphanumeric)
    }
}

/// The name of the function that a value calls.
fn called(value: &str) -> Option<&str> {
    let len = value.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    (value[len..].starts_with('(') && value.starts_with(|c: char| c.is_ascii_alphabetic())).then(|| &value[..len])
}
