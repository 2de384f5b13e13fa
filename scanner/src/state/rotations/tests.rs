#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keytrail_rotation::journal::Journal;
use sqlx::Executor;

use super::*;

fn seal(root: &Path, variable: Option<&str>) -> Result<String, StateError> {
    let variable = variable.map(|text| text.as_bytes().to_vec());
    read_or_make_seal(variable, root, None).map(|key| key.id().to_owned())
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_made_once_and_for_their_owner() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let made = seal(root, None).unwrap();
    assert_eq!(seal(root, None).unwrap(), made);
    assert!(ledger_verifier(root).unwrap().is_none(), "who only reads makes none");
    let verifier = ledger_key(root).unwrap().verifier();
    assert_eq!(ledger_verifier(root).unwrap(), Some(verifier));
    let paths = ["rotation.key", "ledger.key"].map(|name| root.join(FOLDER).join(name));
    for path in &paths {
        assert_eq!(mode_of(path), 0o600);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    assert_eq!((seal(root, None).unwrap(), ledger_key(root).is_ok()), (made.clone(), true));
    paths.iter().for_each(|path| assert_eq!(mode_of(path), 0o600, "tightened"));

    assert_ne!(seal(root, Some(&"0A".repeat(32))).unwrap(), made, "the environment comes first");
    let refused = seal(root, Some("planted")).unwrap_err().to_string();
    assert_eq!(refused, "KEYTRAIL_ROTATION_KEY is neither 64 hexadecimal digits nor the base64 of 32 bytes");
    paths.iter().for_each(|path| fs::write(path, "planted").unwrap());
    assert!(matches!(seal(root, None), Err(StateError::NotASealKey(_))));
    assert!(matches!(ledger_key(root), Err(StateError::NotALedgerKey(_))));
    paths.iter().for_each(|path| assert_eq!(fs::read_to_string(path).unwrap(), "planted", "what is there stays"));
}

#[tokio::test]
async fn a_journal_of_another_key_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let config = StateConfig::default();
    let open = async |key: u8| {
        let seal = SealKey::new(&[key; 32]).unwrap();
        State::journal(&config, root.path(), seal, Signer::generate().unwrap()).await
    };
    let journal = open(1).await.unwrap();
    assert_eq!(journal.unfinished().await.unwrap(), []);
    journal.close().await.unwrap();
    open(2).await.unwrap().close().await.unwrap();
    let state = State::open(&config, root.path(), Mode::ReadWrite).await.unwrap().unwrap();
    let kept = "INSERT INTO keytrail_rotation_sealed VALUES ('kt-1', 'x', 'new', 'other', 'x')";
    state.connection.lock().await.execute(kept).await.unwrap();
    let refused = open(2).await.unwrap_err();
    assert!(refused.to_string().starts_with("the values of run kt-1 were sealed with another key"), "{refused}");
}
