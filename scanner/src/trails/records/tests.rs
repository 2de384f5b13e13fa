use keytrail_rules::correlate::Names;
use keytrail_rules::model::{EventKind, Place};
use sha2::{Digest, Sha256};

use super::super::testing::{config, events, holes, opening, time};
use super::*;

/// `t SECONDS` is an event, `n SECONDS` is none; `m SECONDS` has one missing before it; anything else is broken.
struct Toy;

impl Parser for Toy {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let text = String::from_utf8_lossy(record).into_owned();
        let Some((letter, Ok(seconds))) = text.split_once(' ').map(|(letter, rest)| (letter, rest.parse())) else {
            return out.broken("not a toy");
        };
        let time = Time::from_timestamp(seconds, 0).expect("a time");
        out.time = Some(time);
        match letter {
            "m" => out.missing_before = Some(Missing { reason: "one is missing".into(), tampered: true }),
            "t" => out.event(Draft::new(EventKind::Loaded, Place::of_path("env", "K"), time, text)),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Out) {
        out.event(Draft::new(EventKind::Restarted, Place::of_path("env", "K"), Time::default(), "end"));
    }
}

fn read(files: &[(&str, &[u8])], delay: i64) -> (Vec<Entry>, Vec<Gap>) {
    let (mut config, names) = (config("toy", "/".as_ref(), &[]), Names::default());
    config.consumer = Some("shop".into());
    let opening = opening(&config, &names);
    let mut reading = Reading::new(&opening, Framing::Lines, Box::new(Toy), TimeDelta::seconds(delay));
    let mut entries = Vec::new();
    let mut push = |entry| {
        entries.push(entry);
        Continue::Continue(())
    };
    for (name, text) in files {
        assert!(reading.file(name, *text, &mut push).is_continue());
    }
    assert!(reading.end(&mut push).is_continue());
    let gaps = std::mem::take(&mut reading.gaps);
    (entries, gaps)
}

fn seconds(time: Option<Time>) -> Option<i64> {
    time.map(|time| time.timestamp())
}

#[test]
fn an_event_has_its_bytes_and_whose_it_is() {
    let text = b"n 1\r\nt 2\r\n";
    let (entries, gaps) = read(&[("a.log", text)], 0);
    let found = events(&entries);
    let [event, end] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((event.trail, event.consumer.as_deref(), event.time), (0, Some("shop"), time("1970-01-01T00:00:02Z")));
    let raw = &event.raw;
    assert_eq!((raw.source.as_ref(), raw.offset, raw.length, raw.line), ("a.log", 5, 3, 2));
    assert_eq!(raw.sha256, <[u8; 32]>::from(Sha256::digest(b"t 2")));
    assert_eq!(end.raw, *raw, "what the end shows rests on the last record");
    assert_eq!(gaps, []);
    let progress = Entry::Progress { records: 2, time: time("1970-01-01T00:00:02Z") };
    assert!(entries.contains(&progress), "{entries:?}");
}

#[test]
fn broken_records_are_one_gap_and_a_hole_between_their_neighbours() {
    let (entries, gaps) = read(&[("a.log", b"t 100\n\xff\nx\nt 200\ny\nt 300\nz"), ("b.log", b"w\nt 50\nv\n")], 10);
    let holes: Vec<_> = holes(&entries).iter().map(|hole| (seconds(hole.from), seconds(hole.to))).collect();
    // As far out of order as late, and a second for clocks that are coarse; at the ends of a file nobody knows.
    let expected =
        [(Some(90), Some(211)), (Some(190), Some(311)), (Some(290), None), (None, Some(61)), (Some(40), None)];
    assert_eq!(holes, expected);
    let messages: Vec<_> = gaps.iter().map(|gap| (gap.source.as_str(), gap.message.as_str())).collect();
    let first = "4 records cannot be read: line 2 (not a toy), line 3 (not a toy), line 5 (not a toy), …";
    assert_eq!(
        messages,
        [("a.log", first), ("b.log", "2 records cannot be read: line 1 (not a toy), line 3 (not a toy)")]
    );
    assert_eq!(gaps[0].location.as_ref().map(|at| at.line), Some(2));
    assert_eq!(events(&entries).len(), 5, "the rest is read");
}

#[test]
fn what_a_chain_misses_is_a_hole_up_to_its_record() {
    let (entries, gaps) = read(&[("a.log", b"t 100\nm 200\n")], 10);
    let found = holes(&entries);
    let [hole] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((seconds(hole.from), seconds(hole.to), hole.tampered), (Some(100), Some(200), true));
    assert_eq!(hole.raw.as_ref().map(|raw| raw.line), Some(2));
    assert_eq!(gaps, [], "what is not there can be read by nobody");
}

#[test]
fn a_file_that_fails_is_a_hole_to_its_end() {
    struct Failing(bool);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(std::io::Error::other("the disk is gone"));
            }
            buffer[..6].copy_from_slice(b"t 100\n");
            Ok(6)
        }
    }
    let (config, names) = (config("toy", "/".as_ref(), &[]), Names::default());
    let opening = opening(&config, &names);
    let mut reading = Reading::new(&opening, Framing::Lines, Box::new(Toy), TimeDelta::zero());
    let mut entries = Vec::new();
    let flow = reading.file("a.gz", Failing(false), &mut |entry| {
        entries.push(entry);
        Continue::Continue(())
    });
    assert!(flow.is_continue());
    assert_eq!(events(&entries).len(), 1);
    let found = holes(&entries);
    assert_eq!((seconds(found[0].from), found[0].to), (Some(100), None));
    assert!(reading.gaps[0].message.contains("beyond byte 6: the disk is gone"), "{:?}", reading.gaps);
}

#[test]
fn a_file_of_holes_is_not_kept_hole_by_hole() {
    let broken = |number: usize| format!("t {}\n{}", number + 100, if number < 5_000 { "x\n" } else { "" });
    let text: String = (0..5_100).map(broken).collect();
    let (entries, gaps) = read(&[("a.log", text.as_bytes())], 0);
    let holes = holes(&entries);
    assert_eq!(holes.len(), MAX_FILE_HOLES + 1);
    let last = holes[MAX_FILE_HOLES];
    // Up to the end of the file: how much of it is complete after all is not kept.
    assert_eq!((seconds(last.from), seconds(last.to)), (Some(200), Some(5_200)));
    assert!(gaps[0].message.starts_with("5000 records cannot be read"), "{gaps:?}");
}

#[test]
fn nobody_is_made_to_read_on() {
    let (config, names) = (config("toy", "/".as_ref(), &[]), Names::default());
    let opening = opening(&config, &names);
    let mut reading = Reading::new(&opening, Framing::Lines, Box::new(Toy), TimeDelta::zero());
    assert!(reading.file("a", &b"t 1\nt 2\n"[..], &mut |_| Continue::Break(())).is_break());
}
