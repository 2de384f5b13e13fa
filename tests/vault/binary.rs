//! The whole way through the binary: a scan of a real server, with values read, in every format.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::http::{Reply, Server};
use crate::support::openbao::OpenBao;
use crate::support::{Keytrail, tree};

const CONFIG: &str = "\
[[store]]
name = \"vault\"
kind = \"vault\"
mounts = [\"secret\"]
read_values = true
auth = { method = \"token\", token_env = \"SCAN_TOKEN\" }

[[secret]]
key = \"MAILER_TOKEN\"
cadence = \"90 days\"

[[secret]]
key = \"DATABASE_URL\"
cadence = \"on password change\"
derived_from = [\"DATABASE_PASSWORD\"]
";

fn scan(bao: &OpenBao, folder: &Path, args: &[&str]) -> crate::support::Outcome {
    Keytrail::new(folder)
        .args([&["scan"], args].concat())
        .env("VAULT_ADDR", &bao.address)
        .env("SCAN_TOKEN", &bao.root_token)
        .run()
}

async fn filled() -> OpenBao {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    for (mailer, password, url) in [
        ("plantedMailer-1", "plantedPass-1", "postgres://app:plantedPass-1@db/app"),
        ("plantedMailer-1", "plantedPass-2", "postgres://app:plantedPass-1@db/app"),
    ] {
        bao.write("secret", "mail", json!({ "MAILER_TOKEN": mailer, "note": "plantedNote" })).await;
        bao.write("secret", "db", json!({ "DATABASE_PASSWORD": password, "DATABASE_URL": url })).await;
    }
    bao
}

#[tokio::test]
async fn values_are_compared_and_none_is_written() {
    let bao = filled().await;
    let folder = tree([("keytrail.toml", CONFIG)]);
    let args = ["--format", "json=report.json", "--format", "sarif=report.sarif", "--format", "table", "--verbose"];
    let out = scan(&bao, folder.path(), &args);
    assert_eq!((out.status, out.stderr.as_str()), (Some(1), ""), "{}", out.stdout);

    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("report.json")).expect("a report")).expect("JSON");
    assert_eq!(report["gaps"], json!([]));
    let item = |key: &str| {
        report["items"].as_array().expect("items").iter().find(|item| item["key"] == key).expect(key).clone()
    };
    // Written twice with one value: it is as old as the first write, and was never changed.
    let mailer = item("MAILER_TOKEN");
    assert_eq!(mailer["age"]["first_value"], true, "{mailer:#}");
    assert_eq!(mailer["copies"][0]["version"], 2);
    assert_eq!(mailer["age"]["not_before"], mailer["age"]["not_after"]);
    // Written in the same version as the password, and still made from the old one.
    assert_eq!(item("DATABASE_URL")["status"], "event-due");

    for entry in walkdir::WalkDir::new(folder.path()) {
        let path = entry.expect("an entry").into_path();
        if path.is_file() {
            let bytes = fs::read(&path).expect("a file");
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("planted") && !text.contains(&bao.root_token), "{}", path.display());
        }
    }
    assert!(!out.stdout.contains("planted") && !out.stdout.contains(&bao.root_token), "{}", out.stdout);
}

#[tokio::test]
async fn a_report_as_of_a_day_is_the_same_to_the_byte() {
    let bao = filled().await;
    let folder = tree([("keytrail.toml", CONFIG)]);
    let report = |_| scan(&bao, folder.path(), &["--as-of", "2030-01-01", "--format", "json"]).stdout;
    let [one, two] = [0, 1].map(report);
    assert_eq!(one, two);
    assert!(!folder.path().join(".keytrail").exists(), "a scan as of a day records nothing");
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_a_gap_and_exit_status_3() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    let folder = tree([("keytrail.toml", CONFIG), (".env.local", "LOG_LEVEL=info\n")]);
    let run = |token: Option<&str>| {
        let command = Keytrail::new(folder.path()).args(["scan"]).env("VAULT_ADDR", &bao.address);
        if let Some(token) = token { command.env("SCAN_TOKEN", token).run() } else { command.run() }
    };
    for (token, words) in [(None, "SCAN_TOKEN is not set"), (Some("s.wrong"), "refuses the token")] {
        let out = run(token);
        assert_eq!(out.status, Some(3), "{}", out.stdout);
        assert!(out.stdout.contains(words) && out.stdout.contains("read 3 sources"), "{}", out.stdout);
    }
}

/// What stands between Keytrail and the store would see every secret, so that no proxy of the environment is used.
#[tokio::test]
async fn no_proxy_of_the_environment_sees_a_request() {
    let bao = filled().await;
    let proxy = Server::start(|_| Reply::Close).await;
    let folder = tree([("keytrail.toml", "[[store]]\nname = \"vault\"\nkind = \"vault\"\n")]);
    let scan = Keytrail::new(folder.path()).args(["scan", "--format", "json"]);
    let scan = scan.env("VAULT_ADDR", &bao.address).env("VAULT_TOKEN", &bao.root_token);
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let out = names.iter().fold(scan, |scan, name| scan.env(name, &proxy.address)).run();
    assert_eq!(out.json()["gaps"], json!([]));
    assert_eq!(out.json()["items"].as_array().map(Vec::len), Some(4), "{}", out.stdout);
    assert_eq!(proxy.requests(), [""; 0]);
}

/// Without the names of the keys, what the owners wrote in the store is said of the keys that others declare.
#[tokio::test]
async fn metadata_of_a_path_is_said_of_the_keys_that_others_declare_there() {
    let bao = filled().await;
    let custom = json!({ "owner": "platform" });
    bao.put("secret/metadata/mail", json!({ "custom_metadata": custom })).await;
    let token = bao.token("paths", r#"path "secret/metadata/*" { capabilities = ["list", "read"] }"#).await;
    let config = "[[store]]\nname = \"vault\"\nkind = \"vault\"\n\n\
                  [[secret]]\nkey = \"MAILER_TOKEN\"\ncopies = [\"vault:secret/mail#MAILER_TOKEN\"]\n";
    let folder = tree([("keytrail.toml", config)]);
    let scan = Keytrail::new(folder.path()).args(["scan", "--format", "json"]);
    let report = scan.env("VAULT_ADDR", &bao.address).env("VAULT_TOKEN", token).run().json();
    let items = report["items"].as_array().expect("items");
    let mailer = items.iter().find(|item| item["key"] == "MAILER_TOKEN").expect("an item");
    assert_eq!(mailer["owner"], "platform", "{mailer:#}");
}
