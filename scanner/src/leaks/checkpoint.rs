//! How far a log was searched, so that the next search begins there: plain data, for the caller to keep.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};

use keytrail_rules::model::{Fingerprint, FingerprintKey, Secret};
use serde::{Deserialize, Serialize};

use super::stream::Ended;

/// Two files of one device and inode, one after the other, differ in the first bytes.
const HEAD_BYTES: usize = 256;

/// How far a file was searched. A file that was renamed since, as logs are when they rotate, is the same still.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Device of the file, where the system has such numbers.
    pub device: u64,
    /// Number of the file on its device.
    pub inode: u64,
    /// How many of the first bytes `head` is the fingerprint of.
    pub head_bytes: u64,
    /// Keyed fingerprint of the first bytes.
    pub head: String,
    /// Where the next search begins.
    pub next: u64,
    /// Lines before `next`.
    pub lines: u64,
    /// The length of the file: hits that end before it were reported.
    pub length: u64,
}

impl Checkpoint {
    /// The state of a file whose search ended there.
    ///
    /// # Errors
    /// The file's.
    pub(super) fn new(file: &mut File, ended: Ended, key: &FingerprintKey) -> io::Result<Self> {
        let (device, inode) = numbers(&file.metadata()?);
        let head_bytes = ended.end.min(HEAD_BYTES as u64);
        let head = head(file, head_bytes, key)?.as_str().to_owned();
        Ok(Self { device, inode, head_bytes, head, next: ended.next, lines: ended.lines, length: ended.end })
    }

    /// Whether the file of that device and number is the one that the checkpoint is of, unchanged but for what was added.
    ///
    /// # Errors
    /// The file's.
    pub(super) fn is_of(&self, file: &mut File, metadata: &Metadata, key: &FingerprintKey) -> io::Result<bool> {
        let same = metadata.len() >= self.length
            && self.next <= self.length
            && self.inode != 0
            && self.head_bytes <= HEAD_BYTES as u64;
        Ok(same && head(file, self.head_bytes, key)?.as_str() == self.head)
    }
}

fn head(file: &mut File, bytes: u64, key: &FingerprintKey) -> io::Result<Fingerprint> {
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(bytes).read_to_end(&mut head)?;
    let text = head.iter().map(|byte| char::from(*byte)).collect::<String>();
    zeroize::Zeroize::zeroize(&mut head);
    Ok(key.fingerprint(&Secret::new(text)))
}

/// Device and number of a file.
#[cfg(unix)]
pub(super) fn numbers(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Systems without such numbers have no checkpoints.
#[cfg(not(unix))]
pub(super) fn numbers(_: &Metadata) -> (u64, u64) {
    (0, 0)
}
