//! What would keep a job from being carried out. Changes nothing.

use super::parties::Parties;
use super::values::{ACCEPTED, Pair, rehearse};
use crate::context::{Act, Context};
use crate::credential::{Credential, VALUE, same};
use crate::failure::{Failure, Outcome};
use crate::issuers::Overlap;
use crate::job::{Job, Mode, Origin, World, Write};
use crate::probes::{Health, Moment};
use crate::state::Answer;
use crate::store::Held;
use crate::workloads::Values;

/// What was found.
pub(super) struct Survey {
    /// What would keep it from being carried out, in words.
    pub(super) obstacles: Vec<String>,
    /// Whether an answer is missing that may come when it is asked for again.
    pub(super) is_uncertain: bool,
    /// The old credentials.
    pub(super) pairs: Vec<Pair>,
    /// The version of each path.
    pub(super) versions: Vec<Option<String>>,
    /// What each probe measured.
    pub(super) before: Vec<String>,
}

/// What would keep a job from being carried out, in words; empty where nothing would. Changes nothing.
pub async fn preflight(world: &dyn World, job: &Job) -> Vec<String> {
    match Parties::open(world, job) {
        Ok(parties) => survey(&parties, job, &world.context(&job.run)).await.obstacles,
        Err(failure) => vec![in_words(&failure)],
    }
}

/// What whoever approves a job should know, in words, although nothing keeps it from being carried out. Changes nothing.
pub async fn warnings(world: &dyn World, job: &Job) -> Vec<String> {
    // Whatever keeps it from being looked at is an obstacle, and told as one.
    let Ok(parties) = Parties::open(world, job) else { return Vec::new() };
    let context = world.context(&job.run);
    let mut all = Vec::new();
    for (write, store) in job.writes.iter().zip(&parties.stores) {
        let keys: Vec<String> = write.cells.iter().map(|cell| cell.key.clone()).collect();
        let found = store.warnings(&context, &write.path, &keys).await.unwrap_or_default();
        all.extend(found.into_iter().map(|warning| format!("{}: {warning}", write.name())));
    }
    all
}

/// Looks at everything.
pub(super) async fn survey(parties: &Parties, job: &Job, context: &Context) -> Survey {
    let mut survey = Survey { obstacles: vec![], is_uncertain: false, pairs: vec![], versions: vec![], before: vec![] };
    survey.pairs.resize_with(job.members.len(), Pair::default);
    survey.stores(parties, job, context).await;
    survey.derived(job);
    survey.issuers(parties, job, context).await;
    for (consumer, workload) in job.consumers.iter().zip(&parties.workloads) {
        survey.ask(&consumer.name, workload.preflight(context)).await;
    }
    survey.probes(parties, job, context).await;
    survey
}

impl Survey {
    /// Adds what somebody has against it.
    async fn ask(&mut self, who: &str, answer: Act<'_, Vec<String>>) {
        match answer.await {
            Ok(found) => self.obstacles.extend(found.into_iter().map(|obstacle| format!("{who}: {obstacle}"))),
            Err(failure) => self.fail(who, &failure),
        }
    }

    /// Adds that somebody could not be asked.
    fn fail(&mut self, who: &str, failure: &Failure) {
        self.is_uncertain |= failure.outcome == Outcome::Unknown;
        self.obstacles.push(format!("{who}: {}", in_words(failure)));
    }

    /// Reads the old credentials, which have to be the same wherever they are kept.
    async fn stores(&mut self, parties: &Parties, job: &Job, context: &Context) {
        let mut first: Vec<(String, String, String)> = Vec::new();
        for (write, store) in job.writes.iter().zip(&parties.stores) {
            let keys: Vec<String> = write.cells.iter().map(|cell| cell.key.clone()).collect();
            self.ask(&write.name(), store.preflight(context, &write.path, &keys)).await;
            match store.read(context, &write.path, &keys).await {
                Ok(held) => {
                    self.version(write, &held);
                    if store.abilities().reads {
                        self.take(job, write, &held, &mut first);
                    }
                }
                Err(failure) => {
                    self.versions.push(None);
                    self.fail(&write.name(), &failure);
                }
            }
        }
    }

    fn version(&mut self, write: &Write, held: &Held) {
        let now = &held.version.0;
        if let Some(seen) = write.seen.filter(|seen| seen.to_string() != *now) {
            let name = write.name();
            self.obstacles
                .push(format!("{name} is at version {now}, and was at {seen} when it was scanned: scan again"));
        }
        self.versions.push(Some(now.clone()));
    }

    /// Takes the parts that a path holds over into the old credentials. `first` has where each was found first.
    fn take(&mut self, job: &Job, write: &Write, held: &Held, first: &mut Vec<(String, String, String)>) {
        for cell in &write.cells {
            let here = format!("{}#{}", write.name(), cell.key);
            let Some(at) = job.members.iter().position(|member| member.item == cell.item) else { continue };
            let Some(value) = held.values.get(&cell.key) else {
                self.obstacles.push(format!("{here} is not there: create it, or correct its place"));
                continue;
            };
            let old = self.pairs[at].old.get_or_insert_default();
            match old.part(&cell.part) {
                None => {
                    old.set(&cell.part, keytrail_rules::model::Secret::new(value.expose().to_owned()));
                    first.push((cell.item.clone(), cell.part.clone(), here));
                }
                Some(other) if same(other, value) => {}
                Some(_) => {
                    let there = first.iter().find(|(item, part, _)| *item == cell.item && *part == cell.part);
                    let there = there.map_or("another place", |(_, _, place)| place);
                    self.obstacles.push(format!("{here} holds another value than {there}: make them the same first"));
                }
            }
        }
    }

    /// Makes the derived members once of the old values, to see that it can be done.
    fn derived(&mut self, job: &Job) {
        for (at, member) in job.members.iter().enumerate() {
            let Origin::Derived { template, .. } = &member.origin else { continue };
            match rehearse(job, at, &self.pairs) {
                Ok(Some(value)) if template.is_some() && self.pairs[at].old.is_none() => {
                    self.pairs[at].old = Some(Credential::of_value(value));
                }
                Ok(_) => {}
                Err(failure) => self.obstacles.push(in_words(&failure)),
            }
            let cells = job.writes.iter().flat_map(|write| &write.cells).filter(|cell| cell.item == member.item);
            if let Some(cell) = cells.into_iter().find(|cell| cell.part != VALUE) {
                self.obstacles.push(format!("{}: what is made from others has no part `{}`", member.item, cell.part));
            }
        }
        let is_orderly = job.mode == Mode::Orderly;
        for (member, pair) in job.members.iter().zip(&self.pairs) {
            if is_orderly && pair.old.as_ref().and_then(Credential::value).is_none() {
                let lack = "no store that can be read keeps its value, so that there would be no way back";
                self.obstacles.push(format!("{}: {lack}: add such a copy", member.item));
            }
        }
    }

    async fn issuers(&mut self, parties: &Parties, job: &Job, context: &Context) {
        for (at, issuer) in parties.issued() {
            let item = &job.members[at].item;
            let pairs = std::mem::take(&mut self.pairs);
            let old = pairs[at].old.as_ref();
            self.ask(item, issuer.preflight(context, old)).await;
            let nature = issuer.nature();
            match old {
                Some(old) if nature.answers && job.mode == Mode::Orderly => {
                    let refused =
                        "the issuer rejects the current value: correct the copies, or revoke it in an emergency";
                    match issuer.check(context, old).await {
                        Ok(Answer::Works) => {}
                        Ok(Answer::Rejected) => self.obstacles.push(format!("{item}: {refused}")),
                        Ok(Answer::Unknown) => self.fail(item, &Failure::unknown("the issuer does not tell")),
                        Err(failure) => self.fail(item, &failure),
                    }
                }
                None if nature.answers && nature.overlap == Overlap::Both && job.mode == Mode::Emergency => {
                    self.obstacles.push(format!("{item}: its value cannot be read, so that it cannot be revoked"));
                }
                _ => {}
            }
            let known: Vec<&Credential> = old.into_iter().collect();
            let has_list = job
                .writes
                .iter()
                .flat_map(|write| &write.cells)
                .any(|cell| cell.item == *item && cell.part == ACCEPTED && issuer.accepted(&known).is_none());
            if has_list {
                self.obstacles.push(format!("{item}: its issuer has no part `{ACCEPTED}`"));
            }
            self.pairs = pairs;
        }
    }

    async fn probes(&mut self, parties: &Parties, job: &Job, context: &Context) {
        let known = job.members.iter().zip(&self.pairs);
        let values: Values<'_> =
            known.filter_map(|(one, pair)| Some((one.item.as_str(), pair.old.as_ref()?))).collect();
        let mut troubles = Vec::new();
        for probe in &parties.probes {
            let seen = probe.check(context, &Moment::Before, &values).await;
            let trouble = match seen {
                Ok(Health::Healthy(reading)) => {
                    self.before.push(reading);
                    continue;
                }
                Ok(Health::Unhealthy(why)) => Failure::not_done(why),
                Ok(Health::Unknown(why)) => Failure::unknown(why),
                Err(failure) => failure,
            };
            self.before.push(String::new());
            // In an emergency consumers may be down already.
            self.is_uncertain |= trouble.outcome == Outcome::Unknown;
            if job.mode == Mode::Orderly {
                troubles.push(trouble);
            }
        }
        for trouble in troubles {
            self.fail("not healthy before anything was changed", &trouble);
        }
    }
}

fn in_words(failure: &Failure) -> String {
    failure.hint.as_ref().map_or_else(|| failure.what.clone(), |hint| format!("{}: {hint}", failure.what))
}
