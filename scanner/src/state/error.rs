use std::io;
use std::path::{Path, PathBuf};

/// Why the state cannot be used. Messages follow "failed to open the state: ". They never hold a password or a key.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or folder cannot be read or made.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file or folder belongs to another user, who could change what Keytrail remembers.
    #[error("{0} belongs to another user")]
    OtherOwner(PathBuf),
    /// A link or a device is where a file or folder should be.
    #[error("{0} is not a plain {1}")]
    NotPlain(PathBuf, &'static str),
    /// The file of the fingerprint key does not hold one.
    #[error("{0} is not 64 hexadecimal digits")]
    NotAKey(String),
    /// What should hold the key of the seal does not.
    #[error("{0} is neither 64 hexadecimal digits nor the base64 of 32 bytes")]
    NotASealKey(String),
    /// The file of the ledger's key does not hold one.
    #[error("{0} is no Ed25519 key in PEM")]
    NotALedgerKey(PathBuf),
    /// The journal of rotations cannot be used.
    #[error("{0}")]
    Rotation(String),
    /// The URL of the state is not understood.
    #[error("the URL of the state is not understood: {0}")]
    Url(&'static str),
    /// The database was written by a newer Keytrail.
    #[error("{name} has schema {found}; this Keytrail knows schemas up to {known}")]
    Newer {
        /// The database.
        name: String,
        /// Its schema.
        found: i64,
        /// The newest schema that is known.
        known: i64,
    },
    /// The database is somebody else's, or was changed by hand.
    #[error("{0} is not a state database of Keytrail")]
    Foreign(String),
    /// The database cannot be read any more.
    #[error("{0} is damaged, or is no database at all")]
    Damaged(String),
    /// The database was not closed, and cannot be mended without writing.
    #[error("{0} has a write-ahead log without its index, as after a crash or a copy")]
    Unrecovered(String),
    /// No room is left.
    #[error("no room is left for {0}")]
    Full(String),
    /// Another process has the database for longer than the limit.
    #[error("another process is using {0}")]
    Locked(String),
    /// The server did not answer, or not in time.
    #[error("{name} cannot be reached: {reason}")]
    Unreachable {
        /// The database.
        name: String,
        /// What the system says.
        reason: String,
    },
    /// The server refused.
    #[error("{name} refused: {reason}")]
    Refused {
        /// The database.
        name: String,
        /// What it says.
        reason: String,
    },
    /// What is remembered was seen under another fingerprint key, so that no value can be compared with it.
    #[error("{0} was written under another fingerprint key")]
    OtherKey(String),
    /// The state was opened for reading only.
    #[error("{0} was opened for reading only")]
    ReadOnly(String),
}

impl StateError {
    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::File { .. } => "check that the folder is there and may be written".into(),
            Self::OtherOwner(_) => "run Keytrail as that user, or set [state] in keytrail.toml to another place".into(),
            Self::NotPlain(path, _) => format!("look at {}, and remove it if nobody needs it", path.display()),
            Self::NotAKey(_) => "put the key back from a backup; without it, ages count from the next scan".into(),
            Self::NotASealKey(_) => {
                "put the key back from a backup; without it, rotations under way cannot be ended".into()
            }
            Self::NotALedgerKey(path) => {
                format!("put the key back from a backup, or move {} away: a new one is made", path.display())
            }
            Self::Rotation(_) => "nothing was written".into(),
            Self::Url(_) => "write postgres://user@host/database or sqlite:PATH".into(),
            Self::Newer { .. } => "update Keytrail, or set [state] url to another database".into(),
            Self::Foreign(_) => "set [state] url to a database that nobody else uses".into(),
            Self::Damaged(name) => {
                format!("restore {name} from a backup, or move it away: ages count from the next scan")
            }
            Self::Unrecovered(_) => "run `keytrail scan` once so that it may write; that mends it".into(),
            Self::Full(_) => "make room; nothing of this scan was recorded, and nothing was lost".into(),
            Self::Locked(_) => "wait for the other scan to end".into(),
            Self::Unreachable { .. } => "check [state] url, and that the server runs".into(),
            Self::Refused { .. } => "check the user of [state] url, its password (PGPASSWORD) and its rights".into(),
            Self::OtherKey(name) => format!(
                "put the key back (fingerprint.key, or {}), or move {name} away: ages count from the next scan then",
                super::KEY_VARIABLE
            ),
            Self::ReadOnly(_) => "open it for writing".into(),
        }
    }

    /// Whether the place of the state may not be written.
    pub fn is_unwritable(&self) -> bool {
        let kinds = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
        matches!(self, Self::File { error, .. } if kinds.contains(&error.kind()))
    }

    /// What went wrong with a file.
    pub(super) fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }
}
