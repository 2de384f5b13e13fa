use std::io::{Cursor, Read, Write};

use keytrail_rules::model::{Gap, GapReason};
use keytrail_rules::search::Hit;
use proptest::prelude::*;

use super::{Contents, Input};
use crate::leaks::samples::{ar, bz2, gz, sevenz, tar, xz, zip, zst};
use crate::leaks::toy::Toy;
use crate::leaks::{Limits, Position, Progress, Sink};

/// Keeps what is found: path, line, column, offset, value.
#[derive(Default)]
struct Log {
    hits: Vec<(String, u64, u32, u64, String)>,
    gaps: Vec<Gap>,
    progress: Progress,
}

impl Sink for Log {
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
        let value = String::from_utf8_lossy(&text[hit.value.clone()]).into_owned();
        self.hits.push((at.path.to_owned(), at.line, at.start_column, at.offset, value));
    }

    fn gap(&mut self, gap: Gap) {
        assert!(!gap.message.contains("whisper"), "{}", gap.message);
        self.gaps.push(gap);
    }

    fn progress(&mut self, more: Progress) {
        self.progress.add(more);
    }
}

impl Log {
    fn paths(&self) -> Vec<&str> {
        self.hits.iter().map(|hit| hit.0.as_str()).collect()
    }

    fn reasons(&self) -> Vec<(&str, GapReason)> {
        self.gaps.iter().map(|gap| (gap.source.as_str(), gap.reason)).collect()
    }
}

fn search_within(bytes: &[u8], limits: Limits) -> Log {
    let mut log = Log::default();
    Contents::new(&Toy, limits).search("f", Input::Stream(&mut &bytes[..]), &mut log);
    log
}

fn search(bytes: &[u8]) -> Log {
    search_within(bytes, Limits::default())
}

const TEXT: &[u8] = b"first line\nthen k=whisper\n";

/// How an archive of each kind is made, and the path of its members. A new kind needs a line here.
type Make = fn(&[(&str, &[u8])]) -> Vec<u8>;
const ARCHIVES: &[(&str, Make)] = &[("zip", zip), ("tar", tar), ("ar", ar), ("7z", sevenz)];
type Compress = fn(&[u8]) -> Vec<u8>;
const COMPRESSIONS: &[(&str, Compress)] = &[("gzip", gz), ("zstd", zst), ("bzip2", bz2), ("xz", xz)];

#[test]
fn every_compression_is_read() {
    for (name, compress) in COMPRESSIONS {
        let log = search(&compress(TEXT));
        assert_eq!(log.hits, [("f".into(), 2, 8, 18, "whisper".into())], "{name}");
        assert!(log.gaps.is_empty(), "{name}");
        let twice = [compress(TEXT), compress(TEXT)].concat();
        assert_eq!(search(&twice).hits.len(), 2, "{name} of several members");
        assert_eq!(search(&compress(&compress(TEXT))).hits.len(), 1, "{name} twice");
        assert!(search(&compress(b"")).gaps.is_empty(), "{name} of nothing");
    }
}

#[test]
fn every_archive_is_read() {
    for (name, make) in ARCHIVES {
        let log = search(&make(&[("a.txt", TEXT), ("dir/empty", b""), ("dir/b.txt", b"k=other")]));
        assert_eq!(log.paths(), ["f!a.txt", "f!dir/b.txt"], "{name}: {:?}", log.gaps);
        assert_eq!((log.hits[0].1, log.hits[0].3), (2, 18), "{name}");
        assert!(log.gaps.is_empty(), "{name}: {:?}", log.gaps);
        assert_eq!(log.progress.files, 3, "{name}");
        assert_eq!(search(&make(&[])).hits, [], "{name} of nothing");
    }
}

#[test]
fn archives_nest() {
    for (outer, make) in ARCHIVES {
        for (inner, make_inner) in ARCHIVES {
            for (compression, compress) in COMPRESSIONS {
                let bytes = compress(&make(&[("x", &compress(&make_inner(&[("y.txt", TEXT)])))]));
                let log = search(&bytes);
                assert_eq!(log.paths(), ["f!x!y.txt"], "{inner} in {outer} by {compression}: {:?}", log.gaps);
            }
        }
    }
}

#[test]
fn what_is_nested_too_deep_is_a_gap() {
    let deep = |levels: u32| (0..levels).fold(TEXT.to_vec(), |inner, _| gz(&inner));
    assert_eq!(search(&deep(8)).hits.len(), 1);
    let log = search(&deep(9));
    assert_eq!((log.hits.len(), log.reasons()), (0, vec![("f", GapReason::TooLarge)]));
    let log = search(&zip(&[("deep", &deep(9)), ("other", TEXT)]));
    assert_eq!((log.paths(), log.reasons()), (vec!["f!other"], vec![("f!deep", GapReason::TooLarge)]));
}

/// Limits that small bombs meet.
fn tight() -> Limits {
    Limits { free_bytes: 100_000, ratio: 50, ..Limits::default() }
}

#[test]
fn bombs_are_cut_and_the_rest_is_searched() {
    let bomb = [b"k=before ", &vec![b' '; 2_000_000][..]].concat();
    // Enough beside the bomb that the archive as a whole is none.
    let mut state = 1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8 | 0x80
    };
    let mut noise: Vec<u8> = (0..400_000).map(|_| random()).collect();
    noise.extend(b" k=after");
    for (name, compress) in COMPRESSIONS {
        let log = search_within(&tar(&[("bomb", &compress(&bomb)), ("rest", &noise)]), tight());
        assert_eq!(log.paths(), ["f!bomb", "f!rest"], "{name}");
        assert_eq!(log.reasons(), [("f!bomb", GapReason::TooLarge)], "{name}");
    }
    let log = search_within(&zip(&[("bomb", &bomb), ("rest", &noise)]), tight());
    assert_eq!(log.reasons()[0], ("f!bomb", GapReason::TooLarge));
    assert_eq!(log.paths(), ["f!bomb", "f!rest"], "{:?}", log.gaps);
    assert!(log.progress.bytes < 1_500_000, "{}", log.progress.bytes);
}

#[test]
fn a_bomb_of_many_small_bombs_is_cut() {
    // Each member is within the limit of its own; all of them together are not.
    let one = vec![b' '; 90_000];
    let names: Vec<String> = (0..300).map(|at| at.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &one[..])).collect();
    let log = search_within(&zip(&members), tight());
    assert_eq!((log.gaps.len(), log.gaps[0].reason), (1, GapReason::TooLarge));
    assert!(log.progress.bytes < 6_000_000, "{}", log.progress.bytes);
}

#[test]
fn all_limits_name_the_member() {
    let log = search_within(&tar(&[("a", TEXT), ("b", TEXT), ("c", TEXT)]), Limits { members: 2, ..Limits::default() });
    assert_eq!((log.hits.len(), log.reasons()), (2, vec![("f!c", GapReason::TooLarge)]));
    let log = search_within(&gz(&vec![b' '; 100_000]), Limits { bytes: 50_000, ..Limits::default() });
    assert_eq!(log.reasons(), [("f", GapReason::TooLarge)]);
    let inner = zip(&[("x", TEXT)]);
    let log = search_within(&tar(&[("a.zip", &inner)]), Limits { held_bytes: 10, ..Limits::default() });
    assert_eq!(log.reasons()[0], ("f!a.zip", GapReason::TooLarge));
}

#[test]
fn what_comes_before_damage_is_searched() {
    let noise: String = (0..60_000_u32).map(|at| format!("{:x} ", at.wrapping_mul(2_654_435_761))).collect();
    let text = format!("k=early {noise} k=late");
    for (name, compress) in COMPRESSIONS {
        let whole = compress(text.as_bytes());
        let log = search(&whole[..whole.len() - whole.len() / 8]);
        assert_eq!(log.reasons(), [("f", GapReason::Malformed)], "{name}");
        let found: Vec<_> = log.hits.iter().map(|hit| hit.4.as_str()).collect();
        // bzip2 gives blocks of 900 kB, and so perhaps nothing.
        assert!(found == ["early"] || *name == "bzip2" && found.is_empty(), "{name}: {found:?}");
    }
    for (name, make) in ARCHIVES {
        let whole = make(&[("a", TEXT), ("b", text.as_bytes())]);
        let log = search(&whole[..whole.len() - whole.len() / 4]);
        assert!(!log.gaps.is_empty(), "{name}");
        // The directory of a 7z archive is its end.
        assert!(log.paths().starts_with(&["f!a"]) || *name == "7z", "{name}: {:?} {:?}", log.hits, log.gaps);
    }
}

#[test]
fn damage_within_an_archive_is_told_once() {
    let mut broken = gz(&[TEXT, &[b'x'; 100_000]].concat());
    let length = broken.len();
    broken.truncate(length - 9);
    let log = search(&gz(&tar(&[("broken.gz", &broken), ("good", TEXT)])));
    assert_eq!(log.reasons(), [("f!broken.gz", GapReason::Malformed)]);
    assert_eq!(log.paths(), ["f!broken.gz", "f!good"]);
    let cut = gz(&tar(&[("a", TEXT), ("b", &[b'x'; 100_000])]));
    let log = search(&cut[..cut.len() - 20]);
    assert_eq!((log.paths(), log.reasons()), (vec!["f!a"], vec![("f", GapReason::Malformed)]));
}

#[test]
fn an_encrypted_member_is_a_gap() {
    let mut bytes = zip(&[("locked", TEXT), ("open", TEXT)]);
    let central = memchr::memmem::find(&bytes, b"PK\x01\x02").expect("a directory");
    bytes[6] |= 1;
    bytes[central + 8] |= 1;
    let log = search(&bytes);
    assert_eq!((log.paths(), log.reasons()), (vec!["f!open"], vec![("f!locked", GapReason::PermissionDenied)]));
}

#[test]
fn a_zip_without_its_directory_is_read_by_its_members() {
    let bytes = zip(&[("a", TEXT), ("b", TEXT)]);
    let central = memchr::memmem::find(&bytes, b"PK\x01\x02").expect("a directory");
    let log = search(&bytes[..central]);
    assert_eq!((log.paths(), log.reasons()), (vec!["f!a", "f!b"], vec![("f", GapReason::Malformed)]));
}

#[test]
fn names_are_only_names() {
    let names = ["../../etc/passwd", "/abs", "a\nb\u{1b}[31m", "C:\\x", "a!b"];
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, TEXT)).collect();
    for (name, make) in [("tar", tar as Make), ("zip", zip)] {
        let log = search(&make(&members));
        let expected: Vec<String> = names.iter().map(|name| format!("f!{name}")).collect();
        assert_eq!(log.paths(), expected, "{name}");
    }
    let long = "d/".repeat(200) + "name";
    assert_eq!(search(&tar(&[(&long, TEXT)])).paths(), [format!("f!{long}")]);
    assert_eq!(search(&ar(&[(&long, TEXT)])).paths(), [format!("f!{long}")]);
}

#[test]
fn tar_holds_more_than_files() {
    let mut bytes = crate::leaks::samples::tar_entry(b'2', "link", b"");
    bytes.extend(crate::leaks::samples::tar_entry(b'5', "dir/", b""));
    let record = "34 path=caf\u{e9}/from the pax header\n";
    assert_eq!(record.len(), 34);
    bytes.extend(crate::leaks::samples::tar_entry(b'x', "pax", record.as_bytes()));
    bytes.extend(crate::leaks::samples::tar_entry(b'0', "short", TEXT));
    let zeros = vec![0; 1024];
    bytes.extend(&zeros);
    // Another archive, appended.
    bytes.extend(tar(&[("appended", TEXT)]));
    let log = search(&bytes);
    assert_eq!(log.paths(), ["f!caf\u{e9}/from the pax header", "f!appended"]);
    bytes.extend(b"not a header".repeat(100));
    assert_eq!(search(&bytes).reasons(), [("f", GapReason::Malformed)]);
}

#[test]
fn what_is_not_read_is_a_gap() {
    for head in [&b"Rar!\x1a\x07\x01\0"[..], b"\x04\x22\x4d\x18rest", b"\x1f\x9d\x90"] {
        assert_eq!(search(head).reasons(), [("f", GapReason::Unsupported)]);
    }
}

#[test]
fn utf_16_gives_the_places_of_its_own_bytes() {
    let units: Vec<u16> = "\u{feff}first é😀\nthen é k=whisper\n".encode_utf16().collect();
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let log = search(&bytes);
    assert_eq!(log.hits, [("f".into(), 2, 10, 2 * (1 + 10 + 9), "whisper".into())]);
    let log = search(b"\xef\xbb\xbfk=whisper");
    assert_eq!(log.hits, [("f".into(), 1, 3, 5, "whisper".into())]);
}

#[test]
fn binary_files_are_searched_as_bytes() {
    let mut bytes = vec![0, 1, 2, 0xff, b'\n', 0xfe];
    bytes.extend(b"k=whisper\0");
    assert_eq!(search(&bytes).hits, [("f".into(), 2, 4, 8, "whisper".into())]);
}

#[test]
fn an_unreadable_stream_is_a_gap() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let mut log = Log::default();
    let mut reader = Cursor::new(TEXT).chain(Failing);
    Contents::new(&Toy, Limits::default()).search("f", Input::Stream(&mut reader), &mut log);
    assert_eq!((log.hits.len(), log.reasons()), (1, vec![("f", GapReason::Unreachable)]));
}

#[test]
fn many_gaps_of_one_file_are_counted() {
    let names: Vec<String> = (0..250).map(|at| at.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"Rar!\x1a\x07\x01\0"[..])).collect();
    let log = search(&tar(&members));
    assert_eq!(log.gaps.len(), 101);
    assert!(log.gaps[100].message.starts_with("150 more"), "{}", log.gaps[100].message);
}

#[test]
fn a_regular_file_is_read_back_and_forth_where_it_is() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&zip(&[("a", TEXT)])).expect("written");
    std::io::Seek::rewind(&mut file).expect("rewound");
    let mut log = Log::default();
    Contents::new(&Toy, Limits { held_bytes: 0, ..Limits::default() }).search("f", Input::File(file), &mut log);
    assert_eq!((log.paths(), log.gaps.len()), (vec!["f!a"], 0));
}

/// Every kind of file, made of the same text.
fn one_of_each() -> Vec<Vec<u8>> {
    let files: &[(&str, &[u8])] = &[("a", TEXT), ("dir/b", &[b'x'; 700])];
    let archives = ARCHIVES.iter().map(|(_, make)| make(files));
    archives.chain(COMPRESSIONS.iter().map(|(_, compress)| compress(&TEXT.repeat(9)))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn damage_neither_breaks_nor_fills(kind in 0_usize..8, cut in any::<prop::sample::Index>(), flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let mut bytes = one_of_each().swap_remove(kind);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let limits = Limits { free_bytes: 100_000, ratio: 50, bytes: 1_000_000, ..Limits::default() };
        let log = search_within(&bytes, limits);
        prop_assert!(log.progress.bytes <= 2_000_000, "{}", log.progress.bytes);
    }
}
