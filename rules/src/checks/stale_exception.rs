use chrono::TimeDelta;

use super::{Context, Rule, day};
use crate::model::Finding;
use crate::policy::Exception;

rule! {
    /// An exception has run out, or lets nothing pass.
    ///
    /// An exception is a debt with a date. When the date is over, the finding counts again and the line should go. One
    /// that covers no finding hides the next one that comes under it.
    ///
    /// # How to fix
    /// Delete the exception, or mend what it lets pass; extend it only with a new reason.
    "stale-exception", "KT1015", Inventory, Medium
}

fn check(cx: &Context<'_>) -> Vec<Finding> {
    cx.policy.exceptions.iter().filter_map(|exception| judge(cx, exception)).collect()
}

/// Whether the rule ran that the exception speaks of.
fn did_run(cx: &Context<'_>, exception: &Exception) -> bool {
    Rule::find(&exception.rule).is_none_or(|rule| cx.facets.contains(&rule.facet))
}

fn judge(cx: &Context<'_>, exception: &Exception) -> Option<Finding> {
    let subject = exception.secret.as_deref().map_or_else(String::new, |secret| format!(" for '{secret}'"));
    let message = if !exception.holds(cx.snapshot.as_of) {
        format!(
            "The exception from {}{subject} ran out on {}.",
            exception.rule,
            day(exception.expires - TimeDelta::seconds(1))
        )
    } else if did_run(cx, exception) && !cx.raised.iter().any(|finding| cx.covers(exception, finding)) {
        {
            let known = cx.inventory.items.values().any(|item| exception.names(item));
            let why = if known { "" } else { ": there is no such secret" };
            format!("The exception from {}{subject} lets nothing pass{why}.", exception.rule)
        }
    } else {
        return None;
    };
    let secret = exception.secret.as_deref().unwrap_or_default();
    Some(
        Finding::new(&RULE, &format!("{}\n{secret}", exception.rule), message)
            .at(Some(exception.location.clone()))
            .next("delete the exception, or extend it with a new reason"),
    )
}
