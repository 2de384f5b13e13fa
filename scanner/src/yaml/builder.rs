//! Builds nodes from the events of the parser, within a budget.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, ScalarStyle};
use zeroize::Zeroizing;

use super::{Kind, MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES, Node, ProblemKind, Style};

/// What a file has used up so far.
#[derive(Default)]
pub(super) struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, size: Size) -> Result<(), ProblemKind> {
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.bytes = self.bytes.saturating_add(size.bytes);
        if self.nodes > MAX_NODES {
            Err(ProblemKind::TooManyNodes)
        } else if self.bytes > MAX_TEXT_BYTES {
            Err(ProblemKind::TooMuchText)
        } else {
            Ok(())
        }
    }
}

/// How large a subtree is.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    bytes: usize,
    levels: usize,
}

impl Size {
    fn of(node: &Node) -> Self {
        let mut size = Self { nodes: 1, bytes: 0, levels: 0 };
        match &node.kind {
            Kind::Scalar(text, _) => size.bytes = text.len(),
            Kind::Sequence(items) => items.iter().for_each(|item| size.add_child(item)),
            Kind::Mapping(pairs) => {
                for (key, value) in pairs {
                    size.add_child(key);
                    size.add_child(value);
                }
            }
        }
        size
    }

    fn add_child(&mut self, node: &Node) {
        let child = Self::of(node);
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.levels = self.levels.max(child.levels + 1);
    }
}

/// A collection that is not yet closed.
struct Open {
    node: Node,
    anchor: usize,
    /// The key of a mapping whose value is awaited.
    key: Option<Node>,
}

/// Builds the documents of one parser.
pub(super) struct Builder<'b> {
    budget: &'b mut Budget,
    open: Vec<Open>,
    /// What each anchor stands for. Copies count towards the budget like everything else.
    anchors: HashMap<usize, Node>,
    /// The lines of keys that stood in their mapping before, each with the line of the first.
    pub(super) duplicates: Vec<(u32, u32)>,
}

impl<'b> Builder<'b> {
    pub(super) fn new(budget: &'b mut Budget) -> Self {
        Self { budget, open: Vec::new(), anchors: HashMap::new(), duplicates: Vec::new() }
    }

    /// Takes an event; gives back the document that it completes.
    pub(super) fn take(&mut self, event: Event<'_>, line: u32, column: u32) -> Result<Option<Node>, ProblemKind> {
        let node = |kind| Node { line, column, kind };
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::SequenceStart(anchor, _) => self.open(node(Kind::Sequence(Vec::new())), anchor)?,
            Event::MappingStart(anchor, _) => self.open(node(Kind::Mapping(Vec::new())), anchor)?,
            Event::Scalar(text, style, anchor, _) => {
                let text = Zeroizing::new(text.into_owned());
                self.budget.spend(Size { nodes: 1, bytes: text.len(), levels: 0 })?;
                return self.complete(node(Kind::Scalar(text, style.into())), anchor);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { mut node, anchor, .. }) = self.open.pop() {
                    if let Kind::Mapping(pairs) = &mut node.kind {
                        *pairs = merge(self.last_of_each_key(std::mem::take(pairs)));
                    }
                    return self.complete(node, anchor);
                }
            }
            Event::Alias(anchor) => {
                // The parser knows the anchor from its start on; here it is known from its end on.
                let target = self.anchors.get(&anchor).ok_or(ProblemKind::CyclicAlias)?;
                let size = Size::of(target);
                self.budget.spend(size)?;
                if self.open.len() + size.levels > MAX_DEPTH {
                    return Err(ProblemKind::TooDeep);
                }
                let node = target.clone();
                return self.complete(node, 0);
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(None)
    }

    fn open(&mut self, node: Node, anchor: usize) -> Result<(), ProblemKind> {
        self.budget.spend(Size { nodes: 1, bytes: 0, levels: 0 })?;
        self.open.push(Open { node, anchor, key: None });
        if self.open.len() > MAX_DEPTH { Err(ProblemKind::TooDeep) } else { Ok(()) }
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, ProblemKind> {
        if anchor > 0 {
            self.budget.spend(Size::of(&node))?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            return Ok(Some(node));
        };
        match &mut parent.node.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(pairs) => match parent.key.take() {
                None => parent.key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
            Kind::Scalar(..) => {}
        }
        Ok(None)
    }

    /// Of several pairs with one key the last. `<<` is commonly repeated, and each one is merged.
    fn last_of_each_key(&mut self, pairs: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
        let mut last: HashMap<&str, usize> = HashMap::with_capacity(pairs.len());
        let mut passed_over = HashSet::new();
        for (at, (key, _)) in pairs.iter().enumerate() {
            let Some(name) = key.str().filter(|_| !is_merge_key(key)) else { continue };
            match last.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(at);
                }
                Entry::Occupied(mut entry) => {
                    let before = entry.insert(at);
                    passed_over.insert(before);
                    self.duplicates.push((key.line, pairs[before].0.line));
                }
            }
        }
        if passed_over.is_empty() {
            return pairs;
        }
        pairs.into_iter().enumerate().filter(|(at, _)| !passed_over.contains(at)).map(|(_, pair)| pair).collect()
    }
}

fn is_merge_key(key: &Node) -> bool {
    matches!(&key.kind, Kind::Scalar(text, Style::Plain) if text.as_str() == "<<")
}

/// Resolves merge keys (<https://yaml.org/type/merge.html>): the mapping's own keys win, then the earlier mapping.
fn merge(pairs: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if !pairs.iter().any(|(key, _)| is_merge_key(key)) {
        return pairs;
    }
    let (merged, mut own): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, value)| {
        let is_mapping = |node: &Node| matches!(node.kind, Kind::Mapping(_));
        is_merge_key(key) && (is_mapping(value) || value.items().is_some_and(|items| items.iter().all(is_mapping)))
    });
    let mut known: HashSet<String> = own.iter().filter_map(|(key, _)| key.str().map(str::to_owned)).collect();
    let sources = merged.into_iter().flat_map(|(_, value)| match value.kind {
        Kind::Sequence(items) => items,
        _ => vec![value],
    });
    for source in sources {
        let Kind::Mapping(pairs) = source.kind else { continue };
        for (key, value) in pairs {
            if key.str().is_none_or(|name| known.insert(name.to_owned())) {
                own.push((key, value));
            }
        }
    }
    own
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Self {
        match style {
            ScalarStyle::Plain => Self::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Self::Quoted,
            ScalarStyle::Literal => Self::Literal,
            ScalarStyle::Folded => Self::Folded,
        }
    }
}
