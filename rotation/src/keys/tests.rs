use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::*;

/// Runs openssl on some input; its output.
fn openssl(args: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const KINDS: [KeyKind; 5] = [
    KeyKind::Rsa(KeySize::Rsa2048),
    KeyKind::Rsa(KeySize::Rsa3072),
    KeyKind::Ec(Curve::P256),
    KeyKind::Ec(Curve::P384),
    KeyKind::Ed25519,
];

#[test]
fn openssl_reads_every_private_key_and_sees_the_same_public_key() {
    for kind in KINDS {
        let made = generate(kind, Encoding::Pem).unwrap();
        assert_eq!(openssl(&["pkey", "-pubout"], made.private.expose()), made.public_pem, "{kind:?}");
        let text = openssl(&["pkey", "-text", "-noout"], made.private.expose());
        let named = match kind {
            KeyKind::Rsa(size) => format!("({} bit", size.len() * 8),
            KeyKind::Ec(curve) => curve.name().to_owned(),
            KeyKind::Ed25519 => "ED25519".to_owned(),
        };
        assert!(text.contains(&named), "{kind:?}: {named}");
        assert_eq!(public_half(&made.private), Some(made.public), "{kind:?}");
    }
}

#[test]
fn the_numbers_of_a_private_jwk_are_the_key_of_its_public_half() {
    for kind in KINDS {
        let made = generate(kind, Encoding::Jwk).unwrap();
        let jwk: Value = serde_json::from_str(made.private.expose()).unwrap();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let public = match kind {
            KeyKind::Rsa(_) => {
                let public_key = aws_lc_rs::rsa::PublicKeyComponents { n: bytes("n"), e: bytes("e") };
                let [d, p, q, dp, dq, qi] = ["d", "p", "q", "dp", "dq", "qi"].map(bytes);
                let parts = rsa::KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi };
                let pair = rsa::KeyPair::from_components(&parts).unwrap();
                of_rsa(&pair, Encoding::Pem).unwrap().public
            }
            KeyKind::Ec(curve) => {
                let point = [&[4], bytes("x").as_slice(), bytes("y").as_slice()].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.algorithm(), &bytes("d"), &point);
                ec_public(&pair.unwrap(), curve).unwrap()
            }
            KeyKind::Ed25519 => {
                ed25519_public(&Ed25519KeyPair::from_seed_and_public_key(&bytes("d"), &bytes("x")).unwrap())
            }
        };
        assert_eq!(public, made.public, "{kind:?}");
        assert_eq!(public_half(&made.private), Some(made.public), "{kind:?}");
        assert_eq!(jwk["kid"], public.thumbprint());
    }
}

#[test]
fn keys_of_other_tools_are_read_in_each_of_their_forms() {
    let rsa = openssl(&["genrsa", "-traditional", "2048"], "");
    assert!(rsa.contains("BEGIN RSA PRIVATE KEY"));
    let ec = openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "");
    assert!(ec.contains("BEGIN EC PRIVATE KEY"));
    for (old, name) in [(rsa, "RSA"), (ec, "EC")] {
        let modern = openssl(&["pkcs8", "-topk8", "-nocrypt"], &old);
        let public = public_half(&Secret::from(old.as_str())).unwrap();
        assert_eq!(public.jwk()["kty"], name);
        assert_eq!(public_half(&Secret::from(modern.as_str())), Some(public.clone()));
        // As an environment variable carries it, on one line.
        assert_eq!(public_half(&Secret::new(modern.replace('\n', "\\n"))), Some(public));
    }
}

#[test]
fn what_is_no_private_key_is_none() {
    let label = "PRIVATE KEY";
    let hollow = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let unclosed = format!("-----BEGIN {label}-----\nMC4C");
    for text in ["", "hunter2", "{}", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\",\"y\":\"AA\"}", &hollow, &unclosed]
    {
        assert!(public_half(&Secret::from(text)).is_none(), "{text}");
    }
}

#[test]
fn a_damaged_document_is_read_as_something_or_nothing() {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let document = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).unwrap();
    let whole = document.as_ref();
    assert!(der::rsa_private_numbers(whole).is_some());
    for at in 0..whole.len() {
        assert!(der::rsa_private_numbers(&whole[..at]).is_none(), "cut at {at}");
        for wrong in [0x00, 0x7f, 0x80, 0x81, 0x84, 0xff] {
            let mut damaged = whole.to_vec();
            damaged[at] = wrong;
            let _read = der::rsa_private_numbers(&damaged);
        }
    }
}

/// RFC 7638, section 3.1, and RFC 8037, appendix A.3.
#[test]
fn thumbprints_are_those_of_the_standards() {
    let modulus = concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs",
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5ha",
        "jrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    );
    let rsa = PublicKey::Rsa { modulus: modulus.to_owned(), exponent: "AQAB".to_owned() };
    assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let ed25519 = PublicKey::Ed25519 { x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned() };
    assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}
