//! The credentials of the members, and what of them belongs in which cell at which time.

use std::collections::BTreeMap;

use keytrail_rules::model::Secret;

use super::run::{Run, Step, Stop};
use crate::credential::{Credential, VALUE, same};
use crate::failure::Failure;
use crate::job::{Cell, Job, Origin, Write};
use crate::journal::Which;
use crate::store::Held;
use crate::template;
use crate::workloads::Values;

/// The part that lists what consumers accept.
pub(super) const ACCEPTED: &str = "accepted";

/// The credentials of a member, as far as they are known.
#[derive(Default)]
pub(super) struct Pair {
    pub(super) old: Option<Credential>,
    pub(super) new: Option<Credential>,
}

impl Pair {
    pub(super) fn get(&self, which: Which) -> Option<&Credential> {
        match which {
            Which::Old => self.old.as_ref(),
            Which::New => self.new.as_ref(),
        }
    }
}

/// What a path holds at one time of a rotation. Where no cell is of the part `accepted`, the first two and the last two
/// are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// As before.
    Old,
    /// The old values, and the new one is accepted too.
    Accepting,
    /// The new values, and the old one is accepted too.
    Promoted,
    /// The new values alone.
    Final,
}

impl Form {
    pub(super) const ALL: [Self; 4] = [Self::Old, Self::Accepting, Self::Promoted, Self::Final];

    /// Whether the values are the new ones.
    pub(super) fn is_new(self) -> bool {
        matches!(self, Self::Promoted | Self::Final)
    }
}

impl Run<'_> {
    /// The old or new credentials that are known, by item.
    pub(super) fn values(&self, which: Which) -> Values<'_> {
        let known = self.job.members.iter().zip(&self.pairs);
        known.filter_map(|(member, pair)| Some((member.item.as_str(), pair.get(which)?))).collect()
    }

    /// Whether there is anything that is accepted before it is used.
    pub(super) fn accepts(&self, write: &Write) -> bool {
        write.cells.iter().any(|cell| cell.part == ACCEPTED)
    }

    /// What a path is to hold in a form; a failure where that is not known.
    pub(super) fn texts(&self, write: &Write, form: Form) -> Result<BTreeMap<String, Secret>, Failure> {
        write.cells.iter().map(|cell| Ok((cell.key.clone(), self.text(cell, form)?))).collect()
    }

    fn text(&self, cell: &Cell, form: Form) -> Result<Secret, Failure> {
        let lacks = || Failure::not_done(format!("no `{}` of {} is known", cell.part, cell.item));
        let at = self.job.members.iter().position(|member| member.item == cell.item).ok_or_else(lacks)?;
        let (old, new) = (self.pairs[at].old.as_ref(), self.pairs[at].new.as_ref());
        if cell.part == ACCEPTED && form != Form::Old {
            let (old, new) = (old.filter(|_| !self.is_emergency()), new.ok_or_else(lacks)?);
            let listed: Vec<&Credential> = match (form, old) {
                (Form::Accepting, Some(old)) => vec![old, new],
                (Form::Promoted, Some(old)) => vec![new, old],
                _ => vec![new],
            };
            let issuer = self.parties.issuers[at].as_deref().ok_or_else(lacks)?;
            return issuer.accepted(&listed).ok_or_else(lacks)?;
        }
        let part = |credential: Option<&Credential>| {
            credential?.part(&cell.part).map(|value| Secret::new(value.expose().to_owned()))
        };
        // What the issuer does not change stays.
        if form.is_new() && new.is_some() && cell.part != VALUE {
            return part(new).or_else(|| part(old)).ok_or_else(lacks);
        }
        part(if form.is_new() { new } else { old }).ok_or_else(lacks)
    }

    /// The forms of a path that it may have, given what it holds: several where they are the same.
    pub(super) fn forms(&self, write: &Write, held: &Held) -> Vec<Form> {
        Form::ALL.into_iter().filter(|form| self.texts(write, *form).is_ok_and(|texts| holds(held, &texts))).collect()
    }

    /// The credential of a member, kept in the journal and here.
    pub(super) async fn keep(&mut self, at: usize, which: Which, credential: Credential) -> Step<()> {
        let (item, journal) = (&self.job.members[at].item, self.executor.journal);
        journal.keep(&self.lease, &self.job.run, item, which, &credential).await.map_err(Stop::Journal)?;
        match which {
            Which::Old => self.pairs[at].old = Some(credential),
            Which::New => self.pairs[at].new = Some(credential),
        }
        Ok(())
    }

    /// Reads what was kept.
    pub(super) async fn unseal(&mut self) -> Result<(), Failure> {
        for at in 0..self.pairs.len() {
            let (item, journal) = (&self.job.members[at].item, self.executor.journal);
            let old = journal.kept(&self.job.run, item, Which::Old).await?;
            let new = journal.kept(&self.job.run, item, Which::New).await?;
            self.pairs[at] = Pair { old, new };
        }
        Ok(())
    }

    /// Makes and keeps the derived members, as far as their sources are known. `is_final` is whether they have to be by
    /// now: an issuer may add parts to what was chosen. Gives whether all new values are known.
    pub(super) async fn derive(&mut self, is_final: bool) -> Step<bool> {
        let mut is_complete = true;
        for at in 0..self.pairs.len() {
            let made = match derived(&self.job, at, &|at| self.pairs[at].new.as_ref(), &self.pairs) {
                Err(failure) if is_final => return Err(Stop::Failed(failure)),
                made => made.unwrap_or_default(),
            };
            match made {
                Some(value) => self.keep(at, Which::New, Credential::of_value(value)).await?,
                None => is_complete &= self.pairs[at].new.is_some(),
            }
        }
        Ok(is_complete)
    }
}

/// The new value of a derived member; none where it is not derived, or a source is not known yet.
///
/// # Errors
/// A template or a replacement that is not possible; a source that is not in the job.
fn derived<'p>(
    job: &Job,
    at: usize,
    new: &dyn Fn(usize) -> Option<&'p Credential>,
    pairs: &'p [Pair],
) -> Result<Option<Secret>, Failure> {
    let Origin::Derived { from, template } = &job.members[at].origin else { return Ok(None) };
    let mut sources = Vec::new();
    for (name, item) in from {
        let source = position(job, item)?;
        let Some(new) = new(source) else { return Ok(None) };
        sources.push((name.as_str(), pairs[source].old.as_ref(), new));
    }
    let made = match template {
        Some(template) => {
            let new: Vec<_> = sources.iter().map(|(name, _, new)| (*name, *new)).collect();
            template::render(template, &new)
        }
        None => {
            let known = sources.iter().map(|(name, old, new)| Some((*name, (*old)?, *new))).collect::<Option<Vec<_>>>();
            let old = pairs[at].old.as_ref().and_then(Credential::value);
            match (old, known) {
                (Some(old), Some(known)) => template::replace(old, &known),
                _ => Err(Failure::not_done("no old value is known to replace in").hint("give it a `template`")),
            }
        }
    };
    made.map(Some).map_err(|failure| Failure { what: format!("{}: {}", job.members[at].item, failure.what), ..failure })
}

/// What keeps a derived member from being made, found by making it of the old values.
pub(super) fn rehearse(job: &Job, at: usize, pairs: &[Pair]) -> Result<Option<Secret>, Failure> {
    derived(job, at, &|at| pairs[at].old.as_ref(), pairs)
}

fn position(job: &Job, item: &str) -> Result<usize, Failure> {
    job.members.iter().position(|member| member.item == item).ok_or_else(|| {
        Failure::not_done(format!("it is made from {item}, which is not part of the job")).hint("rotate both at once")
    })
}

/// Whether a path holds these values.
pub(super) fn holds(held: &Held, texts: &BTreeMap<String, Secret>) -> bool {
    texts.iter().all(|(key, text)| held.values.get(key).is_some_and(|value| same(value, text)))
}
