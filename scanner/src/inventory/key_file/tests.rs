use std::fs;
use std::path::Path;

use keytrail_rules::model::FingerprintKey;

use super::{BY_CONTENT, KIND, NAMES, holds};
use crate::source::{Reader, SourceFile};

fn held(path: &str, text: &str) -> Option<&'static str> {
    holds(&SourceFile::from_bytes(path, text.as_bytes().to_vec()))
}

#[test]
fn key_material_is_told_by_content_or_name() {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n");
    for (path, text, expected) in [
        ("a/server.pem", pem("PRIVATE KEY"), Some("private key")),
        ("a/server.pem", pem("RSA PRIVATE KEY"), Some("private key")),
        ("a/server.key", pem("EC PRIVATE KEY").replace('\n', "\r\n"), Some("private key")),
        ("a/server.key", pem("ENCRYPTED PRIVATE KEY"), Some("encrypted private key")),
        ("a/server.pem", format!("{}{}", pem("CERTIFICATE"), pem("PRIVATE KEY")), Some("private key")),
        ("a/backup.asc", pem("PGP PRIVATE KEY BLOCK"), Some("PGP private key")),
        ("a/deploy", pem("OPENSSH PRIVATE KEY"), Some("SSH private key")),
        ("a/ca.pem", pem("CERTIFICATE"), None),
        ("a/jwt.pem", pem("PUBLIC KEY"), None),
        ("a/i18n.key", "greeting = hello".into(), None),
        ("a/empty.pem", String::new(), None),
        ("id_ed25519", "anything".into(), Some("SSH private key")),
        (".vault-keys", "anything".into(), Some("Vault unseal keys")),
        ("ops/.vault-token", "anything".into(), Some("Vault token")),
        ("prod.kubeconfig", "apiVersion: v1".into(), Some("Kubernetes credentials")),
        ("certs/master.bin", "named by the config".into(), Some("key material")),
        ("certs/ca.crt", pem("CERTIFICATE"), None),
    ] {
        assert_eq!(held(path, &text), expected, "{path}: {text}");
    }
}

#[test]
fn every_pattern_has_its_meaning() {
    for pattern in KIND.patterns {
        let name = pattern.trim_start_matches("**/").trim_start_matches('*');
        let known = BY_CONTENT.contains(&name) || NAMES.iter().any(|(end, _)| name.ends_with(end));
        assert!(known, "{pattern}");
    }
    for (end, _) in NAMES {
        assert!(KIND.patterns.iter().any(|pattern| pattern.ends_with(end)), "{end}");
    }
}

#[test]
#[cfg(unix)]
fn the_mode_of_a_key_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/inventory/key_file");
    let root = tempfile::tempdir().expect("a folder");
    for (name, mode, expected) in [("server.pem", 0o644, true), ("server.pem", 0o2600, true), ("ca.pem", 0o644, false)]
    {
        let path = root.path().join(name);
        fs::copy(fixture.join(name), &path).expect("a copy");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        let file = SourceFile::read(root.path(), name).expect("a file");
        assert_eq!((KIND.claims)(&file), expected, "{name}");
        let facts = crate::inventory::read(
            &KIND,
            &file,
            &Reader {
                key: &FingerprintKey::new([7; 32]),
                generated: false,
                as_of: chrono::DateTime::UNIX_EPOCH,
                known: None,
            },
        );
        let modes: Vec<_> =
            facts.key_files.iter().map(|key| (key.file.as_str(), key.mode, key.holds.as_str())).collect();
        assert_eq!(modes, if expected { vec![(name, mode, "private key")] } else { vec![] });
        assert_eq!(facts.gaps, []);
    }
}
