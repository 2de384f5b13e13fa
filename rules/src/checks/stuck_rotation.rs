use chrono::TimeDelta;

use super::changes::instant;
use super::{Context, about};
use crate::inventory::Item;
use crate::model::{Finding, Time, UnfinishedRun};

/// Nobody works on a rotation that was not written to for so long: a holder renews its lease every few minutes.
const UNTOUCHED: TimeDelta = TimeDelta::hours(1);

/// A rotation may go on a day late: scans that resume it run every night.
const LATE: TimeDelta = TimeDelta::days(1);

rule! {
    /// A rotation was begun, and does not go on.
    ///
    /// Keytrail writes down each step of a rotation, so that another run can finish what one left. This one waits for nobody:
    /// it failed and asks for a person, it was killed, or the time is over for which old and new values were to be valid side
    /// by side. As long as it stays open, two values may work, and nothing else can rotate the secret.
    ///
    /// # How to fix
    /// `keytrail rotate --resume` goes on with every such rotation, and says what is in the way; `keytrail rotate --rollback
    /// RUN` takes one back as long as its old value was not revoked.
    "stuck-rotation", "KT5001", Trails, High
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    let runs = cx.snapshot.facts.unfinished.iter();
    runs.filter_map(|run| Some(finding(cx, run, &why(run, cx.snapshot.as_of)?))).collect()
}

/// Why a rotation is stuck; `None` where it is under way.
fn why(run: &UnfinishedRun, now: Time) -> Option<String> {
    let untouched = now - run.touched;
    if let Some(failure) = &run.failure {
        return Some(format!("it failed: {failure}"));
    }
    match run.due {
        Some(due) => (now - due > LATE).then(|| format!("it was to go on at {}", instant(due))),
        None => (untouched > UNTOUCHED).then(|| format!("it was last worked on at {}", instant(run.touched))),
    }
}

/// One finding a run, whose fingerprint hangs on the run: of the first of its items that is still there.
fn finding(cx: &Context<'_>, run: &UnfinishedRun, why: &str) -> Finding {
    let mut items = cx.inventory.items.values().filter(|item| run.items.iter().any(|id| id == item.id.as_str()));
    let message = format!("Rotation {} of {} is stuck in state '{}': {why}.", run.run, run.items.join(", "), run.state);
    let next = format!("keytrail rotate --resume {}", run.run);
    let bare = Finding::new(&RULE, &run.run, message.clone());
    let found = match items.next() {
        Some(item) => of_item(item, message, &bare.fingerprint),
        None => bare,
    };
    found.next(next)
}

fn of_item(item: &Item, message: String, fingerprint: &str) -> Finding {
    Finding { fingerprint: fingerprint.to_owned(), ..about(&RULE, item, message) }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use chrono::{DateTime, TimeDelta};

    use crate::checks::Facet;
    use crate::evaluate;
    use crate::model::{Facts, Finding, Snapshot, Time, UnfinishedRun};
    use crate::policy::Policy;

    fn minute(minute: i64) -> Time {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
    }

    /// A run that was last worked on at minute 0.
    fn run() -> UnfinishedRun {
        UnfinishedRun {
            run: "kt-20241004t000000z-0f3a9c21".into(),
            items: vec!["DB_PASSWORD".into(), "DATABASE_URL".into()],
            state: "promoted".into(),
            touched: minute(0),
            due: None,
            failure: None,
        }
    }

    fn found(run: UnfinishedRun, at: i64) -> Vec<Finding> {
        let facts = Facts { unfinished: vec![run], ..Facts::default() };
        let snapshot = Snapshot { as_of: minute(at), facts, sightings: BTreeMap::new() };
        evaluate(&snapshot, &Policy::default(), &BTreeSet::from([Facet::Trails])).findings
    }

    #[test]
    fn a_rotation_that_nobody_works_on_is_found() {
        assert_eq!(found(run(), 60), []);
        let finding = found(run(), 61).remove(0);
        assert_eq!(
            finding.message,
            "Rotation kt-20241004t000000z-0f3a9c21 of DB_PASSWORD, DATABASE_URL is stuck in state 'promoted': it was \
             last worked on at 2024-10-04T00:00:00Z."
        );
        assert_eq!(finding.next, "keytrail rotate --resume kt-20241004t000000z-0f3a9c21");
    }

    #[test]
    fn a_rotation_that_waits_is_stuck_a_day_after_it_was_to_go_on() {
        let waiting = || UnfinishedRun { due: Some(minute(24 * 60)), ..run() };
        assert_eq!(found(waiting(), 2 * 24 * 60), []);
        assert_eq!(found(waiting(), 2 * 24 * 60 + 1).len(), 1);
    }

    #[test]
    fn a_rotation_that_failed_is_stuck_at_once() {
        let failed = UnfinishedRun { failure: Some("the store was changed by somebody else".into()), ..run() };
        assert!(found(failed, 1)[0].message.ends_with("it failed: the store was changed by somebody else."));
    }
}
