//! Random jobs, and random schedules of what goes wrong.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::shapes::Shape;
use super::sim::{Fault, Trouble};
use super::{Faults, Stage};
use crate::job::Mode;
use crate::state::State;

fn shape() -> impl Strategy<Value = Shape> {
    let trouble = [Trouble::Set, Trouble::Verify, Trouble::Load, Trouble::Progress, Trouble::Probe];
    let one = select(&["dual", "roles", "one", "chosen", "quiet"][..]);
    let stores = select(&["vault", "plain", "blind", "staging"][..]);
    (
        vec(one, 1..4),
        vec(stores, 0..3),
        0..3_usize,
        option::of(any::<bool>()),
        any::<bool>(),
        select(&[0_u64, 60][..]),
        option::weighted(0.3, select(trouble.to_vec())),
    )
        .prop_map(|(issuers, mut stores, consumers, url, is_emergency, grace, trouble)| {
            stores.insert(0, "vault");
            let mut seen = std::collections::BTreeSet::new();
            stores.retain(|store| seen.insert(*store));
            let mode = if is_emergency && trouble.is_none() { Mode::Emergency } else { Mode::Orderly };
            // Only what can be asked can refuse, and only what loads can fail to.
            let trouble = trouble.filter(|trouble| match trouble {
                Trouble::Verify => issuers.iter().any(|issuer| *issuer != "quiet"),
                Trouble::Load | Trouble::Progress => consumers > 0,
                _ => true,
            });
            Shape { issuers, stores, consumers, url, mode, grace, trouble }
        })
}

fn faults() -> impl Strategy<Value = Vec<Faults>> {
    vec(btree_map(0..150_usize, select(Fault::ALL.to_vec()), 0..4), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_schedule_changes_the_end_of_any_job(shape in shape(), plan in faults()) {
        let wanted = if shape.trouble.is_some() { State::Aborted } else { State::Confirmed };
        let stage = Stage::new(&shape);
        stage.check(&plan, wanted);
        stage.check_secrecy();
    }
}
