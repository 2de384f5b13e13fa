//! The tables of `keytrail.toml`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use globset::Glob;
use keytrail_rotation::plan::Recipes;
use keytrail_rules::cadence::{Cadence, Period};
use keytrail_rules::checks::RULES;
use keytrail_rules::model::{Class, Declaration, Environment, Key, Location, Origin, Place, Time};
use keytrail_rules::policy::{Exception, Policy};
use keytrail_rules::value::url_password;
use toml::de::DeTable;
use toml::value::{Datetime, Offset};

use super::auth::store_auth;
use super::decode::{Log, Table, Text};
use super::error::{ConfigErrors, Mistake};
use super::{Config, InventoryConfig, StateConfig, StoreConfig, incidents, leaks, trails};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_CONCURRENCY: usize = 16;

const CLASSES: [Class; 3] = [Class::Plain, Class::Secret, Class::RotationRequired];
const CADENCE: &str = r#""90 days""#;
const CADENCES: &str =
    r#"write "90 days", "quarterly", "P3M", "on password change", "on compromise/expiry" or "never (static)""#;
pub(super) const PLACES: &str = "write source:path#key, as vault:secret/app#password or env-file:deploy/.env#API_KEY";

const KNOWN_AS: &str = "write source:path, as trails call it: postgres:role/app, auth0:client/abc";

/// The names that a config may use and that tables elsewhere define.
pub(super) struct Names {
    /// The `config_key`s of the file kinds.
    pub(super) files: Vec<&'static str>,
    /// The kinds of stores, with the keys that each needs.
    pub(super) stores: Vec<(&'static str, &'static [&'static str])>,
    /// The kinds of trails, with the keys that each needs.
    pub(super) trails: Vec<(&'static str, &'static [&'static str])>,
    /// The rules: id and code.
    pub(super) rules: Vec<(&'static str, &'static str)>,
}

impl Names {
    /// The names of this build.
    pub(super) fn of_this_build() -> Self {
        let mut files: Vec<_> = crate::inventory::KINDS.iter().map(|kind| kind.config_key).collect();
        files.sort_unstable();
        files.dedup();
        Self {
            files,
            stores: crate::stores::KINDS.iter().map(|kind| (kind.name, kind.requires)).collect(),
            trails: crate::trails::KINDS.iter().map(|kind| (kind.name, kind.requires)).collect(),
            rules: RULES.iter().map(|rule| (rule.id, rule.code)).collect(),
        }
    }
}

/// A document and what is needed to understand it.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) root: &'a Path,
    pub(super) names: &'a Names,
}

/// Reads the text of a config. `file` is how messages and locations call it.
pub(super) fn read(text: &str, file: &str, root: &Path, names: &Names) -> Result<Config, ConfigErrors> {
    let log = Log::default();
    let config = read_logged(text, file, root, names, &log);
    let mistakes = log.into_mistakes();
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigErrors::new(file, text, mistakes)) }
}

/// Reads what can be read; it counts only if no mistake is logged.
pub(super) fn read_logged(text: &str, file: &str, root: &Path, names: &Names, log: &Log) -> Config {
    let (table, errors) = DeTable::parse_recoverable(text);
    let document = Document { file, text, root, names };
    let config = document.config(Table::new(log, "", 0..0, table.get_ref()));
    let broken: Vec<Mistake> = errors.iter().map(|error| syntax_mistake(text, error)).collect();
    if !broken.is_empty() {
        log.amend(|mistakes| {
            keep_certain(mistakes, &broken, text);
            mistakes.extend(broken);
        });
    }
    config
}

/// Next to broken syntax only those mistakes are certain that are not on its lines and lie before a bracket that is not
/// closed: what seems to be missing may be there, and what follows may belong elsewhere.
fn keep_certain(mistakes: &mut Vec<Mistake>, broken: &[Mistake], text: &str) {
    let unclosed = broken.iter().filter(|syntax| syntax.reason.contains("unclosed")).map(|syntax| syntax.span.start);
    let reliable = unclosed.min().unwrap_or(text.len());
    let line_ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let line = |at: usize| line_ends.partition_point(|end| *end < at);
    let broken_lines: BTreeSet<usize> = broken.iter().map(|syntax| line(syntax.span.start)).collect();
    mistakes.retain(|mistake| {
        !mistake.missing && mistake.span.start < reliable && !broken_lines.contains(&line(mistake.span.start))
    });
}

fn syntax_mistake(text: &str, error: &toml::de::Error) -> Mistake {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let reason = match text.get(span.clone()) {
        Some(key) if message == "duplicate key" => format!("`{key}` is here twice"),
        _ => format!("this is not TOML: {message}"),
    };
    let next = if message == "duplicate key" {
        "keep one of the two"
    } else if message.contains("must be quoted") {
        "put the value in double quotes"
    } else if message.contains("date") {
        "write a date as 2027-03-31, a time as 2027-03-31T12:00:00Z"
    } else {
        "see https://toml.io/en/v1.1.0 for how it is written"
    };
    Mistake { span, reason, next: next.to_owned(), missing: false }
}

impl Document<'_> {
    fn config(&self, mut top: Table<'_>) -> Config {
        let inventory = top.table("inventory", "[inventory]", "write [inventory] on a line of its own");
        let stores = top.tables("store", "[[store]]");
        let trails = top.tables("trail", "[[trail]]");
        let secrets = top.tables("secret", "[[secret]]");
        let policy = top.table("policy", "[policy]", "write [policy] on a line of its own");
        let exceptions = top.tables("exception", "[[exception]]");
        let leaks = top.table("leaks", "[leaks]", "write [leaks] on a line of its own");
        let incidents = top.tables("incident", "[[incident]]");
        let state = top.table("state", "[state]", "write [state] on a line of its own");
        let rotation = top.table("rotation", "[rotation]", "write [rotation] on a line of its own");
        let workloads = top.tables("workload", "[[workload]]");
        let notifiers = top.tables("notify", "[[notify]]");
        top.finish(&[]);

        let mut policy = policy.map(|table| self.policy(table)).unwrap_or_default();
        policy.exceptions = exceptions.into_iter().map(|table| self.exception(table)).collect();
        let (leaks, accepted) = leaks.map(leaks::read).unwrap_or_default();
        policy.accepted = accepted;
        let state = state.map(state_config).unwrap_or_default();
        let around = incidents::Around {
            location: &|table| self.location(&table.key_span("name")),
            rule: &|text| self.rule(text),
            root: self.root,
            is_shared: state.url.is_some(),
        };
        let mut recipes = Recipes { workloads: self.workloads(workloads), ..Recipes::default() };
        let declarations = secrets.into_iter().map(|table| self.secret(table, &mut recipes)).collect();
        Config {
            incidents: incidents::read(incidents, &around),
            inventory: inventory.map(|table| self.inventory(table)).unwrap_or_default(),
            stores: self.stores(stores),
            trails: trails::read(self, trails),
            declarations,
            policy,
            leaks,
            state,
            rotation: rotation.map(|table| self.rotation(table)).unwrap_or_default(),
            recipes,
            notifiers: self.notifiers(notifiers),
        }
    }

    /// The line that holds the first byte of a span.
    pub(super) fn location(&self, span: &Range<usize>) -> Location {
        let before = &self.text[..span.start];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let number = before.matches('\n').count() + 1;
        let line = self.text[start..].lines().next().unwrap_or_default();
        Location::of_line(self.file, u32::try_from(number).unwrap_or(u32::MAX), line)
    }

    fn inventory(&self, mut table: Table<'_>) -> InventoryConfig {
        let mut config = InventoryConfig::default();
        for key in &self.names.files {
            if table.has(key) {
                config.patterns.insert((*key).to_owned(), globs(&mut table, key, r#"["deploy/**/*"]"#));
            } else {
                // Asked for all the same, so that the key is known.
                table.texts(key, "");
            }
        }
        config.generated = globs(&mut table, "generated", r#"[".env"]"#);
        config.exclude = globs(&mut table, "exclude", r#"["vendor/**"]"#);
        table.finish(&[]);
        config
    }

    fn stores(&self, tables: Vec<Table<'_>>) -> Vec<StoreConfig> {
        let mut seen: Vec<(&str, u32)> = Vec::new();
        let mut stores = Vec::new();
        for mut table in tables {
            let location = self.location(&table.key_span("name"));
            let name = table.required_text("name", r#""vault""#);
            if let Some(name) = &name {
                let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
                name.parse(
                    |name| plain(name).then_some(()),
                    "a store's name may have letters, digits, `-`, `_` and `.`",
                    "choose a short name: places start with it, as vault:secret/app#password",
                );
                match seen.iter().find(|(other, _)| *other == name.value) {
                    Some((_, line)) => name.refuse(
                        format!("the store at line {line} has this name already"),
                        "give each store a name of its own: places start with it",
                    ),
                    None => seen.push((name.value, location.line)),
                }
            }
            stores.push(self.store(table, owned(name), location));
        }
        stores
    }

    fn store(&self, mut table: Table<'_>, name: String, location: Location) -> StoreConfig {
        let kind = table.required_text("kind", r#""vault""#);
        let address = table.text("address", r#""https://vault.example.com:8200""#).inspect(check_address);
        let store = StoreConfig {
            name,
            kind: owned(kind),
            location,
            root: self.root.to_owned(),
            address: address.map(own),
            mounts: strings(table.texts("mounts", r#"["secret"]"#)),
            namespace: table.text("namespace", r#""team-a""#).map(own),
            paths: globs(&mut table, "paths", r#"["deploy/.env*"]"#),
            read_values: table.flag("read_values").unwrap_or(false),
            environment: table.text("environment", r#""production""#).map(|text| Environment::new(text.value)),
            auth: table
                .table("auth", "auth", r#"write auth = { method = "token", token_env = "VAULT_TOKEN" }"#)
                .map(store_auth)
                .unwrap_or_default(),
            ca_file: table.text("ca_file", r#""ca.pem""#).map(path),
            timeout: table.text("timeout", r#""30s""#).and_then(timeout).unwrap_or(DEFAULT_TIMEOUT),
            concurrency: table.integer("concurrency", 1..=256, "16").unwrap_or(DEFAULT_CONCURRENCY),
        };
        if let Some(kind) = kind {
            self.check_kind(&kind, &table);
        }
        table.finish(&[]);
        store
    }

    /// Whether the kind is known, and the table has the keys that it needs.
    fn check_kind(&self, kind: &Text<'_>, table: &Table<'_>) {
        let kinds = &self.names.stores;
        let Some((name, requires)) = kinds.iter().find(|(name, _)| *name == kind.value) else {
            // A build without stores, as of tests, takes any.
            if !kinds.is_empty() {
                kind.unknown("kind of store", &kinds.iter().map(|(name, _)| *name).collect::<Vec<_>>());
            }
            return;
        };
        for key in requires.iter().filter(|key| !table.has(key)) {
            table.miss(format!("a store of kind `{name}` needs `{key}`"), format!("add `{key}` to the [[store]]"));
        }
    }

    fn secret(&self, mut table: Table<'_>, recipes: &mut Recipes) -> Declaration {
        let location = self.location(&table.key_span("key"));
        let label = owned(table.required_text("key", r#""STRIPE_API_KEY""#));
        let mut secret = Declaration::new(&label, Origin::Config, Some(location));
        secret.owner = table.text("owner", r#""platform""#).map(own);
        secret.cadence = table.text("cadence", CADENCE).map(|text| {
            text.parse(Cadence::parse, "this cadence is not understood", CADENCES);
            Cadence::state(text.value)
        });
        secret.class = table.text("class", r#""rotation-required""#).and_then(|text| {
            let class = Class::parse(text.value);
            if class.is_none() {
                text.unknown("class", &CLASSES.map(Class::as_str));
            }
            class
        });
        secret.environment = table.text("environment", r#""production""#).map(|text| Environment::new(text.value));
        let copies = table.texts("copies", r#"["vault:secret/app#password"]"#);
        secret.places = copies.iter().filter_map(|text| text.parse(Place::parse, "this is no place", PLACES)).collect();
        secret.consumers = strings(table.texts("consumers", r#"["kubernetes:shop/deployment/api"]"#));
        let sources = table.texts("derived_from", r#"["DB_PASSWORD"]"#);
        secret.derived_from = sources.iter().map(|text| Key::new(text.value)).collect();
        secret.required = table.flag("required");
        let names = table.texts("known_as", r#"["postgres:role/app"]"#);
        secret.known_as =
            names.iter().filter_map(|text| text.parse(Place::parse, "this is no place", KNOWN_AS)).collect();
        secret.readers = strings(table.texts("readers", r#"["approle/ci-*"]"#));
        let recipe = self.recipe(&mut table, &secret);
        recipes.secrets.entry(Key::new(&secret.label)).or_default().push(recipe);
        table.finish(&[]);
        secret
    }

    fn policy(&self, mut table: Table<'_>) -> Policy {
        let mut policy = Policy::default();
        let period = |text: Text<'_>| text.parse(Period::parse, "this period is not understood", r#"write "14 days""#);
        if let Some(period) = table.text("due_soon", r#""14 days""#).and_then(period) {
            policy.due_soon = period;
        }
        let cadence = |text: Text<'_>| text.parse(Cadence::parse, "this cadence is not understood", CADENCES);
        policy.default_cadence = table.text("default_cadence", CADENCE).and_then(cadence);
        let window = |text: Text<'_>| {
            text.parse(trails::duration, "this stretch of time is not understood", r#"write "1 day""#)
                .and_then(|window| TimeDelta::from_std(window).ok())
        };
        if let Some(window) = table.text("request_window", r#""1 day""#).and_then(window) {
            policy.request_window = window;
        }
        if let Some(window) = table.text("load_window", r#""1 day""#).and_then(window) {
            policy.load_window = window;
        }
        let disabled = table.texts("disable", r#"["no-owner"]"#);
        policy.disabled_rules = disabled.iter().map(|text| self.rule(text)).collect();
        table.finish(&[]);
        policy
    }

    fn exception(&self, mut table: Table<'_>) -> Exception {
        let location = self.location(&table.key_span("rule"));
        let rule = table.required_text("rule", r#""overdue-rotation""#);
        let secret = table.text("secret", r#""LEGACY_KEY""#).map(own);
        let reason = owned(table.required_text("reason", r#""the vendor ends the service in March""#));
        let approved_by = table.text("approved_by", r#""the head of platform""#).map(own);
        let expires = table.required_date("expires").and_then(|date| date.parse(instant));
        table.finish(&[]);
        Exception {
            rule: rule.map(|rule| self.rule(&rule)).unwrap_or_default(),
            secret,
            reason,
            approved_by,
            expires: expires.unwrap_or_default(),
            location,
        }
    }

    /// The id of the rule that is named by its id or its code.
    fn rule(&self, text: &Text<'_>) -> String {
        let rules = &self.names.rules;
        match rules.iter().find(|(id, code)| *id == text.value || code.eq_ignore_ascii_case(text.value)) {
            Some((id, _)) => (*id).to_owned(),
            None => {
                // A build without rules takes any.
                if !rules.is_empty() {
                    text.unknown("rule", &rules.iter().map(|(id, _)| *id).collect::<Vec<_>>());
                }
                text.value.to_owned()
            }
        }
    }
}

fn state_config(mut table: Table<'_>) -> StateConfig {
    let url = table.text("url", r#""postgres://keytrail@db.example.com/keytrail""#).inspect(|url| {
        let known =
            |url: &str| ["postgres://", "postgresql://", "sqlite:"].iter().any(|scheme| url.starts_with(scheme));
        url.parse(
            |url| known(url).then_some(()),
            "this is not the URL of a state database",
            "write postgres://user@host/database or sqlite:PATH",
        );
        refuse_password(url, "leave it out, and set PGPASSWORD or use ~/.pgpass");
    });
    let fingerprint_key = table.text("fingerprint_key", r#"".keytrail/fingerprint.key""#).map(path);
    let estate = table.text("estate", r#""shop""#).map(own);
    table.finish(&[]);
    StateConfig { url: url.map(own), fingerprint_key, estate }
}

fn check_address(address: &Text<'_>) {
    address.parse(
        |text| reqwest::Url::parse(text).ok().filter(reqwest::Url::has_host),
        "this is not a URL with a host",
        "write https://vault.example.com:8200",
    );
    refuse_password(address, "leave it out; `auth` says how to log in");
}

pub(super) fn refuse_password(url: &Text<'_>, next: &str) {
    url.parse(|url| url_password(url).is_none().then_some(()), "a password in the config is a leak", next);
}

pub(super) fn timeout(text: Text<'_>) -> Option<Duration> {
    text.parse(duration, "this is not a time limit from 1ms to 1h", r#"write timeout = "30s""#)
}

/// `500ms`, `30s`, `2m`, from a millisecond to an hour.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (count, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let factor = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = count.parse::<u64>().ok()?.checked_mul(factor)?;
    (1..=3_600_000).contains(&milliseconds).then(|| Duration::from_millis(milliseconds))
}

/// The first instant after a date, or the instant of a time with an offset.
pub(super) fn instant(date: &Datetime) -> Result<Time, &'static str> {
    const NO_DATE: &str = "this is no day of the calendar";
    const NO_TIME: &str = "this is no time of the day";
    let day = date.date.ok_or("this is a time without a date")?;
    let day = NaiveDate::from_ymd_opt(day.year.into(), day.month.into(), day.day.into()).ok_or(NO_DATE)?;
    match (date.time, date.offset) {
        (None, _) => {
            let next = day.succ_opt().ok_or(NO_DATE)?;
            Ok(next.and_time(NaiveTime::MIN).and_utc())
        }
        (Some(_), None) => Err("this time has no offset, so it is another instant in each zone"),
        (Some(time), Some(offset)) => {
            let (second, nanosecond) = (time.second.unwrap_or(0), time.nanosecond.unwrap_or(0));
            let time = NaiveTime::from_hms_nano_opt(time.hour.into(), time.minute.into(), second.into(), nanosecond);
            let local = day.and_time(time.ok_or(NO_TIME)?);
            let minutes = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => minutes.into(),
            };
            local.checked_sub_signed(TimeDelta::minutes(minutes)).map(|utc| utc.and_utc()).ok_or(NO_DATE)
        }
    }
}

/// Patterns that can be matched; the others are mistakes.
pub(super) fn globs(table: &mut Table<'_>, key: &'static str, example: &str) -> Vec<String> {
    let texts = table.texts(key, example);
    for text in &texts {
        if let Err(error) = Glob::new(text.value) {
            text.refuse(format!("this is not a glob pattern: {}", error.kind()), format!("write {key} = {example}"));
        }
    }
    strings(texts)
}

pub(super) fn strings(texts: Vec<Text<'_>>) -> Vec<String> {
    texts.into_iter().map(own).collect()
}

pub(super) fn own(text: Text<'_>) -> String {
    text.value.to_owned()
}

/// The text; nothing where it is missing, which is a mistake already.
pub(super) fn owned(text: Option<Text<'_>>) -> String {
    text.map(own).unwrap_or_default()
}

pub(super) fn path(text: Text<'_>) -> PathBuf {
    PathBuf::from(text.value)
}
