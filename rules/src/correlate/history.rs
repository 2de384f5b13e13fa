//! Versions that a store remembers, and of which no event tells.
#![expect(clippy::disallowed_types, reason = "looked up by hash; nothing that is reported is in their order")]

use std::collections::HashMap;

use chrono::TimeDelta;

use super::Setup;
use super::cells::watches;
use super::changes::{Anchor, Comparisons, Nature};
use super::coverage::{Coverage, later};
use super::gather::Gathered;
use crate::model::{EventKind, Hole, Role};

/// The anchors that they make, by item, and the holes that they prove, by trail.
#[derive(Default)]
pub(super) struct Unshown {
    pub(super) anchors: HashMap<u32, Vec<Anchor>>,
    pub(super) holes: Vec<(usize, Hole)>,
}

/// Finds what the stores remember and the trails do not show.
///
/// A version that was written while a trail of its store is covered, and that the trail does not show, proves that the
/// trail lacks records: what it does not show about that time says nothing.
pub(super) fn unshown(setup: &Setup<'_>, gathered: &Gathered<'_>) -> Unshown {
    let comparisons = Comparisons::new(setup, gathered);
    let coverage: Vec<Coverage> =
        gathered.trails.iter().map(|state| Coverage::new(&state.covered, &state.holes)).collect();
    let mut found = Unshown::default();
    let count = u32::try_from(gathered.of_item.len()).unwrap_or(u32::MAX);
    for item in 0..count {
        for one in comparisons.unexplained(item).into_iter().filter(|one| one.time <= setup.as_of) {
            let mut audited = false;
            for (at, trail) in setup.trails.iter().enumerate() {
                let known = one.time <= super::coverage::known(trail, setup.as_of);
                if !watches(trail, &one.place) || !known || !coverage[at].holds(one.time) {
                    continue;
                }
                audited |= trail.role != Role::Application;
                if trail.role == Role::Store {
                    let near = TimeDelta::seconds(1) + trail.skew.abs();
                    found.holes.push((
                        at,
                        Hole {
                            from: Some(later(one.time, -near)),
                            to: Some(later(one.time, near)),
                            reason: format!(
                                "version {} of {} was written then, and the trail does not show it",
                                one.number, one.place
                            ),
                            tampered: true,
                            raw: None,
                        },
                    ));
                }
            }
            if audited && one.changed {
                found.anchors.entry(item).or_default().push(Anchor {
                    event: None,
                    time: one.time,
                    kind: EventKind::State,
                    slot: super::changes::slot(&one.place),
                    version: Some(one.number),
                    run: None,
                    nature: Nature::Changed,
                    back: one.back,
                    skew: TimeDelta::zero(),
                    trail: 0,
                    id: String::new(),
                });
            }
        }
    }
    found.holes.sort();
    found.holes.dedup();
    found
}
