use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Inventory, Sync};
use crate::cadence::Cadence;
use crate::checks::Facet;
use crate::evaluate;
use crate::model::{
    Class, CopyKind, Declaration, Environment, Facts, FingerprintKey, History, Key, Link, Location, Origin, Place,
    Secret, SecretCopy, Snapshot, Time, Use, UseKind, Version, VersionState, VersionValue,
};
use crate::policy::{Exception, Policy};
use crate::report::ItemStatus;
use crate::value::Value;

fn day(day: i64) -> Time {
    DateTime::UNIX_EPOCH + TimeDelta::days(day)
}

fn line(file: &str, line: u32) -> Location {
    Location::of_line(file, line, "x")
}

fn observe(value: &str) -> Value {
    Value::observe(&Secret::from(value), &FingerprintKey::new([3; 32]))
}

fn copy(place: &str, kind: CopyKind, value: &str) -> SecretCopy {
    let place = Place::parse(place).expect("a place");
    let mut copy = SecretCopy::new(place, kind, None, observe(value));
    copy.environment = Environment::in_path(&copy.place.path());
    copy
}

fn vault(place: &str, value: &str) -> SecretCopy {
    copy(place, CopyKind::VaultKv2, value)
}

/// Set on `at`, and never before.
fn set_on(mut copy: SecretCopy, at: i64) -> SecretCopy {
    let value = copy.value.fingerprint.clone().map_or(VersionValue::Unread, VersionValue::Read);
    let old = VersionValue::Read(
        FingerprintKey::new([3; 32]).fingerprint(&Secret::from(format!("old of {}", copy.place).as_str())),
    );
    let version = |number, at, value| Version { number, created_at: day(at), state: VersionState::Live, value };
    copy.history = History { versions: vec![version(1, at - 1_000, old), version(2, at, value)] };
    copy
}

fn declare(key: &str, origin: Origin, at: u32) -> Declaration {
    Declaration::new(key, origin, Some(line("d", at)))
}

fn env_use(key: &str, from: Option<&str>) -> Use {
    let from = from.and_then(Place::parse);
    let location = line("k8s.yaml", 3);
    Use {
        key: Key::new(key),
        consumer: "kubernetes:shop/deployment/api".into(),
        from,
        environment: None,
        location,
        kind: UseKind::Secret,
    }
}

fn link(a: &str, b: &str) -> Link {
    Link { a: Place::parse(a).expect("a place"), b: Place::parse(b).expect("a place"), location: line("es.yaml", 1) }
}

fn snapshot(facts: Facts) -> Snapshot {
    Snapshot { as_of: day(1_000), facts, sightings: BTreeMap::new() }
}

fn inventory(facts: Facts) -> Inventory {
    Inventory::new(&snapshot(facts), &Policy::default())
}

/// Every item as `id: place place`.
fn shape(inventory: &Inventory) -> Vec<String> {
    let places =
        |item: &super::Item| item.copies.iter().map(|copy| copy.place.to_string()).collect::<Vec<_>>().join(" ");
    inventory.items.values().map(|item| format!("{}: {}", item.id, places(item))).collect()
}

#[test]
fn explicit_references_come_before_names() {
    let facts = Facts {
        declarations: vec![declare("DATABASE_PASSWORD", Origin::Schema, 1)],
        copies: vec![
            vault("vault:secret/db#password", "tiger-nine-1"),
            copy("kubernetes:shop/secret/db#password", CopyKind::ExternalSecret, "${x}"),
        ],
        links: vec![link("vault:secret/db#password", "kubernetes:shop/secret/db#password")],
        uses: vec![env_use("DATABASE_PASSWORD", Some("kubernetes:shop/secret/db#password"))],
        ..Facts::default()
    };
    let inventory = inventory(facts);
    assert_eq!(shape(&inventory), ["DATABASE_PASSWORD: kubernetes:shop/secret/db#password vault:secret/db#password"]);
    let item = inventory.items.values().next().expect("an item");
    assert_eq!(item.consumers(), BTreeSet::from(["kubernetes:shop/deployment/api"]));
    assert!(item.is_declared());
}

#[test]
fn one_word_keys_of_different_paths_stay_apart() {
    let copies =
        vec![vault("vault:secret/a#password", "tiger-nine-1"), vault("vault:secret/b#password", "tiger-nine-2")];
    let apart =
        ["vault:secret/a#password: vault:secret/a#password", "vault:secret/b#password: vault:secret/b#password"];
    assert_eq!(shape(&inventory(Facts { copies: copies.clone(), ..Facts::default() })), apart);

    let mut rows = vec![declare("password", Origin::Runbook, 1), declare("password", Origin::Runbook, 2)];
    rows[0].places = vec![Place::parse("vault:secret/a#password").expect("a place")];
    rows[1].places = vec![Place::parse("vault:secret/b#password").expect("a place")];
    rows[0].owner = Some("a-team".into());
    let inventory = inventory(Facts { copies, declarations: rows, ..Facts::default() });
    assert_eq!(shape(&inventory), apart);
    let owners: Vec<_> = inventory.items.values().map(|item| item.owner.as_deref()).collect();
    assert_eq!(owners, [Some("a-team"), None], "a row speaks of its own path");
}

#[test]
fn a_declared_name_of_two_words_merges_all_its_places_in_one_environment() {
    let facts = Facts {
        declarations: vec![declare("DATABASE_URL", Origin::Schema, 1)],
        copies: vec![
            vault("vault:secret/app#DATABASE_URL", "postgres://a:tiger-9@db/app"),
            vault("vault:secret/neon#database_url", "postgres://a:tiger-9@db/app"),
            vault("vault:secret/app-staging#DATABASE_URL", "postgres://a:tiger-8@db/app"),
            copy("env-file:.env.local#DATABASE_URL", CopyKind::EnvFile, "postgres://a:tiger-7@db/app"),
        ],
        ..Facts::default()
    };
    assert_eq!(
        shape(&inventory(facts)),
        [
            "DATABASE_URL: vault:secret/app#DATABASE_URL vault:secret/neon#database_url",
            "DATABASE_URL@local: env-file:.env.local#DATABASE_URL",
            "DATABASE_URL@staging: vault:secret/app-staging#DATABASE_URL",
        ]
    );
}

#[test]
fn deployed_copies_without_an_environment_belong_to_production() {
    let facts = Facts {
        declarations: vec![declare("MAILER_TOKEN", Origin::Schema, 1)],
        copies: vec![
            vault("vault:secret/app#MAILER_TOKEN", "tiger-nine-1"),
            copy("env-file:.env#MAILER_TOKEN", CopyKind::EnvFile, "tiger-nine-2"),
            copy("env-file:.env.production#MAILER_TOKEN", CopyKind::EnvFile, "tiger-nine-1"),
        ],
        ..Facts::default()
    };
    assert_eq!(
        shape(&inventory(facts)),
        [
            "MAILER_TOKEN: env-file:.env#MAILER_TOKEN",
            "MAILER_TOKEN@production: env-file:.env.production#MAILER_TOKEN vault:secret/app#MAILER_TOKEN",
        ]
    );
}

#[test]
fn the_keys_of_a_path_that_may_not_be_read_are_those_that_are_declared() {
    let mut whole = vault("vault:secret/app", "");
    whole.value = Value::unread();
    let mut row = declare("AOS_API_KEY", Origin::Runbook, 1);
    row.places = vec![Place::parse("vault:secret/app#AOS_API_KEY").expect("a place")];
    let inventory = inventory(Facts { copies: vec![whole], declarations: vec![row], ..Facts::default() });
    assert_eq!(shape(&inventory), ["AOS_API_KEY: vault:secret/app#AOS_API_KEY"]);
}

#[test]
fn of_two_statements_the_stricter_stands() {
    let mut schema = declare("API_TOKEN", Origin::Schema, 1);
    schema.class = Some(Class::Secret);
    schema.cadence = Some(Cadence::state("annually"));
    let mut runbook = declare("API token", Origin::Runbook, 2);
    runbook.class = Some(Class::RotationRequired);
    runbook.cadence = Some(Cadence::state("90 days"));
    runbook.owner = Some("platform".into());
    let inventory = inventory(Facts { declarations: vec![runbook, schema], ..Facts::default() });
    let item = inventory.items.values().next().expect("an item");
    assert_eq!((inventory.items.len(), item.class), (1, Some(Class::RotationRequired)));
    assert_eq!(item.cadence.as_ref().map(ToString::to_string).as_deref(), Some("every 90 days"));
    assert_eq!(item.owner.as_deref(), Some("platform"));
}

fn url_and_password(url: &str, url_at: i64, password: &str, password_at: i64) -> Facts {
    let mut row = declare("DATABASE_URL", Origin::Runbook, 1);
    row.cadence = Some(Cadence::state("on password change"));
    row.places = vec![Place::parse("vault:secret/db#DATABASE_URL").expect("a place")];
    let mut password_row = declare("POSTGRES_PASSWORD", Origin::Runbook, 2);
    password_row.cadence = Some(Cadence::state("never (static)"));
    Facts {
        declarations: vec![row, password_row],
        copies: vec![
            set_on(vault("vault:secret/db#DATABASE_URL", url), url_at),
            set_on(vault("vault:secret/db#POSTGRES_PASSWORD", password), password_at),
        ],
        ..Facts::default()
    }
}

#[test]
fn a_derived_secret_is_due_once_its_source_was_changed() {
    for (url, url_at, password_at, status, sync) in [
        ("postgres://a:tiger-nine@db/app", 100, 200, ItemStatus::Ok, Sync::InSync),
        ("https://db/app", 200, 100, ItemStatus::Ok, Sync::SourceIsOlder),
        ("https://db/app", 100, 200, ItemStatus::EventDue, Sync::SourceIsNewer),
    ] {
        let inventory = inventory(url_and_password(url, url_at, "tiger-nine", password_at));
        let item = inventory.items.values().next().expect("an item");
        assert_eq!(item.derived_from.iter().map(|one| one.sync).collect::<Vec<_>>(), [sync], "{url}");
        assert_eq!(item.status, status, "{url} {url_at} {password_at}");
    }
}

#[test]
fn a_url_with_an_old_password_is_found_by_value() {
    let mut facts = url_and_password("postgres://a:tiger-nine@db/app", 300, "lion-ten-10", 200);
    let old = FingerprintKey::new([3; 32]).fingerprint(&Secret::from("tiger-nine"));
    facts.copies[1].history.versions[0].value = VersionValue::Read(old);
    let inventory = inventory(facts);
    let item = inventory.items.values().next().expect("an item");
    assert_eq!(item.derived_from.iter().map(|one| one.sync).collect::<Vec<_>>(), [Sync::HoldsOldValue]);
    assert_eq!(item.status, ItemStatus::EventDue);
}

#[test]
fn due_dates_follow_what_is_proven() {
    let status = |cadence: &str, copy: SecretCopy| {
        let mut row = declare("API_TOKEN", Origin::Config, 1);
        row.cadence = Some(Cadence::state(cadence));
        row.places = vec![copy.place.clone()];
        let inventory = inventory(Facts { declarations: vec![row], copies: vec![copy], ..Facts::default() });
        inventory.items.values().map(|item| item.status).next()
    };
    let value = || vault("vault:s/p#token", "tiger-nine-1");
    assert_eq!(status("90 days", set_on(value(), 995)), Some(ItemStatus::Ok));
    assert_eq!(status("90 days", set_on(value(), 920)), Some(ItemStatus::DueSoon));
    assert_eq!(status("90 days", set_on(value(), 910)), Some(ItemStatus::Overdue), "due on the very day");
    assert_eq!(status("90 days", set_on(value(), 911)), Some(ItemStatus::DueSoon), "due tomorrow");
    assert_eq!(status("90 days", value()), Some(ItemStatus::UnknownAge));
    let mut first = set_on(value(), 100);
    first.history.versions.remove(0);
    first.history.versions[0].number = 1;
    assert_eq!(status("90 days", first.clone()), Some(ItemStatus::NeverRotated));
    assert_eq!(status("10 years", first), Some(ItemStatus::Ok), "its first value, and young enough");
    let mut uncompared = set_on(value(), 990);
    uncompared.value = Value::unread();
    for version in &mut uncompared.history.versions {
        version.value = VersionValue::Unread;
    }
    assert_eq!(status("90 days", uncompared.clone()), Some(ItemStatus::UnknownAge), "a sibling may have been written");
    uncompared.history.versions[1].created_at = day(500);
    assert_eq!(status("90 days", uncompared), Some(ItemStatus::Overdue), "no key of the path was written since");
}

#[test]
fn keys_of_kubernetes_secrets_are_bound_to_their_object() {
    let secret = |namespace: &str| {
        copy(&format!("kubernetes:{namespace}/secret/db#password"), CopyKind::KubernetesSecret, "tiger-nine-1")
    };
    let report = |copies: Vec<SecretCopy>| {
        evaluate(&snapshot(Facts { copies, ..Facts::default() }), &Policy::default(), &BTreeSet::from(Facet::ALL))
    };
    let one = report(vec![secret("shop")]);
    let two = report(vec![secret("shop"), secret("billing")]);
    assert_eq!((one.items.len(), two.items.len()), (1, 2));
    assert!(two.findings.iter().any(|finding| finding.rule == "shared-value"));
    let known: BTreeSet<String> = one.findings.iter().map(|finding| finding.fingerprint.clone()).collect();
    let mut later = two;
    later.apply_baseline(&known);
    let new = later.counting().filter(|finding| finding.rule == "populated-secret-manifest").count();
    assert_eq!(new, 1, "a baseline does not hide the second leak");
}

#[test]
fn an_event_that_no_source_can_tell_of_is_not_taken_for_ok() {
    let status = |cadence: &str| {
        let mut row = declare("REDIS_URL", Origin::Runbook, 1);
        row.cadence = Some(Cadence::state(cadence));
        row.places = vec![Place::parse("vault:s/redis#REDIS_URL").expect("a place")];
        let copies = vec![set_on(vault("vault:s/redis#REDIS_URL", "rediss://cache.example"), 900)];
        let inventory = inventory(Facts { declarations: vec![row], copies, ..Facts::default() });
        inventory.items.values().map(|item| item.status).next()
    };
    assert_eq!(status("on token change"), Some(ItemStatus::UnknownAge));
    assert_eq!(status("every now and then"), Some(ItemStatus::UnknownAge));
    assert_eq!(status("on provider change"), Some(ItemStatus::Ok));
    assert_eq!(status("on compromise/expiry"), Some(ItemStatus::Ok));
}

#[test]
fn an_exception_may_name_any_secret_of_a_finding_in_any_spelling() {
    let shared =
        |environment: &str| copy(&format!("env-file:.env.{environment}#API_TOKEN"), CopyKind::EnvFile, "tiger-nine-1");
    let facts = Facts { copies: vec![shared("production"), shared("staging")], ..Facts::default() };
    for (secret, covers) in [
        ("API_TOKEN@staging", true),
        ("API_TOKEN@prod", true),
        ("api-token", true),
        ("API_TOKEN@test", false),
        ("OTHER_TOKEN", false),
    ] {
        let exception = Exception {
            rule: "shared-value".into(),
            secret: Some(secret.into()),
            reason: "r".into(),
            approved_by: None,
            expires: day(2_000),
            location: line("keytrail.toml", 1),
        };
        let policy = Policy { exceptions: vec![exception], ..Policy::default() };
        let report = evaluate(&snapshot(facts.clone()), &policy, &BTreeSet::from(Facet::ALL));
        let shared = report.findings.iter().find(|finding| finding.rule == "shared-value").expect("it fires");
        assert_eq!(shared.exception.is_some(), covers, "{secret}");
        assert_eq!(report.findings.iter().any(|finding| finding.rule == "stale-exception"), !covers, "{secret}");
    }
}

#[test]
fn what_a_path_declares_for_one_environment_is_known_in_another() {
    let mut row = declare("AOS_API_KEY", Origin::Runbook, 1);
    row.places = vec![Place::parse("vault:agenticverz/app-prod#AOS_API_KEY").expect("a place")];
    row.owner = Some("platform".into());
    let copies = vec![copy("env-file:.env#AOS_API_KEY", CopyKind::EnvFile, "tiger-nine-1")];
    let inventory = inventory(Facts { declarations: vec![row], copies, ..Facts::default() });
    assert!(inventory.items.values().all(|item| item.is_declared() && item.owner.as_deref() == Some("platform")));
}

fn arbitrary_facts() -> impl Strategy<Value = Facts> {
    let keys = || prop::sample::select(vec!["DB_PASSWORD", "password", "API_KEY", "LOG_LEVEL"]);
    let paths =
        || prop::sample::select(vec!["vault:s/a", "vault:s/b-prod", "env-file:.env", "kubernetes:shop/secret/db"]);
    let place = (paths(), keys()).prop_map(|(path, key)| Place::parse(&format!("{path}#{key}")).expect("a place"));
    let value =
        prop::sample::select(vec!["tiger-nine-1", "lion-ten-22", "changeme", "", "postgres://u:tiger-nine-1@h/d"]);
    let copy = (place.clone(), value, 1i64..999).prop_map(|(place, value, at)| {
        let kind = match place.source() {
            "vault" => CopyKind::VaultKv2,
            "env-file" => CopyKind::EnvFile,
            _ => CopyKind::KubernetesSecret,
        };
        let mut copy = SecretCopy::new(place, kind, Some(line("c", 1)), observe(value));
        copy.environment = Environment::in_path(&copy.place.path());
        if kind == CopyKind::VaultKv2 { set_on(copy, at) } else { copy }
    });
    let cadence =
        prop::option::of(prop::sample::select(vec!["90 days", "annually", "on password change", "often", "never"]));
    let origin = prop::sample::select(vec![Origin::Config, Origin::Schema, Origin::Runbook]);
    let declaration = (keys(), origin, 1u32..5, cadence, prop::option::of(place.clone()), prop::option::of(keys()))
        .prop_map(|(key, origin, at, cadence, place, source)| {
            let mut one = declare(key, origin, at);
            one.cadence = cadence.map(Cadence::state);
            one.places = place.into_iter().collect();
            one.derived_from = source.map(Key::new).into_iter().collect();
            one
        });
    let one_use = (keys(), prop::option::of(place.clone()))
        .prop_map(|(key, place)| env_use(key, place.as_ref().map(Place::as_str)));
    let one_link = (place.clone(), place).prop_map(|(a, b)| Link { a, b, location: line("l", 1) });
    (
        prop::collection::vec(declaration, 0..6),
        prop::collection::vec(copy, 0..8),
        prop::collection::vec(one_use, 0..4),
        prop::collection::vec(one_link, 0..3),
    )
        .prop_map(|(declarations, mut copies, uses, links)| {
            // One place holds one value.
            copies.sort_by(|a, b| a.place.cmp(&b.place));
            copies.dedup_by(|a, b| a.place == b.place);
            Facts { declarations, copies, uses, links, ..Facts::default() }
        })
}

fn shuffle<T>(list: &mut [T], order: &[Index]) {
    for (at, index) in order.iter().enumerate().take(list.len()) {
        list.swap(at, index.index(list.len()));
    }
}

proptest! {
    #[test]
    fn a_report_does_not_depend_on_the_order_of_the_facts(facts in arbitrary_facts(), order in prop::collection::vec(any::<Index>(), 8)) {
        let facets = BTreeSet::from(Facet::ALL);
        let before = evaluate(&snapshot(facts.clone()), &Policy::default(), &facets);
        let mut shuffled = facts;
        shuffle(&mut shuffled.declarations, &order);
        shuffle(&mut shuffled.copies, &order);
        shuffle(&mut shuffled.uses, &order);
        shuffle(&mut shuffled.links, &order);
        prop_assert_eq!(evaluate(&snapshot(shuffled), &Policy::default(), &facets), before);
    }

    #[test]
    fn a_report_does_not_depend_on_repeats(facts in arbitrary_facts()) {
        let mut facets = BTreeSet::from(Facet::ALL);
        let before = evaluate(&snapshot(facts.clone()), &Policy::default(), &facets);
        let mut twice = facts.clone();
        twice.extend(facts);
        prop_assert_eq!(&evaluate(&snapshot(twice.clone()), &Policy::default(), &facets).items, &before.items);
        facets.remove(&Facet::Inventory);
        let cadence = |facts| evaluate(&snapshot(facts), &Policy::default(), &facets).findings;
        prop_assert_eq!(cadence(twice.clone()).len(), cadence(twice).len());
    }

    #[test]
    fn every_copy_and_every_declared_key_is_in_the_inventory(facts in arbitrary_facts()) {
        let inventory = inventory(facts.clone());
        for copy in &facts.copies {
            let holders = inventory.items.values().filter(|item| item.copies.contains(copy)).count();
            prop_assert_eq!(holders, 1, "{}", copy.place);
        }
        for declaration in &facts.declarations {
            prop_assert!(inventory.items.values().any(|item| item.declarations.contains(declaration)), "{:?}", declaration);
        }
        for one in &facts.uses {
            prop_assert!(inventory.items.values().any(|item| item.uses.contains(one)), "{:?}", one);
        }
    }

    #[test]
    fn fingerprints_of_findings_are_unique(facts in arbitrary_facts()) {
        let report = evaluate(&snapshot(facts), &Policy::default(), &BTreeSet::from(Facet::ALL));
        let fingerprints: BTreeSet<_> = report.findings.iter().map(|finding| &finding.fingerprint).collect();
        prop_assert_eq!(fingerprints.len(), report.findings.len());
    }
}
