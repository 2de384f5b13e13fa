//! Bytes from outside that may hold values: bounded, and wiped.

use std::io;

use zeroize::Zeroizing;

/// What was read so far. Memory is wiped on drop, and where the bytes move as they grow.
pub struct Bounded {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
}

impl Bounded {
    /// Room for so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(limit.min(8 << 10))), limit }
    }

    /// Takes bytes in. `false`: there is no room for them, and none of them was taken.
    #[must_use]
    pub fn push(&mut self, more: &[u8]) -> bool {
        let length = self.bytes.len() + more.len();
        if length > self.limit {
            return false;
        }
        if length > self.bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(more);
        true
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.push(bytes) { Ok(bytes.len()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_whole_and_what_does_not_is_refused_whole() {
        let mut bytes = Bounded::new(20_000);
        let all: Vec<u8> = (0..20_000).map(|at| (at % 251) as u8).collect();
        all.chunks(777).for_each(|chunk| assert!(bytes.push(chunk)));
        assert_eq!(bytes.as_bytes(), all);
        assert!(!bytes.push(b"x"));
        assert_eq!(bytes.as_bytes(), all);
    }
}
