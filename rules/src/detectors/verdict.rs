//! Why a text that looks like a secret is one, or is none.

use std::fmt;

/// What became of a place where a literal of a detector stands. Holds nothing of the text.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Verdict {
    /// It is a hit.
    Kept,
    /// The regular expression does not match round the literal.
    NoMatch,
    /// No name that the detector knows is there, only a part of one.
    NoName,
    /// Nothing that the name is assigned has the shape of the value.
    NoAssignment,
    /// What matches is a part of a longer word.
    InsideWord,
    /// A `deny` pattern or an allowlist matches.
    Denied,
    /// The entropy is too low, in bits a byte.
    Entropy {
        /// What it is.
        found: f64,
        /// What it should be at least.
        least: f64,
    },
    /// It is made of words or of stand-ins, it repeats, it is a sequence.
    MadeUp(&'static str),
    /// The check that the token carries is wrong.
    Checksum,
    /// Nothing of what should be near is near.
    NothingNear,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("it is a secret"),
            Self::NoMatch => f.write_str("the literal is there, the regular expression does not match"),
            Self::NoName => f.write_str("a part of the name is there, the name is not"),
            Self::NoAssignment => f.write_str("the name is there, nothing of the value's shape is assigned to it"),
            Self::InsideWord => f.write_str("what matches is a part of a longer word"),
            Self::Denied => f.write_str("a pattern that says what is no secret matches"),
            Self::Entropy { found, least } => write!(f, "entropy {found:.1} < {least:.1}"),
            Self::MadeUp(what) => write!(f, "made up by a person ({what})"),
            Self::Checksum => f.write_str("the checksum in the token is wrong"),
            Self::NothingNear => f.write_str("nothing of what should be near is near"),
        }
    }
}
