use super::*;
use crate::failure::Outcome;

fn shell(script: &str, limit: Duration) -> Program {
    Program::find("sh", Path::new("/"), limit).unwrap().arguments(["-c", script])
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_it_is_told_comes_back_and_its_status_too() {
    let ended = shell("cat; exit 3", LONG).run(b"to be read").await.unwrap();
    assert_eq!((&ended.output[..], ended.status), (&b"to be read"[..], Some(3)));
    assert!(!ended.is_success());
    let ended = shell("kill -9 $$", LONG).run(b"").await.unwrap();
    assert_eq!(ended.words(), "was ended by a signal");
}

#[tokio::test]
async fn a_program_need_not_read_what_it_is_told() {
    let ended = shell("exit 0", LONG).run(&vec![b'x'; 1 << 20]).await.unwrap();
    assert!(ended.is_success());
}

#[tokio::test]
async fn it_gets_nothing_of_the_environment_but_what_is_named() {
    let ended = shell("env", LONG).variable("KEYTRAIL_RUN", "kt-1").run(b"").await.unwrap();
    let text = std::str::from_utf8(&ended.output).unwrap();
    // `PWD` and `_` are the shell's own.
    let names = text.lines().filter_map(|line| Some(line.split_once('=')?.0));
    let allowed = |name: &&str| USUAL.contains(name) || ["KEYTRAIL_RUN", "PWD", "_", "SHLVL", "OLDPWD"].contains(name);
    assert_eq!(names.filter(|name| !allowed(name)).collect::<Vec<_>>(), [""; 0]);
    assert!(text.contains("KEYTRAIL_RUN=kt-1") && text.contains("PATH="));
}

#[tokio::test]
async fn what_it_says_on_standard_error_is_counted() {
    for (script, told) in [
        ("exit 0", ""),
        ("echo planted >&2", "; 1 line of standard error is not shown"),
        (
            "printf 'planted\\nplanted' >&2; exit 3",
            " (it ended with exit status 3); 2 lines of standard error are not shown",
        ),
    ] {
        assert_eq!(shell(script, LONG).run(b"").await.unwrap().told(), told);
    }
}

#[tokio::test]
async fn too_much_is_not_read() {
    let failure = shell("head -c 1048577 /dev/zero", LONG).run(b"").await.err().unwrap();
    assert_eq!((failure.outcome, &*failure.what), (Outcome::Unknown, "sh said more than 1 MiB"));
    assert_eq!(shell("head -c 1048576 /dev/zero", LONG).run(b"").await.unwrap().output.len(), MAX_OUTPUT);
}

#[tokio::test]
async fn at_the_limit_all_that_it_started_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("alive");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // The sleeping grandchild holds the pipe open for as long as it lives.
    let script = format!("sleep 1000 > '{0}' & sleep 1000", fifo.display());
    let program = shell(&script, Duration::from_secs(1));
    let reading = tokio::task::spawn_blocking(move || std::fs::read(fifo).unwrap());
    let failure = program.run(b"").await.err().unwrap();
    assert_eq!((failure.outcome, &*failure.what), (Outcome::Unknown, "sh did not end within 1s"));
    assert_eq!(reading.await.unwrap(), b"", "its end comes with the end of the grandchild");
}

#[test]
fn a_program_that_is_not_there_is_said() {
    for name in ["no-such-program", "./no-such-program", "/etc/passwd"] {
        let failure = Program::find(name, Path::new("/"), LONG).unwrap_err();
        assert_eq!((failure.outcome, failure.what), (Outcome::NotDone, format!("there is no program {name}")));
    }
}
