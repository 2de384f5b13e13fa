//! A detector that was read and found sound. Shared with the build script, which writes the built-in ones as statics,
//! so that nothing is parsed when the program starts.

use std::borrow::Cow;

use super::about::{About, Literal};
use super::checksum::Checksum;

/// How far around its literal a detector may look, in bytes, unless it is a long one.
pub const MARGIN: usize = 256;

/// How much of a line around a match the filters of a line see, on either side, in bytes.
pub(super) const LINE_CONTEXT: usize = 120;

/// How many bytes beside a secret are looked at to see where it begins and ends.
pub(super) const BOUNDARY: usize = 8;

/// No detector sees more than this after its literal, in bytes.
pub const LONGEST: usize = 16 * 1024;

/// A sound detector.
#[derive(Clone, Debug)]
pub struct Spec {
    /// What it finds, and what to do about it.
    pub about: About,
    /// Every secret has one of these in it or before it. Empty for a slow detector, which looks everywhere.
    pub literals: Cow<'static, [Literal]>,
    /// How a secret is told.
    pub matcher: Matcher,
    /// How many bytes before the start of the literal its verdict depends on. At most [`MARGIN`].
    pub before: usize,
    /// How many bytes from the start of the literal on its verdict depends on. More than [`MARGIN`]: it is a long one.
    pub after: usize,
    /// What every secret of the kind begins with, which tells nothing of it: `glsa_`. May be empty.
    pub prefix: Cow<'static, str>,
    /// How sure a match is to be what the detector says, against others at the same place. Higher is surer.
    pub specificity: u8,
    /// What a match must stand besides.
    pub filter: Filter,
}

/// How a secret is told.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// By its own shape.
    Token {
        /// A regular expression of bytes.
        regex: Cow<'static, str>,
        /// The capture group that is the secret; 0 is the whole match.
        group: usize,
        /// How many bytes before the literal a match may begin; `Some(0)` where it begins with it. `None`: the match
        /// is looked for everywhere, without a literal.
        lead: Option<usize>,
        /// Whether the secret begins where the match does.
        flush: bool,
    },
    /// By the name that it is assigned to.
    Named {
        /// Words, in lower case and without separators. The name contains one of them.
        names: Cow<'static, [Cow<'static, str>]>,
        /// A regular expression of the whole value.
        value: Cow<'static, str>,
        /// The capture group that is the secret; 0 is the whole value.
        group: usize,
    },
}

/// What a match must stand.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Whether the bytes beside the secret must not be word characters.
    pub boundary: bool,
    /// The least Shannon entropy of the secret, in bits a byte.
    pub entropy: f64,
    /// The check that the secret carries in itself.
    pub checksum: Option<Checksum>,
    /// Whether secrets made of words, of stand-ins and of sequences are dropped.
    pub words: bool,
    /// What is dropped when it matches.
    pub deny: Cow<'static, [Deny]>,
    /// Lower-case texts; a secret that contains one in any case is dropped.
    pub stopwords: Cow<'static, [Cow<'static, str>]>,
    /// What must be near.
    pub also: Option<Also>,
    /// A regular expression of the paths of the files that alone are looked at.
    pub only_in: Option<Cow<'static, str>>,
    /// Regular expressions of paths where nothing is reported.
    pub not_in: Cow<'static, [Cow<'static, str>]>,
}

/// A regular expression that drops a match.
#[derive(Clone, Debug)]
pub struct Deny {
    /// What it is matched against.
    pub target: Target,
    /// A regular expression of bytes.
    pub regex: Cow<'static, str>,
}

/// What of a match a regular expression sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The secret.
    Secret,
    /// The whole match, with what stands around the secret.
    Match,
    /// The line, or 120 bytes on either side of the match where it is long.
    Line,
}

/// Texts of which one must be near a match.
#[derive(Clone, Debug)]
pub struct Also {
    /// How near, in bytes, before its start or after its end.
    pub within: usize,
    /// The texts, in lower case, met in any case.
    pub literals: Cow<'static, [Cow<'static, str>]>,
}

impl Spec {
    /// Whether its verdict depends on bytes far from its literal.
    pub fn is_long(&self) -> bool {
        self.after > MARGIN
    }
}

impl Filter {
    /// How far around a match the filters look, in bytes.
    pub fn context(&self) -> usize {
        let line = if self.deny.iter().any(|deny| deny.target == Target::Line) { LINE_CONTEXT } else { BOUNDARY };
        line.max(self.also.as_ref().map_or(BOUNDARY, |also| also.within))
    }
}
