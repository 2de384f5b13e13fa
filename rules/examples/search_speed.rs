//! How fast the built-in detectors search a file: `cargo run --release -p keytrail-rules --example search_speed FILE…`.
//! Prints the best of five runs, in processor time of the one thread.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures, which needs a file and a clock")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use keytrail_rules::detectors::Detectors;
use keytrail_rules::known_values::KnownValues;
use keytrail_rules::search::{Found, Hits, Search};
use keytrail_rules::searcher::{Scratch, Searcher};

/// Nanoseconds that this thread has run. Linux.
fn clock() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
}

fn best<T>(mut work: impl FnMut() -> T) -> (f64, Option<T>) {
    let (mut least, mut last) = (u64::MAX, None);
    for _ in 0..5 {
        let start = clock();
        last = Some(work());
        least = least.min(clock() - start);
    }
    (least as f64 / 1e9, last)
}

fn main() -> std::io::Result<()> {
    let start = Instant::now();
    let mut detectors = Detectors::builtin();
    println!("{} detectors ready in {:.3} ms", detectors.len(), start.elapsed().as_secs_f64() * 1e3);
    for file in std::env::args().skip(1) {
        let text = fs::read(&file)?;
        let gigabytes = text.len() as f64 / 1e9;
        let (seconds, places) = best(|| detectors.places(&text));
        println!("{file}: literals {:.2} GB/s, {} places", gigabytes / seconds, places.unwrap_or(0));
        let (seconds, hits) = best(|| {
            let mut hits = Hits::default();
            detectors.search(&text, 0..text.len(), &mut (), &mut hits);
            detectors.settle(&mut hits.hits);
            hits
        });
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for hit in hits.iter().flat_map(|hits| &hits.hits) {
            if let Found::Detector(detector) = hit.found {
                *counts.entry(&detectors.about(detector).id).or_default() += 1;
            }
        }
        println!("{file}: all {:.2} GB/s, {counts:?}", gigabytes / seconds);
        let searcher = Searcher { detectors, known: KnownValues::builder([7; 32]).build() };
        let (seconds, hits) = best(|| {
            let mut hits = Hits::default();
            searcher.search(&text, 0..text.len(), &mut Scratch::default(), &mut hits);
            hits.hits.len()
        });
        println!("{file}: with what is encoded {:.2} GB/s, {} hits", gigabytes / seconds, hits.unwrap_or(0));
        detectors = searcher.detectors;
    }
    Ok(())
}
