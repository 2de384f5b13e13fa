//! The `@env-spec` dialect, which varlock reads: `KEY=value` under comments with decorators.
//!
//! Syntax: <https://varlock.dev/env-spec/reference/>. Meaning: <https://varlock.dev/reference/root-decorators/> and
//! <https://varlock.dev/reference/item-decorators/>. As in varlock, every item is sensitive and required unless
//! something says otherwise: a decorator of the item (`@sensitive`, `@public`, `@required`, `@optional`; the first one
//! counts), then `@defaultSensitive` (`true`, `false`, `inferFromPrefix(PREFIX)`) and `@defaultRequired` (`true`, `false`,
//! `infer`: an item with a value is required) in the header. `@proxy(…)` makes an item sensitive whatever else it has,
//! and so do the resolvers `varlock()` and `keychain()` unless the item itself says that it is not.
//!
//! A decorator with a function for a value (`@required=forEnv(prod)`) depends on the environment: such an item may be
//! sensitive, so it is read as sensitive, and whether it is required stays open.
//!
//! Keytrail adds `@owner=platform`, `@cadence="90 days"` and `@derivedFrom=DB_PASSWORD` (or a list). Decorators that are
//! not known are passed over, since varlock's plugins bring their own.

use keytrail_rules::cadence::Cadence;
use keytrail_rules::model::{Class, Declaration, GapReason, Key, Origin};
use keytrail_rules::value::{Shape, Value};

use super::syntax::{self, Argument, Decorator, Fault, ItemValue, Syntax};
use crate::source::{FileGaps, Reader, SourceFile};

/// The decorators that mean something here.
const KNOWN: &[&str] = &[
    "defaultSensitive",
    "defaultRequired",
    "sensitive",
    "public",
    "required",
    "optional",
    "proxy",
    "owner",
    "cadence",
    "derivedFrom",
];

/// What the header says of every item.
struct Defaults {
    sensitive: Sensitive,
    required: Required,
}

/// `@defaultSensitive`.
enum Sensitive {
    Always(bool),
    /// `inferFromPrefix(PREFIX)`: sensitive without the prefix.
    UnlessPrefix(String),
}

/// `@defaultRequired`.
#[derive(Clone, Copy)]
enum Required {
    Always(bool),
    /// `infer`: required with a value.
    WithValue,
}

/// Reads a schema of decorated items.
pub(super) fn read(file: &SourceFile, reader: &Reader<'_>, gaps: &mut FileGaps<'_>) -> Vec<Declaration> {
    let mut declarations = Vec::new();
    let mut defaults = Defaults { sensitive: Sensitive::Always(true), required: Required::Always(true) };
    // The decorators of the comments that the next item directly follows.
    let mut decorators: Vec<Decorator<'_>> = Vec::new();
    let mut in_header = true;
    for part in syntax::parse(file.text(), KNOWN) {
        let line = file.line_of(part.start);
        match part.syntax {
            Syntax::Decorators(found) => decorators.extend(found),
            Syntax::Comment => {}
            Syntax::Break => {
                if in_header {
                    header(&decorators, &mut defaults, file, gaps);
                }
                decorators.clear();
            }
            Syntax::Broken(fault) => {
                let (message, hint) = explain(fault);
                gaps.push(line, GapReason::Malformed, message, hint);
                if fault == Fault::NoItem {
                    // What stands above a line is said of that line, and not of the next.
                    decorators.clear();
                }
            }
            Syntax::Item { key, value, decorators: after } => {
                if in_header {
                    header(&decorators, &mut defaults, file, gaps);
                    in_header = false;
                }
                if gaps.full(declarations.len(), line) {
                    break;
                }
                decorators.extend(after);
                let mut declaration = Declaration::new(key, Origin::Schema, Some(file.at(line)));
                declaration.default = match &value {
                    ItemValue::Missing | ItemValue::Broken => None,
                    ItemValue::Call(_) => Some(Value::of_shape(Shape::Reference)),
                    ItemValue::Text(text) => Some(reader.observe(text.expose())),
                };
                decorate(&mut declaration, &decorators, &defaults, &value, file, gaps);
                declarations.push(declaration);
                decorators.clear();
            }
        }
    }
    declarations
}

/// Takes the defaults from the decorators of a header.
fn header(decorators: &[Decorator<'_>], defaults: &mut Defaults, file: &SourceFile, gaps: &mut FileGaps<'_>) {
    for decorator in decorators {
        match (decorator.name, &decorator.argument) {
            ("defaultSensitive", Argument::Call { name: "inferFromPrefix", inner }) => {
                defaults.sensitive = Sensitive::UnlessPrefix(syntax::words(inner).next().unwrap_or_default());
            }
            ("defaultSensitive", argument) => match truth(argument) {
                Truth::Known(sensitive) => defaults.sensitive = Sensitive::Always(sensitive),
                Truth::Open => defaults.sensitive = Sensitive::Always(true),
                Truth::Unsaid => {}
                Truth::Broken => neither(decorator, "true, false and inferFromPrefix(…)", file, gaps),
            },
            ("defaultRequired", Argument::Text(text)) if text == "infer" => defaults.required = Required::WithValue,
            ("defaultRequired", argument) => match truth(argument) {
                Truth::Known(required) => defaults.required = Required::Always(required),
                Truth::Open | Truth::Unsaid => {}
                Truth::Broken => neither(decorator, "true, false and infer", file, gaps),
            },
            _ => {}
        }
    }
}

/// Fills in what the decorators of an item say.
fn decorate(
    declaration: &mut Declaration,
    decorators: &[Decorator<'_>],
    defaults: &Defaults,
    value: &ItemValue<'_>,
    file: &SourceFile,
    gaps: &mut FileGaps<'_>,
) {
    let (mut sensitive, mut required, mut proxied) = (Truth::Unsaid, Truth::Unsaid, false);
    for decorator in decorators {
        let argument = &decorator.argument;
        match decorator.name {
            "sensitive" | "public" if sensitive == Truth::Unsaid => {
                sensitive = truth(argument).flip(decorator.name == "public");
                if sensitive == Truth::Broken {
                    neither(decorator, "true and false", file, gaps);
                }
            }
            "required" | "optional" if required == Truth::Unsaid => {
                required = truth(argument).flip(decorator.name == "optional");
                if required == Truth::Broken {
                    neither(decorator, "true and false", file, gaps);
                }
            }
            "proxy" => proxied = true,
            "owner" => declaration.owner = argument.text().map(str::to_owned),
            "cadence" => declaration.cadence = argument.text().map(Cadence::state),
            "derivedFrom" => declaration.derived_from = argument.words().map(|name| Key::new(&name)).collect(),
            _ => {}
        }
    }
    let sensitive = proxied
        || match sensitive {
            Truth::Known(sensitive) => sensitive,
            Truth::Open => true,
            Truth::Unsaid | Truth::Broken => {
                matches!(value, ItemValue::Call("varlock" | "keychain")) || defaults.sensitive.of(&declaration.label)
            }
        };
    declaration.class = Some(match (sensitive, &declaration.cadence) {
        (false, _) => Class::Plain,
        (true, None) => Class::Secret,
        (true, Some(_)) => Class::RotationRequired,
    });
    declaration.required = match required {
        Truth::Known(required) => Some(required),
        Truth::Open => None,
        Truth::Unsaid | Truth::Broken => Some(match defaults.required {
            Required::Always(required) => required,
            Required::WithValue => match value {
                ItemValue::Missing => false,
                ItemValue::Call(_) | ItemValue::Broken => true,
                ItemValue::Text(text) => !text.expose().is_empty(),
            },
        }),
    };
}

impl Sensitive {
    fn of(&self, key: &str) -> bool {
        match self {
            Self::Always(sensitive) => *sensitive,
            Self::UnlessPrefix(prefix) => !key.starts_with(prefix.as_str()),
        }
    }
}

/// What a decorator that takes a boolean says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Truth {
    /// Nothing: there is no such decorator, or it is `undefined`.
    Unsaid,
    Known(bool),
    /// A function of the environment.
    Open,
    /// No boolean.
    Broken,
}

impl Truth {
    fn flip(self, flip: bool) -> Self {
        match self {
            Self::Known(value) => Self::Known(value != flip),
            other => other,
        }
    }
}

fn truth(argument: &Argument<'_>) -> Truth {
    match argument {
        Argument::None => Truth::Known(true),
        Argument::Text(text) => match text.as_ref() {
            "true" => Truth::Known(true),
            "false" => Truth::Known(false),
            "undefined" => Truth::Unsaid,
            // `$OTHER` is a reference to another item.
            text if text.starts_with('$') => Truth::Open,
            _ => Truth::Broken,
        },
        Argument::Call { .. } => Truth::Open,
        // `@sensitive={enabled=false, preventLeaks=false}`
        Argument::Literal(inner) => {
            match syntax::words(inner).find_map(|word| word.strip_prefix("enabled=").map(str::to_owned)).as_deref() {
                None | Some("true") => Truth::Known(true),
                Some("false") => Truth::Known(false),
                Some(_) => Truth::Open,
            }
        }
    }
}

fn neither(decorator: &Decorator<'_>, known: &str, file: &SourceFile, gaps: &mut FileGaps<'_>) {
    let message = format!("the value of @{} is not understood", decorator.name);
    gaps.push(file.line_of(decorator.start), GapReason::Malformed, message, format!("known are {known}"));
}

/// What is lost with a broken line, and how to mend it. The line may hold a value, so it is not quoted.
fn explain(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::NoItem => ("the line is neither KEY=value nor a comment", "write KEY=value, or put # before a comment"),
        Fault::OpenQuote => ("a quote is never closed", "close the quote, or escape it"),
        Fault::OpenBracket => {
            ("a bracket is never closed", "close it; inside a comment, start every further line with #")
        }
        Fault::TextAfterValue => ("text follows the value", "quote the whole value, or put # before a comment"),
    }
}
