//! The little of PEM (RFC 7468) that keys and signatures need.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// A document between the lines of its label, in lines of so many characters.
pub(super) fn write(label: &str, document: &[u8], width: usize) -> Zeroizing<String> {
    let body = Zeroizing::new(BASE64_STANDARD.encode(document));
    let mut text = Zeroizing::new(String::with_capacity(body.len() + body.len() / width + 2 * label.len() + 40));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(width));
        text.extend([line, "\n"]);
        rest = more;
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

/// The first document of that label.
pub(super) fn read(label: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let mut squeezed = Zeroizing::new(String::with_capacity(body.len()));
    squeezed.extend(body.split_ascii_whitespace());
    BASE64_STANDARD.decode(squeezed.as_bytes()).ok().map(Zeroizing::new)
}
