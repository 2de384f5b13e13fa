//! Reads trails on threads of their own, each as far ahead as a few batches of entries.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use keytrail_rules::correlate::Stream;
use keytrail_rules::model::{Entry, Gap, Hole, Time};

use super::canary::Canaries;
use super::files::{Files, Found};
use super::framing::{Piece, Records};
use super::records::Reading;
use super::{Continue, File, Framing, Opening, Out, Parser, ReadTree, Reads, TrailKind};

/// Entries are handed over in batches of so many.
const BATCH: usize = 256;
/// So many batches may wait to be taken.
const BATCHES: usize = 4;

/// How many records at the start of a file are looked at for its time.
const LOOKED_AT: usize = 256;

/// What is left when a trail was read.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// How many events came out of it.
    pub(super) events: u64,
    /// What could not be read.
    pub(super) gaps: Vec<Gap>,
}

/// Reads a trail of files in the background.
pub(super) fn spawn<'scope, 'env: 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    kind: &'static TrailKind,
    opening: &'env Opening<'env>,
) -> (Stream<'env>, ScopedJoinHandle<'scope, Done>) {
    let (sender, receiver) = sync_channel(BATCHES);
    let handle = scope.spawn(move || {
        let mut batches = Batches { sender, batch: Vec::with_capacity(BATCH), events: 0 };
        let gaps = read(kind, opening, &mut |entry| batches.push(entry));
        let _ = batches.flush();
        Done { events: batches.events, gaps }
    });
    (entries(receiver), handle)
}

fn entries<'a>(receiver: Receiver<Vec<Entry>>) -> Stream<'a> {
    Box::new(receiver.into_iter().flatten())
}

struct Batches {
    sender: SyncSender<Vec<Entry>>,
    batch: Vec<Entry>,
    events: u64,
}

impl Batches {
    fn push(&mut self, entry: Entry) -> Continue {
        self.events += u64::from(matches!(entry, Entry::Event(_)));
        // How far the trail is, is worth knowing at once.
        let is_urgent = matches!(entry, Entry::Progress { .. });
        self.batch.push(entry);
        if is_urgent || self.batch.len() >= BATCH { self.flush() } else { Continue::Continue(()) }
    }

    fn flush(&mut self) -> Continue {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        // Nobody takes them any more.
        self.sender.send(batch).map_or(Continue::Break(()), Continue::Continue)
    }
}

/// Reads one source of a trail, whose bytes are as they were before they were compressed. Gives what could not be read.
pub fn read_source(
    kind: &TrailKind,
    opening: &Opening<'_>,
    source: File<'_>,
    on_entry: &mut dyn FnMut(Entry) -> Continue,
) -> Vec<Gap> {
    match kind.reads {
        Reads::Records { framing, parser } => {
            let mut reading = Reading::new(opening, framing, parser(opening), kind.delay(opening.config));
            if reading.file(source.name, source.bytes, on_entry).is_continue() {
                let _ = reading.end(on_entry);
            }
            reading.gaps
        }
        // Neither has a source of which it could be told the bytes.
        Reads::Tree(_) | Reads::Server(_) => Vec::new(),
    }
}

/// Reads a trail of files to its end.
pub(super) fn read(kind: &TrailKind, opening: &Opening<'_>, on_entry: &mut dyn FnMut(Entry) -> Continue) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let _ = read_into(kind, opening, on_entry, &mut gaps);
    gaps
}

fn read_into(
    kind: &TrailKind,
    opening: &Opening<'_>,
    on_entry: &mut dyn FnMut(Entry) -> Continue,
    gaps: &mut Vec<Gap>,
) -> Continue {
    let mut canaries = Canaries::of(opening.config);
    let on_entry = &mut |entry: Entry| {
        let shown = canaries.as_mut().map(|canaries| canaries.see(&entry)).unwrap_or_default();
        on_entry(entry)?;
        shown.into_iter().try_for_each(|covered| on_entry(Entry::Covered(covered)))
    };
    for covered in &opening.config.covers {
        on_entry(Entry::Covered(*covered))?;
    }
    let files = Files::of(opening.config);
    for gap in files.gaps.into_iter().chain(files.unmatched) {
        on_entry(Entry::Hole(unread(&gap)))?;
        gaps.push(gap);
    }
    match &kind.reads {
        Reads::Records { framing, parser } => {
            let parser = *parser;
            let found = by_time(files.found, *framing, &|| parser(opening));
            let mut reading = Reading::new(opening, *framing, parser(opening), kind.delay(opening.config));
            let flow = read_records(&mut reading, found, on_entry, gaps);
            gaps.append(&mut reading.gaps);
            flow
        }
        Reads::Tree(read) => {
            let paths: Vec<PathBuf> =
                files.found.into_iter().map(|file| file.path.unwrap_or_else(|| PathBuf::from("-"))).collect();
            read_tree(*read, opening, &paths, on_entry, gaps)
        }
        Reads::Server(_) => Continue::Continue(()),
    }
}

fn read_records(
    reading: &mut Reading<'_>,
    found: Vec<Found>,
    on_entry: &mut dyn FnMut(Entry) -> Continue,
    gaps: &mut Vec<Gap>,
) -> Continue {
    for file in found {
        match file.open() {
            Ok(reader) => reading.file(&file.name, reader, on_entry)?,
            Err(gap) => {
                on_entry(Entry::Hole(unread(&gap)))?;
                gaps.push(gap);
            }
        }
    }
    reading.end(on_entry)
}

fn read_tree(
    read: ReadTree,
    opening: &Opening<'_>,
    paths: &[PathBuf],
    on_entry: &mut dyn FnMut(Entry) -> Continue,
    gaps: &mut Vec<Gap>,
) -> Continue {
    let mut flow = Continue::Continue(());
    let mut has_hole = false;
    let found = read(opening, paths, &mut |entry| {
        has_hole |= matches!(entry, Entry::Hole(_));
        if flow.is_continue() {
            flow = on_entry(entry);
        }
    });
    flow?;
    // A kind that says what it could not read, and not of when that would tell.
    for gap in found.iter().filter(|_| !has_hole) {
        on_entry(Entry::Hole(unread(gap)))?;
    }
    gaps.extend(found);
    Continue::Continue(())
}

/// The hole that a file leaves which was not read at all: nobody knows of when it would tell.
pub(super) fn unread(gap: &Gap) -> Hole {
    let reason = format!("{} was not read: {}", gap.source, gap.message);
    Hole { from: None, to: None, reason, tampered: false, raw: None }
}

/// The files by the time of their first records. Standard input comes last, and files without times in the order of their names.
fn by_time<'a>(found: Vec<Found>, framing: Framing, parser: &dyn Fn() -> Box<dyn Parser + 'a>) -> Vec<Found> {
    if found.len() < 2 {
        return found;
    }
    let mut timed: Vec<_> = found.into_iter().map(|file| (first_time(&file, framing, parser()), file)).collect();
    timed.sort_by(|(a, one), (b, other)| {
        let key = |file: &Found, time: &Option<Time>| (file.path.is_none(), time.is_none(), *time);
        key(one, a).cmp(&key(other, b)).then_with(|| one.name.cmp(&other.name))
    });
    timed.into_iter().map(|(_, file)| file).collect()
}

fn first_time(file: &Found, framing: Framing, mut parser: Box<dyn Parser + '_>) -> Option<Time> {
    // A pipe can be read only once.
    file.path.as_ref().filter(|path| path.is_file())?;
    let mut records = Records::new(file.open().ok()?, framing);
    let mut out = Out::default();
    for _ in 0..LOOKED_AT {
        if let Piece::Record(_, bytes) = records.next_piece().ok()?? {
            parser.record(bytes, &mut out);
            if out.time.is_some() {
                return out.time;
            }
            out = Out::default();
        }
    }
    None
}

/// The entries of a trail that a server answered with, in the order of time.
pub(super) fn answered<'a>(opening: &Opening<'a>, mut entries: Vec<Entry>, gaps: &[Gap]) -> Stream<'a> {
    entries.sort_by_key(|entry| match entry {
        Entry::Event(event) => Some(event.time),
        Entry::Progress { time, .. } => Some(*time),
        _ => None,
    });
    let mut canaries = Canaries::of(opening.config);
    let shown = entries.iter().flat_map(|entry| canaries.as_mut().map(|one| one.see(entry)).unwrap_or_default());
    let covered: Vec<Entry> = opening.config.covers.iter().copied().chain(shown).map(Entry::Covered).collect();
    // A server that says of when it has nothing says it better.
    let has_hole = entries.iter().any(|entry| matches!(entry, Entry::Hole(_)));
    let holes: Vec<Entry> = gaps.iter().filter(|_| !has_hole).map(|gap| Entry::Hole(unread(gap))).collect();
    Box::new(covered.into_iter().chain(holes).chain(entries))
}

#[cfg(test)]
mod tests;
