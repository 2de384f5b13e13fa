//! How fast known values are searched for: `cargo run --release --example known_values_speed -- FILE [VALUES]`.
//!
//! The file is read whole and searched in pieces of 1 MiB, as a log would be, in one thread. The time is CPU time of the
//! process, from `/proc/self/stat`, the best of five.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program, not the pure crate"
)]

use std::hint::black_box;

use keytrail_rules::known_values::KnownValues;
use keytrail_rules::model::Secret;
use keytrail_rules::search::{Hits, Search};

const PIECE: usize = 1 << 20;
/// Seconds in a tick of `/proc/self/stat`: 100 of them on every Linux.
const TICK: f64 = 0.01;

/// The CPU time of this process so far. In seconds.
fn cpu_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect::<Vec<_>>();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) * TICK
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A value as stores hold them: a token of letters and digits, one with symbols, or hexadecimal digits.
fn value(numbers: &mut Numbers, shortest: usize) -> String {
    let alphabets: [&[u8]; 3] = [
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%&*+,-./;=?@^_~\"'\\<$",
        b"0123456789abcdef",
    ];
    let kind = numbers.below(8).saturating_sub(5);
    let length = if kind == 2 { 32 } else { shortest + numbers.below(56 - shortest) };
    (0..length).map(|_| char::from(alphabets[kind][numbers.below(alphabets[kind].len())])).collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a file to search");
    let number = |text: Option<String>, default| text.and_then(|text| text.parse().ok()).unwrap_or(default);
    let (count, shortest) = (number(arguments.next(), 5_000), number(arguments.next(), 8));
    let text = std::fs::read(&path).expect("a readable file");
    let mut numbers = Numbers(1);
    let values: Vec<Secret> = (0..count).map(|_| Secret::new(value(&mut numbers, shortest))).collect();
    let start = cpu_time();
    let mut builder = KnownValues::builder([7; 32]);
    for (id, value) in values.iter().enumerate() {
        builder.add(id as u32, value, &[]);
    }
    let known = builder.build();
    println!(
        "{count} values, {} spellings: built in {:.0} ms, {:.1} MB",
        known.audit().spellings,
        (cpu_time() - start) * 1e3,
        known.memory() as f64 / 1e6
    );
    let best = (0..5).map(|_| measure(&known, &text)).min_by(|one, other| one.0.total_cmp(&other.0));
    let (seconds, hits) = best.expect("five runs");
    println!("{path}: {:.2} GB/s, {hits} hits", text.len() as f64 / 1e9 / seconds);
}

/// The seconds that a search of a text takes, and its hits.
fn measure(known: &KnownValues, text: &[u8]) -> (f64, usize) {
    let mut scratch = Default::default();
    let mut out = Hits::default();
    let start = cpu_time();
    for piece in text.chunks(PIECE) {
        known.search(black_box(piece), 0..piece.len(), &mut scratch, &mut out);
    }
    (cpu_time() - start, out.hits.len())
}
