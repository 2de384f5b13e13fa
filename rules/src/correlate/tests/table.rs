//! The verdict function against the table of the design, written a second time.

use crate::correlate::cells::verdict;
use crate::correlate::{Trace, Traces, Verdict};

const TRACES: [Trace; 4] = [Trace::Present, Trace::NotYet, Trace::Unknown, Trace::Absent];

/// The lines of the table: `P`resent, `N`ot yet, `U`nknown, `A`bsent, `*` any; `c` with a change, `-` without, `*` either.
const TABLE: &[(&str, &str, Option<Verdict>)] = &[
    ("A**", "c", Some(Verdict::Silent)),
    ("PPP", "*", Some(Verdict::Traced)),
    ("N**", "*", Some(Verdict::Pending)),
    ("*N*", "*", Some(Verdict::Pending)),
    ("**N", "*", Some(Verdict::Pending)),
    ("U**", "*", Some(Verdict::Inconclusive)),
    ("*U*", "*", Some(Verdict::Inconclusive)),
    ("**U", "*", Some(Verdict::Inconclusive)),
    ("PA*", "*", Some(Verdict::RequestedNeverApplied)),
    ("PPA", "*", Some(Verdict::AppliedNeverLoaded)),
    ("***", "*", None),
];

fn letter(trace: Trace) -> char {
    match trace {
        Trace::Present => 'P',
        Trace::NotYet => 'N',
        Trace::Unknown => 'U',
        Trace::Absent => 'A',
    }
}

#[test]
fn every_cell_is_judged_as_the_table_says() {
    let mut judged = 0;
    for ledger in TRACES {
        for store in TRACES {
            for application in TRACES {
                for change in [true, false] {
                    let cells: String = [ledger, store, application].map(letter).iter().collect();
                    let fits = |pattern: &str| pattern.chars().zip(cells.chars()).all(|(p, c)| p == '*' || p == c);
                    let with = if change { "c" } else { "-" };
                    let line = TABLE.iter().find(|(pattern, of, _)| fits(pattern) && (*of == "*" || *of == with));
                    let expected = line.expect("the last line fits all").2;
                    assert_eq!(verdict(Traces { ledger, store, application }, change), expected, "{cells} {change}");
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, 128);
}
