use super::*;
use crate::ledger::tree::leaf_hash;

/// The example of Go's package `golang.org/x/mod/sumdb/note`, on which C2SP's format is built.
#[test]
fn the_example_of_the_format_comes_out_byte_for_byte() {
    const TEXT: &str =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const SIGNED: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let seed = BASE64_STANDARD.decode(SEED).unwrap();
    let signer = Signer { name: "PeterNeumann".into(), key: SigningKey::from_bytes(seed[1..].try_into().unwrap()) };
    assert_eq!(signer.verifier().to_string(), KEY);
    let note = signer.sign(TEXT);
    assert_eq!(note, format!("{TEXT}\n{SIGNED}"));
    let verifier = Verifier::parse(KEY).unwrap();
    assert_eq!(verifier.open(&note), Ok(TEXT));
    assert_eq!(verifier.open(&note.replace("think", "thank")), Err(NoteError::Forged));
    assert_eq!(verifier.checkpoint(&note), Err(NoteError::NotACheckpoint));
}

#[test]
fn a_checkpoint_is_read_as_it_is_signed() {
    let signer = Signer::generate().unwrap();
    let verifier = signer.verifier();
    let note = signer.checkpoint(42, leaf_hash(b"x"));
    let read = verifier.checkpoint(&note).unwrap();
    assert_eq!(read, Checkpoint { origin: verifier.name().into(), size: 42, root: leaf_hash(b"x") });
    let lines: Vec<&str> = note.split('\n').collect();
    assert_eq!((lines.len(), lines[1], lines[3]), (6, "42", ""));

    let cases = [
        (note.replace("\n42\n", "\n43\n"), NoteError::Forged),
        (note.replace("\n42\n", "\n42\nextension\n"), NoteError::Forged),
        (Signer::generate().unwrap().checkpoint(42, leaf_hash(b"x")), NoteError::OtherKey),
        (note.replace('\u{2014}', "-"), NoteError::NotANote),
        (note.trim_end().to_owned(), NoteError::NotANote),
        (String::new(), NoteError::NotANote),
        (signer.sign("keytrail\n042\nAAAA\n"), NoteError::NotACheckpoint),
        (signer.sign(&Checkpoint { origin: "other".into(), ..read }.text()), NoteError::NotACheckpoint),
    ];
    for (note, expected) in cases {
        assert_eq!(verifier.checkpoint(&note), Err(expected), "{note}");
    }
    let two = note.replace("\n\n", "\n\n\u{2014} witness AAAAAAAA\n");
    assert_eq!(verifier.checkpoint(&two).unwrap().size, 42, "others may sign too");
}

#[test]
fn keys_survive_their_files() {
    let signer = Signer::generate().unwrap();
    let pem = signer.to_pem();
    assert_eq!(Signer::from_pem(&pem).unwrap().verifier(), signer.verifier());
    assert_eq!(Signer::from_pem(&pem.replace('\n', "\r\n")).unwrap().verifier(), signer.verifier());
    for bad in ["", "planted", &pem[..60], &pem.replace("MC4", "MC5")] {
        assert!(Signer::from_pem(bad).is_none());
    }
    let text = signer.verifier().to_string();
    assert_eq!(Verifier::parse(&text), Some(signer.verifier()));
    for bad in ["", "a+b+c", &text.replace("keytrail", "other"), &text[..text.len() - 4]] {
        assert_eq!(Verifier::parse(bad), None, "{bad}");
    }
    assert!(format!("{signer:?}").contains(signer.verifier().name()));
}
