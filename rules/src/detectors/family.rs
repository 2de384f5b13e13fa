//! Reads the TOML of detectors: a file of a provider's family, or a user's own. Shared with the build script.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::Severity;
use super::about::{About, Literal};
use super::analyse::{self, Analysis};
use super::checksum::Checksum;
use super::names;
use super::spec::{Also, Deny, Filter, LONGEST, MARGIN, Matcher, Spec, Target};

/// Detectors of one provider.
#[derive(Debug)]
pub struct Family {
    /// Whose secrets they find, as the vendor writes it.
    pub provider: String,
    /// The detectors, in the order of the file.
    pub detectors: Vec<Detector>,
}

/// A detector with the examples that show it.
#[derive(Debug)]
pub struct Detector {
    /// The detector.
    pub spec: Spec,
    /// Templates of what it finds; see [`template`](super::template).
    pub positive: Vec<String>,
    /// Templates of what it must not find.
    pub negative: Vec<String>,
}

/// Why a file of detectors cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DetectorError {
    /// The line of the file, from 1.
    pub line: usize,
    /// The detector, where it is known.
    pub detector: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for DetectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(detector) = &self.detector {
            write!(f, "{detector}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for DetectorError {}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyToml {
    provider: String,
    docs: Option<String>,
    #[serde(default)]
    detector: Vec<Spanned<DetectorToml>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetectorToml {
    id: Spanned<String>,
    name: String,
    docs: Option<String>,
    regex: Option<Spanned<String>>,
    literals: Option<Vec<Spanned<String>>>,
    names: Option<Vec<Spanned<String>>>,
    value: Option<Spanned<String>>,
    boundary: Option<bool>,
    entropy: Option<Spanned<f64>>,
    checksum: Option<Spanned<String>>,
    words: Option<bool>,
    #[serde(default)]
    deny: Vec<Spanned<String>>,
    also: Option<AlsoToml>,
    severity: Option<Spanned<String>>,
    public: Option<bool>,
    remedy: String,
    #[serde(default)]
    positive: Vec<String>,
    #[serde(default)]
    negative: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlsoToml {
    within: usize,
    literals: Vec<Spanned<String>>,
}

/// What is wrong, and where in the file.
type Mistake = (Range<usize>, String);

impl Family {
    /// Reads a file of detectors.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(toml: &str) -> Result<Self, DetectorError> {
        let at =
            |span: Range<usize>| 1 + toml.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count();
        let family: FamilyToml = toml::from_str(toml).map_err(|error| DetectorError {
            line: error.span().map_or(1, at),
            detector: None,
            reason: error.message().to_owned(),
        })?;
        let mut detectors: Vec<Detector> = Vec::with_capacity(family.detector.len());
        for raw in family.detector {
            let raw = raw.into_inner();
            let (id, span) = (raw.id.get_ref().clone(), raw.id.span());
            let mistake = |(span, reason)| DetectorError { line: at(span), detector: Some(id.clone()), reason };
            if detectors.iter().any(|other| other.spec.about.id == id) {
                return Err(mistake((span, "the id is there twice".to_owned())));
            }
            detectors.push(detector(raw, &family.provider, family.docs.as_ref()).map_err(mistake)?);
        }
        Ok(Self { provider: family.provider, detectors })
    }
}

fn detector(raw: DetectorToml, provider: &str, docs: Option<&String>) -> Result<Detector, Mistake> {
    let span = raw.id.span();
    check_id(&raw.id)?;
    let filter = filter(&raw)?;
    let named = raw.names.is_some() || raw.value.is_some();
    let (matcher, literals, analysis) = if named { named_matcher(&raw)? } else { token_matcher(&raw)? };
    let public = raw.public.unwrap_or(false);
    let about = About {
        id: Cow::Owned(raw.id.into_inner()),
        name: Cow::Owned(raw.name),
        provider: Cow::Owned(provider.to_owned()),
        docs: raw.docs.or_else(|| docs.cloned()).map(Cow::Owned),
        severity: severity(raw.severity.as_ref(), public)?,
        public,
        remedy: Cow::Owned(raw.remedy),
    };
    let spec = assemble(about, matcher, literals, &analysis, filter).map_err(|reason| (span, reason))?;
    Ok(Detector { spec, positive: raw.positive, negative: raw.negative })
}

/// Puts a detector together: how far it looks follows from what it looks for.
///
/// # Errors
/// Why it cannot be found by its literals.
pub(super) fn assemble(
    about: About,
    matcher: Matcher,
    literals: Vec<Literal>,
    analysis: &Analysis,
    filter: Filter,
) -> Result<Spec, String> {
    let context = filter.context();
    let longest = analysis.longest.unwrap_or(LONGEST);
    let (before, after) = match &matcher {
        Matcher::Token { lead: Some(lead), .. } => (lead + context, longest + context),
        Matcher::Token { lead: None, .. } => (context, longest + context),
        Matcher::Named { .. } => (NAME_LENGTH, NAME_LENGTH + BRIDGE_LENGTH + longest + context),
    };
    if literals.is_empty() && !matches!(matcher, Matcher::Token { lead: None, .. }) {
        return Err("has no literal by which it is found".to_owned());
    }
    Ok(Spec {
        specificity: specificity(&about, &matcher, &filter),
        about,
        literals: Cow::Owned(literals),
        matcher,
        before: before.min(MARGIN),
        after: after.min(LONGEST),
        prefix: Cow::Owned(analysis.prefix.clone()),
        filter,
    })
}

/// The longest name that a value is assigned to, in bytes.
pub(super) const NAME_LENGTH: usize = 64;

/// The most that stands between a name and its value, in bytes.
pub(super) const BRIDGE_LENGTH: usize = 100;

/// How sure a match is: a checksum before a shape of its own, that before a shape that needs something near, that
/// before a name. An identifier gives way to a secret.
fn specificity(about: &About, matcher: &Matcher, filter: &Filter) -> u8 {
    let kind = match matcher {
        _ if filter.checksum.is_some() => 90,
        Matcher::Token { .. } if filter.also.is_none() => 80,
        Matcher::Token { .. } => 60,
        Matcher::Named { .. } => 50,
    };
    if about.public { kind - 15 } else { kind }
}

fn check_id(id: &Spanned<String>) -> Result<(), Mistake> {
    let text = id.get_ref();
    let kebab = !text.is_empty()
        && text.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
    if kebab { Ok(()) } else { Err((id.span(), "the id is not kebab-case".to_owned())) }
}

fn severity(text: Option<&Spanned<String>>, public: bool) -> Result<Severity, Mistake> {
    let Some(text) = text else {
        return Ok(if public { Severity::Info } else { Severity::High });
    };
    match Severity::parse(text.get_ref()) {
        Some(Severity::Info) | None => Err((text.span(), "severity is low, medium, high or critical".to_owned())),
        Some(_) if public => Ok(Severity::Info),
        Some(severity) => Ok(severity),
    }
}

fn token_matcher(raw: &DetectorToml) -> Result<(Matcher, Vec<Literal>, Analysis), Mistake> {
    let id = raw.id.span();
    let regex =
        raw.regex.as_ref().ok_or_else(|| (id.clone(), "has neither a regex nor names and a value".to_owned()))?;
    let given = raw.literals.as_ref().ok_or_else(|| (id, "has no literals".to_owned()))?;
    let mut literals = Vec::with_capacity(given.len());
    for literal in given {
        check_literal(literal, literal.get_ref().len())?;
        literals.push(Literal::new(literal.get_ref().clone(), false));
    }
    let hir = analyse::parse(regex.get_ref()).map_err(|reason| (regex.span(), reason))?;
    if begins_without_bound(&hir) {
        return Err((regex.span(), "the regex begins with an unbounded repetition".to_owned()));
    }
    let analysis = analyse::analyse(&hir, &literals);
    if analysis.shortest < 4 {
        return Err((regex.span(), "the regex matches less than 4 bytes".to_owned()));
    }
    let lead = analysis.lead.unwrap_or(MARGIN);
    let matcher = Matcher::Token {
        regex: Cow::Owned(regex.get_ref().clone()),
        group: analysis.group,
        lead: Some(lead),
        flush: analysis.flush,
    };
    Ok((matcher, literals, analysis))
}

fn named_matcher(raw: &DetectorToml) -> Result<(Matcher, Vec<Literal>, Analysis), Mistake> {
    let id = raw.id.span();
    if raw.regex.is_some() || raw.literals.is_some() {
        return Err((id, "has both names or a value and a regex or literals".to_owned()));
    }
    let (Some(given), Some(value)) = (&raw.names, &raw.value) else {
        return Err((id, "names and a value belong together".to_owned()));
    };
    let (mut squeezed, mut literals) = (Vec::new(), Vec::new());
    for name in given {
        let spellings = names::literals(name.get_ref());
        check_literal(name, spellings.iter().map(|literal| literal.text.len()).min().unwrap_or(0))?;
        squeezed.push(Cow::Owned(names::squeeze(name.get_ref())));
        literals.extend(spellings);
    }
    literals.sort();
    literals.dedup();
    let hir = analyse::parse(value.get_ref()).map_err(|reason| (value.span(), reason))?;
    let analysis = analyse::analyse(&hir, &[]);
    if analysis.shortest < 4 {
        return Err((value.span(), "the value may be less than 4 bytes".to_owned()));
    }
    let matcher = Matcher::Named {
        names: Cow::Owned(squeezed),
        value: Cow::Owned(value.get_ref().clone()),
        group: analysis.group,
    };
    Ok((matcher, literals, analysis))
}

fn check_literal(text: &Spanned<String>, length: usize) -> Result<(), Mistake> {
    if !text.get_ref().is_ascii() {
        return Err((text.span(), format!("`{}` is not ASCII", text.get_ref())));
    }
    if length < 4 { Err((text.span(), format!("`{}` is shorter than 4 bytes", text.get_ref()))) } else { Ok(()) }
}

fn begins_without_bound(hir: &regex_syntax::hir::Hir) -> bool {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Repetition(repetition) => repetition.max.is_none(),
        HirKind::Capture(capture) => begins_without_bound(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().find(|part| !matches!(part.kind(), HirKind::Look(_))).is_some_and(begins_without_bound)
        }
        HirKind::Alternation(ways) => ways.iter().any(begins_without_bound),
        _ => false,
    }
}

fn filter(raw: &DetectorToml) -> Result<Filter, Mistake> {
    let entropy = raw.entropy.as_ref().map_or(0.0, |entropy| *entropy.get_ref());
    if !(0.0..=8.0).contains(&entropy) {
        return Err((raw.entropy.as_ref().map_or(0..0, Spanned::span), "entropy is 0 to 8 bits a byte".to_owned()));
    }
    let checksum = match &raw.checksum {
        None => None,
        Some(name) => {
            let known = || Checksum::ALL.map(|(name, _)| name).join(", ");
            let unknown = || (name.span(), format!("no checksum `{}`; there are {}", name.get_ref(), known()));
            Some(Checksum::parse(name.get_ref()).ok_or_else(unknown)?)
        }
    };
    let mut deny = Vec::with_capacity(raw.deny.len());
    for regex in &raw.deny {
        analyse::parse(regex.get_ref()).map_err(|reason| (regex.span(), reason))?;
        deny.push(Deny { target: Target::Secret, regex: Cow::Owned(regex.get_ref().clone()) });
    }
    Ok(Filter {
        boundary: raw.boundary.unwrap_or(true),
        entropy,
        checksum,
        words: raw.words.unwrap_or(true),
        deny: Cow::Owned(deny),
        stopwords: Cow::Borrowed(&[]),
        also: raw.also.as_ref().map(also).transpose()?,
        only_in: None,
        not_in: Cow::Borrowed(&[]),
    })
}

fn also(raw: &AlsoToml) -> Result<Also, Mistake> {
    /// Farther than this nothing is near.
    const FARTHEST: usize = 2048;
    let mut literals = Vec::with_capacity(raw.literals.len());
    for literal in &raw.literals {
        if literal.get_ref().is_empty() || raw.within > FARTHEST {
            return Err((literal.span(), format!("`also` takes texts within at most {FARTHEST} bytes")));
        }
        literals.push(Cow::Owned(literal.get_ref().to_ascii_lowercase()));
    }
    Ok(Also { within: raw.within, literals: Cow::Owned(literals) })
}
