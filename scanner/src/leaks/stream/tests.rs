use std::io::{self, Read};
use std::sync::mpsc::{Receiver, channel};

use keytrail_rules::model::Gap;
use keytrail_rules::search::{Found, Hit, Hits, Search};
use proptest::prelude::*;

use super::{Feed, Filled, Live, Origin, Plain, Streamer};
use crate::leaks::toy::{Toy, WORD};
use crate::leaks::{Position, Progress, Sink, lines};

/// A hit as a test compares it: what, line, columns, offset, value, decoded value.
type Seen = (Found, u64, u32, u32, u64, Vec<u8>, Option<String>);

/// Keeps what is found.
#[derive(Default)]
struct Log {
    seen: Vec<Seen>,
    bytes: u64,
}

impl Sink for Log {
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
        let value = text[hit.value.clone()].to_vec();
        let decoded = hit.decoded.as_ref().map(|secret| secret.expose().to_owned());
        self.seen.push((hit.found, at.line, at.start_column, at.end_column, at.offset, value, decoded));
    }

    fn gap(&mut self, gap: Gap) {
        panic!("{}", gap.message);
    }

    fn progress(&mut self, more: Progress) {
        self.bytes += more.bytes;
    }
}

/// Gives no more than so many bytes at once.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(space.len());
        self.0.read(&mut space[..length])
    }
}

fn streamed(text: &[u8], chunk: usize, piece: usize) -> Vec<Seen> {
    let mut log = Log::default();
    let mut feed = Plain(Dripping(text, piece));
    let ended = Streamer::with_chunk(&Toy, chunk).run(&mut feed, &Origin::new("f"), &mut log).expect("bytes");
    assert_eq!((ended.end, log.bytes), (text.len() as u64, text.len() as u64));
    log.seen
}

/// One search of the whole, and places counted from its start.
fn whole(text: &[u8]) -> Vec<Seen> {
    let mut found = Hits::default();
    Toy.search(text, 0..text.len(), &mut (), &mut found);
    lines::search_decoded(&Toy, text, 0, &mut (), &mut lines::Buffers::default(), &mut found.hits);
    lines::prefer_decoded(&mut found.hits, text, 0);
    Toy.settle(&mut found.hits);
    let units = |bytes: &[u8]| u32::try_from(String::from_utf8_lossy(bytes).encode_utf16().count()).expect("short") + 1;
    let seen = found.hits.into_iter().map(|hit| {
        let before = &text[..hit.value.start];
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let value = &text[hit.value.clone()];
        let end = hit.value.start + value.iter().position(|byte| *byte == b'\n').unwrap_or(value.len());
        let decoded = hit.decoded.as_ref().map(|secret| secret.expose().to_owned());
        let columns = (units(&text[start..hit.value.start]), units(&text[start..end]));
        (hit.found, line, columns.0, columns.1, hit.value.start as u64, value.to_vec(), decoded)
    });
    seen.collect()
}

/// Texts full of hits that overlap, touch, and hang on their neighbours.
fn crowded() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("k="),
        Just("k=abc"),
        Just("<"),
        Just(">"),
        Just("#1234"),
        Just("#12"),
        Just("34"),
        Just("\n"),
        Just("é"),
        Just("😀"),
        Just(" "),
        Just("x"),
        Just(" quite some words in between, and more "),
        Just("k=<#1234>"),
    ];
    proptest::collection::vec(part, 0..120).prop_map(|parts| parts.concat())
}

/// The same, with escapes.
fn escaped() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(r#""k=a\u0062c""#),
        Just(r"\n"),
        Just("k=ab"),
        Just(r"\/"),
        Just("<a\\\"b"),
        Just("> "),
        Just("#12"),
        Just(r"\u0033\u0034"),
        Just("\n"),
        Just("\u{1b}[31m"),
        Just("k"),
        Just(r"\u003d"),
        Just("zz"),
        Just("\\\\"),
        Just("a line without any\n"),
        Just(" "),
    ];
    // So short that no hit is longer than what is settled together.
    proptest::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_stream_gives_the_hits_of_the_whole(text in crowded(), chunk in 1_usize..200, piece in 1_usize..300) {
        prop_assert_eq!(streamed(text.as_bytes(), chunk, piece), whole(text.as_bytes()));
    }

    #[test]
    fn escaped_hits_are_those_of_the_whole(text in escaped(), chunk in 1_usize..200, piece in 1_usize..300) {
        prop_assert_eq!(streamed(text.as_bytes(), chunk, piece), whole(text.as_bytes()));
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..600), chunk in 1_usize..100) {
        streamed(&bytes, chunk, 64);
    }
}

proptest! {
    #[test]
    fn a_search_goes_on_where_an_earlier_one_ended(first in crowded(), second in crowded(), chunk in 1_usize..200) {
        let mut log = Log::default();
        let mut streamer = Streamer::with_chunk(&Toy, chunk);
        let ended = streamer.run(&mut Plain(first.as_bytes()), &Origin::new("f"), &mut log).expect("bytes");
        let all = first.clone() + &second;
        let origin = Origin { offset: ended.next, lines: ended.lines, ..Origin::new("f") };
        let rest = &all.as_bytes()[usize::try_from(ended.next).expect("a place")..];
        let mut more = Log::default();
        streamer.run(&mut Plain(rest), &origin, &mut more).expect("bytes");
        let new = |seen: &&Seen| seen.4 >= first.len() as u64;
        let expected: Vec<_> = whole(all.as_bytes());
        let place = |seen: &Seen| (seen.0, seen.1, seen.4, seen.5.clone());
        let expected: Vec<_> = expected.iter().filter(new).map(place).collect();
        let found: Vec<_> = more.seen.iter().filter(new).map(place).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn every_chunk_size_gives_the_same() {
    let text = format!("{}k=abc <#1234 k=de> {}\n<{}>k=end", "é word\n".repeat(60), "x".repeat(90), "#5678".repeat(7));
    let expected = whole(text.as_bytes());
    assert_eq!(expected.len(), 4);
    for chunk in 1..=text.len() + 1 {
        assert_eq!(streamed(text.as_bytes(), chunk, usize::MAX), expected, "{chunk}");
    }
}

#[test]
fn overlapping_hits_without_end_do_not_fill_the_memory() {
    let text = "<".repeat(2_000_000) + &"<abc".repeat(500_000) + ">";
    let mut streamer = Streamer::with_chunk(&Toy, 100);
    let mut log = Log::default();
    let text = text.replace("<abc", "<ab>");
    streamer.run(&mut Plain(text.as_bytes()), &Origin::new("f"), &mut log).expect("bytes");
    assert!(streamer.buffer.len() < 128 * 1024, "{}", streamer.buffer.len());
    assert_eq!(log.seen.len(), 500_000);
}

#[test]
fn what_came_before_an_error_is_searched() {
    struct Failing(&'static [u8]);
    impl Read for Failing {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            match self.0.read(space) {
                Ok(0) => Err(io::Error::other("gone")),
                read => read,
            }
        }
    }
    let mut log = Log::default();
    let error = Streamer::new(&Toy).run(&mut Plain(Failing(b"a k=abc")), &Origin::new("f"), &mut log);
    assert_eq!(error.expect_err("an error").to_string(), "gone");
    assert_eq!(log.seen.len(), 1);
}

/// A feed that pauses where the text has `~`.
struct Pausing<'a>(&'a [u8]);

impl Feed for Pausing<'_> {
    fn fill(&mut self, space: &mut [u8]) -> io::Result<Filled> {
        if let Some(rest) = self.0.strip_prefix(b"~") {
            self.0 = rest;
            return Ok(Filled::Idle);
        }
        let stop = self.0.iter().position(|byte| *byte == b'~').unwrap_or(self.0.len());
        let length = (&self.0[..stop]).read(space)?;
        self.0 = &self.0[length..];
        Ok(Filled::Bytes(length))
    }
}

proptest! {
    #[test]
    fn pauses_neither_lose_nor_double_a_place(text in "([a-c#<>=k \n]|k=[a-c]{1,5}|#[0-9]{4}|<[a-c]{0,9}>|~){0,200}", chunk in 1_usize..100) {
        let mut log = Log::default();
        Streamer::with_chunk(&Toy, chunk)
            .run(&mut Pausing(text.as_bytes()), &Origin::new("f"), &mut log)
            .expect("bytes");
        let text = text.replace('~', "");
        let mut found = Hits::default();
        Toy.search(text.as_bytes(), 0..text.len(), &mut (), &mut found);
        let range = |seen: &Seen| seen.4..seen.4 + seen.5.len() as u64;
        // Every hit of the whole, settled or not, shares a place with a reported one, and no two reported ones do.
        for hit in found.hits {
            let shares = log.seen.iter().map(range).any(|at| {
                at.start < hit.value.end as u64 && (hit.value.start as u64) < at.end
            });
            prop_assert!(shares, "{:?} in {:?}", hit, log.seen);
        }
        let mut places: Vec<_> = log.seen.iter().map(|seen| (range(seen).start, range(seen).end)).collect();
        places.sort_unstable();
        prop_assert!(places.windows(2).all(|two| two[0].1 <= two[1].0), "{:?}", log.seen);
    }
}

/// A writer that is asked for each of its pieces.
struct Writer(Receiver<&'static [u8]>);

impl Read for Writer {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.recv().map_or(Ok(0), |mut piece| piece.read(space))
    }
}

#[test]
fn a_hit_is_told_before_the_writer_goes_on() {
    struct Answering(Log, Option<std::sync::mpsc::Sender<&'static [u8]>>);
    impl Sink for Answering {
        fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
            self.0.hit(at, text, hit);
            // The writer waits for the first hit before it writes the second, and then ends.
            if let Some(sender) = self.1.take() {
                sender.send(b"next k=two\n").expect("a reader");
            }
        }
        fn gap(&mut self, gap: Gap) {
            self.0.gap(gap);
        }
    }
    let (sender, receiver) = channel::<&'static [u8]>();
    sender.send(b"first k=one\n").expect("a reader");
    let mut sink = Answering(Log::default(), Some(sender));
    let mut feed = Live::new(Writer(receiver));
    Streamer::new(&Toy).run(&mut feed, &Origin::new("-"), &mut sink).expect("bytes");
    let words: Vec<_> = sink.0.seen.iter().map(|seen| (seen.0, seen.1, seen.5.as_slice())).collect();
    assert_eq!(words, [(Found::Detector(WORD), 1, &b"one"[..]), (Found::Detector(WORD), 2, b"two")]);
}
