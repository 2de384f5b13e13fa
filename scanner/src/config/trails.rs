//! `[[trail]]` of the config.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use globset::Glob;
use keytrail_rules::model::{Covered, EventKind, Proof, Role, Time};
use toml::value::Datetime;

use super::decode::{Table, Text};
use super::document::{Document, instant, own, owned, path, refuse_password, strings};
use super::error::is_variable_name;
use crate::trails::config::{Canary, Marker};
use crate::trails::{TrailConfig, fields};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;
const COVERS: &str = "[2026-01-01, 2026-06-30]";
const CANARY: &str = r#"write canary = { run = "keytrail-canary", every = "1h" }, or `path` of a secret for `run`"#;
/// The kind of trail whose store is asked, and read: the servers that hash what they log.
const VAULT_AUDIT: &str = "vault-audit";
const FIELDS: &str = r#"{ time = "ts" }"#;
const EVENTS: &str = r#"{ written = ["secret.updated"] }"#;

/// The tables, in the order of the file.
pub(super) fn read(document: &Document<'_>, tables: Vec<Table<'_>>) -> Vec<TrailConfig> {
    let mut seen: Vec<(&str, u32)> = Vec::new();
    let mut reads_input = false;
    let mut trails = Vec::new();
    for mut table in tables {
        let location = document.location(&table.key_span("name"));
        let name = table.required_text("name", r#""vault-audit""#);
        if let Some(name) = &name {
            match seen.iter().find(|(other, _)| *other == name.value) {
                Some((_, line)) => name.refuse(
                    format!("the trail at line {line} has this name already"),
                    "give each trail a name of its own: reports call it by that",
                ),
                None => seen.push((name.value, location.line)),
            }
        }
        let kind = table.required_text("kind", r#""vault-audit""#);
        let trail = TrailConfig {
            name: owned(name),
            kind: owned(kind),
            location,
            root: document.root.to_owned(),
            role: table.text("role", r#""application""#).and_then(role),
            paths: paths(&mut table, &mut reads_input),
            store: table.text("store", r#""vault""#).map(own),
            consumer: table.text("consumer", r#""kubernetes:shop/deployment/api""#).map(own),
            covers: covers(&mut table),
            canary: table.table("canary", "canary", CANARY).and_then(canary),
            delay: table.text("delay", r#""15m""#).and_then(stretch),
            skew: table.text("skew", r#""2s""#).and_then(stretch),
            fields: fields(&mut table),
            events: events(&mut table),
            regions: strings(table.texts("regions", r#"["eu-west-1"]"#)),
            url: table.text("url", r#""postgres://keytrail@db.example.com/ledger""#).inspect(check_url).map(own),
            url_env: table.text("url_env", r#""LEDGER_URL""#).inspect(check_variable).map(own),
            query: table.text("query", r#""SELECT * FROM workload_runs""#).map(own),
            resource: table.text("resource", r#""workloadruns.example.com/v1alpha1""#).map(own),
            namespace: table.text("namespace", r#""shop""#).map(own),
            public_keys: table.text("public_keys", r#""keys.json""#).map(path),
            zone: table.text("zone", r#""+02:00""#).inspect(check_zone).map(own),
            audit_hash: strings(table.texts("audit_hash", r#"["file"]"#)),
            marks: Arc::default(),
        };
        if let Some(kind) = kind {
            check_kind(document, &kind, &table);
            check_asking(&kind, &trail, &table);
        }
        table.finish(&[]);
        trails.push(trail);
    }
    trails
}

/// Whether the kind is known, and the table has the keys that it needs.
fn check_kind(document: &Document<'_>, kind: &Text<'_>, table: &Table<'_>) {
    let kinds = &document.names.trails;
    let Some((name, requires)) = kinds.iter().find(|(name, _)| *name == kind.value) else {
        // A build without trails, as of tests, takes any.
        if !kinds.is_empty() {
            kind.unknown("kind of trail", &kinds.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        }
        return;
    };
    // One path and many are two keys for one thing, as are a URL and the variable that holds one.
    let has = |key: &str| match key {
        "path" | "paths" => table.has("path") || table.has("paths"),
        "url" | "url_env" => table.has("url") || table.has("url_env"),
        key => table.has(key),
    };
    for key in requires.iter().filter(|key| !has(key)) {
        table.miss(format!("a trail of kind `{name}` needs `{key}`"), format!("add `{key}` to the [[trail]]"));
    }
}

/// Only the stores of one kind of trail are asked.
fn check_asking(kind: &Text<'_>, trail: &TrailConfig, table: &Table<'_>) {
    if kind.value == VAULT_AUDIT {
        return;
    }
    let next = "leave it out: only a trail of kind `vault-audit` can have it";
    if !trail.audit_hash.is_empty() {
        table.refuse_key("audit_hash", "no store hashes what this trail holds", next);
    }
    if matches!(trail.canary, Some(Canary { marker: Marker::Path(_), .. })) {
        table.refuse_key("canary", "no scan reads a path for this trail", next);
    }
}

fn role(text: Text<'_>) -> Option<Role> {
    let role = Role::ALL.into_iter().find(|role| role.as_str() == text.value);
    if role.is_none() {
        text.unknown("role", &Role::ALL.map(Role::as_str));
    }
    role
}

/// Files, folders and patterns. Standard input can be read only once.
fn paths(table: &mut Table<'_>, reads_input: &mut bool) -> Vec<String> {
    let one = table.text("path", r#""logs/audit/*.log""#);
    let many = table.texts("paths", r#"["logs/audit/*.log"]"#);
    if one.is_some() && !many.is_empty() {
        table.refuse_key("path", "`paths` names the files already", "keep one of the two");
    }
    let texts: Vec<_> = one.into_iter().chain(many).collect();
    for text in &texts {
        if text.value == "-" && std::mem::replace(reads_input, true) {
            text.refuse("standard input is read already", "read this trail from a file");
        }
        if let Err(error) = Glob::new(text.value) {
            text.refuse(
                format!("this is not a glob pattern: {}", error.kind()),
                r#"write path = "logs/audit/*.log", or "-" for standard input"#,
            );
        }
    }
    strings(texts)
}

fn covers(table: &mut Table<'_>) -> Vec<Covered> {
    let pairs = table.date_pairs("covers", COVERS);
    pairs
        .iter()
        .filter_map(|(from, to)| {
            let covered = Covered { from: from.parse(start)?, to: to.parse(instant)?, proof: Proof::Declared };
            if covered.from < covered.to {
                return Some(covered);
            }
            to.refuse("this is not after the first date of the pair", format!("write covers = {COVERS}"));
            None
        })
        .collect()
}

fn canary(mut table: Table<'_>) -> Option<Canary> {
    let path = table.text("path", r#""secret/keytrail-canary""#).map(|path| path.value.trim_matches('/').to_owned());
    let marker = match path {
        Some(path) => {
            if table.text("run", r#""keytrail-canary""#).is_some() {
                table.refuse_key("run", "`path` tells the reads from others already", "keep one of the two");
            }
            Some(Marker::Path(path))
        }
        None => table.required_text("run", r#""keytrail-canary""#).map(own).map(Marker::Run),
    };
    let every = table.required_text("every", r#""1h""#).and_then(stretch);
    table.finish(&[]);
    Some(Canary { marker: marker?, every: every? })
}

/// The first instant of a date, or the instant of a time with an offset.
fn start(date: &Datetime) -> Result<Time, &'static str> {
    let end = instant(date)?;
    Ok(if date.time.is_some() { end } else { end - chrono::TimeDelta::days(1) })
}

fn fields(table: &mut Table<'_>) -> BTreeMap<String, String> {
    let entries = table.text_by_key("fields", FIELDS);
    entries.into_iter().map(|(name, path)| (own(name), own(path))).collect()
}

fn events(table: &mut Table<'_>) -> BTreeMap<String, Vec<String>> {
    let entries = table.texts_by_key("events", EVENTS);
    for (name, _) in &entries {
        let kinds = EventKind::ALL.map(EventKind::as_str);
        if !kinds.contains(&name.value) {
            name.unknown("kind of event", &kinds);
        }
    }
    entries.into_iter().map(|(name, texts)| (own(name), strings(texts))).collect()
}

fn check_url(url: &Text<'_>) {
    refuse_password(url, "leave it out, and name the variable that holds it in `url_env`");
}

fn check_variable(text: &Text<'_>) {
    text.parse(
        |name| is_variable_name(name).then_some(()),
        "this is not the name of an environment variable",
        "name the variable that holds the URL; the URL itself does not belong here",
    );
}

fn check_zone(text: &Text<'_>) {
    text.parse(fields::offset, "this is not an offset from UTC", r#"write zone = "+02:00""#);
}

fn stretch(text: Text<'_>) -> Option<Duration> {
    text.parse(duration, "this stretch of time is not understood", r#"write "90s", "15m", "2 h" or "1 day""#)
}

/// `0s`, `15m`, `10 min`, `1 day`, up to a year.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (count, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let seconds = match unit.trim_start().to_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 60 * 60,
        "d" | "day" | "days" => SECONDS_A_DAY,
        "w" | "week" | "weeks" => 7 * SECONDS_A_DAY,
        "ms" => return Some(Duration::from_millis(count.parse().ok()?)).filter(is_bounded),
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs).filter(is_bounded)
}

fn is_bounded(duration: &Duration) -> bool {
    duration.as_secs() <= 366 * SECONDS_A_DAY
}
