//! Searches every object that a repository holds.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gix::ObjectId;
use keytrail_rules::model::Gap;
use keytrail_rules::search::Search;

use super::blobs::{Job, Meter, Outcome, PackSearcher, Searcher};
use super::inflate::Inflater;
use super::objects::{Objects, Unread, shown};
use super::pack::Kind;
use super::{Identify, Options, Repository, loose, walk};

/// Searches all blobs and messages, packed and loose. What cannot be read is among the losses, whole packs among `gaps`.
pub(crate) fn everything<S: Search, I: Identify>(
    repository: &Repository,
    search: &S,
    identify: &I,
    options: &Options<'_>,
    gaps: &mut Vec<Gap>,
) -> (Objects, Outcome) {
    let hash = repository.git.object_hash();
    let objects = Objects::open(repository.git.objects.store_ref().path(), hash, gaps);
    let loose: Vec<(usize, ObjectId)> = objects.loose(hash).collect();
    let packed =
        objects.packs.iter().map(|pack| pack.numbers().filter(|at| is_searched(pack.kind(*at))).count() as u64);
    let meter = Meter {
        report: options.progress,
        objects: AtomicU64::new(0),
        total: packed.sum::<u64>() + loose.len() as u64,
        bytes: AtomicU64::new(0),
    };
    let job = Job { search, identify, hash, meter: &meter };
    let mut outcome = Outcome::default();
    for pack in &objects.packs {
        let visitors = walk::walk(
            pack,
            options.threads,
            |at| is_searched(pack.kind(at)),
            || PackSearcher { pack, searcher: Searcher::new(&job) },
        );
        for visitor in visitors {
            outcome.merge(visitor.searcher.finish());
        }
        for broken in pack.broken() {
            outcome.losses.add(&pack.name, Unread::NoBase, 1, Some(pack.id(broken)));
        }
    }
    for found in search_loose(&job, &objects, &loose, options.threads) {
        outcome.merge(found);
    }
    outcome.settle();
    (objects, outcome)
}

/// Whether objects of a kind hold text: trees do not.
fn is_searched(kind: Kind) -> bool {
    matches!(kind, Kind::Blob | Kind::Commit | Kind::Tag)
}

fn search_loose<S: Search, I: Identify>(
    job: &Job<'_, S, I>,
    objects: &Objects,
    loose: &[(usize, ObjectId)],
    threads: usize,
) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut searcher = Searcher::new(job);
        let mut inflater = Inflater::default();
        while let Some((folder, id)) = loose.get(next.fetch_add(1, Ordering::Relaxed)) {
            let folder = &objects.folders[*folder];
            let source = shown(folder);
            if let Err(why) = loose::search(&mut searcher, &mut inflater, &source, folder, *id) {
                searcher.outcome.losses.add(&source, why, 1, Some(*id));
            }
        }
        searcher.finish()
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(loose.len())).map(|_| scope.spawn(work)).collect();
        let mut outcomes = vec![work()];
        for other in others {
            match other.join() {
                Ok(outcome) => outcomes.push(outcome),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        outcomes
    })
}
