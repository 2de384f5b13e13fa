use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::dsse::{Envelope, pae};
use super::statement::{Digest, PAYLOAD_TYPE, Statement, Subject, sums};
use super::timestamp::{Timestamp, request};
use super::*;

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[7; 32])
}

fn envelope(payload: &[u8]) -> Envelope {
    let key = key();
    Envelope::new(payload.to_vec(), PAYLOAD_TYPE, &key.public(), key.sign(&pae(PAYLOAD_TYPE, payload)))
}

/// Runs a script in a folder; its standard output.
fn sh(folder: &Path, script: &str) -> Result<String, String> {
    let script = format!("set -eu\n{script}");
    let out = Command::new("sh").args(["-c", &script]).current_dir(folder).stdin(Stdio::null()).output();
    let out = out.expect("a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stdout) + &text(&out.stderr)) }
}

#[test]
fn openssl_reads_our_keys_and_we_read_its() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let key = key();
    fs::write(at("key.pem"), key.to_pem().as_bytes()).unwrap();
    assert_eq!(sh(folder.path(), "openssl pkey -in key.pem -pubout"), Ok(key.public().to_pem()));
    assert_eq!(PublicKey::from_pem(&key.public().to_pem()), Some(key.public()));
    let theirs = sh(folder.path(), "openssl genpkey -algorithm ed25519").unwrap();
    let theirs = PrivateKey::from_pem(&theirs).expect("a key");
    assert_eq!(PrivateKey::from_pem(&theirs.to_pem()).map(|key| key.public()), Some(theirs.public()));
    fs::write(at("key.pub"), theirs.public().ssh_text() + "\n").unwrap();
    let listed = sh(folder.path(), "ssh-keygen -l -f key.pub").unwrap();
    assert!(listed.contains(&theirs.public().fingerprint()), "{listed}");
    let ec = sh(folder.path(), "openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256").unwrap();
    assert!(PrivateKey::from_pem(&ec).is_none() && PrivateKey::from_pem("").is_none());
    assert!(!format!("{key:?}").contains(&BASE64_STANDARD.encode([7; 32])));
}

#[test]
fn openssl_verifies_an_envelope() {
    let folder = tempfile::tempdir().unwrap();
    let key = key();
    let envelope = envelope(br#"{"a":1}"#);
    fs::write(folder.path().join("pae"), pae(&envelope.payload_type, &envelope.payload)).unwrap();
    fs::write(folder.path().join("sig"), &envelope.signatures[0].signature).unwrap();
    fs::write(folder.path().join("key.pem"), key.public().to_pem()).unwrap();
    let verify = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in pae -sigfile sig";
    assert!(sh(folder.path(), verify).is_ok());
    fs::write(folder.path().join("pae"), "DSSEv1 0  0 ").unwrap();
    assert!(sh(folder.path(), verify).is_err());
}

#[test]
fn an_envelope_is_read_in_either_alphabet() {
    let envelope = envelope(b"\xfb\xff\xfe?>");
    let bytes = envelope.to_bytes();
    assert_eq!(Envelope::parse(&bytes), Ok(envelope.clone()));
    let text = String::from_utf8(bytes).unwrap();
    let other =
        text.replace(&BASE64_STANDARD.encode(&envelope.payload), &BASE64_URL_SAFE_NO_PAD.encode(&envelope.payload));
    assert_ne!(other, text);
    let read = Envelope::parse(other.as_bytes()).unwrap();
    assert_eq!(read.open(&key().public()), Some(&b"\xfb\xff\xfe?>"[..]));
    assert_eq!(read.open(&PrivateKey::from_seed(&[8; 32]).public()), None);
    let mut other = envelope;
    other.payload_type.push('x');
    assert_eq!(other.open(&key().public()), None, "the type is signed too");
}

#[test]
fn ssh_keygen_verifies_our_signatures_and_we_read_its() {
    let folder = tempfile::tempdir().unwrap();
    let key = key();
    let message = b"hello\n";
    let signature = sshsig::write(&key.public(), "keytrail@v1", &key.sign(&sshsig::to_sign("keytrail@v1", message)));
    let year = |year: i32| chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let allowed = |after: i32, before: i32| {
        let trusted =
            TrustedKey { key: key.public(), valid_after: Some(year(after)), valid_before: Some(year(before)) };
        allowed_signer("keytrail", "keytrail@v1", &trusted)
    };
    fs::write(folder.path().join("message"), message).unwrap();
    fs::write(folder.path().join("sig"), &signature).unwrap();
    let verify = "ssh-keygen -Y verify -f allowed -I keytrail -n keytrail@v1 -s sig < message";
    fs::write(folder.path().join("allowed"), allowed(2020, 2200)).unwrap();
    assert!(sh(folder.path(), verify).unwrap().starts_with("Good"), "{signature}");
    fs::write(folder.path().join("allowed"), allowed(2020, 2021)).unwrap();
    assert!(sh(folder.path(), verify).is_err(), "its time is over");
    let [read] = read_allowed_signers("keytrail@v1", &allowed(2020, 2021)).unwrap().try_into().unwrap();
    assert!(read.holds_at(year(2020)) && !read.holds_at(year(2021)) && !read.holds_at(year(2019)));

    sh(folder.path(), "ssh-keygen -q -t ed25519 -N '' -f id && ssh-keygen -q -Y sign -f id -n keytrail@v1 message")
        .unwrap();
    let theirs = fs::read_to_string(folder.path().join("message.sig")).unwrap();
    let (signer, signature) = sshsig::read("keytrail@v1", &theirs).expect("a signature");
    assert!(signer.verifies(&sshsig::to_sign("keytrail@v1", message), &signature));
    assert!(sshsig::read("git", &theirs).is_none());
    let line =
        format!("a@b,c namespaces=\"x y,keytrail@v1\" {}", fs::read_to_string(folder.path().join("id.pub")).unwrap());
    assert_eq!(read_allowed_signers("keytrail@v1", &line), Ok(vec![TrustedKey::always(signer)]));
    assert_eq!(read_allowed_signers("other", &line), Ok(Vec::new()));
    assert_eq!(read_allowed_signers("x", "# comment\nwhat is this"), Err(2));
    let limited = line.replace("namespaces", "only-on-sundays,namespaces");
    assert_eq!(
        read_allowed_signers("keytrail@v1", &limited),
        Err(1),
        "a limit that is not understood is none to pass over"
    );
}

#[test]
fn a_real_authority_answers_our_request() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tsa.cnf"), include_str!("testdata/tsa.cnf")).unwrap();
    let data = b"some bytes";
    for nonce in [0, 1, 0x7f, 0x80, 0xff00, u64::MAX] {
        fs::write(folder.path().join("q"), request(data, nonce)).unwrap();
        let script = "test -e tsa.pem || { openssl req -x509 -newkey rsa:2048 -nodes -config tsa.cnf -keyout tsa.key -out tsa.pem -days 2 && echo 01 > serial; } 2>/dev/null
                      openssl ts -reply -config tsa.cnf -section tsa -queryfile q -out r 2>/dev/null";
        sh(folder.path(), script).unwrap();
        let answer = fs::read(folder.path().join("r")).unwrap();
        let read = Timestamp::parse(&answer).expect("a timestamp");
        assert!(read.is_of(data) && !read.is_of(b"other bytes"));
        assert!(read.answers(nonce) && !read.answers(nonce ^ 1), "{nonce}");
        for end in 0..answer.len() {
            assert!(Timestamp::parse(&answer[..end]).is_err());
        }
    }
    // RFC 3161, section 2.4.2: status 2 is a rejection.
    assert_eq!(Timestamp::parse(&[0x30, 5, 0x30, 3, 2, 1, 2]), Err("the timestamp authority refused"));
}

#[test]
fn a_statement_lists_its_files_in_their_order() {
    let file = |name: &str| Subject { name: name.to_owned(), digest: Digest { sha256: "0".repeat(64) } };
    let statement = Statement::new(vec![file("a"), file("b/c")], serde_json::json!({"x": 1}));
    assert_eq!(Statement::parse(&statement.to_bytes()), Ok(statement.clone()));
    assert_eq!(sums(&statement.subject), format!("{0}  a\n{0}  b/c\n", "0".repeat(64)));
    let reordered = Statement::new(vec![file("b"), file("a")], serde_json::Value::Null);
    assert!(Statement::parse(&reordered.to_bytes()).is_err());
    let twice = Statement::new(vec![file("a"), file("a")], serde_json::Value::Null);
    assert!(Statement::parse(&twice.to_bytes()).is_err());
}

proptest! {
    #[test]
    fn no_byte_of_a_signature_file_can_be_another(at in 0_usize..300, to: u8) {
        let key = key();
        let text = sshsig::write(&key.public(), "n", &key.sign(&sshsig::to_sign("n", b"m")));
        let mut bytes = text.clone().into_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let holds = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| sshsig::read("n", text))
            .is_some_and(|(read, signature)| read == key.public() && read.verifies(&sshsig::to_sign("n", b"m"), &signature));
        prop_assert!(!holds);
    }

    #[test]
    fn nothing_makes_a_reader_panic(bytes: Vec<u8>, text in ".{0,200}") {
        let _ = Envelope::parse(&bytes);
        let _ = Timestamp::parse(&bytes);
        let _ = Statement::parse(&bytes);
        let _ = PublicKey::from_ssh_blob(&bytes);
        let _ = sshsig::read("n", &text);
        let _ = read_allowed_signers("n", &text);
        let _ = PublicKey::from_pem(&text);
    }
}
