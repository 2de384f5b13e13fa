//! Units of systemd on this machine: `systemd:api.service`.
//!
//! A restart reads `EnvironmentFile=` and `LoadCredential=` again; a reload is what the unit makes of it, so it is done
//! only where `action = "reload"` says that it is enough.
//!
//! # Guarantees
//! 1. One unit is acted on, never a pattern.
//! 2. A restart is done only when the unit is active in another invocation than before `load` (`InvocationID`, see
//!    systemd.exec(5)); a reload when `systemctl` says that it succeeded and the unit is active and no job is left.
//!
//! # Assumptions
//! * Keytrail may manage the unit: whether it may is known only when it tries.
//! * The unit is `active` when it serves (`Type=notify`, or a probe that shows it).

use std::time::Duration;

use futures::FutureExt;
use serde::Deserialize;

use super::{Mark, Progress, Values, Workload, WorkloadKind, obstacles};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::process::Program;
use crate::settings::Settings;

/// Units of systemd.
pub(super) static KIND: WorkloadKind = WorkloadKind {
    name: "systemd",
    about: "restarts or reloads a unit of systemd",
    open: |place, settings| Ok(Box::new(Systemd::new(place, settings)?)),
};

/// How long a reload may take; 90 s is what systemd itself allows.
const RELOAD: Duration = Duration::from_secs(100);

/// What is asked of a unit.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,InvocationID,CanReload,Job";

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    /// A unit of the user's own manager.
    user: bool,
    action: Action,
    /// Another program than the first `systemctl` in `PATH`.
    systemctl: String,
}

impl Default for Table {
    fn default() -> Self {
        Self { user: false, action: Action::Restart, systemctl: "systemctl".to_owned() }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Restart,
    Reload,
}

struct Systemd {
    unit: String,
    table: Table,
}

impl Systemd {
    fn new(unit: &str, settings: &Settings) -> Result<Self, Failure> {
        // systemd.unit(5): what a name is made of; an escaped character is `\xNN`.
        let is_part = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        let has_type = unit.rsplit_once('.').is_some_and(|(name, kind)| !name.is_empty() && !kind.is_empty());
        if !has_type || unit.starts_with('-') || !unit.chars().all(is_part) {
            let failure = Failure::not_done(format!("systemd:{unit} names no unit"));
            return Err(failure.hint("write it whole: systemd:api.service"));
        }
        Ok(Self { unit: unit.to_owned(), table: settings.read()? })
    }

    fn systemctl(&self, context: &Context, limit: Duration) -> Result<Program, Failure> {
        let program = Program::find(&self.table.systemctl, &context.folder, limit)?;
        let program = program.inherit(&["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"]);
        let program = program.arguments(["--no-pager", "--no-ask-password"]);
        Ok(if self.table.user { program.arguments(["--user"]) } else { program })
    }

    async fn state(&self, context: &Context) -> Result<State, Failure> {
        let show = self.systemctl(context, context.timeout)?.arguments(["show", PROPERTIES, "--", &self.unit]);
        let ended = show.run(b"").await?;
        if !ended.is_success() {
            let failure = Failure::unknown(format!("systemctl show {} {}", self.unit, ended.words()));
            return Err(failure.hint("check that systemd runs here"));
        }
        Ok(State::read(&String::from_utf8_lossy(&ended.output)))
    }

    async fn obstacles(&self, context: &Context) -> Result<Vec<String>, Failure> {
        let (state, unit) = (self.state(context).await?, &self.unit);
        let mut obstacles = Vec::new();
        if state.load != "loaded" {
            return Ok(vec![format!("the unit {unit} is {}, not loaded", state.load)]);
        }
        if state.active != "active" {
            obstacles.push(format!("the unit {unit} is {} ({}), not active", state.active, state.sub));
        }
        if state.has_job {
            obstacles.push(format!("the unit {unit} has a job that has not ended"));
        }
        if self.table.action == Action::Reload && !state.can_reload {
            obstacles.push(format!("the unit {unit} cannot be reloaded: write action = \"restart\""));
        }
        Ok(obstacles)
    }

    async fn act(&self, context: &Context) -> Result<Mark, Failure> {
        let before = self.state(context).await?;
        let (limit, words) = match self.table.action {
            Action::Restart => (context.timeout, ["restart", "--no-block", "--"].as_slice()),
            Action::Reload => (RELOAD, ["reload", "--"].as_slice()),
        };
        let ended = self.systemctl(context, limit)?.arguments(words).arguments([&self.unit]).run(b"").await?;
        if ended.is_success() {
            return Ok(Mark(before.invocation));
        }
        let what = format!("systemctl {} {} {}", words[0], self.unit, ended.words());
        Err(Failure::unknown(what)
            .hint(format!("see systemctl status {}, and whether Keytrail may manage it", self.unit)))
    }

    async fn look(&self, context: &Context, mark: &Mark) -> Result<Progress, Failure> {
        let state = self.state(context).await?;
        let is_anew = !state.invocation.is_empty() && state.invocation != mark.0;
        Ok(match state.active.as_str() {
            "failed" => Progress::Failed(format!("the unit {} has failed ({})", self.unit, state.result)),
            _ if state.has_job => Progress::Waiting("its job has not ended".to_owned()),
            "active" if is_anew || self.table.action == Action::Reload => Progress::Done,
            "active" => Progress::Waiting("it is the invocation from before".to_owned()),
            "inactive" => Progress::Failed(format!("the unit {} has ended", self.unit)),
            other => Progress::Waiting(format!("it is {other} ({})", state.sub)),
        })
    }
}

/// What is known of a unit.
#[derive(Default)]
struct State {
    load: String,
    active: String,
    sub: String,
    result: String,
    invocation: String,
    can_reload: bool,
    has_job: bool,
}

impl State {
    fn read(text: &str) -> Self {
        let mut state = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            // Words of systemd's own; what is not one is not shown.
            let is_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let word = if is_word { value.to_owned() } else { "?".to_owned() };
            match name {
                "LoadState" => state.load = word,
                "ActiveState" => state.active = word,
                "SubState" => state.sub = word,
                "Result" => state.result = word,
                "InvocationID" => state.invocation = word,
                "CanReload" => state.can_reload = value == "yes",
                // The number of the job and its object; 0 or empty without one.
                "Job" => state.has_job = !matches!(value, "" | "0"),
                _ => {}
            }
        }
        state
    }
}

impl Workload for Systemd {
    fn preflight<'a>(&'a self, context: &'a Context) -> Act<'a, Vec<String>> {
        self.obstacles(context).map(obstacles).boxed()
    }

    fn load<'a>(&'a self, context: &'a Context, _: &'a Values<'a>, _: &'a Values<'a>) -> Act<'a, Mark> {
        self.act(context).boxed()
    }

    fn progress<'a>(&'a self, context: &'a Context, mark: &'a Mark, _: &'a Values<'a>) -> Act<'a, Progress> {
        self.look(context, mark).boxed()
    }
}

#[cfg(all(test, unix))]
mod tests;
