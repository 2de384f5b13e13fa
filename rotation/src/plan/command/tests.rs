use std::process::Command as Process;

use proptest::prelude::*;

use super::{Builder, quote};
use keytrail_rules::text::is_deceptive;

/// Names that shells make something else of.
const HOSTILE: &[&str] = &[
    "",
    "a b",
    "$(touch x)",
    "`id`",
    "${HOME}",
    "a'b",
    "a\"b",
    "a\\",
    "\\'",
    "*",
    "~root",
    "#x",
    "a;b",
    "a|b&c>d<e",
    "!!",
    "^a^b",
    "=ls",
    "a=b",
    "{a,b}",
    "%1",
    "clé 漢字 😀",
];

#[test]
fn a_shell_reads_hostile_words_as_they_are() {
    let words = HOSTILE.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let output = Process::new("sh").arg("-c").arg(format!(r"printf '%s\n' {words}")).output().expect("a shell");
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8").lines().collect::<Vec<_>>(), HOSTILE);
}

#[test]
fn plain_words_are_left_plain() {
    let command = Builder::new(&["vault"]).option("-mount", "secret").name("app/auth0").name("k_1=-");
    assert_eq!(command.build(None).expect("a command").to_string(), "vault -mount=secret app/auth0 k_1=-");
}

#[test]
fn what_could_mislead_gets_no_command() {
    for name in ["", "-A", "--all", "a\nb", "a\u{1b}[2J", "a\u{202e}b", "a\0b"] {
        assert_eq!(Builder::new(&["kubectl", "-n"]).name(name).build(None), None, "{name:?}");
    }
    for name in ["", "a\rb"] {
        assert_eq!(Builder::new(&["vault"]).option("-mount", name).build(None), None, "{name:?}");
    }
}

proptest! {
    #[test]
    fn a_word_is_read_back_as_it_is(word in r"\PC{0,30}|[ -~]{0,30}") {
        prop_assert_eq!(shlex::split(&quote(&word)), Some(vec![word]));
    }

    #[test]
    fn a_command_is_read_back_as_its_words(names in proptest::collection::vec(any::<String>(), 0..5)) {
        let command = names.iter().fold(Builder::new(&["gh"]), |command, name| command.name(name)).build(None);
        let is_sound = |name: &String| !name.is_empty() && !name.starts_with('-') && !name.contains(is_deceptive);
        prop_assert_eq!(command.is_some(), names.iter().all(is_sound));
        if let Some(command) = command {
            let line = command.to_string();
            prop_assert!(!line.contains(is_deceptive));
            prop_assert_eq!(shlex::split(&line).expect("words"), command.words());
        }
    }
}
