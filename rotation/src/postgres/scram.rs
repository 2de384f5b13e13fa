//! What PostgreSQL keeps of a password, made here, so that the password itself never reaches the server: the
//! verifier `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`. Sources: RFC 5802 §3, RFC 7677, RFC 4013;
//! <https://www.postgresql.org/docs/current/catalog-pg-authid.html>, `src/common/scram-common.c`.

use std::borrow::Cow;
use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// What PostgreSQL takes. A random password needs no more.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
/// More than any server uses; a verifier that asks for more is not computed.
const MAX_ITERATIONS: u32 = 1_000_000;
const SALT: usize = 16;
const PREFIX: &str = "SCRAM-SHA-256$";

/// Letters and digits: no place that a password is written to reads any of them as something else.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A password of so many letters and digits, each of which is as likely.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn password(length: usize) -> Result<Secret, Failure> {
    let mut text = String::with_capacity(length);
    let mut bytes = Zeroizing::new([0; 64]);
    while text.len() < length {
        random(bytes.as_mut_slice())?;
        // Bytes past the last multiple of 62 would make the first letters likelier.
        let letters = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(letters.take(length - text.len()));
    }
    Ok(Secret::new(text))
}

/// A verifier of a password, with a new salt.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn verifier(password: &Secret) -> Result<Secret, Failure> {
    let mut salt = [0; SALT];
    random(&mut salt)?;
    Ok(derive(password, &salt, ITERATIONS))
}

fn random(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|_| Failure::not_done("the system gives no random bytes"))
}

/// Whether a text is a verifier of this kind.
pub(crate) fn is_verifier(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether a verifier is one of this password.
pub(crate) fn matches(verifier: &Secret, password: &Secret) -> bool {
    let Some((salt, iterations)) = parameters(verifier.expose()) else { return false };
    let again = derive(password, &salt, iterations);
    constant_time::verify_slices_are_equal(again.expose().as_bytes(), verifier.expose().as_bytes()).is_ok()
}

fn parameters(verifier: &str) -> Option<(Vec<u8>, NonZeroU32)> {
    let (iterations, rest) = verifier.strip_prefix(PREFIX)?.split_once(':')?;
    let iterations: NonZeroU32 = iterations.parse().ok().filter(|count: &NonZeroU32| count.get() <= MAX_ITERATIONS)?;
    let (salt, _) = rest.split_once('$')?;
    Some((BASE64_STANDARD.decode(salt).ok()?, iterations))
}

fn derive(password: &Secret, salt: &[u8], iterations: NonZeroU32) -> Secret {
    // PostgreSQL takes a password as it is where SASLprep refuses it, and so do its clients.
    let prepared = stringprep::saslprep(password.expose()).unwrap_or(Cow::Borrowed(password.expose()));
    let prepared = Zeroizing::new(prepared.into_owned());
    let mut salted = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, prepared.as_bytes(), salted.as_mut_slice());
    let key = hmac::Key::new(hmac::HMAC_SHA256, salted.as_slice());
    let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    Secret::new(format!(
        "{PREFIX}{iterations}:{}${}:{}",
        encode(salt),
        encode(stored.as_ref()),
        encode(server.as_ref())
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ALPHABET, derive, is_verifier, matches, password, verifier};
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use keytrail_rules::model::Secret;

    /// The example of RFC 7677 §3: with this salt the server answers with this signature, which hangs on ServerKey.
    #[test]
    fn a_verifier_is_that_of_the_standard() {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(); // keytrail:allow of RFC 7677
        let made = derive(&Secret::from("pencil"), &salt, 4096.try_into().unwrap());
        let server = made.expose().rsplit_once(':').unwrap().1;
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &BASE64_STANDARD.decode(server).unwrap());
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"; // keytrail:allow of RFC 7677
        let exchanged =
            format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}");
        let signature = aws_lc_rs::hmac::sign(&key, exchanged.as_bytes());
        assert_eq!(BASE64_STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_verifier_tells_its_password_from_others() {
        for text in ["pencil", "", "gr\u{fc}\u{df}e", "\u{2168}", "a\u{ad}b", "\u{7}bell", "\u{640}1"] {
            let made = verifier(&Secret::from(text)).unwrap();
            assert!(is_verifier(made.expose()) && matches(&made, &Secret::from(text)), "{text:?}");
            assert!(!matches(&made, &Secret::from("Pencil")), "{text:?}");
        }
        let prepared = verifier(&Secret::from("IX")).unwrap();
        assert!(matches(&prepared, &Secret::from("\u{2168}")), "SASLprep makes a roman nine two letters");
        assert_ne!(verifier(&Secret::from("x")).unwrap().expose(), verifier(&Secret::from("x")).unwrap().expose());
    }

    #[test]
    fn what_is_no_verifier_matches_nothing() {
        let endless = format!("SCRAM-SHA-256$4294967295:{}$x:y", "AAAA");
        for text in ["", "md5", "SCRAM-SHA-256$", "SCRAM-SHA-256$0:AAAA$x:y", "SCRAM-SHA-256$1:*$x:y", endless.as_str()]
        {
            assert!(!matches(&Secret::from(text), &Secret::from("x")), "{text}");
        }
    }

    #[test]
    fn every_letter_is_in_passwords() {
        let long = password(20_000).unwrap();
        assert_eq!(long.expose().len(), 20_000);
        assert_eq!(long.expose().bytes().collect::<BTreeSet<_>>(), ALPHABET.iter().copied().collect());
        assert_ne!(password(40).unwrap().expose(), password(40).unwrap().expose());
    }
}
