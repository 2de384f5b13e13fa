//! Keys of files, and of the transit engine of a real OpenBao.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::company::Company;
use super::{instructions, sh};
use crate::support::Keytrail;
use crate::support::openbao::OpenBao;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_key_is_made_rotated_and_published_and_what_it_signed_stays_valid() {
    let company = Company::new();
    let file = company.path().join(".keytrail/export.key");
    assert_eq!(mode(&file), 0o600);
    let again = company.keytrail(&["keys", "new"]);
    assert_eq!(again.status, Some(2), "{}", again.stdout);
    let old = fs::read_to_string(&file).expect("a key");
    company.export("first", &[]);

    let rotated = company.keytrail(&["keys", "rotate"]);
    assert_eq!(rotated.status, Some(0), "{}", rotated.stderr);
    assert_eq!(mode(&file), 0o600);
    let new = fs::read_to_string(&file).expect("a key");
    assert_ne!(old, new);
    let listed = company.keytrail(&["keys", "list", "--format", "json"]).json();
    let keys = listed["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 2, "{listed}");
    assert_eq!((&keys[0]["valid_before"], keys[1]["valid_before"].is_null()), (&keys[1]["valid_after"], true));

    // Nothing that is printed or published holds a private key.
    let body = |pem: &str| pem.lines().nth(1).expect("a body").to_owned();
    let mut shown = vec![again, rotated];
    for args in [&["keys", "list"][..], &["keys", "publish"]] {
        shown.push(company.keytrail(args));
    }
    for format in ["pem", "allowed-signers", "verifier", "json"] {
        shown.push(company.keytrail(&["keys", "publish", "--format", format]));
    }
    for out in &shown {
        for key in [&old, &new] {
            assert!(!out.stdout.contains(&body(key)) && !out.stderr.contains(&body(key)), "{}", out.stdout);
        }
    }
    company.write("signers", &company.keytrail(&["keys", "publish", "--format", "allowed-signers"]).stdout);
    let signers = fs::read_to_string(company.path().join("signers")).expect("signers");
    assert!(signers.contains("valid-before="), "{signers}");
    for name in ["first", "second"] {
        if name == "second" {
            company.export("second", &[]);
        }
        let out = company.keytrail(&["verify", name, "--key", "signers"]);
        // Of one second both keys may be: that which signed has its own end in it.
        assert!(out.stdout.contains("ok     evidence.dsse.json is signed with"), "{}", out.stdout);
    }
    let script = "ssh-keygen -Y verify -f ../signers -I keytrail -n keytrail@v1 -s evidence.sshsig < SHA256SUMS";
    sh(&company.path().join("second"), script).expect("the new key verifies");
    // In the second of the rotation both keys may sign.
    let later = script.replace("-I keytrail", "-Overify-time=20990101 -I keytrail");
    sh(&company.path().join("second"), &later).expect("the new key verifies later too");
    assert!(sh(&company.path().join("first"), &later).is_err(), "the old key signs no more");
    // A key that was put back is not used again.
    fs::write(&file, old).expect("a file");
    let refused = company.try_export("third", &[]);
    assert_eq!(refused.status, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("was rotated away"), "{}", refused.stderr);
}

#[test]
fn a_key_that_others_may_read_is_refused_and_one_of_openssl_is_taken() {
    let company = Company::new();
    sh(company.path(), "openssl genpkey -algorithm ed25519 -out mine.key && chmod 644 mine.key").expect("a key");
    let refused = company.try_export("evidence", &["--key", "mine.key"]);
    assert_eq!(refused.status, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("others than its owner may use the key mine.key"), "{}", refused.stderr);
    sh(company.path(), "chmod 600 mine.key && openssl pkey -in mine.key -pubout -out mine.pem").expect("a mode");
    company.export("evidence", &["--key", "mine.key"]);
    assert_eq!(company.keytrail(&["verify", "evidence", "--key", "mine.pem"]).status, Some(0));

    sh(
        company.path(),
        "openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out ec.key && chmod 600 ec.key",
    )
    .expect("a key");
    let refused = company.try_export("other", &["--key", "ec.key"]);
    assert!(refused.stderr.contains("ec.key holds no Ed25519 key"), "{}", refused.stderr);
    fs::remove_file(company.path().join(".keytrail/export.key")).expect("gone");
    let refused = company.try_export("other", &[]);
    assert!(refused.stderr.contains("`keytrail keys new` makes one"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transit_engine_signs_and_openssl_verifies() {
    let bao = OpenBao::start().await;
    bao.put("sys/mounts/signing/transit", json!({ "type": "transit" })).await;
    let policy = "path \"signing/transit/keys/keytrail*\" { capabilities = [\"create\", \"read\", \"update\"] }
                  path \"signing/transit/sign/keytrail\" { capabilities = [\"update\"] }";
    let token = bao.token("signer", policy).await;
    let company = Company::new();
    let run = |args: &[&str]| {
        let args = [args, &["--transit", "signing/transit/keytrail"]].concat();
        Keytrail::new(company.path()).env("VAULT_ADDR", &bao.address).env("VAULT_TOKEN", &token).args(args).run()
    };
    let missing = run(&["export", "--out", "evidence"]);
    assert_eq!(missing.status, Some(2), "{}", missing.stdout);
    assert!(missing.stderr.contains("there is no key signing/transit/keys/keytrail"), "{}", missing.stderr);
    let made = run(&["keys", "new"]);
    assert_eq!(made.status, Some(0), "{}", made.stderr);
    let out = run(&["export", "--out", "evidence"]);
    assert!(matches!(out.status, Some(0 | 3)), "{}{}", out.stdout, out.stderr);
    let folder = company.path().join("evidence");
    for block in instructions(&folder) {
        sh(&folder, &block).unwrap_or_else(|error| panic!("{error}"));
    }
    company.write("first.pem", &run(&["keys", "publish"]).stdout);
    let rotated = run(&["keys", "rotate"]);
    assert_eq!(rotated.status, Some(0), "{}", rotated.stderr);
    let listed = run(&["keys", "list", "--format", "json"]).json();
    assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(listed["keys"][0]["valid_before"], listed["keys"][1]["valid_after"]);
    company.write("second.pem", &run(&["keys", "publish"]).stdout);
    let verify = |key: &str| company.keytrail(&["verify", "evidence", "--key", key]).status;
    assert_eq!((verify("first.pem"), verify("second.pem")), (Some(0), Some(1)));
    let denied = Keytrail::new(company.path())
        .env("VAULT_ADDR", &bao.address)
        .env("VAULT_TOKEN", "s.nonsense")
        .args(["export", "--out", "other", "--transit", "signing/transit/keytrail"])
        .run();
    assert_eq!(denied.status, Some(2), "{}", denied.stdout);
    assert!(!denied.stderr.contains("s.nonsense"), "{}", denied.stderr);
}
