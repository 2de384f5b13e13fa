//! CloudTrail: where its records begin and end, what they say, and what digests prove.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use keytrail::trails::framing::Span;
use keytrail::trails::{Opening, ReadTree, Reads, RecordPlace, TrailConfig, cloudtrail};
use keytrail_rules::correlate::Names;
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{CopyKind, Covered, Entry, Event, Facts, Gap, Hole, Location, Place, SecretCopy, Snapshot};
use keytrail_rules::policy::Policy;
use keytrail_rules::value::{self, Shape};
use serde_json::Value;

use super::planted;

/// The reader has so many bytes in memory at a time.
const PIECE: usize = 4 << 20;

/// What a trail gives.
#[derive(Default)]
struct Given {
    events: Vec<Event>,
    covered: Vec<Covered>,
    holes: Vec<Hole>,
    records: u64,
    gaps: Vec<Gap>,
}

/// The first byte says what the rest is: `l` a log, `p` a log of which the second half comes with the next piece, `d` a line
/// of public keys and a line for each digest, which are of one hour after the other.
pub fn cloudtrail(data: &[u8]) {
    let Some((first, content)) = data.split_first() else { return };
    match first {
        b'l' => log(content),
        b'p' => in_pieces(content),
        b'd' => digests(content),
        _ => {}
    }
}

/// Events lie where they are said to, and nothing of a file that is whole is passed over.
fn log(content: &[u8]) {
    let given = read(&[("log".to_owned(), content.to_vec())]);
    assert!(given.events.is_sorted_by_key(|event| event.time), "the events are not in order");
    if !is_compressed(content) {
        given.events.iter().for_each(|event| assert_raw(event, content));
    }
    if let Some(count) = count(content) {
        let broken = given.holes.len();
        assert!(given.records == count || broken > 0 && given.records < count, "{} of {count}", given.records);
    }
    if planted::only_in_values("cloudtrail", content) {
        planted::assert_hidden(&format!("{:?} {:?} {:?}", given.events, given.holes, given.gaps));
    }
}

fn assert_raw(event: &Event, content: &[u8]) {
    let (start, length) = (event.raw.offset as usize, event.raw.length as usize);
    let record = &content[start..start + length];
    let line = content[..start].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let place = RecordPlace { source: "log".into(), span: Span { offset: event.raw.offset, line } };
    assert_eq!(event.raw, place.raw(record), "an event lies elsewhere");
}

fn is_compressed(content: &[u8]) -> bool {
    [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd]].iter().any(|magic| content.starts_with(magic))
}

/// How many records there are in a file as CloudTrail writes it; `None` for any other.
fn count(content: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(content).ok().filter(|text| text.starts_with("{\"Records\":["))?;
    // A second key of that name, in this spelling or another.
    if text.matches("\"Records\"").count() > 1 || text.contains("\\u") || text.contains("\"Events\"") {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let records = value["Records"].as_array()?;
    records.iter().all(Value::is_object).then_some(records.len() as u64)
}

/// It does not matter where in a log a piece ends.
fn in_pieces(content: &[u8]) {
    if is_compressed(content) || content.starts_with(b"\xef\xbb\xbf") {
        return;
    }
    let whole = read(&[("log".to_owned(), content.to_vec())]);
    let before = PIECE - content.len().min(PIECE) / 2;
    let halved = read(&[("log".to_owned(), [&b" ".repeat(before), content].concat())]);
    assert_eq!(whole.holes.is_empty(), halved.holes.is_empty(), "a hole comes with the pieces");
    if whole.holes.is_empty() {
        let mut events = halved.events;
        events.iter_mut().for_each(|event| event.raw.offset -= before as u64);
        assert_eq!((whole.events, whole.records), (events, halved.records));
    }
}

/// Digests prove nothing without keys, and stretches have a beginning before their end.
fn digests(content: &[u8]) {
    let mut lines = content.split(|byte| *byte == b'\n');
    let keys = lines.next().unwrap_or_default().to_vec();
    let named = |(hour, line): (usize, &[u8])| {
        let name =
            format!("111122223333_CloudTrail-Digest_us-east-1_whole_us-east-1_20260201T{:02}0000Z.json.gz", hour + 1);
        (name, line.to_vec())
    };
    let mut files: Vec<_> = lines.take(20).enumerate().map(named).collect();
    let has_keys = !keys.is_empty();
    if has_keys {
        files.push(("keys.json".to_owned(), keys));
    }
    let given = read(&files);
    assert!(has_keys || given.covered.is_empty(), "nothing signed is proven");
    assert!(given.covered.iter().all(|covered| covered.from < covered.to));
    let forward = |hole: &Hole| hole.from.zip(hole.to).is_none_or(|(from, to)| from < to);
    assert!(given.holes.iter().all(forward), "{:?}", given.holes);
}

/// Reads files that lie in a folder, of which `keys.json` are the public keys.
fn read(files: &[(String, Vec<u8>)]) -> Given {
    let folder = Folder::new();
    let mut paths = Vec::new();
    for (name, bytes) in files {
        let path = folder.0.join(name);
        assert!(fs::write(&path, bytes).is_ok(), "{} cannot be written", path.display());
        paths.extend((name != "keys.json").then_some(path));
    }
    let public_keys = (paths.len() < files.len()).then(|| "keys.json".into());
    let config = TrailConfig { public_keys, ..config(&folder.0) };
    static NAMES: LazyLock<Names> = LazyLock::new(names);
    let key = keytrail_rules::model::FingerprintKey::new([7; 32]);
    let opening = Opening { config: &config, trail: 0, names: &NAMES, as_of: super::now(), key: &key };
    let mut given = Given::default();
    given.gaps = tree()(&opening, &paths, &mut |entry| match entry {
        Entry::Event(event) => given.events.push(*event),
        Entry::Covered(covered) => given.covered.push(covered),
        Entry::Hole(hole) => given.holes.push(hole),
        Entry::Progress { records, .. } => given.records += records,
        Entry::Same(..) => {}
    });
    given
}

/// Names of an inventory that knows what the seeds are about.
fn names() -> Names {
    let places = [
        "aws-secrets-manager:prod/shop/db",
        "aws-secrets-manager:prod/shop/other",
        "aws-ssm:/shop/api-key",
        "aws-ssm:/shop",
        "aws-iam:user/mailer",
        "aws-rds:db/shop",
        "aws-elasticache:group/sessions",
    ];
    let places = places.into_iter().filter_map(Place::parse);
    let copy = |place| SecretCopy::new(place, CopyKind::VaultKv2, None, value::Value::of_shape(Shape::Unread));
    let facts = Facts { copies: places.map(copy).collect(), ..Facts::default() };
    let snapshot = Snapshot { as_of: super::now(), facts, sightings: BTreeMap::new() };
    Names::new(&Inventory::new(&snapshot, &Policy::default()))
}

fn tree() -> ReadTree {
    match cloudtrail::KIND.reads {
        Reads::Tree(read) => read,
        _ => panic!("CloudTrail is a tree of files"),
    }
}

/// A folder of this thread, in memory where there is such a place.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let folder = parent.join(format!("keytrail-fuzz-{}-{thread}", std::process::id()));
        assert!(fs::create_dir_all(&folder).is_ok(), "{} cannot be made", folder.display());
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config(root: &Path) -> TrailConfig {
    TrailConfig::new("trail", cloudtrail::KIND.name, root, Location::of_file("keytrail.toml"))
}
