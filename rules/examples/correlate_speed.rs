//! How fast and in how little memory trails are correlated.
//!
//! ```text
//! cargo run --release -p keytrail-rules --example correlate_speed -- 100000 1000000 10000000 100000000
//! ```
//!
//! For each number of events, makes three trails of a year on the fly: 2,000 secrets with a rotation a month, and loads,
//! reads and events of strangers for the rest. Prints the processor time of making them alone, that of correlating them
//! (making them not counted), events per second of the latter, and the peak of memory, which only grows: run the sizes
//! apart to tell them apart.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "this is a program that measures itself")]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use keytrail_rules::correlate::{Setup, Stream, Verdict, correlate};
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{
    CopyKind, Covered, Declaration, Entry, Event, EventKind, Facts, Origin, Outcome, Place, Proof, Raw, Role,
    SecretCopy, Snapshot, Time, Trail,
};
use keytrail_rules::policy::Policy;
use keytrail_rules::value::Value;

const SECRETS: u64 = 2000;
const ROTATIONS: u64 = 12;
const YEAR: u64 = 360 * 86_400_000;
/// 2026-01-01.
const START: i64 = 1_767_225_600_000;

fn main() {
    let sizes: Vec<u64> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100_000, 1_000_000, 10_000_000] } else { sizes };
    for size in sizes {
        run(size);
    }
}

fn run(events: u64) {
    let places: Vec<Place> =
        (0..SECRETS).map(|at| Place::new("vault", &format!("secret/app{at}"), "password")).collect();
    let inventory = inventory(&places);
    let policy = Policy::default();
    let trails: Vec<Trail> = [("ledger", Role::Ledger), ("store", Role::Store), ("application", Role::Application)]
        .into_iter()
        .map(|(name, role)| Trail {
            name: name.into(),
            declared_at: None,
            kind: "json-log",
            role,
            watches: Vec::new(),
            consumer: None,
            delay: TimeDelta::minutes(5),
            skew: TimeDelta::seconds(5),
        })
        .collect();
    let earlier = BTreeMap::new();
    let setup = Setup {
        inventory: &inventory,
        policy: &policy,
        as_of: time(YEAR + 10 * 86_400_000),
        trails: &trails,
        earlier: &earlier,
    };
    let requests = SECRETS * ROTATIONS;
    // A third of the rest are reads, the others loads; of either, one in ten is of a stranger.
    let rest = events.saturating_sub(2 * requests);
    let make =
        &Maker { places: &places, raw: Raw { source: "log".into(), offset: 0, length: 200, line: 1, sha256: [1; 32] } };
    let streams = || -> Vec<Stream<'_>> {
        let loads = rest - rest / 3;
        vec![
            Box::new(covered().chain((0..requests).map(|at| make.rotation(at, EventKind::Requested, 0)))),
            Box::new(covered().chain(merged(requests, rest / 3, make))),
            Box::new(covered().chain((0..loads).map(move |at| make.flood(at, loads, EventKind::Loaded)))),
        ]
    };
    let before = cpu_seconds();
    let made: usize = streams().into_iter().map(|stream| stream.map(std::hint::black_box).count()).sum();
    let making = cpu_seconds() - before;
    let before = cpu_seconds();
    let correlation = correlate(&setup, streams());
    let whole = cpu_seconds() - before;
    let took = whole - making;
    let traced = correlation.rotations.iter().filter(|one| one.verdict == Verdict::Traced).count();
    println!(
        "{made} entries: making {making:.2} s, correlating {took:.2} s beside, {:.2} million events/s ({:.2} with making \
         them), peak {} MB; {} rotations, {traced} traced",
        events as f64 / took / 1e6,
        events as f64 / whole / 1e6,
        peak_kilobytes() / 1024,
        correlation.rotations.len(),
    );
}

fn inventory(places: &[Place]) -> Inventory {
    let mut facts = Facts::default();
    for (at, place) in places.iter().enumerate() {
        let mut declaration = Declaration::new(&format!("APP{at}_PASSWORD"), Origin::Config, None);
        declaration.places.push(place.clone());
        declaration.consumers = ["api", "worker"].map(|name| format!("kubernetes:shop/deployment/{name}")).into();
        facts.declarations.push(declaration);
        facts.copies.push(SecretCopy::new(place.clone(), CopyKind::VaultKv2, None, Value::unread()));
    }
    let snapshot = Snapshot { as_of: time(YEAR), facts, sightings: BTreeMap::new() };
    Inventory::new(&snapshot, &Policy::default())
}

fn time(milliseconds: u64) -> Time {
    Time::from_timestamp_millis(START + i64::try_from(milliseconds).unwrap_or(0)).unwrap_or(Time::MIN_UTC)
}

fn covered() -> impl Iterator<Item = Entry> {
    let from = time(0).checked_sub_signed(TimeDelta::days(9)).unwrap_or(Time::MIN_UTC);
    std::iter::once(Entry::Covered(Covered { from, to: time(YEAR + 9 * 86_400_000), proof: Proof::Declared }))
}

/// The writes and the reads, by time.
fn merged<'a>(writes: u64, reads: u64, make: &'a Maker<'a>) -> impl Iterator<Item = Entry> + 'a {
    let (mut write, mut read) = (0, 0);
    std::iter::from_fn(move || {
        if write < writes && (read >= reads || write as f64 / writes as f64 <= read as f64 / reads as f64) {
            write += 1;
            Some(make.rotation(write - 1, EventKind::Written, 60_000))
        } else if read < reads {
            read += 1;
            Some(make.flood(read - 1, reads, EventKind::Read))
        } else {
            None
        }
    })
}

struct Maker<'a> {
    places: &'a [Place],
    raw: Raw,
}

impl Maker<'_> {
    /// The rotations go round the secrets, evenly over the year.
    fn rotation(&self, at: u64, kind: EventKind, after: u64) -> Entry {
        let when = at * (YEAR / (SECRETS * ROTATIONS)) + after;
        let mut event = self.event(kind, (at % SECRETS) as usize, when, &format!("{kind:?}-{at}"));
        event.version = (kind == EventKind::Written).then(|| (at / SECRETS + 1).to_string());
        Entry::Event(event)
    }

    /// One of so many events that are spread evenly over the year.
    fn flood(&self, at: u64, of: u64, kind: EventKind) -> Entry {
        let when = (at as f64 / of as f64 * YEAR as f64) as u64;
        let random = at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let mut event = self.event(kind, (random % SECRETS) as usize, when, "");
        event.id = format!("{at:x}").into();
        if random.is_multiple_of(10) {
            event.target = Place::from_stored(format!("vault:secret/stranger{}#key", random % 100_000));
        }
        let consumer = if (random >> 30).is_multiple_of(2) { "api" } else { "worker" };
        event.consumer = Some(Arc::from(format!("kubernetes:shop/deployment/{consumer}")));
        event.actor = Some(consumer.to_owned());
        Entry::Event(event)
    }

    fn event(&self, kind: EventKind, secret: usize, when: u64, id: &str) -> Box<Event> {
        Box::new(Event {
            trail: 0,
            kind,
            outcome: Outcome::Done,
            target: self.places[secret].clone(),
            version: None,
            actor: None,
            run: None,
            time: time(when),
            id: id.into(),
            consumer: None,
            value: None,
            details: Vec::new(),
            raw: self.raw.clone(),
        })
    }
}

/// User and system time of this process, in seconds of 100 ticks.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The most memory that this process ever held.
fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or(0)
}
