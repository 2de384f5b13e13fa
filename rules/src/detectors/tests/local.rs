//! A search where a text changed gives what a search of the whole gives.

use proptest::prelude::*;

use super::*;

/// Pieces of which texts are made: positives, negatives, and what is neither.
fn pieces() -> Vec<String> {
    let family = Family::parse(SAMPLE).unwrap();
    let mut pieces = Vec::new();
    for detector in &family.detectors {
        for template in detector.positive.iter().chain(&detector.negative) {
            let filled = template::expand(template, "local", detector.spec.filter.checksum).unwrap();
            // Halves make texts that an edit turns into a secret.
            let middle = filled.len() / 2;
            pieces.push(filled[..middle].to_owned());
            pieces.push(filled[middle..].to_owned());
            pieces.push(filled);
        }
    }
    pieces.extend(
        ["-----BEGIN SAMPLE KEY-----", "-----END", "smplapi ", "secret", " ", "\n", "=", "x", ", \"k\": "]
            .map(str::to_owned),
    );
    pieces.extend((0..6).map(|length| "lorem ipsum dolor ".repeat(length * 3)));
    pieces
}

/// What of a hit is to be equal.
fn plain(hits: &[Hit]) -> Vec<(Found, Range<usize>, Range<usize>)> {
    let mut plain: Vec<_> = hits.iter().map(|hit| (hit.found, hit.value.clone(), hit.depends.clone())).collect();
    plain.sort_by_key(|(found, value, depends)| (*found, value.start, value.end, depends.start, depends.end));
    plain.dedup();
    plain
}

fn whole(detectors: &Detectors, text: &[u8]) -> Hits {
    let mut hits = Hits::default();
    detectors.search(text, 0..text.len(), &mut (), &mut hits);
    hits
}

/// A range that meets another, or touches it.
fn meets(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start <= b.end && b.start <= a.end
}

/// Replaces `range` of a text and carries what was found over, as a walk of deltas does.
fn edit(detectors: &Detectors, text: &mut Vec<u8>, found: &mut Hits, range: Range<usize>, with: &[u8]) {
    let shift = |at: usize| if at >= range.end { at - range.len() + with.len() } else { at };
    let moved = |depends: &Range<usize>| shift(depends.start)..shift(depends.end);
    let untouched = |depends: &Range<usize>, length: usize| {
        !(meets(depends, &range) || depends.end == length && range.end == length)
    };
    let length = text.len();
    let mut carried: Vec<Hit> = found.hits.drain(..).filter(|hit| untouched(&hit.depends, length)).collect();
    for hit in &mut carried {
        hit.value = moved(&hit.value);
        hit.depends = moved(&hit.depends);
    }
    let anchors: Vec<LongAnchor> = found.long.drain(..).filter(|anchor| !(range.contains(&anchor.at))).collect();
    text.splice(range.clone(), with.iter().copied());
    let mut now = Hits { hits: carried, long: Vec::new() };
    for anchor in anchors {
        let depends = moved(&anchor.depends);
        let anchor = LongAnchor { at: shift(anchor.at), depends, ..anchor };
        detectors.recheck(text, &anchor, &mut (), &mut now);
    }
    detectors.search(text, range.start..range.start + with.len(), &mut (), &mut now);
    *found = now;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn edits_give_what_a_search_of_the_whole_gives(
        start in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..80, proptest::collection::vec(any::<prop::sample::Index>(), 0..3)), 1..8),
    ) {
        let detectors = sample();
        let pieces = pieces();
        let join = |indices: &[prop::sample::Index]| indices.iter().map(|index| index.get(&pieces).as_str()).collect::<String>();
        let mut text = join(&start).into_bytes();
        let mut found = whole(detectors, &text);
        for (at, length, with) in edits {
            let at = at.index(text.len() + 1);
            let range = at..(at + length).min(text.len());
            edit(detectors, &mut text, &mut found, range, join(&with).as_bytes());
            let again = whole(detectors, &text);
            prop_assert_eq!(plain(&found.hits), plain(&again.hits));
            let anchors = |hits: &Hits| hits.long.iter().map(|anchor| (anchor.at, anchor.detector)).collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(anchors(&found), anchors(&again));
        }
    }

    #[test]
    fn a_search_depends_on_what_it_says(
        pieces_of_text in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        noise in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let detectors = sample();
        let pieces = pieces();
        let text: String = pieces_of_text.iter().map(|index| index.get(&pieces).as_str()).collect();
        for hit in whole(detectors, text.as_bytes()).hits {
            prop_assert!(hit.depends.start <= hit.value.start && hit.value.end <= hit.depends.end);
            prop_assert!(hit.depends.len() <= detectors.reach());
            // The bytes that it depends on, among others.
            let ends = (hit.depends.start == 0, hit.depends.end == text.len());
            let mut other = if ends.0 { Vec::new() } else { noise.clone() };
            let shift = other.len();
            other.extend(&text.as_bytes()[hit.depends.clone()]);
            if !ends.1 {
                other.extend(&noise);
            }
            let same = whole(detectors, &other).hits.into_iter().any(|again| {
                again.found == hit.found && again.value.start == hit.value.start - hit.depends.start + shift
                    && again.value.len() == hit.value.len()
            });
            prop_assert!(same || (!ends.0 && shift == 0) || (!ends.1 && noise.is_empty()));
        }
    }

    #[test]
    fn any_bytes_are_searched(bytes in proptest::collection::vec(any::<u8>(), 0..2000), start in 0_usize..2000, length in 0_usize..500) {
        let detectors = sample();
        let start = start.min(bytes.len());
        let mut hits = Hits::default();
        detectors.search(&bytes, start..(start + length).min(bytes.len()), &mut (), &mut hits);
    }
}
