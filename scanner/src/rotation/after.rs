//! How rotations ended, for people: lines, next steps, and messages to those who want to know.

use std::path::Path;

use keytrail_rotation::context::Context;
use keytrail_rotation::executor::Ending;
use keytrail_rotation::failure::Failure;
use keytrail_rotation::job::{Job, Mode};
use keytrail_rotation::notify::{self as receivers, News, NotifierKind};

use crate::config::NotifyConfig;

/// What the reason of a rotation begins with whose old value leaked.
const COMPROMISED: &str = "compromised";

/// A job, and how a call of the executor ended.
#[derive(Debug)]
pub struct Ended {
    /// The job.
    pub job: Job,
    /// How it ended; why it could not be worked on.
    pub result: Result<Ending, Failure>,
}

impl Ended {
    /// Whether the new values are in use.
    pub fn is_well(&self) -> bool {
        matches!(self.result, Ok(Ending::Confirmed | Ending::Waits { .. }))
    }

    /// Whether the old values are rejected too.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.result, Ok(Ending::Confirmed))
    }

    /// The items of the job.
    pub fn items(&self) -> Vec<String> {
        self.job.members.iter().map(|member| member.item.clone()).collect()
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let items = self.items().join(", ");
        let how = match &self.result {
            Ok(Ending::Confirmed) => "rotated: the new value is in use, and the old one is retired".to_owned(),
            Ok(Ending::Waits { until }) => format!(
                "switched: the new value is in use, and the old one still works; it is revoked after {}",
                until.format("%Y-%m-%dT%H:%M:%SZ")
            ),
            Ok(Ending::RolledBack { why }) => format!("rolled back, everything is as before: {why}"),
            Ok(Ending::Stuck { why, .. }) => format!("stuck, and needs a person: {why}"),
            Err(failure) => format!("not carried out: {failure}"),
        };
        format!("{items}: {how} (run {})", self.job.run)
    }

    /// What the user can do, where there is something to do.
    pub fn next(&self) -> Option<String> {
        let run = &self.job.run;
        match &self.result {
            Ok(Ending::Confirmed) => None,
            Ok(Ending::Waits { .. }) => {
                Some(format!("`keytrail scan --fix` or `keytrail rotate --resume {run}` goes on then"))
            }
            Ok(Ending::RolledBack { .. }) => Some(format!(
                "mend what it names, then rotate again; if consumers were refused, restart them, and look at PgBouncer's \
                 userlist where there is one: `keytrail rotate {}`",
                self.job.members.first().map_or("ITEM", |member| member.item.as_str())
            )),
            Ok(Ending::Stuck { hint, .. }) => {
                let resume = format!("then `keytrail rotate --resume {run}`, or `keytrail rotate --rollback {run}`");
                Some(hint.as_ref().map_or_else(|| resume.clone(), |hint| format!("{hint}; {resume}")))
            }
            Err(failure) => failure.hint.clone(),
        }
    }

    fn news(&self) -> Option<News> {
        let ending = match &self.result {
            Ok(Ending::Confirmed) => receivers::Ending::Confirmed,
            Ok(Ending::RolledBack { .. }) => receivers::Ending::RolledBack,
            Ok(Ending::Stuck { .. }) => receivers::Ending::Stuck,
            Ok(Ending::Waits { .. }) | Err(_) => return None,
        };
        Some(News {
            run: self.job.run.clone(),
            ending,
            items: self.items(),
            summary: self.summary(),
            next: self.next(),
        })
    }

    /// What else the runbooks ask for after it.
    pub fn escalation(&self) -> Option<&'static str> {
        let is_leaked = self.job.mode == Mode::Emergency || self.job.request.reason.starts_with(COMPROMISED);
        is_leaked.then_some("the old value was known to others: file an incident with `keytrail scan --file-incidents`")
    }
}

/// Tells everybody of the config how jobs ended. Who cannot be told is a warning.
pub async fn notify(config: &[NotifyConfig], root: &Path, ended: &[Ended], warn: &dyn Fn(&str)) {
    for table in config {
        // The config has checked the kind.
        let Some(kind) = NotifierKind::find(&table.kind) else { continue };
        let notifier = match (kind.open)(&table.settings.rooted(root)) {
            Ok(notifier) => notifier,
            Err(failure) => {
                warn(&format!("nobody is told with {} ({}): {failure}", table.kind, table.location));
                continue;
            }
        };
        for news in ended.iter().filter_map(Ended::news) {
            let context = Context { folder: root.to_owned(), ..Context::new(&news.run) };
            if let Err(failure) = notifier.tell(&context, &news).await {
                warn(&format!("{} was not told of {}: {failure}", table.kind, news.run));
            }
        }
    }
}
