use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::{Value, json};
use wiremock::matchers::header as sent;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::testing::{RUN, assert_hidden, context, credential, refusal, value};
use super::terminal::Terminal;
use super::*;
use crate::failure::Outcome;

/// A value, built so that no search for it finds the source.
fn whisper() -> String {
    ["lantern", "whisper"].join("-")
}

/// A person who says these things, one after the other, and then nothing more.
#[derive(Default)]
struct Script {
    says: Mutex<VecDeque<String>>,
    told: Mutex<Vec<String>>,
}

impl Script {
    fn of(says: &[&str]) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(says.iter().map(|word| (*word).to_owned()).collect()), ..Self::default() })
    }

    fn told(&self) -> String {
        self.told.lock().unwrap().join("\n")
    }

    fn next(&self) -> Result<String, Failure> {
        self.says.lock().unwrap().pop_front().ok_or_else(|| Failure::unknown("the person gave up"))
    }
}

impl Person for Script {
    fn obstacle(&self) -> Option<String> {
        None
    }

    fn tell(&self, line: &str) -> Result<(), Failure> {
        self.told.lock().unwrap().push(line.to_owned());
        Ok(())
    }

    fn show(&self, _: &Secret) -> Result<(), Failure> {
        self.tell("(shown)")
    }

    fn ask_hidden(&self, prompt: &str) -> Result<Secret, Failure> {
        self.tell(prompt)?;
        self.next().map(Secret::new)
    }

    fn ask(&self, prompt: &str) -> Result<String, Failure> {
        self.tell(prompt)?;
        self.next()
    }
}

fn human(table: Value, person: &Arc<Script>) -> Human {
    Human::of(serde_json::from_value(table).unwrap(), person.clone()).unwrap()
}

fn table() -> Value {
    json!({"steps": ["Make a token called {name}."], "revoke_steps": ["Delete it."], "format": "[a-z-]+"})
}

#[tokio::test]
async fn a_value_is_asked_for_until_it_looks_like_one() {
    let person = Script::of(&["", "OLD 1", "old", &whisper()]);
    let old = credential("old");
    let failure = human(table(), &person).set(&context(), Some(&old), None).await.unwrap_err();
    assert_eq!((failure.outcome, failure.what.as_str()), (Outcome::Unknown, "no new value was entered"));
    let told = person.told();
    for line in [
        &format!("  1. Make a token called keytrail-{RUN}."),
        "Nothing was entered.",
        "It does not look like such a value.",
        "That is the current value, not a new one.",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let new = human(table(), &person).set(&context(), Some(&old), None).await.unwrap();
    assert_eq!(value(&new), whisper());
    assert_hidden(&new, &[&whisper()]);
    assert!(!person.told().contains(&whisper()));
}

#[tokio::test]
async fn only_yes_means_that_an_old_value_is_gone() {
    let (context, old) = (context(), credential("old"));
    let endings: [(&[&str], Option<Outcome>); 5] = [
        (&["yes"], None),
        (&["y", "maybe", "yes"], None),
        (&["no"], Some(Outcome::NotDone)),
        (&["", "ok", "sure"], Some(Outcome::Unknown)),
        (&[], Some(Outcome::Unknown)),
    ];
    for (says, ending) in endings {
        for turns_back in [false, true] {
            let person = Script::of(says);
            let human = human(table(), &person);
            let ended = match turns_back {
                false => human.revoke(&context, &old, None).await,
                true => human.withdraw(&context, Some(&old), None).await,
            };
            assert_eq!(ended.err().map(|failure| failure.outcome), ending, "{says:?}");
            assert!(person.told().contains("Delete it.") && person.told().contains(RUN), "{}", person.told());
        }
    }
}

#[tokio::test]
async fn what_the_system_proves_is_not_asked() {
    let server = MockServer::start().await;
    for (known, status) in [("new", 200), ("old", 401)] {
        let right = Mock::given(sent("x-key", known));
        right.respond_with(ResponseTemplate::new(status)).mount(&server).await;
    }
    let mut table = table();
    table["verify"] = json!({"url": server.uri(), "headers": {"x-key": "{value}"}});
    let (context, person) = (context(), Script::of(&[]));
    let human = human(table, &person);
    assert_eq!(human.nature(), Nature { chooser: Chooser::Issuer, overlap: Overlap::Both, answers: true });
    assert_eq!(human.check(&context, &credential("new")).await.unwrap(), Answer::Works);
    assert_eq!(human.check(&context, &credential("old")).await.unwrap(), Answer::Rejected);
    assert_eq!(human.check(&context, &credential("other")).await.unwrap(), Answer::Unknown);
    for _ in 0..2 {
        human.revoke(&context, &credential("old"), None).await.unwrap();
        human.withdraw(&context, None, Some(&credential("old"))).await.unwrap();
    }
    assert_eq!(person.told(), "");
    assert!(human.revoke(&context, &credential("new"), None).await.is_err());
}

#[tokio::test]
async fn without_a_terminal_nothing_begins() {
    let nobody: Arc<dyn Person> = Arc::new(Terminal { device: PathBuf::from("/nowhere/tty") });
    let human = Human::of(serde_json::from_value(table()).unwrap(), nobody).unwrap();
    let (context, old) = (context(), credential("old"));
    let obstacles = human.preflight(&context, Some(&old)).await.unwrap();
    assert_eq!(obstacles, ["nobody can be asked: there is no terminal"]);
    let set = human.set(&context, Some(&old), None).await.unwrap_err();
    assert_eq!(set.outcome, Outcome::NotDone);
    assert!(set.hint.unwrap().contains("at a terminal"));
    assert_eq!(human.revoke(&context, &old, None).await.unwrap_err().outcome, Outcome::NotDone);
}

#[test]
fn every_guided_system_opens_and_knows_its_values() {
    let x = |count: usize| "x".repeat(count);
    let right = [
        ("okta-api-token", ["00", &x(40)].concat()),
        ("anthropic", ["sk-", "ant-api03-", &x(93), "AA"].concat()),
        ("openai-user-key", ["sk-", "proj-", &x(60)].concat()),
        ("github-pat", ["github", "_pat_", &x(82)].concat()),
        ("clerk", ["sk_", "test_", &x(42)].concat()),
        ("1password-service-account", ["ops_", "eyJ", &x(400)].concat()),
        ("slack-webhook", ["https://hooks.slack.com/", "services/", &x(40)].concat()),
        ("pagerduty-routing-key", x(32)),
    ];
    assert_eq!(Guided::names().split(", ").count(), right.len());
    for (system, (name, example)) in Guided::all().iter().zip(right) {
        assert_eq!(system.name, name);
        let human = human(json!({"system": name}), &Script::of(&[]));
        let fault = |text: &str| fault(&Secret::from(text), None, human.format.as_deref(), human.checksum);
        assert_eq!(fault(&example), None, "{name}");
        assert!(fault(&format!("{example} ")).is_some() && fault("hunter2").is_some(), "{name}");
        assert!(human.steps.len() > 1 && !human.revoke_steps.is_empty());
    }
    let github = human(json!({"system": "github-pat"}), &Script::of(&[]));
    let mistyped = Secret::new(["gh", "p_", &x(36)].concat());
    let fault = fault(&mistyped, None, github.format.as_deref(), github.checksum);
    assert_eq!(fault, Some("Its checksum is wrong: a character is missing or mistyped."));
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    assert_eq!(refusal("human", json!({})), "there are no steps for the person");
    assert_eq!(refusal("human", json!({"system": "nothing"})), "no steps are known for \"nothing\"");
    assert_eq!(refusal("human", json!({"steps": ["x"], "format": "("})), "`format` is no regular expression");
    let verify = json!({"url": "http://example.com"});
    assert!(refusal("human", json!({"steps": ["x"], "verify": verify})).contains("https://"));
}

/// A pair of terminals: what a person types at and sees, and the device of the program.
struct Pty {
    screen: File,
    device: PathBuf,
    /// Keeps the device open between two questions.
    _held: File,
}

impl Pty {
    fn new() -> Self {
        let screen: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let device = PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let held = File::options().read(true).write(true).open(&device).unwrap();
        Self { screen: screen.into(), device, _held: held }
    }

    /// Reads until the screen shows something; all that it showed.
    fn until(&mut self, end: &str) -> String {
        let mut shown = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&shown).ends_with(end) {
            self.screen.read_exact(&mut byte).unwrap();
            shown.push(byte[0]);
        }
        String::from_utf8(shown).unwrap()
    }

    /// Asks at the device, types at the screen; what was read, and what was shown after the prompt.
    fn type_at(&mut self, keys: &str) -> (Result<Secret, Failure>, String) {
        let terminal = Terminal { device: self.device.clone() };
        let asking = std::thread::spawn(move || terminal.ask_hidden("Value: "));
        assert_eq!(self.until("Value: "), "Value: ");
        self.screen.write_all(keys.as_bytes()).unwrap();
        let shown = self.until("\n");
        let read = asking.join().unwrap();
        let modes = tcgetattr(&self._held).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG), "the terminal is as before");
        (read, shown)
    }
}

#[test]
fn a_terminal_shows_nothing_of_a_value() {
    let mut pty = Pty::new();
    // Longer than a line of a terminal in its usual mode, which ends after 4095 bytes.
    let long = "ä€x".repeat(2_000);
    let typed = [
        (format!("{}\r", whisper()), whisper()),
        (format!("  {}\n", whisper()), whisper()),
        (format!("lantern-whisperä\u{7f}x\u{8}\n"), whisper()),
        (format!("mistake\u{15}{}\n", whisper()), whisper()),
        (format!("{long}\n"), long.clone()),
    ];
    for (keys, expected) in typed {
        let (read, shown) = pty.type_at(&keys);
        assert_eq!(shown, "\r\n", "nothing but the end of the line");
        assert!(read.unwrap().expose() == expected);
    }
    for keys in ["half\u{3}", "\u{4}"] {
        let (read, shown) = pty.type_at(keys);
        assert_eq!((read.err().unwrap().what.as_str(), shown.as_str()), ("the person at the terminal gave up", "\r\n"));
    }
}

#[test]
fn a_value_that_is_shown_is_on_a_screen_that_is_left() {
    let mut pty = Pty::new();
    let terminal = Terminal { device: pty.device.clone() };
    assert_eq!(terminal.obstacle(), None);
    let showing = std::thread::spawn(move || terminal.show(&Secret::new(whisper())));
    let other = pty.until(&format!("{}\r\r\n", whisper()));
    assert!(other.starts_with("\x1b[?1049h"), "the other screen: {other:?}");
    pty.screen.write_all(b"\n").unwrap();
    let left = pty.until("\x1b[?1049l");
    assert!(!left.contains(&whisper()));
    showing.join().unwrap().unwrap();
}
