//! What of a signed export is pure: keys and their spellings, the envelope, the statement in it, the signatures of SSH, and
//! timestamps. Who signs, and where keys lie, is the caller's.
//!
//! # Guarantees
//! * What is verified is the bytes themselves: nothing of a payload is parsed before its signature holds.
//! * Signatures are checked strictly (RFC 8032, section 5.1.7, without points of small order): one text has one signature.
//! * Private keys are wiped when they are dropped, and no text or error shows one.
//!
//! # Assumptions
//! Ed25519 proves who signed, not when: that a timestamp says ([`timestamp`]), or nobody.

mod der;
pub mod dsse;
mod key;
mod pem;
pub mod sshsig;
pub mod statement;
pub mod timestamp;
mod trusted;

pub use key::{Algorithm, PrivateKey, PublicKey, Signature};
pub use trusted::{TrustedKey, allowed_signer, read_allowed_signers};

#[cfg(test)]
mod tests;
