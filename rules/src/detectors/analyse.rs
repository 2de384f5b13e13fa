//! What can be known of a regular expression without running it: how long its matches are, where its literals stand.
//! Shared with the build script.

use regex_syntax::hir::literal::{Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

use super::about::Literal;

/// What is known of a regular expression.
#[derive(Debug)]
pub(crate) struct Analysis {
    /// The longest match in bytes; `None` where there is no bound.
    pub longest: Option<usize>,
    /// The shortest match in bytes.
    pub shortest: usize,
    /// How many bytes of a match may stand before the literal; `None` where that has no bound.
    pub lead: Option<usize>,
    /// The capture group that is the secret; 0 is the whole match.
    pub group: usize,
    /// Whether the secret begins where the match does.
    pub flush: bool,
    /// What every secret begins with.
    pub prefix: String,
}

/// Parses a regular expression of bytes, as the `regex` crate does with Unicode off.
///
/// # Errors
/// What is wrong with it, in one line.
pub(crate) fn parse(regex: &str) -> Result<Hir, String> {
    let parsed = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(100).build().parse(regex);
    parsed.map_err(|error| {
        let text = error.to_string();
        text.lines().next_back().unwrap_or(&text).trim_start_matches("error: ").to_owned()
    })
}

/// What is known of a regular expression whose matches contain one of the literals.
pub(crate) fn analyse(hir: &Hir, literals: &[Literal]) -> Analysis {
    let properties = hir.properties();
    let longest = properties.maximum_len();
    let least = literals.iter().map(|literal| literal.text.len()).min().unwrap_or(0);
    let (group, secret) = secret_group(hir);
    Analysis {
        longest,
        shortest: properties.minimum_len().unwrap_or(0),
        lead: lead(hir, literals).or_else(|| longest.map(|longest| longest.saturating_sub(least))),
        group,
        flush: group == 0 || begins_with_group(hir, group),
        prefix: common_prefix(secret),
    }
}

/// The group named `secret`, or the first, or the whole.
fn secret_group(hir: &Hir) -> (usize, &Hir) {
    fn find<'h>(hir: &'h Hir, wanted: &dyn Fn(u32, Option<&str>) -> bool) -> Option<(usize, &'h Hir)> {
        match hir.kind() {
            HirKind::Capture(capture) if wanted(capture.index, capture.name.as_deref()) => {
                Some((capture.index as usize, &capture.sub))
            }
            kind => kind.subs().iter().find_map(|sub| find(sub, wanted)),
        }
    }
    find(hir, &|_, name| name == Some("secret")).or_else(|| find(hir, &|index, _| index == 1)).unwrap_or((0, hir))
}

fn begins_with_group(hir: &Hir, group: usize) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => capture.index as usize == group || begins_with_group(&capture.sub, group),
        HirKind::Concat(parts) => {
            let first = parts.iter().find(|part| !matches!(part.kind(), HirKind::Look(_)));
            first.is_some_and(|first| begins_with_group(first, group))
        }
        _ => false,
    }
}

/// How many bytes stand at most before the literal, where the parts of the expression show it: those before the part
/// that begins with one of the literals.
fn lead(hir: &Hir, literals: &[Literal]) -> Option<usize> {
    if starts_with_literal(hir, literals) {
        return Some(0);
    }
    let parts = match hir.kind() {
        HirKind::Capture(capture) => return lead(&capture.sub, literals),
        HirKind::Concat(parts) => parts,
        _ => return None,
    };
    let mut before = 0_usize;
    for (index, part) in parts.iter().enumerate() {
        if starts_with_literal(&Hir::concat(parts[index..].to_vec()), literals) {
            return Some(before);
        }
        if let HirKind::Capture(capture) = part.kind()
            && let Some(inner) = lead(&capture.sub, literals)
        {
            return before.checked_add(inner);
        }
        before = before.checked_add(part.properties().maximum_len()?)?;
    }
    None
}

/// Whether every match begins with one of the literals, so far as the first bytes show it.
fn starts_with_literal(hir: &Hir, literals: &[Literal]) -> bool {
    /// Less than this of a literal proves nothing.
    const ENOUGH: usize = 4;
    let sequence = prefixes(hir);
    let Some(starts) = sequence.literals() else {
        return false;
    };
    !starts.is_empty()
        && starts.iter().map(regex_syntax::hir::literal::Literal::as_bytes).all(|start| {
            literals.iter().any(|literal| {
                let literal_bytes = literal.text.as_bytes();
                let shared = start.len().min(literal_bytes.len());
                let same = |(a, b): (&u8, &u8)| if literal.any_case { a.eq_ignore_ascii_case(b) } else { a == b };
                shared >= ENOUGH && start[..shared].iter().zip(&literal_bytes[..shared]).all(same)
            })
        })
}

fn prefixes(hir: &Hir) -> Seq {
    let mut extractor = Extractor::new();
    extractor.limit_class(12).limit_total(1000);
    extractor.extract(hir)
}

/// Texts with one of which every match begins; none where they are too many or not known.
pub(crate) fn starts(hir: &Hir) -> Vec<String> {
    const MOST: usize = 200;
    let mut extractor = Extractor::new();
    extractor.limit_class(40).limit_total(MOST).limit_literal_len(8);
    let sequence = extractor.extract(hir);
    let starts = sequence.literals().filter(|starts| starts.len() <= MOST).unwrap_or_default();
    let texts = starts.iter().map(|start| String::from_utf8(start.as_bytes().to_vec()).ok());
    texts.collect::<Option<_>>().unwrap_or_default()
}

/// The text that every match begins with.
fn common_prefix(hir: &Hir) -> String {
    let sequence = prefixes(hir);
    let prefix = sequence.longest_common_prefix().unwrap_or_default();
    // A match that is wholly literal would be shown whole.
    if prefix.len() >= hir.properties().maximum_len().unwrap_or(usize::MAX) {
        return String::new();
    }
    String::from_utf8(prefix.to_vec()).unwrap_or_default()
}
