//! What must not change a verdict, and what may.

use proptest::prelude::*;

use super::estate::{Generator, Random};
use super::support::{Estate, at, place};
use crate::correlate::{Flag, Rotation, Verdict};
use crate::model::{Entry, EventKind, Hole, Role, Time};

/// An estate with some gaps.
fn estate(seed: u64) -> Estate {
    Generator::new(seed, 12, true).estate
}

/// What was judged, without what names the trails and the bytes.
fn judged(estate: &Estate) -> Vec<(String, String, Verdict)> {
    let of = |one: Rotation| (one.id, format!("{} {:?} {:?}", one.item, one.traces, one.flags), one.verdict);
    estate.correlate().rotations.into_iter().map(of).collect()
}

/// What is in one list and not in the other.
fn differences<T: PartialEq + std::fmt::Debug>(after: &[T], before: &[T]) -> Vec<String> {
    let gone = before.iter().filter(|one| !after.contains(one)).map(|one| format!("before: {one:?}"));
    let come = after.iter().filter(|one| !before.contains(one)).map(|one| format!("after: {one:?}"));
    gone.chain(come).collect()
}

fn traced(estate: &Estate) -> std::collections::BTreeMap<String, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for one in estate.correlate().rotations.into_iter().filter(|one| one.verdict == Verdict::Traced) {
        *counts.entry(one.item.to_string()).or_default() += 1;
    }
    counts
}

/// A number or a digest shows that lines of an instant were taken out.
fn torn(time: Time) -> Entry {
    let reason = "a number is missing".to_owned();
    Entry::Hole(Hole { from: Some(time), to: Some(time), reason, tampered: true, raw: None })
}

/// Makes it the events that name the consumer, and not the trails.
fn name_consumers_in_events(estate: &mut Estate) {
    for (trail, entries) in estate.trails.iter_mut().zip(&mut estate.entries) {
        let Some(consumer) = trail.consumer.take() else {
            continue;
        };
        for entry in entries {
            if let Entry::Event(event) = entry {
                event.consumer = Some(consumer.clone());
            }
        }
    }
}

fn is_event(entry: &Entry) -> bool {
    matches!(entry, Entry::Event(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_within_the_delay_does_not_matter(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        let before = judged(&estate);
        let mut random = Random(seed);
        for entries in &mut estate.entries {
            for at in 1..entries.len() {
                let near = match (&entries[at - 1], &entries[at]) {
                    (Entry::Event(a), Entry::Event(b)) => (a.time - b.time).abs() < chrono::TimeDelta::minutes(30),
                    _ => true,
                };
                if near && random.one_in(2) {
                    entries.swap(at - 1, at);
                }
            }
        }
        prop_assert_eq!(differences(&judged(&estate), &before), Vec::<String>::new());
    }

    #[test]
    fn copies_do_not_matter(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        let before = judged(&estate);
        for entries in &mut estate.entries {
            let twice = entries.iter().flat_map(|entry| [entry.clone(), entry.clone()]).collect();
            *entries = twice;
        }
        prop_assert_eq!(differences(&judged(&estate), &before), Vec::<String>::new());
    }

    #[test]
    fn a_trail_may_be_split_into_two_of_one_kind(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        let before = judged(&estate);
        let mut random = Random(seed);
        for trail in 0..estate.trails.len() {
            let copy = estate.trails[trail].clone();
            estate.trails.push(copy);
            let (kept, moved) = estate.entries[trail].drain(..).partition(|entry| !is_event(entry) || random.one_in(2));
            estate.entries[trail] = kept;
            let mut moved: Vec<Entry> = moved;
            moved.extend(estate.entries[trail].iter().filter(|entry| !is_event(entry)).cloned());
            estate.entries.push(moved);
        }
        prop_assert_eq!(differences(&judged(&estate), &before), Vec::<String>::new());
    }

    #[test]
    fn a_trail_may_be_cut_into_files_one_after_the_other(seed in 0_u64..1000, parts in 2_usize..5) {
        let mut estate = estate(seed);
        let before = judged(&estate);
        let mut random = Random(seed);
        for trail in 0..estate.trails.len() {
            let stretches: Vec<Entry> = estate.entries[trail].iter().filter(|one| !is_event(one)).cloned().collect();
            for _ in 1..parts {
                let length = i64::try_from(estate.entries[trail].len()).expect("short");
                let at = usize::try_from(random.below(length)).expect("positive");
                let mut rest = estate.entries[trail].split_off(at);
                // What one file proves of the trail is true of every part of it.
                rest.retain(is_event);
                rest.extend(stretches.iter().cloned());
                estate.trails.push(estate.trails[trail].clone());
                estate.entries.push(rest);
            }
            estate.entries[trail].retain(is_event);
            estate.entries[trail].extend(stretches);
        }
        prop_assert_eq!(differences(&judged(&estate), &before), Vec::<String>::new());
    }

    #[test]
    fn once_all_deadlines_have_passed_nothing_changes_any_more(seed in 0_u64..1000, days in 1_i64..2000) {
        let mut estate = estate(seed);
        let before = judged(&estate);
        prop_assert!(before.iter().all(|one| one.2 != Verdict::Pending));
        for _ in 0..2 {
            estate.as_of += chrono::TimeDelta::days(days);
            // What was judged before is known, and is judged the same.
            estate.earlier = judged(&estate).into_iter().map(|one| (one.0, one.2)).collect();
            prop_assert_eq!(differences(&judged(&estate), &before), Vec::<String>::new());
        }
    }

    #[test]
    fn a_consumer_that_no_line_names_any_more_is_said_to_be_unwatched(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        name_consumers_in_events(&mut estate);
        let unwatched = |one: &Rotation| one.flags.contains(&Flag::UnwatchedConsumers);
        prop_assert!(!estate.correlate().rotations.iter().any(unwatched));
        for entries in &mut estate.entries {
            entries.retain(|entry| match entry {
                Entry::Event(event) => event.consumer.as_deref().is_none_or(|one| !one.ends_with("worker")),
                _ => true,
            });
        }
        let rotations = estate.correlate().rotations;
        prop_assert!(rotations.iter().filter(|one| one.verdict == Verdict::Traced).all(unwatched));
        prop_assert!(rotations.iter().any(unwatched));
    }

    #[test]
    fn other_credentials_do_not_matter(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        let before = judged(&estate);
        for trail in 0..estate.trails.len() {
            for (at, kind) in (1..).zip(EventKind::ALL) {
                estate.event(trail, kind, "vault:secret/of-somebody-else#password", at * 86_400);
            }
        }
        prop_assert_eq!(differences(&judged(&estate), &before), Vec::<String>::new());
    }

    #[test]
    fn more_coverage_changes_only_what_was_inconclusive(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        let before = judged(&estate);
        let mut random = Random(seed);
        for entries in &mut estate.entries {
            entries.retain(|entry| !matches!(entry, Entry::Hole(_)) || random.one_in(2));
        }
        let after = judged(&estate);
        for (id, said, verdict) in &before {
            if *verdict != Verdict::Inconclusive {
                prop_assert!(
                    after.iter().any(|one| one.0 == *id && one.2 == *verdict),
                    "{} {} was {:?}", id, said, verdict
                );
            }
        }
    }

    #[test]
    fn without_records_nothing_becomes_traced(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        let before = traced(&estate);
        let mut random = Random(seed);
        for entries in &mut estate.entries {
            // A refusal is evidence against: without it, only the hole tells that there was something.
            let mut holes = Vec::new();
            entries.retain(|entry| match entry {
                Entry::Event(event) if random.one_in(3) => {
                    holes.extend((event.kind == EventKind::Refused).then_some(event.time));
                    false
                }
                _ => true,
            });
            entries.extend(holes.into_iter().map(torn));
        }
        for (item, count) in traced(&estate) {
            prop_assert!(before.get(&item).is_some_and(|before| count <= *before), "{item}");
        }
    }

    #[test]
    fn a_trail_that_is_not_covered_makes_nothing_silent(seed in 0_u64..1000) {
        let mut estate = estate(seed);
        for (trail, entries) in estate.trails.iter().zip(&mut estate.entries) {
            if trail.role == Role::Ledger {
                entries.retain(is_event);
            }
        }
        prop_assert!(judged(&estate).iter().all(|one| one.2 != Verdict::Silent));
    }

    #[test]
    fn clocks_within_their_bound_do_not_matter(seed in 0_u64..1000) {
        let mut estate = Generator::new(seed, 12, false).estate;
        // What only the state shows is known by the instant that it shows.
        let verdicts = |estate: &Estate| judged(estate).into_iter().map(|one| (one.1, one.2)).collect::<Vec<_>>();
        let before = verdicts(&estate);
        let mut random = Random(seed);
        for entries in &mut estate.entries {
            let shift = chrono::TimeDelta::seconds(random.below(9) - 4);
            for entry in entries {
                if let Entry::Event(event) = entry {
                    event.time += shift;
                }
            }
        }
        prop_assert_eq!(verdicts(&estate), before);
    }
}

#[test]
fn absurd_times_and_millions_of_names_do_no_harm() {
    let mut estate = Estate::three_trails();
    estate.requested(3 * 86_400);
    estate.written("2", 3 * 86_400 + 60);
    estate.loaded(3 * 86_400 + 120);
    for kind in EventKind::ALL {
        for time in [Time::MIN_UTC, Time::MAX_UTC, at(40 * 86_400)] {
            let event = estate.event(1, kind, "vault:secret/shop#password", 0);
            event.time = time;
        }
    }
    for name in 0..20_000 {
        let (a, b) = (place(&format!("x:{name}")), place(&format!("x:{}", name + 1)));
        estate.entries[1].push(Entry::Same(a, b));
        estate.event(1, EventKind::Written, &format!("x:{name}"), name);
    }
    let correlation = estate.correlate();
    let normal = correlation.rotations.iter().find(|one| one.at == at(3 * 86_400 + 60)).expect("the rotation");
    assert_eq!(normal.verdict, Verdict::Traced);
}
