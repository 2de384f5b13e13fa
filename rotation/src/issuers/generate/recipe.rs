//! What a made-up value looks like.

use aws_lc_rs::rsa::KeySize;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keytrail_rules::model::Secret;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::failure::Failure;
use crate::keys::{self, Curve, Encoding, KeyKind};
use crate::random;

/// Below this a value is weak: what NIST SP 800-57 part 1 asks for beyond 2030.
const STRONG_BITS: f64 = 128.0;

/// Longer values are mistakes.
const MAX_LENGTH: usize = 4096;

/// How often a value is drawn until it has every class that it must contain.
const MAX_DRAWS: usize = 1000;

/// Random bytes of a value where the table does not say.
const USUAL_BYTES: usize = 32;

/// A format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Format {
    /// Base64 of the URL alphabet, without `=`.
    #[default]
    UrlSafe64,
    /// Base64.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// Letters and digits.
    Alphanumeric,
    /// The characters of `charset`.
    Charset,
    /// A random UUID: RFC 9562, section 5.4.
    Uuid,
    /// A secret of Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes
    /// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
    Whsec,
    /// An RSA key pair.
    Rsa,
    /// An ECDSA key pair.
    Ec,
    /// An Ed25519 key pair.
    Ed25519,
}

/// A kind of characters that a value must have one of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Class {
    Lower,
    Upper,
    Digit,
    Symbol,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Digit => "digit",
            Self::Symbol => "symbol",
        }
    }

    fn has(self, c: char) -> bool {
        match self {
            Self::Lower => c.is_ascii_lowercase(),
            Self::Upper => c.is_ascii_uppercase(),
            Self::Digit => c.is_ascii_digit(),
            Self::Symbol => !c.is_ascii_alphanumeric(),
        }
    }
}

/// The table of the config.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Table {
    #[serde(default)]
    pub(in super::super) format: Format,
    /// Random bytes.
    pub(in super::super) bytes: Option<usize>,
    /// Characters without the prefix.
    pub(in super::super) length: Option<usize>,
    pub(in super::super) charset: Option<String>,
    #[serde(default)]
    pub(in super::super) prefix: String,
    #[serde(default)]
    pub(in super::super) must_contain: Vec<Class>,
    #[serde(default)]
    pub(in super::super) weak: bool,
    /// Of an RSA key.
    pub(in super::super) bits: Option<u32>,
    /// Of an ECDSA key: `P-256`, `P-384`.
    pub(in super::super) curve: Option<String>,
    /// Of a private key.
    pub(in super::super) encoding: Option<Encoding>,
}

/// How values are made.
pub(in super::super) enum Recipe {
    Text { shape: Shape, prefix: String, must_contain: Vec<Class> },
    Keys(KeyKind, Encoding),
}

/// The random part of a text.
pub(in super::super) enum Shape {
    Chars { alphabet: Vec<char>, length: usize },
    Bytes { encoding: Format, count: usize },
    Uuid,
}

/// An issuer was to set a value that it did not choose.
pub(in super::super) fn unchosen() -> Failure {
    Failure::not_done("there is no value to set")
}

impl Recipe {
    /// Of a table.
    ///
    /// # Errors
    /// What makes no sense together, cannot be, or could be guessed.
    pub(in super::super) fn of(table: Table) -> Result<Self, Failure> {
        table.refuse_foreign_keys()?;
        match table.format {
            Format::Rsa | Format::Ec | Format::Ed25519 => {
                Ok(Self::Keys(table.key_kind()?, table.encoding.unwrap_or_default()))
            }
            _ => table.into_text(),
        }
    }

    /// A new value, other than the old one. Of a key pair the private key, with the parts `public` (PEM), `jwks` and `kid`.
    ///
    /// # Errors
    /// No random numbers; no value with every class that it must contain.
    pub(in super::super) fn make(&self, old: Option<&Credential>) -> Result<Credential, Failure> {
        let (shape, prefix, must_contain) = match self {
            Self::Keys(kind, encoding) => return pair(*kind, *encoding),
            Self::Text { shape, prefix, must_contain } => (shape, prefix, must_contain),
        };
        let old = old.and_then(Credential::value);
        for _ in 0..MAX_DRAWS {
            let random = shape.draw()?;
            let mut text = String::with_capacity(prefix.len() + random.len());
            text.extend([prefix.as_str(), random.as_str()]);
            let value = Secret::new(text);
            let is_new = old.is_none_or(|old| old.expose() != value.expose());
            if is_new && must_contain.iter().all(|class| random.contains(|c| class.has(c))) {
                return Ok(Credential::of_value(value));
            }
        }
        Err(Failure::not_done(format!("none of {MAX_DRAWS} values has what `must_contain` asks for"))
            .hint("make the value longer, or the charset richer"))
    }

    /// Whether a text may be part of a value.
    pub(in super::super) fn may_contain(&self, text: &str) -> bool {
        match self {
            Self::Text { shape, prefix, .. } => {
                text.chars().all(|c| prefix.contains(c) || shape.alphabet().contains(&c))
            }
            Self::Keys(..) => true,
        }
    }
}

impl Table {
    /// Every key has a format that it belongs to.
    fn refuse_foreign_keys(&self) -> Result<(), Failure> {
        let keys = matches!(self.format, Format::Rsa | Format::Ec | Format::Ed25519);
        let chars = matches!(self.format, Format::Alphanumeric | Format::Charset);
        let bytes = !keys && !chars && self.format != Format::Uuid;
        let prefixed = bytes && self.format != Format::Whsec || chars;
        let given = [
            ("length", self.length.is_some(), chars),
            ("bytes", self.bytes.is_some(), bytes),
            ("charset", self.charset.is_some(), self.format == Format::Charset),
            ("prefix", !self.prefix.is_empty(), prefixed),
            ("must_contain", !self.must_contain.is_empty(), prefixed),
            ("weak", self.weak, prefixed),
            ("bits", self.bits.is_some(), self.format == Format::Rsa),
            ("curve", self.curve.is_some(), self.format == Format::Ec),
            ("encoding", self.encoding.is_some(), keys),
        ];
        match given.into_iter().find(|(_, is_given, belongs)| *is_given && !belongs) {
            Some((key, ..)) => Err(Failure::not_done(format!("`{key}` does not go with this format"))
                .hint("`length` goes with alphanumeric and charset, `bytes` with hex, base64, urlsafe64 and whsec")),
            None => Ok(()),
        }
    }

    fn key_kind(&self) -> Result<KeyKind, Failure> {
        match (self.format, self.bits, self.curve.as_deref()) {
            (Format::Rsa, None | Some(2048), _) => Ok(KeyKind::Rsa(KeySize::Rsa2048)),
            (Format::Rsa, Some(3072), _) => Ok(KeyKind::Rsa(KeySize::Rsa3072)),
            (Format::Rsa, Some(4096), _) => Ok(KeyKind::Rsa(KeySize::Rsa4096)),
            (Format::Ec, _, None | Some("P-256")) => Ok(KeyKind::Ec(Curve::P256)),
            (Format::Ec, _, Some("P-384")) => Ok(KeyKind::Ec(Curve::P384)),
            (Format::Ed25519, ..) => Ok(KeyKind::Ed25519),
            _ => {
                Err(Failure::not_done("no such key pair")
                    .hint("bits = 2048, 3072 or 4096; curve = \"P-256\" or \"P-384\""))
            }
        }
    }

    fn into_text(self) -> Result<Recipe, Failure> {
        let shape = match self.format {
            Format::Uuid => Shape::Uuid,
            Format::Alphanumeric | Format::Charset => self.chars()?,
            encoding => Shape::Bytes { encoding, count: self.bytes.unwrap_or(USUAL_BYTES) },
        };
        let alphabet = shape.alphabet();
        if let Some(class) = self.must_contain.iter().find(|class| !alphabet.iter().any(|c| class.has(*c))) {
            return Err(Failure::not_done(format!("no value of this format has one of the class {}", class.name()))
                .hint("correct `must_contain`, or add characters to `charset`"));
        }
        if self.prefix.chars().any(char::is_control) {
            return Err(Failure::not_done("the prefix has control characters"));
        }
        shape.refuse_size()?;
        let bits = shape.bits();
        if bits < STRONG_BITS && !self.weak && !matches!(shape, Shape::Uuid) {
            return Err(Failure::not_done(format!(
                "such a value has {bits:.0} bits and could be guessed: 128 are needed"
            ))
            .hint("make it longer, or say `weak = true` where the system takes no longer one"));
        }
        Ok(Recipe::Text { shape, prefix: self.prefix, must_contain: self.must_contain })
    }

    fn chars(&self) -> Result<Shape, Failure> {
        let alphabet: Vec<char> = match (self.format, &self.charset) {
            (Format::Alphanumeric, _) => ('a'..='z').chain('A'..='Z').chain('0'..='9').collect(),
            (_, Some(charset)) => charset.chars().collect(),
            _ => return Err(Failure::not_done("the format charset needs a `charset`")),
        };
        let mut sorted = alphabet.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != alphabet.len() || sorted.len() < 2 || sorted.iter().any(|c| c.is_control()) {
            return Err(Failure::not_done("a charset is two or more printable characters, each once")
                .hint("write every character out: there are no ranges"));
        }
        // The usual length is what has the strength of the usual bytes.
        let usual = (USUAL_BYTES as f64 * 8.0 / (alphabet.len() as f64).log2()).ceil() as usize;
        Ok(Shape::Chars { alphabet, length: self.length.unwrap_or(usual) })
    }
}

impl Shape {
    fn refuse_size(&self) -> Result<(), Failure> {
        let (count, least, most) = match self {
            Self::Chars { length, .. } => (*length, 1, MAX_LENGTH),
            Self::Bytes { encoding: Format::Whsec, count } => (*count, 24, 64),
            Self::Bytes { count, .. } => (*count, 1, MAX_LENGTH),
            Self::Uuid => return Ok(()),
        };
        if (least..=most).contains(&count) {
            return Ok(());
        }
        Err(Failure::not_done(format!("a value of this format has {least} to {most} characters or bytes, not {count}")))
    }

    fn bits(&self) -> f64 {
        match self {
            Self::Chars { alphabet, length } => *length as f64 * (alphabet.len() as f64).log2(),
            Self::Bytes { count, .. } => *count as f64 * 8.0,
            Self::Uuid => 122.0,
        }
    }

    /// Every character that the random part may have.
    fn alphabet(&self) -> Vec<char> {
        let letters = || ('a'..='z').chain('A'..='Z').chain('0'..='9');
        match self {
            Self::Chars { alphabet, .. } => alphabet.clone(),
            Self::Bytes { encoding: Format::Hex, .. } => "0123456789abcdef".chars().collect(),
            Self::Uuid => "0123456789abcdef-".chars().collect(),
            Self::Bytes { encoding: Format::UrlSafe64, .. } => letters().chain("-_".chars()).collect(),
            Self::Bytes { encoding: Format::Whsec, .. } => letters().chain("+/=_".chars()).collect(),
            // The number of bytes says if `=` ends the value.
            Self::Bytes { count, .. } => letters().chain(if count % 3 == 0 { "+/" } else { "+/=" }.chars()).collect(),
        }
    }

    fn draw(&self) -> Result<Zeroizing<String>, Failure> {
        let text = match self {
            Self::Chars { alphabet, length } => return random::text(alphabet, *length),
            Self::Uuid => uuid(&random::bytes(16)?),
            Self::Bytes { encoding, count } => {
                let bytes = random::bytes(*count)?;
                match encoding {
                    Format::Hex => return Ok(hex(&bytes)),
                    Format::Base64 => STANDARD.encode(&*bytes),
                    Format::Whsec => {
                        return Ok(Zeroizing::new(["whsec_", &Zeroizing::new(STANDARD.encode(&*bytes))].concat()));
                    }
                    _ => URL_SAFE_NO_PAD.encode(&*bytes),
                }
            }
        };
        Ok(Zeroizing::new(text))
    }
}

fn pair(kind: KeyKind, encoding: Encoding) -> Result<Credential, Failure> {
    let pair = keys::generate(kind, encoding)?;
    let jwks = json!({"keys": [pair.public.jwk()]}).to_string();
    Ok(Credential::of_value(pair.private)
        .with("public", Secret::new(pair.public_pem))
        .with("jwks", Secret::new(jwks))
        .with("kid", Secret::new(pair.public.thumbprint())))
}

/// Hexadecimal digits of bytes.
pub(in super::super) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    text
}

fn uuid(random: &[u8]) -> String {
    let mut bytes = Zeroizing::new([0; 16]);
    bytes.copy_from_slice(random);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes[..]);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
