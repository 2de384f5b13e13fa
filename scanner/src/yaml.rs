//! YAML as a tree that keeps its lines, built from the events of `saphyr-parser`.
//!
//! # Guarantees
//! Time, memory and stack are bounded, whatever the text: at most [`MAX_DEPTH`] levels, [`MAX_NODES`] nodes and
//! [`MAX_TEXT_BYTES`] of scalars a file, counted after aliases are expanded. Nothing here recurses deeper than the tree.
//! The documents of a stream are parsed one by one, so that a broken one does not take the others with it.

mod builder;
mod file;

use std::str::Chars;

use saphyr_parser::{Parser, ScanError};
use thiserror::Error;
use zeroize::Zeroizing;

use builder::{Budget, Builder};

pub use file::{MAX_NAME_BYTES, YamlFile};

/// Nesting of sequences and mappings.
pub const MAX_DEPTH: usize = 128;
/// Nodes of one file, those that aliases stand for counted each time.
pub const MAX_NODES: usize = 200_000;
/// Bytes of the scalars of one file, counted in the same way.
pub const MAX_TEXT_BYTES: usize = 32 * 1024 * 1024;
/// Characters of one document that may start a token. The parser keeps the tokens of a flow collection in memory
/// until the collection ends, at a hundred bytes each.
pub const MAX_INDICATORS: usize = 400_000;
/// Problems that are listed; the others are counted.
pub const MAX_PROBLEMS: usize = 20;
/// The parser copies the prefix of a `%TAG` directive at each tag that uses it.
const MAX_TAG_DIRECTIVE_BYTES: usize = 1_024;

/// One node. It may hold secrets: the scalars are wiped on drop, and there is no `Debug`.
#[derive(Clone)]
pub struct Node {
    /// 1-based line; for a block scalar that of its first line of content.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
    /// What the node is.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Clone)]
pub enum Kind {
    /// Text, never read as a number or a truth value.
    Scalar(Zeroizing<String>, Style),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file, each key once; what `<<` merged in comes last.
    Mapping(Vec<(Node, Node)>),
}

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// `text`: the only style in which `null`, `~` and nothing stand for no value.
    Plain,
    /// `'text'` or `"text"`.
    Quoted,
    /// `|`: the lines of the text are the lines of the file.
    Literal,
    /// `>`.
    Folded,
}

impl Node {
    /// The text of a scalar; `None` for a collection and for a null.
    pub fn str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Whether it is a null of the core schema (YAML 1.2.2, 10.3.2): nothing, `~`, `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, Style::Plain) if ["", "~", "null", "Null", "NULL"].contains(&text.as_str()))
    }

    /// The nodes of a sequence.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The keys and values of a mapping.
    pub fn pairs(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Mapping(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The value of a key of a mapping; `None` where it is missing or null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let (_, value) = self.pairs()?.iter().find(|(name, _)| name.str() == Some(key))?;
        (!value.is_null()).then_some(value)
    }
}

/// What is wrong in a text, and where.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{kind} (line {line})")]
pub struct Problem {
    /// 1-based line.
    pub line: u32,
    /// What.
    pub kind: ProblemKind,
}

/// What is wrong in a text. Of these only a duplicate key leaves the document readable.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProblemKind {
    /// The text is no YAML, or an alias names an anchor that is not there.
    #[error("this is not valid YAML: {0}")]
    Syntax(String),
    /// A key stands twice in one mapping.
    #[error("this key was already given in line {first}; the last one counts")]
    DuplicateKey {
        /// The line of the first one.
        first: u32,
    },
    /// An alias stands inside of what it stands for.
    #[error("this alias stands inside of its own anchor")]
    CyclicAlias,
    /// Past [`MAX_DEPTH`].
    #[error("the nesting is deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Past [`MAX_NODES`]: the rest of the file is not read.
    #[error("the file has more than {MAX_NODES} nodes with its aliases expanded; the rest was not read")]
    TooManyNodes,
    /// Past [`MAX_TEXT_BYTES`]: the rest of the file is not read.
    #[error("the file has more than {} MiB of text with its aliases expanded; the rest was not read", MAX_TEXT_BYTES >> 20)]
    TooMuchText,
    /// Past [`MAX_INDICATORS`].
    #[error("the document has more than {MAX_INDICATORS} brackets, commas, colons and other indicators")]
    TooManyIndicators,
    /// A `%TAG` line past its limit.
    #[error("the %TAG directive is longer than {MAX_TAG_DIRECTIVE_BYTES} bytes")]
    LongDirective,
}

impl From<&ScanError> for ProblemKind {
    fn from(error: &ScanError) -> Self {
        // The parser counts the levels of flow collections in one byte, and says so in no other way.
        match error.info() {
            "recursion limit exceeded" => Self::TooDeep,
            info => Self::Syntax(info.to_owned()),
        }
    }
}

/// What a text holds.
#[derive(Default)]
pub struct Stream {
    /// The documents that could be read, in order.
    pub documents: Vec<Node>,
    /// What is wrong, in order; at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How many problems are not in the list.
    pub more_problems: usize,
}

impl Stream {
    fn add_problem(&mut self, line: u32, kind: ProblemKind) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { line, kind });
        } else {
            self.more_problems += 1;
        }
    }
}

/// Reads a stream of documents (YAML 1.2). Never fails: a document that cannot be read becomes a [`Problem`].
pub fn parse(text: &str) -> Stream {
    let mut stream = Stream::default();
    let mut budget = Budget::default();
    for (line, document) in (Documents { rest: text, line: 1 }) {
        if let Err(problem) = parse_document(document, line, &mut budget, &mut stream) {
            let spent = matches!(problem.kind, ProblemKind::TooManyNodes | ProblemKind::TooMuchText);
            stream.add_problem(problem.line, problem.kind);
            if spent {
                break;
            }
        }
    }
    stream
}

fn parse_document(text: &str, first_line: u32, budget: &mut Budget, stream: &mut Stream) -> Result<(), Problem> {
    check_before_parsing(text, first_line)?;
    let mut lines = Lines { rest: text.chars(), index: 0, line: first_line, column: 1 };
    let mut builder = Builder::new(budget);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Problem {
            line: lines.advance_to(error.marker().index()).0,
            kind: ProblemKind::from(&error),
        })?;
        let (line, column) = lines.advance_to(span.start.index());
        let done = builder.take(event, line, column).map_err(|kind| Problem { line, kind })?;
        stream.documents.extend(done);
        for (line, first) in builder.duplicates.drain(..) {
            stream.add_problem(line, ProblemKind::DuplicateKey { first });
        }
    }
    Ok(())
}

/// Refuses what would cost the parser memory or time out of proportion.
fn check_before_parsing(text: &str, first_line: u32) -> Result<(), Problem> {
    let indicators = text.bytes().filter(|byte| b",[]{}:?&*!'\"".contains(byte)).count();
    if indicators > MAX_INDICATORS {
        return Err(Problem { line: first_line, kind: ProblemKind::TooManyIndicators });
    }
    for (line, content) in (first_line..).zip(text.lines()) {
        if content.starts_with("%TAG") && content.len() > MAX_TAG_DIRECTIVE_BYTES {
            return Err(Problem { line, kind: ProblemKind::LongDirective });
        }
    }
    Ok(())
}

/// The documents of a stream, each with its first line. A marker at the start of a line ends a document wherever it
/// stands (YAML 1.2.2, 9.1.2 and production `c-forbidden`), so they can be told apart without parsing.
struct Documents<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Iterator for Documents<'a> {
    type Item = (u32, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (first_line, mut begun, mut end) = (self.line, false, 0);
        for line in self.rest.split_inclusive('\n') {
            let starts = is_marker(line, "---");
            if starts && begun {
                break;
            }
            begun |= starts || !is_preamble(line);
            end += line.len();
            self.line = self.line.saturating_add(1);
            if is_marker(line, "...") {
                break;
            }
        }
        let (document, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((first_line, document))
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether a line may stand before the `---` of the document that it belongs to.
fn is_preamble(line: &str) -> bool {
    line.starts_with('%') || line.trim_start().is_empty() || line.trim_start().starts_with('#')
}

/// Turns the parser's character counts into lines. Its own line numbers also count a bare `\r`.
struct Lines<'a> {
    rest: Chars<'a>,
    index: usize,
    line: u32,
    column: u32,
}

impl Lines<'_> {
    /// The line and column of a character. Events come in the order of the text, so this only goes forward.
    fn advance_to(&mut self, index: usize) -> (u32, u32) {
        while self.index < index {
            match self.rest.next() {
                Some('\n') => (self.line, self.column) = (self.line.saturating_add(1), 1),
                Some(_) => self.column = self.column.saturating_add(1),
                None => break,
            }
            self.index += 1;
        }
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests;
