//! Says what each detector makes of a text, for `keytrail rules explain`.

use std::ops::Range;

use super::examine::{self, Place};
use super::{Detectors, Kind, Verdict};

/// What became of one place.
#[derive(Clone, PartialEq, Debug)]
pub struct Trace {
    /// The detector.
    pub detector: u32,
    /// Where its literal starts.
    pub at: usize,
    /// What was looked at: the secret, or the literal where nothing has the detector's shape.
    pub value: Range<usize>,
    /// What became of it.
    pub verdict: Verdict,
    /// What a detector that is a function says of the place, one line each.
    pub notes: Vec<String>,
}

impl Detectors {
    /// Every place of a text where a detector looked closer, with what became of it, in the order of the text.
    /// Of one detector, if `only` names it.
    pub fn explain(&self, text: &[u8], only: Option<u32>) -> Vec<Trace> {
        let mut traces = Vec::new();
        self.prefilter.scan(text, 0..text.len(), &mut |literal, at| {
            let place = Place { text, at, length: self.prefilter.length(literal) };
            for detector in self.owners(literal).filter(|owner| only.is_none_or(|only| only == *owner)) {
                self.trace(place, detector, &mut traces);
            }
        });
        for detector in self.slow.iter().copied().filter(|detector| only.is_none_or(|only| only == *detector)) {
            let entry = &self.entries[detector as usize];
            if let (Some(spec), Some(compiled)) = (entry.spec(), entry.compiled()) {
                examine::everywhere(text, 0..text.len(), spec, compiled, &mut |value, _, verdict| {
                    traces.push(Trace { detector, at: value.start, value, verdict, notes: Vec::new() });
                });
            }
        }
        traces.sort_by_key(|trace| (trace.at, trace.detector, trace.value.start));
        traces.dedup();
        traces
    }

    /// Adds what becomes of one place in one detector.
    fn trace(&self, place: Place<'_>, detector: u32, traces: &mut Vec<Trace>) {
        let entry = &self.entries[detector as usize];
        let (before, after) = entry.reach();
        let (at, window) = (place.at, examine::window(place, before, after));
        let first = traces.len();
        entry.examine(place, &window, &mut |value, verdict| {
            traces.push(Trace { detector, at, value, verdict, notes: Vec::new() });
        });
        if let Kind::Programmed(programmed) = entry.kind {
            if traces.len() == first {
                let value = at..at + place.length;
                traces.push(Trace { detector, at, value, verdict: Verdict::NoMatch, notes: Vec::new() });
            }
            let notes = &mut traces[first].notes;
            programmed.explain(&place.text[window.clone()], at - window.start, &mut |line| notes.push(line));
        }
    }
}
