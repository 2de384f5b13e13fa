use proptest::prelude::*;

use super::{Address, Code, RoleName, Server, identifier, is_passing, literal};

#[test]
fn the_config_holds_no_password() {
    for url in ["postgres://admin:hunter2@db/app", "postgresql://a:@db/app", "postgres://db/app?password=hunter2"] {
        let refused = Server::at(url).map(drop).unwrap_err();
        assert!(refused.what.ends_with("holds a password"), "{url}");
        assert!(!format!("{refused:?}").contains("hunter2"));
    }
    for url in ["mysql://db/app", "", "postgres://db:99999/app", "postgres://[/app"] {
        assert!(Server::at(url).map(drop).unwrap_err().what.ends_with("not understood"), "{url}");
    }
}

#[test]
fn a_server_is_called_without_its_user() {
    let server = Server::at("postgres://admin@db.example:6000/app?sslmode=verify-full").unwrap();
    assert_eq!((server.name().as_str(), server.user()), ("postgres://db.example:6000/app", "admin"));
    let socket = Server::at("postgres:///app?host=/run/postgresql&user=admin").unwrap();
    assert_eq!(socket.name(), "postgres:///run/postgresql/app");
}

#[test]
fn an_address_is_a_url_and_a_password_or_a_url_that_is_given() {
    for text in [
        r#"{"url": "postgres://a@db/app"}"#,
        r#"{"url": "postgres://a@db/app", "password": {"env": "PW"}}"#,
        r#"{"env": "URL"}"#,
    ] {
        let address: Address = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&address).unwrap().contains("url"), text.contains("url"));
    }
    for text in [r#"{"url": "x", "user": "y"}"#, r#"{"password": {"env": "PW"}}"#, r#"{"env": "A", "file": "B"}"#] {
        assert!(serde_json::from_str::<Address>(text).is_err(), "{text}");
    }
}

#[test]
fn names_of_roles_are_those_that_postgresql_keeps_whole() {
    for (name, valid) in
        [("app", true), ("", false), ("a\0b", false), (&"é".repeat(31), true), (&"é".repeat(32), false)]
    {
        assert_eq!(RoleName::try_from(name.to_owned()).is_ok(), valid, "{name:?}");
    }
}

#[test]
fn errors_of_the_moment_are_told_from_refusals() {
    for (code, passing) in [
        ("08006", true),
        ("08P01", false),
        ("28P01", false),
        ("40P01", true),
        ("42501", false),
        ("53300", true),
        ("55006", false),
        ("55P03", true),
        ("57P01", true),
        ("XX000", true),
    ] {
        assert_eq!(is_passing(code), passing, "{code}");
    }
    assert_eq!(Code("42\u{1b}[501 and more").to_string(), "42501");
}

proptest! {
    /// By the rules of the manual's chapter 4.1.2: within the quotes nothing ends the text but the end.
    #[test]
    fn quoted_texts_end_where_they_end(text in "[^\0]{0,20}") {
        let name = identifier(&text);
        prop_assert_eq!(name[1..name.len() - 1].replace("\"\"", ""), text.replace('"', ""));
        let quoted = literal(&text);
        let inner = quoted.trim_start_matches(" E").trim_matches('\'').replace("''", "").replace("\\\\", "");
        prop_assert!(!inner.contains('\'') && !inner.contains('\\'));
        prop_assert_eq!(quoted.starts_with(" E'"), text.contains('\\'));
    }
}
