//! Issuers: `dual` honours two values that Keytrail chooses, `one` a single one, `chosen` two that it chooses itself,
//! `roles` is `dual` with a user that changes along, `quiet` cannot be asked and has a list of what is accepted.

use std::time::Duration;

use std::collections::BTreeMap;
use std::sync::Arc;

use keytrail_rules::model::Secret;

use super::{Sim, Trouble};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::issuers::{Chooser, Issuer, Nature, Overlap};
use crate::state::Answer;

/// The values that an issuer honours, with the run that made them.
pub(crate) type Honours = BTreeMap<String, String>;

pub(crate) struct Simulated {
    pub(crate) sim: Arc<Sim>,
    pub(crate) kind: String,
    pub(crate) item: String,
}

fn text(credential: Option<&Credential>) -> Option<String> {
    Some(credential?.value()?.expose().to_owned())
}

impl Simulated {
    fn name(&self, act: &str) -> String {
        format!("{act} {}", self.item)
    }
}

impl Issuer for Simulated {
    fn nature(&self) -> Nature {
        let chooser = if self.kind == "chosen" { Chooser::Issuer } else { Chooser::Keytrail };
        let overlap = if self.kind == "one" { Overlap::One } else { Overlap::Both };
        Nature { chooser, overlap, answers: self.kind != "quiet" }
    }

    fn preflight<'a>(&'a self, _: &'a Context, _: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        self.sim.call(self.name("preflight"), |inner| {
            Ok(if inner.trouble == Some(Trouble::Preflight) { vec!["no free slot".to_owned()] } else { vec![] })
        })
    }

    fn choose(&self, _: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        let mut inner = self.sim.lock();
        inner.made += 1;
        let value = format!("new{}value", inner.made);
        Ok((self.kind != "chosen").then(|| Credential::of_value(Secret::from(value))))
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        _: Option<&'a Credential>,
        chosen: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        let chosen = text(chosen);
        self.sim.call(self.name("set"), move |inner| {
            if inner.trouble == Some(Trouble::Set) {
                return Err(Failure::not_done("no right"));
            }
            inner.made += 1;
            let value = chosen.clone().unwrap_or_else(|| format!("made{}value", inner.made));
            let fails = inner.trouble == Some(Trouble::Verify);
            let honours = inner.issuers.get_mut(&self.item).expect("an issuer");
            if self.kind == "one" && !fails {
                honours.clear();
            }
            if honours.len() >= 2 && !honours.contains_key(&value) {
                return Err(Failure::not_done("no free slot"));
            }
            if self.kind != "quiet" && !fails {
                honours.insert(value.clone(), context.run.clone());
            }
            let user = value.replace("new", "app").replace("value", "");
            let made = Credential::of_value(Secret::from(value));
            Ok(if self.kind == "roles" { made.with("user", Secret::from(user)) } else { made })
        })
    }

    fn check<'a>(&'a self, _: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        assert!(self.kind != "quiet", "it is not asked");
        let value = text(Some(credential)).expect("a value");
        self.sim.call(self.name("check"), move |inner| {
            Ok(if inner.issuers[&self.item].contains_key(&value) { Answer::Works } else { Answer::Rejected })
        })
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        let (old, new) = (text(old).expect("an old value"), text(new));
        self.sim.call(self.name("withdraw"), move |inner| {
            let honours = inner.issuers.get_mut(&self.item).expect("an issuer");
            match (&new, self.kind.as_str()) {
                (_, "one") => *honours = [(old.clone(), String::new())].into(),
                (Some(new), _) => {
                    honours.remove(new);
                }
                (None, _) => honours.retain(|_, run| *run != context.run),
            }
            Ok(())
        })
    }

    fn revoke<'a>(&'a self, _: &'a Context, old: &'a Credential, _: Option<&'a Credential>) -> Act<'a, ()> {
        let old = text(Some(old)).expect("a value");
        self.sim.call(self.name("revoke"), move |inner| {
            if inner.trouble == Some(Trouble::Revoke) {
                return Err(Failure::not_done("no right"));
            }
            inner.issuers.get_mut(&self.item).expect("an issuer").remove(&old);
            Ok(())
        })
    }

    fn acceptance_delay(&self) -> Duration {
        Duration::from_secs(if self.kind == "quiet" { 60 } else { 0 })
    }

    fn accepted(&self, credentials: &[&Credential]) -> Option<Result<Secret, Failure>> {
        let values: Option<Vec<String>> = credentials.iter().map(|one| text(Some(one))).collect();
        (self.kind == "quiet").then(|| Ok(Secret::from(values.expect("values").join(","))))
    }
}
