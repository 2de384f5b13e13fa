use keytrail_rules::model::Secret;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::files::{Edit, Text};
use super::ini::Ini;
use super::userlist::{Style, Userlist};
use crate::failure::Outcome;

fn text(text: &str) -> Text {
    Zeroizing::new(text.to_owned())
}

#[test]
fn entries_of_the_userlist_are_found_by_their_user() {
    let hash = "0".repeat(32);
    let list = format!(
        "; \"app\" \"no\"\n\"app\" \"it\"\"s\" \"\"\r\n  \"md\" \"md5{hash}\"\n\"x\"\n\"v\" \"SCRAM-SHA-256$1:a$b:c\""
    );
    let list = Userlist::parse(&list);
    let secret = |user| list.secret(user).map(|secret| secret.expose().to_owned());
    assert_eq!(secret("app").as_deref(), Some("it\"s"));
    assert_eq!((list.style("app"), list.style("md")), (Some(Style::Plain), Some(Style::Md5)));
    assert_eq!((list.style("v"), list.style("x"), list.style("no")), (Some(Style::Verifier), None, None));
    assert_eq!(
        *list.with("app", Secret::from("n\"w")),
        format!(
            "; \"app\" \"no\"\n\"app\" \"n\"\"w\" \"\"\r\n  \"md\" \"md5{hash}\"\n\"x\"\n\"v\" \"SCRAM-SHA-256$1:a$b:c\""
        )
    );
    assert!(list.with("ne\"w", Secret::from("p")).ends_with(":c\"\r\n\"ne\"\"w\" \"p\"\r\n"));
    assert!(list.without("md").ends_with("\"\"\r\n\"x\"\n\"v\" \"SCRAM-SHA-256$1:a$b:c\""));
}

#[test]
fn the_user_of_a_database_is_changed_in_its_place() {
    let before = text(
        "[databases]\n;app = user=no\napp = user=no\nbare=host=db\n\"app\" = host = db  user='it''s' password=x pool_size=3\n\
         [pgbouncer]\nauth_file = /etc/users\napp = user=other\n[databases]\nempty =\n",
    );
    let ini = Ini::parse(&before);
    let forced = ini.forced("app").unwrap().unwrap();
    assert_eq!((forced.user(), forced.has_password()), ("it's", true));
    let after = forced.with("app_b", &Secret::from("p w'd"));
    assert_eq!(*after, before.replace("'it''s' password=x", "app_b password='p w''d'"));
    assert!(ini.forced("bare").unwrap().is_none() && ini.forced("empty").unwrap().is_none());
    assert_eq!(ini.auth_file(), Some("/etc/users"));
    assert!(ini.forced("nope").is_err());
    let all = Ini::parse(&text("[databases]\n* = user=a\n"));
    assert!(all.forced("app").map(drop).unwrap_err().what.contains("all databases"));
    let broken = Ini::parse(&text("[databases]\napp = user='a\n"));
    assert!(broken.forced("app").map(drop).unwrap_err().what.contains("cannot be read"));
}

#[test]
fn a_file_that_another_changed_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::fs::write(&path, "theirs").unwrap();
    let conflict = Edit::new(&path, text("ours"), text("new")).write().unwrap_err();
    assert_eq!(conflict.outcome, Outcome::Conflict);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    // What an interrupted write left is taken away by the next one, and a link stays a link.
    std::fs::write(folder.path().join(".users.keytrail"), "half").unwrap();
    let link = folder.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&path, &link).unwrap();
    Edit::new(&link, text("theirs"), text("new")).write().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(names == 2 && std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(
        before in "(\"[a-c\"]{0,3}\" \"[a-c\"]{0,3}\"|[;a \"]{0,5}|\r?\n){0,8}",
        user in "[^\r\n\0]{1,6}",
        secret in "[^\r\n\0]{0,6}",
    ) {
        let with = Userlist::parse(&before).with(&user, Secret::from(secret.as_str()));
        let list = Userlist::parse(&with);
        let found = list.secret(&user);
        prop_assert_eq!(found.as_ref().map(Secret::expose), Some(secret.as_str()));
        prop_assert!(Userlist::parse(&list.without(&user)).secret(&user).is_none());
    }

    #[test]
    fn whatever_a_user_is_called_the_ini_has_it(user in "[^\r\n\0]{1,6}", password in "[^\r\n\0]{0,6}") {
        let before = text("[databases]\napp = password = '' user=x host=db\n");
        let after = Ini::parse(&before).forced("app").unwrap().unwrap().with(&user, &Secret::from(password.as_str()));
        let again = Ini::parse(&after);
        let forced = again.forced("app").unwrap().unwrap();
        prop_assert_eq!(forced.user(), user.as_str());
        prop_assert_eq!(&*forced.with("x", &Secret::from("")), before.as_str());
    }

    #[test]
    fn no_text_makes_it_panic(noise in "(\\[databases\\]\n|app ?= ?|user=|'|\"|[a-z ]{0,3}|\n|é){0,12}") {
        let noise = text(&noise);
        let ini = Ini::parse(&noise);
        let _ = ini.forced("app").map(|forced| forced.map(|forced| forced.with("a", &Secret::from("b"))));
        let list = Userlist::parse(&noise);
        let _ = (list.with("app", Secret::from("x")), list.without("app"), list.style("app"));
    }
}
