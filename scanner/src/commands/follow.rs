//! `keytrail trails --follow`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use keytrail_reporters::lanes::{event_line, hole_line, verdict_line};
use keytrail_rules::correlate::{Names, Rotation, Verdict};
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{Entry, Gap, Snapshot};

use super::{Collected, now, warn};
use crate::error::Error;
use crate::trails::follow::{follow, wait};
use crate::trails::{Continue, Opening, TrailConfig, TrailKind};

/// Messages that may wait; a reader of more than that waits itself.
const WAITING: usize = 1_000;

/// How often it is looked whether a verdict changes with time.
const PERIOD: Duration = Duration::from_secs(1);

/// Judging means reading the trails again: so many times as long as it took, nothing is judged.
const REST: u32 = 4;

/// What a reader says of a trail.
enum Message {
    /// All that was there is read.
    Live,
    /// Something new, by the place of its trail.
    New(usize, Entry),
    /// It cannot be read on.
    Ended(Vec<Gap>),
}

/// Goes on reading the trails: prints each new event about an item of the inventory, and each verdict that changes, until
/// nobody reads on. `begin` shows what there is before.
pub(super) fn run(
    mut collected: Collected<'_>,
    begin: &dyn Fn(&Snapshot, &crate::config::Config) -> Result<(), Error>,
) -> Result<(), Error> {
    refuse_standard_input(&collected.config.trails)?;
    collected.bar.finish_and_clear();
    collected.bar = ProgressBar::hidden();
    collected.ask_stores()?;
    let base = collected.snapshot.clone();
    let trails = collected.config.trails.clone();
    let names = Names::new(&Inventory::new(&base, &collected.config.policy));
    let key = collected.key.clone();
    let stop = AtomicBool::new(false);
    let (sender, receiver) = sync_channel(WAITING);
    thread::scope(|scope| {
        for (trail, config) in trails.iter().filter(|config| TrailKind::find(&config.kind).is_some()).enumerate() {
            let (sender, names, stop, key) = (sender.clone(), &names, &stop, &key);
            let opening = Opening { config, trail, names, as_of: base.as_of, key };
            scope.spawn(move || read(&opening, stop, &sender));
        }
        drop(sender);
        let mut live = Live { collected, base: &base, names: &names, trails: &trails, judged: BTreeMap::new() };
        let outcome = live.run(&receiver, trails.len(), begin);
        stop.store(true, Ordering::Relaxed);
        // A reader that waits to be heard goes on, and ends.
        drop(receiver);
        outcome
    })
}

/// Verdicts come from reading the trails again, which standard input does not allow.
fn refuse_standard_input(trails: &[TrailConfig]) -> Result<(), Error> {
    match trails.iter().find(|trail| trail.paths.iter().any(|path| path == "-")) {
        Some(trail) => Err(Error::usage(
            format!("the trail '{}' is read from standard input, and cannot be followed", trail.name.escape_debug()),
            "write it to a file, and name the file in its `path`",
        )),
        None => Ok(()),
    }
}

/// Reads one trail for ever, and says what is new.
fn read(opening: &Opening<'_>, stop: &AtomicBool, sender: &SyncSender<Message>) {
    let is_live = Cell::new(false);
    // Where nobody listens any more, there is nothing to be said.
    let send = |message| sender.send(message).map_or(Continue::Break(()), ControlFlow::Continue);
    let gaps = follow(
        opening,
        &mut || {
            if !is_live.replace(true) {
                send(Message::Live)?;
            }
            if stop.load(Ordering::Relaxed) { Continue::Break(()) } else { wait() }
        },
        &mut |entry| if is_live.get() { send(Message::New(opening.trail, entry)) } else { Continue::Continue(()) },
    );
    let _ = send(Message::Ended(gaps));
}

struct Live<'a> {
    collected: Collected<'a>,
    /// What was collected beside the trails.
    base: &'a Snapshot,
    names: &'a Names,
    trails: &'a [TrailConfig],
    /// The last verdicts, by the ids of the changes.
    judged: BTreeMap<String, Verdict>,
}

impl Live<'_> {
    fn run(
        &mut self,
        receiver: &Receiver<Message>,
        mut catching_up: usize,
        begin: &dyn Fn(&Snapshot, &crate::config::Config) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // What comes while the trails are judged for the first time is new afterwards.
        let mut early = Vec::new();
        while catching_up > 0 {
            match receiver.recv() {
                Ok(Message::Live) => catching_up -= 1,
                Ok(Message::Ended(gaps)) => {
                    tell(&gaps);
                    catching_up -= 1;
                }
                Ok(new) => early.push(new),
                Err(_) => break,
            }
        }
        let mut took = self.judge()?;
        self.judged = self.rotations().iter().map(|one| (one.id.clone(), one.verdict)).collect();
        begin(&self.collected.snapshot, &self.collected.config)?;
        let mut last = Instant::now();
        let mut is_new = false;
        let mut early = early.into_iter();
        loop {
            let message = early.next().map_or_else(|| receiver.recv_timeout(PERIOD), Ok);
            match message {
                Ok(Message::New(trail, entry)) => match self.show(trail, &entry)? {
                    Some(shown) => is_new |= shown,
                    None => return Ok(()),
                },
                Ok(Message::Ended(gaps)) => tell(&gaps),
                Ok(Message::Live) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if (is_new || self.is_due()) && last.elapsed() >= PERIOD.max(took * REST) {
                took = self.judge()?;
                (last, is_new) = (Instant::now(), false);
                if !self.show_verdicts()? {
                    return Ok(());
                }
            }
        }
    }

    /// Reads the trails again as of now; gives how long that took.
    fn judge(&mut self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.collected.snapshot = Snapshot { as_of: now(), ..self.base.clone() };
        if !self.judged.is_empty() {
            self.collected.verdicts.clone_from(&self.judged);
        }
        self.collected.read_trails()?;
        Ok(start.elapsed())
    }

    fn rotations(&self) -> &[Rotation] {
        self.collected.snapshot.facts.correlation.as_ref().map_or(&[], |correlation| &correlation.rotations)
    }

    /// Whether a change that waits for a trace has waited long enough.
    fn is_due(&self) -> bool {
        let as_of = now();
        self.rotations().iter().any(|one| one.verdict == Verdict::Pending && one.deadline <= as_of)
    }

    /// Prints what is new. Gives whether it is about a verdict; `None` where nobody reads on.
    fn show(&self, trail: usize, entry: &Entry) -> Result<Option<bool>, Error> {
        let name = self.trails.get(trail).map_or("", |config| config.name.as_str());
        let line = match entry {
            Entry::Event(event) if self.names.may_be(&event.target) => event_line(event, name),
            Entry::Hole(hole) => hole_line(hole, name),
            _ => return Ok(Some(false)),
        };
        Ok(say(&line)?.then_some(true))
    }

    /// Prints the verdicts that changed; gives whether anybody reads on.
    fn show_verdicts(&mut self) -> Result<bool, Error> {
        let verdicts: BTreeMap<String, Verdict> =
            self.rotations().iter().map(|one| (one.id.clone(), one.verdict)).collect();
        for rotation in self.rotations() {
            let before = self.judged.get(&rotation.id).copied();
            if before != Some(rotation.verdict) && !say(&verdict_line(rotation, before))? {
                return Ok(false);
            }
        }
        self.judged.extend(verdicts);
        Ok(true)
    }
}

fn tell(gaps: &[Gap]) {
    gaps.iter().for_each(|gap| warn(&format!("{}: {}", gap.source, gap.message)));
}

/// Prints a line at once; gives whether anybody reads it.
fn say(line: &str) -> Result<bool, Error> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::Output(error)),
    }
}
