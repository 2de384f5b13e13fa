//! Examples of secrets that hold none: templates whose random parts are made when they are needed.
//!
//! `{alnum:N}`, `{hex:N}`, `{HEX:N}`, `{lower:N}`, `{upper:N}`, `{digit:N}`, `{loweralnum:N}`, `{upperalnum:N}`,
//! `{base32:N}`, `{base64:N}`, `{urlsafe:N}`, `{base62:N}` stand for N characters (or `M-N`), `{uuid}` for a UUID of
//! version 4, `{crc32}` for the detector's checksum of the word before it; `{{` is `{`. All else stands for itself.

use sha2::{Digest, Sha256};

use super::Checksum;

/// The alphabets, by their names.
const ALPHABETS: &[(&str, &str)] = &[
    ("alnum", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
    ("base62", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
    ("hex", "0123456789abcdef"),
    ("HEX", "0123456789ABCDEF"),
    ("lower", "abcdefghijklmnopqrstuvwxyz"),
    ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("digit", "0123456789"),
    ("loweralnum", "abcdefghijklmnopqrstuvwxyz0123456789"),
    ("upperalnum", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    ("base32", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    ("base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
    ("urlsafe", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"),
];

/// The longest random part.
const LONGEST: usize = 1 << 16;

/// Fills a template in. The same `seed` (the detector's id and a number, say) gives the same text. Random parts begin
/// and end with a letter or digit, as a token boundary asks for.
///
/// # Errors
/// What of the template cannot be read.
pub fn expand(template: &str, seed: &str, checksum: Option<Checksum>) -> Result<String, String> {
    let mut random = Random { seed: format!("{seed}\0{template}"), blocks: 0, bytes: Vec::new() };
    let mut text = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            text.push('{');
            rest = after;
            continue;
        }
        let Some((field, after)) = rest.split_once('}').filter(|(field, _)| is_field(field)) else {
            // A brace of the text around.
            text.push('{');
            continue;
        };
        fill(field, &mut text, &mut random, checksum)?;
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// Whether what stands in braces means something here; all else is text.
fn is_field(field: &str) -> bool {
    let name = field.split(':').next().unwrap_or_default();
    field == "uuid" || field == "crc32" || (field.contains(':') && ALPHABETS.iter().any(|(known, _)| *known == name))
}

fn fill(field: &str, text: &mut String, random: &mut Random, checksum: Option<Checksum>) -> Result<(), String> {
    match field.split_once(':') {
        None if field == "uuid" => {
            for (index, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                let group = random.text("0123456789abcdef", length);
                let group = match index {
                    2 => format!("4{}", &group[1..]),
                    3 => format!("a{}", &group[1..]),
                    _ => group,
                };
                text.push_str(if index > 0 { "-" } else { "" });
                text.push_str(&group);
            }
        }
        None => {
            let start = text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').map_or(0, |at| at + 1);
            let sum = checksum.and_then(|checksum| checksum.suffix(&text[start..]));
            text.push_str(&sum.ok_or("{crc32} needs a checksum that is a suffix")?);
        }
        Some((name, length)) => {
            let unknown = || format!("no alphabet `{name}`");
            let alphabet = ALPHABETS.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?.1;
            let number = |text: &str| text.parse::<usize>().ok().filter(|length| *length <= LONGEST);
            let bad = || format!("`{length}` is no length");
            let (least, most) = match length.split_once('-') {
                None => (number(length).ok_or_else(bad)?, number(length).ok_or_else(bad)?),
                Some((least, most)) => (number(least).ok_or_else(bad)?, number(most).ok_or_else(bad)?),
            };
            let span = most.checked_sub(least).ok_or_else(bad)? + 1;
            let length = least + usize::from(random.byte()) % span;
            text.push_str(&random.text(alphabet, length));
        }
    }
    Ok(())
}

/// Bytes that look random and are the same for the same seed.
struct Random {
    seed: String,
    blocks: u32,
    bytes: Vec<u8>,
}

impl Random {
    fn byte(&mut self) -> u8 {
        if let Some(byte) = self.bytes.pop() {
            return byte;
        }
        self.bytes = Sha256::new().chain_update(&self.seed).chain_update(self.blocks.to_le_bytes()).finalize().to_vec();
        self.blocks += 1;
        self.byte()
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let letters = alphabet.as_bytes();
        let mut text: Vec<u8> = (0..length).map(|_| letters[usize::from(self.byte()) % letters.len()]).collect();
        if let Some(first) = text.first_mut().filter(|byte| !byte.is_ascii_alphanumeric()) {
            *first = b'k';
        }
        if let Some(last) = text.last_mut().filter(|byte| !byte.is_ascii_alphanumeric()) {
            *last = b'7';
        }
        String::from_utf8(text).unwrap_or_default()
    }
}
