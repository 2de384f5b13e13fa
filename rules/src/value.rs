//! What can be said of a value without keeping it: its shape, its keyed fingerprint, whether it gives itself away.

use serde::Serialize;

use crate::model::{Fingerprint, FingerprintKey, Key, Secret};

/// What is known of a value. Never the value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Value {
    /// What it looks like.
    pub shape: Shape,
    /// Its fingerprint, where it was read and is a literal.
    pub fingerprint: Option<Fingerprint>,
    /// The fingerprints of the secrets inside it: the password of a database URL.
    pub parts: Vec<Fingerprint>,
    /// Whether it is so short or so common that two equal ones may be a coincidence.
    pub guessable: bool,
    /// Why it is plainly a secret, whatever its name says.
    pub reveals: Option<Reveals>,
}

/// What a value looks like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Not read.
    Unread,
    /// Empty.
    Empty,
    /// A stand-in such as `changeme` or `<your-key>`.
    Placeholder,
    /// A pointer to where the value is: `${X}`, `op://…`, `vault:…`.
    Reference,
    /// Encrypted at rest: a SealedSecret's data.
    Encrypted,
    /// A real value.
    Literal,
}

/// Why a value is plainly a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reveals {
    /// A URL or connection string with a literal password in it.
    UrlPassword,
    /// A PEM private key.
    PrivateKey,
    /// A long random string.
    RandomToken,
}

impl Reveals {
    /// The thing, with its article, for a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::UrlPassword => "a URL or connection string with a password in it",
            Self::PrivateKey => "a private key",
            Self::RandomToken => "a long random token",
        }
    }
}

impl Value {
    /// A value that was not read.
    pub fn unread() -> Self {
        Self::of_shape(Shape::Unread)
    }

    /// A value of which only the shape is known.
    pub fn of_shape(shape: Shape) -> Self {
        Self { shape, fingerprint: None, parts: Vec::new(), guessable: false, reveals: None }
    }

    /// Observes a value that was read.
    pub fn observe(value: &Secret, key: &FingerprintKey) -> Self {
        let text = value.expose();
        let shape = shape(text);
        if shape != Shape::Literal {
            return Self::of_shape(shape);
        }
        let password = url_password(text);
        Self {
            shape,
            fingerprint: Some(key.fingerprint(value)),
            parts: password.iter().map(|password| key.fingerprint(password)).collect(),
            guessable: is_guessable(text),
            reveals: reveals(text),
        }
    }

    /// Whether a real value is there that was read.
    pub fn is_literal(&self) -> bool {
        self.shape == Shape::Literal
    }
}

/// Words that a stand-in consists of.
const PLACEHOLDER_WORDS: &[&str] = &[
    "changeme",
    "change",
    "replaceme",
    "replace",
    "placeholder",
    "example",
    "sample",
    "dummy",
    "todo",
    "fixme",
    "tbd",
    "redacted",
    "insert",
    "fill",
    "fillme",
    "none",
    "null",
    "nil",
    "undefined",
    "unset",
    "secret",
    "password",
    "passwd",
    "pass",
    "xxx",
    "foo",
    "bar",
    "test",
    "your",
    "mysecret",
    "mypassword",
    "notset",
];

/// Small words that a stand-in may have between the others: `change_me_in_production`.
const FILLER_WORDS: &[&str] = &[
    "me",
    "in",
    "it",
    "the",
    "a",
    "an",
    "here",
    "this",
    "my",
    "with",
    "real",
    "value",
    "key",
    "token",
    "api",
    "now",
    "please",
    "for",
    "to",
    "be",
    "set",
    "not",
    "prod",
    "production",
    "dev",
    "local",
    "app",
    "id",
    "client",
    "db",
    "database",
    "url",
    "long",
    "random",
    "string",
    "by",
    "vault",
    "ci",
    "before",
    "deploy",
    "use",
    "strong",
    "user",
    "name",
];

/// What a value looks like.
pub fn shape(text: &str) -> Shape {
    let text = text.trim();
    if text.is_empty() {
        Shape::Empty
    } else if text.starts_with("encrypted:") || text.starts_with("ENC[") {
        // dotenvx and SOPS.
        Shape::Encrypted
    } else if is_reference(text) {
        Shape::Reference
    } else if is_placeholder(text) {
        Shape::Placeholder
    } else {
        Shape::Literal
    }
}

fn is_reference(text: &str) -> bool {
    // A URL that is completed when it is loaded: `postgres://app:${PASSWORD}@db/app`.
    if text.contains("://") && ["${", "$(", "{{"].iter().any(|open| text.contains(open)) && url_password(text).is_none()
    {
        return true;
    }
    const SCHEMES: &[&str] = &[
        "op://",
        "ref+",
        "vault:",
        "vault://",
        "arn:aws:secretsmanager:",
        "arn:aws:ssm:",
        "awssm://",
        "gcpsm://",
        "akv://",
        "sops://",
        "env:",
        "keyring:",
        "@Microsoft.KeyVault(",
        "secretref:",
    ];
    let enclosed = |open: &str, close: &str| {
        text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).is_some_and(|inner| !inner.contains(open))
    };
    enclosed("${", "}")
        || enclosed("$(", ")")
        || enclosed("{{", "}}")
        || enclosed("exec(", ")")
        || SCHEMES.iter().any(|scheme| text.starts_with(scheme))
        || text.strip_prefix('$').is_some_and(|name| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}

fn is_placeholder(text: &str) -> bool {
    let enclosed = |open: char, close: char| text.starts_with(open) && text.ends_with(close) && text.len() > 2;
    if enclosed('<', '>') || (enclosed('[', ']') && !text.contains([',', '"'])) {
        return true;
    }
    let mut chars = text.chars();
    if let Some(first) = chars.next()
        && text.len() >= 3
        && "*xX.-_#?".contains(first)
        && chars.all(|c| c == first)
    {
        return true;
    }
    let lower = text.to_lowercase();
    let mut named = false;
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let same = word.len() > 2 && word.chars().all(|c| c == 'x');
        if same || PLACEHOLDER_WORDS.contains(&word) {
            named = true;
        } else if !word.is_empty() && !FILLER_WORDS.contains(&word) {
            return false;
        }
    }
    named
}

/// Whether two equal values may be a coincidence: short, one of the usual defaults, hardly any different letters; or
/// public anyway, as a certificate is.
pub(crate) fn is_guessable(text: &str) -> bool {
    const COMMON: &[&str] =
        &["postgres", "username", "localhost", "password", "administrator", "development", "production"];
    let mut letters: Vec<char> = text.chars().collect();
    let length = letters.len();
    letters.sort_unstable();
    letters.dedup();
    length < 8
        || (text.contains("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY"))
        || letters.len() < 5
        || COMMON.contains(&text.to_lowercase().as_str())
        || text.chars().all(|c| c.is_ascii_digit() || c == '.')
        || text.starts_with('/')
        || (text.contains("://") && url_password(text).is_none())
}

fn reveals(text: &str) -> Option<Reveals> {
    if url_password(text).is_some() || has_password_field(text) {
        Some(Reveals::UrlPassword)
    } else if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        Some(Reveals::PrivateKey)
    } else if is_random_token(text) {
        Some(Reveals::RandomToken)
    } else {
        None
    }
}

/// Whether a text is a long run of token characters that no person would type: letters of both cases and digits
/// mixed, or a vendor's prefix before such a run; never a hexadecimal digest, a UUID, a path or a host.
pub(crate) fn is_random_token(text: &str) -> bool {
    let token_char = |c: char| c.is_ascii_alphanumeric() || "_-+/=".contains(c);
    if text.len() < 20 || !text.chars().all(token_char) || text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return false;
    }
    let (mut lower, mut upper, mut digit) = (0, 0, 0);
    for c in text.chars() {
        lower += u32::from(c.is_ascii_lowercase());
        upper += u32::from(c.is_ascii_uppercase());
        digit += u32::from(c.is_ascii_digit());
    }
    let changes = text.as_bytes().windows(2).filter(|pair| kind_of(pair[0]) != kind_of(pair[1])).count();
    digit >= 2 && (lower.min(upper) >= 3 || (lower.max(upper) >= 6 && digit >= 6)) && changes * 4 >= text.len()
}

fn kind_of(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

/// The literal password of a URL (`scheme://user:password@host`), percent-decoded; `None` where there is none or it
/// is a placeholder or a reference.
pub fn url_password(text: &str) -> Option<Secret> {
    let (scheme, rest) = text.trim().split_once("://")?;
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c)) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, host) = authority.rsplit_once('@')?;
    let (_, password) = user_info.split_once(':')?;
    let password = Secret::new(percent_decode(password));
    (!host.is_empty() && shape(password.expose()) == Shape::Literal).then_some(password)
}

/// Whether a connection string has a literal password: `Server=db;User Id=app;Password=…`.
fn has_password_field(text: &str) -> bool {
    let is_password = |name: &str| ["password", "pwd"].iter().any(|known| name.trim().eq_ignore_ascii_case(known));
    text.contains(';')
        && (text.split(';').filter_map(|field| field.split_once('=')))
            .any(|(name, value)| is_password(name) && shape(value) == Shape::Literal)
}

pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

/// Whether a variable is a secret by its name alone: `DB_PASSWORD`, `STRIPE_API_KEY`, `SESSION_SECRET`, `SMTP_PASS`.
pub fn is_secret_name(key: &Key) -> bool {
    /// What a word of a secret's name ends with: `PASSWORD`, `DBPASSWORD`.
    const ENDINGS: &[&str] = &[
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "SECRETS",
        "TOKEN",
        "APIKEY",
        "SECRETKEY",
        "ACCESSKEY",
        "CREDENTIAL",
        "CREDENTIALS",
        "PASSPHRASE",
        "PEPPER",
    ];
    const WORDS: &[&str] = &["PWD", "PASS", "PGPASS"];
    /// Last words that make a name one *about* a secret: `TOKEN_TTL`, `PASSWORD_MIN_LENGTH`, `SECRET_NAME`.
    const ABOUT: &[&str] = &[
        "TTL",
        "LENGTH",
        "NAME",
        "PATH",
        "FILE",
        "DIR",
        "URL",
        "URI",
        "ENDPOINT",
        "EXPIRY",
        "EXPIRES",
        "EXPIRATION",
        "LIFETIME",
        "ENABLED",
        "ID",
        "COUNT",
        "LIMIT",
        "LIMITS",
        "TIMEOUT",
        "ALGORITHM",
        "HEADER",
        "PREFIX",
        "HOST",
        "PORT",
        "ISSUER",
        "AUDIENCE",
        "POLICY",
        "STORE",
        "BACKEND",
        "PROVIDER",
        "TYPE",
        "FIELD",
        "SECONDS",
        "MINUTES",
        "HOURS",
        "DAYS",
        "MOUNT",
        "REQUIRED",
        "BUDGET",
        "VERSION",
        "REGION",
        "MANAGER",
        "INTERVAL",
        "HASHING",
        "SIGNING",
        "MODE",
    ];
    /// What a key is of, where it is no secret: `PUBLIC_KEY`, `PRIMARY_KEY`.
    const OF_NO_SECRET: &[&str] = &[
        "PUBLIC",
        "PUBLISHABLE",
        "PRIMARY",
        "FOREIGN",
        "SORT",
        "PARTITION",
        "CACHE",
        "IDEMPOTENCY",
        "INDEX",
        "OBJECT",
        "HASH",
        "UNIQUE",
        "HOT",
        "SHARD",
    ];
    let words: Vec<&str> = key.words().collect();
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    if ABOUT.contains(last) || before.iter().any(|word| OF_NO_SECRET.contains(word)) {
        return false;
    }
    words.iter().any(|word| WORDS.contains(word) || ENDINGS.iter().any(|ending| word.ends_with(ending)))
        || (*last == "KEY" && !before.is_empty())
        || *last == "DSN"
}

#[cfg(test)]
mod tests;
