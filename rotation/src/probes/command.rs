//! A program of the user's: `{ command = ["ops/smoke", "--deep"] }`. Exit status 0 is healthy, any other unhealthy.
//!
//! It is started without a shell. Its environment holds `KEYTRAIL_RUN`, `KEYTRAIL_MOMENT` (`before` or `after`) and what
//! `env` names. With `values = true` it gets the credentials as one line of JSON on standard input, by item id and part:
//! `{"version": 1, "values": {"DB_PASSWORD": {"value": "…"}}}`. What it prints is thrown away.

use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::{Health, Moment, Probe, ProbeKind};
use crate::context::{Act, Context};
use crate::failure::{Failure, Outcome};
use crate::process::Program;
use crate::process::message::{Exposed, exposed, json};
use crate::settings::{Settings, Span};
use crate::workloads::Values;

/// A program of the user's.
pub(super) static KIND: ProbeKind = ProbeKind {
    name: "command",
    about: "runs a program; exit status 0 is healthy",
    open: |settings| Ok(Box::new(Command::new(settings)?)),
};

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    command: Vec<String>,
    /// How long it may take; as long as a request without it.
    timeout: Option<Span>,
    /// Whether it is told the values.
    #[serde(default)]
    values: bool,
    /// Variables of Keytrail's own environment that it gets.
    #[serde(default)]
    env: Vec<String>,
}

struct Command {
    program: String,
    table: Table,
}

/// What it is told.
#[derive(Serialize)]
struct Message<'a> {
    version: u64,
    values: Exposed<'a>,
}

impl Command {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let mut table: Table = settings.read()?;
        if table.command.is_empty() {
            return Err(Failure::not_done("`command` is empty").hint("write [\"program\", \"argument\"]"));
        }
        Ok(Self { program: table.command.remove(0), table })
    }

    async fn run(&self, context: &Context, moment: &Moment, values: &Values<'_>) -> Result<Health, Failure> {
        let limit = self.table.timeout.map_or(context.timeout, |span| span.0);
        let program = Program::find(&self.program, &context.folder, limit)?;
        let moment = if *moment == Moment::Before { "before" } else { "after" };
        let program = program.variable("KEYTRAIL_RUN", &context.run).variable("KEYTRAIL_MOMENT", moment);
        let program = program.inherit(&self.table.env).arguments(&self.table.command);
        let input = match self.table.values {
            true => Some(json(&Message { version: 1, values: exposed(values) })?),
            false => None,
        };
        match program.run(input.as_deref().map_or(b"", Vec::as_slice)).await {
            Ok(ended) if ended.is_success() => Ok(Health::Healthy(ended.words())),
            Ok(ended) if ended.status.is_none() => Ok(Health::Unknown(format!("{} {}", program.name(), ended.words()))),
            Ok(ended) => Ok(Health::Unhealthy(format!("{} {}", program.name(), ended.words()))),
            Err(failure) if failure.outcome == Outcome::Unknown => Ok(Health::Unknown(failure.what)),
            Err(failure) => Err(failure),
        }
    }
}

impl Probe for Command {
    fn check<'a>(&'a self, context: &'a Context, moment: &'a Moment, values: &'a Values<'a>) -> Act<'a, Health> {
        self.run(context, moment, values).boxed()
    }
}

#[cfg(all(test, unix))]
mod tests;
