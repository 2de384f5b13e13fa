//! Trails: where records begin and end, and what each kind makes of them.

use std::io::{self, Read};

use keytrail::trails::framing::{Piece, Records};
use keytrail::trails::{Continue, File, Framing, KINDS, Opening, TrailConfig, read_source};
use keytrail_rules::correlate::Names;
use keytrail_rules::model::{Entry, Location};

use super::planted;

/// Gives a byte at a time.
struct Bytewise<'a>(&'a [u8]);

impl Read for Bytewise<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

/// The records of the bytes in every framing lie where they are said to, and are the same byte by byte.
pub fn trail_records(data: &[u8]) {
    for framing in [
        Framing::Lines,
        Framing::Json(&["Records", "items"]),
        Framing::Csv,
        Framing::Starts(|line| line.first().is_some_and(u8::is_ascii_digit)),
        Framing::Sniff(|line| line.first().map(|first| if *first == b'{' { Framing::Lines } else { Framing::Csv })),
    ] {
        let whole = pieces(data, data, framing);
        assert_eq!(whole, pieces(Bytewise(data), data, framing), "pieces matter to {framing:?}");
    }
}

fn pieces(reader: impl Read, data: &[u8], framing: Framing) -> Vec<(u64, u64, Option<usize>)> {
    let mut found = Vec::new();
    let mut end = 0;
    let mut add = |piece: Piece<'_>| {
        let (span, length) = match piece {
            Piece::Record(span, bytes) => {
                let start = span.offset as usize;
                assert!(start >= end && data[start..].starts_with(bytes), "a record is not where it is said to be");
                end = start + bytes.len();
                (span, Some(bytes.len()))
            }
            Piece::Broken(span, _) => (span, None),
        };
        let lines = data[..span.offset as usize].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(span.line, lines + 1);
        found.push((span.offset, span.line, length));
    };
    let mut records = Records::new(reader, framing);
    while let Ok(Some(piece)) = records.next_piece() {
        add(piece);
    }
    while let Some(piece) = records.last_piece() {
        add(piece);
    }
    found
}

/// A kind of trail, which the first line names, reads the rest: the bytes of each event are those of the input.
pub fn trail_kinds(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let Some(kind) = KINDS.iter().find(|kind| kind.name.as_bytes() == &data[..end]) else { return };
    let content = &data[end + 1..];
    let (config, names) = (config(kind.name), Names::default());
    let key = keytrail_rules::model::FingerprintKey::new([7; 32]);
    let opening = Opening { config: &config, trail: 0, names: &names, as_of: chrono::DateTime::UNIX_EPOCH, key: &key };
    let source = File { name: "a.log", bytes: Box::new(content) };
    let hides = planted::only_in_values(kind.name, content);
    read_source(kind, &opening, source, &mut |entry| {
        if hides {
            planted::assert_hidden(&format!("{entry:?}"));
        }
        if let Entry::Event(event) = entry {
            let end = event.raw.offset + event.raw.length;
            assert!(end <= content.len() as u64, "an event lies behind the end");
        }
        Continue::Continue(())
    });
}

fn config(kind: &str) -> TrailConfig {
    TrailConfig {
        zone: Some("+02:00".into()),
        ..TrailConfig::new("trail", kind, "/nowhere", Location::of_file("keytrail.toml"))
    }
}
