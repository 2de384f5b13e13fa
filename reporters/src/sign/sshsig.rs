//! Signatures of `ssh-keygen -Y sign`: <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig>.

use sha2::{Digest, Sha512};

use super::key::ssh_string;
use super::{PublicKey, Signature, pem};

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const HASH: &[u8] = b"sha512";
const LABEL: &str = "SSH SIGNATURE";
const WIDTH: usize = 70;

/// The bytes that are signed for a message in a namespace.
pub fn to_sign(namespace: &str, message: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for field in [namespace.as_bytes(), b"", HASH, &Sha512::digest(message)] {
        ssh_string(&mut bytes, field);
    }
    bytes
}

/// A signature of [`to_sign`] as a file.
pub fn write(key: &PublicKey, namespace: &str, signature: &Signature) -> String {
    let mut signed = Vec::new();
    ssh_string(&mut signed, key.algorithm().ssh_name().as_bytes());
    ssh_string(&mut signed, signature);
    let mut blob = MAGIC.to_vec();
    blob.extend(VERSION.to_be_bytes());
    for field in [&key.ssh_blob(), namespace.as_bytes(), b"", HASH, &signed] {
        ssh_string(&mut blob, field);
    }
    pem::write(LABEL, &blob, WIDTH).to_string()
}

/// The key that a file says it is signed with, which is not to be believed, and the signature.
///
/// Only a file is read that [`write()`] would have written, for that namespace: every byte of it counts.
pub fn read(namespace: &str, text: &str) -> Option<(PublicKey, Signature)> {
    let blob = pem::read(LABEL, text)?;
    let signature: Signature = *blob.last_chunk()?;
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_be_bytes());
    let rest = blob.strip_prefix(head.as_slice())?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let key = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let key = PublicKey::from_ssh_blob(key)?;
    (write(&key, namespace, &signature) == text).then_some((key, signature))
}
