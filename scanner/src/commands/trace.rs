//! `keytrail trace`.

use std::collections::BTreeSet;

use keytrail_reporters::lanes::ItemTrace;
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::inventory::{Inventory, Item, ItemId};
use keytrail_rules::model::{Environment, Key, Place};

use super::{Status, collect_first, print, use_color, warn};
use crate::cli::{Cli, ListFormat, TraceArgs};
use crate::error::Error;

/// So many names are suggested for one that is not known.
const SUGGESTIONS: usize = 3;

/// Names that are less alike than this are no slip of one another, by Jaro and Winkler.
const ALIKE: f64 = 0.8;

pub(super) fn run(cli: &Cli, args: &TraceArgs) -> Result<Status, Error> {
    let mut collected = collect_first(cli, &args.source, false)?;
    // A slip of the name should show before the trails are read.
    let inventory = Inventory::new(&collected.snapshot, &collected.config.policy);
    let wanted = find(&inventory, &args.item)?;
    collected.read_trails()?;
    let (snapshot, config) = collected.finish();

    let report = evaluate(&snapshot, &config.policy, &BTreeSet::from([Facet::Trails]));
    let notices = snapshot.facts.correlation.as_ref().map_or(&[][..], |correlation| &correlation.notices);
    let options = super::output::options(use_color(cli.color), false, 0);
    let mut shown = Vec::new();
    for item in report.items.iter().filter(|item| wanted.contains(&item.id)) {
        let trace = ItemTrace::new(&report, notices, item, args.since);
        match args.format {
            ListFormat::Table if !shown.is_empty() => shown.push(b'\n'),
            _ => {}
        }
        shown.extend(match args.format {
            ListFormat::Table => trace.lanes(&options),
            ListFormat::Json => trace.json()?,
        });
    }
    print(&shown)?;
    if report.summary.complete {
        return Ok(Status::Clean);
    }
    warn("not everything could be read: `keytrail trails` and `keytrail inventory` say what");
    Ok(Status::Incomplete)
}

/// The secrets that a text on the command line means: by id, by key in every environment, or by a place that holds them
/// or that trails know them by.
pub(super) fn find(inventory: &Inventory, text: &str) -> Result<BTreeSet<ItemId>, Error> {
    let means: [&dyn Fn(&Item) -> bool; 3] =
        [&|item| has_id(item, text), &|item| has_key(item, text), &|item| has_place(item, text)];
    let found = means.iter().find_map(|means| {
        let items: Vec<&Item> = inventory.items.values().filter(|item| means(item)).collect();
        (!items.is_empty()).then_some(items)
    });
    let found = found.ok_or_else(|| unknown(inventory, text))?;
    let secrets: BTreeSet<ItemId> = found.iter().filter(|item| item.is_secret).map(|item| item.id.clone()).collect();
    if secrets.is_empty() {
        return Err(Error::usage(
            format!("'{}' is a plain variable, no secret", text.escape_debug()),
            "declare it as a secret in the .env.schema, a runbook or keytrail.toml",
        ));
    }
    Ok(secrets)
}

fn has_id(item: &Item, text: &str) -> bool {
    let text = text.strip_prefix("item:").unwrap_or(text);
    let spelt = text
        .rsplit_once('@')
        .map(|(key, environment)| ItemId::of_key(&Key::new(key), Some(&Environment::new(environment))));
    item.id.as_str() == text || spelt.is_some_and(|id| id == item.id)
}

fn has_key(item: &Item, text: &str) -> bool {
    let key = Key::new(text.strip_prefix("env:").unwrap_or(text));
    item.key == key || item.aliases.contains(&key)
}

fn has_place(item: &Item, text: &str) -> bool {
    let Some(wanted) = Place::parse(text) else { return false };
    places(item).any(|place| *place == wanted || place.whole_path() == wanted)
}

fn places(item: &Item) -> impl Iterator<Item = &Place> {
    let declared = item.declarations.iter().flat_map(|one| one.places.iter().chain(&one.known_as));
    item.copies.iter().map(|copy| &copy.place).chain(declared)
}

fn unknown(inventory: &Inventory, text: &str) -> Error {
    let near = |name: &str| strsim::jaro_winkler(&name.to_lowercase(), &text.to_lowercase());
    let mut names: Vec<(f64, &str)> = inventory
        .secrets()
        .flat_map(|item| places(item).map(Place::as_str).chain([item.id.as_str()]))
        .collect::<BTreeSet<&str>>()
        .into_iter()
        .map(|name| (near(name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = names.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect();
    let hint = if names.is_empty() {
        "`keytrail inventory` lists them all".to_owned()
    } else {
        format!("did you mean {}? `keytrail inventory` lists them all", names.join(" or "))
    };
    Error::usage(format!("there is no secret '{}' in the inventory", text.escape_debug()), hint)
}

#[cfg(test)]
mod tests {
    use keytrail_rules::model::{Declaration, Facts, Origin, Snapshot, Time};
    use keytrail_rules::policy::Policy;

    use super::*;

    fn inventory() -> Inventory {
        let declare = |label: &str, environment: Option<&str>, place: &str| {
            let mut declaration = Declaration::new(label, Origin::Config, None);
            declaration.environment = environment.map(Environment::new);
            declaration.places = vec![Place::parse(place).expect("a place")];
            declaration
        };
        let mut api_key = declare("API_KEY", Some("staging"), "vault:secret/staging/api#key");
        api_key.known_as = vec![Place::parse("auth0:client/abc").expect("a place")];
        let declarations = vec![
            api_key,
            declare("API_KEY", Some("production"), "vault:secret/production/api#key"),
            declare("DB_PASSWORD", None, "vault:secret/db#password"),
        ];
        let facts = Facts { declarations, ..Facts::default() };
        Inventory::new(&Snapshot { as_of: Time::UNIX_EPOCH, facts, sightings: Default::default() }, &Policy::default())
    }

    #[test]
    fn a_secret_is_found_by_each_of_its_names() {
        let inventory = inventory();
        for (text, expected) in [
            ("API_KEY@staging", vec!["API_KEY@staging"]),
            ("item:API_KEY@staging", vec!["API_KEY@staging"]),
            ("api-key@Staging", vec!["API_KEY@staging"]),
            ("API_KEY", vec!["API_KEY@production", "API_KEY@staging"]),
            ("env:api_key", vec!["API_KEY@production", "API_KEY@staging"]),
            ("vault:secret/production/api#key", vec!["API_KEY@production"]),
            ("vault:secret/production/api", vec!["API_KEY@production"]),
            ("auth0:client/abc", vec!["API_KEY@staging"]),
            ("DB_PASSWORD", vec!["DB_PASSWORD"]),
        ] {
            let found = find(&inventory, text).expect(text);
            assert_eq!(found.iter().map(ItemId::as_str).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn an_unknown_name_comes_with_those_near_it() {
        let refused = |text: &str| {
            let error = find(&inventory(), text).expect_err("nothing of that name");
            format!("{error}; {}", error.hint().unwrap_or_default())
        };
        assert_eq!(
            refused("DB_PASWORD"),
            "there is no secret 'DB_PASWORD' in the inventory; did you mean DB_PASSWORD? \
             `keytrail inventory` lists them all"
        );
        assert!(refused("vault:secret/db#pasword").contains("did you mean vault:secret/db#password"));
        assert!(refused("").ends_with("; `keytrail inventory` lists them all"));
        assert!(refused("\u{1b}[2J").starts_with(r"there is no secret '\u{1b}[2J' in")); // keytrail:allow an escape sequence
    }
}
