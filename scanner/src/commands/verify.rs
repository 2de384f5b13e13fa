//! `keytrail verify`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use keytrail_reporters::sign::{PublicKey, TrustedKey, read_allowed_signers};
use keytrail_rotation::ledger::note::Verifier;
use keytrail_rules::text::visible;

use super::{Status, print};
use crate::cli::VerifyArgs;
use crate::error::Error;
use crate::export::verify::{Verification, verify, verify_envelope};
use crate::signing::NAMESPACE;

/// A file of public keys is no larger.
const MAX_KEYS: u64 = 1 << 20;

pub(super) fn run(args: &VerifyArgs) -> Result<Status, Error> {
    let trusted = args.key.as_deref().map(read_keys).transpose()?;
    let metadata = fs::metadata(&args.path).map_err(|error| Error::Read(args.path.clone(), error))?;
    let result = match (metadata.is_dir(), &trusted) {
        (true, trusted) => verify(&args.path, trusted.as_deref(), args.previous.as_deref())?,
        (false, Some(trusted)) => verify_envelope(&args.path, trusted)?,
        (false, None) => {
            return Err(Error::usage(
                "an envelope alone holds no key to verify it with",
                "name the signer's with --key",
            ));
        }
    };
    print(describe(&result).as_bytes())?;
    Ok(if result.problems.is_empty() { Status::Clean } else { Status::Findings })
}

fn describe(result: &Verification) -> String {
    let mut text = String::new();
    let mut line = |mark: &str, words: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark:<6} {}", visible(words));
    };
    result.holds.iter().for_each(|words| line("ok", words));
    result.problems.iter().for_each(|problem| line("FAILED", &format!("{} {}", problem.file, problem.what)));
    result.notes.iter().for_each(|words| line("note", words));
    match result.problems.len() {
        0 => line("ok", "verified"),
        1 => line("FAILED", "not verified: 1 thing is not as it was signed"),
        count => line("FAILED", &format!("not verified: {count} things are not as they were signed")),
    }
    text
}

/// The keys of a file: PEM, C2SP verifier keys, or allowed signers.
fn read_keys(path: &Path) -> Result<Vec<TrustedKey>, Error> {
    let unreadable = |error| Error::Read(path.to_owned(), error);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_KEYS {
        return Err(unreadable(std::io::Error::other("not a file of keys")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    let mistake = |what: String| {
        let hint =
            "write a public key in PEM, lines of allowed signers, or C2SP verifier keys (`keytrail keys publish`)";
        Error::usage(format!("{}: {what}", path.display()), hint)
    };
    let first = lines.peek().copied().unwrap_or_default();
    let keys: Vec<TrustedKey> = if first.starts_with("-----BEGIN") {
        let documents = text.split_inclusive("-----END PUBLIC KEY-----").filter(|part| part.contains("-----BEGIN"));
        let keys: Option<Vec<_>> = documents.map(PublicKey::from_pem).collect();
        let keys = keys.ok_or_else(|| mistake("it holds no Ed25519 public key".to_owned()))?;
        keys.into_iter().map(TrustedKey::always).collect()
    } else if !first.contains(char::is_whitespace) && first.contains('+') {
        let key = |line: &str| PublicKey::from_raw(&Verifier::parse(line)?.public_key());
        let keys: Option<Vec<_>> = lines.map(key).collect();
        let keys = keys.ok_or_else(|| mistake("it holds a line that is no verifier key".to_owned()))?;
        keys.into_iter().map(TrustedKey::always).collect()
    } else {
        let line = |line: usize| mistake(format!("line {line} is no allowed signer that is understood"));
        read_allowed_signers(NAMESPACE, &text).map_err(line)?
    };
    if keys.is_empty() { Err(mistake("it holds no key".to_owned())) } else { Ok(keys) }
}
