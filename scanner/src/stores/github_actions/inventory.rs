//! The names of the secrets of some owners.

use keytrail_rotation::context::Context;
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rules::model::{CopyKind, Environment, Facts, Gap, GapReason, Place, ScopeEntry, SecretCopy};
use keytrail_rules::value::Value;
use serde::Deserialize;

use super::place::Owner;
use super::writer::{GithubActions, Target};
use crate::config::StoreConfig;

const PAGE: usize = 100;
/// GitHub takes a thousand for an organisation, and a hundred for anything else.
const MAX_PAGES: usize = 100;

#[derive(Deserialize)]
struct Listed {
    secrets: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Reads the store. What cannot be read is a gap.
pub(super) async fn read(config: &StoreConfig) -> Facts {
    let mut facts = Facts::default();
    let mut gap = |reason, failed: Failure| {
        let gap = Gap::new(&config.name, reason, failed.what);
        facts.gaps.push(Gap { hint: failed.hint, ..gap });
    };
    if config.mounts.is_empty() {
        let nothing = Failure::not_done("which secrets to read is not said");
        gap(GapReason::Unsupported, nothing.hint("name their owners: mounts = [\"OWNER/REPO\"]"));
    }
    let context = Context { timeout: config.timeout, ..Context::new("scan") };
    let mut copies = Vec::new();
    for mount in &config.mounts {
        match names(config, &context, mount).await {
            Ok(names) => copies.extend(names.iter().map(|name| copy(config, mount, name))),
            Err(failed) => gap(reason(failed.outcome), failed),
        }
    }
    copies.sort_by(|one: &SecretCopy, other| one.place.cmp(&other.place));
    facts.copies = copies;
    let held = facts.copies.len() as u64;
    facts.scope.push(ScopeEntry { source: config.name.clone(), kind: super::KIND.name.to_owned(), held });
    facts
}

fn reason(outcome: Outcome) -> GapReason {
    match outcome {
        Outcome::NotDone | Outcome::Conflict => GapReason::PermissionDenied,
        Outcome::Unknown => GapReason::Unreachable,
    }
}

async fn names(config: &StoreConfig, context: &Context, mount: &str) -> Result<Vec<String>, Failure> {
    let Target { api, owner } = GithubActions::new(config)?.target(context, mount)?;
    let what = format!("the secrets of {}", owner.name());
    let mut names = Vec::new();
    for page in 1..=MAX_PAGES {
        let path = format!("{}?per_page={PAGE}&page={page}", owner.secrets());
        let Listed { secrets } = api.get(&path).await?.json(&what)?;
        let is_last = secrets.len() < PAGE;
        names.extend(secrets.into_iter().map(|secret| secret.name));
        if is_last {
            return Ok(names);
        }
    }
    Err(Failure::not_done(format!("{what} never end")))
}

fn copy(config: &StoreConfig, mount: &str, name: &str) -> SecretCopy {
    let place = Place::new(&config.name, mount, name);
    let copy = SecretCopy::new(place, CopyKind::GithubSecret, None, Value::unread());
    let environment = match Owner::parse(mount, None) {
        Ok(Owner::Environment(_, name)) => Some(Environment::new(&name)),
        _ => None,
    };
    SecretCopy { environment: config.environment.clone().or(environment), ..copy }
}
