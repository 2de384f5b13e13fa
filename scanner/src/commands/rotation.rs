//! What `keytrail rotate` and `keytrail scan --fix` have in common: a plan is shown, asked about, and carried out.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use keytrail_rotation::context::Context;
use keytrail_rotation::executor::{preflight, warnings};
use keytrail_rotation::job::{Job, Mode, Request};
use keytrail_rotation::journal::sql::SqlJournal;
use keytrail_rotation::journal::{Journal, Saved};
use keytrail_rotation::ledger::sinks::{SinkKind, deliver};
use keytrail_rotation::plan::{Group, Plan, Prepared, Recipes};
use keytrail_rules::model::{Declaration, Environment, Key, Origin};
use keytrail_rules::text::visible;

use super::{now, runtime, warn};
use crate::config::Config;
use crate::error::Error;
use crate::rotation::{Call, Ended, Estate, Leave, Runner, note, notify, requester, run_id, stamp_runbooks};

/// How a change is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The scanned folder.
    pub(super) root: &'a Path,
    /// The config.
    pub(super) config: &'a Config,
    /// In which order old values end.
    pub(super) mode: Mode,
    /// Why, where somebody said so.
    pub(super) reason: Option<&'a str>,
    /// Who approved it.
    pub(super) approver: Option<&'a str>,
    /// Whether nobody is asked.
    pub(super) yes: bool,
}

/// A plan that is ready to be carried out.
pub(super) struct Proposal<'a> {
    asked: Asked<'a>,
    estate: Estate<'a>,
    recipes: Recipes,
    requester: String,
    plan: Plan,
    prepared: Vec<Prepared>,
    /// Why a group that is ready does not begin, in the order of the groups.
    held: Vec<Option<String>>,
    /// Names of secrets of other environments than production that runs under way have.
    under_way: BTreeSet<Key>,
}

impl<'a> Proposal<'a> {
    /// What is to be carried out of a plan, while these runs are under way.
    ///
    /// # Errors
    /// The approver may not approve; the system has no random numbers.
    pub(super) fn new(asked: Asked<'a>, plan: Plan, unfinished: &[Saved]) -> Result<Self, Error> {
        let estate = Estate::new(asked.config, asked.root);
        let recipes = estate.recipes();
        let requester = requester(&asked.config.rotation);
        let at = now();
        let mut failed = None;
        let mut run = || run_id(at).unwrap_or_else(|error| failed.insert(error).to_string());
        let request = |group: &Group| Request {
            at,
            by: requester.clone(),
            approver: asked.approver.map(str::to_owned),
            reason: asked.reason.map_or_else(|| reason(group), str::to_owned),
        };
        let prepared = plan.prepare(&recipes, asked.mode, &request, &mut run);
        if let Some(error) = failed {
            return Err(error);
        }
        let held = vec![None; prepared.len()];
        let items = unfinished.iter().flat_map(|saved| &saved.job.members).map(|member| member.item.as_str());
        let under_way = items.filter_map(outside_of_production).collect();
        let mut proposal = Self { asked, estate, recipes, requester, plan, prepared, held, under_way };
        if let Some(why) = proposal.leave().bad_approver() {
            return Err(Error::usage(why, "name somebody else with --approved-by"));
        }
        proposal.hold(unfinished);
        Ok(proposal)
    }

    fn leave(&self) -> Leave<'_> {
        Leave {
            config: &self.asked.config.rotation,
            recipes: &self.recipes,
            requester: &self.requester,
            approver: self.asked.approver,
            now: now(),
            is_emergency: self.asked.mode == Mode::Emergency,
        }
    }

    /// Finds out which groups do not begin, and why.
    fn hold(&mut self, unfinished: &[Saved]) {
        let runs_with = |group: &Group| {
            let has = |saved: &&Saved| {
                let mut items = saved.job.members.iter().map(|member| member.item.as_str());
                items.any(|item| group.items.iter().any(|one| one.id.as_str() == item))
            };
            unfinished.iter().find(has).map(|saved| {
                let run = &saved.job.run;
                format!("run {run} has it, in state '{}': `keytrail rotate --resume {run}`", saved.state)
            })
        };
        let mut held: Vec<Option<String>> = self.plan.groups.iter().map(runs_with).collect();
        // What is not carried out before production is waited for by it.
        let mut waiting = self.under_way.clone();
        for (at, group) in self.plan.groups.iter().enumerate() {
            if held[at].is_none() {
                held[at] = self.leave().holds(group, &waiting);
            }
            if held[at].is_some() || self.prepared[at].job().is_none() {
                waiting.extend(staging_keys(group));
            }
        }
        self.held = held;
    }

    /// The groups that begin, by number.
    fn begun(&self) -> impl Iterator<Item = (usize, &Job)> {
        let jobs = self.prepared.iter().enumerate().filter(|(at, _)| self.held[*at].is_none());
        jobs.filter_map(|(at, prepared)| Some((at, prepared.job()?)))
    }

    /// Whether nothing would be carried out.
    pub(super) fn is_empty(&self) -> bool {
        self.begun().next().is_none()
    }

    /// Whether every group of the plan is carried out.
    pub(super) fn is_whole(&self) -> bool {
        self.begun().count() == self.plan.groups.len()
    }

    /// How many groups there are.
    pub(super) fn count(&self) -> usize {
        self.plan.groups.len()
    }

    /// The plan as text, with every effect in order.
    pub(super) fn text(&self) -> String {
        let mut text = self.plan.render_prepared(&self.prepared, &|store| self.estate.stages(store));
        for (at, held) in self.held.iter().enumerate() {
            if let (Some(why), Some(_)) = (held, self.prepared[at].job()) {
                text.push_str(&visible(&format!("Group {} does not begin: {why}", at + 1)));
                text.push('\n');
            }
        }
        if self.asked.mode == Mode::Emergency {
            for (_, job) in self.begun() {
                text.push_str(&visible(&broken_by(job)));
                text.push('\n');
            }
        }
        text
    }

    /// What would keep the groups that begin from being carried out, and what else to know of them, as text. Changes nothing.
    pub(super) fn obstacles(&self) -> Result<String, Error> {
        let runtime = runtime()?;
        let mut text = String::new();
        for (at, job) in self.begun() {
            for obstacle in runtime.block_on(preflight(&self.estate, job)) {
                text.push_str(&visible(&format!("Group {}: in the way: {obstacle}", at + 1)));
                text.push('\n');
            }
            for warning in runtime.block_on(warnings(&self.estate, job)) {
                text.push_str(&visible(&format!("Group {}: to know: {warning}", at + 1)));
                text.push('\n');
            }
        }
        Ok(text)
    }

    /// Asks whether to go on.
    ///
    /// # Errors
    /// There is nobody to ask.
    pub(super) fn confirm(&self) -> Result<bool, Error> {
        if self.asked.yes {
            return Ok(true);
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(Error::usage(
                "nothing was rotated: there is no terminal to ask on",
                "add --yes to carry the plan out, or --dry-run to look at it",
            ));
        }
        let count = self.begun().count();
        let (question, answer) = match self.asked.mode {
            Mode::Emergency => ("type `revoke` to cut consumers off until they have the new values: ", "revoke"),
            Mode::Orderly => ("type `yes` to carry them out: ", "yes"),
        };
        let groups = if count == 1 { "1 rotation".to_owned() } else { format!("{count} rotations") };
        // Nobody is left to be asked if standard error is gone; no answer is none.
        let _ = write!(std::io::stderr(), "{groups}; {question}");
        let mut line = String::new();
        let _ = std::io::stdin().lock().read_line(&mut line);
        Ok(line.trim() == answer)
    }

    /// Carries the groups out: what is not production first, and production where nothing of it is left to wait for.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) async fn carry_out(&self, journal: &dyn Journal) -> Result<Vec<Ended>, Error> {
        let runner = Runner::new(&self.estate, journal, &say, &self.asked.config.rotation)?;
        let is_last = |at: usize| self.asked.config.rotation.after_staging && is_production(&self.plan.groups[at]);
        let jobs = |last: bool| {
            let begun = self.begun().filter(move |(at, _)| is_last(*at) == last);
            begun.map(|(at, job)| (at, job.clone())).collect::<Vec<_>>()
        };
        let first = jobs(false);
        let mut ended = runner.all(&first.iter().map(|(_, job)| job.clone()).collect::<Vec<_>>(), Call::Start).await;
        let mut waiting = self.under_way.clone();
        for ((at, _), ended) in first.iter().zip(&ended) {
            if !ended.is_confirmed() {
                waiting.extend(staging_keys(&self.plan.groups[*at]));
            }
        }
        let mut last = Vec::new();
        for (at, job) in jobs(true) {
            match self.leave().holds(&self.plan.groups[at], &waiting) {
                Some(why) => say(&format!("group {} does not begin: {why}", at + 1)),
                None => last.push(job),
            }
        }
        ended.extend(runner.all(&last, Call::Start).await);
        Ok(ended)
    }
}

/// Goes on with runs, or turns them back.
///
/// # Errors
/// The system has no random numbers.
pub(super) async fn continue_runs(
    asked: &Asked<'_>,
    journal: &dyn Journal,
    runs: &[Saved],
    call: Call,
) -> Result<Vec<Ended>, Error> {
    let estate = Estate::new(asked.config, asked.root);
    let runner = Runner::new(&estate, journal, &say, &asked.config.rotation)?;
    let jobs: Vec<Job> = runs.iter().map(|saved| saved.job.clone()).collect();
    Ok(runner.all(&jobs, call).await)
}

/// Says how each job ended, tells whom the config names, and writes the dates of what is over where people look for them.
pub(super) async fn finish(asked: &Asked<'_>, ended: &[Ended], declarations: &[Declaration]) {
    for one in ended {
        say(&one.summary());
        for next in one.next().iter().map(String::as_str).chain(one.escalation()) {
            say(&format!("  next: {next}"));
        }
    }
    notify(&asked.config.notifiers, asked.root, ended, &warn).await;
    let rotation = &asked.config.rotation;
    if !ended.iter().any(Ended::is_confirmed) {
        return;
    }
    if let Some(path) = &rotation.notes
        && let Err(error) = note(&asked.root.join(path), ended, now())
    {
        warn(&format!("the rotations were not noted in {}: {error}", path.display()));
    }
    if rotation.runbook {
        let items: BTreeSet<String> = ended.iter().filter(|one| one.is_confirmed()).flat_map(Ended::items).collect();
        let is_rotated = |declaration: &Declaration| {
            items.iter().any(|item| {
                let (key, environment) = item.rsplit_once('@').map_or((item.as_str(), None), |(k, e)| (k, Some(e)));
                Key::new(key) == declaration.key
                    && declaration.environment.as_ref().is_none_or(|one| environment == Some(one.as_str()))
            })
        };
        for missed in stamp_runbooks(asked.root, declarations, &is_rotated, now()) {
            warn(&missed);
        }
    }
}

/// Gives the rows of the ledger to those of the config who are to have them. Who does not take them gets them the next time.
pub(super) async fn deliver_rows(asked: &Asked<'_>, journal: &SqlJournal) {
    for sink in &asked.config.rotation.ledger {
        let context = Context { folder: asked.root.to_owned(), ..Context::new("ledger") };
        // The config has checked the kind.
        let Some(kind) = SinkKind::find(&sink.kind) else { continue };
        let delivered = match (kind.open)(&sink.settings.rooted(asked.root)) {
            Ok(open) => deliver(journal, &context, &sink.name, &*open).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = delivered {
            warn(&format!("the ledger was not given to {} ({}): {failure}", sink.name, sink.location));
        }
    }
}

/// Whether runbooks are to be written to, so that their rows have to be known.
pub(super) fn wants_runbooks(config: &Config, ended: &[Ended]) -> bool {
    config.rotation.runbook && ended.iter().any(Ended::is_confirmed)
}

/// The rows of runbooks among declarations.
pub(super) fn rows(declarations: &[Declaration]) -> Vec<Declaration> {
    declarations.iter().filter(|one| one.origin == Origin::Runbook).cloned().collect()
}

/// What an emergency breaks before it mends it.
fn broken_by(job: &Job) -> String {
    let items: Vec<&str> = job.members.iter().map(|member| member.item.as_str()).collect();
    let consumers: Vec<&str> = job.consumers.iter().map(|consumer| consumer.name.as_str()).collect();
    let cut_off = match consumers.as_slice() {
        [] => "whoever loads it".to_owned(),
        consumers => consumers.join(", "),
    };
    format!(
        "This breaks: {} stops working at once, and {cut_off} will be refused until the new value is loaded.",
        items.join(", ")
    )
}

/// Why a group is rotated, for the ledger: `overdue`, `compromised`.
fn reason(group: &Group) -> String {
    let worst = group.items.iter().min_by_key(|item| item.status);
    worst.map_or_else(String::new, |item| format!("{} ({})", item.status.as_str(), item.id))
}

fn is_production(group: &Group) -> bool {
    group.items.iter().any(|item| item.environment.as_ref().is_some_and(Environment::is_production))
}

/// The names of a group's secrets that belong to another environment than production.
fn staging_keys(group: &Group) -> impl Iterator<Item = Key> {
    let of_others = group.items.iter().filter(|item| item.environment.as_ref().is_some_and(|one| !one.is_production()));
    of_others.map(|item| item.key.clone())
}

/// The key of an id, if it names another environment than production.
fn outside_of_production(item: &str) -> Option<Key> {
    let (key, environment) = item.rsplit_once('@')?;
    (!Environment::new(environment).is_production()).then(|| Key::new(key))
}

/// Shows a text, whose lines are escaped already, on standard error: standard output is the report's.
pub(super) fn show(text: &str) {
    // Nobody is left to be told if standard error is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Tells the user on standard error what is done.
pub(super) fn say(line: &str) {
    // Nobody is left to be told if standard error is gone.
    let _ = writeln!(std::io::stderr(), "rotation: {}", visible(line));
}
