use super::{Reveals, Shape, Value, is_secret_name, shape, url_password};
use crate::model::{FingerprintKey, Key, Secret};

fn observe(text: &str) -> Value {
    Value::observe(&Secret::from(text), &FingerprintKey::new([7; 32]))
}

#[test]
fn stand_ins_are_told_from_values() {
    for text in [
        "changeme",
        "CHANGE_ME",
        "change-me-in-production",
        "<your-api-key>",
        "your-api-key-here",
        "xxxxxxxx",
        "***",
        "TODO",
        "replace-with-real-secret",
        "password123",
        "secret",
        "example",
        "[token]",
    ] {
        assert_eq!(shape(text), Shape::Placeholder, "{text}");
    }
    for text in [
        "${DB_PASSWORD}",
        "$DB_PASSWORD",
        "op://team/item/field",
        "{{ vault.secret }}",
        "vault:secret/x#y",
        "$(cat f)",
        "postgres://u:${PW}@h/d",
    ] {
        assert_eq!(shape(text), Shape::Reference, "{text}");
    }
    for text in ["hunter2", "correct horse battery", "tests-are-good", "9f8e7d6c5b4a", "info", "passages", "$1,000"] {
        assert_eq!(shape(text), Shape::Literal, "{text}");
    }
    assert_eq!(shape("  "), Shape::Empty);
}

#[test]
fn a_url_gives_its_password_decoded() {
    let password = |text| url_password(text).map(|password| password.expose().to_owned());
    assert_eq!(password("postgresql://app:p%40ss%2Fword@db:5432/app?x=1"), Some("p@ss/word".into()));
    assert_eq!(password("redis://:tiger-9@cache:6379/0"), Some("tiger-9".into()));
    assert_eq!(password("postgresql://app:bad%zz@db/app"), Some("bad%zz".into()));
    for none in
        ["postgresql://app@db/app", "https://example.com", "postgres://u:${PW}@h/d", "postgres://u:changeme@h/d", "x"]
    {
        assert_eq!(password(none), None, "{none}");
    }
    let value = observe("postgresql://app:tiger-9@db/app");
    assert_eq!(value.reveals, Some(Reveals::UrlPassword));
    assert_eq!(value.parts, vec![observe("tiger-9").fingerprint.expect("a literal")]);
}

#[test]
fn random_tokens_are_told_from_words_and_digests() {
    for text in ["aZ3kQ9mXv1Lp8RtY2wNb", "tok_4f9aK2mZ8qXw7Lr3Vb6T"] {
        assert_eq!(observe(text).reveals, Some(Reveals::RandomToken), "{text}");
    }
    for text in [
        "d41d8cd98f00b204e9800998ecf8427e",
        "0c5a1f6e-9e0e-4e9a-8a55-3a1e5b7a9b10",
        "registry.internal/team/app",
        "this-is-a-long-feature-flag-name",
        "https://example.com/a/b/c/d/e",
    ] {
        assert_eq!(observe(text).reveals, None, "{text}");
    }
}

#[test]
fn names_of_secrets_are_told_from_names_about_them() {
    for name in [
        "DB_PASSWORD",
        "stripe-api-key",
        "SESSION_SECRET",
        "GITHUB_TOKEN",
        "JWT_SIGNING_KEY",
        "SENTRY_DSN",
        "SMTP_PASS",
        "DBPASSWORD",
        "AUTHTOKEN",
        "STRIPE_KEY",
        "APP_KEY",
    ] {
        assert!(is_secret_name(&Key::new(name)), "{name}");
    }
    for name in [
        "TOKEN_TTL",
        "PASSWORD_MIN_LENGTH",
        "SECRET_NAME",
        "LOG_LEVEL",
        "JWT_PUBLIC_KEY",
        "OAUTH_TOKEN_URL",
        "MONKEY",
        "PRIMARY_KEY",
    ] {
        assert!(!is_secret_name(&Key::new(name)), "{name}");
    }
}
