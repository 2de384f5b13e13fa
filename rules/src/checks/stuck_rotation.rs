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
