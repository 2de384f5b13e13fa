//! Checks that tokens carry in themselves. Shared with the build script, so it uses nothing of the crate.

/// An algorithm by which a token proves that it is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// The last six characters of 36 after the prefix are the CRC-32 of the 30 before them, in base 62.
    /// Other lengths (the `ghs_` tokens that are web tokens) carry none and pass.
    /// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>
    GithubCrc32,
    /// `glsa_` + 32 + `_` + the CRC-32 of everything before the `_`, little-endian, in hexadecimal digits.
    /// Grafana's `satokengen` package.
    GrafanaCrc32,
    /// As GitHub's, after `npm_`.
    NpmCrc32,
    /// A macaroon of version 2, in base64 of the URL alphabet after `pypi-`. <https://pypi.org/help/#apitoken>
    PypiMacaroon,
    /// The first part of a web token is a JSON object that names its algorithm. RFC 7515, section 4.1.1.
    Jwt,
}

impl Checksum {
    /// Every algorithm, with its name in the detectors' files.
    pub const ALL: [(&'static str, Self); 5] = [
        ("github-crc32", Self::GithubCrc32),
        ("grafana-crc32", Self::GrafanaCrc32),
        ("npm-crc32", Self::NpmCrc32),
        ("pypi-macaroon", Self::PypiMacaroon),
        ("jwt", Self::Jwt),
    ];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, checksum)| *checksum)
    }

    /// Its name in the detectors' files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, checksum)| *checksum == self).map_or("", |(name, _)| name)
    }

    /// Whether the token's check is right.
    pub fn holds(self, token: &[u8]) -> bool {
        match self {
            Self::GithubCrc32 | Self::NpmCrc32 => {
                let body = token.iter().position(|byte| *byte == b'_').map_or(token, |at| &token[at + 1..]);
                body.len() != 36 || base62(crc32(&body[..30])) == body[30..]
            }
            Self::GrafanaCrc32 => token.len().checked_sub(9).is_some_and(|cut| {
                let (payload, sum) = token.split_at(cut);
                sum[0] == b'_' && hex_little_endian(crc32(payload)) == sum[1..]
            }),
            Self::PypiMacaroon => {
                token.strip_prefix(b"pypi-").and_then(base64_url).is_some_and(|bytes| is_macaroon(&bytes))
            }
            Self::Jwt => token
                .split(|byte| *byte == b'.')
                .next()
                .and_then(base64_url)
                .is_some_and(|header| header.first() == Some(&b'{') && contains(&header, b"\"alg\"")),
        }
    }

    /// What completes a token of which this is the start. `None` where the check is no suffix.
    pub fn suffix(self, start: &str) -> Option<String> {
        let sum = match self {
            Self::GithubCrc32 | Self::NpmCrc32 => {
                base62(crc32(start.split_once('_').map_or(start, |(_, body)| body).as_bytes())).to_vec()
            }
            Self::GrafanaCrc32 => hex_little_endian(crc32(start.strip_suffix('_')?.as_bytes())).to_vec(),
            Self::PypiMacaroon | Self::Jwt => return None,
        };
        String::from_utf8(sum).ok()
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// CRC-32 as in ISO-HDLC (zlib, PNG), bit by bit: tokens are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Six digits of base 62, the digits first, then upper case, then lower case.
fn base62(mut number: u32) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    digits
}

fn hex_little_endian(number: u32) -> [u8; 8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 8];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(number.to_le_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    digits
}

/// Decodes base64 of the URL alphabet, padded or not. `None` where a character is of another alphabet.
fn base64_url(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.iter().take_while(|byte| **byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

/// Whether bytes are a macaroon of version 2: the version, then fields of a kind, a length and as many bytes, the last
/// of them the signature. <https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt>
fn is_macaroon(bytes: &[u8]) -> bool {
    const SIGNATURE: u8 = 6;
    let Some((2, mut rest)) = bytes.split_first() else {
        return false;
    };
    while let [kind, tail @ ..] = rest {
        if *kind == 0 {
            rest = tail;
            continue;
        }
        let Some((length, tail)) = varint(tail) else {
            return false;
        };
        if *kind == SIGNATURE {
            return length == 32 && tail.len() >= 32;
        }
        match tail.get(length..) {
            Some(after) if *kind < SIGNATURE => rest = after,
            _ => return false,
        }
    }
    false
}

/// A length in groups of seven bits, the lowest first; at most two groups, which is more than any field has.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [low @ ..0x80, rest @ ..] => Some((usize::from(*low), rest)),
        [low, high @ ..0x80, rest @ ..] => Some((usize::from(low & 0x7f) | usize::from(*high) << 7, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_of_the_standards() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(hex_little_endian(0xcbf4_3926), *b"2639f4cb");
        assert_eq!(base62(61), *b"00000z");
        assert_eq!(base64_url(b"aGk_-w=="), Some(b"hi\x3f\xfb".to_vec()));
        assert_eq!(base64_url(b"a+b"), None);
    }

    #[test]
    fn a_suffix_holds_and_no_other_does() {
        for (checksum, start) in [
            (Checksum::GithubCrc32, format!("ghp_{}", "aB3".repeat(10))),
            (Checksum::NpmCrc32, format!("npm_{}", "Zy9".repeat(10))),
            (Checksum::GrafanaCrc32, format!("glsa_{}_", "k7Qw".repeat(8))),
        ] {
            let token = format!("{start}{}", checksum.suffix(&start).unwrap());
            assert!(checksum.holds(token.as_bytes()), "{checksum:?}");
            for at in 5..token.len() {
                let mut wrong = token.clone().into_bytes();
                wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
                assert!(!checksum.holds(&wrong), "{checksum:?} {at}");
            }
        }
        // What is no token of the old form carries none.
        assert!(Checksum::GithubCrc32.holds(b"ghs_header.payload.signature"));
        assert!(!Checksum::GrafanaCrc32.holds(b"glsa_"));
    }

    #[test]
    fn structures_are_read() {
        let encode = |bytes: &[u8]| {
            const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut text = String::new();
            for chunk in bytes.chunks(3) {
                let bits =
                    chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
                let digits = (0..=chunk.len()).map(|digit| DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]);
                text.extend(digits.map(char::from));
            }
            text
        };
        let mut macaroon = b"\x02\x01\x08pypi.org\x02\x03abc\x00\x00\x06\x20".to_vec();
        macaroon.extend([7; 32]);
        let token = |bytes: &[u8]| format!("pypi-{}", encode(bytes)).into_bytes();
        assert!(Checksum::PypiMacaroon.holds(&token(&macaroon)));
        assert!(!Checksum::PypiMacaroon.holds(&token(&macaroon[..30])));
        assert!(!Checksum::PypiMacaroon.holds(&token(b"\x01\x01\x08pypi.org")));
        let header = |json: &str| format!("{}.e.s", encode(json.as_bytes())).into_bytes();
        assert!(Checksum::Jwt.holds(&header(r#"{"alg":"HS256"}"#)));
        assert!(!Checksum::Jwt.holds(&header(r#"{"typ":"JWT"}"#)));
        assert!(Checksum::ALL.iter().all(|(name, checksum)| Checksum::parse(name) == Some(*checksum)));
    }
}
