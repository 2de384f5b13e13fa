//! `keytrail init`: a commented `keytrail.toml` of what is in a folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use keytrail_rules::model::FingerprintKey;

use super::{Status, print};
use crate::cli::InitArgs;
use crate::config::InventoryConfig;
use crate::discover::discover;
use crate::error::Error;
use crate::inventory::{self, KINDS};
use crate::source::{Reader, SourceFile};

/// The name of the config.
const FILE: &str = "keytrail.toml";

pub(super) fn run(args: &InitArgs) -> Result<Status, Error> {
    let files = held(&args.path)?;
    let text = render(&files, std::env::var("VAULT_ADDR").ok().as_deref());
    if args.stdout {
        print(text.as_bytes())?;
        return Ok(Status::Clean);
    }
    let path = args.path.join(FILE);
    let mut options = OpenOptions::new();
    options.write(true).create_new(!args.force).create(args.force).truncate(args.force);
    let mut file = options.open(&path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::usage(
            format!("{} is there already", path.display()),
            "add --force to replace it, or --stdout to look first",
        ),
        _ => Error::Write(path.clone(), error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| Error::Write(path.clone(), error))?;
    let found: usize = files.values().map(Vec::len).sum();
    print(format!("wrote {} from {found} files; now run `keytrail scan`\n", path.display()).as_bytes())?;
    Ok(Status::Clean)
}

/// The files of each kind that hold something, by the key of `[inventory]`.
fn held(root: &Path) -> Result<BTreeMap<&'static str, Vec<String>>, Error> {
    let discovery = discover(root, &InventoryConfig::default(), &|| ())?;
    // Nothing is compared here, so that any key will do.
    let key = FingerprintKey::new([0; 32]);
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for found in discovery.files {
        let Ok(file) = SourceFile::read(root, &found.path) else {
            continue;
        };
        for kind in &found.kinds {
            let holds = || {
                let facts = inventory::read(
                    kind,
                    &file,
                    &Reader { key: &key, generated: false, as_of: chrono::DateTime::UNIX_EPOCH, known: None },
                );
                facts.scope.iter().any(|scope| scope.held > 0) || !facts.gaps.is_empty()
            };
            if (kind.claims)(&file) && holds() {
                files.entry(kind.config_key).or_default().push(found.path.clone());
            }
        }
    }
    Ok(files)
}

fn render(files: &BTreeMap<&str, Vec<String>>, vault: Option<&str>) -> String {
    let mut text = String::from(HEAD);
    for kind in KINDS {
        if let Some(paths) = files.get(kind.config_key) {
            let _ = writeln!(text, "# found {}", shown(paths));
        }
        // The usual patterns stay in force, so that a file that comes later is scanned as well.
        let patterns: Vec<String> = kind.patterns.iter().map(|pattern| quoted(pattern)).collect();
        let _ = writeln!(text, "# {} = [{}]", kind.config_key, patterns.join(", "));
    }
    text.push_str(TAIL);
    text.replace("VAULT_ADDRESS", &quoted(vault.unwrap_or("http://127.0.0.1:8200")))
}

/// `3: a, b, c`; of many the first ones.
fn shown(paths: &[String]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = paths.iter().take(SHOWN).map(|path| quoted(path)).collect();
    let more = if paths.len() > SHOWN { ", …" } else { "" };
    format!("{}: {}{more}", paths.len(), names.join(", "))
}

/// A TOML basic string (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

const HEAD: &str = r#"# What Keytrail scans, and what it asks for. Every key is optional; `keytrail scan --help` tells more.

[inventory]
# The files that the inventory is read from, as paths or patterns. A list that is left out has the patterns shown here.
"#;

const TAIL: &str = r#"# generated = [".env.local"]      # files that are generated from the schema, and must agree with it
# exclude = ["third_party/**"]

# [[store]]
# name = "vault"                    # places in it are called vault:MOUNT/PATH#KEY
# kind = "vault"
# address = VAULT_ADDRESS
# mounts = ["secret"]
# read_values = false               # true: values are compared in memory, so that ages are known for each key
# auth = { method = "token", token_env = "VAULT_TOKEN" }

# [[secret]]                        # adds to, or overrides, what the files above say
# key = "DATABASE_PASSWORD"
# owner = "platform"
# cadence = "90 days"               # or "quarterly", "P90D", "on password change", "never (static)"
# copies = ["vault:secret/app/db#password"]
# derived_from = []
# known_as = ["postgres:role/app"]  # what trails call it beside
# readers = ["approle/ci-*"]        # who may read it
# consumers = ["kubernetes:shop/deployment/api"]   # who loads it; [] says that nothing does
# issuer = { kind = "generate" }    # who makes its values: with this, `keytrail scan --fix` rotates it when it is due
# verify = [{ http = "http://127.0.0.1:8000/health", status = 200 }]   # what shows that consumers get on
# grace = "24h"                     # how long the old value stays valid after all of them loaded the new one

# [rotation]                        # when secrets are rotated, and by whose leave
# require_approval = ["production"] # --approved-by NAME
# windows = ["Sat 02:00-06:00"]     # UTC, or with an offset: "Sat 02:00-06:00 +02:00"
# after_staging = true              # the same secret of the other environments first
# record = { notes = "docs/rotations.md" }

# [[workload]]                      # how a consumer is made to load a value, where its name does not say it
# consumer = "pgbouncer:main"

# [[notify]]                        # who is told how rotations end
# kind = "slack"

# [[trail]]                         # every change leaves a trace in three: the store, who loads the value, and the ledger
# name = "api"
# kind = "json-log"                 # or "vault-audit", "cloudtrail", "workload-runs" and others
# path = "logs/api/*.jsonl"         # files, folders or patterns; compressed ones too
# consumer = "kubernetes:shop/deployment/api"
# covers = [2026-01-01, 2026-12-31] # of which it holds every record, as far as you know

# [leaks]                           # by default the folder and its git history are searched
# logs = ["logs/**/*"]
# exclude = ["testdata/**"]

[policy]
due_soon = "14 days"
# default_cadence = "90 days"       # of a rotation-required secret that states none
# disable = ["direct-environ-read"]

# [[exception]]
# rule = "overdue-rotation"
# secret = "LEGACY_KEY"
# reason = "the vendor ends the service in March"
# expires = 2027-03-31              # holds until the end of that day, UTC
"#;

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn any_path_is_a_toml_string() {
        for path in ["a b", "quo\"te", "back\\slash", "tab\tand\nline", "ü"] {
            let text = format!("k = {}", quoted(path));
            let table = toml::de::DeTable::parse(&text).expect("TOML");
            let value = table.get_ref().get("k").and_then(|value| value.get_ref().as_str().map(str::to_owned));
            assert_eq!(value.as_deref(), Some(path));
        }
    }
}
