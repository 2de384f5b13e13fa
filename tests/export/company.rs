//! A folder with trails and a ledger of which a real rotation wrote the rows.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Keytrail, Outcome, tree};

const CONFIG: &str = r#"
[[secret]]
key = "API_KEY"
owner = "platform"
cadence = "90 days"
copies = ["vault:secret/api#key"]
consumers = ["kubernetes:shop/deployment/api"]

[[secret]]
key = "DB_PASSWORD"
owner = "data"
cadence = "90 days"
consumers = []
issuer = { kind = "generate", format = "alphanumeric", length = 32 }
grace = "0s"

[[secret]]
key = "MAIL_PASSWORD"
owner = "data"
cadence = "90 days"

[leaks]
paths = []

[[trail]]
name = "store"
kind = "json-log"
role = "store"
path = "store.jsonl"
covers = [2026-01-01, 2026-06-30]

[[trail]]
name = "api"
kind = "json-log"
role = "application"
path = "api.jsonl"
consumer = "kubernetes:shop/deployment/api"
covers = [2026-01-01, 2026-06-30]

[[trail]]
name = "runs"
kind = "workload-runs"
path = "runs.jsonl"
covers = [2026-01-01, 2026-06-30]
"#;

/// The password that is in use, and that somebody wrote into a log.
pub(super) const LEAKED: &str = "plum-orchard-lantern-4417";

const STORE: &str = r#"{"ts":"2026-03-01T12:00:07Z","kind":"written","target":"vault:secret/api#key","actor":"rotator","version":"7","run":"run-17"}
{"ts":"2026-03-05T18:30:00Z","kind":"written","target":"vault:secret/api#key","actor":"mallory","version":"8"}
"#;

const RUNS: &str = r#"{"id":"run-17","requested_at":"2026-03-01T12:00:00Z","finished_at":"2026-03-01T12:10:00Z","status":"succeeded","requester":"jo@example.com","targets":["vault:secret/api#key"]}
"#;

/// An instant after everything that the files tell.
pub(super) const UNTIL: &str = "2200-01-01";

pub(super) struct Company {
    folder: TempDir,
}

/// The folder of an export.
pub(super) struct Export(PathBuf);

impl Export {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Company {
    /// With a key to sign, and two rows in the ledger.
    pub(super) fn new() -> Self {
        let api = format!(
            "{}\n{}\n",
            r#"{"ts":"2026-03-01T12:00:41Z","kind":"loaded","target":"API_KEY","version":"7"}"#,
            format_args!(
                r#"{{"ts":"2026-03-05T18:31:00Z","kind":"loaded","target":"API_KEY","version":"8","debug":"{LEAKED}"}}"#
            ),
        );
        let env = format!("REGION=eu\nDB_PASSWORD=birch-mosaic-cellar-9203\nMAIL_PASSWORD={LEAKED}\n");
        let files = [
            ("keytrail.toml", CONFIG),
            ("store.jsonl", STORE),
            ("runs.jsonl", RUNS),
            ("api.jsonl", &api),
            (".env", &env),
        ];
        let company = Self { folder: tree(files) };
        company.rotate();
        let made = company.keytrail(&["keys", "new"]);
        assert_eq!(made.status, Some(0), "{}", made.stderr);
        company
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file");
    }

    pub(super) fn keytrail(&self, args: &[&str]) -> Outcome {
        Keytrail::new(self.path()).args(args).run()
    }

    /// Adds two rows to the ledger.
    pub(super) fn rotate(&self) {
        let out = self.keytrail(&["rotate", "DB_PASSWORD", "--yes"]);
        assert_eq!(out.status, Some(0), "{}{}", out.stdout, out.stderr);
    }

    /// Exports as of now.
    pub(super) fn export(&self, name: &str, args: &[&str]) -> Export {
        self.export_with(name, args)
    }

    pub(super) fn export_with(&self, name: &str, args: &[&str]) -> Export {
        let out = self.try_export(name, args);
        assert!(matches!(out.status, Some(0 | 3)), "{}{}", out.stdout, out.stderr);
        Export(self.path().join(name))
    }

    pub(super) fn try_export(&self, name: &str, args: &[&str]) -> Outcome {
        self.keytrail(&[&["export", "--out", name], args].concat())
    }
}
