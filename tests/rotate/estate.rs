//! A password and the URL that is made from it, in a Vault path and in a `.env` file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::openbao::OpenBao;
use crate::support::{Keytrail, Outcome, tree};

/// The password before any rotation.
pub(super) const OLD: &str = "plum-orchard-lantern-4417";

/// The lines of the `.env` file that no rotation is about.
const OTHERS: [&str; 3] = ["# the shop\r\n", "REGION=\"eu west\"  # where\r\n", "export EMPTY=\r\n"];

pub(super) struct Estate {
    pub(super) bao: OpenBao,
    folder: TempDir,
    token: String,
}

impl Estate {
    /// Without grace; `extra` are lines of the password's `[[secret]]`.
    pub(super) async fn start(extra: &str) -> Self {
        Self::with_grace("0s", extra).await
    }

    pub(super) async fn with_grace(grace: &str, extra: &str) -> Self {
        let bao = OpenBao::start().await;
        bao.mount("", "secret", 2).await;
        let url = url(OLD);
        bao.write("secret", "shop/db", json!({ "DB_PASSWORD": OLD, "DATABASE_URL": url, "REGION": "eu" })).await;
        let policy = "path \"secret/*\" { capabilities = [\"create\", \"read\", \"update\", \"patch\", \"list\"] }
                      path \"sys/mounts\" { capabilities = [\"read\"] }
                      path \"sys/internal/ui/mounts/*\" { capabilities = [\"read\"] }";
        let token = bao.token("keytrail", policy).await;
        let config = format!(
            r#"
[[store]]
name = "vault"
kind = "vault"
address = "{}"
mounts = ["secret"]
read_values = true
auth = {{ method = "token", token_env = "SHOP_VAULT_TOKEN" }}

[[secret]]
key = "DB_PASSWORD"
owner = "data"
cadence = "90 days"
consumers = []
issuer = {{ kind = "generate", format = "alphanumeric", length = 32 }}
grace = "{grace}"
{extra}

[[secret]]
key = "DATABASE_URL"
owner = "data"
cadence = "on password change"
derived_from = ["DB_PASSWORD"]
consumers = []
grace = "0s"

[rotation]
lease = "1s"
"#,
            bao.address
        );
        let [head, region, empty] = OTHERS;
        let env = format!("{head}DB_PASSWORD={OLD}\r\n{region}DATABASE_URL='{url}'\r\n{empty}");
        let folder = tree([("keytrail.toml", config.as_str()), (".env", env.as_str())]);
        Self { bao, folder, token }
    }

    /// Adds to the end of the config, which is in `[rotation]`.
    pub(super) fn append(&self, text: &str) {
        let config = self.read("keytrail.toml");
        self.write("keytrail.toml", &(config + text));
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(super) fn write_program(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.folder.path().join(path), fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).expect("a file")
    }

    /// The current password lies open in a log.
    pub(super) fn leak(&self) {
        self.write("app.log", &format!("2026-11-21T18:30:00Z connect DB_PASSWORD={OLD}\n"));
    }

    fn command(&self, args: &[&str]) -> Keytrail {
        Keytrail::new(self.folder.path()).env("SHOP_VAULT_TOKEN", &self.token).args(args)
    }

    pub(super) fn keytrail(&self, args: &[&str]) -> Outcome {
        self.command(args).run()
    }

    /// The binary as it is started by a shell, for tests that end it.
    pub(super) fn process(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keytrail"));
        command.env_clear().env("SHOP_VAULT_TOKEN", &self.token).env("HOME", self.folder.path());
        command.current_dir(self.folder.path()).args(args);
        command
    }

    pub(super) async fn in_vault(&self, key: &str) -> String {
        let path = self.bao.get("secret/data/shop/db").await;
        path["data"]["data"][key].as_str().expect("a value").to_owned()
    }

    /// The versions that the path has.
    pub(super) async fn versions(&self) -> Value {
        self.bao.get("secret/metadata/shop/db").await["data"]["current_version"].clone()
    }

    /// The password, which is the same everywhere.
    pub(super) async fn consistent(&self) -> String {
        let password = self.in_vault("DB_PASSWORD").await;
        assert_eq!(self.in_vault("DATABASE_URL").await, url(&password));
        let [head, region, empty] = OTHERS;
        let (quoted, env) = (url(&password), self.read(".env"));
        assert_eq!(env, format!("{head}DB_PASSWORD={password}\r\n{region}DATABASE_URL='{quoted}'\r\n{empty}"));
        password
    }

    pub(super) async fn assert_siblings_are_untouched(&self) {
        assert_eq!(self.in_vault("REGION").await, "eu");
    }

    /// How many rows the ledger has of each status.
    pub(super) fn ledger(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for status in self.rows() {
            *counts.entry(status).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// The statuses of the ledger, by the system's own client.
    fn rows(&self) -> Vec<String> {
        let path = self.folder.path().join(".keytrail/state.db");
        let sql = "SELECT entry FROM keytrail_ledger ORDER BY 1";
        let python = "import json,sqlite3,sys\nfor (entry,) in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):\n \
                      print(json.loads(entry)['status'])";
        let out = Command::new("python3").args(["-c", python]).arg(path).arg(sql).output().expect("python runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
    }

    /// Goes on until nothing is under way.
    pub(super) async fn resume_to_the_end(&self) -> Vec<Outcome> {
        let end = Instant::now() + Duration::from_secs(120);
        let mut outcomes = Vec::new();
        loop {
            let out = self.keytrail(&["rotate", "--resume"]);
            let is_over = out.stderr.contains("nothing is under way");
            let text = format!("{:?} {}", out.status, out.stderr);
            outcomes.push(out);
            if is_over {
                return outcomes;
            }
            assert!(Instant::now() < end, "it does not end: {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every file but Keytrail's state.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = walkdir::WalkDir::new(self.folder.path())
            .into_iter()
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).expect("a file")))
            .collect();
        files.sort();
        files
    }

    /// None of the values is in what was printed, nor in the state.
    pub(super) fn assert_no_value_was_written(&self, values: &[&str], outcomes: &[&Outcome]) {
        let holds = |bytes: &[u8], value: &str| bytes.windows(value.len()).any(|window| window == value.as_bytes());
        for value in values {
            for out in outcomes {
                assert!(!out.stdout.contains(value) && !out.stderr.contains(value), "a value was printed");
            }
            for (path, bytes) in self.files() {
                let is_state = path.components().any(|part| part.as_os_str() == ".keytrail");
                assert!(!is_state || !holds(&bytes, value), "{} holds a value", path.display());
            }
        }
    }
}

fn url(password: &str) -> String {
    format!("postgres://app:{password}@db.example/shop")
}
