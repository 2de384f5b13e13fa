use std::fs;
use std::io::Write;

use super::super::testing::config;
use super::*;

fn tree(paths: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for path in paths {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, "x").expect("a file");
    }
    folder
}

fn names(root: &Path, patterns: &[&str]) -> (Vec<String>, Vec<Gap>) {
    let files = Files::of(&config("json-log", root, patterns));
    (files.found.into_iter().map(|file| file.name).collect(), [files.gaps, files.unmatched].concat())
}

#[test]
fn paths_patterns_and_folders_name_files() {
    let folder = tree(&["a.log", "logs/b.log", "logs/b.log.1", "logs/old/c.log.gz", "other/d.log"]);
    let root = folder.path();
    for (patterns, expected) in [
        (&["a.log"][..], &["a.log"][..]),
        (&["./logs/*.log", "a.log", "a.log"], &["a.log", "logs/b.log"]),
        (&["logs"], &["logs/b.log", "logs/b.log.1", "logs/old/c.log.gz"]),
        (&["l*gs"], &["logs/b.log", "logs/b.log.1", "logs/old/c.log.gz"]),
        (&["**/*.log"], &["a.log", "logs/b.log", "other/d.log"]),
        (&["logs/{b,c}.log*"], &["logs/b.log", "logs/b.log.1"]),
        (&["-"], &["-"]),
    ] {
        assert_eq!(
            names(root, patterns),
            (expected.iter().map(|name| (*name).to_owned()).collect(), Vec::new()),
            "{patterns:?}"
        );
    }
    let absolute = root.join("logs/*.log");
    assert_eq!(names(Path::new("/nowhere"), &[absolute.to_str().expect("UTF-8")]).0.len(), 1);
}

#[test]
fn what_is_not_there_is_a_gap() {
    let folder = tree(&["a.log"]);
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    let (found, gaps) = names(folder.path(), &["a.log", "b.log", "logs/*.log", "empty"]);
    assert_eq!(found, ["a.log"]);
    let sources: Vec<_> = gaps.iter().map(|gap| (gap.source.as_str(), gap.reason)).collect();
    let unreachable = GapReason::Unreachable;
    assert_eq!(sources, [("b.log", unreachable), ("logs/*.log", unreachable), ("empty", unreachable)]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_never_in_circles() {
    use std::os::unix::fs::symlink;
    let folder = tree(&["pods/a.log", "store/b.log"]);
    symlink("../store/b.log", folder.path().join("pods/b.log")).expect("a link");
    symlink("../pods", folder.path().join("pods/self")).expect("a link");
    symlink("nowhere", folder.path().join("pods/broken.log")).expect("a link");
    let (found, gaps) = names(folder.path(), &["pods/*.log", "store"]);
    assert_eq!(found, ["pods/a.log", "pods/b.log"]);
    assert_eq!(gaps.iter().map(|gap| gap.source.as_str()).collect::<Vec<_>>(), ["pods/broken.log"]);
}

fn opened(path: &Path, bytes: &[u8]) -> Result<String, Gap> {
    fs::write(path, bytes).expect("a file");
    let found = Found { name: "a".into(), path: Some(path.to_owned()) };
    let mut text = String::new();
    found.open()?.read_to_string(&mut text).expect("text");
    Ok(text)
}

#[test]
fn compressed_files_are_inflated_whatever_they_are_called() {
    let folder = tree(&[]);
    let path = folder.path().join("a.log");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"text").expect("bytes");
    let gzip = gzip.finish().expect("bytes");
    let zstd = zstd::encode_all(&b"text"[..], 3).expect("bytes");
    let twice = [gzip.as_slice(), gzip.as_slice()].concat();
    for (bytes, text) in
        [(gzip.as_slice(), "text"), (&zstd, "text"), (&twice, "texttext"), (b"text", "text"), (b"", "")]
    {
        assert_eq!(opened(&path, bytes).as_deref(), Ok(text));
        assert_eq!(is_compressed(&path), !b"text".starts_with(bytes));
    }
    let gap = opened(&path, b"\x04\x22\x4d\x18....").expect_err("LZ4");
    assert_eq!((gap.reason, gap.message.as_str()), (GapReason::Unsupported, "LZ4 data is not read"));
}
