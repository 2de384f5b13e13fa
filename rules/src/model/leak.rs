use serde::Serialize;

use super::{Fingerprint, Location, Severity, Time};

/// A secret that lies where it should not: one for a value, with every place that it was seen in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leak {
    /// The value.
    pub fingerprint: Fingerprint,
    /// A few bits of the value without a key, so that a finding is the same on every machine and yet changes with the
    /// value; far too few to guess a value by.
    pub tag: u16,
    /// What it was recognised as; `None` where it is a value of the inventory and nothing else.
    pub detector: Option<Detected>,
    /// Where it was seen, the oldest first.
    pub occurrences: Vec<Occurrence>,
    /// Why it is let pass, where the config or a file of accepted findings says so.
    pub accepted: Option<String>,
}

/// What a detector says of what it recognises.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Detected {
    /// The detector, kebab-case: `github-personal-access-token`.
    pub id: String,
    /// What it is, for a sentence.
    pub name: String,
    /// Who honours it; empty for a general one.
    pub provider: String,
    /// How much such a leak matters.
    pub severity: Severity,
    /// What to do.
    pub remedy: String,
    /// The part that every such token has: `ghp_`. Nothing of the value itself.
    pub preview: Option<String>,
}

/// One place that a leaked value was seen in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Occurrence {
    /// The commit that brought it in, for a history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// In what it lies.
    pub medium: Medium,
    /// The line; for a history that of the commit. Members of archives follow their archive after `!`.
    pub location: Location,
    /// Whether it still lies there: in the file, or in HEAD.
    pub present: bool,
    /// The reason of a `keytrail:allow` beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
}

/// A commit that brought a secret in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Commit {
    /// When it was committed.
    pub time: Time,
    /// Its object id in full.
    pub id: String,
    /// The author's name.
    pub author: String,
    /// The author's address.
    pub email: String,
}

/// What an [`Occurrence`] lies in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// A file in the history of a git repository.
    GitHistory,
    /// The message of a commit, a tag or a note.
    GitMessage,
    /// What is staged for the next commit.
    GitIndex,
    /// An object of a git repository that no commit reaches.
    GitUnreachable,
    /// A file.
    File,
    /// A log.
    Log,
    /// Standard input.
    StandardInput,
}

impl Medium {
    /// The medium in words: `a file`.
    pub fn describe(self) -> &'static str {
        match self {
            Self::GitHistory => "git history",
            Self::GitMessage => "a git message",
            Self::GitIndex => "the staged changes",
            Self::GitUnreachable => "an unreachable git object",
            Self::File => "a file",
            Self::Log => "a log",
            Self::StandardInput => "standard input",
        }
    }
}

/// What a search for leaks covered, so that finding nothing says something.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Searched {
    /// Values of the inventory that were searched for wherever they might be.
    pub values: u64,
    /// Values that are so short or so common that they were only searched for beside their names.
    pub values_beside_names: u64,
    /// Values that could not be searched for, by reason.
    pub not_searchable: std::collections::BTreeMap<String, u64>,
    /// Detectors that were searched with.
    pub detectors: u64,
    /// Files, logs and members of archives.
    pub files: u64,
    /// Objects of git repositories.
    pub objects: u64,
    /// Bytes, as they are when nothing is compressed.
    pub bytes: u64,
}

impl Searched {
    /// Adds what another source covered with the same values and detectors.
    pub fn add(&mut self, files: u64, objects: u64, bytes: u64) {
        self.files += files;
        self.objects += objects;
        self.bytes += bytes;
    }
}
