//! `keytrail keys`.

use std::fmt::Write;

use keytrail_reporters::sign::{PublicKey, TrustedKey, allowed_signer};
use keytrail_rules::model::Time;

use super::{Status, now, print, runtime};
use crate::cli::{KeyFolderArgs, KeyFormat, KeysCommand, ListFormat};
use crate::config::Config;
use crate::error::Error;
use crate::signing::{KeyList, KeyPlace, NAMESPACE, PRINCIPAL, cosigner};
use crate::state::ledger_verifier;

pub(super) fn run(command: &KeysCommand) -> Result<Status, Error> {
    match command {
        KeysCommand::New(folder) => make(folder, true)?,
        KeysCommand::Rotate(folder) => make(folder, false)?,
        KeysCommand::List { folder, format } => {
            let keys = all(folder)?;
            match format {
                ListFormat::Json => print(KeyList { keys }.to_json().as_bytes())?,
                ListFormat::Table => print(table(&keys).as_bytes())?,
            }
        }
        KeysCommand::Publish { folder, format } => print(publish(folder, *format)?.as_bytes())?,
    }
    Ok(Status::Clean)
}

/// Where the key of a command is.
fn place(folder: &KeyFolderArgs) -> Result<KeyPlace, Error> {
    let config = Config::load(&folder.path, folder.config.as_deref())?;
    KeyPlace::of(&folder.path, &config, folder.key.key.as_deref(), folder.key.transit.as_deref())
}

fn all(folder: &KeyFolderArgs) -> Result<Vec<TrustedKey>, Error> {
    let keys = runtime()?.block_on(place(folder)?.all())?;
    if keys.is_empty() {
        return Err(Error::usage("there is no key that signs exports", "`keytrail keys new` makes one"));
    }
    Ok(keys)
}

fn make(folder: &KeyFolderArgs, is_first: bool) -> Result<(), Error> {
    let key = runtime()?.block_on(place(folder)?.make(is_first, now()))?;
    let made = if is_first { "made" } else { "in the place of the one before:" };
    let text = format!(
        "{made} {}\nGive whoever verifies its public half: `keytrail keys publish --format allowed-signers`\n",
        key.fingerprint()
    );
    print(text.as_bytes())
}

fn table(keys: &[TrustedKey]) -> String {
    let time =
        |time: Option<Time>| time.map_or_else(|| "-".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%SZ").to_string());
    let mut text = format!("{:<9} {:<50} {:<20} {}\n", "algorithm", "key", "from", "to");
    for one in keys {
        let algorithm = one.key.algorithm().as_str();
        let (from, to) = (time(one.valid_after), time(one.valid_before));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{algorithm:<9} {:<50} {from:<20} {to}", one.key.fingerprint());
    }
    text
}

fn publish(folder: &KeyFolderArgs, format: KeyFormat) -> Result<String, Error> {
    let keys = all(folder)?;
    Ok(match format {
        KeyFormat::Pem => keys.last().map(|one| one.key.to_pem()).unwrap_or_default(),
        KeyFormat::AllowedSigners => keys.iter().map(|one| allowed_signer(PRINCIPAL, NAMESPACE, one)).collect(),
        KeyFormat::Json => KeyList { keys }.to_json(),
        KeyFormat::Verifier => {
            let verifier = |key: &PublicKey| Ok(format!("{}\n", cosigner(key)?));
            let mut text: String = keys.iter().map(|one| verifier(&one.key)).collect::<Result<_, Error>>()?;
            if let Some(ledger) = ledger_verifier(&folder.path)? {
                text += &format!("{ledger}\n");
            }
            text
        }
    })
}
