//! What a text says where it does not say it plainly: in base64, hexadecimal digits, UTF-16, percent signs, `\u`
//! escapes, character references, or in pieces that a program or a reader puts together.
//!
//! Nothing here knows what is looked for. The places are found by their bytes alone (see `triggers`), each is
//! decoded as far as it goes, and what came out is looked through again, up to three times.
//!
//! # Guarantees
//! * What comes out near a byte depends on nothing farther from it than [`REACH`].
//! * No more than 16 KiB come out at once; a longer text comes in pieces that overlap by more than [`MAX_ORIGIN`].

mod escapes;
mod joints;
mod layer;
mod runs;
mod tables;
mod triggers;

use std::ops::Range;

use layer::{Layer, Source};
use tables::Plain;
use triggers::{Kind, Trigger};

/// Encodings within encodings that are undone.
pub const MAX_DEPTH: usize = 3;
/// Bytes from which something found in a decoded text may come, at most: what is longer may be found or not.
pub const MAX_ORIGIN: usize = 2048;
/// Bytes beside those from which a piece of decoded text comes that decide whether it is decoded.
pub const CONTEXT: usize = 192;
/// No decoded text, as far as it is at most [`MAX_ORIGIN`] long, depends on bytes farther away than this.
pub const REACH: usize = MAX_ORIGIN + CONTEXT;

/// Bytes that are decoded at once.
const MAX_PIECE: usize = 16 << 10;
/// What two pieces of one long text have in common.
const OVERLAP: usize = 4096;
/// How far a text goes on beside an escape or a joint without another.
const AROUND: usize = 256;
/// How far beside a changed byte a place may be whose decoding it changes.
const WINDOW: usize = 640;
/// How far to the left of the window the escapes and joints may go on.
const REWIND: usize = 3072;
/// Less than this holds nothing. In bytes.
const MIN_DECODED: usize = 8;
/// Less than this is not encoded once more. In bytes.
const MIN_NESTED: usize = 16;

/// A piece of decoded text.
pub struct Decoded<'a> {
    layer: &'a Layer,
    depth: usize,
}

impl Decoded<'_> {
    /// The decoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.layer.bytes
    }

    /// How many encodings were undone, at least 1.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The bytes of the text from which some decoded bytes come; `None` for an empty range and for more than
    /// [`MAX_ORIGIN`], of which only a part may have been decoded.
    pub fn origin(&self, range: Range<usize>) -> Option<Range<usize>> {
        let (start, end) = (self.layer.origin(range.start)?.start, self.layer.origin(range.end.checked_sub(1)?)?.end);
        (start < end && end - start <= MAX_ORIGIN).then_some(start..end)
    }
}

/// Buffers that are kept between calls.
#[derive(Default)]
pub struct Scratch {
    levels: [Level; MAX_DEPTH],
}

#[derive(Default)]
struct Level {
    layer: Layer,
    triggers: Vec<Trigger>,
    masks: Vec<Plain>,
}

/// How far the text has been decoded, for each kind and, where there are several, each way to group its letters.
#[derive(Default)]
struct Done([usize; 16]);

impl Done {
    fn of(&mut self, trigger: Trigger) -> &mut usize {
        let Trigger { kind, at } = trigger;
        let place = match kind {
            Kind::Base64 => at % 4,
            Kind::Hex => 4 + at % 2,
            Kind::Utf16 => 6 + at % 2,
            Kind::Percent => 8,
            Kind::Backslash => 9,
            Kind::Entity => 10,
            Kind::Joint => 11,
        };
        &mut self.0[place]
    }
}

/// Calls `found` with every piece of text that is encoded in or around `changed`, and with what is encoded in that.
///
/// Pieces that touch `changed` no more may come too. Time is linear in `changed` and a margin around it.
pub fn for_each_decoded(
    text: &[u8],
    changed: Range<usize>,
    scratch: &mut Scratch,
    found: &mut dyn FnMut(&Decoded<'_>),
) {
    let start = changed.start.saturating_sub(WINDOW);
    // Up to two blocks before a place are looked at with it.
    let start = if start < 2 * crate::simd::BLOCK { 0 } else { start };
    let window = start..(changed.end + WINDOW).min(text.len());
    visit(Source { text, layer: None }, window, 1, &mut scratch.levels, found);
}

fn visit(
    source: Source<'_>,
    window: Range<usize>,
    depth: usize,
    levels: &mut [Level],
    found: &mut dyn FnMut(&Decoded<'_>),
) {
    let Some((level, deeper)) = levels.split_first_mut() else { return };
    let mut done = Done::default();
    for start in window.clone().step_by(MAX_PIECE) {
        level.triggers.clear();
        let end = window.end.min(start + MAX_PIECE);
        // Blocks of a step that start earlier are there for the runs that go on into this one.
        let from = if start == window.start { start } else { start - 2 * crate::simd::BLOCK };
        triggers::find(source.text, from..end, &mut level.masks, &mut level.triggers);
        if start == window.start && start > 0 {
            rewind(source.text, start, level);
        }
        for number in 0..level.triggers.len() {
            let trigger = level.triggers[number];
            let done = done.of(trigger);
            if trigger.at < *done {
                continue;
            }
            let region = decode(source, trigger, *done, &mut level.layer);
            *done = if region.len() >= MAX_PIECE - AROUND { region.end - OVERLAP } else { region.end.max(*done) };
            if level.layer.bytes.len() >= MIN_DECODED {
                found(&Decoded { layer: &level.layer, depth });
                let source = Source { text: &level.layer.bytes, layer: Some(&level.layer) };
                if source.text.len() >= MIN_NESTED {
                    visit(source, 0..source.text.len(), depth + 1, deeper, found);
                }
            }
        }
    }
}

/// Where an escape or a joint stands at the start of the window, the text that it belongs to may start before.
fn rewind(text: &[u8], start: usize, level: &mut Level) {
    let Level { triggers, masks, .. } = level;
    let goes_on =
        |trigger: &Trigger| matches!(trigger.kind, Kind::Percent | Kind::Backslash | Kind::Entity | Kind::Joint);
    if triggers.iter().any(|trigger| goes_on(trigger) && trigger.at < start + WINDOW) {
        let from = start.saturating_sub(REWIND);
        let from = if from < 2 * crate::simd::BLOCK { 0 } else { from };
        let mut earlier = Vec::new();
        let end = text.len().min(start + 2 * crate::simd::BLOCK);
        triggers::find(text, from..end, masks, &mut earlier);
        earlier.retain(goes_on);
        triggers.splice(0..0, earlier);
    }
}

/// Decodes what goes on around a trigger, not before `done`; gives the bytes that were decoded.
fn decode(source: Source<'_>, trigger: Trigger, done: usize, layer: &mut Layer) -> Range<usize> {
    let Trigger { kind, at } = trigger;
    match kind {
        Kind::Base64 => runs::base64(source, at, done, layer),
        Kind::Hex => runs::hex(source, at, done, layer),
        Kind::Utf16 => runs::utf16(source, at, done, layer),
        Kind::Percent => escapes::decode::<escapes::Percent>(source, at, done, layer),
        Kind::Backslash => escapes::decode::<escapes::Backslash>(source, at, done, layer),
        Kind::Entity => escapes::decode::<escapes::Entity>(source, at, done, layer),
        Kind::Joint => joints::join(source, at, done, layer),
    }
}

#[cfg(test)]
mod tests;
