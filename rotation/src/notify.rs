//! The table of who is told how a rotation ended. Each kind is one file of `notify/`.

use crate::context::{Act, Context};
use crate::failure::Opened;
use crate::settings::Settings;

/// A kind of receiver.
pub struct NotifierKind {
    /// The `kind` of a `[[notify]]`: `slack`.
    pub name: &'static str,
    /// One line of what it does, for people.
    pub about: &'static str,
    /// Makes one of its table, without `kind`. Nothing is read or sent yet.
    pub open: fn(&Settings) -> Opened<dyn Notifier>,
}

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every kind of receiver.
        pub static KINDS: &[&NotifierKind] = &[$(&$name::KIND),*];
    };
}

table![pagerduty, slack, webhook];

impl NotifierKind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

/// Who is told.
pub trait Notifier: Send + Sync {
    /// Tells it.
    fn tell<'a>(&'a self, context: &'a Context, news: &'a News) -> Act<'a, ()>;
}

/// How a rotation ended, or that it needs a person. No value is part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct News {
    /// The run.
    pub run: String,
    /// What became of it.
    pub ending: Ending,
    /// The items.
    pub items: Vec<String>,
    /// One line for people.
    pub summary: String,
    /// The next step, where there is one.
    pub next: Option<String>,
}

/// What became of a rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The new value is in use, and the old one is rejected.
    Confirmed,
    /// Everything is as before.
    RolledBack,
    /// It waits for a person.
    Stuck,
}

/// The name of an ending in what is sent.
fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Confirmed => "confirmed",
        Ending::RolledBack => "rolled-back",
        Ending::Stuck => "stuck",
    }
}

#[cfg(test)]
mod testing;
