//! The names that secrets have, and the words around them that say what a value is for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use crate::detectors::Literal;

/// What kind of secret a name promises.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `password`, `passwd`, `passphrase`, `pwd`.
    Password,
    /// `secret`, `client_secret`.
    Secret,
    /// `token`, `jwt`.
    Token,
    /// `api_key`, `privateKey`; a mere `key` is none.
    Key,
    /// `auth`, `authorization`.
    Auth,
    /// `credential`.
    Credential,
    /// `salt`, `nonce`.
    Salt,
    /// An authorization scheme, `Basic` or `Bearer`.
    Scheme,
    /// A command that takes a password as an option.
    Command,
}

/// The texts near which a secret may stand, in lower case, and what they promise. Of those that begin alike the longer
/// stands first.
const KEYWORDS: &[(&str, Kind)] = &[
    ("pass", Kind::Password),
    ("_pwd", Kind::Password),
    ("pwd=", Kind::Password),
    ("pwd:", Kind::Password),
    ("pwd\"", Kind::Password),
    ("pwd'", Kind::Password),
    ("pwd ", Kind::Password),
    ("pwd\\", Kind::Password),
    ("pwd(", Kind::Password),
    ("pwd>", Kind::Password),
    (" pw=", Kind::Password),
    (" pw =", Kind::Password),
    (" pw:", Kind::Password),
    ("\"pw\"", Kind::Password),
    ("'pw'", Kind::Password),
    ("_pw=", Kind::Password),
    ("_pw ", Kind::Password),
    ("_pw:", Kind::Password),
    ("kennwort", Kind::Password),
    ("contrase", Kind::Password),
    ("identified by", Kind::Password),
    ("secret", Kind::Secret),
    ("token", Kind::Token),
    ("apikey", Kind::Key),
    ("auth", Kind::Auth),
    ("credential", Kind::Credential),
    ("creds", Kind::Credential),
    ("salt", Kind::Salt),
    ("nonce", Kind::Salt),
    ("_key", Kind::Key),
    ("-key", Kind::Key),
    (".key", Kind::Key),
    (" key:", Kind::Key),
    (" key =", Kind::Key),
    (" key=", Kind::Key),
    ("skey", Kind::Key),
    ("tkey", Kind::Key),
    ("ekey", Kind::Key),
    ("nkey", Kind::Key),
    ("rkey", Kind::Key),
    ("gkey", Kind::Key),
    ("hkey", Kind::Key),
    ("ykey", Kind::Key),
    ("lkey", Kind::Key),
    ("dkey", Kind::Key),
    ("pkey", Kind::Key),
    ("basic ", Kind::Scheme),
    ("bearer ", Kind::Scheme),
    ("mysql", Kind::Command),
    ("curl ", Kind::Command),
    ("wget ", Kind::Command),
    ("docker login", Kind::Command),
];

/// Of each keyword its first four bytes, as [`head`] folds them.
const HEADS: [u32; KEYWORDS.len()] = {
    let mut heads = [0; KEYWORDS.len()];
    let mut number = 0;
    while number < KEYWORDS.len() {
        if let Some(first) = KEYWORDS[number].0.as_bytes().first_chunk() {
            heads[number] = head(first);
        }
        number += 1;
    }
    heads
};

/// Four bytes as one number, letters in lower case, and some other bytes made equal.
const fn head(bytes: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*bytes) | 0x2020_2020
}

/// The texts that [`find`] knows, for the prefilter.
pub(super) fn literals() -> Vec<Literal> {
    KEYWORDS.iter().map(|&(text, _)| Literal::any_case(text)).collect()
}

/// The keyword that starts at `at`: its length in bytes and what it promises.
pub(super) fn find(text: &[u8], at: usize) -> Option<(usize, Kind)> {
    let rest = text.get(at..)?;
    let first = head(rest.first_chunk()?);
    HEADS
        .iter()
        .zip(KEYWORDS)
        .filter(|(head, _)| **head == first)
        .find(|(_, (word, _))| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes())))
        .map(|(_, &(word, kind))| (word.len(), kind))
}

/// Whether a byte may stand in a name.
pub(super) fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The whole name around a keyword, at most 64 bytes to either side.
pub(super) fn whole(text: &[u8], keyword: Range<usize>) -> Range<usize> {
    let trimmed = text[keyword.clone()].iter().rev().take_while(|byte| !in_name(**byte)).count();
    let last = keyword.end - trimmed;
    // A keyword that begins with a blank wants the word before it too: `Consumer Key:`.
    let lead = text[keyword.clone()].iter().take_while(|byte| matches!(**byte, b'"' | b'\'')).count();
    let first = keyword.start + lead;
    let before = text[..first].iter().rev().take(64).take_while(|byte| in_name(**byte)).count();
    // A keyword that brings its own end (`pwd=`) is whole; else the name goes on.
    let after = if trimmed > 0 { 0 } else { text[last..].iter().take(64).take_while(|byte| in_name(**byte)).count() };
    first - before..last + after
}

/// Whether a keyword is the beginning of another word: `author`, `passenger`, `tokenizer`.
pub(super) fn is_another_word(text: &[u8], keyword: Range<usize>) -> bool {
    let word = &text[keyword.clone()];
    let rest = &text[keyword.end..];
    let goes_on = |ends: &[&str]| {
        ends.iter().any(|end| rest.get(..end.len()).is_some_and(|head| head.eq_ignore_ascii_case(end.as_bytes())))
    };
    match word[0].to_ascii_lowercase() {
        b'p' if word.len() == 4 && word[1].eq_ignore_ascii_case(&b'a') => {
            rest.first().is_some_and(u8::is_ascii_lowercase) && !goes_on(&["w", "phrase", "code", "in", "out", "key"])
        }
        b'a' if word.len() == 4 => goes_on(&["or"]) && !goes_on(&["oriz", "oris"]),
        b't' if word.len() == 5 => goes_on(&["iz", "is"]),
        b's' if word.len() == 6 => goes_on(&["ar"]),
        _ => false,
    }
}

/// Groups of words in a name, as bits: [`words`] gives their union.
pub(super) mod group {
    /// What the value is called, not what it is: `name`, `id`, `type`.
    pub(in super::super) const META: u32 = 1;
    /// `file`, `path`, `url`.
    pub(in super::super) const PLACE: u32 = 1 << 1;
    /// Texts that people read: `label`, `title`, `message`.
    pub(in super::super) const SHOWN: u32 = 1 << 2;
    /// `hash`, `digest`, `fingerprint`.
    pub(in super::super) const HASH: u32 = 1 << 3;
    /// Numbers and times: `length`, `ttl`, `expires`.
    pub(in super::super) const NUMBER: u32 = 1 << 4;
    /// Parts of a program: `callback`, `handler`, `field`.
    pub(in super::super) const PROGRAM: u32 = 1 << 5;
    /// What one does with it: `get`, `reset`, `validate`.
    pub(in super::super) const ACT: u32 = 1 << 6;
    /// Questions: `is`, `has`, `enabled`.
    pub(in super::super) const QUESTION: u32 = 1 << 7;
    /// Keys that are no secrets: `primary`, `foreign`, `public`, `cache`.
    pub(in super::super) const OPEN: u32 = 1 << 8;
    /// Words that stress that it is a secret: `private`, `access`, `client`, `api`.
    pub(in super::super) const STRONG: u32 = 1 << 9;
    /// Systems: `db`, `redis`, `smtp`, `admin`.
    pub(in super::super) const SYSTEM: u32 = 1 << 10;
    /// `test`, `example`, `mock`, `invalid`.
    pub(in super::super) const TEST: u32 = 1 << 11;
    /// `user`, `login`, `email`.
    pub(in super::super) const USER: u32 = 1 << 12;
    /// `new`, `old`, `confirm`, `repeat`, `1`.
    pub(in super::super) const VARIANT: u32 = 1 << 13;
}

const GROUPS: &[(u32, &str)] = &[
    (
        group::META,
        "name names id ids type types kind class alias version mode method format alg algorithm algo \
         provider scheme service status state prefix suffix role scope scopes issuer audience sid realm \
         style encoding policy strategy backend storage store manager source ref reference group author \
         authors authority authorizer namespace domain usage",
    ),
    (
        group::PLACE,
        "file files path paths dir folder url urls uri uris endpoint host server location redirect page \
         route link pem filename keyfile certfile callback",
    ),
    (
        group::SHOWN,
        "label title message messages msg error errors err prompt hint tooltip placeholder description \
         desc help mandatory caption advice question warning notice instructions category tip forgot \
         forgotten mismatch matching",
    ),
    (
        group::HASH,
        "hash hashed digest sum checksum sha sha1 sha256 sha512 md5 fingerprint thumbprint crypted \
         integrity etag commit revision encrypted ciphertext signature",
    ),
    (
        group::NUMBER,
        "length len size count min max limit bits bytes ttl expires expiry expiration expire age time \
         timeout date validity lifetime interval retries number num index idx offset start end pos \
         position line port level rounds iterations lifespan seconds minutes days",
    ),
    (
        group::PROGRAM,
        "handler func function field fields column param params parameter parameters attr attribute input \
         form view button event listener factory builder service util utils helper model entity dto \
         request response header headers option options config args arg var env spec schema regex pattern \
         parser lexer stream iter tree list set map dict array rules data tokenizer tokenize tokens \
         tokenized validator encoder decoder middleware module plugin result flow",
    ),
    (
        group::ACT,
        "get gets create generate gen make build check validate verify verification reset change update \
         delete remove read write load save parse find fetch decode encode encrypt decrypt compare match \
         matches equals show hide toggle request require revoke rotate sign register init initialize \
         import export add setup next peek authenticate authorize by from",
    ),
    (
        group::QUESTION,
        "is has have can should use uses enable enabled disable disabled allow allowed required requires \
         optional no not without with needs need supports supported changed expired called ok",
    ),
    (
        group::OPEN,
        "primary foreign public pub cache sort partition unique hash row object bucket lookup hot \
         dictionary registry press up down arrow translation i18n locale config storage idempotency \
         composite site keyboard shortcut group item entry property metadata tag attribute parent csrf \
         xsrf page continuation cancellation cancel",
    ),
    (
        group::STRONG,
        "private access client api app master encryption signing consumer bearer jwt hmac ssh shared \
         subscription license account oauth oauth2 personal totp mfa otp webhook cookie session refresh \
         deploy service bot install integration security symmetric recovery rsa aes",
    ),
    (
        group::SYSTEM,
        "db database mysql postgres postgresql pg redis mongo mongodb smtp mail ldap root admin aws azure \
         gcp google github gitlab slack stripe twilio sendgrid heroku npm docker oracle sa rabbitmq amqp \
         kafka elastic ftp sftp keystore truststore wifi wpa proxy jdbc rds facebook twitter dropbox \
         sentry datadog s3 firebase mapbox algolia jenkins sonar grafana vault",
    ),
    (
        group::TEST,
        "test tests testing example sample mock fake dummy demo foo bar stub fixture expected default bad \
         invalid incorrect wrong unauthorized malformed",
    ),
    (group::USER, "user users username login email mail customer person member"),
    (group::VARIANT, "new old confirm confirmation repeat again current previous original retype verify temp tmp"),
];

/// The words of a name, each as a range: split at separators, and where a capital follows a small letter.
pub(super) fn split(name: &[u8], mut word: impl FnMut(Range<usize>)) {
    let mut start = 0;
    for at in 0..=name.len() {
        let ends = at == name.len() || !name[at].is_ascii_alphanumeric();
        let hump = !ends
            && at > start
            && name[at].is_ascii_uppercase()
            && (name[at - 1].is_ascii_lowercase() || name.get(at + 1).is_some_and(u8::is_ascii_lowercase));
        if ends || hump {
            if at > start {
                word(start..at);
            }
            start = if ends { at + 1 } else { at };
        }
    }
}

/// The groups of each word that is known.
fn known() -> &'static BTreeMap<&'static [u8], u32> {
    static KNOWN: OnceLock<BTreeMap<&'static [u8], u32>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut known = BTreeMap::new();
        for (group, words) in GROUPS {
            for word in words.split_ascii_whitespace() {
                *known.entry(word.as_bytes()).or_insert(0) |= group;
            }
        }
        known
    })
}

/// No known word is longer.
const LONGEST_WORD: usize = 16;

/// The groups that the words of a name belong to, and the groups of its last word.
pub(super) fn groups(name: &[u8]) -> (u32, u32) {
    let (mut all, mut last) = (0, 0);
    split(name, |range| {
        let mut lower = [0; LONGEST_WORD];
        let word = &name[range];
        last = lower.get_mut(..word.len()).map_or(0, |lower| {
            lower.copy_from_slice(word);
            lower.make_ascii_lowercase();
            known().get(&*lower).copied().unwrap_or(0)
        });
        all |= last;
    });
    (all, last)
}
