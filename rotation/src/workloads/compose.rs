//! Services of Docker Compose: `compose:deploy/compose.yaml/api`, or `compose:api` of the scanned folder.
//!
//! A container keeps the environment that it was made with: `docker compose restart` reads no `env_file` again. So the
//! containers of the service are made anew (`up -d --no-deps --force-recreate`), and where `env` says which variable
//! holds which item, that is the proof: what the new containers have in it is compared, in memory.
//!
//! # Guarantees
//! 1. No other service is touched, and there are as many containers as before.
//! 2. No value is an argument. What `docker inspect` prints stays in memory that is wiped.
//! 3. It is done only when every container was made after `load`, runs, is healthy where it has a health check, and has
//!    the new values that `env` names.
//!
//! # Assumptions
//! * The compose file is as it was when the service was started: whatever else was changed in it comes into effect too.
//!   What it takes from the environment of whoever runs Compose is in a `.env` file beside it, or named in `inherit`.
//! * Between the old and the new container of a service nobody serves, unless it has several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use futures::FutureExt;
use keytrail_rules::model::Secret;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Mark, Progress, Values, Workload, WorkloadKind, credential_of, obstacles};
use crate::context::{Act, Context};
use crate::credential::{Credential, same};
use crate::failure::Failure;
use crate::plan::workload::{Project, compose_service};
use crate::process::{Ended, Program};
use crate::settings::Settings;

/// Services of Docker Compose.
pub(super) static KIND: WorkloadKind = WorkloadKind {
    name: "compose",
    about: "makes the containers of a service of Docker Compose anew",
    open: |place, settings| Ok(Box::new(Compose::new(place, settings)?)),
};

/// How long the containers may take to stop and start: ten seconds are what Compose gives each to stop.
const RECREATION: Duration = Duration::from_secs(300);

/// What `docker` itself reads of the environment (<https://docs.docker.com/reference/cli/docker/#environment-variables>),
/// and what Compose does.
const ENVIRONMENT: &[&str] = &[
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
    "COMPOSE_FILE",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_PROJECT_NAME",
    "COMPOSE_PROFILES",
    "COMPOSE_ENV_FILES",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
];

/// Its table.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Table {
    /// `--host` of `docker`.
    host: Option<String>,
    /// `--context` of `docker`.
    context: Option<String>,
    /// `--config` of `docker`: a folder.
    config: Option<PathBuf>,
    /// The variable of the container that holds an item, by the item's id or key.
    env: BTreeMap<String, String>,
    /// Variables of Keytrail's own environment that the compose file uses.
    inherit: Vec<String>,
}

struct Compose {
    /// Between `compose` and its command.
    project: Vec<String>,
    service: String,
    table: Table,
}

impl Compose {
    fn new(place: &str, settings: &Settings) -> Result<Self, Failure> {
        let unclear = || {
            Failure::not_done(format!("compose:{place} names no service"))
                .hint("write compose:FILE/SERVICE, or compose:SERVICE")
        };
        let (project, service) = compose_service(place).ok_or_else(unclear)?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !service.starts_with(|c: char| c.is_ascii_alphanumeric()) || !service.chars().all(is_part) {
            return Err(unclear());
        }
        let project: Vec<&str> = match project {
            Project::Here => vec![],
            Project::Folder(folder) => vec!["--project-directory", folder],
            Project::File(file) => vec!["-f", file],
        };
        let project = project.into_iter().map(str::to_owned).collect();
        Ok(Self { project, service: service.to_owned(), table: settings.read()? })
    }

    fn docker(&self, context: &Context, limit: Duration) -> Result<Program, Failure> {
        let mut docker = Program::find("docker", &context.folder, limit)?;
        docker = docker.inherit(ENVIRONMENT).inherit(&self.table.inherit);
        for (option, value) in [("--host", &self.table.host), ("--context", &self.table.context)] {
            if let Some(value) = value {
                docker = docker.arguments([option, value]);
            }
        }
        match &self.table.config {
            // It is started in the scanned folder, so that the path may be as it is.
            Some(folder) => Ok(docker.arguments(["--config".as_ref(), folder.as_os_str()])),
            None => Ok(docker),
        }
    }

    fn compose(&self, context: &Context, limit: Duration) -> Result<Program, Failure> {
        Ok(self.docker(context, limit)?.arguments(["compose"]).arguments(&self.project))
    }

    /// The ids of the service's containers, running or not; `None` where Compose knows no such service, or nothing at
    /// all.
    async fn ids(&self, context: &Context) -> Result<Option<BTreeSet<String>>, Failure> {
        let list = self.compose(context, context.timeout)?.arguments(["ps", "--all", "--quiet", &self.service]);
        let ended = list.run(b"").await?;
        if !ended.is_success() {
            return Ok(None);
        }
        let text = std::str::from_utf8(&ended.output).map_err(|_| odd("docker compose ps"))?;
        let ids: BTreeSet<String> = text.split_whitespace().map(str::to_owned).collect();
        let is_id = |id: &String| id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if ids.iter().all(is_id) { Ok(Some(ids)) } else { Err(odd("docker compose ps")) }
    }

    /// What the engine knows of containers; `None` where one of them has gone meanwhile.
    async fn inspect(&self, context: &Context, ids: &BTreeSet<String>) -> Result<Option<Ended>, Failure> {
        let inspect = self.docker(context, context.timeout)?.arguments(["inspect", "--type", "container"]);
        let ended = inspect.arguments(ids).run(b"").await?;
        Ok(ended.is_success().then_some(ended))
    }

    fn by_hand(&self) -> String {
        let words: Vec<&str> = self.project.iter().map(String::as_str).collect();
        let words = ["docker", "compose"].into_iter().chain(words).chain(["ps", &self.service]);
        format!("run it by hand to see why: {}", words.collect::<Vec<_>>().join(" "))
    }

    async fn obstacles(&self, context: &Context) -> Result<Vec<String>, Failure> {
        let version = self.docker(context, context.timeout)?.arguments(["compose", "version", "--short"]);
        if !version.run(b"").await?.is_success() {
            return Ok(vec!["docker has no compose plugin (version 2): install it".to_owned()]);
        }
        let Some(ids) = self.ids(context).await? else {
            let obstacle =
                format!("Compose does not know the service {}, or has no engine; {}", self.service, self.by_hand());
            return Ok(vec![obstacle]);
        };
        if ids.is_empty() {
            return Ok(vec![format!("the service {} has no container: start it first", self.service)]);
        }
        let Some(ended) = self.inspect(context, &ids).await? else {
            return Ok(vec![format!("the containers of {} come and go", self.service)]);
        };
        let containers = read(&ended.output)?;
        let mut obstacles: Vec<String> = containers.iter().filter_map(Container::obstacle).collect();
        for variable in self.table.env.values() {
            let without = containers.iter().filter(|container| container.variable(variable).is_none());
            obstacles.extend(without.map(|container| format!("{} has no variable {variable}", container.name())));
        }
        Ok(obstacles)
    }

    async fn recreate(&self, context: &Context) -> Result<Mark, Failure> {
        let unclear =
            || Failure::not_done(format!("Compose gives no containers of {}", self.service)).hint(self.by_hand());
        let before = self.ids(context).await?.ok_or_else(unclear)?;
        let mut up = self.compose(context, RECREATION)?.arguments(["up", "-d", "--no-deps", "--force-recreate"]);
        if before.len() > 1 {
            // Else it becomes what the file says, whatever was started by hand.
            up = up.arguments(["--scale".to_owned(), format!("{}={}", self.service, before.len())]);
        }
        let ended = up.arguments([&self.service]).run(b"").await?;
        if !ended.is_success() {
            let what = format!("docker compose up of {} {}", self.service, ended.words());
            return Err(Failure::unknown(what).hint(self.by_hand()));
        }
        Ok(Mark(Vec::from_iter(before).join(",")))
    }

    async fn look(&self, context: &Context, mark: &Mark, values: &Values<'_>) -> Result<Progress, Failure> {
        let unclear =
            || Failure::unknown(format!("Compose gives no containers of {}", self.service)).hint(self.by_hand());
        let ids = self.ids(context).await?.ok_or_else(unclear)?;
        if ids.is_empty() {
            return Ok(Progress::Waiting("there is no container".to_owned()));
        }
        if let Some(old) = mark.0.split(',').find(|id| ids.contains(*id)) {
            return Ok(Progress::Waiting(format!("container {} is the one from before", short(old))));
        }
        let Some(ended) = self.inspect(context, &ids).await? else {
            return Ok(Progress::Waiting("containers come and go".to_owned()));
        };
        let containers = read(&ended.output)?;
        let progress = containers.iter().map(|container| container.progress(&self.table.env, values));
        Ok(worst(progress))
    }
}

/// A failure before a failure: one container that will not come decides, then one that is awaited.
fn worst(each: impl Iterator<Item = Progress>) -> Progress {
    each.max_by_key(|progress| match progress {
        Progress::Done => 0,
        Progress::Waiting(_) => 1,
        Progress::Failed(_) => 2,
    })
    .unwrap_or(Progress::Done)
}

fn odd(what: &str) -> Failure {
    Failure::unknown(format!("{what} prints what is not understood")).hint("check the version of Docker")
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// What is read of a container (<https://docs.docker.com/reference/api/engine/>, ContainerInspect).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container<'a> {
    id: String,
    state: State,
    #[serde(borrow)]
    config: Config<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    exit_code: i64,
    health: Option<Health>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config<'a> {
    /// `NAME=value` each, as JSON: none is copied before it is asked for.
    #[serde(borrow, default)]
    env: Option<Vec<&'a RawValue>>,
}

fn read(output: &[u8]) -> Result<Vec<Container<'_>>, Failure> {
    serde_json::from_slice(output).map_err(|_| odd("docker inspect"))
}

impl Container<'_> {
    fn name(&self) -> String {
        format!("container {}", short(&self.id))
    }

    fn variable(&self, name: &str) -> Option<Secret> {
        self.config.env.iter().flatten().find_map(|line| {
            let line = Zeroizing::new(serde_json::from_str::<String>(line.get()).ok()?);
            let (_, value) = line.split_once('=').filter(|(variable, _)| *variable == name)?;
            Some(Secret::from(value))
        })
    }

    fn health(&self) -> &str {
        self.state.health.as_ref().map_or("none", |health| &health.status)
    }

    fn obstacle(&self) -> Option<String> {
        let state = match (self.state.status.as_str(), self.health()) {
            ("running", "none" | "healthy") => return None,
            ("running", "starting") => "is starting",
            ("running", _) => "is not healthy",
            ("restarting", _) => "is restarting",
            _ => "does not run",
        };
        Some(format!("{} {state}", self.name()))
    }

    fn progress(&self, env: &BTreeMap<String, String>, values: &Values<'_>) -> Progress {
        let name = self.name();
        // What a container was made with it keeps: another value will not change any more.
        for (item, variable) in env {
            let Some(expected) = credential_of(values, item).and_then(Credential::value) else {
                continue;
            };
            if !self.variable(variable).is_some_and(|held| same(&held, expected)) {
                return Progress::Failed(format!("{name} was made anew with another {variable} than the stores hold"));
            }
        }
        match (self.state.status.as_str(), self.health()) {
            ("running", "none" | "healthy") => Progress::Done,
            ("running", "unhealthy") => Progress::Failed(format!("{name} is not healthy")),
            ("running", _) => Progress::Waiting(format!("{name} is starting")),
            ("created" | "restarting", _) => Progress::Waiting(format!("{name} does not run yet")),
            ("exited" | "dead", _) => Progress::Failed(format!("{name} ended with {}", self.state.exit_code)),
            _ => Progress::Waiting(format!("{name} does not run")),
        }
    }
}

impl Workload for Compose {
    fn preflight<'a>(&'a self, context: &'a Context) -> Act<'a, Vec<String>> {
        self.obstacles(context).map(obstacles).boxed()
    }

    fn load<'a>(&'a self, context: &'a Context, _: &'a Values<'a>, _: &'a Values<'a>) -> Act<'a, Mark> {
        self.recreate(context).boxed()
    }

    fn progress<'a>(&'a self, context: &'a Context, mark: &'a Mark, values: &'a Values<'a>) -> Act<'a, Progress> {
        self.look(context, mark, values).boxed()
    }
}

#[cfg(test)]
mod tests;
