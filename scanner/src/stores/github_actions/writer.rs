//! New values of secrets, sealed for GitHub.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use keytrail_rotation::context::{Act, Context};
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rotation::settings::Given;
use keytrail_rotation::store::{Abilities, Held, Store, Version};
use keytrail_rules::model::Secret;
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::place::{Owner, escape, is_name, repository};
use crate::config::{StoreAuth, StoreConfig};

/// GitHub takes no more bytes for a secret.
///
/// Source: <https://docs.github.com/en/actions/reference/security/secrets#limits-for-secrets>
const MAX_VALUE_BYTES: usize = 48 * 1024;
const PAGE: usize = 100;
/// GitHub lets an organisation choose so many repositories for a secret.
const MAX_REPOSITORIES: usize = 10_000;
/// As many environments are asked if they have a secret of the same name.
const MAX_ENVIRONMENTS: usize = 30;

/// Writes secrets. See the [module](super) for how.
#[derive(Debug)]
pub struct GithubActions {
    address: String,
    /// Where the token may be; the first that there is.
    token: Vec<Given>,
    /// The repository that `actions` and `environment/…` are of.
    own: Option<String>,
}

/// `GET …/actions/secrets/NAME`.
#[derive(Deserialize)]
struct Known {
    updated_at: String,
    /// Of secrets of organisations.
    visibility: Option<Visibility>,
}

/// Which repositories see a secret of an organisation.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Visibility {
    All,
    Private,
    Selected,
}

/// `GET …/actions/secrets/public-key`.
#[derive(Deserialize)]
struct SealingKey {
    key_id: String,
    key: String,
}

/// The body of `PUT …/actions/secrets/NAME`.
#[derive(Serialize)]
struct Sealed {
    encrypted_value: String,
    key_id: String,
    #[serde(flatten)]
    seen_by: Option<SeenBy>,
}

#[derive(Serialize)]
struct SeenBy {
    visibility: Visibility,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected_repository_ids: Option<Vec<u64>>,
}

#[derive(Deserialize)]
struct Repositories {
    repositories: Vec<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
}

#[derive(Deserialize)]
struct Environments {
    #[serde(default)]
    environments: Vec<NamedEnvironment>,
}

#[derive(Deserialize)]
struct NamedEnvironment {
    name: String,
}

/// Secrets of one owner, for one act.
pub(super) struct Target {
    pub(super) api: Api,
    pub(super) owner: Owner,
}

impl GithubActions {
    /// Writes at the `address` of a store with its token; where the config is silent, at `GITHUB_API_URL` with `GH_TOKEN`
    /// or `GITHUB_TOKEN`.
    ///
    /// # Errors
    /// A way to log in that GitHub does not have.
    pub fn new(config: &StoreConfig) -> Result<Self, Failure> {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let token = match &config.auth {
            StoreAuth::Ambient => vec![Given::Env("GH_TOKEN".into()), Given::Env("GITHUB_TOKEN".into())],
            StoreAuth::TokenEnv(name) => vec![Given::Env(name.clone())],
            StoreAuth::TokenFile(path) => vec![Given::File(PathBuf::from(&config.root).join(path))],
            StoreAuth::AppRole { .. } => {
                return Err(Failure::not_done(format!("the store {} logs in as none can at GitHub", config.name))
                    .hint("give it a token: auth = { method = \"token\", token_env = \"GH_TOKEN\" }"));
            }
        };
        let only = match config.mounts.as_slice() {
            [only] if only.split('/').count() == 2 => Some(only.clone()),
            _ => None,
        };
        let address = config.address.clone().or_else(|| env("GITHUB_API_URL"));
        Ok(Self {
            address: address.unwrap_or_else(|| "https://api.github.com".to_owned()),
            token,
            own: only.or_else(|| env("GITHUB_REPOSITORY")),
        })
    }

    pub(super) fn target(&self, context: &Context, path: &str) -> Result<Target, Failure> {
        let owner = Owner::parse(path, self.own.as_deref()).map_err(Failure::not_done)?;
        let mut last = None;
        for given in &self.token {
            match given.get() {
                Ok(token) => {
                    let api = Api::new(&self.address, &token, &context.user_agent(), context.timeout)?;
                    return Ok(Target { api, owner });
                }
                Err(failed) => last = Some(failed),
            }
        }
        Err(last.unwrap_or_else(|| Failure::not_done("there is no token for GitHub")))
    }
}

impl Target {
    fn secret(&self, name: &str) -> String {
        format!("the secret {name} of {}", self.owner.name())
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{}", self.owner.secrets(), escape(name))
    }

    async fn known(&self, name: &str) -> Result<Known, Failure> {
        let what = self.secret(name);
        if !is_name(name) {
            return Err(Failure::not_done(format!("{what}: GitHub takes no such name")));
        }
        self.api.get(&self.path(name)).await?.json(&what)
    }

    async fn sealing_key(&self) -> Result<(PublicKey, String), Failure> {
        let what = format!("the public key of {}", self.owner.name());
        let path = format!("{}/public-key", self.owner.secrets());
        let SealingKey { key_id, key } = self.api.get(&path).await?.json(&what)?;
        let bytes = STANDARD.decode(key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| Failure::not_done(format!("{what}: it is no key of 32 bytes")))?;
        Ok((PublicKey::from(bytes), key_id))
    }

    /// The ids of the repositories that were chosen for a secret.
    async fn chosen(&self, name: &str) -> Result<Vec<u64>, Failure> {
        let what = format!("the repositories that see {}", self.secret(name));
        let mut ids = Vec::new();
        for page in 1.. {
            let path = format!("{}/repositories?per_page={PAGE}&page={page}", self.path(name));
            let Repositories { repositories } = self.api.get(&path).await?.json(&what)?;
            let is_last = repositories.len() < PAGE;
            ids.extend(repositories.into_iter().map(|repository| repository.id));
            if is_last {
                break;
            }
            if ids.len() >= MAX_REPOSITORIES {
                return Err(Failure::not_done(format!("{what} are more than {MAX_REPOSITORIES}")));
            }
        }
        Ok(ids)
    }

    /// Who sees the secret of an organisation, which is written again with it.
    async fn seen_by(&self, name: &str, known: &Known) -> Result<Option<SeenBy>, Failure> {
        let Owner::Organisation(_) = self.owner else { return Ok(None) };
        let Some(visibility) = known.visibility else {
            return Err(Failure::unknown(format!("{}: GitHub does not say who sees it", self.secret(name))));
        };
        let selected_repository_ids = match visibility {
            Visibility::Selected => Some(self.chosen(name).await?),
            Visibility::All | Visibility::Private => None,
        };
        Ok(Some(SeenBy { visibility, selected_repository_ids }))
    }

    async fn put(&self, name: &str, value: &Secret, known: &Known) -> Result<(), Failure> {
        let what = self.secret(name);
        if value.expose().len() > MAX_VALUE_BYTES {
            return Err(Failure::not_done(format!("{what}: the value is larger than 48 KiB")));
        }
        let seen_by = self.seen_by(name, known).await?;
        let (key, key_id) = self.sealing_key().await?;
        let sealed = key.seal(&mut OsRng, value.expose().as_bytes());
        let sealed = sealed.map_err(|_| Failure::not_done(format!("{what}: the value cannot be sealed")))?;
        let body = Sealed { encrypted_value: STANDARD.encode(sealed), key_id, seen_by };
        let body = serde_json::to_string(&body).map_err(|_| Failure::not_done("no request can be made of it"))?;
        let answer = self.api.put(&self.path(name), body).await?;
        match answer.status {
            201 | 204 => Ok(()),
            _ => Err(answer.refusal(&what)),
        }
    }

    /// The times of the last writes.
    async fn times(&self, keys: impl Iterator<Item = &String>) -> Result<BTreeMap<String, Known>, Failure> {
        let mut times = BTreeMap::new();
        for key in keys {
            times.insert(key.clone(), self.known(key).await?);
        }
        Ok(times)
    }

    async fn write(&self, values: &BTreeMap<String, &Secret>, expected: &Version) -> Result<Version, Failure> {
        let before = self.times(values.keys()).await?;
        if version(&before) != *expected {
            let names: Vec<&str> = before.keys().map(String::as_str).collect();
            let what = format!("somebody else wrote {} of {} in between", names.join(", "), self.owner.name());
            return Err(
                Failure::conflict(what).hint("look at its audit log, or at when it was updated: `gh secret list`")
            );
        }
        for (name, value) in values {
            if let Some(known) = before.get(name) {
                self.put(name, value, known).await?;
            }
        }
        Ok(version(&self.times(values.keys()).await?))
    }

    async fn obstacles(&self, keys: &[String]) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        match self.sealing_key().await {
            Ok(_) => {}
            Err(failed) => found.extend(told(failed)?),
        }
        for name in keys {
            match self.known(name).await {
                Ok(known) => {
                    if let Err(failed) = self.seen_by(name, &known).await {
                        found.extend(told(failed)?);
                    }
                }
                Err(failed) => found.extend(told(failed)?),
            }
        }
        found.extend(self.lacking_scope().await?);
        Ok(found)
    }

    /// Of a classic token its scopes are known; what others may is known only once they do it.
    async fn lacking_scope(&self) -> Result<Option<String>, Failure> {
        let answer = self.api.get(&format!("{}/public-key", self.owner.secrets())).await?;
        let needed = self.owner.scope();
        let lacks = answer.scopes().is_some_and(|scopes| !scopes.is_empty() && !scopes.contains(&needed));
        Ok(lacks.then(|| {
            format!("the token has not the scope {needed}, which writing secrets of {} takes", self.owner.name())
        }))
    }

    /// A secret of an environment comes before one of the repository, and that before one of the organisation.
    ///
    /// Source: <https://docs.github.com/en/actions/concepts/security/secrets#about-secrets>
    async fn shadows(&self, keys: &[String]) -> Result<Vec<String>, Failure> {
        let Owner::Repository(name) = &self.owner else { return Ok(Vec::new()) };
        let path = format!("{}/environments?per_page={MAX_ENVIRONMENTS}", repository(name));
        let what = format!("the environments of {}", self.owner.name());
        let listed: Environments = self.api.get(&path).await?.json(&what)?;
        let mut found = Vec::new();
        for environment in listed.environments.into_iter().take(MAX_ENVIRONMENTS) {
            let owner = Owner::Environment(name.clone(), environment.name);
            for key in keys {
                let answer = self.api.get(&format!("{}/{}", owner.secrets(), escape(key))).await?;
                if answer.status == 200 {
                    let (theirs, ours) = (owner.name(), self.owner.name());
                    found.push(format!(
                        "{theirs} has a secret {key} of its own, which its jobs see instead of that of {ours}"
                    ));
                }
            }
        }
        Ok(found)
    }
}

/// The version of some secrets: when each was written last. GitHub counts seconds.
fn version(times: &BTreeMap<String, Known>) -> Version {
    match times.len() {
        1 => Version(times.values().map(|known| known.updated_at.as_str()).collect()),
        _ => {
            let each: Vec<String> = times.iter().map(|(name, known)| format!("{name}={}", known.updated_at)).collect();
            Version(each.join(","))
        }
    }
}

/// Obstacles out of a failure to look: a refusal is one, and anything else is not known.
fn told(failed: Failure) -> Result<Option<String>, Failure> {
    let Failure { outcome: Outcome::NotDone, what, hint } = failed else { return Err(failed) };
    Ok(Some(hint.map_or(what.clone(), |hint| format!("{what}: {hint}"))))
}

impl Store for GithubActions {
    fn abilities(&self) -> Abilities {
        Abilities { reads: false, compares: false, stages: false }
    }

    fn preflight<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>> {
        Box::pin(async move { self.target(context, path)?.obstacles(keys).await })
    }

    fn warnings<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>> {
        Box::pin(async move { self.target(context, path)?.shadows(keys).await })
    }

    fn read<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held> {
        Box::pin(async move {
            let times = self.target(context, path)?.times(keys.iter()).await?;
            Ok(Held { version: version(&times), values: BTreeMap::new() })
        })
    }

    fn write<'a>(
        &'a self,
        context: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
        expected: &'a Version,
    ) -> Act<'a, Version> {
        Box::pin(async move { self.target(context, path)?.write(values, expected).await })
    }
}
