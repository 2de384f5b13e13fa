//! Files of key material, whose modes tell who may use the keys.

use keytrail_rules::model::{Facts, FileMode};

use super::FileKind;
use crate::source::{Reader, SourceFile};

#[cfg(test)]
mod tests;

/// A file of key material.
pub static KIND: FileKind = FileKind {
    name: "key-file",
    config_key: "key_files",
    patterns: &[
        "**/*.pem",
        "**/*.key",
        "**/*.p12",
        "**/*.pfx",
        "**/*.jks",
        "**/*.keystore",
        "**/*.keytab",
        "**/*.ppk", // keytrail:allow a pattern
        "**/id_rsa",
        "**/id_dsa",
        "**/id_ecdsa",
        "**/id_ed25519",
        "**/.vault-keys",
        "**/.vault-token",
        "**/.netrc",
        "**/.pgpass",
        "**/.git-credentials",
        "**/kubeconfig",
        "**/*.kubeconfig",
    ],
    claims: |file| holds(file).is_some(),
    read,
};

/// What files of certain names hold, whatever is in them. Their names are among the patterns.
const NAMES: &[(&str, &str)] = &[
    (".p12", "PKCS #12 key store"),
    (".pfx", "PKCS #12 key store"),
    (".jks", "Java key store"),
    (".keystore", "Java key store"),
    (".keytab", "Kerberos keys"),
    (".ppk", "SSH private key"),
    ("id_rsa", "SSH private key"),
    ("id_dsa", "SSH private key"),
    ("id_ecdsa", "SSH private key"),
    ("id_ed25519", "SSH private key"),
    (".vault-keys", "Vault unseal keys"),
    (".vault-token", "Vault token"),
    (".netrc", "passwords"),
    (".pgpass", "passwords"),
    (".git-credentials", "passwords"),
    ("kubeconfig", "Kubernetes credentials"),
];

/// Endings of files that may hold public things as well: only their content tells.
const BY_CONTENT: &[&str] = &[".pem", ".key"];

fn read(file: &SourceFile, _: &Reader<'_>) -> Facts {
    // Systems without Unix modes have nothing to say here.
    let mode = file.mode.zip(holds(file));
    let key_files = mode.map(|(mode, holds)| FileMode { file: file.path().to_owned(), mode, holds: holds.to_owned() });
    Facts { key_files: key_files.into_iter().collect(), ..Facts::default() }
}

/// What a file holds; `None` for one that is no key material.
fn holds(file: &SourceFile) -> Option<&'static str> {
    let name = file.name();
    let labels = pem_labels(file.text());
    if let Some(holds) = labels.iter().find_map(|label| private_key(label)) {
        return Some(holds);
    }
    if let Some((_, holds)) = NAMES.iter().find(|(end, _)| name.ends_with(end)) {
        return Some(holds);
    }
    if BY_CONTENT.iter().any(|end| name.ends_with(end)) {
        return (name.ends_with(".key") && is_der(&file.head)).then_some("private key");
    }
    // Only a config names such a file, and means it; a certificate is public all the same.
    labels.is_empty().then_some("key material")
}

/// The labels of `-----BEGIN …-----` lines (RFC 7468, section 2).
fn pem_labels(text: &str) -> Vec<&str> {
    let begins = text.lines().filter_map(|line| line.trim_start().strip_prefix("-----BEGIN "));
    begins.filter_map(|rest| rest.split_once("-----")).map(|(label, _)| label).collect()
}

fn private_key(label: &str) -> Option<&'static str> {
    match label {
        "OPENSSH PRIVATE KEY" | "SSH2 ENCRYPTED PRIVATE KEY" => Some("SSH private key"),
        "PGP PRIVATE KEY BLOCK" => Some("PGP private key"),
        "ENCRYPTED PRIVATE KEY" => Some("encrypted private key"),
        _ if label.ends_with("PRIVATE KEY") => Some("private key"),
        _ => None,
    }
}

/// Whether bytes begin as a DER sequence with a long length does (X.690, 8.1.2 and 8.1.3), which is how private keys in
/// binary begin.
fn is_der(head: &[u8]) -> bool {
    matches!(head, [0x30, 0x81..=0x84, ..])
}
