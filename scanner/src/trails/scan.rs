//! The trails of a scan.

use std::collections::BTreeMap;
use std::thread;

use futures::StreamExt;
use indicatif::ProgressBar;
use keytrail_rules::correlate::{Correlation, Names, Setup, Stream, Verdict, correlate};
use keytrail_rules::inventory::Inventory;
use keytrail_rules::model::{Entry, FingerprintKey, ScopeEntry, Snapshot, Time, Trail};

use super::stream::{self, Done};
use super::{Answer, Opening, Reads, TrailKind};
use crate::config::Config;
use crate::error::Error;

/// So many servers are asked at once.
const CONCURRENCY: usize = 4;

/// Reads the trails of the config, and adds what they say together to a snapshot. Where the config has none, nothing is
/// read and nothing added.
///
/// # Errors
/// The runtime cannot be started. What cannot be read is a gap.
pub fn in_scan(
    snapshot: &mut Snapshot,
    config: &Config,
    earlier: &BTreeMap<String, Verdict>,
    key: &FingerprintKey,
    progress: &ProgressBar,
) -> Result<(), Error> {
    if config.trails.is_empty() {
        return Ok(());
    }
    let inventory = Inventory::new(snapshot, &config.policy);
    let names = Names::new(&inventory);
    // The config has checked the kinds.
    let kinds: Vec<(&'static TrailKind, Opening<'_>)> = config
        .trails
        .iter()
        .filter_map(|trail| Some((TrailKind::find(&trail.kind)?, trail)))
        .enumerate()
        .map(|(trail, (kind, config))| (kind, Opening { config, trail, names: &names, as_of: snapshot.as_of, key }))
        .collect();
    let trails: Vec<Trail> = kinds.iter().map(|(kind, opening)| kind.trail(opening.config)).collect();
    let as_of = snapshot.as_of;
    let setup = Setup { inventory: &inventory, policy: &config.policy, as_of, trails: &trails, earlier };
    let answers = ask(&kinds, progress)?;
    progress.set_message("reading the trails");
    let (correlation, done) = read(&kinds, &setup, answers, progress);
    for ((kind, opening), done) in kinds.iter().zip(done) {
        let source = opening.config.name.clone();
        snapshot.facts.scope.push(ScopeEntry { source, kind: kind.name.to_owned(), held: done.events });
        snapshot.facts.gaps.extend(done.gaps);
    }
    snapshot.facts.correlation = Some(correlation);
    Ok(())
}

/// Asks the servers, by the places of their trails.
fn ask(kinds: &[(&TrailKind, Opening<'_>)], progress: &ProgressBar) -> Result<BTreeMap<usize, Answer>, Error> {
    let servers: Vec<_> = kinds
        .iter()
        .filter_map(|(kind, opening)| match kind.reads {
            Reads::Server(read) => Some((opening, read)),
            _ => None,
        })
        .collect();
    if servers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<&str> = servers.iter().map(|(opening, _)| opening.config.name.as_str()).collect();
    progress.set_message(format!("asking for {}", printable(&names.join(", "))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    let answers = futures::stream::iter(servers)
        .map(|(opening, read)| async move { (opening.trail, read(opening).await) })
        .buffer_unordered(CONCURRENCY);
    Ok(runtime.block_on(answers.collect()))
}

/// Reads the trails side by side while they are judged.
fn read(
    kinds: &[(&'static TrailKind, Opening<'_>)],
    setup: &Setup<'_>,
    mut answers: BTreeMap<usize, Answer>,
    progress: &ProgressBar,
) -> (Correlation, Vec<Done>) {
    thread::scope(|scope| {
        let mut streams: Vec<Stream<'_>> = Vec::with_capacity(kinds.len());
        let mut readers = Vec::with_capacity(kinds.len());
        for (kind, opening) in kinds {
            let (stream, reader) = match answers.remove(&opening.trail) {
                Some((entries, gaps)) => {
                    let events = entries.iter().filter(|entry| matches!(entry, Entry::Event(_))).count() as u64;
                    let stream = stream::answered(opening, entries, &gaps);
                    (stream, Ok(Done { events, gaps }))
                }
                None => {
                    let (stream, handle) = stream::spawn(scope, kind, opening);
                    (stream, Err(handle))
                }
            };
            let name = printable(&opening.config.name);
            streams.push(Box::new(stream.inspect(move |entry| tell(entry, &name, progress))));
            readers.push(reader);
        }
        let correlation = correlate(setup, streams);
        let done = readers.into_iter().map(|reader| {
            reader.unwrap_or_else(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        (correlation, done.collect())
    })
}

/// Shows how far a trail is.
fn tell(entry: &Entry, name: &str, progress: &ProgressBar) {
    if let Entry::Progress { records, time } = entry {
        progress.set_message(format!("{name}: {}", day(*time)));
        progress.inc_length(*records);
        progress.inc(*records);
    }
}

fn day(time: Time) -> String {
    time.format("%Y-%m-%d").to_string()
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
