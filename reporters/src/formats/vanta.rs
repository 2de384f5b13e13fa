//! Vanta's `Secret` resources: the body of `PUT https://api.vanta.com/v1/resources/secret`, but for the `resourceId`, which
//! Vanta gives out and whoever sends it adds.
//!
//! # Guarantees
//! * The call replaces all that Vanta knows: what is not in the list is deleted there. So a report with gaps holds
//!   `resourcesSeen` in place of `resources`, and why; Vanta refuses such a body.
//! * A secret without an owner has an empty one, so that Vanta's check of owners finds it.
//! * `updatedTimestamp` is never later than the value: where only bounds are known, the earlier counts; where none is, the
//!   field is left out.
//!
//! # Assumptions
//! Vanta asks for a creator and a time of creation, and no source of Keytrail has them: the creator is `unknown`, and the
//! time the earliest that is known of the secret, at the latest that of the scan.
//!
//! The schema is that of Vanta's public OpenAPI document (Build integrations, `put-Secret`):
//! <https://developer.vanta.com/api-reference/secrets/sync-all-secrets>.

use keytrail_rules::model::Time;
use keytrail_rules::report::{ItemReport, Report};
use serde::Serialize;

use super::Format;
use crate::{Error, Options, Repository, escape};

/// For Vanta.
pub(super) static FORMAT: Format = Format {
    name: "vanta",
    summary: "Vanta's Secret resources, for its sync",
    extension: "json",
    is_text: true,
    render,
};

/// Longest text that is carried over, in characters.
const MAX_TEXT: usize = 1_024;

/// What a secret links to where its repository is not known: Vanta asks for an address.
const HOME: &str = "https://keytrail.dev";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<&'a [Secret]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources_seen: Option<&'a [Secret]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    display_name: String,
    unique_id: String,
    external_url: String,
    name: String,
    description: String,
    created_timestamp: String,
    creator: &'static str,
    owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_timestamp: Option<String>,
}

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    let url = options.repository.as_ref().map(Repository::uri).filter(|uri| uri.starts_with("https://"));
    let secrets: Vec<Secret> = report.items.iter().map(|item| secret(report, item, url.unwrap_or(HOME))).collect();
    let gaps = report.gaps.len();
    let body = match gaps {
        0 => Body { incomplete: None, resources: Some(&secrets), resources_seen: None },
        gaps => Body {
            incomplete: Some(format!("{gaps} gaps: sent as `resources`, this would delete what was not seen")),
            resources: None,
            resources_seen: Some(&secrets),
        },
    };
    super::json::document(&body)
}

fn secret(report: &Report, item: &ItemReport, url: &str) -> Secret {
    let age = item.age.as_ref();
    let (earliest, latest) = (age.and_then(|age| age.not_before), age.and_then(|age| age.not_after));
    let created = earliest.or(latest).unwrap_or(report.as_of).min(report.as_of);
    Secret {
        display_name: visible(item.id.as_str()),
        unique_id: visible(item.id.as_str()),
        external_url: url.to_owned(),
        name: visible(item.key.as_str()),
        description: description(item),
        created_timestamp: spelt(created),
        creator: "unknown",
        owner: item.owner.as_deref().map(visible).unwrap_or_default(),
        updated_timestamp: item.last_rotated_at.or(earliest).map(spelt),
        expires_timestamp: item.due_at.map(spelt),
    }
}

fn description(item: &ItemReport) -> String {
    let cadence = item.cadence.as_deref().unwrap_or("none is set");
    visible(&format!("Status: {}. Cadence: {cadence}. Places: {}.", item.status.as_str(), item.copies.len()))
}

fn spelt(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn visible(text: &str) -> String {
    escape::clip(&escape::terminal(text), MAX_TEXT).into_owned()
}

#[cfg(test)]
mod tests;
