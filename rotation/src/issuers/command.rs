//! An executable that talks to an issuer of its own. The protocol is in `command.md`, beside this file.
//!
//! # Guarantees
//! 1. Values go to the program by standard input alone, and come by standard output: none is in its arguments or its
//!    environment, which is empty but for `PATH`, `HOME`, `LANG` and the variables that the table names.
//! 2. The program and whatever it started are killed when the time is over, when it says too much, or when the call is given
//!    up.
//! 3. What it says is bounded. Its standard error is counted, and never shown; a message is shown unless it holds a value.
//! 4. A program that ends in any other way than by a reply may have done what it was asked.
//!
//! # Assumptions
//! 1. The program does each act again without changing more, and tells `not-done` only where that is certain.
//! 2. A value that is written with escapes in JSON lies for a moment in a buffer of the parser, which does not wipe it.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::Duration;

use keytrail_rules::model::Secret;
use keytrail_rules::text::visible;
use serde::{Deserialize, Deserializer};

use super::generate::{Recipe, RecipeTable};
use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::bounded::Bounded;
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Outcome};
use crate::process::{Ended, Program};
use crate::settings::Span;
use crate::state::Answer;

/// See the module.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "command",
    about: "asks an executable of yours, in JSON",
    open: |settings| Ok(Box::new(CommandIssuer::of(settings.read()?)?)),
};

/// The version of the protocol.
const VERSION: u64 = 1;

/// Credentials are smaller by far.
const MAX_QUESTION_BYTES: usize = 4 << 20;

/// Characters of a message that are shown.
const MAX_MESSAGE: usize = 200;

/// The table of the config.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    program: String,
    #[serde(default)]
    args: Vec<String>,
    /// Limit for one act; that of the context without.
    timeout: Option<Span>,
    /// Names of variables that the program is given on purpose.
    #[serde(default)]
    env: Vec<String>,
    /// How values are made, where Keytrail does and not the program.
    generate: Option<RecipeTable>,
    #[serde(default = "both")]
    overlap: OverlapName,
    /// Whether the program can check a credential.
    #[serde(default = "yes")]
    answers: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OverlapName {
    Both,
    One,
}

fn both() -> OverlapName {
    OverlapName::Both
}

fn yes() -> bool {
    true
}

/// An issuer that is a program.
pub(super) struct CommandIssuer {
    program: String,
    args: Vec<String>,
    env: Vec<String>,
    timeout: Option<Duration>,
    recipe: Option<Recipe>,
    nature: Nature,
}

/// What a program is asked.
struct Question<'a> {
    act: &'static str,
    old: Option<&'a Credential>,
    new: Option<&'a Credential>,
}

/// What a program says.
#[derive(Deserialize)]
struct Reply {
    version: u64,
    ok: bool,
    credential: Option<BTreeMap<String, Hidden>>,
    answer: Option<AnswerName>,
    #[serde(default)]
    obstacles: Vec<String>,
    outcome: Option<OutcomeName>,
    message: Option<String>,
}

/// A value as it is read.
struct Hidden(Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AnswerName {
    Works,
    Rejected,
    Unknown,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OutcomeName {
    NotDone,
    Conflict,
    Unknown,
}

impl CommandIssuer {
    /// Of a table.
    pub(super) fn of(table: Table) -> Result<Self, Failure> {
        if table.program.is_empty() {
            return Err(Failure::not_done("`program` is empty").hint("name an executable"));
        }
        let recipe = table.generate.map(Recipe::of).transpose()?;
        let nature = Nature {
            chooser: if recipe.is_some() { Chooser::Keytrail } else { Chooser::Issuer },
            overlap: match table.overlap {
                OverlapName::Both => Overlap::Both,
                OverlapName::One => Overlap::One,
            },
            answers: table.answers,
        };
        let timeout = table.timeout.map(|span| span.0);
        Ok(Self { program: table.program, args: table.args, env: table.env, timeout, recipe, nature })
    }

    /// Runs the program for one act.
    ///
    /// # Errors
    /// It cannot be started; it says that it failed, and how; it ends without a reply.
    async fn ask(&self, context: &Context, question: &Question<'_>) -> Result<Reply, Failure> {
        let input = question.text(&context.run).map_err(|_| Failure::not_done("a credential is too large"))?;
        let limit = self.timeout.unwrap_or(context.timeout);
        let program = Program::find(&self.program, &context.folder, limit)?.inherit(&self.env).arguments(&self.args);
        let (ended, name) = (program.run(input.as_bytes()).await?, program.name());
        let reply: Option<Reply> = serde_json::from_slice(&ended.output).ok();
        let reply = reply.filter(|reply| reply.version == VERSION).ok_or_else(|| {
            Failure::unknown(format!("{name} gave no reply to {}{}", question.act, ended.told()))
                .hint("see what it does by itself: it may have done what it was asked")
        })?;
        if reply.ok && ended.is_success() {
            return Ok(reply);
        }
        Err(failed(&name, question, &reply, &ended))
    }

    /// A credential that the program tells, or the one that it was given.
    fn credential(&self, reply: Reply, chosen: Option<&Credential>) -> Result<Credential, Failure> {
        let mut credential = chosen.map(Credential::duplicate).unwrap_or_default();
        for (part, Hidden(value)) in reply.credential.into_iter().flatten() {
            credential.set(&part, value);
        }
        let kept = |chosen: &Credential| chosen.agrees_with(&credential);
        match credential.value() {
            Some(value) if !value.expose().is_empty() && chosen.is_none_or(kept) => Ok(credential),
            Some(_) => Err(Failure::unknown(format!("{} set another value than the chosen one", self.program))),
            None => Err(Failure::unknown(format!("{} told no value", self.program))
                .hint("a reply to set has credential = {\"value\": …}")),
        }
    }
}

/// What became of an act that a program says has failed.
fn failed(name: &str, question: &Question<'_>, reply: &Reply, ended: &Ended) -> Failure {
    let outcome = match reply.outcome {
        Some(OutcomeName::NotDone) if !reply.ok => Outcome::NotDone,
        Some(OutcomeName::Conflict) if !reply.ok => Outcome::Conflict,
        _ => Outcome::Unknown,
    };
    let message = reply.message.as_deref().and_then(|message| question.harmless(message, reply));
    let message = message.map_or(String::new(), |message| format!(": {message}"));
    let what = format!("{name} failed to {}{message}{}", question.act, ended.told());
    Failure { outcome, ..Failure::not_done(what) }
}

impl Question<'_> {
    /// The question as one line of JSON, in memory that is wiped.
    fn text(&self, run: &str) -> io::Result<Bounded> {
        let mut text = Bounded::new(MAX_QUESTION_BYTES);
        write!(text, "{{\"version\":{VERSION},\"act\":\"{}\",\"run\":", self.act)?;
        serde_json::to_writer(&mut text, run)?;
        for (name, credential) in [("old", self.old), ("new", self.new)] {
            let Some(credential) = credential else { continue };
            write!(text, ",\"{name}\":{{")?;
            for (at, (part, value)) in credential.parts().enumerate() {
                text.write_all(if at == 0 { b"" } else { b"," })?;
                serde_json::to_writer(&mut text, part)?;
                text.write_all(b":")?;
                serde_json::to_writer(&mut text, value.expose())?;
            }
            text.write_all(b"}")?;
        }
        text.write_all(b"}\n")?;
        Ok(text)
    }

    /// A message as it may be shown: short, with no value in it.
    fn harmless(&self, message: &str, reply: &Reply) -> Option<String> {
        let given = [self.old, self.new].into_iter().flatten().flat_map(Credential::parts).map(|(_, value)| value);
        let told = reply.credential.iter().flatten().map(|(_, Hidden(value))| value);
        let holds = |value: &Secret| !value.expose().is_empty() && message.contains(value.expose());
        if given.chain(told).any(holds) {
            return Some("its message holds a value and is not shown".to_owned());
        }
        let short: String = message.chars().take(MAX_MESSAGE).collect();
        Some(visible(short.trim()).into_owned()).filter(|short| !short.is_empty())
    }
}

impl Issuer for CommandIssuer {
    fn nature(&self) -> Nature {
        self.nature
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(async move {
            let question = Question { act: "preflight", old, new: None };
            match self.ask(context, &question).await {
                Ok(reply) => {
                    let shown = |obstacle: &String| question.harmless(obstacle, &reply);
                    let wordless = || "the program sees an obstacle that it does not name".to_owned();
                    Ok(reply.obstacles.iter().map(|obstacle| shown(obstacle).unwrap_or_else(wordless)).collect())
                }
                Err(failure) => Ok(vec![failure.what]),
            }
        })
    }

    fn choose(&self, old: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        self.recipe.as_ref().map(|recipe| recipe.make(old)).transpose()
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        Box::pin(async move {
            let reply = self.ask(context, &Question { act: "set", old, new: chosen }).await?;
            self.credential(reply, chosen)
        })
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        Box::pin(async move {
            if !self.nature.answers {
                return Ok(Answer::Unknown);
            }
            let question = Question { act: "check", old: None, new: Some(credential) };
            Ok(match self.ask(context, &question).await.map(|reply| reply.answer) {
                Ok(Some(AnswerName::Works)) => Answer::Works,
                Ok(Some(AnswerName::Rejected)) => Answer::Rejected,
                Ok(Some(AnswerName::Unknown) | None) | Err(_) => Answer::Unknown,
            })
        })
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(async move { self.ask(context, &Question { act: "withdraw", old, new }).await.map(drop) })
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(async move { self.ask(context, &Question { act: "revoke", old: Some(old), new }).await.map(drop) })
    }
}

#[cfg(all(test, unix))]
mod tests;
