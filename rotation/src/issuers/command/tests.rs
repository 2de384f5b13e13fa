use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::testing::{RUN, assert_hidden, context, credential, issuer, part, refusal, value};
use super::*;

/// A value, built so that no search for it finds the source.
fn whisper() -> String {
    ["lantern", "whisper"].join("-")
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rotation/command/issuer")
}

/// The sample program with one credential, `old`.
struct Sample {
    folder: tempfile::TempDir,
}

impl Sample {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("state"), json!({"accounts": {"first": "old"}}).to_string()).unwrap();
        Self { folder }
    }

    fn open(&self, lost: Option<&str>, more: Value) -> Box<dyn Issuer> {
        let mut args = vec![self.folder.path().join("state").to_str().unwrap().to_owned()];
        args.extend(lost.into_iter().flat_map(|act| ["--lose-reply".to_owned(), act.to_owned()]));
        let mut table = json!({"program": sample(), "args": args, "timeout": "5 minutes"});
        extend(&mut table, more);
        issuer("command", table)
    }

    fn accounts(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.folder.path().join("state")).unwrap();
        let state: Value = serde_json::from_str(&text).unwrap();
        let accounts = state["accounts"].as_object().unwrap().iter();
        accounts.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }

    fn names(&self) -> Vec<String> {
        self.accounts().into_iter().map(|(name, _)| name).collect()
    }
}

fn made() -> String {
    format!("keytrail-{RUN}")
}

fn extend(table: &mut Value, more: Value) {
    if let Value::Object(more) = more {
        table.as_object_mut().unwrap().extend(more);
    }
}

/// A program of the shell.
fn shell(script: &str, more: Value) -> Box<dyn Issuer> {
    let mut table = json!({"program": "sh", "args": ["-c", script], "timeout": "5 minutes"});
    extend(&mut table, more);
    issuer("command", table)
}

async fn failure(issuer: &dyn Issuer) -> Failure {
    let (old, new) = (credential("old"), credential(&whisper()));
    issuer.revoke(&context(), &old, Some(&new)).await.unwrap_err()
}

#[tokio::test]
async fn a_program_that_chooses_goes_through_a_rotation() {
    let (sample, context, old) = (Sample::new(), context(), credential("old"));
    let issuer = sample.open(None, Value::Null);
    assert_eq!(issuer.nature(), Nature { chooser: Chooser::Issuer, overlap: Overlap::Both, answers: true });
    assert!(issuer.choose(Some(&old)).unwrap().is_none());
    assert_eq!(issuer.preflight(&context, Some(&old)).await.unwrap(), Vec::<String>::new());
    issuer.set(&context, Some(&old), None).await.unwrap();
    let new = issuer.set(&context, Some(&old), None).await.unwrap();
    assert_eq!((sample.names(), part(&new, "name")), (vec!["first".to_owned(), made()], made().as_str()));
    let obstacles = issuer.preflight(&context, Some(&old)).await.unwrap();
    assert_eq!(obstacles, ["no free slot: two credentials are there"]);
    for credential in [&old, &new] {
        assert_eq!(issuer.check(&context, credential).await.unwrap(), Answer::Works);
    }
    for _ in 0..2 {
        issuer.revoke(&context, &old, Some(&new)).await.unwrap();
        assert_eq!(sample.names(), [made()]);
    }
    assert_eq!(issuer.check(&context, &old).await.unwrap(), Answer::Rejected);
    assert_hidden(&new, &[value(&new)]);
}

#[tokio::test]
async fn a_value_that_keytrail_chooses_is_the_one_that_is_set() {
    let (sample, context, old) = (Sample::new(), context(), credential("old"));
    let issuer = sample.open(None, json!({"generate": {"format": "hex"}, "overlap": "one", "answers": false}));
    assert_eq!(issuer.nature(), Nature { chooser: Chooser::Keytrail, overlap: Overlap::One, answers: false });
    let chosen = issuer.choose(Some(&old)).unwrap().unwrap();
    let new = issuer.set(&context, Some(&old), Some(&chosen)).await.unwrap();
    assert_eq!((value(&new), &sample.accounts()[1].1), (value(&chosen), &value(&chosen).to_owned()));
    assert_eq!(issuer.check(&context, &new).await.unwrap(), Answer::Unknown, "it is not asked");
    let other = shell(r#"echo '{"version":1,"ok":true,"credential":{"value":"other"}}'"#, Value::Null);
    let failure = other.set(&context, None, Some(&chosen)).await.unwrap_err();
    assert_eq!(failure.what, "sh set another value than the chosen one");
}

#[tokio::test]
async fn what_was_made_without_a_reply_is_withdrawn() {
    let (sample, context, old) = (Sample::new(), context(), credential("old"));
    let failure = sample.open(Some("set"), Value::Null).set(&context, Some(&old), None).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Unknown);
    assert_eq!(failure.what, "issuer gave no reply to set (it was ended by a signal)");
    assert_eq!(sample.names().len(), 2, "it was made all the same");
    let lost = sample.open(Some("withdraw"), Value::Null);
    assert_eq!(lost.withdraw(&context, Some(&old), None).await.unwrap_err().outcome, Outcome::Unknown);
    for _ in 0..2 {
        sample.open(None, Value::Null).withdraw(&context, Some(&old), None).await.unwrap();
        assert_eq!(sample.names(), ["first"]);
    }
}

#[tokio::test]
async fn only_a_reply_that_says_so_means_that_nothing_was_done() {
    use Outcome::{Conflict, NotDone, Unknown};
    let said = |outcome: &str| format!(r#"{{"version":1,"ok":false,"outcome":"{outcome}","message":"no right"}}"#);
    let replies = [
        (format!("echo '{}'", said("not-done")), NotDone, "sh failed to revoke: no right"),
        (
            format!("echo '{}'; exit 3", said("not-done")),
            NotDone,
            "sh failed to revoke: no right (it ended with exit status 3)",
        ),
        (format!("echo '{}'", said("conflict")), Conflict, "sh failed to revoke: no right"),
        (format!("echo '{}'", said("unknown")), Unknown, "sh failed to revoke: no right"),
        (r#"echo '{"version":1,"ok":false}'"#.into(), Unknown, "sh failed to revoke"),
        (
            r#"echo '{"version":1,"ok":true}'; exit 1"#.into(),
            Unknown,
            "sh failed to revoke (it ended with exit status 1)",
        ),
        (
            r#"echo '{"version":1,"ok":true,"outcome":"not-done"}'; exit 1"#.into(),
            Unknown,
            "sh failed to revoke (it ended with exit status 1)",
        ),
        (r#"echo '{"version":2,"ok":true}'"#.into(), Unknown, "sh gave no reply to revoke"),
        ("echo done".into(), Unknown, "sh gave no reply to revoke"),
        ("exit 1".into(), Unknown, "sh gave no reply to revoke (it ended with exit status 1)"),
        ("head -c 2000000 /dev/zero".into(), Unknown, "sh said more than 1 MiB"),
    ];
    for (script, outcome, what) in replies {
        let failure = failure(&*shell(&script, Value::Null)).await;
        assert_eq!((failure.outcome, failure.what.as_str()), (outcome, what), "{script}");
    }
    let absent = issuer("command", json!({"program": "/nowhere/to/be/found"}));
    assert_eq!(failure(&*absent).await.outcome, NotDone);
    assert_eq!(absent.check(&context(), &credential("x")).await.unwrap(), Answer::Unknown);
    assert!(refusal("command", json!({"program": ""})).contains("empty"));
}

#[tokio::test]
async fn values_are_neither_in_arguments_nor_in_the_environment_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let usual = ["PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"];
    let all = || std::env::vars().map(|(name, _)| name).filter(|name| !usual.contains(&name.as_str()));
    assert!(all().count() > 1, "the test would see nothing");
    let named = all().next().unwrap();
    let script = format!(
        r#"cat /proc/$$/cmdline /proc/$$/environ > '{}'; IFS= read -r line; echo "$line" >&2; echo "$line" >&2
        value=$(echo "$line" | sed 's/.*"new":{{"value":"\([^"]*\)".*/\1/')
        echo "{{\"version\":1,\"ok\":false,\"message\":\"it is $value\"}}""#,
        seen.display()
    );
    let failure = failure(&*shell(&script, json!({"env": [named, "NO_SUCH_VARIABLE"]}))).await;
    assert_eq!(
        failure.what,
        "sh failed to revoke: its message holds a value and is not shown; 2 lines of standard error are not shown"
    );
    assert_hidden(&failure, &[&whisper()]);
    let seen = String::from_utf8(fs::read(seen).unwrap()).unwrap();
    assert!(!seen.contains(&whisper()));
    let names: Vec<&str> = seen.split('\0').filter_map(|entry| Some(entry.split_once('=')?.0)).collect();
    let strange: Vec<_> =
        names.iter().filter(|name| !name.contains(' ') && !usual.contains(name) && **name != named).collect();
    assert!(strange.is_empty() && names.contains(&named.as_str()), "{strange:?}");
}

#[tokio::test]
async fn a_program_and_its_children_end_with_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 100000 & echo $! > '{}'; wait", pid.display());
    let failure = failure(&*shell(&script, json!({"timeout": "2s"}))).await;
    assert_eq!((failure.outcome, failure.what.as_str()), (Outcome::Unknown, "sh did not end within 2s"));
    let pid = fs::read_to_string(pid).unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // Gone, or dead and not yet buried by its new parent.
    while !state().is_empty() && !state().contains(") Z ") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let issuer =
        shell(&format!("echo $$ > '{}.new'; mv '{0}.new' '{0}'; exec sleep 100000", pid.display()), Value::Null);
    let (context, old) = (context(), credential("old"));
    {
        let mut call = issuer.revoke(&context, &old, None);
        while !pid.exists() {
            tokio::select! {
                biased;
                _ = &mut call => panic!("it ended"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    let pid = fs::read_to_string(pid).unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    while !state().is_empty() && !state().contains(") Z ") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_program_that_reads_nothing_is_heard() {
    let issuer = shell(r#"exec <&-; echo '{"version":1,"ok":true}'"#, Value::Null);
    let large = credential(&"x".repeat(1 << 20));
    issuer.revoke(&context(), &large, None).await.unwrap();
}
