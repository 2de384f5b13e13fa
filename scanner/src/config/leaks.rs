//! `[leaks]` of the config.

use std::path::PathBuf;

use keytrail_rules::policy::Accepted;

use super::decode::Table;
use super::document::{globs, instant, own, owned, strings};
use super::error::is_variable_name;

/// Where leaks are searched for, and with what. The default searches the scanned folder and its git history.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LeaksConfig {
    /// Folders of git repositories whose history is searched; `None` for the scanned folder, if it is one.
    pub repositories: Option<Vec<String>>,
    /// Files and folders that are searched; `None` for the scanned folder.
    pub paths: Option<Vec<String>>,
    /// Glob patterns of logs, which are searched whatever `.gitignore` says of them.
    pub logs: Vec<String>,
    /// Glob patterns of paths that are passed over.
    pub exclude: Vec<String>,
    /// Rule files: of Keytrail, gitleaks or betterleaks.
    pub rules: Vec<PathBuf>,
    /// Detectors that are switched off.
    pub disable: Vec<String>,
    /// Environment variables whose values are searched for.
    pub values: Vec<String>,
    /// Files whose whole contents are each a value that is searched for.
    pub value_files: Vec<PathBuf>,
    /// Files of findings that are let pass: `.gitleaksignore`, or a report of gitleaks.
    pub ignore_files: Vec<PathBuf>,
}

/// The table, and what it lets pass.
pub(super) fn read(mut table: Table<'_>) -> (LeaksConfig, Vec<Accepted>) {
    let list = |table: &mut Table<'_>, key, example| {
        let given = table.has(key);
        let texts = strings(table.texts(key, example));
        given.then_some(texts)
    };
    let files = |table: &mut Table<'_>, key, example| {
        strings(table.texts(key, example)).into_iter().map(PathBuf::from).collect::<Vec<_>>()
    };
    let values = table.texts("values", r#"["DB_PASSWORD"]"#);
    for name in &values {
        name.parse(
            |name| is_variable_name(name).then_some(()),
            "this is not the name of an environment variable",
            "name the variable that holds the value; the value itself does not belong here",
        );
    }
    let config = LeaksConfig {
        repositories: list(&mut table, "repositories", r#"["."]"#),
        paths: list(&mut table, "paths", r#"["."]"#),
        logs: globs(&mut table, "logs", r#"["logs/**/*"]"#),
        exclude: globs(&mut table, "exclude", r#"["vendor/**"]"#),
        rules: files(&mut table, "rules", r#"["security/gitleaks.toml"]"#),
        disable: strings(table.texts("disable", r#"["generic-password"]"#)),
        values: strings(values),
        value_files: files(&mut table, "value_files", r#"["/run/secrets/db_password"]"#),
        ignore_files: files(&mut table, "ignore_files", r#"[".gitleaksignore"]"#),
    };
    let accepted = table.tables("accept", "[[leaks.accept]]").into_iter().map(accepted).collect();
    table.finish(&[]);
    (config, accepted)
}

fn accepted(mut table: Table<'_>) -> Accepted {
    let fingerprint = table.required_text("fingerprint", r#""0f3a…""#);
    if let Some(text) = &fingerprint {
        let is_one = |text: &str| matches!(text.len(), 32 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        text.parse(
            |text| is_one(text).then_some(()),
            "this is not the fingerprint of a leak or a finding",
            "copy `fingerprint` from the JSON report: 32 or 64 hexadecimal digits",
        );
    }
    let reason = owned(table.required_text("reason", r#""a test account without rights""#));
    let expires = if table.has("expires") {
        table.required_date("expires").and_then(|date| date.parse(instant))
    } else {
        table.know("expires");
        None
    };
    table.finish(&[]);
    Accepted { fingerprint: fingerprint.map(own).unwrap_or_default().to_lowercase(), reason, expires }
}
