//! Workloads that a program of the user's loads: `command:NAME`.
//!
//! # Protocol
//! As that of the issuer `command`: the program is started once an act, without a shell, with the `args` of its table. It
//! reads one line of JSON from standard input, writes one JSON object to standard output, and exits with 0. What it says
//! on standard error is thrown away.
//!
//! ```json
//! {"version": 1, "act": "load", "run": "kt-20261121t183000z-0f3a9c21", "consumer": "edge"}
//! {"version": 1, "ok": true, "mark": "config 41"}
//! ```
//!
//! | act | it is given besides | what it does, and replies |
//! |---|---|---|
//! | `preflight` | | Changes nothing. `obstacles`: what would keep it from loading, one sentence each |
//! | `load` | | Loads what the stores hold. `mark`: what tells this loading from an earlier one |
//! | `progress` | `mark` | How far that is. `progress`: `"done"`, `"waiting"` or `"failed"`; `message` says why |
//! | `forget` | | The credentials of before are revoked, and may be forgotten |
//!
//! With `values = true`, `load`, `progress` and `forget` are also given `values`, the credentials to be used, and `others`,
//! those that are not, by item id and part: `{"DB_PASSWORD": {"value": "…"}}`. Of `forget`, `others` are the revoked ones.
//!
//! A failure is `{"version": 1, "ok": false, "outcome": "not-done", "message": "…"}`. `not-done`: it is certain that nothing
//! was changed. `conflict`: somebody else changed it. `unknown`, no `outcome`, no reply, too long a run: it may have been
//! done. Every act may come again after it was done, and then must do no harm.
//!
//! # Guarantees
//! Values are told on standard input alone, and only where the table asks for it. Words of the program that hold one are
//! not shown.

use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::{Mark, Progress, Values, Workload, WorkloadKind, obstacles};
use crate::context::{Act, Context};
use crate::failure::Failure;
use crate::process::Program;
use crate::process::message::{Exposed, exposed, json, words};
use crate::settings::Span;

/// A program of the user's.
pub(super) static KIND: WorkloadKind = WorkloadKind {
    name: "command",
    about: "has a program load it, by a JSON protocol on standard input and output",
    open: |place, settings| Ok(Box::new(Command { name: place.to_owned(), table: settings.read()? })),
};

/// The version of the protocol.
const VERSION: u64 = 1;

/// Its table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    program: String,
    #[serde(default)]
    args: Vec<String>,
    /// How long one act may take; as long as a request without it.
    timeout: Option<Span>,
    /// Whether it is told the values.
    #[serde(default)]
    values: bool,
    /// Variables of Keytrail's own environment that it gets.
    #[serde(default)]
    env: Vec<String>,
}

struct Command {
    name: String,
    table: Table,
}

/// What it is told.
#[derive(Serialize)]
struct Message<'a> {
    version: u64,
    act: &'a str,
    run: &'a str,
    consumer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Exposed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Exposed<'a>>,
}

/// What it answers.
#[derive(Deserialize)]
struct Reply {
    version: u64,
    ok: bool,
    outcome: Option<Refused>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    obstacles: Vec<String>,
    #[serde(default)]
    mark: String,
    progress: Option<Stage>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Refused {
    NotDone,
    Conflict,
    Unknown,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    Done,
    Waiting,
    Failed,
}

/// An act, with what goes with it.
struct Asked<'a> {
    act: &'static str,
    mark: Option<&'a Mark>,
    values: &'a Values<'a>,
    others: &'a Values<'a>,
}

impl Command {
    /// Runs the program for one act; of its reply, only what may be shown.
    async fn ask(&self, context: &Context, asked: Asked<'_>) -> Result<Reply, Failure> {
        let limit = self.table.timeout.map_or(context.timeout, |span| span.0);
        let program = Program::find(&self.table.program, &context.folder, limit)?;
        let program = program.inherit(&self.table.env).arguments(&self.table.args);
        let is_told = self.table.values && asked.act != "preflight";
        let message = Message {
            version: VERSION,
            act: asked.act,
            run: &context.run,
            consumer: &self.name,
            mark: asked.mark.map(|mark| mark.0.as_str()),
            values: is_told.then(|| exposed(asked.values)),
            others: is_told.then(|| exposed(asked.others)),
        };
        let ended = program.run(&json(&message)?).await?;
        // The words of the error may quote the reply.
        let reply = serde_json::from_slice::<Reply>(&ended.output).ok().filter(|reply| reply.version == VERSION);
        let Some(reply) = reply else {
            let what = format!("{} gave no reply to {} and {}", program.name(), asked.act, ended.words());
            return Err(Failure::unknown(what).hint("see what it does by itself: it may have done what it was asked"));
        };
        let shown = |text: &str| words(text, [asked.values, asked.others]);
        let message = shown(&reply.message);
        if !reply.ok || !ended.is_success() {
            let what = format!("{} failed to {}: {message}", program.name(), asked.act);
            return Err(match reply.outcome.filter(|_| !reply.ok) {
                Some(Refused::NotDone) => Failure::not_done(what),
                Some(Refused::Conflict) => Failure::conflict(what),
                Some(Refused::Unknown) | None => Failure::unknown(what),
            });
        }
        if shown(&reply.mark) != reply.mark {
            let what = format!("the mark of {} is not one short line, or holds a value", program.name());
            return Err(Failure::unknown(what));
        }
        Ok(Reply { message, obstacles: reply.obstacles.iter().map(|text| shown(text)).collect(), ..reply })
    }
}

impl Workload for Command {
    fn preflight<'a>(&'a self, context: &'a Context) -> Act<'a, Vec<String>> {
        async move {
            let none = Values::new();
            let asked = Asked { act: "preflight", mark: None, values: &none, others: &none };
            Ok(self.ask(context, asked).await?.obstacles)
        }
        .map(obstacles)
        .boxed()
    }

    fn load<'a>(&'a self, context: &'a Context, values: &'a Values<'a>, others: &'a Values<'a>) -> Act<'a, Mark> {
        async move {
            let reply = self.ask(context, Asked { act: "load", mark: None, values, others }).await?;
            Ok(Mark(reply.mark))
        }
        .boxed()
    }

    fn progress<'a>(&'a self, context: &'a Context, mark: &'a Mark, values: &'a Values<'a>) -> Act<'a, Progress> {
        async move {
            let none = Values::new();
            let asked = Asked { act: "progress", mark: Some(mark), values, others: &none };
            let reply = self.ask(context, asked).await?;
            Ok(match reply.progress {
                Some(Stage::Done) => Progress::Done,
                Some(Stage::Waiting) => Progress::Waiting(reply.message),
                Some(Stage::Failed) => Progress::Failed(reply.message),
                None => return Err(Failure::unknown("the program does not say how far it is")),
            })
        }
        .boxed()
    }

    fn forget<'a>(&'a self, context: &'a Context, values: &'a Values<'a>, old: &'a Values<'a>) -> Act<'a, ()> {
        async move {
            self.ask(context, Asked { act: "forget", mark: None, values, others: old }).await?;
            Ok(())
        }
        .boxed()
    }
}

#[cfg(all(test, unix))]
mod tests;
