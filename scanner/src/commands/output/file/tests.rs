use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::{append, write};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_keeps_its_mode() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keytrail.prom");
    write(&file, b"first").expect("written");
    let mode = |file: &Path| fs::metadata(file).expect("a file").permissions().mode() & 0o777;
    // As any program makes its files.
    let plain = folder.path().join("plain");
    fs::write(&plain, b"").expect("written");
    assert_eq!(mode(&file), mode(&plain));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
    // Who has the old file open goes on reading it.
    let (before, mut open) = (fs::metadata(&file).expect("a file").ino(), fs::File::open(&file).expect("a file"));
    write(&file, b"second").expect("written");
    let mut old = String::new();
    open.read_to_string(&mut old).expect("read");
    assert_eq!((old.as_str(), fs::read_to_string(&file).expect("a file").as_str()), ("first", "second"));
    assert_eq!(mode(&file), 0o640);
    assert_ne!(fs::metadata(&file).expect("a file").ino(), before);
    assert_eq!(names(folder.path()), ["keytrail.prom", "plain"]);
}

#[test]
fn a_link_stays_one() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("data")).expect("a folder");
    let (link, between) = (folder.path().join("report"), folder.path().join("between"));
    symlink("between", &link).expect("a link");
    symlink("data/report", &between).expect("a link");
    for text in ["first", "second"] {
        write(&link, text.as_bytes()).expect("written");
        assert_eq!(fs::read_to_string(folder.path().join("data/report")).expect("a file"), text);
    }
    assert!(link.is_symlink() && between.is_symlink());
    assert_eq!(names(&folder.path().join("data")), ["report"]);
}

#[test]
fn a_pipe_and_a_device_are_written_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).expect("read")
    });
    write(&pipe, b"through").expect("written");
    assert_eq!(reader.join().expect("read"), "through");
    assert_eq!(names(folder.path()), ["pipe"]);
    write(Path::new("/dev/null"), b"gone").expect("written");
    // A link to what this process has open is no file of its own.
    let link = folder.path().join("null");
    symlink("/dev/null", &link).expect("a link");
    write(&link, b"gone").expect("written");
    assert!(link.is_symlink());
}

#[test]
fn what_cannot_be_written_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = write(&folder.path().join("none/report"), b"x").expect_err("no folder");
    assert!(!error.to_string().contains(".keytrail-"), "{error}");
    assert!(write(folder.path(), b"x").is_err());
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_summary_is_added_on_a_line_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("summary");
    append(&file, b"## A\n").expect("written");
    append(&file, b"no line feed").expect("written");
    append(&file, b"## B\n").expect("written");
    assert_eq!(fs::read_to_string(file).expect("a file"), "## A\nno line feed\n## B\n");
}
