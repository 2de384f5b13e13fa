//! The exported inventory against the live one.

use keytrail::config::StoreConfig;
use serde_json::json;
use tempfile::tempdir;

use super::{copies, gaps, read, store};
use crate::support::openbao::OpenBao;

const MODULE: &str = include_str!("../../scanner/src/stores/vault_export.rs");

#[tokio::test]
async fn the_documented_recipe_exports_what_the_live_store_has() {
    let bao = OpenBao::start().await;
    bao.mount("", "secret", 2).await;
    for path in ["app/a", "app/b", "app/destroyed", "app/deeper/c", "other"] {
        bao.write("secret", path, json!({ "k": "planted1" })).await;
        bao.write("secret", path, json!({ "k": "planted1", "l": "planted2", "a/b #%": "planted3" })).await;
    }
    bao.cli(&["kv", "delete", "-mount=secret", "-versions=1", "app/b"]);
    bao.cli(&["kv", "destroy", "-mount=secret", "-versions=2", "app/destroyed"]);
    bao.cli(&["kv", "metadata", "put", "-mount=secret", "-custom-metadata=owner=platform", "app/a"]);

    let folder = tempdir().expect("a folder");
    let recipe: String = MODULE
        .lines()
        .skip_while(|line| *line != "//! ```sh")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| format!("{}\n", line.trim_start_matches("//! ")))
        .collect();
    bao.script(folder.path(), &recipe);

    let live = StoreConfig {
        read_values: false,
        mounts: vec!["secret/app".into()],
        ..store(&bao.address, &bao.root_token, folder.path())
    };
    let export =
        StoreConfig { kind: "vault-export".into(), address: None, paths: vec!["*.jsonl".into()], ..live.clone() };
    let (mut live, export) = (read(&live).await, read(&export).await);
    // The recipe exports one folder, not those in it.
    live.copies.retain(|copy| !copy.place.as_str().contains("deeper"));
    assert_eq!((gaps(&live).as_str(), gaps(&export).as_str()), ("", ""));
    assert_eq!(copies(&export).lines().count(), 6);
    assert_eq!(copies(&export), copies(&live));
    assert_eq!(export.declarations, live.declarations);
}
