use proptest::prelude::*;

use super::{render, replace};
use crate::credential::Credential;
use keytrail_rules::model::Secret;

fn value(text: &str) -> Credential {
    Credential::of_value(Secret::from(text))
}

fn rendered(template: &str) -> Result<String, String> {
    let password = value("p/w\"ö").with("user", Secret::from("app"));
    let sources = [("DB", &password)];
    render(template, &sources).map(|made| made.expose().to_owned()).map_err(|failure| failure.what)
}

fn replaced(text: &str, old: &str, new: &str) -> Result<String, String> {
    let (old, new) = (value(old), value(new));
    let made = replace(&Secret::from(text), &[("DB", &old, &new)]);
    made.map(|made| made.expose().to_owned()).map_err(|failure| failure.what)
}

#[test]
fn a_template_inserts_parts_and_filters_them() {
    let ok = |text: &str| Ok(text.to_owned());
    assert_eq!(rendered("pg://{DB.user}:{DB|percent}@db"), ok("pg://app:p%2Fw%22%C3%B6@db"));
    assert_eq!(rendered("{{{DB|json}}}"), ok("{\"p/w\\\"ö\"}"));
    assert_eq!(rendered("{DB.user|base64}"), ok("YXBw"));
    // The sum of "app", as `printf app | sha256sum` gives it.
    let sum = "a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333";
    assert_eq!(rendered("{DB.user|sha256}"), ok(sum));
    assert_eq!(rendered("plain"), ok("plain"));
}

#[test]
fn a_template_that_cannot_be_read_says_what_is_wrong() {
    for (template, what) in [
        ("{DB", "a `{` that is not closed"),
        ("DB}", "a `}` that was not opened"),
        ("{REDIS}", "{REDIS}, which is not among `derived_from`"),
        ("{DB.host}", "{DB.host}, of which no `host` is known"),
        ("{DB|rot13}", "the filter `rot13`, which is none of percent, base64, sha256, json"),
    ] {
        assert_eq!(rendered(template), Err(format!("the template has {what}")));
    }
}

#[test]
fn every_place_and_form_of_an_old_value_is_replaced() {
    let made = replaced("a=old/old/1&b=old%2Fold%2F1&c=old%2fold%2f1", "old/old/1", "new+new");
    assert_eq!(made, Ok("a=new+new&b=new%2Bnew&c=new%2Bnew".to_owned()));
    assert_eq!(replaced("abc", "abc", "d/e"), Ok("d/e".to_owned()), "the whole of it");
}

#[test]
fn what_cannot_be_replaced_for_certain_is_not() {
    for (text, old, new, why) in [
        ("pg://app:other@db", "password1", "password2", "does not occur in it"),
        ("pg://app:abc@db", "abc", "def", "is too short to be found in it"),
        ("pg://app:password1@db", "password1", "pass/word", "has to be percent-encoded in it, or not"),
        ("x=ababababa", "abababa", "password2", "overlaps with another value in it"),
    ] {
        let error = replaced(text, old, new).expect_err("unclear");
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn a_user_that_changes_along_is_replaced_where_it_stands_alone() {
    let credential = |user: &str, text: &str| value(text).with("user", Secret::from(user));
    let (old, new) = (credential("app_a", "password1"), credential("app_b", "password2"));
    let made = |text: &str| replace(&Secret::from(text), &[("DB", &old, &new)]).map(|made| made.expose().to_owned());
    assert_eq!(made("pg://app_a:password1@db/shop"), Ok("pg://app_b:password2@db/shop".to_owned()));
    assert_eq!(made("password1!"), Ok("password2!".to_owned()));
    assert!(made("pg://app_a:password1@db/app_a").is_err());
    assert!(made("pg://x:password1@db/app_all").is_err());
}

proptest! {
    #[test]
    fn no_template_panics(template in ".{0,40}") {
        let _ = rendered(&template);
    }

    #[test]
    fn plain_text_passes_when_its_braces_are_doubled(text in "[a-z{}|. ]{0,40}") {
        prop_assert_eq!(rendered(&text.replace('{', "{{").replace('}', "}}")), Ok(text));
    }

    #[test]
    fn a_replacement_is_what_a_template_would_make(
        before in "[A-F:/]{0,10}", after in "[A-F@/]{0,10}", old in "[a-m/]{8,16}", new in "[n-z/]{8,16}",
    ) {
        let (one, other) = (value(&old), value(&new));
        let template = format!("{before}{{DB|percent}}{after}{{DB}}");
        let made = |of: &Credential| render(&template, &[("DB", of)]).map(|made| made.expose().to_owned());
        let text = made(&one).expect("a value");
        match replaced(&text, &old, &new) {
            Ok(changed) => prop_assert_eq!(changed, made(&other).expect("a value")),
            Err(why) => prop_assert!(!why.contains("does not occur"), "{}", why),
        }
    }
}
