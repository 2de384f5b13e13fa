//! Fields that are spelt as arrays of bytes: `journalctl -o json` does so where a field is not UTF-8, or is multi-line
//! (<https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-json-format>).

use super::Region;
use super::derived::Derived;

/// Shorter arrays are numbers, not texts.
const MIN_BYTES: usize = 8;

/// Decodes every array of bytes that is the value of a key, with its key.
pub(super) fn decode(region: &Region<'_>, derived: &mut Derived) {
    let text = &region.text[..region.range.end];
    let mut at = region.range.start;
    let finder = memchr::memmem::Finder::new(b"\":[");
    while let Some(found) = finder.find(&text[at..]) {
        let (quote, array) = (at + found, at + found + 2);
        let key = memchr::memrchr(b'"', &text[at..quote]).map_or(quote, |open| at + open);
        let mark = derived.mark();
        derived.part();
        derived.copy(text, key..array);
        let (count, next) = bytes(text, array + 1, derived);
        if count < MIN_BYTES {
            derived.back_to(mark);
        }
        at = next;
    }
}

/// Adds the bytes that are listed from `at` on. Gives how many there are, and where the list ends.
fn bytes(text: &[u8], mut at: usize, derived: &mut Derived) -> (usize, usize) {
    let mut count = 0;
    loop {
        let start = at;
        let digits = text[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit());
        let value = digits.clone().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        at += digits.count();
        let Ok(byte) = u8::try_from(value) else {
            return (0, at);
        };
        if at == start {
            return (count, at);
        }
        derived.replace(start..at, &[byte]);
        count += 1;
        let end = at;
        at += text[at..].iter().take(2).take_while(|byte| matches!(byte, b',' | b' ')).count();
        derived.replace(end..at, b"");
    }
}
