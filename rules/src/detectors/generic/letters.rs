//! How much a text reads like words: statistics of letters, and a list of words.

use super::model::Model;

/// How a run of letters reads.
#[derive(Clone, Copy, Default, Debug)]
pub struct Reading {
    /// Letters that were looked at.
    pub letters: u32,
    /// The cost of all trigrams, in sixteenths of a bit.
    pub cost: u32,
    /// The number of trigrams, the ends of runs counted.
    pub trigrams: u32,
    /// The cost of the dearest pair of trigrams that follow each other, in sixteenths of a bit.
    pub dearest: u32,
    /// The cost of the dearest run, a trigram, in sixteenths of a bit.
    pub worst_run: u32,
    /// Letters that belong to words of the list.
    pub covered: u32,
    /// The longest word of the list.
    pub longest: u32,
    /// Runs of letters.
    pub runs: u32,
}

/// Runs longer than this are judged by their beginning.
const LONGEST_RUN: usize = 48;

/// Reads the runs of letters in a text: split at everything else, and where a capital follows a small letter.
pub(super) fn read(text: &[u8], model: &Model) -> Reading {
    let mut reading = Reading::default();
    let mut run = [0_u8; LONGEST_RUN];
    let mut length = 0;
    let mut before = 0_u8;
    for &byte in text.iter().chain(b"\0") {
        let hump = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
        if (hump || !byte.is_ascii_alphabetic()) && length > 0 {
            reading.add(&run[..length], model);
            length = 0;
        }
        if byte.is_ascii_alphabetic() && length < LONGEST_RUN {
            run[length] = byte.to_ascii_lowercase() - b'a' + 1;
            length += 1;
        }
        before = byte;
    }
    reading
}

impl Reading {
    /// Adds one run, its letters numbered from 1.
    fn add(&mut self, run: &[u8], model: &Model) {
        let (mut first, mut second, mut last_cost, mut cost) = (0, 0, 0, 0);
        for &letter in run.iter().chain(&[0]) {
            let here = u32::from(model.trigram(first, second, letter));
            self.dearest = self.dearest.max(here + last_cost);
            last_cost = here;
            cost += here;
            (first, second) = (second, letter);
        }
        let trigrams = run.len() as u32 + 1;
        self.letters += run.len() as u32;
        self.trigrams += trigrams;
        self.cost += cost;
        self.runs += 1;
        if run.len() >= 3 {
            self.worst_run = self.worst_run.max(cost / trigrams);
        }
        let (covered, longest) = cover(run, model);
        self.covered += covered;
        self.longest = self.longest.max(longest);
    }

    /// The mean cost of a trigram, in sixteenths of a bit.
    pub(super) fn mean(&self) -> u32 {
        self.cost.checked_div(self.trigrams).unwrap_or(0)
    }
}

/// The most letters of a run that words of the list cover without overlap, and the longest word.
fn cover(run: &[u8], model: &Model) -> (u32, u32) {
    let mut best = [0_u32; LONGEST_RUN + 1];
    let mut longest = 0;
    for end in 1..=run.len() {
        best[end] = best[end - 1];
        for start in end.saturating_sub(14)..end.saturating_sub(2) {
            let length = (end - start) as u32;
            // Three letters are a word only where they are the whole run: too many are.
            let counts = length > 3 || run.len() == 3;
            if counts && best[start] + length > best[end] && model.is_word(&run[start..end]) {
                best[end] = best[start] + length;
                longest = longest.max(length);
            }
        }
    }
    (best[run.len()], longest)
}
