//! `[[incident]]` of the config.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keytrail_rules::model::{FingerprintKey, Location, Secret, Severity};
use keytrail_rules::value::Value;
use reqwest::Url;

use super::decode::{Table, Text};
use super::document::{own, owned, path, refuse_password, strings, timeout};
use super::error::is_variable_name;
use crate::incidents::{KINDS, Kind};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// One `[[incident]]`: where an incident is filed for each finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncidentConfig {
    /// The name, under which the state remembers what was filed.
    pub name: String,
    /// The kind, one of [`crate::incidents::KINDS`].
    pub kind: String,
    /// The line of the config.
    pub location: Location,
    /// The scanned folder, which paths are relative to.
    pub root: PathBuf,
    /// What is scanned, where several share a state database or a receiver.
    pub estate: Option<String>,
    /// Findings below it are not filed.
    pub severity: Severity,
    /// The ids of the rules whose findings are filed; empty for all.
    pub rules: Vec<String>,
    /// `owner/name` of the repository.
    pub repository: Option<String>,
    /// Labels of issues beside `keytrail`.
    pub labels: Vec<String>,
    /// The address of the receiver, which is no secret.
    pub url: Option<String>,
    /// Environment variable that holds the address.
    pub url_env: Option<String>,
    /// Environment variable that holds the token.
    pub token_env: Option<String>,
    /// File that holds the token.
    pub token_file: Option<PathBuf>,
    /// Environment variable that holds the routing key.
    pub routing_key_env: Option<String>,
    /// Environment variable that holds the key of signatures.
    pub signing_key_env: Option<String>,
    /// Limit for one request.
    pub timeout: Duration,
}

impl IncidentConfig {
    /// An `[[incident]]` with nothing but a name and a kind.
    pub fn new(name: &str, kind: &str, location: Location, root: &Path) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            location,
            root: root.to_owned(),
            estate: None,
            severity: Severity::High,
            rules: Vec::new(),
            repository: None,
            labels: Vec::new(),
            url: None,
            url_env: None,
            token_env: None,
            token_file: None,
            routing_key_env: None,
            signing_key_env: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// What other parts of the config say.
pub(super) struct Around<'a> {
    /// The line of a table, by its `name`.
    pub(super) location: &'a dyn Fn(&Table<'_>) -> Location,
    /// The id of the rule that is named by its id or its code.
    pub(super) rule: &'a dyn Fn(&Text<'_>) -> String,
    /// The scanned folder.
    pub(super) root: &'a Path,
    /// Whether the state may be shared by several scanned folders.
    pub(super) is_shared: bool,
}

/// The tables.
pub(super) fn read(tables: Vec<Table<'_>>, around: &Around<'_>) -> Vec<IncidentConfig> {
    let mut seen: Vec<(&str, u32)> = Vec::new();
    let mut incidents = Vec::new();
    for mut table in tables {
        let location = (around.location)(&table);
        let name = table.required_text("name", r#""on-call""#);
        if let Some(name) = &name {
            check_name(name);
            match seen.iter().find(|(other, _)| *other == name.value) {
                Some((_, line)) => name.refuse(
                    format!("the [[incident]] at line {line} has this name already"),
                    "give each a name of its own: the state remembers under it what was filed",
                ),
                None => seen.push((name.value, location.line)),
            }
        }
        incidents.push(incident(table, &owned(name), location, around));
    }
    incidents
}

fn check_name(name: &Text<'_>) {
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    name.parse(
        |name| plain(name).then_some(()),
        "the name may have letters, digits, `-`, `_` and `.`",
        "choose a short name: the state remembers under it what was filed",
    );
}

fn incident(mut table: Table<'_>, name: &str, location: Location, around: &Around<'_>) -> IncidentConfig {
    let kind = table.required_text("kind", r#""github-issue""#);
    let known = kind.as_ref().and_then(find);
    if let Some(known) = known {
        check_keys(&mut table, known);
    }
    for (key, instead) in
        [("token", "token_env"), ("routing_key", "routing_key_env"), ("signing_key", "signing_key_env")]
    {
        table.forbid(
            key,
            "a credential in the config is a leak: the file is committed, copied and shown",
            &format!(
                "write {instead} = \"NAME_OF_A_VARIABLE\", and rotate the credential if this file was ever shared"
            ),
        );
    }
    if around.is_shared && !table.has("estate") {
        table.miss(
            "[[incident]] has no `estate`, and [state] url names a database that others may share",
            r#"add estate = "shop": without it, each scan would resolve the incidents of the others"#,
        );
    }
    let config = IncidentConfig {
        kind: owned(kind),
        estate: table.text("estate", r#""shop""#).map(own),
        severity: table.text("severity", r#""high""#).and_then(severity).unwrap_or(Severity::High),
        rules: table.texts("rules", r#"["leaked-current-value"]"#).iter().map(around.rule).collect(),
        repository: table.text("repository", r#""owner/name""#).inspect(check_repository).map(own),
        labels: strings(table.texts("labels", r#"["security"]"#)),
        url: table.text("url", r#""https://hooks.example.com/keytrail""#).inspect(check_url).map(own),
        url_env: variable(&mut table, "url_env", "SLACK_WEBHOOK_URL"),
        token_env: variable(&mut table, "token_env", "GITHUB_TOKEN"),
        token_file: table.text("token_file", r#""/run/secrets/github""#).map(path),
        routing_key_env: variable(&mut table, "routing_key_env", "PAGERDUTY_ROUTING_KEY"),
        signing_key_env: variable(&mut table, "signing_key_env", "KEYTRAIL_SIGNING_KEY"), // keytrail:allow the name of a variable
        timeout: table.text("timeout", r#""30s""#).and_then(limit).unwrap_or(DEFAULT_TIMEOUT),
        ..IncidentConfig::new(name, "", location, around.root)
    };
    table.finish(&[]);
    config
}

/// The kind of that name; a mistake where there is none.
fn find(text: &Text<'_>) -> Option<&'static Kind> {
    let kind = Kind::find(text.value);
    if kind.is_none() {
        text.unknown("kind of incident", &KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>());
    }
    kind
}

/// Whether the table has the keys that its kind needs, and none that only other kinds have.
fn check_keys(table: &mut Table<'_>, kind: &Kind) {
    for needed in kind.requires {
        let given: Vec<&str> = needed.iter().copied().filter(|key| table.has(key)).collect();
        let names = needed.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ");
        match given.as_slice() {
            [] => table.miss(
                format!("an incident of kind `{}` needs {names}", kind.name),
                format!("add {names} to the [[incident]]"),
            ),
            [_] => {}
            [_, second, ..] => table.refuse_key(second, format!("{names}: only one of them can hold"), "keep one"),
        }
    }
    let of_others = KINDS.iter().flat_map(|other| other.keys()).filter(|key| !kind.keys().any(|own| own == *key));
    for key in of_others.filter(|key| table.has(key)).collect::<std::collections::BTreeSet<_>>() {
        // An address that only a variable may hold is a credential.
        let next = match key {
            "url" if kind.keys().any(|key| key == "url_env") => "the address is a credential: write url_env = \"NAME\"",
            _ => "remove it",
        };
        table.refuse_key(key, format!("`{key}` is not for incidents of kind `{}`", kind.name), next);
    }
}

fn severity(text: Text<'_>) -> Option<Severity> {
    let severity = Severity::parse(text.value);
    if severity.is_none() {
        text.unknown("severity", &Severity::ALL.map(Severity::as_str));
    }
    severity
}

fn check_repository(text: &Text<'_>) {
    let is_name = |part: &str| {
        !matches!(part, "" | "." | "..") && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let parse = |text: &str| text.split_once('/').filter(|(owner, name)| is_name(owner) && is_name(name)).map(drop);
    text.parse(parse, "this is not a repository", r#"write repository = "owner/name""#);
}

fn check_url(text: &Text<'_>) {
    refuse_password(text, "write url_env, and put the address into that variable");
    let url = text.parse(
        |text| Url::parse(text).ok().filter(is_protected),
        "this is not a URL that starts with https://",
        "write https://hooks.example.com/keytrail; http:// is for this machine only: others would read it on the way",
    );
    let reveals = |text: &str| Value::observe(&Secret::from(text), &FingerprintKey::new([0; 32])).reveals.is_some();
    if url.is_some_and(|url| url.query().is_some() || reveals(text.value)) {
        text.refuse("this address may hold a credential", "write url_env, and put the address into that variable");
    }
}

/// Whether nobody else reads what is sent to a URL: HTTPS, or this machine.
pub(crate) fn is_protected(url: &Url) -> bool {
    let is_local = url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_local))
}

fn variable(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<String> {
    let text = table.text(key, &format!("\"{example}\""))?;
    text.parse(
        |name| is_variable_name(name).then_some(()),
        "this is not the name of an environment variable",
        &format!("write {key} = \"{example}\"; the credential itself does not belong here"),
    );
    Some(own(text))
}

fn limit(text: Text<'_>) -> Option<Duration> {
    let limit = timeout(text)?;
    if limit > MAX_TIMEOUT {
        text.refuse("this is longer than a minute", r#"write timeout = "30s""#);
    }
    Some(limit)
}
