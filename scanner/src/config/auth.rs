//! How to log in to a store.

use std::path::PathBuf;

use super::StoreAuth;
use super::decode::Table;
use super::document::{own, owned, path};
use super::error::is_variable_name;

/// The `auth` of a `[[store]]`.
pub(super) fn store_auth(mut table: Table<'_>) -> StoreAuth {
    let method = table.required_text("method", r#""token""#);
    let auth = match method.as_ref().map(|method| method.value) {
        Some("token") => {
            let (env, file) = credential(&mut table, "token", "token_env", "token_file", "VAULT_TOKEN");
            env.map(StoreAuth::TokenEnv).or(file.map(StoreAuth::TokenFile)).unwrap_or_default()
        }
        Some("approle") => {
            let mount = table.text("mount", r#""approle""#).map_or_else(|| "approle".to_owned(), own);
            let role_id = owned(table.required_text("role_id", r#""9f2c…""#));
            let (secret_id_env, secret_id_file) =
                credential(&mut table, "secret_id", "secret_id_env", "secret_id_file", "VAULT_SECRET_ID");
            StoreAuth::AppRole { mount, role_id, secret_id_env, secret_id_file }
        }
        _ => {
            if let Some(method) = &method {
                method.unknown("way to log in", &["approle", "token"]);
            }
            // Which other keys are right hangs on the method.
            return StoreAuth::Ambient;
        }
    };
    table.finish(&[]);
    auth
}

/// The place of a credential: an environment variable or a file, one of the two. The credential itself is refused.
fn credential(
    table: &mut Table<'_>,
    literal: &'static str,
    env_key: &'static str,
    file_key: &'static str,
    variable: &'static str,
) -> (Option<String>, Option<PathBuf>) {
    let advice = format!("write {env_key} = \"{variable}\" or {file_key} = \"PATH\"");
    table.forbid(
        literal,
        "a credential in the config is a leak: the file is committed, copied and shown",
        &format!("{advice}, and rotate the credential if this file was ever shared"),
    );
    if table.has(env_key) && table.has(file_key) {
        table.refuse_key(file_key, format!("`{env_key}` names the credential already"), "keep one of the two");
    } else if !table.has(env_key) && !table.has(file_key) && !table.has(literal) {
        table.miss(format!("the login names no {}", literal.replace('_', " ")), &advice);
    }
    let env = table.text(env_key, &format!("\"{variable}\"")).inspect(|text| {
        text.parse(
            |name| is_variable_name(name).then_some(()),
            "this is not the name of an environment variable",
            &format!("{advice}; the credential itself does not belong here"),
        );
    });
    let file = table.text(file_key, r#""/run/secrets/vault""#);
    (env.map(own), file.map(path))
}
