//! The search for known values, against a naive one and against itself.

use std::collections::BTreeSet;

use keytrail_rules::known_values::{KnownValues, Searchable};
use keytrail_rules::model::Secret;
use keytrail_rules::search::{Found, Hits, Search};

/// Values in the first lines, and a text in the rest: all that a naive search for the plainest spellings finds is found,
/// and a search of two halves finds what a search of the whole does.
pub fn known_values(data: &[u8]) {
    let mut rest = data;
    let mut builder = KnownValues::builder([7; 32]);
    let mut values = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n').filter(|_| values.len() < 4) {
        let value = String::from_utf8_lossy(&rest[..end.min(80)]).into_owned();
        rest = &rest[end + 1..];
        let searchable = builder.add(values.len() as u32, &Secret::from(value.as_str()), &["API_KEY", "pw"]);
        values.push((value, searchable == Searchable::Anywhere));
    }
    // What the first byte says is spelt out in the text, so that there is something to find.
    let mut text = rest.to_vec();
    if let (Some(first), Some((value, _))) = (rest.first(), values.first()) {
        let spelling = spell(value, first % 4);
        let at = usize::from(*first) % (text.len() + 1);
        text.splice(at..at, spelling.bytes());
    }
    let known = builder.build();
    let whole = search(&known, &text, 0..text.len());
    for (id, (value, _)) in values.iter().enumerate().filter(|(_, (value, anywhere))| *anywhere && is_plain(value)) {
        for spelling in (0..3).map(|way| spell(value, way)) {
            let places = text.windows(spelling.len()).enumerate();
            for (start, _) in places.filter(|(_, window)| *window == spelling.as_bytes()) {
                assert!(whole.contains(&(id as u32, start, start + spelling.len())), "a spelling is not found");
            }
        }
    }
    let middle = text.len() / 2;
    let mut halves = search(&known, &text, 0..middle);
    halves.extend(search(&known, &text, middle..text.len()));
    assert_eq!(halves, whole);
}

/// Whether a value has no structure, so that it is searched for as it is.
fn is_plain(value: &str) -> bool {
    value.len() >= 8 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-!#".contains(&byte))
}

fn spell(value: &str, way: u8) -> String {
    match way {
        0 => value.to_owned(),
        1 => value.bytes().map(|byte| format!("{byte:02x}")).collect(),
        2 => value.bytes().map(|byte| format!("{byte:02X}")).collect(),
        _ => value.bytes().map(|byte| format!("%{byte:02X}")).collect(),
    }
}

fn search(known: &KnownValues, text: &[u8], changed: std::ops::Range<usize>) -> BTreeSet<(u32, usize, usize)> {
    let mut hits = Hits::default();
    known.search(text, changed, &mut Default::default(), &mut hits);
    let place = |hit: keytrail_rules::search::Hit| {
        assert!(hit.depends.start <= hit.value.start && hit.value.end <= hit.depends.end);
        assert!(hit.depends.end <= text.len() && !hit.value.is_empty());
        match hit.found {
            Found::Known(id) => (id, hit.value.start, hit.value.end),
            Found::Detector(_) => panic!("no detector was asked"),
        }
    };
    hits.hits.into_iter().map(place).collect()
}
