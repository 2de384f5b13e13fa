use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{CopyKind, Environment, Key, Place};
use keytrail_rules::report::ItemReport;
use keytrail_rules::value::Shape;

use super::Prepared;
use crate::job::{Job, Mode, Origin, Request};
use crate::plan::tests::{Build, fresh, overdue, report, time};
use crate::plan::{Group, Lack, Medium, Plan, Recipes, SecretRecipe};
use crate::settings::Settings;

fn request(_: &Group) -> Request {
    Request { at: time("2026-11-21"), by: "ana".into(), approver: None, reason: "overdue".into() }
}

fn issued() -> SecretRecipe {
    SecretRecipe {
        issuer: Some(("generate".into(), Settings::default())),
        grace: Some(Duration::from_secs(3_600)),
        has_no_consumers: true,
        ..SecretRecipe::default()
    }
}

fn recipes(secrets: &[(&str, SecretRecipe)]) -> Recipes {
    let stores = BTreeMap::from([("vault".to_owned(), Medium::Server), ("env-file".to_owned(), Medium::Files)]);
    let mut recipes = Recipes { stores, ..Recipes::default() };
    for (key, recipe) in secrets {
        recipes.secrets.entry(Key::new(key)).or_default().push(recipe.clone());
    }
    recipes
}

fn prepare(items: Vec<ItemReport>, recipes: &Recipes) -> Vec<Prepared> {
    let mut runs = 0;
    let mut run = || {
        runs += 1;
        format!("kt-{runs}")
    };
    Plan::new(&report(items)).prepare(recipes, Mode::Orderly, &request, &mut run)
}

fn job(items: Vec<ItemReport>, recipes: &Recipes) -> Job {
    match prepare(items, recipes).remove(0) {
        Prepared::Ready(job, _) => *job,
        Prepared::Incomplete(missing) => panic!("{missing:#?}"),
    }
}

/// What blocks the first group, with what it is about.
fn lacks(items: Vec<ItemReport>, recipes: &Recipes) -> Vec<(Lack, Vec<String>)> {
    match prepare(items, recipes).remove(0) {
        Prepared::Ready(job, _) => panic!("{job:#?}"),
        Prepared::Incomplete(missing) => missing.into_iter().map(|missing| (missing.lack, missing.what)).collect(),
    }
}

fn password() -> ItemReport {
    overdue("DB_PASSWORD").consumers(&[]).copy("vault:secret/db#password", CopyKind::VaultKv2, Shape::Unread)
}

#[test]
fn a_path_is_written_once_and_files_come_after_stores() {
    let url = fresh("DATABASE_URL")
        .made_from(&["DB_PASSWORD"])
        .consumers(&[])
        .copy("env-file:.env#DATABASE_URL", CopyKind::EnvFile, Shape::Literal)
        .copy("vault:secret/db#url", CopyKind::VaultKv2, Shape::Unread);
    let derived =
        SecretRecipe { has_no_consumers: true, grace: Some(Duration::from_secs(7_200)), ..Default::default() };
    let job = job(vec![password(), url], &recipes(&[("DB_PASSWORD", issued()), ("DATABASE_URL", derived)]));
    let writes: Vec<(String, Vec<&str>, Option<u64>)> = job
        .writes
        .iter()
        .map(|write| (write.name(), write.cells.iter().map(|cell| cell.key.as_str()).collect(), write.seen))
        .collect();
    assert_eq!(
        writes,
        [
            ("vault:secret/db".into(), vec!["password", "url"], Some(3)),
            ("env-file:.env".into(), vec!["DATABASE_URL"], None)
        ]
    );
    assert_eq!((job.grace, job.run.as_str(), job.mode), (7_200, "kt-1", Mode::Orderly), "the longest grace holds");
    let from = vec![("DB_PASSWORD".to_owned(), "DB_PASSWORD".to_owned())];
    assert_eq!(job.members[1].origin, Origin::Derived { from, template: None });
}

#[test]
fn a_template_file_gets_no_value() {
    let item = password().copy("env-file:.env.example#DB_PASSWORD", CopyKind::EnvFile, Shape::Placeholder);
    let job = job(vec![item], &recipes(&[("DB_PASSWORD", issued())]));
    assert_eq!(job.writes.len(), 1);
}

#[test]
fn the_table_of_an_environment_counts_more() {
    let staging = Environment::new("staging");
    let special = SecretRecipe {
        environment: Some(staging.clone()),
        issuer: Some(("postgres".into(), Settings::default())),
        ..Default::default()
    };
    let other = SecretRecipe { environment: Some(Environment::new("production")), ..special.clone() };
    let item = ItemReport {
        environment: Some(staging.clone()),
        id: ItemId::of_key(&Key::new("DB_PASSWORD"), Some(&staging)),
        ..password()
    };
    let job = job(vec![item], &recipes(&[("DB_PASSWORD", special), ("DB_PASSWORD", issued()), ("DB_PASSWORD", other)]));
    let Origin::Issued { kind, .. } = &job.members[0].origin else { panic!("an issuer") };
    assert_eq!((kind.as_str(), job.grace), ("postgres", 3_600));
}

#[test]
fn other_parts_and_places_that_only_the_config_knows_are_written_too() {
    let place = |text: &str| Place::parse(text).unwrap();
    let recipe = SecretRecipe {
        parts: vec![("user".into(), place("vault:secret/db#username"))],
        copies: vec![place("vault:other/db#password"), place("vault:secret/db#password")],
        ..issued()
    };
    let job = job(vec![password()], &recipes(&[("DB_PASSWORD", recipe)]));
    let cells: Vec<String> = job
        .writes
        .iter()
        .flat_map(|write| write.cells.iter().map(move |cell| format!("{}#{} {}", write.name(), cell.key, cell.part)))
        .collect();
    assert_eq!(
        cells,
        ["vault:other/db#password value", "vault:secret/db#password value", "vault:secret/db#username user"]
    );
}

#[test]
fn what_is_missing_is_said_exactly() {
    let known = recipes(&[("DB_PASSWORD", issued())]);
    assert_eq!(lacks(vec![password()], &recipes(&[])), [(Lack::Issuer, vec![]), (Lack::Consumer, vec![])]);
    let elsewhere = password().copy("cloud:db#password", CopyKind::VaultKv2, Shape::Unread);
    assert_eq!(lacks(vec![elsewhere], &known), [(Lack::Store, vec!["cloud:db#password".to_owned()])]);
    let whole = password().copy("vault:secret/other", CopyKind::VaultKv1, Shape::Unread);
    assert_eq!(lacks(vec![whole], &known), [(Lack::Key, vec!["vault:secret/other".to_owned()])]);
    let manifest = password().copy("kubernetes:shop/secret/db#p", CopyKind::KubernetesSecret, Shape::Literal);
    assert_eq!(lacks(vec![manifest], &known), [(Lack::Plain, vec!["kubernetes:shop/secret/db#p".to_owned()])]);
    let nowhere = overdue("DB_PASSWORD").consumers(&[]);
    assert_eq!(lacks(vec![nowhere], &known), [(Lack::Copy, vec![])]);
    let strange = password().consumers(&["mainframe:batch"]);
    assert_eq!(lacks(vec![strange], &known), [(Lack::Workload, vec!["mainframe:batch".to_owned()])]);
    let template =
        SecretRecipe { template: Some("x:{DB_PASS|percent}".into()), has_no_consumers: true, ..Default::default() };
    let url =
        fresh("URL").made_from(&["DB_PASSWORD"]).consumers(&[]).copy("vault:u#url", CopyKind::VaultKv2, Shape::Unread);
    let both = recipes(&[("DB_PASSWORD", issued()), ("URL", template)]);
    assert_eq!(lacks(vec![password(), url], &both), [(Lack::Template, vec!["{DB_PASS}".to_owned()])]);
}

#[test]
fn a_run_at_a_cron_job_needs_no_loading() {
    let item = password().consumers(&["kubernetes:shop/cronjob/nightly", "github:.github/workflows/ci.yml"]);
    assert!(job(vec![item], &recipes(&[("DB_PASSWORD", issued())])).consumers.is_empty());
}

#[test]
fn an_item_is_planned_on_request_though_it_is_not_due() {
    let items = vec![fresh("A").consumers(&[]), fresh("B"), fresh("C").made_from(&["A"])];
    let asked = BTreeSet::from([fresh("A").id]);
    let plan = Plan::of_items(&report(items), &asked);
    let ids: Vec<&str> = plan.groups.iter().flat_map(|group| &group.items).map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["A", "C"], "with what is made from it");
}

#[test]
fn every_effect_is_shown_in_order() {
    let recipe = SecretRecipe { issuer: Some(("postgres".into(), Settings::default())), ..issued() };
    let mut job = job(vec![password()], &recipes(&[("DB_PASSWORD", recipe)]));
    let shown = |job: &Job| -> Vec<String> {
        job.effects(&|_| true).iter().map(|one| format!("[{}] {}", one.reaches, one.act)).collect()
    };
    assert_eq!(
        shown(&job),
        [
            "[sealed] Read vault:secret/db: password, last seen at version 3.",
            "[sealed] Make a new DB_PASSWORD (postgres), and keep both under seal.",
            "[staged] Stage the new values beside the current ones in vault:secret/db.",
            "[set] Set the new DB_PASSWORD at postgres.",
            "[verified] Check over a new connection that postgres honours the new DB_PASSWORD.",
            "[promoted] Write vault:secret/db: password with the new DB_PASSWORD, if it still is at the version that was \
             read; other keys stay as they are.",
            "[soaked] Wait 1 h with old and new values valid, then probe again.",
            "[revoked] Revoke the old DB_PASSWORD at postgres. From here on there is no way back.",
            "[confirmed] Check over a new connection that postgres rejects the old DB_PASSWORD.",
            "[confirmed] Wipe the sealed values, and write the last row of the ledger.",
        ]
    );
    let states: Vec<_> = job.effects(&|_| false).iter().map(|effect| effect.reaches).collect();
    assert!(states.is_sorted(), "{states:?}");
    job.mode = Mode::Emergency;
    assert_eq!(shown(&job)[2], "[cut-off] Revoke the old DB_PASSWORD at postgres, before anybody loads the new one.");
    assert!(!shown(&job).iter().any(|line| line.starts_with("[revoked]")));
}
