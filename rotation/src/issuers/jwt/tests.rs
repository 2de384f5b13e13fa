use serde_json::json;

use super::super::testing::{assert_hidden, context, credential, issuer, part, refusal, value};
use super::*;

fn table(algorithm: &str) -> Value {
    json!({"algorithm": algorithm, "token_ttl": "1h", "jwks_cache": "10 minutes"})
}

fn keys(issuer: &dyn Issuer, credentials: &[&Credential]) -> Vec<Value> {
    let text = issuer.accepted(credentials).unwrap().unwrap();
    let set: Value = serde_json::from_str(text.expose()).unwrap();
    set["keys"].as_array().unwrap().clone()
}

#[test]
fn verifiers_accept_both_and_then_the_new_one_alone() {
    for (algorithm, kty) in [("RS256", "RSA"), ("ES256", "EC"), ("ES384", "EC"), ("EdDSA", "OKP")] {
        let issuer = issuer("jwt", table(algorithm));
        let old = issuer.choose(None).unwrap().unwrap();
        let new = issuer.choose(Some(&old)).unwrap().unwrap();
        let both = keys(&*issuer, &[&new, &old]);
        let kids: Vec<_> = both.iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(kids, [part(&new, "kid"), part(&old, "kid")], "{algorithm}");
        for (key, credential) in both.iter().zip([&new, &old]) {
            assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!(kty), &json!(algorithm), &json!("sig")));
            assert_eq!(PublicKey::of_jwk(&key.to_string()), public_half(credential.value().unwrap()));
            let private = ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|name| key.get(name).is_some());
            assert!(!private, "{algorithm}: a private number in the key set");
        }
        assert_eq!(keys(&*issuer, &[&new]), both[..1]);
        let own: Value = serde_json::from_str(part(&new, "jwks")).unwrap();
        assert_eq!(own["keys"], json!([both[0]]), "{algorithm}");
    }
}

#[test]
fn a_key_keeps_the_name_that_its_tokens_carry() {
    let issuer = issuer("jwt", table("ES256"));
    let (other, new) = (issuer.choose(None).unwrap().unwrap(), issuer.choose(None).unwrap().unwrap());
    for part in ["accepted", "jwks"] {
        let old = issuer.choose(None).unwrap().unwrap();
        let mut known = keys(&*issuer, &[&other, &old]);
        known[0]["kid"] = "somebody-else".into();
        known[1]["kid"] = "signing-2024".into();
        let old = old.with(part, Secret::new(json!({"keys": known}).to_string()));
        let kids: Vec<_> = keys(&*issuer, &[&new, &old]).iter().map(|key| key["kid"].clone()).collect();
        assert_eq!(kids[1], "signing-2024", "{part}");
        assert_ne!(kids[0], "somebody-else");
    }
    let mut jwk: Value = public_half(new.value().unwrap()).unwrap().jwk();
    jwk["kid"] = "in-the-key".into();
    assert_eq!(keys(&*issuer, &[&credential(&jwk.to_string())])[0]["kid"], "in-the-key");
}

#[test]
fn secrets_are_accepted_as_a_list_or_as_a_key_set() {
    let list = issuer("jwt", json!({"algorithm": "HS256", "token_ttl": "15 minutes", "separator": " "}));
    let new = list.choose(None).unwrap().unwrap();
    assert_eq!(value(&new).len(), 43, "32 bytes");
    let both = list.accepted(&[&new, &credential("old")]).unwrap().unwrap();
    assert_eq!(both.expose(), format!("{} old", value(&new)));
    let mut as_set = table("HS256");
    as_set["accepted_format"] = "jwks".into();
    let issuer = issuer("jwt", as_set);
    let new = issuer.choose(None).unwrap().unwrap();
    let set = keys(&*issuer, &[&new, &credential("old")]);
    assert_eq!(set[0]["kid"], part(&new, "kid"));
    assert_eq!((&set[1]["kty"], &set[1]["k"]), (&json!("oct"), &json!("b2xk")));
    assert_ne!(set[0]["kid"], set[1]["kid"]);
}

#[test]
fn the_grace_covers_every_token_and_every_cache() {
    let issuer = issuer("jwt", table("RS256"));
    assert_eq!(issuer.least_grace(), Duration::from_secs(4_200));
    assert_eq!(issuer.acceptance_delay(), Duration::from_secs(600));
    assert_eq!(issuer.nature(), Nature { chooser: Chooser::Keytrail, overlap: Overlap::Both, answers: false });
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    let ttl = json!("1h");
    let refused = [
        (json!({"algorithm": "HS256", "token_ttl": ttl, "bytes": 16}), "a secret of HS256 has 32 bytes or more"),
        (
            json!({"algorithm": "RS256", "token_ttl": ttl, "accepted_format": "list"}),
            "public keys are accepted as a key set",
        ),
        (json!({"algorithm": "RS256", "token_ttl": ttl, "separator": ","}), "a key set has no `separator`"),
        (json!({"algorithm": "HS256", "token_ttl": ttl, "separator": "-"}), "the separator may be part of a value"),
        (json!({"algorithm": "ES256", "token_ttl": ttl, "bits": 2048}), "`bits` does not go with this format"),
    ];
    for (table, why) in refused {
        assert_eq!(refusal("jwt", table.clone()), why, "{table}");
    }
    assert!(refusal("jwt", json!({"algorithm": "RS256"})).contains("token_ttl"));
    assert!(refusal("jwt", json!({"algorithm": "none", "token_ttl": ttl})).contains("none"));
    assert!(refusal("jwt", json!({"algorithm": "RS256", "token_ttl": "soon"})).contains("no length of time"));
}

#[tokio::test]
async fn a_current_value_that_is_no_key_is_an_obstacle_and_acts_can_be_done_again() {
    let (context, issuer) = (context(), issuer("jwt", table("EdDSA")));
    let obstacles = issuer.preflight(&context, Some(&credential("lantern-whisper"))).await.unwrap();
    assert_eq!(obstacles, ["the current value is no private key in PEM or JWK"]);
    let (old, new) = (issuer.choose(None).unwrap().unwrap(), issuer.choose(None).unwrap().unwrap());
    assert_eq!(issuer.preflight(&context, Some(&old)).await.unwrap(), Vec::<String>::new());
    for _ in 0..2 {
        assert!(issuer.set(&context, Some(&old), Some(&new)).await.unwrap().agrees_with(&new));
        issuer.withdraw(&context, Some(&old), Some(&new)).await.unwrap();
        issuer.revoke(&context, &old, Some(&new)).await.unwrap();
        assert_eq!(issuer.check(&context, &old).await.unwrap(), Answer::Unknown);
    }
    assert_hidden(&new, &[value(&new)]);
}
