//! Systems whose credentials only a person can make, at a console: the steps are told, the value is read and tried.
//!
//! # Guarantees
//! 1. The value is read from the terminal without being shown, and leaves it for the credential alone.
//! 2. A value that does not look like one, is the current one, or fails its own checksum is asked for again.
//! 3. Nothing counts as done that the person did not confirm by typing `yes`, or that the system did not prove.
//! 4. One dialogue is held at a time, however many rotations run.
//!
//! # Assumptions
//! The person does what the steps say, and calls what is made by the name that they give.

mod guided;
#[cfg_attr(not(unix), path = "human/nobody.rs")]
mod terminal;

use std::sync::{Arc, Mutex, PoisonError};

use keytrail_rules::detectors::Checksum;
use keytrail_rules::model::Secret;
use regex::Regex;
use serde::Deserialize;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Outcome};
use crate::http::Verify;
use crate::state::Answer;
use guided::Guided;
pub(super) use terminal::terminal;

/// See the module.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "human",
    about: "tells a person what to do at a console, and reads the value without showing it",
    open: |settings| Ok(Box::new(Human::of(settings.read()?, terminal())?)),
};

/// How often a value or a confirmation is asked for.
const TRIES: usize = 3;

/// Whom Keytrail talks to. Calls wait for the person.
pub(super) trait Person: Send + Sync {
    /// Why nobody can be asked.
    fn obstacle(&self) -> Option<String>;

    /// Writes a line.
    fn tell(&self, line: &str) -> Result<(), Failure>;

    /// Shows a value until the person has taken it, and leaves nothing of it on the screen.
    fn show(&self, value: &Secret) -> Result<(), Failure>;

    /// Reads a line that is not shown.
    fn ask_hidden(&self, prompt: &str) -> Result<Secret, Failure>;

    /// Reads a line.
    fn ask(&self, prompt: &str) -> Result<String, Failure>;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// One of the systems that Keytrail knows the steps of.
    system: Option<String>,
    /// What to do for a new value; `{name}` is what it is to be called.
    steps: Option<Vec<String>>,
    /// What to do to end one.
    revoke_steps: Option<Vec<String>>,
    /// A regular expression that the whole value matches.
    format: Option<String>,
    verify: Option<Verify>,
    #[serde(default)]
    overlap: OverlapName,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OverlapName {
    #[default]
    Both,
    One,
}

struct Human {
    person: Arc<dyn Person>,
    steps: Vec<String>,
    revoke_steps: Vec<String>,
    format: Option<Arc<Regex>>,
    checksum: Option<Checksum>,
    verify: Option<Verify>,
    overlap: Overlap,
}

impl Human {
    fn of(table: Table, person: Arc<dyn Person>) -> Result<Self, Failure> {
        let guided = table.system.as_deref().map(Guided::find).transpose()?;
        let own = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect();
        let steps = table.steps.or_else(|| guided.map(|guided| own(guided.steps))).unwrap_or_default();
        if steps.is_empty() {
            return Err(Failure::not_done("there are no steps for the person")
                .hint(format!("add `steps = [\"…\"]`, or system = one of {}", Guided::names())));
        }
        let usual = || vec!["Delete it where it was made.".to_owned()];
        let revoke_steps = table.revoke_steps.or_else(|| guided.map(|guided| own(guided.revoke)));
        let format = table.format.or_else(|| guided?.format.map(str::to_owned));
        let format = format.map(|format| whole(&format)).transpose()?.map(Arc::new);
        let verify = table.verify.or_else(|| guided?.verify());
        verify.as_ref().map_or(Ok(()), Verify::validate)?;
        let overlap = match table.overlap {
            OverlapName::Both => Overlap::Both,
            OverlapName::One => Overlap::One,
        };
        Ok(Self {
            person,
            steps,
            revoke_steps: revoke_steps.unwrap_or_else(usual),
            format,
            checksum: guided.and_then(|guided| guided.checksum),
            verify,
            overlap,
        })
    }

    /// Whether the system proves that a credential is dead already.
    async fn is_rejected(&self, context: &Context, credential: &Credential) -> bool {
        matches!(self.answer(context, credential).await, Answer::Rejected)
    }

    async fn answer(&self, context: &Context, credential: &Credential) -> Answer {
        match (&self.verify, credential.value()) {
            (Some(verify), Some(value)) => verify.ask(context, value).await,
            _ => Answer::Unknown,
        }
    }

    /// Has a person end a value, and confirm it.
    ///
    /// # Errors
    /// `Unknown` in any case: that nobody can do it now is no reason for the rotation to turn back. It waits.
    async fn end(&self, what: String) -> Result<(), Failure> {
        let steps = self.revoke_steps.clone();
        confirm(self.person.clone(), move |person| {
            person.tell(&what)?;
            tell_steps(person, &steps)
        })
        .await
        .map_err(|failure| Failure { outcome: Outcome::Unknown, ..failure })
    }
}

fn whole(format: &str) -> Result<Regex, Failure> {
    Regex::new(&format!("^(?:{format})$"))
        .map_err(|_| Failure::not_done("`format` is no regular expression").hint("see https://docs.rs/regex"))
}

/// What a run's value is called.
fn name(context: &Context) -> String {
    format!("keytrail-{}", context.run)
}

fn tell_steps(person: &dyn Person, steps: &[String]) -> Result<(), Failure> {
    steps.iter().enumerate().try_for_each(|(at, step)| person.tell(&format!("  {}. {step}", at + 1)))
}

/// Holds a dialogue on a thread of its own: it waits for a person.
async fn dialogue<T: Send + 'static>(
    person: Arc<dyn Person>,
    talk: impl FnOnce(&dyn Person) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    static ONE: Mutex<()> = Mutex::new(());
    let held = tokio::task::spawn_blocking(move || {
        let _turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        talk(&*person)
    });
    held.await.unwrap_or_else(|_| Err(Failure::unknown("the dialogue was cut off")))
}

/// Tells a person something to do, and has it confirmed.
///
/// # Errors
/// `NotDone`: there is nobody, or the answer is no. `Unknown`: there is no answer.
pub(super) async fn confirm(
    person: Arc<dyn Person>,
    tell: impl FnOnce(&dyn Person) -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    dialogue(person, move |person| {
        refuse_absence(person)?;
        tell(person)?;
        for _ in 0..TRIES {
            match person.ask("Is it done? Type yes or no: ")?.trim() {
                "yes" => return Ok(()),
                "no" => {
                    return Err(Failure::not_done("it was not done, as the person at the terminal says")
                        .hint("go on when it can be: `keytrail rotate --resume`"));
                }
                _ => person.tell("Please type yes or no.")?,
            }
        }
        Err(Failure::unknown("nobody said if it was done").hint("go on with `keytrail rotate --resume`"))
    })
    .await
}

fn refuse_absence(person: &dyn Person) -> Result<(), Failure> {
    person.obstacle().map_or(Ok(()), |obstacle| {
        Err(Failure::not_done(obstacle).hint("run `keytrail rotate --resume` at a terminal"))
    })
}

/// What is wrong with a value, in words without it.
fn fault(
    value: &Secret,
    old: Option<&Secret>,
    format: Option<&Regex>,
    checksum: Option<Checksum>,
) -> Option<&'static str> {
    let text = value.expose();
    match () {
        () if text.is_empty() => Some("Nothing was entered."),
        () if old.is_some_and(|old| old.expose() == text) => Some("That is the current value, not a new one."),
        () if text.chars().any(char::is_control) => Some("It has control characters."),
        () if format.is_some_and(|format| !format.is_match(text)) => Some("It does not look like such a value."),
        () if checksum.is_some_and(|checksum| !checksum.holds(text.as_bytes())) => {
            Some("Its checksum is wrong: a character is missing or mistyped.")
        }
        () => None,
    }
}

impl Issuer for Human {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Issuer, overlap: self.overlap, answers: self.verify.is_some() }
    }

    fn preflight<'a>(&'a self, _: &'a Context, _: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(async { Ok(self.person.obstacle().into_iter().collect()) })
    }

    fn choose(&self, _: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        Ok(None)
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        _: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        Box::pin(async move {
            let name = name(context);
            let steps: Vec<String> = self.steps.iter().map(|step| step.replace("{name}", &name)).collect();
            let old = old.and_then(Credential::value).map(|old| Secret::from(old.expose()));
            let (format, checksum) = (self.format.clone(), self.checksum);
            let value = dialogue(self.person.clone(), move |person| {
                refuse_absence(person)?;
                person.tell(&format!("A new value is needed. Call it {name}; delete another of that name first."))?;
                tell_steps(person, &steps)?;
                for _ in 0..TRIES {
                    let value = person.ask_hidden("New value (not shown): ")?;
                    match fault(&value, old.as_ref(), format.as_deref(), checksum) {
                        None => return Ok(value),
                        Some(fault) => person.tell(fault)?,
                    }
                }
                Err(Failure::unknown("no new value was entered").hint("go on with `keytrail rotate --resume`"))
            });
            value.await.map(Credential::of_value)
        })
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        Box::pin(async move { Ok(self.answer(context, credential).await) })
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        _: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(async move {
            if let Some(new) = new
                && self.is_rejected(context, new).await
            {
                return Ok(());
            }
            let name = name(context);
            self.end(format!("The rotation turned back. End the new value, which is called {name}, if there is one."))
                .await
        })
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, _: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(async move {
            if self.is_rejected(context, old).await {
                return Ok(());
            }
            let name = name(context);
            self.end(format!("The new value is in use. End the old one: not {name}, but the one before it.")).await
        })
    }
}

#[cfg(all(test, unix))]
mod tests;
