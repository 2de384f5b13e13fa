//! The Events API of 1Password: item usages and audit events, in answers with `items` or one a line.
//!
//! Sources: <https://developer.1password.com/docs/events-api/reference/>,
//! <https://support.1password.com/item-usage-actions/>, <https://www.1password.dev/events-api/beta/audit-events>.
//!
//! A usage says which version of an item was used. That an item was saved does not say that its password is another one.
//! Only items in shared vaults leave records.

use chrono::TimeDelta;
use keytrail_rules::model::{EventKind, Place, Role};
use serde_json::Value;

use super::json::{self, first_text, number, text, time};
use super::{Draft, Framing, Opening, Out, Parser, Reads, TrailKind};

/// `onepassword-usage`.
pub static KIND: TrailKind = TrailKind {
    name: "onepassword-usage",
    role: Role::Store,
    delay: TimeDelta::minutes(15),
    watches: &["1password:item/"],
    requires: &["path"],
    reads: Reads::Records { framing: Framing::Json(&["items"]), parser },
};

struct OnePassword<'a> {
    store: &'a str,
}

fn parser<'a>(opening: &'a Opening<'a>) -> Box<dyn Parser + 'a> {
    Box::new(OnePassword { store: json::store(opening, "1password") })
}

impl Parser for OnePassword<'_> {
    fn record(&mut self, record: &[u8], out: &mut Out) {
        let Some(entry) = json::parse(record, out) else { return };
        let Some(when) = time(&entry, &["timestamp"]) else { return out.broken("it has no time") };
        out.time = Some(when);
        let Some((kind, item)) = usage(&entry).or_else(|| audit(&entry)) else { return };
        let id = first_text(&entry, &[&["uuid"]]).unwrap_or_else(|| json::fingerprint(&entry));
        let mut draft = Draft::new(kind, Place::of_path(self.store, &format!("item/{item}")), when, id);
        draft.version = number(&entry, &["used_version"]).map(|version| version.to_string());
        draft.actor = first_text(
            &entry,
            &[
                &["user", "email"],
                &["user", "name"],
                &["user", "uuid"],
                &["actor_details", "email"],
                &["actor_details", "name"],
                &["actor_uuid"],
            ],
        );
        draft
            .details
            .extend(first_text(&entry, &[&["client", "ip_address"], &["session", "ip"]]).map(|ip| ("address", ip)));
        out.event(draft);
    }
}

/// What a use of an item was. To open it for editing is none.
fn usage(entry: &Value) -> Option<(EventKind, &str)> {
    let item = text(entry, &["item_uuid"])?;
    let kind = match text(entry, &["action"])? {
        "fill" | "reveal" | "copy" | "secure-copy" | "export" | "share" | "server-fetch" => EventKind::Read,
        "server-create" => EventKind::Written,
        "server-update" => EventKind::MaybeWritten,
        _ => return None,
    };
    Some((kind, item))
}

/// What an administrator's log says of an item, in the words of version 2 and of version 3.
fn audit(entry: &Value) -> Option<(EventKind, &str)> {
    let action = text(entry, &["action"])?;
    let (object, verb) = match action.rsplit_once('.') {
        Some((object, verb)) => (object, verb),
        None => (text(entry, &["object_type"])?, action),
    };
    if !matches!(object, "item" | "items") {
        return None;
    }
    let kind = match verb {
        "patch" | "update" => EventKind::MaybeWritten,
        "trash" | "archive" => EventKind::Deleted,
        "delete" | "purge" => EventKind::Destroyed,
        "restore" | "unarchive" => EventKind::Restored,
        _ => return None,
    };
    Some((kind, text(entry, &["object_uuid"])?))
}

#[cfg(test)]
mod tests;
