//! A YAML file whose format prescribes a shape.

use keytrail_rules::model::{Gap, GapReason, Location};

use super::{Kind, Node, ProblemKind, parse};
use crate::source::{FileGaps, SourceFile};

/// Names are repeated in every place and consumer that they are part of; Kubernetes allows 253 characters.
pub const MAX_NAME_BYTES: usize = 253;

/// A file under reading. What has not the shape that is asked for becomes a gap at its line, and the rest is read
/// all the same.
pub struct YamlFile<'a> {
    file: &'a SourceFile,
    gaps: FileGaps<'a>,
}

impl<'a> YamlFile<'a> {
    /// Parses a file.
    pub fn open(file: &'a SourceFile) -> (Self, Vec<Node>) {
        let stream = parse(file.text());
        let mut yaml = Self { file, gaps: FileGaps::new(file) };
        let last = stream.problems.last().map_or(1, |problem| problem.line);
        for problem in stream.problems {
            yaml.add_gap(problem.line, reason(&problem.kind), problem.kind.to_string(), hint(&problem.kind));
        }
        yaml.gaps.add_count(last, stream.more_problems as u64);
        (yaml, stream.documents)
    }

    /// A line of the file.
    pub fn at(&self, line: u32) -> Location {
        self.file.at(line)
    }

    /// Adds a gap at a line.
    pub fn add_gap(&mut self, line: u32, reason: GapReason, message: impl Into<String>, hint: Option<&str>) {
        self.gaps.add(line, |at| Gap { hint: hint.map(str::to_owned), ..Gap::at(at, reason, message) });
    }

    /// Adds a gap at a node that has not the shape it should have.
    pub fn add_malformed(&mut self, node: &Node, message: impl Into<String>) {
        self.add_gap(node.line, GapReason::Malformed, message, None);
    }

    /// The child of that key if it is a mapping; a gap if it is anything else but missing or null.
    pub fn mapping<'n>(&mut self, parent: &'n Node, key: &str) -> Option<&'n Node> {
        let child = parent.get(key)?;
        let fits = matches!(child.kind, Kind::Mapping(_));
        if !fits {
            self.add_malformed(child, format!("`{key}` is {}, not a mapping", what(child)));
        }
        fits.then_some(child)
    }

    /// The pairs of the mapping under that key, as [`YamlFile::mapping`].
    pub fn pairs<'n>(&mut self, parent: &'n Node, key: &str) -> &'n [(Node, Node)] {
        self.mapping(parent, key).and_then(Node::pairs).unwrap_or_default()
    }

    /// The items of the sequence under that key; a gap if it is anything else but missing or null.
    pub fn items<'n>(&mut self, parent: &'n Node, key: &str) -> &'n [Node] {
        let Some(child) = parent.get(key) else { return &[] };
        child.items().unwrap_or_else(|| {
            self.add_malformed(child, format!("`{key}` is {}, not a list", what(child)));
            &[]
        })
    }

    /// The text under that key; a gap if it is missing or no text.
    pub fn text<'n>(&mut self, parent: &'n Node, key: &str) -> Option<&'n str> {
        match parent.get(key) {
            None => {
                self.add_malformed(parent, format!("`{key}` is missing"));
                None
            }
            Some(child) => self.scalar(child, &format!("`{key}`")),
        }
    }

    /// The name under that key: text of at most [`MAX_NAME_BYTES`], as [`YamlFile::text`].
    pub fn name<'n>(&mut self, parent: &'n Node, key: &str) -> Option<&'n str> {
        let name = self.text(parent, key)?;
        self.check_name(parent.get(key).unwrap_or(parent), name).then_some(name)
    }

    /// Whether a name is of at most [`MAX_NAME_BYTES`]; a gap at the node if not.
    pub fn check_name(&mut self, node: &Node, name: &str) -> bool {
        let fits = name.len() <= MAX_NAME_BYTES;
        if !fits {
            self.add_malformed(node, format!("the name is longer than {MAX_NAME_BYTES} bytes"));
        }
        fits
    }

    /// The text of a node, empty for a null; a gap if it is a collection. The message calls it as told.
    pub fn scalar<'n>(&mut self, node: &'n Node, name: &str) -> Option<&'n str> {
        match node.str() {
            None if node.is_null() => Some(""),
            None => {
                self.add_malformed(node, format!("{name} is {}, not text", what(node)));
                None
            }
            text => text,
        }
    }

    /// The gaps.
    pub fn into_gaps(self) -> Vec<Gap> {
        self.gaps.finish()
    }
}

fn what(node: &Node) -> &'static str {
    match node.kind {
        Kind::Scalar(..) => "text",
        Kind::Sequence(_) => "a list",
        Kind::Mapping(_) => "a mapping",
    }
}

fn reason(kind: &ProblemKind) -> GapReason {
    match kind {
        ProblemKind::Syntax(_) | ProblemKind::DuplicateKey { .. } | ProblemKind::CyclicAlias => GapReason::Malformed,
        ProblemKind::TooDeep
        | ProblemKind::TooManyNodes
        | ProblemKind::TooMuchText
        | ProblemKind::TooManyIndicators
        | ProblemKind::LongDirective => GapReason::TooLarge,
    }
}

fn hint(kind: &ProblemKind) -> Option<&'static str> {
    match kind {
        ProblemKind::DuplicateKey { .. } => Some("remove one of the two"),
        ProblemKind::TooManyNodes | ProblemKind::TooMuchText | ProblemKind::TooManyIndicators => {
            Some("split the file, or exclude it in [inventory] exclude")
        }
        _ => None,
    }
}
