use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;

use super::parts::secret_parts;
use super::spellings::spellings;
use super::{Audit, KnownValues, Reason, RetiredFingerprints, Searchable};
use crate::model::{FingerprintKey, Secret};
use crate::search::{Found, Hit, Hits, Search};

mod encoded;

const KEY: [u8; 32] = [7; 32];

fn known(values: &[&str]) -> KnownValues {
    let mut builder = KnownValues::builder(KEY);
    for (id, value) in values.iter().enumerate() {
        builder.add(id as u32, &Secret::from(*value), &[]);
    }
    builder.build()
}

/// What a search of the ranges finds: the ids and where.
fn found_in(known: &KnownValues, text: &[u8], changed: Range<usize>) -> BTreeSet<(u32, usize, usize)> {
    let mut hits = Hits::default();
    known.search(text, changed, &mut Default::default(), &mut hits);
    hits.hits.iter().map(place).collect()
}

fn place(hit: &Hit) -> (u32, usize, usize) {
    let Found::Known(id) = hit.found else { panic!("no detector was asked") };
    assert!(hit.depends.start <= hit.value.start && hit.value.end <= hit.depends.end && hit.decoded.is_none());
    (id, hit.value.start, hit.value.end)
}

fn found(known: &KnownValues, text: &[u8]) -> BTreeSet<(u32, usize, usize)> {
    found_in(known, text, 0..text.len())
}

/// Every place of every spelling, by looking at each place for each.
fn naive(values: &[&str], text: &[u8]) -> BTreeSet<(u32, usize, usize)> {
    let mut places = BTreeSet::new();
    for (id, value) in values.iter().enumerate() {
        for spelling in spellings(value) {
            let starts = text.windows(spelling.len()).enumerate().filter(|(_, window)| *window == spelling.as_slice());
            places.extend(starts.map(|(start, _)| (id as u32, start, start + spelling.len())));
        }
    }
    places
}

/// Values that are searched for anywhere.
fn value(length: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![4 => 33_u8..127, 1 => b'0'..=b'9'], length)
        .prop_map(|bytes| bytes.into_iter().map(char::from).collect::<String>())
        .prop_filter("searchable bare", |value| {
            known(&[value]).audit().anywhere == 1
                && secret_parts(value).len() == 1
                && secret_parts(value)[0].expose() == value
        })
}

proptest! {
    #[test]
    fn every_literal_spelling_is_found_at_every_offset(
        value in value(8..60),
        others in proptest::collection::vec(value(8..40), 0..5),
        before in proptest::collection::vec(any::<u8>(), 0..40),
        after in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let values: Vec<&str> = others.iter().map(String::as_str).chain([value.as_str()]).collect();
        let known = known(&values);
        for spelling in spellings(&value) {
            let text = [before.as_slice(), &spelling, &after].concat();
            let wanted = (others.len() as u32, before.len(), before.len() + spelling.len());
            prop_assert!(found(&known, &text).contains(&wanted), "{:?}", String::from_utf8_lossy(&spelling));
        }
    }

    #[test]
    fn what_is_found_is_what_a_naive_search_finds(
        values in proptest::collection::vec("[abc]{2}[0-9A-C]{6,10}", 1..6),
        pieces in proptest::collection::vec((0_usize..8, 0_usize..40, 0_usize..20), 0..12),
        noise in "[abcABC0-9]{0,60}",
    ) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let known = known(&values);
        prop_assume!(known.audit().anywhere == values.len());
        let mut text = Vec::new();
        for (at, spelling, skip) in pieces {
            let all = spellings(values[at % values.len()]);
            text.extend_from_slice(&all[spelling % all.len()]);
            text.extend_from_slice(noise.as_bytes().get(skip..).unwrap_or_default());
        }
        let wanted = naive(&values, &text);
        let found = found(&known, &text);
        prop_assert!(wanted.is_subset(&found), "{:?}", wanted.difference(&found));
    }

    #[test]
    fn a_base64_letter_is_used_only_if_the_value_determines_it(
        value in "[!-~]{8,40}",
        before in proptest::collection::vec(any::<u8>(), 0..5),
        after in proptest::collection::vec(any::<u8>(), 0..5),
    ) {
        let bytes = [before.as_slice(), value.as_bytes(), &after].concat();
        let encoded = base64(&bytes);
        let holds = |spelling: &[u8]| encoded.as_bytes().windows(spelling.len()).any(|window| window == spelling);
        prop_assert!(spellings(&value).iter().any(|spelling| holds(spelling)), "{encoded}");
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, at| word << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let letter = char::from(ALPHABET[(word >> (18 - 6 * at) & 63) as usize]);
            text.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[test]
fn values_that_anybody_has_are_not_searched_for_anywhere() {
    let mut builder = KnownValues::builder(KEY);
    let mut add = |value: &str, names: &[&str]| builder.add(1, &Secret::from(value), names);
    for value in ["hT4-9sXq", "0c5a1f6e-9e0e-4e9a-8a55-3a1e5b7a9b10", "correct-horse-battery-staple", "Tr0ub4dor&3"] {
        assert_eq!(add(value, &[]), Searchable::Anywhere, "{value}");
    }
    for (value, reason) in [
        ("5432", Reason::Short),
        ("s3cr3t", Reason::Short),
        ("changeme", Reason::Placeholder),
        ("administrator", Reason::Guessable),
        ("abcdefgh", Reason::Guessable),
        ("1234567890", Reason::Digits),
        ("2026-01-31T00:00:00Z", Reason::Digits),
        ("db.internal.example.com:5432", Reason::Locator),
        ("/etc/ssl/private/key.pem", Reason::Locator),
        ("https://example.com/login", Reason::Locator),
        ("keycloak-client", Reason::Words),
        ("development_cluster", Reason::Words),
    ] {
        assert_eq!(add(value, &["DB_PASSWORD"]), Searchable::NearItsName(reason), "{value}");
        assert_eq!(add(value, &[]), Searchable::Not(Reason::Nameless), "{value}");
    }
    for (value, reason) in [
        ("", Reason::Empty),
        ("abc", Reason::Short),
        ("${DB_PASSWORD}", Reason::Reference),
        ("encrypted:BDqD3Yt1", Reason::Encrypted),
    ] {
        assert_eq!(add(value, &["DB_PASSWORD"]), Searchable::Not(reason), "{value}");
    }
    let Audit { anywhere, near_names, not_searchable, spellings } = builder.build().audit().clone();
    assert_eq!((anywhere, near_names.values().sum::<usize>()), (4, 12));
    assert_eq!(not_searchable.get(&Reason::Nameless), Some(&12));
    assert!(spellings > 20);
}

#[test]
fn a_guessable_value_is_found_beside_its_name_alone() {
    let mut builder = KnownValues::builder(KEY);
    builder.add(3, &Secret::from("admin"), &["DB_PASSWORD", "PGPW"]);
    let known = builder.build();
    for text in [
        "DB_PASSWORD=admin",
        "dbPassword: 'admin'\n",
        "\"db-password\": \"admin\"",
        "- name: DB_PASSWORD\n  value: admin\n",
        "MY_DB_PASSWORD = admin.",
        "pgpw admin;",
    ] {
        let start = text.find("admin").expect("it is there");
        assert_eq!(found(&known, text.as_bytes()), BTreeSet::from([(3, start, start + 5)]), "{text}");
    }
    let far = format!("DB_PASSWORD{}admin", " ".repeat(90));
    for text in ["admin", "user=admin", "DB_PASSWORD=admin-console", "DB_PASSWORD_FILE=admin", "pgpws=admin", &far] {
        assert_eq!(found(&known, text.as_bytes()), BTreeSet::new(), "{text}");
    }
}

#[test]
fn of_structured_values_the_secret_parts_are_searched_for() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDK4x9QZz1".to_owned() + &"aB3dE5gH7j".repeat(30);
    let pem = |label: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let pem = pem("PRIVATE KEY");
    let account = format!("{{\"type\":\"service_account\",\"client_id\":\"1234567890123\",\"private_key\":{pem:?}}}");
    for (value, secret) in [
        ("postgres://app:tiger-9x%2FQ@db.example.com:5432/app", "tiger-9x/Q"),
        ("postgres://app:tiger-9x%2FQ@db.example.com:5432/app", "tiger-9x%2FQ"),
        ("Server=db;User Id=app;Password=tiGer9-xx;", "tiGer9-xx"),
        ("host=db user=app password=tiGer9-xx", "tiGer9-xx"),
        ("Bearer kT9-vbQ2x", "kT9-vbQ2x"),
        ("deploy:kT9-vbQ2x", "kT9-vbQ2x"),
        ("{\"user\":\"app\",\"auth\":{\"password\":\"kT9-vbQ2x\"}}", "kT9-vbQ2x"),
        ("https://example.com/hook?token=kT9-vbQ2x&v=1", "kT9-vbQ2x"),
        ("\"kT9-vbQ2x\"\n", "kT9-vbQ2x"),
        (&pem, &body[60..]),
        (&account, &body[60..]),
    ] {
        let known = known(&[value]);
        assert_eq!(known.audit().anywhere, 1, "{secret}");
        assert!(!found(&known, secret.as_bytes()).is_empty(), "{secret}");
    }
    assert!(
        found(&known(&["postgres://app:tiger-9x@db.example.com:5432/app"]), b"@db.example.com:5432/app").is_empty()
    );
}

#[test]
fn one_place_is_reported_once_and_as_the_longest_value() {
    let known = known(&["kT9-vbQ2x", "kT9-vbQ2x-77aLm", "aLm+Zq81pp"]);
    let mut hits = Hits::default();
    let text = b"x kT9-vbQ2x-77aLm+Zq81pp kT9-vbQ2x";
    known.search(text, 0..text.len(), &mut Default::default(), &mut hits);
    known.search(text, 3..9, &mut Default::default(), &mut hits);
    known.settle(&mut hits.hits);
    assert_eq!(hits.hits.iter().map(place).collect::<Vec<_>>(), [(1, 2, 17), (0, 25, 34)]);
}

#[test]
fn retired_values_are_recognised_by_their_fingerprints() {
    let key = FingerprintKey::new(KEY);
    let mut retired = RetiredFingerprints::new(key.clone());
    assert!(retired.is_empty());
    retired.add(4, key.fingerprint(&Secret::from("kT9-vbQ2x")));
    assert_eq!(retired.len(), 1);
    assert_eq!(retired.find(&Secret::from("kT9-vbQ2x")), Some(4));
    assert_eq!(retired.find(&Secret::from(" 'kT9-vbQ2x'")), Some(4));
    assert_eq!(retired.find(&Secret::from("kT9-vbQ2y")), None);
}
