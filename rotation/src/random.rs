//! Random values of the system's random source.
//!
//! # Guarantees
//! 1. Every value is drawn from the source of the system (`getrandom`), and every character of an alphabet is as likely
//!    as every other: bytes that would make some likelier are thrown away.
//! 2. Buffers are wiped, and are never moved while they grow.

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Bytes drawn at once while characters are chosen.
const BLOCK: usize = 64;

/// Random bytes.
///
/// # Errors
/// The system gives none.
pub fn bytes(length: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    fill(&mut bytes)?;
    Ok(bytes)
}

/// So many characters of an alphabet of 1 to 65,536 different ones.
///
/// # Errors
/// The system gives no random bytes; the alphabet is empty or too large.
pub fn text(alphabet: &[char], length: usize) -> Result<Zeroizing<String>, Failure> {
    let mut draws = Draws::new(alphabet.len(), fill)?;
    let mut text = Zeroizing::new(String::with_capacity(length * char::MAX.len_utf8()));
    for _ in 0..length {
        text.push(alphabet[draws.next()?]);
    }
    Ok(text)
}

fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|error| {
        Failure::not_done(format!("the system gives no random bytes: {error}"))
            .hint("look at the system's /dev/urandom")
    })
}

/// Numbers below a bound, each as likely as the others. 16 bits are taken at once; those from the largest multiple of the
/// bound on are thrown away, since they would make small numbers likelier.
struct Draws<F> {
    bound: u32,
    limit: u32,
    fill: F,
    block: Zeroizing<[u8; BLOCK]>,
    used: usize,
}

impl<F: FnMut(&mut [u8]) -> Result<(), Failure>> Draws<F> {
    fn new(bound: usize, fill: F) -> Result<Self, Failure> {
        const RANGE: u32 = 1 << 16;
        let bound = u32::try_from(bound).ok().filter(|bound| (1..=RANGE).contains(bound)).ok_or_else(|| {
            Failure::not_done("a value is chosen from 1 to 65,536 characters").hint("correct the charset")
        })?;
        Ok(Self { bound, limit: RANGE - RANGE % bound, fill, block: Zeroizing::new([0; BLOCK]), used: BLOCK })
    }

    fn next(&mut self) -> Result<usize, Failure> {
        loop {
            if self.used == BLOCK {
                (self.fill)(&mut self.block[..])?;
                self.used = 0;
            }
            let number = u32::from(u16::from_be_bytes([self.block[self.used], self.block[self.used + 1]]));
            self.used += 2;
            if number < self.limit {
                return Ok((number % self.bound) as usize);
            }
        }
    }
}

#[cfg(test)]
mod tests;
