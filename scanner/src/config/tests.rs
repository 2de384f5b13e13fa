use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use keytrail_rules::cadence::{Cadence, Period};
use keytrail_rules::model::{Class, Environment, Key, Location, Origin, Proof, Role, Severity};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};

use super::decode::Log;
use super::document::{Names, read, read_logged};
use super::{Approval, Config, ConfigErrors, StoreAuth};

/// The names that the fixtures use, whatever this build has.
fn names() -> Names {
    Names {
        files: ["schema", "runbooks", "env_files", "manifests", "compose", "workflows", "code", "key_files"].into(),
        stores: vec![("vault", &[]), ("env-file", &["paths"])],
        trails: vec![("json-log", &["path"]), ("workload-runs", &["path"]), ("cloudtrail-api", &["regions"])],
        rules: vec![("overdue-rotation", "KT2001"), ("no-owner", "KT1001"), ("unknown-age", "KT2004")],
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/config").join(name)
}

/// Name and text of every fixture in a folder.
fn fixtures(name: &str) -> BTreeMap<String, String> {
    let fixtures: BTreeMap<String, String> = fs::read_dir(folder(name))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (stem, fs::read_to_string(path).expect("a text"))
        })
        .collect();
    assert!(!fixtures.is_empty());
    fixtures
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    read(text, "keytrail.toml", Path::new("/srv/shop"), &names())
}

#[test]
fn valid_configs_are_read() {
    for (name, text) in fixtures("valid") {
        parse(&text).unwrap_or_else(|errors| panic!("{name}:\n{errors}"));
    }
}

#[test]
fn every_mistake_is_shown_at_its_line() {
    for (name, text) in fixtures("invalid") {
        let errors = parse(&text).expect_err(&name).to_string();
        assert!(!errors.contains("planted"), "{name} shows a credential:\n{errors}");
        insta::with_settings!({snapshot_path => folder("invalid"), prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, errors);
        });
    }
}

#[test]
fn every_key_means_what_it_says() {
    let text = fixtures("valid").remove("full").expect("the fixture");
    let config = parse(&text).expect("a valid config");

    assert_eq!(config.inventory.patterns["runbooks"], ["docs/**/*.md"]);
    assert_eq!(config.inventory.patterns.len(), names().files.len());
    assert_eq!(config.inventory.generated, ["deploy/configmap.yaml"]);
    assert_eq!(config.inventory.exclude, ["vendor/**"]);

    let [vault, files, dr] = config.stores.as_slice() else { panic!("three stores") };
    assert_eq!((vault.name.as_str(), vault.kind.as_str()), ("vault", "vault"));
    assert_eq!(vault.location, Location::of_line("keytrail.toml", 16, r#"name = "vault""#));
    assert_eq!(vault.root, Path::new("/srv/shop"));
    assert_eq!(vault.address.as_deref(), Some("https://vault.example.com:8200"));
    assert_eq!(vault.mounts, ["secret", "team/kv"]);
    assert_eq!(vault.namespace.as_deref(), Some("team-a"));
    assert!(vault.read_values);
    assert_eq!(vault.environment, Some(Environment::new("production")));
    assert_eq!(vault.ca_file.as_deref(), Some(Path::new("certs/ca.pem")));
    assert_eq!((vault.timeout, vault.concurrency), (Duration::from_secs(5), 32));
    assert_eq!(
        vault.auth,
        StoreAuth::AppRole {
            mount: "ci".into(),
            role_id: "9f2c4d1e".into(),
            secret_id_env: None,
            secret_id_file: Some("/run/secrets/vault".into()),
        }
    );
    assert_eq!(files.paths, ["deploy/.env.*"]);
    assert_eq!((files.read_values, files.timeout, files.concurrency), (false, Duration::from_secs(30), 16));
    assert_eq!(files.auth, StoreAuth::Ambient);
    assert_eq!(dr.auth, StoreAuth::TokenEnv("VAULT_DR_TOKEN".into()));

    let [secret] = config.declarations.as_slice() else { panic!("one secret") };
    assert_eq!((secret.label.as_str(), secret.origin), ("SHOP_AUTH_CLIENT_SECRET", Origin::Config));
    let line = r#"key = "SHOP_AUTH_CLIENT_SECRET""#;
    assert_eq!(secret.location, Some(Location::of_line("keytrail.toml", 40, line)));
    assert_eq!(secret.owner.as_deref(), Some("platform"));
    assert_eq!(secret.cadence, Some(Cadence::state("90 days")));
    assert_eq!(secret.class, Some(Class::RotationRequired));
    assert_eq!(secret.environment, Some(Environment::new("production")));
    assert_eq!(secret.places[0].as_str(), "vault:secret/shop/auth0#client_secret");
    assert_eq!(secret.places.len(), 2);
    assert_eq!(secret.consumers, ["kubernetes:shop/deployment/shop-core"]);
    assert_eq!(secret.derived_from[0].as_str(), "AUTH_ROOT_SECRET");
    assert_eq!(secret.required, Some(true));
    assert_eq!(secret.known_as[0].as_str(), "auth0:client/abc");
    assert_eq!(secret.readers, ["approle/ci-*", "ana"]);

    assert_eq!(Some(config.policy.due_soon), Period::days(21));
    assert_eq!(config.policy.default_cadence, Cadence::parse("quarterly"));
    assert_eq!(config.policy.request_window, TimeDelta::hours(36));
    assert_eq!(config.policy.load_window, TimeDelta::weeks(1));
    assert_eq!(config.policy.disabled_rules, ["unknown-age"]);
    let [late, owner] = config.policy.exceptions.as_slice() else { panic!("two exceptions") };
    assert_eq!((late.rule.as_str(), late.secret.as_deref()), ("overdue-rotation", Some("LEGACY_KEY")));
    assert_eq!(late.reason, "the vendor ends the service in March");
    assert_eq!(late.expires.to_rfc3339(), "2027-04-01T00:00:00+00:00", "a date holds to the end of its day");
    assert_eq!((late.location.line, owner.location.line), (66, 72));
    assert_eq!(owner.rule, "no-owner", "a code stands for its rule");
    assert_eq!(owner.expires.to_rfc3339(), "2027-01-01T08:30:00+00:00");

    let [issues, pager, slack, hook] = config.incidents.as_slice() else { panic!("four receivers") };
    assert_eq!((issues.name.as_str(), issues.kind.as_str(), issues.location.line), ("issues", "github-issue", 127));
    assert_eq!((issues.estate.as_deref(), issues.repository.as_deref()), (Some("shop"), Some("example/shop")));
    assert_eq!((issues.severity, issues.timeout), (Severity::Medium, Duration::from_secs(10)));
    assert_eq!(issues.rules, ["overdue-rotation", "no-owner"], "a code stands for its rule");
    assert_eq!(issues.labels, ["security"]);
    assert_eq!(issues.token_file.as_deref(), Some(Path::new("/run/secrets/github")));
    assert_eq!(pager.routing_key_env.as_deref(), Some("PAGERDUTY_ROUTING_KEY"));
    assert_eq!(pager.url.as_deref(), Some("https://events.eu.pagerduty.com/v2/enqueue"));
    assert_eq!((pager.severity, pager.timeout), (Severity::High, Duration::from_secs(30)));
    assert_eq!(slack.url_env.as_deref(), Some("SLACK_WEBHOOK_URL"));
    assert_eq!(hook.url.as_deref(), Some("https://hooks.example.com/keytrail"));
    assert_eq!(hook.signing_key_env.as_deref(), Some("KEYTRAIL_SIGNING_KEY"));

    let key = Key::new("SHOP_AUTH_CLIENT_SECRET");
    let [recipe] = config.recipes.secrets[&key].as_slice() else { panic!("one recipe") };
    let (kind, issuer) = recipe.issuer.as_ref().expect("an issuer");
    assert_eq!((kind.as_str(), &issuer.0["format"], issuer.0.get("kind")), ("generate", &json!("urlsafe64"), None));
    assert_eq!(recipe.verify[0].0["status"], json!(200));
    assert_eq!(recipe.grace, Some(Duration::from_secs(86_400)));
    assert_eq!(recipe.template.as_deref(), Some("{AUTH_ROOT_SECRET}:shop"));
    assert_eq!(recipe.parts[0].0, "user");
    assert_eq!((recipe.copies.len(), recipe.has_no_consumers, recipe.approval), (2, false, Some(true)));
    let [workload] = config.recipes.workloads.as_slice() else { panic!("one workload") };
    assert_eq!((workload.consumer.as_str(), workload.kind.as_str()), ("web:shop-core", "command"));
    assert_eq!(workload.settings.0.len(), 2);
    let [notify] = config.notifiers.as_slice() else { panic!("one receiver") };
    assert_eq!((notify.kind.as_str(), &notify.settings.0["url"]), ("webhook", &json!({ "env": "ROTATIONS_WEBHOOK" })));
    let rotation = &config.rotation;
    assert_eq!(rotation.approval, Approval::Environments(vec![Environment::new("production")]));
    assert_eq!((rotation.approvers.as_slice(), rotation.windows.len()), (&["ana".to_owned(), "ben".to_owned()][..], 2));
    assert_eq!((rotation.at_once, rotation.lease, rotation.after_staging), (8, Duration::from_secs(90), true));
    assert_eq!(rotation.key_file.as_deref(), Some(Path::new("/etc/keytrail/seal.key")));
    assert_eq!((rotation.requester.as_deref(), rotation.runbook), (Some("platform"), true));
    assert_eq!(rotation.notes.as_deref(), Some(Path::new("docs/rotations.md")));

    assert_eq!(config.state.url.as_deref(), Some("postgres://keytrail@db.example.com/keytrail"));
    assert_eq!(config.state.fingerprint_key.as_deref(), Some(Path::new("/etc/keytrail/fingerprint.key")));
    assert_eq!(config.state.estate.as_deref(), Some("shop"));
}

#[test]
fn a_trail_is_what_its_table_says() {
    let text = fixtures("valid").remove("full").expect("the fixture");
    let config = parse(&text).expect("a valid config");
    let [api, ledger] = config.trails.as_slice() else { panic!("two trails") };
    assert_eq!((api.name.as_str(), api.kind.as_str(), api.role), ("api", "json-log", Some(Role::Application)));
    assert_eq!((api.paths.as_slice(), api.root.as_path()), (&["logs/api".to_owned()][..], Path::new("/srv/shop")));
    assert_eq!(api.consumer.as_deref(), Some("kubernetes:shop/deployment/api"));
    let covers: Vec<_> = api.covers.iter().map(|one| (one.from.to_rfc3339(), one.to.to_rfc3339(), one.proof)).collect();
    let day = |from: &str, to: &str| (from.to_owned(), to.to_owned(), Proof::Declared);
    let first = day("2026-01-01T00:00:00+00:00", "2026-07-01T00:00:00+00:00");
    assert_eq!(covers, [first, day("2026-07-01T06:00:00+00:00", "2026-12-31T22:00:00+00:00")]);
    assert_eq!((api.delay, api.skew), (Some(Duration::from_secs(600)), Some(Duration::from_millis(500))));
    assert_eq!(api.fields["target"], "secret.name");
    assert_eq!(api.events["loaded"], ["secret.loaded", "secret.reloaded"]);
    assert_eq!(api.zone.as_deref(), Some("+02:00"));
    assert_eq!(ledger.paths, ["ledger/*.jsonl", "old"]);
    assert_eq!((ledger.covers.len(), ledger.role, ledger.delay), (1, None, Some(Duration::ZERO)));
    assert_eq!(ledger.url.as_deref(), Some("postgres://keytrail@db.example.com/ledger"));
    assert_eq!(ledger.url_env.as_deref(), Some("LEDGER_URL"));
    assert_eq!(ledger.query.as_deref(), Some("SELECT * FROM workload_runs"));
    assert_eq!(ledger.resource.as_deref(), Some("workloadruns.example.com/v1alpha1"));
    assert_eq!((ledger.namespace.as_deref(), ledger.store.as_deref()), (Some("shop"), Some("vault-dr")));
    assert_eq!(ledger.public_keys.as_deref(), Some(Path::new("keys.json")));
    assert_eq!(ledger.regions, ["eu-west-1"]);
}

#[test]
fn a_build_without_rules_and_stores_takes_any() {
    let text = r#"
[[store]]
name = "a"
kind = "anything"
[policy]
disable = ["any-rule"]
"#;
    let names = Names { files: Vec::new(), stores: Vec::new(), trails: Vec::new(), rules: Vec::new() };
    let config = read(text, "keytrail.toml", Path::new("."), &names).expect("a valid config");
    assert_eq!(config.policy.disabled_rules, ["any-rule"]);
}

#[test]
fn the_config_is_looked_for_in_the_root() {
    let root = tempfile::tempdir().expect("a folder");
    assert_eq!(Config::load(root.path(), None).expect("no config"), Config::default());

    fs::write(root.path().join("keytrail.toml"), "[policy]\ndue_soon = '1 week'\n").expect("a file");
    let config = Config::load(root.path(), None).expect("a config");
    assert_eq!(Some(config.policy.due_soon), Period::days(7));

    let other = root.path().join("other.toml");
    fs::write(&other, "[polcy]\n").expect("a file");
    let errors = Config::load(root.path(), Some(&other)).expect_err("a mistake");
    insta::assert_snapshot!(errors, @"
    error: unknown key in keytrail.toml
     --> other.toml:1:2
      |
    1 | [polcy]
      |  ^^^^^
      |
      = help: did you mean `policy`? the keys of keytrail.toml are `inventory`, `store`, `trail`, `secret`, `policy`, `exception`, `leaks`, `incident`, `state`, `rotation`, `workload`, `notify`
    ");
}

#[test]
fn what_is_no_config_is_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let path = root.path().join("keytrail.toml");
    let absent = root.path().join("absent.toml");
    let message = |explicit| Config::load(root.path(), explicit).expect_err("a mistake").to_string();

    insta::assert_snapshot!(message(Some(&absent)), @"
    error: absent.toml: the config cannot be read: No such file or directory (os error 2)
     |
     = help: check the path and its permissions
    ");
    fs::create_dir(&path).expect("a folder");
    insta::assert_snapshot!(message(None), @"
    error: keytrail.toml: the config is not a regular file
     |
     = help: name a file
    ");
    fs::remove_dir(&path).expect("a folder");
    fs::write(&path, b"a = 1\n# \xff\n").expect("a file");
    insta::assert_snapshot!(message(None), @"
    error: keytrail.toml:2: this line is not UTF-8
     |
     = help: save the file as UTF-8
    ");
    fs::write(&path, vec![b'#'; 2 << 20]).expect("a file");
    insta::assert_snapshot!(message(None), @"
    error: keytrail.toml: the config is larger than 1 MiB
     |
     = help: is it the right file?
    ");
    #[cfg(unix)]
    {
        fs::remove_file(&path).expect("a file");
        std::os::unix::fs::symlink("nowhere.toml", &path).expect("a link");
        insta::assert_snapshot!(message(None), @"
    error: keytrail.toml: the config cannot be read: No such file or directory (os error 2)
     |
     = help: check the path and its permissions
    ");
    }
}

#[test]
fn only_the_audit_of_a_store_can_have_a_canary_and_hashes_that_the_store_is_asked_for() {
    let keys = "audit_hash = [\"file\"]\ncanary = { path = \"/secret/canary/\", every = \"1 day\" }\n";
    let trail = |kind: &str| format!("[[trail]]\nname = \"a\"\nkind = \"{kind}\"\npath = \"a.log\"\n{keys}");
    let without = Names { files: Vec::new(), stores: Vec::new(), trails: Vec::new(), rules: Vec::new() };
    let config = read(&trail("vault-audit"), "keytrail.toml", Path::new("."), &without).expect("a valid config");
    assert_eq!(config.trails[0].audit_hash, ["file"]);
    let marker = config.trails[0].canary.clone().expect("a canary").marker;
    assert_eq!(marker, crate::trails::config::Marker::Path("secret/canary".to_owned()));
    let mistakes = parse(&trail("json-log")).expect_err("mistakes").to_string();
    assert!(mistakes.contains("no store hashes") && mistakes.contains("no scan reads a path"), "{mistakes}");
    let both = "[[trail]]\nname = \"a\"\nkind = \"json-log\"\npath = \"a\"\ncanary = { run = \"r\", path = \"p\", every = \"1h\" }\n";
    assert!(parse(both).expect_err("mistakes").to_string().contains("keep one of the two"));
}

#[test]
fn many_mistakes_do_not_flood_the_terminal() {
    let text: String = (0..5_000).map(|n| format!("key_{n} = 1\n")).collect();
    let errors = parse(&text).expect_err("mistakes");
    assert_eq!(errors.count(), 5_000);
    let shown = errors.to_string();
    assert_eq!(shown.matches("error: ").count(), 100);
    assert!(shown.ends_with("… and 4900 more"));
}

/// A TOML table as JSON, with dates as the strings that they are written as.
#[test]
fn many_mistakes_take_linear_time() {
    // Were the text or the line gone through for each of them, each of these would take minutes.
    let count = 30_000;
    for (text, start) in [
        // Mistakes that are certain, before as many lines that are no TOML.
        (format!("[[store]]\n{}{}", "x = 1\n".repeat(count), "a = \n".repeat(count)), "error: "),
        // Values that all end where their line does.
        (format!("a = {}", "{token=".repeat(count)), "error: "),
        (format!("a = {}", "{token_env=".repeat(count)), "error: "),
        (format!("a = \"{}\"", "://a:bb/".repeat(count)), "error: "),
    ] {
        let errors = parse(&text).expect_err("mistakes").to_string();
        assert!(errors.starts_with(start));
    }
}

fn to_json(table: &DeTable<'_>) -> Json {
    fn value(of: &DeValue<'_>) -> Json {
        match of {
            DeValue::String(text) => json!(text),
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).map_or(json!(1e30), Json::from)
            }
            DeValue::Float(float) => json!(float.as_str().parse::<f64>().ok()),
            DeValue::Boolean(flag) => json!(flag),
            DeValue::Datetime(date) => json!(date.to_string()),
            DeValue::Array(values) => values.iter().map(|inner| value(inner.get_ref())).collect(),
            DeValue::Table(table) => to_json(table),
        }
    }

    Json::Object(table.iter().map(|(key, inner)| (key.get_ref().to_string(), value(inner.get_ref()))).collect())
}

fn schema() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/keytrail-toml.schema.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the schema")).expect("JSON")
}

#[test]
fn the_json_schema_judges_as_the_decoder_does() {
    /// Mistakes that a JSON Schema cannot tell: cadences, whether a name is known, what a URL or a glob is, and what one
    /// table asks of another.
    const BEYOND_A_SCHEMA: &[&str] = &["incident-estate", "policy"];
    let schema = schema();
    jsonschema::draft202012::meta::validate(&schema).expect("a valid schema");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    for (name, text) in fixtures("valid") {
        let table = DeTable::parse(&text).expect("TOML");
        if let Err(error) = validator.validate(&to_json(table.get_ref())) {
            panic!("{name}: {error} at {}", error.instance_path());
        }
    }
    for (name, text) in fixtures("invalid") {
        let Ok(table) = DeTable::parse(&text) else { continue };
        let accepts = validator.is_valid(&to_json(table.get_ref()));
        assert_eq!(accepts, BEYOND_A_SCHEMA.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn the_json_schema_has_the_keys_of_the_decoder() {
    let text = fixtures("valid").remove("full").expect("the fixture");
    let log = Log::default();
    read_logged(&text, "keytrail.toml", Path::new("."), &names(), &log);
    let mut decoded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (header, keys) in log.known.into_inner() {
        decoded.entry(header.to_owned()).or_default().extend(keys.into_iter().map(str::to_owned));
    }

    let schema = schema();
    let mut published = BTreeMap::new();
    let mut add = |header: &str, table: &Json| {
        assert_eq!(table["additionalProperties"], json!(false), "{header}");
        let properties = table["properties"].as_object().expect("properties");
        assert!(properties.values().all(|property| property["description"].is_string()), "{header}");
        published.entry(header.to_owned()).or_insert_with(BTreeSet::new).extend(properties.keys().cloned());
    };
    add("", &schema);
    for table in ["inventory", "policy", "leaks", "state", "rotation"] {
        add(&format!("[{table}]"), &schema["properties"][table]);
    }
    for table in ["store", "trail", "secret", "exception", "incident"] {
        add(&format!("[[{table}]]"), &schema["properties"][table]["items"]);
    }
    add("record", &schema["properties"]["rotation"]["properties"]["record"]);
    add("canary", &schema["properties"]["trail"]["items"]["properties"]["canary"]);
    add("[[leaks.accept]]", &schema["properties"]["leaks"]["properties"]["accept"]["items"]);
    for way in schema["properties"]["store"]["items"]["properties"]["auth"]["oneOf"].as_array().expect("ways") {
        add("auth", way);
    }
    assert_eq!(published, decoded);
}

#[test]
fn every_file_kind_has_its_key_in_the_json_schema() {
    let keys: BTreeSet<&str> = crate::inventory::KINDS.iter().map(|kind| kind.config_key).collect();
    let published = schema()["properties"]["inventory"]["properties"].clone();
    let published: BTreeSet<&str> = published.as_object().expect("properties").keys().map(String::as_str).collect();
    let others = BTreeSet::from(["generated", "exclude"]);
    assert_eq!(published, &keys | &others, "in scanner/schemas/keytrail-toml.schema.json");
}

#[test]
fn every_kind_of_incident_is_in_the_json_schema() {
    let kinds: Vec<&str> = crate::incidents::KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(schema()["properties"]["incident"]["items"]["properties"]["kind"]["enum"], json!(kinds));
}

proptest! {
    #[test]
    fn no_text_makes_the_decoder_panic(text in any::<String>()) {
        let _ = parse(&text).map_err(|errors| errors.to_string());
    }

    #[test]
    fn no_broken_config_makes_the_decoder_panic(cut in any::<prop::sample::Index>(), junk in ".{0,8}", keep in any::<bool>()) {
        for text in fixtures("valid").values().chain(fixtures("invalid").values()) {
            let at = text.floor_char_boundary(cut.index(text.len() + 1));
            let broken = format!("{}{junk}{}", &text[..at], if keep { &text[at..] } else { "" });
            let _ = parse(&broken).map_err(|errors| errors.to_string());
        }
    }
}

#[test]
fn no_cut_off_config_shows_a_credential() {
    for (name, text) in fixtures("invalid").into_iter().filter(|(_, text)| text.contains("planted-")) {
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            let Err(errors) = parse(&text[..end]) else { continue };
            assert!(!errors.to_string().contains("planted-"), "{name} up to {end}:\n{errors}");
        }
    }
}
