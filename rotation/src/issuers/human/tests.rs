use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::termios::{LocalModes, tcgetattr};
use serde_json::{Value, json};
use wiremock::matchers::header as sent;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::testing::{RUN, Script, assert_hidden, context, credential, refusal, value};
use super::terminal::Terminal;
use super::*;

/// A value, built so that no search for it finds the source.
fn whisper() -> String {
    ["lantern", "whisper"].join("-")
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
        (&["no"], Some(Outcome::Unknown)),
        (&["y", "YES", "sure"], Some(Outcome::Unknown)),
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
    let revoked = human.revoke(&context, &old, None).await.unwrap_err();
    assert_eq!(revoked.outcome, Outcome::Unknown, "a rotation in use does not turn back for want of a terminal");
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

/// Holds a pseudo-terminal: tells its device, then passes on what is typed and what is shown.
const HOLDER: &str = "
import os, threading
screen, device = os.openpty()
os.write(1, os.ttyname(device).encode() + b'\\n')
def copy(source, target):
    while data := os.read(source, 4096):
        while data:
            data = data[os.write(target, data):]
threading.Thread(target=copy, args=(0, screen), daemon=True).start()
copy(screen, 1)
";

/// What a person types at and sees, and the device of the program.
struct Pty {
    holder: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    device: PathBuf,
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.holder.kill().unwrap();
        self.holder.wait().unwrap();
    }
}

impl Pty {
    fn new() -> Self {
        let mut python = Command::new("python3");
        python.args(["-c", HOLDER]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = python.spawn().expect("python3 is installed");
        let (keys, screen) = (holder.stdin.take().unwrap(), holder.stdout.take().unwrap());
        let mut pty = Self { holder, keys, screen, device: PathBuf::new() };
        pty.device = pty.until("\n").trim().into();
        pty
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
        self.keys.write_all(keys.as_bytes()).unwrap();
        let shown = self.until("\n");
        let read = asking.join().unwrap();
        let modes = tcgetattr(File::open(&self.device).unwrap()).unwrap().local_modes;
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
        (format!("{}ä\u{7f}x\u{8}\n", whisper()), whisper()),
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
    pty.keys.write_all(b"\n").unwrap();
    let left = pty.until("\x1b[?1049l");
    assert!(!left.contains(&whisper()));
    showing.join().unwrap().unwrap();
}
