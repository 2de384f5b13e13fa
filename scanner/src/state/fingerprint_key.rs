use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use keytrail_rules::model::FingerprintKey;
use zeroize::{Zeroize, Zeroizing};

use super::{FOLDER, Mode, StateError, private};
use crate::config::StateConfig;

/// The environment variable that holds the key, as 64 hexadecimal digits: for CI, where no file outlives a run.
pub const KEY_VARIABLE: &str = "KEYTRAIL_FINGERPRINT_KEY";

/// The key under which values are fingerprinted: from [`KEY_VARIABLE`]; else from the file of the config, by default
/// `.keytrail/fingerprint.key`, which [`Mode::ReadWrite`] makes if it is not there. [`Mode::ReadOnly`] takes a random
/// key then, which nobody else has.
///
/// # Errors
/// A variable or file that does not hold a key; a file that cannot be made; one that others than its owner may read and
/// whose rights are not ours to change.
pub fn fingerprint_key(config: &StateConfig, root: &Path, mode: Mode) -> Result<FingerprintKey, StateError> {
    read_or_make(env::var_os(KEY_VARIABLE).map(OsString::into_encoded_bytes), config, root, mode)
}

/// [`fingerprint_key`], with what the environment variable holds.
pub(super) fn read_or_make(
    variable: Option<Vec<u8>>,
    config: &StateConfig,
    root: &Path,
    mode: Mode,
) -> Result<FingerprintKey, StateError> {
    if let Some(text) = variable.map(Zeroizing::new) {
        return parse(&text).ok_or_else(|| StateError::NotAKey(KEY_VARIABLE.into()));
    }
    let path = match &config.fingerprint_key {
        Some(path) => root.join(path),
        None => root.join(FOLDER).join("fingerprint.key"),
    };
    if private::find_file(&path)?.is_none() {
        let key = random()?;
        if mode == Mode::ReadOnly {
            return Ok(FingerprintKey::new(*key));
        }
        if config.fingerprint_key.is_none() {
            private::make_folder(&root.join(FOLDER))?;
        }
        private::make_file(&path, &write(&key))?;
    }
    read(&path, mode)
}

fn read(path: &Path, mode: Mode) -> Result<FingerprintKey, StateError> {
    /// More than a key and a line end.
    const LIMIT: u64 = 100;
    let metadata = private::find_file(path)?.ok_or_else(|| StateError::NotPlain(path.to_owned(), "file"))?;
    if private::is_loose(&metadata) {
        match mode {
            Mode::ReadWrite => private::tighten(path, &metadata, 0o600)?,
            Mode::ReadOnly if !private::is_ours(&metadata) => return Err(StateError::OtherOwner(path.to_owned())),
            Mode::ReadOnly => {}
        }
    }
    let mut text = Zeroizing::new(Vec::with_capacity(LIMIT as usize));
    let file = File::open(path).map_err(|error| StateError::file(path, error))?;
    file.take(LIMIT).read_to_end(&mut text).map_err(|error| StateError::file(path, error))?;
    parse(&text).ok_or_else(|| StateError::NotAKey(path.display().to_string()))
}

fn random() -> Result<Zeroizing<[u8; 32]>, StateError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|error| StateError::file(Path::new("the random source"), error.into()))?;
    Ok(key)
}

fn write(key: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = key.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    Zeroizing::new(digits.chain([b'\n']).collect())
}

/// 64 hexadecimal digits, with white space around them.
fn parse(text: &[u8]) -> Option<FingerprintKey> {
    let digits = text.trim_ascii();
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    let parsed = FingerprintKey::new(key);
    key.zeroize();
    Some(parsed)
}
