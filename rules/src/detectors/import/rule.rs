//! One rule.

use std::borrow::Cow;

use regex_syntax::hir::{Class, Hir, HirKind};
use toml::{Table, Value};

use super::super::about::{About, Literal};
use super::super::analyse;
use super::super::family::assemble;
use super::super::spec::{Also, Filter, MARGIN, Matcher, Spec};
use super::super::{Severity, compiled};
use super::{Allow, Notes, allow, expression, strings};

/// How far from a match a keyword may be that is not a part of it, in bytes.
const KEYWORD_WITHIN: usize = 2048;

/// Reads a rule; `None`, with a note, where nothing of it can be used.
pub(super) fn read(id: &str, rule: &Table, global: &[Allow], notes: &mut Notes<'_>) -> Option<Spec> {
    note_unknown(rule, notes);
    if rule.get("skipReport").and_then(Value::as_bool).unwrap_or(false) {
        notes.add("skipReport", "the rule only serves others and is left out");
        return None;
    }
    let Some(go) = rule.get("regex").and_then(Value::as_str) else {
        notes.add("regex", "there is none: files are not reported for their names, and the rule is left out");
        return None;
    };
    let regex = notes.regex("regex", go)?;
    let hir = analyse::parse(&regex).ok()?;
    let keywords: Vec<String> = strings(rule, "keywords").iter().map(|word| word.to_ascii_lowercase()).collect();
    let (literals, also) = literals(&hir, &keywords, notes);
    let mut analysis = analyse::analyse(&hir, &literals);
    if let Some(group) = group(rule, notes, &regex) {
        (analysis.group, analysis.flush, analysis.prefix) = (group, false, String::new());
    }
    let lead = if literals.is_empty() { None } else { Some(analysis.lead.unwrap_or(MARGIN)) };
    let matcher = Matcher::Token { regex: Cow::Owned(regex), group: analysis.group, lead, flush: analysis.flush };
    let filter = filter(id, rule, global, also, notes);
    let about = About {
        id: Cow::Owned(id.to_owned()),
        name: Cow::Owned(rule.get("description").and_then(Value::as_str).unwrap_or(id).to_owned()),
        provider: Cow::Borrowed("imported"),
        docs: None,
        severity: Severity::High,
        public: false,
        remedy: Cow::Borrowed("Revoke it where it was issued, make a new one, put it in the store."),
    };
    match assemble(about, matcher, literals, &analysis, filter) {
        // The generic rules of these files stand beside the built-in ones, not above them.
        Ok(spec) => Some(Spec { specificity: if lead == Some(0) { 75 } else { 45 }, ..spec }),
        Err(reason) => {
            notes.add("regex", reason);
            None
        }
    }
}

fn note_unknown(rule: &Table, notes: &mut Notes<'_>) {
    for key in rule.keys() {
        match key.as_str() {
            "id" | "description" | "regex" | "path" | "secretGroup" | "entropy" | "keywords" | "allowlist"
            | "allowlists" | "skipReport" | "filter" | "prefilter" | "valueGroup" => {}
            // What a rule says of itself.
            "tags" | "confidence" | "specificity" => {}
            "required" | "requires" | "components" => {
                notes.add(key, "a secret is reported without its other parts near");
            }
            "validate" | "analyze" | "revoke" => notes.add(key, "nothing is sent to the provider"),
            _ => notes.add(key, "is not known"),
        }
    }
}

/// The capture group that the rule names.
fn group(rule: &Table, notes: &mut Notes<'_>, regex: &str) -> Option<usize> {
    let number = |key: &str| rule.get(key).and_then(Value::as_integer).filter(|group| *group > 0);
    let given = number("secretGroup").or_else(|| number("valueGroup"))?;
    let groups = compiled::compile(regex).map_or(0, |regex| regex.group_info().group_len(Default::default()));
    let group = usize::try_from(given).ok().filter(|group| *group < groups);
    if group.is_none() {
        notes.add("secretGroup", format!("there is no group {given}; the first is taken"));
    }
    group
}

/// The literals by which the rule is found, and what must be near besides.
///
/// A keyword need not be a part of the match: it may stand anywhere in the file.
fn literals(hir: &Hir, keywords: &[String], notes: &mut Notes<'_>) -> (Vec<Literal>, Option<Also>) {
    let usable = |words: &[String]| !words.is_empty() && words.iter().all(|word| word.len() >= 4 && word.is_ascii());
    if usable(keywords) && contains_any(hir, keywords) {
        return (keywords.iter().map(|word| Literal::new(word.clone(), true)).collect(), None);
    }
    // A keyword that is a part of every match says nothing more, however short.
    let also = (!keywords.is_empty() && !contains_any(hir, keywords)).then(|| {
        notes.add("keywords", format!("one must be within {KEYWORD_WITHIN} bytes of the match, not only in the file"));
        Also { within: KEYWORD_WITHIN, literals: keywords.iter().cloned().map(Cow::Owned).collect() }
    });
    let own = analyse::starts(hir);
    if usable(&own) {
        return (own.into_iter().map(|text| Literal::new(text, false)).collect(), also);
    }
    notes.add("keywords", "none has four letters and is a part of every match: the rule is tried everywhere, slowly");
    (Vec::new(), also)
}

/// Whether every match contains one of the lower-case words, in some case.
fn contains_any(hir: &Hir, words: &[String]) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => contains_any(&capture.sub, words),
        HirKind::Repetition(repetition) => repetition.min > 0 && contains_any(&repetition.sub, words),
        HirKind::Alternation(ways) => ways.iter().all(|way| contains_any(way, words)),
        HirKind::Concat(parts) => {
            parts.iter().any(|part| contains_any(part, words)) || run_contains(&fixed(parts), words)
        }
        _ => run_contains(&fixed(std::slice::from_ref(hir)), words),
    }
}

/// Each byte that the parts of an expression fix, in lower case; 0 where they do not.
fn fixed(parts: &[Hir]) -> Vec<u8> {
    let mut run = Vec::new();
    for part in parts {
        match part.kind() {
            HirKind::Literal(literal) => run.extend(literal.0.to_ascii_lowercase()),
            HirKind::Class(Class::Bytes(class)) => {
                let mut letters = class.ranges().iter().map(|range| (range.start(), range.end()));
                run.push(match (letters.next(), letters.next(), letters.next()) {
                    // A letter in both cases.
                    (Some((upper, a)), Some((lower, b)), None)
                        if upper == a && lower == b && upper.to_ascii_lowercase() == lower =>
                    {
                        lower
                    }
                    _ => 0,
                });
            }
            HirKind::Capture(capture) => run.extend(fixed(std::slice::from_ref(&*capture.sub))),
            HirKind::Concat(parts) => run.extend(fixed(parts)),
            HirKind::Empty | HirKind::Look(_) => {}
            _ => run.push(0),
        }
    }
    run
}

fn run_contains(run: &[u8], words: &[String]) -> bool {
    words.iter().any(|word| !word.is_empty() && run.windows(word.len()).any(|window| window == word.as_bytes()))
}

fn filter(id: &str, rule: &Table, global: &[Allow], also: Option<Also>, notes: &mut Notes<'_>) -> Filter {
    let mut lists = allow::read_all(rule, notes);
    let mut entropy = match rule.get("entropy") {
        Some(Value::Float(least)) => *least,
        Some(Value::Integer(least)) => *least as f64,
        _ => 0.0,
    };
    for key in ["filter", "prefilter"] {
        if let Some(text) = rule.get(key).and_then(Value::as_str) {
            entropy = expression::entropy(text).unwrap_or(entropy);
            lists.push(expression::read(text, key, notes));
        }
    }
    let (mut deny, mut stopwords, mut not_in, mut words) = (Vec::new(), Vec::new(), Vec::new(), false);
    for allow in lists.iter().chain(global).filter(|allow| allow.is_for(id)) {
        words |= allow.words;
        deny.extend(allow.deny.iter().cloned());
        stopwords.extend(allow.stopwords.iter().cloned());
        not_in.extend(allow.paths.iter().cloned());
    }
    let only_in = rule.get("path").and_then(Value::as_str).and_then(|path| notes.regex("path", path));
    Filter {
        boundary: false,
        entropy: entropy.clamp(0.0, 8.0),
        checksum: None,
        words,
        deny: Cow::Owned(deny),
        stopwords: Cow::Owned(stopwords),
        also,
        only_in: only_in.map(Cow::Owned),
        not_in: Cow::Owned(not_in),
    }
}
