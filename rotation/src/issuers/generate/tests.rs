use regex::Regex;
use serde_json::{Value, json};

use super::super::testing::{assert_hidden, context, credential, issuer, part, refusal, value};
use super::*;

fn made(table: Value) -> Credential {
    issuer("generate", table).choose(None).unwrap().unwrap()
}

#[test]
fn every_format_looks_as_it_should() {
    let formats = [
        (json!({}), "[A-Za-z0-9_-]{43}"),
        (json!({"format": "urlsafe64", "bytes": 48, "prefix": "kt_"}), "kt_[A-Za-z0-9_-]{64}"),
        (json!({"format": "base64", "bytes": 32}), "[A-Za-z0-9+/]{43}="),
        (json!({"format": "hex"}), "[0-9a-f]{64}"),
        (json!({"format": "alphanumeric"}), "[A-Za-z0-9]{43}"),
        (json!({"format": "alphanumeric", "length": 30}), "[A-Za-z0-9]{30}"),
        (json!({"format": "charset", "charset": "äbç!", "length": 100}), "[äbç!]{100}"),
        (json!({"format": "uuid"}), "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        (json!({"format": "whsec"}), "whsec_[A-Za-z0-9+/]{43}="),
        (json!({"format": "whsec", "bytes": 64}), "whsec_[A-Za-z0-9+/]{86}=="),
        (json!({"format": "charset", "charset": "0123456789", "length": 6, "weak": true}), "[0-9]{6}"),
    ];
    for (table, pattern) in formats {
        let pattern = Regex::new(&format!("^(?:{pattern})$")).unwrap();
        let (one, other) = (made(table.clone()), made(table.clone()));
        assert!(pattern.is_match(value(&one)), "{table}");
        assert!(value(&one) != value(&other) || table["weak"] == true, "{table}");
        assert_hidden(&one, &[value(&one)]);
    }
}

#[test]
fn a_value_has_every_class_that_it_must_contain() {
    let table = json!({
        "format": "charset", "charset": "abcdefghijklmnopqrstuvwxyzA7!", "length": 30,
        "must_contain": ["lower", "upper", "digit", "symbol"]
    });
    for _ in 0..20 {
        let made = made(table.clone());
        let text = value(&made);
        assert_eq!(text.len(), 30);
        assert!("A7!".chars().all(|c| text.contains(c)) && text.contains(|c: char| c.is_ascii_lowercase()));
    }
}

#[test]
fn what_cannot_be_or_could_be_guessed_is_refused() {
    let refused = [
        (
            json!({"format": "alphanumeric", "length": 12}),
            "such a value has 71 bits and could be guessed: 128 are needed",
        ),
        (json!({"format": "hex", "bytes": 15}), "such a value has 120 bits and could be guessed: 128 are needed"),
        (json!({"format": "hex", "length": 64}), "`length` does not go with this format"),
        (json!({"format": "uuid", "prefix": "x"}), "`prefix` does not go with this format"),
        (json!({"format": "rsa", "bits": 1024}), "no such key pair"),
        (json!({"format": "ec", "curve": "secp256k1"}), "no such key pair"),
        (json!({"format": "ed25519", "weak": true}), "`weak` does not go with this format"),
        (json!({"format": "charset", "length": 64}), "the format charset needs a `charset`"),
        (json!({"format": "charset", "charset": "aab"}), "a charset is two or more printable characters, each once"),
        (json!({"format": "charset", "charset": "ab\n"}), "a charset is two or more printable characters, each once"),
        (json!({"format": "hex", "must_contain": ["upper"]}), "no value of this format has one of the class upper"),
        (json!({"format": "whsec", "bytes": 16}), "a value of this format has 24 to 64 characters or bytes, not 16"),
        (json!({"bytes": 5000}), "a value of this format has 1 to 4096 characters or bytes, not 5000"),
        (json!({"accepted": {"separator": "-"}}), "the separator of `accepted` may be part of a value"),
        (json!({"accepted": {"separator": ""}}), "the separator of `accepted` may be part of a value"),
        (json!({"format": "ec", "accepted": {"separator": ","}}), "the separator of `accepted` may be part of a value"),
    ];
    for (table, why) in refused {
        assert_eq!(refusal("generate", table.clone()), why, "{table}");
    }
    assert!(refusal("generate", json!({"lenght": 5})).contains("lenght"));
    let impossible = json!({"format": "charset", "charset": "ab", "length": 1, "weak": true});
    let small = issuer("generate", impossible);
    let new = small.choose(Some(&credential("a"))).unwrap().unwrap();
    assert_eq!(value(&new), "b", "never the old one again");
}

#[test]
fn a_key_pair_comes_with_its_public_half() {
    let made = made(json!({"format": "ec", "encoding": "jwk"}));
    let set: Value = serde_json::from_str(part(&made, "jwks")).unwrap();
    let private: Value = serde_json::from_str(value(&made)).unwrap();
    let key = &set["keys"][0];
    assert_eq!((&key["x"], &key["y"], &key["kid"]), (&private["x"], &private["y"], &private["kid"]));
    assert_eq!(key["kid"], part(&made, "kid"));
    assert!(key.get("d").is_none() && private.get("d").is_some());
    assert!(part(&made, "public").starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert_hidden(&made, &[private["d"].as_str().unwrap()]);
}

#[test]
fn consumers_that_accept_several_get_them_all_with_the_newest_first() {
    let alone = issuer("generate", json!({}));
    assert_eq!(alone.nature(), Nature { chooser: Chooser::Keytrail, overlap: Overlap::One, answers: false });
    assert!(alone.accepted(&[&credential("new")]).is_none());
    let several = issuer("generate", json!({"accepted": {"separator": ", "}}));
    assert_eq!(several.nature().overlap, Overlap::Both);
    let both = several.accepted(&[&credential("new"), &credential("old")]).unwrap().unwrap();
    assert_eq!(both.expose(), "new, old");
    let one = several.accepted(&[&credential("new")]).unwrap().unwrap();
    assert_eq!(one.expose(), "new");
    let failure = several.accepted(&[&credential("new"), &credential("whisper, lantern")]).unwrap().unwrap_err();
    assert_hidden(&failure, &["whisper", "lantern"]);
    let odd = credential("whisper, lantern");
    let obstacles = super::unacceptable(&*several, Some(&odd));
    assert_eq!(obstacles, ["a value contains the separator of `accepted`"]);
    assert!(several.accepted(&[&Credential::default()]).unwrap().is_err());
}

#[tokio::test]
async fn every_act_can_be_done_again() {
    let (context, issuer) = (context(), issuer("generate", json!({})));
    let (old, new) = (credential("old"), issuer.choose(None).unwrap().unwrap());
    for _ in 0..2 {
        assert_eq!(issuer.preflight(&context, Some(&old)).await.unwrap(), Vec::<String>::new());
        let set = issuer.set(&context, Some(&old), Some(&new)).await.unwrap();
        assert!(set.agrees_with(&new));
        assert_eq!(issuer.check(&context, &new).await.unwrap(), Answer::Unknown);
        issuer.withdraw(&context, Some(&old), Some(&new)).await.unwrap();
        issuer.revoke(&context, &old, Some(&new)).await.unwrap();
    }
    assert!(issuer.set(&context, Some(&old), None).await.is_err());
}
