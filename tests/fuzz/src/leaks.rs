//! The search of streams and of what is packed in files.

use std::io::{self, Read};

use keytrail::leaks::contents::{Contents, Input};
use keytrail::leaks::stream::{Origin, Plain, Streamer};
use keytrail::leaks::{Limits, Position, Progress, Sink};
use keytrail_rules::model::Gap;
use keytrail_rules::search::{Found, Hit};

use super::toy::Toy;

/// What was found: what, line, column, offset, the bytes that spell it.
type Seen = (Found, u64, u32, u64, Vec<u8>);

/// Keeps what is found.
#[derive(Default)]
struct Log {
    seen: Vec<Seen>,
    bytes: u64,
}

impl Sink for Log {
    fn hit(&mut self, at: &Position<'_>, text: &[u8], hit: &Hit) {
        let depends = &text[hit.depends.clone()];
        assert!(depends.len() >= hit.value.len());
        self.seen.push((hit.found, at.line, at.start_column, at.offset, text[hit.value.clone()].to_vec()));
    }

    fn gap(&mut self, gap: Gap) {
        assert!(!gap.message.is_empty() && gap.hint.is_some());
    }

    fn progress(&mut self, more: Progress) {
        self.bytes += more.bytes;
    }
}

/// Small limits, so that the fuzzer meets them.
fn limits() -> Limits {
    Limits { depth: 4, members: 50, bytes: 4 << 20, ratio: 20, free_bytes: 1 << 20, held_bytes: 1 << 20 }
}

/// Reads archives and compressed streams: no panic, no hang, and no more bytes than the limits let through.
pub fn archives(data: &[u8]) {
    let mut log = Log::default();
    Contents::new(&Toy, limits()).search("f", Input::Stream(&mut &data[..]), &mut log);
    let most = limits().bytes + limits().held_bytes + data.len() as u64 * limits().members;
    assert!(log.bytes <= most, "{} bytes of {}", log.bytes, data.len());
}

/// Gives no more than so many bytes at once.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(space.len());
        self.0.read(&mut space[..length])
    }
}

/// Searches a text in pieces, whose sizes the first two bytes tell, and as a whole: the same is found.
pub fn stream(data: &[u8]) {
    let Some(([chunk, piece], text)) = data.split_first_chunk() else { return };
    let searched = |chunk: usize, piece: usize| {
        let mut log = Log::default();
        let mut feed = Plain(Dripping(text, piece));
        let ended = Streamer::with_chunk(&Toy, chunk).run(&mut feed, &Origin::new("f"), &mut log);
        assert_eq!(ended.map(|ended| ended.end).ok(), Some(text.len() as u64));
        log.seen
    };
    let whole = searched(1 << 20, usize::MAX);
    let pieces = searched(usize::from(*chunk) + 1, usize::from(*piece) + 1);
    // What an escape is may be told by more of its line than a piece holds.
    if !text.iter().any(|byte| matches!(byte, b'\\' | b'[' | 0x1b)) {
        assert_eq!(pieces, whole);
    }
}
