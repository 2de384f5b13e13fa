//! How long it takes to plan the rotation of many secrets, and to make jobs of the plan.
//!
//! ```text
//! cargo run --release -p keytrail-rotation --example plan_speed -- 10000
//! ```
//!
//! Half of the secrets are passwords, the other half URLs that are made from them; two paths hold each.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "this is a program that measures itself")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use keytrail_rotation::job::{Mode, Request};
use keytrail_rotation::plan::{Medium, Plan, Recipes, SecretRecipe};
use keytrail_rotation::settings::Settings;
use keytrail_rules::checks::Facet;
use keytrail_rules::evaluate;
use keytrail_rules::model::{
    CopyKind, Declaration, Facts, FingerprintKey, Key, Location, Origin, Place, Secret, SecretCopy, Snapshot, Time,
};
use keytrail_rules::policy::Policy;
use keytrail_rules::value::Value;

fn facts(count: usize) -> Facts {
    let key = FingerprintKey::new([7; 32]);
    let mut facts = Facts::default();
    for at in 0..count / 2 {
        let password = format!("kX9v{at:05}Q{}mLr8Tz", at.wrapping_mul(2_654_435_761));
        let values = [("PASSWORD", password.clone()), ("URL", format!("postgres://app:{password}@db/app"))];
        for (what, value) in values {
            let label = format!("APP{at:05}_{what}");
            let mut declaration = Declaration::new(&label, Origin::Config, Some(Location::of_file("keytrail.toml")));
            declaration.cadence = Some(keytrail_rules::cadence::Cadence::state("90 days"));
            declaration.owner = Some("shop".into());
            if what == "URL" {
                declaration.derived_from = vec![Key::new(&format!("APP{at:05}_PASSWORD"))];
            }
            facts.declarations.push(declaration);
            for (source, kind) in [("vault", CopyKind::VaultKv2), ("env-file", CopyKind::EnvFile)] {
                let place = Place::new(source, &format!("secret/app{at:05}"), &label);
                let value = Value::observe(&Secret::from(value.as_str()), &key);
                facts.copies.push(SecretCopy::new(place, kind, None, value));
            }
        }
    }
    facts
}

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let now: Time = "2026-11-21T00:00:00Z".parse().expect("a time");
    let snapshot = Snapshot { as_of: now, facts: facts(count), sightings: BTreeMap::new() };
    let report = evaluate(&snapshot, &Policy::default(), &BTreeSet::from([Facet::Inventory, Facet::Cadence]));
    let items: BTreeSet<_> = report.items.iter().map(|item| item.id.clone()).collect();

    let mut recipes = Recipes {
        stores: BTreeMap::from([("vault".to_owned(), Medium::Server), ("env-file".to_owned(), Medium::Files)]),
        ..Recipes::default()
    };
    for item in &report.items {
        let issuer = item.derived_from.is_empty().then(|| ("generate".to_owned(), Settings::default()));
        let recipe = SecretRecipe { issuer, has_no_consumers: true, ..SecretRecipe::default() };
        recipes.secrets.insert(item.key.clone(), vec![recipe]);
    }
    let request = |_: &_| Request { at: now, by: "example".into(), approver: None, reason: "a measurement".into() };
    let mut runs = 0_u32;
    let begun = Instant::now();
    let plan = Plan::of_items(&report, &items);
    let planned = begun.elapsed();
    let prepared = plan.prepare(&recipes, Mode::Orderly, &request, &mut || {
        runs += 1;
        format!("kt-{runs}")
    });
    let whole = begun.elapsed();
    let ready = prepared.iter().filter(|one| one.job().is_some()).count();
    println!(
        "{} secrets, {} groups, {ready} ready: plan {planned:?}, with jobs {whole:?}",
        items.len(),
        plan.groups.len()
    );
}
