//! The journal and the ledger of rotations, which are kept in the same database.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use futures::FutureExt;
use keytrail_rotation::failure::Failure;
use keytrail_rotation::journal::Saved;
use keytrail_rotation::journal::seal::SealKey;
use keytrail_rotation::journal::sql::{SqlJournal, read};
use keytrail_rotation::ledger::note::{Signer, Verifier};
use keytrail_rotation::ledger::verify::Ledger;
use zeroize::Zeroizing;

use super::database::{self, Database, Limits};
use super::{FOLDER, Mode, State, StateError, private, within};
use crate::config::StateConfig;

/// The environment variable that holds the key of the seal: 64 hexadecimal digits, or the base64 of 32 bytes.
pub const SEAL_VARIABLE: &str = "KEYTRAIL_ROTATION_KEY";

/// The step of the schema that made the tables.
const SCHEMA: i64 = 5;

/// More than any file of a key.
const LIMIT: u64 = 4096;

/// The key under which rotations keep values: from [`SEAL_VARIABLE`]; else from `file`, by default
/// `.keytrail/rotation.key`, which is made if it is not there.
///
/// # Errors
/// A variable or file that does not hold a key; a file that cannot be made; one that others than its owner may read and
/// whose rights are not ours to change.
pub fn seal_key(root: &Path, file: Option<&Path>) -> Result<SealKey, StateError> {
    read_or_make_seal(env::var_os(SEAL_VARIABLE).map(OsString::into_encoded_bytes), root, file)
}

/// [`seal_key`], with what the environment variable holds.
pub(super) fn read_or_make_seal(
    variable: Option<Vec<u8>>,
    root: &Path,
    file: Option<&Path>,
) -> Result<SealKey, StateError> {
    if let Some(text) = variable.map(Zeroizing::new) {
        return SealKey::parse(&text).ok_or_else(|| StateError::NotASealKey(SEAL_VARIABLE.into()));
    }
    let text = read_or_make(root, file, "rotation.key", &|| {
        let mut key = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *key).map_err(|error| StateError::file(Path::new("the random source"), error.into()))?;
        let digits = key.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        Ok(Zeroizing::new(digits.chain([b'\n']).collect()))
    })?;
    let name = || file.map_or_else(|| format!("{FOLDER}/rotation.key"), |file| file.display().to_string());
    SealKey::parse(&text).ok_or_else(|| StateError::NotASealKey(name()))
}

/// The key that signs the ledger, from `.keytrail/ledger.key`, which is made if it is not there.
///
/// # Errors
/// A file that does not hold a key; a file that cannot be made, or that is another user's.
pub fn ledger_key(root: &Path) -> Result<Signer, StateError> {
    let text = read_or_make(root, None, "ledger.key", &|| {
        let signer = Signer::generate().map_err(|failure| StateError::Rotation(failure.what))?;
        Ok(Zeroizing::new(signer.to_pem().as_bytes().to_vec()))
    })?;
    let pem = std::str::from_utf8(&text).ok().and_then(Signer::from_pem);
    pem.ok_or_else(|| StateError::NotALedgerKey(root.join(FOLDER).join("ledger.key")))
}

/// What checks the checkpoints of the ledger; `None` where this folder has no key that signs them.
///
/// # Errors
/// A file that does not hold a key, or cannot be read.
pub fn ledger_verifier(root: &Path) -> Result<Option<Verifier>, StateError> {
    match private::find_file(&root.join(FOLDER).join("ledger.key"))? {
        Some(_) => ledger_key(root).map(|signer| Some(signer.verifier())),
        None => Ok(None),
    }
}

impl State {
    /// Opens the journal of `root` for writing. Tables, and triggers that guard them, are made where they are not there.
    ///
    /// # Errors
    /// A database that cannot be used; one with values that were sealed with another key.
    pub async fn journal(
        config: &StateConfig,
        root: &Path,
        seal: SealKey,
        signer: Signer,
    ) -> Result<SqlJournal, StateError> {
        let database = Database::of(config, root)?;
        if let Database::Sqlite(path) = &database {
            database::prepare_file(path, config.url.is_none())?;
        }
        let limits = Limits::USUAL;
        let connected = within(&database, limits, database.connect(Mode::ReadWrite, limits).boxed()).await?;
        let (mut connection, _) = connected.ok_or_else(|| StateError::Damaged(database.name()))?;
        database.guard_waiting(&mut connection, limits).await?;
        let journal = SqlJournal::new(connection, seal, Arc::new(Utc::now)).signed_by(signer);
        journal.prepare().await.map_err(refused)?;
        Ok(journal)
    }

    /// Every rotation that has not ended, oldest first.
    ///
    /// # Errors
    /// A database that cannot be read, or that changed under a reader who may not lock it.
    pub async fn unfinished_rotations(&self) -> Result<Vec<Saved>, StateError> {
        let mut connection = self.connection.lock().await;
        if !self.has_rotations(&mut connection).await? {
            return Ok(Vec::new());
        }
        let runs = within(&self.database, self.limits, read_as(read::unfinished(&mut connection)).boxed()).await?;
        self.check_stamp()?;
        Ok(runs)
    }

    /// The ledger of rotations.
    ///
    /// # Errors
    /// A database that cannot be read, or that changed under a reader who may not lock it.
    pub async fn rotation_ledger(&self) -> Result<Ledger, StateError> {
        let mut connection = self.connection.lock().await;
        if !self.has_rotations(&mut connection).await? {
            return Ok(Ledger::default());
        }
        let ledger = within(&self.database, self.limits, read_as(read::ledger(&mut connection)).boxed()).await?;
        self.check_stamp()?;
        Ok(ledger)
    }

    /// What is only read is not brought up to date.
    async fn has_rotations(&self, connection: &mut sqlx::AnyConnection) -> Result<bool, StateError> {
        let schema = self.database.check_schema(connection).boxed();
        Ok(self.mode == Mode::ReadWrite || within(&self.database, self.limits, schema).await? >= SCHEMA)
    }

    fn check_stamp(&self) -> Result<(), StateError> {
        let has_changed = self.stamp.as_ref().is_some_and(|before| self.database.has_changed(before));
        if has_changed { Err(StateError::Locked(self.database.name())) } else { Ok(()) }
    }
}

async fn read_as<T>(reading: impl Future<Output = Result<T, Failure>>) -> Result<T, StateError> {
    reading.await.map_err(refused)
}

fn refused(failure: Failure) -> StateError {
    let hint = failure.hint.map_or(String::new(), |hint| format!("; {hint}"));
    StateError::Rotation(format!("{}{hint}", failure.what))
}

/// What a file holds: `given`, or else `name` in the folder of the state; `make` gives what is to be in one that is not
/// there.
fn read_or_make(
    root: &Path,
    given: Option<&Path>,
    name: &str,
    make: &dyn Fn() -> Result<Zeroizing<Vec<u8>>, StateError>,
) -> Result<Zeroizing<Vec<u8>>, StateError> {
    let path = given.map_or_else(|| root.join(FOLDER).join(name), |given| root.join(given));
    if private::find_file(&path)?.is_none() {
        if given.is_none() {
            private::make_folder(&root.join(FOLDER))?;
        }
        private::make_file(&path, &make()?)?;
    }
    let metadata = private::find_file(&path)?.ok_or_else(|| StateError::NotPlain(path.clone(), "file"))?;
    private::tighten(&path, &metadata, 0o600)?;
    let mut text = Zeroizing::new(Vec::with_capacity(LIMIT as usize));
    let file = File::open(&path).map_err(|error| StateError::file(&path, error))?;
    file.take(LIMIT).read_to_end(&mut text).map_err(|error| StateError::file(&path, error))?;
    Ok(text)
}

#[cfg(test)]
mod tests;
