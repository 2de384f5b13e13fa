//! What keeps a command from running: exit status 2.

use std::path::PathBuf;

use crate::config::ConfigErrors;
use crate::state::StateError;

/// Why a command could not run. Messages follow "error: ", in lower case, and hold no value of a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal of rotations cannot be used.
    #[error(transparent)]
    Journal(#[from] keytrail_rotation::failure::Failure),
    /// The config has mistakes.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A pattern of the config is no glob.
    #[error("a pattern of [inventory] is no glob: {0}")]
    Pattern(#[from] globset::Error),
    /// The report cannot be rendered.
    #[error("failed to {0}")]
    Report(#[from] keytrail_reporters::Error),
    /// The folder to scan is not there.
    #[error("{0} is not a folder that can be read: {1}")]
    Root(PathBuf, #[source] std::io::Error),
    /// A file of the command line cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// A file of the command line cannot be written.
    #[error("cannot write {0}: {1}")]
    Write(PathBuf, #[source] std::io::Error),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] std::io::Error),
    /// The options contradict one another, or ask for what is not there.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// The system has no random numbers.
    #[error("cannot read the system's random source: {0}")]
    Random(#[source] std::io::Error),
    /// A rule file is not understood.
    #[error("{file}: {message}")]
    Rules {
        /// The file.
        file: String,
        /// What is wrong, with the line where that is known.
        message: String,
    },
    /// The runtime cannot be started.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] std::io::Error),
}

impl Error {
    /// A mistake on the command line.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: hint.into() }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::State(error) => Some(error.hint()),
            Self::Journal(failure) => failure.hint.clone(),
            Self::Report(error) => error.hint().map(str::to_owned),
            Self::Root(..) => Some("name an existing folder: keytrail scan PATH".into()),
            Self::Pattern(_) => Some("see `*`, `**`, `?`, `[…]` and `{a,b}` of gitignore-like patterns".into()),
            Self::Rules { .. } => Some("see CONTRIBUTING.md of Keytrail for how detectors are written".into()),
            _ => None,
        }
    }
}
