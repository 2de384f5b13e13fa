use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use keytrail_rules::model::{FingerprintKey, Gap, GapReason};
use keytrail_rules::search::Hit;
use tempfile::TempDir;

use super::{Options, Resume, search, search_live};
use crate::leaks::checkpoint::Checkpoint;
use crate::leaks::samples::{gz, zip};
use crate::leaks::toy::Toy;
use crate::leaks::{Position, Progress, Sink};

/// Keeps what is found, sorted once it is looked at: files are searched in no order.
#[derive(Default)]
struct Log {
    hits: Vec<(String, u64, String)>,
    gaps: Vec<(String, GapReason)>,
    progress: Progress,
    checkpoints: Vec<Checkpoint>,
}

impl Sink for Log {
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
        let value = String::from_utf8_lossy(&text[hit.value.clone()]).into_owned();
        self.hits.push((at.path.to_owned(), at.line, value));
    }

    fn gap(&mut self, gap: Gap) {
        self.gaps.push((gap.source, gap.reason));
    }

    fn progress(&mut self, more: Progress) {
        self.progress.add(more);
    }

    fn checkpoint(&mut self, _: &str, checkpoint: Checkpoint) {
        self.checkpoints.push(checkpoint);
    }
}

fn searched(path: &Path, name: &str, options: &Options<'_>) -> Log {
    let mut log = Log::default();
    search(&Toy, path, name, options, &mut log);
    log.hits.sort();
    log.gaps.sort();
    log
}

fn paths(log: &Log) -> Vec<&str> {
    log.hits.iter().map(|hit| hit.0.as_str()).collect()
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, content).expect("a file");
    }
    folder
}

const TEXT: &[u8] = b"\nk=whisper\n";

#[test]
fn a_folder_is_searched_whole() {
    let inner = zip(&[("in.txt", TEXT)]);
    let log = gz(TEXT);
    let folder = folder(&[
        ("a.txt", TEXT),
        ("dir/.hidden/b", TEXT),
        ("dir/c.zip", &inner),
        ("logs/app.log.1.gz", &log),
        ("empty", b""),
        ("node_modules/d.js", TEXT),
        (".git/config", TEXT),
        ("sub/.git", TEXT),
    ]);
    let log = searched(folder.path(), "", &Options::default());
    assert_eq!(paths(&log), ["a.txt", "dir/.hidden/b", "dir/c.zip!in.txt", "logs/app.log.1.gz", "node_modules/d.js"]);
    assert!(log.hits.iter().all(|hit| (hit.1, hit.2.as_str()) == (2, "whisper")));
    assert_eq!((log.gaps, log.progress.files), (vec![], 6));
    let log = searched(folder.path(), "here/", &Options::default());
    assert_eq!(log.hits[0].0, "here/a.txt");
}

#[test]
fn many_files_are_each_searched_once() {
    let names: Vec<String> = (0..500).map(|at| format!("{}/{at}", at % 7)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), TEXT)).collect();
    let folder = folder(&files);
    for threads in [1, 2, 5] {
        let log = searched(folder.path(), "", &Options { threads, ..Options::default() });
        let mut expected: Vec<&str> = names.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(paths(&log), expected);
        assert_eq!(log.progress, Progress { files: 500, bytes: 500 * TEXT.len() as u64 });
    }
}

#[test]
fn what_a_repository_ignores_is_left_out_unless_it_is_wanted() {
    let folder = folder(&[
        (".gitignore", b"*.log\n/build/\n"),
        ("a.txt", TEXT),
        ("b.log", TEXT),
        ("build/c", TEXT),
        ("dir/.gitignore", b"!b.log\n"),
        ("dir/b.log", TEXT),
    ]);
    // Without a repository, the file is no more than a file.
    assert_eq!(searched(folder.path(), "", &Options::default()).hits.len(), 4);
    fs::create_dir(folder.path().join(".git")).expect("a repository");
    assert_eq!(paths(&searched(folder.path(), "", &Options::default())), ["a.txt", "dir/b.log"]);
    let all = Options { respect_ignored: false, ..Options::default() };
    assert_eq!(paths(&searched(folder.path(), "", &all)), ["a.txt", "b.log", "build/c", "dir/b.log"]);
    // What the user names is searched.
    assert_eq!(paths(&searched(&folder.path().join("b.log"), "b.log", &Options::default())), ["b.log"]);
    assert_eq!(paths(&searched(&folder.path().join("build"), "build", &Options::default())), ["build/c"]);
}

#[test]
fn links_are_not_followed() {
    let outside = folder(&[("secret", TEXT)]);
    let folder = folder(&[("a.txt", TEXT), ("dir/b", b"")]);
    let link = |target: &Path, name: &str| symlink(target, folder.path().join(name)).expect("a link");
    link(outside.path(), "out");
    link(&outside.path().join("secret"), "out-file");
    link(Path::new("a.txt"), "in");
    link(Path::new(".."), "dir/up");
    link(Path::new("nowhere"), "dangling");
    link(Path::new("itself"), "itself");
    let log = searched(folder.path(), "", &Options::default());
    assert_eq!(paths(&log), ["a.txt"]);
    // `dir/up` leads to the folder itself.
    assert_eq!(log.gaps, [("out".into(), GapReason::Unreachable), ("out-file".into(), GapReason::Unreachable)]);
    // A link that the user names is followed.
    assert_eq!(paths(&searched(&folder.path().join("out"), "out", &Options::default())), ["out/secret"]);
}

#[test]
fn pipes_in_a_folder_are_not_opened() {
    let folder = folder(&[("a.txt", TEXT)]);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().expect("mkfifo");
    assert!(made.success());
    let log = searched(folder.path(), "", &Options::default());
    assert_eq!((paths(&log), log.gaps.len()), (vec!["a.txt"], 0));
}

#[test]
fn a_pipe_that_is_named_is_read() {
    let folder = folder(&[]);
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let writer = pipe.clone();
    let writer = std::thread::spawn(move || OpenOptions::new().write(true).open(writer)?.write_all(TEXT));
    assert_eq!(paths(&searched(&pipe, "pipe", &Options::default())), ["pipe"]);
    writer.join().expect("a writer").expect("written");
}

#[test]
fn what_may_not_be_read_is_a_gap() {
    let folder = folder(&[("a.txt", TEXT), ("locked", TEXT), ("dir/b", TEXT)]);
    let lock = |name: &str, mode| {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    lock("locked", 0);
    lock("dir", 0);
    let log = searched(folder.path(), "", &Options::default());
    let may_read_all = File::open(folder.path().join("locked")).is_ok();
    lock("dir", 0o755);
    // The superuser may read everything.
    if !may_read_all {
        assert_eq!(paths(&log), ["a.txt"]);
        assert_eq!(
            log.gaps,
            [("dir".into(), GapReason::PermissionDenied), ("locked".into(), GapReason::PermissionDenied)]
        );
    }
    let log = searched(&folder.path().join("missing"), "missing", &Options::default());
    assert_eq!(log.gaps, [("missing".into(), GapReason::Unreachable)]);
}

#[test]
fn names_of_any_bytes_are_searched() {
    let folder = folder(&[("a\nb\u{1b}[31m", TEXT)]);
    fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9")), TEXT).expect("a file");
    assert_eq!(paths(&searched(folder.path(), "", &Options::default())), ["a\nb\u{1b}[31m", "caf\u{fffd}"]);
}

#[test]
fn standard_input_may_be_compressed() {
    for bytes in [TEXT.to_vec(), gz(TEXT)] {
        let mut log = Log::default();
        search_live(&Toy, io::Cursor::new(bytes), "-", &Options::default(), &mut log);
        assert_eq!(log.hits, [("-".into(), 2, "whisper".into())]);
    }
    let mut log = Log::default();
    search_live(&Toy, io::Cursor::new(zip(&[("a", TEXT)])), "-", &Options::default(), &mut log);
    assert_eq!(log.hits, [("-!a".into(), 2, "whisper".into())]);
}

#[test]
fn a_broken_standard_input_is_a_gap() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let mut log = Log::default();
    search_live(&Toy, io::Cursor::new(TEXT).chain(Failing), "-", &Options::default(), &mut log);
    assert_eq!((log.hits.len(), log.gaps), (1, vec![("-".into(), GapReason::Unreachable)]));
}

#[test]
fn a_log_is_searched_on_from_where_the_last_search_ended() {
    let key = FingerprintKey::new([7; 32]);
    let folder = folder(&[("app.log", &b"k=first\n".repeat(100)), ("old.gz", &gz(TEXT))]);
    let append = |name: &str, text: &str| {
        let mut file = OpenOptions::new().append(true).open(folder.path().join(name)).expect("a log");
        file.write_all(text.as_bytes()).expect("written");
    };
    let resumed = |checkpoints: &[Checkpoint]| {
        let resume = Some(Resume::new(&key, checkpoints.iter().cloned()));
        searched(folder.path(), "", &Options { resume, ..Options::default() })
    };
    let first = resumed(&[]);
    assert_eq!((first.hits.len(), first.checkpoints.len()), (101, 1));
    let stored = serde_json::to_string(&first.checkpoints).expect("plain data");
    let checkpoints: Vec<Checkpoint> = serde_json::from_str(&stored).expect("plain data");

    // Nothing new: only the compressed log, of which there is no checkpoint, is searched again.
    assert_eq!(resumed(&checkpoints).hits.len(), 1);
    // A line was half written before.
    append("app.log", "k=sec");
    let second = resumed(&checkpoints);
    assert_eq!(second.hits[0], ("app.log".into(), 101, "sec".into()));
    append("app.log", "ond\nk=third\n");
    // The log was rotated in between.
    fs::rename(folder.path().join("app.log"), folder.path().join("app.log.1")).expect("rotated");
    fs::write(folder.path().join("app.log"), "k=fresh\n").expect("a log");
    let third = resumed(&second.checkpoints);
    let found: Vec<_> = third.hits.iter().map(|hit| (hit.0.as_str(), hit.1, hit.2.as_str())).collect();
    let expected =
        [("app.log", 1, "fresh"), ("app.log.1", 101, "second"), ("app.log.1", 102, "third"), ("old.gz", 2, "whisper")];
    assert_eq!(found, expected);
    assert_eq!(third.checkpoints.len(), 2);

    // Truncated, and written anew with other content: the whole is searched.
    fs::write(folder.path().join("app.log.1"), "k=other\n".repeat(200)).expect("a log");
    assert_eq!(resumed(&third.checkpoints).hits.iter().filter(|hit| hit.2 == "other").count(), 200);
}
