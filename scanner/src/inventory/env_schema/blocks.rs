//! The block dialect: a block of `field: value` lines for each variable, with blank lines between the blocks.
//!
//! `#` starts a comment at the start of a line and, except in a description, after white space in a value.

use keytrail_rules::cadence::Cadence;
use keytrail_rules::model::{Class, Declaration, GapReason, Key, Origin, Secret, Target};

use crate::dotenv::{Quote, bare_len, closing_quote, unquote};
use crate::source::{FileGaps, Reader, SourceFile};

/// What a line of a block says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Key,
    Description,
    Required,
    Default,
    Targets,
    Classification,
    Owner,
    Cadence,
    DerivedFrom,
}

/// The names of the fields.
const FIELDS: &[(&str, Field)] = &[
    ("key", Field::Key),
    ("description", Field::Description),
    ("required", Field::Required),
    ("default", Field::Default),
    ("targets", Field::Targets),
    ("classification", Field::Classification),
    ("owner", Field::Owner),
    ("cadence", Field::Cadence),
    ("rotation", Field::Cadence),
    ("derived_from", Field::DerivedFrom),
];

const TARGETS: [Target; 3] = [Target::Local, Target::Kubernetes, Target::Cloud];

/// The lines of one block, before they are understood.
#[derive(Default)]
struct Block<'a> {
    /// The first line of it.
    start: u32,
    fields: Vec<(Field, u32, &'a str)>,
}

impl<'a> Block<'a> {
    fn get(&self, field: Field) -> Option<(u32, &'a str)> {
        self.fields.iter().find(|(found, ..)| *found == field).map(|(_, line, value)| (*line, *value))
    }
}

/// Reads a schema of blocks.
pub(super) fn read(file: &SourceFile, reader: &Reader<'_>, gaps: &mut FileGaps<'_>) -> Vec<Declaration> {
    let mut declarations = Vec::new();
    let mut block = Block::default();
    for (number, line) in file.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            declarations.extend(declaration(&std::mem::take(&mut block), file, reader, gaps));
            if gaps.full(declarations.len(), number) {
                return declarations;
            }
            continue;
        }
        let Some((field, value)) = field(line, number, &block, gaps) else {
            continue;
        };
        if block.get(field).is_some() {
            gaps.push(
                number,
                GapReason::Malformed,
                "the block has this field already",
                "keep one of the two, or put a blank line between two blocks",
            );
            if field != Field::Key {
                continue;
            }
            declarations.extend(declaration(&std::mem::take(&mut block), file, reader, gaps));
        }
        if block.fields.is_empty() {
            block.start = number;
        }
        block.fields.push((field, number, value));
    }
    declarations.extend(declaration(&block, file, reader, gaps));
    declarations
}

/// The field and value of a line. A line without a field goes on with the description before it, or is a gap.
fn field<'a>(line: &'a str, number: u32, block: &Block<'_>, gaps: &mut FileGaps<'_>) -> Option<(Field, &'a str)> {
    let Some((name, value)) = line.split_once(':') else {
        if block.fields.last().is_none_or(|(field, ..)| *field != Field::Description) {
            gaps.push(number, GapReason::Malformed, "the line is no `field: value`", "put # before a comment");
        }
        return None;
    };
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
        gaps.push(number, GapReason::Unsupported, "the field has an unknown name", suggestion(&name, &known));
        return None;
    };
    let value = value.trim();
    match field {
        Field::Description => Some((*field, value)),
        // `#team` may be an owner: a channel.
        _ => Some((*field, &value[..value_len(value, *field != Field::Owner)])),
    }
}

/// The length of a value without the comment after it, or in its place. A `#` in quotes starts none.
fn value_len(value: &str, may_be_comment: bool) -> usize {
    let quoted = Quote::opening(value).and_then(|quote| closing_quote(value, 1, quote));
    let from = quoted.map_or(0, |close| close + 1);
    from + bare_len(&value[from..], may_be_comment)
}

/// What a block says; `None` without a key.
fn declaration(
    block: &Block<'_>,
    file: &SourceFile,
    reader: &Reader<'_>,
    gaps: &mut FileGaps<'_>,
) -> Option<Declaration> {
    let key = block.get(Field::Key);
    let Some((line, label)) = key.filter(|(_, label)| !label.is_empty()) else {
        match key {
            Some((line, _)) => {
                gaps.push(line, GapReason::Malformed, "the key has no name", "write the variable after `key:`");
            }
            None if block.fields.is_empty() => {}
            None => gaps.push(
                block.start,
                GapReason::Malformed,
                "the block has no `key:`, so it declares nothing",
                "add the variable's `key:`, or remove the blank line that cuts the block off",
            ),
        }
        return None;
    };
    let text = |field| block.get(field).map(|(_, value)| value).filter(|value| !value.is_empty());
    let mut declaration = Declaration::new(label, Origin::Schema, Some(file.at(line)));
    declaration.owner = text(Field::Owner).map(str::to_owned);
    declaration.cadence = text(Field::Cadence).map(Cadence::state);
    declaration.default = block.get(Field::Default).map(|(_, value)| reader.observe(without_quotes(value).expose()));
    declaration.derived_from = list(text(Field::DerivedFrom).unwrap_or_default()).map(Key::new).collect();
    if let Some((line, value)) = block.get(Field::Required) {
        declaration.required = boolean(value);
        if declaration.required.is_none() {
            gaps.push(line, GapReason::Malformed, "`required` is neither true nor false", "write true or false");
        }
    }
    if let Some((line, value)) = block.get(Field::Classification) {
        declaration.class = Class::parse(value);
        if declaration.class.is_none() {
            let known = [Class::Plain, Class::Secret, Class::RotationRequired].map(Class::as_str);
            gaps.push(line, GapReason::Unsupported, "the classification is unknown", suggestion(value, &known));
        }
    }
    if let Some((line, value)) = block.get(Field::Targets) {
        declaration.targets =
            TARGETS.into_iter().filter(|target| list(value).any(|name| Target::parse(name) == Some(*target))).collect();
        for unknown in list(value).filter(|name| Target::parse(name).is_none()).take(TARGETS.len()) {
            let known = TARGETS.map(Target::as_str);
            gaps.push(line, GapReason::Unsupported, "a target is unknown", suggestion(unknown, &known));
        }
    }
    Some(declaration)
}

fn without_quotes(value: &str) -> Secret {
    match Quote::opening(value) {
        Some(quote) if closing_quote(value, 1, quote) == Some(value.len() - 1) => {
            unquote(&value[1..value.len() - 1], quote)
        }
        _ => value.into(),
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    }
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// `did you mean X?` where a known name is near, or else all of them.
fn suggestion(name: &str, known: &[&str]) -> String {
    /// No known name is near a longer one, and the distance takes the product of both lengths.
    const MAX_NAME: usize = 40;
    let name = name.to_lowercase();
    let near = known
        .iter()
        .filter(|_| name.len() <= MAX_NAME)
        .map(|known| (strsim::osa_distance(&name, known), known))
        .min()
        .filter(|(distance, known)| distance * 3 <= known.len());
    match near {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None => format!("known are {}", known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")),
    }
}
