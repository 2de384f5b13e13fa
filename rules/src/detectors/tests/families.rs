//! The examples of every family, built in or of these tests, put to the detectors.

use super::*;

const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/detector_files.rs"));

/// How many fillings of each template are tried.
const FILLINGS: usize = 4;

/// Where a token may stand: `@` is the token.
const SURROUNDINGS: &[&str] = &[
    "@",
    "key = \"@\"\n",
    "{\"a\": 1, \"token\":\"@\"}",
    "services:\n  app:\n    token: @\n    other: 1\r\n",
    "2026-01-02T03:04:05Z INFO request done token=@ status=200\n",
    "GET https://host.example/path?a=1&token=@&b=2 HTTP/1.1",
    "\x1b[32m@\x1b[0m",
    "{\"log\":\"line\\n@\\n\"}",
];

/// Where a whole assignment may stand.
const LINES: &[&str] = &["@", "first line\n@\nlast line\n", "one\r\n\t@\r\ntwo", "  @  "];

fn expansions(detector: &Detector, templates: &[String]) -> Vec<String> {
    let id = &detector.spec.about.id;
    let fill = |template: &String, seed| {
        let filled = template::expand(template, &format!("{id}{seed}"), detector.spec.filter.checksum);
        filled.unwrap_or_else(|error| panic!("{id}: {template}: {error}"))
    };
    templates.iter().flat_map(|template| (0..FILLINGS).map(move |seed| fill(template, seed))).collect()
}

fn fires(detectors: &Detectors, index: u32, text: &str) -> bool {
    let mut hits = Hits::default();
    detectors.search(text.as_bytes(), 0..text.len(), &mut (), &mut hits);
    let fired = hits.hits.iter().any(|hit| hit.found == Found::Detector(index));
    detectors.settle(&mut hits.hits);
    assert!(!fired || !hits.hits.is_empty());
    fired
}

/// What is wrong with the examples of a family.
fn mistakes(detectors: &Detectors, family: &Family) -> Vec<String> {
    let mut mistakes = Vec::new();
    for detector in &family.detectors {
        let spec = &detector.spec;
        let index = detectors.find(&spec.about.id).unwrap();
        let surroundings = if matches!(spec.matcher, Matcher::Named { .. }) { LINES } else { SURROUNDINGS };
        for text in expansions(detector, &detector.positive) {
            let literal = |literal: &Literal| {
                if literal.any_case {
                    text.to_ascii_lowercase().contains(&*literal.text)
                } else {
                    text.contains(&*literal.text)
                }
            };
            if !spec.literals.iter().any(literal) {
                mistakes.push(format!("{}: no literal in a positive", spec.about.id));
            }
            for around in surroundings {
                let whole = around.replacen('@', &text, 1);
                if !fires(detectors, index, &whole) {
                    let why: Vec<_> =
                        detectors.explain(whole.as_bytes(), Some(index)).iter().map(|trace| trace.verdict).collect();
                    mistakes.push(format!("{}: a positive is missed in {around:?}: {text:?}: {why:?}", spec.about.id));
                    break;
                }
            }
        }
        for text in expansions(detector, &detector.negative) {
            if fires(detectors, index, &text) {
                mistakes.push(format!("{}: a negative fires: {text:?}", spec.about.id));
            }
        }
    }
    mistakes.dedup_by(|a, b| a.split(": ").take(2).eq(b.split(": ").take(2)));
    mistakes
}

#[test]
fn the_examples_of_the_sample_hold() {
    let found = mistakes(sample(), &Family::parse(SAMPLE).unwrap());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_examples_of_every_family_hold() {
    let detectors = Detectors::builtin();
    let families = FILES.iter().map(|(_, text)| Family::parse(text).unwrap());
    let found: Vec<String> = families.flat_map(|family| mistakes(&detectors, &family)).collect();
    assert!(found.is_empty(), "{}\n{} mistakes", found.join("\n"), found.len());
}

#[test]
fn no_file_of_detectors_holds_what_looks_like_a_token() {
    let detectors = Detectors::builtin();
    for (file, text) in FILES {
        let mut hits = Hits::default();
        detectors.search(text.as_bytes(), 0..text.len(), &mut (), &mut hits);
        for hit in hits.hits {
            if let Found::Detector(detector) = hit.found
                && detectors.spec(detector).is_some()
            {
                let line = 1 + text[..hit.value.start].matches('\n').count();
                panic!("{file}:{line}: {}", detectors.about(detector).id);
            }
        }
    }
}

/// What a search reports of a text, and what of it an explanation says was kept: it takes no shortcut.
fn reported_and_kept(detectors: &Detectors, text: &[u8]) -> [Vec<(u32, Range<usize>)>; 2] {
    let mut hits = Hits::default();
    detectors.search(text, 0..text.len(), &mut (), &mut hits);
    let reported = hits.hits.into_iter().filter_map(|hit| match hit.found {
        Found::Detector(detector) => Some((detector, hit.value)),
        Found::Known(_) => None,
    });
    let kept = detectors.explain(text, None).into_iter().filter(|trace| trace.verdict == Verdict::Kept);
    let mut both = [
        reported.collect::<Vec<_>>(),
        // A function gives no verdict of its own but for what it keeps.
        kept.map(|trace| (trace.detector, trace.value)).collect(),
    ];
    for found in &mut both {
        found.sort_by_key(|(detector, value)| (*detector, value.start, value.end));
        found.dedup();
    }
    both
}

#[test]
fn what_refuses_early_refuses_nothing_that_is_there() {
    let detectors = Detectors::builtin();
    for (name, text) in FILES {
        for detector in Family::parse(text).unwrap().detectors {
            let examples = [detector.positive.as_slice(), &detector.negative].concat();
            for text in expansions(&detector, &examples).iter().step_by(FILLINGS) {
                let [reported, kept] = reported_and_kept(&detectors, format!("a\n{text} b").as_bytes());
                assert_eq!(reported, kept, "{name}: {text}");
            }
        }
    }
}
