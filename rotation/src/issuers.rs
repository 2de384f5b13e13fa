//! The table of issuers: who honours a credential. Each kind is one file of `issuers/`.

use std::time::Duration;

use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Opened};
use crate::settings::Settings;
use crate::state::Answer;

/// A kind of issuer.
pub struct IssuerKind {
    /// The `kind` of an `issuer`: `postgres`.
    pub name: &'static str,
    /// One line of what it does, for people.
    pub about: &'static str,
    /// Makes one of its table in the config, without its `kind`. Nothing is read or sent yet.
    pub open: fn(&Settings) -> Opened<dyn Issuer>,
}

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every kind of issuer.
        pub static KINDS: &[&IssuerKind] = &[$(&$name::KIND),*];
    };
}

#[cfg(test)]
mod testing;

table![command, generate, grafana, human, jwt, scim];

impl IssuerKind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

/// Who honours a credential. Every act may be done again after it was done, or half done, and then changes nothing more;
/// what it makes carries the name of the run, so that what an interrupted act left behind is found.
pub trait Issuer: Send + Sync {
    /// How it is.
    fn nature(&self) -> Nature;

    /// What would keep it from honouring a new credential, in words: no free slot, no right, no reply. Changes nothing.
    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>>;

    /// A new credential, made here from the system's random source with no effect anywhere; `None` where the issuer
    /// chooses it. `old` is the current one.
    ///
    /// # Errors
    /// No random numbers; a format that cannot be.
    fn choose(&self, old: Option<&Credential>) -> Result<Option<Credential>, Failure>;

    /// Makes it honour the new credential: `chosen`, or one of its own. Gives the whole of the credential.
    fn set<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential>;

    /// Whether it honours a credential, asked over a new connection. A failure to ask is [`Answer::Unknown`].
    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer>;

    /// Undoes `set`, whole or half done: it honours the old one, and the new one no more. `new` is not known where the
    /// issuer chose it and no reply came.
    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()>;

    /// Makes it reject the old credential, and honour the new one on.
    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()>;

    /// What the consumers have to accept while both are in use, where they are who verifies it (a signing key): the text
    /// of the part `accepted`, of the credentials in that order, the one that is in use first: old and new, then new and
    /// old, then the new one alone. `None` for every other kind, whatever the credentials are.
    fn accepted(&self, _credentials: &[&Credential]) -> Option<Result<keytrail_rules::model::Secret, Failure>> {
        None
    }

    /// How long whoever verifies may go on with what it has fetched before (a cached key set). So long passes between the
    /// loading of [`Issuer::accepted`] with both and the first use of the new one.
    fn acceptance_delay(&self) -> Duration {
        Duration::ZERO
    }

    /// The shortest grace under which nothing is lost: what was made with the old credential stays valid for so long
    /// after the last use of it (a signed token). A job's grace is at least this.
    fn least_grace(&self) -> Duration {
        Duration::ZERO
    }
}

/// How an issuer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nature {
    /// Who makes up the value.
    pub chooser: Chooser,
    /// Whether it honours the old and the new one at once.
    pub overlap: Overlap,
    /// Whether it can be asked if it honours one. If not, the consumers are the only ones that know.
    pub answers: bool,
}

/// Who makes up the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chooser {
    /// Keytrail: the value is kept before anybody knows it.
    Keytrail,
    /// The issuer: the value is kept as soon as it is told.
    Issuer,
}

/// How many credentials an issuer honours at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overlap {
    /// Two or more: the old one works until it is revoked.
    Both,
    /// One: `set` ends the old one, and consumers that have not loaded the new one are refused.
    One,
}
