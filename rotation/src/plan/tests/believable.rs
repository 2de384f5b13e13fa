//! A whole plan, from what a scan of a small shop would see.

use std::collections::BTreeMap;

use keytrail_rules::cadence::Cadence;
use keytrail_rules::checks::Facet;
use keytrail_rules::model::{
    Class, CopyKind, Declaration, Environment, Facts, FingerprintKey, History, Key, Link, Location, Origin, Place,
    Secret, SecretCopy, Snapshot, Use, UseKind, Version, VersionState, VersionValue,
};
use keytrail_rules::policy::Policy;
use keytrail_rules::value::{Shape, Value};

use super::time;
use crate::plan::Plan;

const SCHEMA_FILE: &str = ".env.schema";

fn line(file: &str, line: u32) -> Location {
    Location::of_line(file, line, "x")
}

fn declare(label: &str, at: u32, cadence: &str, owner: Option<&str>, sources: &[&str]) -> Declaration {
    let mut declaration = Declaration::new(label, Origin::Schema, Some(line(SCHEMA_FILE, at)));
    declaration.class = Some(Class::RotationRequired);
    declaration.cadence = Some(Cadence::state(cadence));
    declaration.owner = owner.map(str::to_owned);
    declaration.derived_from = sources.iter().map(|source| Key::new(source)).collect();
    declaration
}

/// A key of a Vault path, whose value was set in each of the given versions.
fn in_vault(environment: &str, key: &str, values: &[(u64, &str, &str)]) -> SecretCopy {
    let secret = FingerprintKey::new([7; 32]);
    let observe = |text: &str| Value::observe(&Secret::from(text), &secret);
    let place = Place::new("vault", &format!("secret/shop/{environment}/db"), key);
    let current = values.last().map_or_else(Value::unread, |(_, _, text)| observe(text));
    let mut copy = SecretCopy::new(place, CopyKind::VaultKv2, None, current);
    copy.environment = Some(Environment::new(environment));
    let versions = values.iter().map(|(number, day, text)| Version {
        number: *number,
        created_at: time(day),
        state: VersionState::Live,
        value: VersionValue::Read(secret.fingerprint(&Secret::from(*text))),
    });
    copy.history = History { versions: versions.collect() };
    copy
}

/// A key of the Secret `db` that an ExternalSecret fills from Vault, and the link between them.
fn synced(facts: &mut Facts, environment: &str, key: &str, at: u32) {
    let file = format!("deploy/{environment}/db.yaml");
    let place = Place::new("kubernetes", &format!("shop-{environment}/secret/db"), key);
    let location = line(&file, at);
    let value = Value::of_shape(Shape::Reference);
    let mut copy = SecretCopy::new(place.clone(), CopyKind::ExternalSecret, Some(location.clone()), value);
    copy.environment = Some(Environment::new(environment));
    facts.copies.push(copy);
    let from = Place::new("vault", &format!("secret/shop/{environment}/db"), key);
    facts.links.push(Link { a: place, b: from, location });
}

fn loads(facts: &mut Facts, environment: &str, workload: &str, key: &str) {
    facts.uses.push(Use {
        key: Key::new(key),
        consumer: format!("kubernetes:shop-{environment}/{workload}"),
        from: Some(Place::new("kubernetes", &format!("shop-{environment}/secret/db"), key)),
        environment: Some(Environment::new(environment)),
        location: line(&format!("deploy/{environment}/api.yaml"), 20),
        kind: UseKind::Secret,
    });
}

fn shop() -> Facts {
    let mut facts = Facts::default();
    facts.declarations.push(declare("POSTGRES_PASSWORD", 3, "90 days", Some("data"), &[]));
    facts.declarations.push(declare("DATABASE_URL", 9, "on password change", Some("data"), &["POSTGRES_PASSWORD"]));
    facts.declarations.push(declare("STRIPE_KEY", 15, "yearly", None, &[]));
    for (environment, set) in [("staging", "2026-08-01"), ("production", "2026-05-02")] {
        let password = format!("{environment}-kX9vQ2mLr8Tz");
        let url = format!("postgres://shop:{password}@db.{environment}.example:5432/shop");
        facts.copies.push(in_vault(environment, "postgres_password", &[(4, "2025-01-01", "x1"), (5, set, &password)]));
        facts.copies.push(in_vault(environment, "database_url", &[(4, "2025-01-01", "x2"), (5, set, &url)]));
        synced(&mut facts, environment, "database_url", 12);
        loads(&mut facts, environment, "deployment/api", "database_url");
        loads(&mut facts, environment, "cronjob/invoices", "database_url");
    }
    let mut line_of_env =
        SecretCopy::new(Place::new("env-file", "deploy/.env", "STRIPE_KEY"), CopyKind::EnvFile, None, Value::unread());
    line_of_env.location = Some(line("deploy/.env", 8));
    line_of_env.history = in_vault("x", "y", &[(1, "2025-03-01", "x3")]).history;
    facts.copies.push(line_of_env);
    facts
}

#[test]
fn a_database_password_with_its_url_in_two_environments() {
    let snapshot = Snapshot { as_of: time("2026-11-21"), facts: shop(), sightings: BTreeMap::new() };
    let report = keytrail_rules::evaluate(&snapshot, &Policy::default(), &Facet::ALL.into_iter().collect());
    insta::assert_snapshot!(Plan::new(&report).render(), @r#"
    Rotation plan as of 2026-11-21: 5 secrets in 3 groups.
    What Keytrail is not told enough for is for you, step by step, in order.
    Commands act on the Vault, cluster and repository that your shell points to: check that first.
    Give a value on standard input, without a line end, and never as an argument.
    An issuer that honours one value at a time needs two roles or users in turns, or a maintenance window.

    1. staging: 2 secrets that change together
       POSTGRES_PASSWORD@staging: overdue since 2026-10-30; set by 2026-08-01; owner data
       DATABASE_URL@staging: made from POSTGRES_PASSWORD@staging, which changes; set by 2026-08-01; owner data
       1.1 [set] Make a new value of POSTGRES_PASSWORD@staging at its issuer, beside the old one; if you choose it yourself, keep it safe before you set it there.
       1.2 [set] Build DATABASE_URL@staging anew from POSTGRES_PASSWORD@staging; percent-encode what goes into a URL.
       1.3 [verified] Log in with the new POSTGRES_PASSWORD@staging, DATABASE_URL@staging, on a new connection and through the consumers' own path.
       1.4 [promoted] Write the new POSTGRES_PASSWORD@staging to vault:secret/shop/staging/db#postgres_password, DATABASE_URL@staging to vault:secret/shop/staging/db#database_url, and leave the other keys of the path alone.
           $ vault kv patch -mount=secret -cas=5 shop/staging/db -
             reads from standard input: {"postgres_password": …, "database_url": …}
       1.5 [promoted] See kubernetes:shop-staging/secret/db#database_url at deploy/staging/db.yaml:12 follow with DATABASE_URL@staging: its operator fills it, and `refreshTime` must move; with `refreshInterval: 0` it never does by itself.
       1.6 [loaded] Let kubernetes:shop-staging/cronjob/invoices run: it loads the new value at its next run.
       1.7 [loaded] Restart kubernetes:shop-staging/deployment/api, and wait until it is rolled out.
           $ kubectl -n shop-staging rollout restart deployment/api
           $ kubectl -n shop-staging rollout status deployment/api
       1.8 [soaked] See kubernetes:shop-staging/cronjob/invoices, kubernetes:shop-staging/deployment/api log in anew with the new value, and no login fail: rolled out is not yet in use, and a pool keeps its old connections. Leave time for what runs seldom.
       1.9 [revoked] Revoke the old POSTGRES_PASSWORD@staging at the issuer, with every step above done. Until now there is a way back: write the old values, then have them loaded. From here on there is none.
       1.10 [confirmed] Log in with the old POSTGRES_PASSWORD@staging and be rejected; scan again, and see none of them due.
           $ keytrail scan
       Missing: no issuer: POSTGRES_PASSWORD@staging; say in `issuer` of their [[secret]] who makes the value, or carry out the steps by hand

    2. environment not known: 1 secret
       STRIPE_KEY: never rotated, due since 2026-03-01; set by 2025-03-01; no owner
       2.1 [set] Make a new value of STRIPE_KEY at its issuer, beside the old one; if you choose it yourself, keep it safe before you set it there.
       2.2 [verified] Log in with the new STRIPE_KEY, on a new connection and through the consumers' own path.
       2.3 [promoted] Write the new STRIPE_KEY to env-file:deploy/.env#STRIPE_KEY at deploy/.env:8, with an editor: sed breaks on `/` and `&`, and on keys that end alike.
       2.4 [soaked] Find out who loads it, and have it loaded: no consumer is known. Leave time for what runs seldom.
       2.5 [revoked] Revoke the old STRIPE_KEY at the issuer, with every step above done. Until now there is a way back: write the old values, then have them loaded. From here on there is none.
       2.6 [confirmed] Log in with the old STRIPE_KEY and be rejected; scan again, and see none of them due.
           $ keytrail scan
       Missing: no issuer: STRIPE_KEY; say in `issuer` of their [[secret]] who makes the value, or carry out the steps by hand
       Missing: no known consumer: STRIPE_KEY; name what loads them in `consumers` of their [[secret]]; `consumers = []` says that nothing does
       Missing: no owner: STRIPE_KEY; name the team in `owner` of their [[secret]]

    3. production: 2 secrets that change together
       POSTGRES_PASSWORD@production: overdue since 2026-07-31; set by 2026-05-02; owner data
       DATABASE_URL@production: made from POSTGRES_PASSWORD@production, which changes; set by 2026-05-02; owner data
       3.1 [set] Make a new value of POSTGRES_PASSWORD@production at its issuer, beside the old one; if you choose it yourself, keep it safe before you set it there.
       3.2 [set] Build DATABASE_URL@production anew from POSTGRES_PASSWORD@production; percent-encode what goes into a URL.
       3.3 [verified] Log in with the new POSTGRES_PASSWORD@production, DATABASE_URL@production, on a new connection and through the consumers' own path.
       3.4 [promoted] Write the new POSTGRES_PASSWORD@production to vault:secret/shop/production/db#postgres_password, DATABASE_URL@production to vault:secret/shop/production/db#database_url, and leave the other keys of the path alone.
           $ vault kv patch -mount=secret -cas=5 shop/production/db -
             reads from standard input: {"postgres_password": …, "database_url": …}
       3.5 [promoted] See kubernetes:shop-production/secret/db#database_url at deploy/production/db.yaml:12 follow with DATABASE_URL@production: its operator fills it, and `refreshTime` must move; with `refreshInterval: 0` it never does by itself.
       3.6 [loaded] Let kubernetes:shop-production/cronjob/invoices run: it loads the new value at its next run.
       3.7 [loaded] Restart kubernetes:shop-production/deployment/api, and wait until it is rolled out.
           $ kubectl -n shop-production rollout restart deployment/api
           $ kubectl -n shop-production rollout status deployment/api
       3.8 [soaked] See kubernetes:shop-production/cronjob/invoices, kubernetes:shop-production/deployment/api log in anew with the new value, and no login fail: rolled out is not yet in use, and a pool keeps its old connections. Leave time for what runs seldom.
       3.9 [revoked] Revoke the old POSTGRES_PASSWORD@production at the issuer, with every step above done. Until now there is a way back: write the old values, then have them loaded. From here on there is none.
       3.10 [confirmed] Log in with the old POSTGRES_PASSWORD@production and be rejected; scan again, and see none of them due.
           $ keytrail scan
       Missing: no issuer: POSTGRES_PASSWORD@production; say in `issuer` of their [[secret]] who makes the value, or carry out the steps by hand
    "#);
}
