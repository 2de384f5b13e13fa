//! By whose leave, and when, a rotation begins.

use std::collections::BTreeSet;

use keytrail_rotation::plan::{Group, Recipes};
use keytrail_rules::model::{Environment, Key, Time};

use crate::config::{Approval, RotationConfig};

/// What leave is judged by.
pub struct Leave<'a> {
    /// `[rotation]`.
    pub config: &'a RotationConfig,
    /// What single secrets say.
    pub recipes: &'a Recipes,
    /// Who asks.
    pub requester: &'a str,
    /// Who approved it.
    pub approver: Option<&'a str>,
    /// Now.
    pub now: Time,
    /// Whether the old values are known to others, so that nothing is waited for.
    pub is_emergency: bool,
}

impl Leave<'_> {
    /// Who cannot approve anything, and why; `None` where the approver may.
    pub fn bad_approver(&self) -> Option<String> {
        let approver = self.approver?;
        if approver == self.requester {
            return Some(format!("{approver} asks for it, and cannot approve it too"));
        }
        let may = self.config.approvers.is_empty() || self.config.approvers.iter().any(|one| one == approver);
        (!may).then(|| format!("{approver} is none of the `approvers` of [rotation]"))
    }

    /// Why a group does not begin now; `None` where it does. `waiting` are the secrets outside of production that are due,
    /// and not rotated yet.
    pub fn holds(&self, group: &Group, waiting: &BTreeSet<Key>) -> Option<String> {
        if self.needs_approval(group) && self.approver.is_none() {
            return Some("somebody has to approve it: --approved-by NAME".to_owned());
        }
        if self.is_emergency {
            return None;
        }
        let windows = &self.config.windows;
        if !windows.is_empty() && !windows.iter().any(|window| window.contains(self.now)) {
            let windows: Vec<String> = windows.iter().map(ToString::to_string).collect();
            return Some(format!("it is outside of the maintenance windows: {}", windows.join("; ")));
        }
        if self.config.after_staging && is_production(group) {
            let first = group.items.iter().map(|item| &item.key).find(|key| waiting.contains(*key))?;
            return Some(format!("{first} is to be rotated in the other environments first"));
        }
        None
    }

    fn needs_approval(&self, group: &Group) -> bool {
        group.items.iter().any(|item| {
            let by_environment = || match &self.config.approval {
                Approval::Never => false,
                Approval::Always => true,
                Approval::Environments(all) => item.environment.as_ref().is_some_and(|one| all.contains(one)),
            };
            self.recipes.approval(item).unwrap_or_else(by_environment)
        })
    }
}

/// Who asks for rotations: whom the config names, the one who started the job of the CI, the user of the system.
pub fn requester(config: &RotationConfig) -> String {
    let variables = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"];
    let by_variable = || variables.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    config.requester.clone().or_else(by_variable).unwrap_or_else(user)
}

#[cfg(unix)]
fn user() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn user() -> String {
    "unknown".to_owned()
}

/// Whether a group changes a secret of production.
fn is_production(group: &Group) -> bool {
    group.items.iter().any(|item| item.environment.as_ref().is_some_and(Environment::is_production))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keytrail_rotation::plan::{Group, PlannedItem, Reason, Recipes, SecretRecipe, Window};
    use keytrail_rules::inventory::ItemId;
    use keytrail_rules::model::{Environment, Key, Time};
    use keytrail_rules::report::ItemStatus;

    use super::Leave;
    use crate::config::{Approval, RotationConfig};

    fn group(environment: &str) -> Group {
        let (key, environment) = (Key::new("DB_PASSWORD"), Environment::new(environment));
        let item = PlannedItem {
            id: ItemId::of_key(&key, Some(&environment)),
            key,
            aliases: Vec::new(),
            environment: Some(environment),
            status: ItemStatus::Overdue,
            reason: Reason::Due,
            derived_from: Vec::new(),
            owner: None,
            due_at: None,
            set_by: None,
        };
        Group { items: vec![item], steps: Vec::new(), missing: Vec::new() }
    }

    fn saturday() -> Time {
        "2026-11-21T03:00:00Z".parse().expect("a time")
    }

    fn holds(config: &RotationConfig, recipes: &Recipes, approver: Option<&str>, is_emergency: bool) -> Option<String> {
        let leave = Leave { config, recipes, requester: "ana", approver, now: saturday(), is_emergency };
        leave.holds(&group("production"), &BTreeSet::from([Key::new("DB_PASSWORD")]))
    }

    #[test]
    fn an_approval_is_asked_for_by_environment_or_by_secret() {
        let environments = Approval::Environments(vec![Environment::new("production")]);
        let config = RotationConfig { approval: environments, ..RotationConfig::default() };
        let none = Recipes::default();
        assert!(holds(&config, &none, None, false).is_some_and(|why| why.contains("--approved-by")));
        assert!(holds(&config, &none, None, true).is_some(), "in an emergency too");
        assert_eq!(holds(&config, &none, Some("ben"), false), None);
        let mut exempt = Recipes::default();
        let recipe = SecretRecipe { approval: Some(false), ..SecretRecipe::default() };
        exempt.secrets.insert(Key::new("DB_PASSWORD"), vec![recipe]);
        assert_eq!(holds(&config, &exempt, None, false), None);
    }

    #[test]
    fn an_approver_is_another_one_than_who_asks() {
        let (none, recipes) = (RotationConfig::default(), Recipes::default());
        let two = RotationConfig { approvers: vec!["ben".into()], ..RotationConfig::default() };
        let bad = |config: &RotationConfig, approver| {
            let leave =
                Leave { config, recipes: &recipes, requester: "ana", approver, now: saturday(), is_emergency: false };
            leave.bad_approver().is_some()
        };
        assert!(bad(&none, Some("ana")) && bad(&two, Some("eve")));
        assert!(!bad(&none, Some("eve")) && !bad(&two, Some("ben")) && !bad(&two, None));
    }

    #[test]
    fn a_rotation_waits_for_its_window_and_for_staging_but_not_in_an_emergency() {
        let windows = vec![Window::parse("Sun 02:00-06:00").expect("a window")];
        let closed = RotationConfig { windows, ..RotationConfig::default() };
        let recipes = Recipes::default();
        assert!(holds(&closed, &recipes, None, false).is_some_and(|why| why.contains("Sun 02:00-06:00")));
        assert_eq!(holds(&closed, &recipes, None, true), None);
        let staged = RotationConfig { after_staging: true, ..RotationConfig::default() };
        assert!(holds(&staged, &recipes, None, false).is_some_and(|why| why.contains("other environments")));
        assert_eq!(holds(&staged, &recipes, None, true), None);
        assert_eq!(holds(&RotationConfig::default(), &recipes, None, false), None);
    }
}
