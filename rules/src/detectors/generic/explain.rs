//! Why a candidate was kept or dropped, in words, without a byte of it.

use super::Judged;
use super::shape::{Casing, Shape};

/// Says what decided.
pub(super) fn tell(judged: &Judged, say: &mut dyn FnMut(String)) {
    let candidate = &judged.candidate;
    say(format!(
        "a {:?} name, {:?}, a value in {:?} quotes",
        candidate.kind, candidate.linked.link, candidate.value.quote
    ));
    if let Some(reason) = judged.dropped {
        say(format!("dropped: {reason}"));
        return;
    }
    if let Some(features) = &judged.features {
        for line in traits(&features.shape) {
            say(line);
        }
    }
    let (verdict, reads) = match (judged.is_secret(), judged.features.as_ref().map(|features| &features.shape)) {
        (true, _) => ("kept", "looks random"),
        (false, Some(shape)) if reads_as_words(shape) => ("dropped", reads_as(shape)),
        (false, _) => ("dropped", "does not look enough like a secret under this name"),
    };
    say(format!("{verdict}: {reads} (score {:.2} of {:.2})", chance(judged.score), chance(judged.threshold)));
}

/// A score as a chance between 0 and 1.
fn chance(score: i32) -> f64 {
    1.0 / (1.0 + (-f64::from(score) / 1000.0).exp())
}

/// Whether words of the list cover most of its letters.
fn reads_as_words(shape: &Shape) -> bool {
    shape.reading.covered * 3 >= shape.reading.letters * 2 && shape.reading.letters > 0
}

fn reads_as(shape: &Shape) -> &'static str {
    match shape.casing {
        Casing::None if shape.blanks > 0 => "reads as natural language",
        Casing::None => "is made of words",
        Casing::Word => "reads as a word",
        Casing::Dotted | Casing::Slashed => "reads as a path",
        Casing::Snake | Casing::Screaming | Casing::Kebab | Casing::Camel => "reads as an identifier",
    }
}

/// Measures that matter, one line each.
fn traits(shape: &Shape) -> Vec<String> {
    let bits = f64::from(shape.reading.mean()) / 16.0;
    let mut lines = vec![format!(
        "{} bytes, {:.1} bits of entropy each, {:.1} bits for each letter by the statistics of words, {} of {} letters in words",
        shape.length,
        f64::from(shape.entropy) / 100.0,
        bits,
        shape.reading.covered,
        shape.reading.letters
    )];
    let facts = [
        (shape.uuid, "it is a UUID"),
        (shape.hexadecimal, "it is hexadecimal"),
        (shape.called > 0, "it says what secrets are called"),
        (shape.stand_ins > 0, "it has a word of examples and stand-ins"),
        (shape.longest_sequence > 3, "it has a run like abcd or 1234"),
    ];
    lines.extend(facts.into_iter().filter(|(holds, _)| *holds).map(|(_, line)| line.to_owned()));
    lines
}
