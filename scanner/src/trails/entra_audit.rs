//! Audit logs of Microsoft Entra: `{"value":[…]}` of Graph, an exported array, or the records of a diagnostic setting,
//! which wrap each event in `properties`.
//!
//! Sources: <https://learn.microsoft.com/graph/api/resources/directoryaudit>,
//! <https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities>.
//!
//! "Update application – Certificates and secrets management " has a dash that is no hyphen, and a space behind. Its
//! property `KeyDescription` lists the credentials before and after; what came is issued, what went is revoked. The plain
//! "Update application" that comes with it says nothing more. Each entry of the list ends with a name that its maker
//! chose, so only how the entry begins is believed.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Outcome, Place, Role};
use serde_json::Value;

use super::json::{self, at, first_text, items, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `entra-audit`.
pub static KIND: TrailKind = TrailKind {
    name: "entra-audit",
    role: Role::Store,
    delay: TimeDelta::minutes(15),
    watches: &["entra:application/"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["value", "records"]), parser },
};

/// Activities that change credentials, as [`activity`] spells them.
const ACTIVITIES: [&str; 4] = [
    "update application - certificates and secrets management",
    "update service principal - certificates and secrets management",
    "add service principal credentials",
    "remove service principal credentials",
];

struct EntraAudit<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(EntraAudit { store: json::store(opening, "entra") })
}

impl Parser for EntraAudit<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(record) = json::parse(record, out) else { return };
        let entry = at(&record, &["properties"]).filter(|inner| inner.get("targetResources").is_some());
        let entry = entry.unwrap_or(&record);
        let Some(when) = time(entry, &["activityDateTime"]).or_else(|| time(&record, &["time"])) else {
            return out.broken("it has no time");
        };
        out.time = Some(when);
        let name = text(entry, &["activityDisplayName"]).or_else(|| text(&record, &["operationName"]));
        if !ACTIVITIES.contains(&activity(name.unwrap_or_default()).as_str()) {
            return;
        }
        let Some((resource, object)) =
            items(entry, &["targetResources"]).find_map(|resource| Some((resource, text(resource, &["id"])?)))
        else {
            return out.broken("it names no application");
        };
        let place = |id: &str| Place::of_path(self.store, &format!("application/{id}"));
        let target = place(object);
        if let Some(app) = additional(entry, "AppId").filter(|app| *app != object) {
            out.same.push((target.clone(), place(app)));
        }
        let id = first_text(entry, &[&["id"]]).unwrap_or_else(|| json::fingerprint(entry));
        let outcome = outcome(entry);
        let unknown = || (if outcome == Outcome::Done { EventKind::MaybeWritten } else { EventKind::Issued }, None);
        for (kind, key) in changes(resource).unwrap_or_else(|| vec![unknown()]) {
            let id = key.as_ref().map_or_else(|| id.clone(), |key| format!("{id}/{key}"));
            let mut draft = Draft::new(kind, target.clone(), when, id);
            draft.outcome = outcome;
            draft.version = key;
            draft.actor = first_text(
                entry,
                &[
                    &["initiatedBy", "user", "userPrincipalName"],
                    &["initiatedBy", "user", "id"],
                    &["initiatedBy", "app", "displayName"],
                    &["initiatedBy", "app", "servicePrincipalId"],
                    &["initiatedBy", "app", "appId"],
                ],
            );
            draft.run = additional(entry, "User-Agent").and_then(json::run_of_agent);
            draft.details.extend(first_text(entry, &[&["initiatedBy", "user", "ipAddress"]]).map(|ip| ("address", ip)));
            out.event(draft);
        }
    }
}

/// The name of an activity in small letters, with hyphens for dashes and no space too many.
fn activity(name: &str) -> String {
    let name = name.replace(['\u{2013}', '\u{2014}'], "-").to_lowercase();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The credentials that came and went; `None` where the record does not say.
fn changes(resource: &Value) -> Option<Vec<(EventKind, Option<String>)>> {
    let mut properties = items(resource, &["modifiedProperties"]);
    let property = properties.find(|property| text(property, &["displayName"]) == Some("KeyDescription"))?;
    let before = keys(text(property, &["oldValue"]));
    let after = keys(text(property, &["newValue"]));
    let issued = after.difference(&before).map(|key| (EventKind::Issued, Some(key.clone())));
    let revoked = before.difference(&after).map(|key| (EventKind::Revoked, Some(key.clone())));
    Some(issued.chain(revoked).collect())
}

/// The ids in `["[KeyIdentifier=…,KeyType=Password,KeyUsage=Verify,DisplayName=…]"]`, which is JSON in a text.
fn keys(list: Option<&str>) -> BTreeSet<String> {
    let parsed: Vec<String> = list.and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
    let id = |entry: &String| {
        let rest = entry.trim_start().strip_prefix("[KeyIdentifier=")?;
        rest.split([',', ']']).next().filter(|id| !id.is_empty()).map(str::to_ascii_lowercase)
    };
    parsed.iter().filter_map(id).collect()
}

fn additional<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    let mut details = items(entry, &["additionalDetails"]);
    details.find(|detail| text(detail, &["key"]) == Some(key)).and_then(|detail| text(detail, &["value"]))
}

fn outcome(entry: &Value) -> Outcome {
    match text(entry, &["result"]) {
        None => Outcome::Done,
        Some(result) if result.eq_ignore_ascii_case("success") => Outcome::Done,
        Some(_) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests;
