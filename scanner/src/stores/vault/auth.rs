//! Health check and login.

use std::path::Path;

use keytrail_rules::model::{GapReason, Secret};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde::de::IgnoredAny;
use vaultrs::api::EndpointResult;
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;
use vaultrs::api::sys::requests::ReadHealthRequest;
use zeroize::{Zeroize, Zeroizing};

use super::answer::{self, Meaning};
use super::connection::{Call, Connection, Env, Failed, Request, read_small};
use crate::config::{StoreAuth, StoreConfig};

/// A token, as the header that it is sent in.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    /// Whether the scan got it by logging in.
    pub(super) is_own: bool,
}

/// Asks the server whether it can serve, without a token. A standby goes on: it forwards what it is asked.
/// <https://developer.hashicorp.com/vault/api-docs/system/health>
pub(super) async fn check_health(connection: &Connection) -> Result<(), Failed> {
    #[derive(Deserialize)]
    struct Health {
        initialized: bool,
        sealed: bool,
    }
    let call = Call::of(&ReadHealthRequest::default());
    let request = Request { path: &[&call.path], ..Request::default() };
    let response = connection.send(request).await?;
    if response.status == 400 && response.body.windows(12).any(|words| words == b"HTTPS server") {
        return Err(Failed::new(GapReason::Unreachable, "the server speaks TLS").hint("set the address to https://…"));
    }
    match serde_json::from_slice::<Health>(&response.body) {
        Ok(health) if !health.initialized => Err(answer::uninitialised()),
        Ok(health) if health.sealed => Err(answer::sealed()),
        Ok(_) if response.status != 472 => Ok(()),
        // Whoever may not see the health may still read: a gateway may hide it.
        Err(_) if matches!(response.status, 401 | 403 | 405) => Ok(()),
        _ => match answer::read(response) {
            Meaning::Lost(failed) | Meaning::Failed(failed) => Err(failed),
            Meaning::Success(body) => Err(answer::not_json(&body.0)),
            Meaning::Missing | Meaning::Denied => Err(answer::not_json(b"")),
        },
    }
}

/// Gets a token the way that the config says.
pub(super) async fn login(config: &StoreConfig, connection: &Connection, env: Env<'_>) -> Result<Token, Failed> {
    match &config.auth {
        StoreAuth::Ambient => token(&ambient(env)?),
        StoreAuth::TokenEnv(name) => token(&from_env(name, env)?),
        StoreAuth::TokenFile(path) => token(&from_file(&config.root.join(path))?),
        StoreAuth::AppRole { mount, role_id, secret_id_env, secret_id_file } => {
            let secret_id = match (secret_id_env, secret_id_file) {
                (Some(name), _) => Some(from_env(name, env)?),
                (None, Some(path)) => Some(from_file(&config.root.join(path))?),
                (None, None) => None,
            };
            app_role(connection, mount.trim_matches('/'), role_id, secret_id.as_ref()).await
        }
    }
}

fn ambient(env: Env<'_>) -> Result<Secret, Failed> {
    if let Some(value) = env("VAULT_TOKEN") {
        return Ok(Secret::from(value.trim()));
    }
    let file = env("HOME").map(|home| Path::new(&home).join(".vault-token")).filter(|file| file.exists());
    match file {
        Some(file) => from_file(&file),
        None => Err(missing("there is no token: neither VAULT_TOKEN nor ~/.vault-token is there")),
    }
}

fn from_env(name: &str, env: Env<'_>) -> Result<Secret, Failed> {
    let value = env(name).map(Zeroizing::new);
    let value = value.ok_or_else(|| missing(&format!("the environment variable {name} is not set")))?;
    Ok(Secret::from(value.trim()))
}

fn from_file(path: &Path) -> Result<Secret, Failed> {
    let unusable = |why: &str| missing(&format!("the file {} cannot be used: {why}", path.display()));
    let bytes = read_small(path).map_err(|error| unusable(&error.to_string()))?;
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Err(unusable("it is empty")),
        Ok(text) => Ok(Secret::from(text)),
        Err(_) => Err(unusable("it is not UTF-8")),
    }
}

fn missing(what: &str) -> Failed {
    Failed::new(GapReason::Unauthenticated, what)
        .hint("log in (vault login), set VAULT_TOKEN, or say in the store's auth how to log in")
}

/// The token of a secret, if a header can hold it.
fn token(secret: &Secret) -> Result<Token, Failed> {
    let mut header = HeaderValue::from_str(secret.expose())
        .map_err(|_| missing("the token has characters that no token has: is it the right variable or file?"))?;
    header.set_sensitive(true);
    Ok(Token { header, is_own: false })
}

/// <https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle>
async fn app_role(
    connection: &Connection,
    mount: &str,
    role_id: &str,
    secret_id: Option<&Secret>,
) -> Result<Token, Failed> {
    let refused = || {
        Failed::new(GapReason::Unauthenticated, format!("the AppRole login at auth/{mount} was refused"))
            .hint("check role_id and the secret id: it may have run out or been used up")
    };
    let secret_id = secret_id.map_or("", Secret::expose).to_owned();
    let mut login = LoginWithApproleRequest { mount: mount.to_owned(), role_id: role_id.to_owned(), secret_id };
    let Call { path, body } = Call::of(&login);
    login.secret_id.zeroize();
    let request = Request { path: &[&path], namespaced: true, body, ..Request::default() };
    let response = connection.send(request).await?;
    if response.status == 400 {
        return Err(refused());
    }
    match answer::read(response) {
        Meaning::Success(body) => {
            let auth = serde_json::from_slice::<EndpointResult<IgnoredAny>>(&body.0).ok().and_then(|login| login.auth);
            let auth = auth.ok_or_else(|| answer::not_json(&body.0))?;
            Ok(Token { is_own: true, ..token(&Secret::new(auth.client_token))? })
        }
        Meaning::Denied | Meaning::Missing => Err(refused()),
        Meaning::Failed(failed) | Meaning::Lost(failed) => Err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_file() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().to_str().expect("UTF-8").to_owned();
        let env = |token: Option<&'static str>| {
            let path = path.clone();
            move |name: &str| match name {
                "VAULT_TOKEN" => token.map(str::to_owned),
                "HOME" => Some(path.clone()),
                _ => None,
            }
        };
        let found = |token| ambient(&env(token)).map(|secret| secret.expose().to_owned()).map_err(|failed| failed.what);
        assert!(found(None).expect_err("none").starts_with("there is no token"));
        std::fs::write(home.path().join(".vault-token"), "s.file\n").expect("written");
        assert_eq!(found(None), Ok("s.file".into()));
        assert_eq!(found(Some(" s.env\n")), Ok("s.env".into()));
    }

    #[test]
    fn a_token_that_is_none_is_told_and_not_shown() {
        let failed = token(&Secret::from("hunter2\nhunter3")).err().expect("refused");
        assert_eq!(failed.reason, GapReason::Unauthenticated);
        assert!(!format!("{failed:?}").contains("hunter"));
        for (content, why) in [(&b""[..], "it is empty"), (b" \n", "it is empty"), (b"\xff", "it is not UTF-8")] {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), content).expect("written");
            assert!(from_file(file.path()).expect_err("refused").what.ends_with(why), "{why}");
        }
        assert!(from_file(Path::new("/dev/zero")).expect_err("refused").what.ends_with("not a regular file"));
        assert_eq!(from_env("NOPE", &|_| None).expect_err("unset").what, "the environment variable NOPE is not set");
    }
}
