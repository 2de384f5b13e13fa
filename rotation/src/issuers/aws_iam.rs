//! Access keys of AWS users: `{ kind = "aws-iam", user = "ci" }`.
//!
//! The value is the secret access key; the part `access_key_id` names the key, and has to have a place of its own
//! (`parts = { access_key_id = ["…"] }`). A user has two keys at most, so that a rotation needs one slot free.
//!
//! # What is told apart, and how
//! AWS chooses the key and tells its secret once; a key has no name or comment. Before one is made, the user is
//! tagged (`keytrail:run`) with the run, the time and the keys that are there. What an interrupted call made is then the key
//! that is neither the old one nor one of those, was made within the time that the call may have taken, and was never
//! used: nobody was told its secret.
//!
//! # Guarantees
//! * A key is deleted only if it is the one that was to be: the old one at the end, the new one on the way back, or one that
//!   an interrupted call of this run left. To make room none is.
//! * The old key is made inactive before it is deleted; until then [`Issuer::withdraw`] makes it active again. One that was
//!   in use just before stays inactive for a while, which is told.
//!
//! # Assumptions
//! * Nobody else makes a key for the same user within the minutes of an interrupted call, and leaves it unused.
//! * The clocks of AWS and of this machine are less than five minutes apart.
//! * Keytrail's principal has the rights to `iam:ListAccessKeys`, `CreateAccessKey`, `UpdateAccessKey`, `DeleteAccessKey`,
//!   `GetAccessKeyLastUsed`, `ListUserTags`, `TagUser` and `UntagUser` of the user.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html>

mod keys;
mod marker;

use std::time::{Duration, Instant};

use aws_sdk_iam::error::ProvideErrorMetadata;
use keytrail_rules::model::Secret;
use serde::Deserialize;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::aws::{self, ACCESS_KEY_ID, Access, Login};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Outcome};
use crate::state::Answer;
use keys::{Key, User};
use marker::Marker;

/// Access keys of AWS users.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "aws-iam",
    about: "access keys of an AWS user, of which two may be there at once",
    open: |settings| {
        let Table { user, region, endpoint, login, quiet } = settings.read()?;
        Ok(Box::new(AwsIam { user, access: Access { region, endpoint, login }, quiet }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Whose keys.
    user: String,
    region: Option<String>,
    /// A server in place of AWS.
    endpoint: Option<String>,
    /// As whom; else as the AWS CLI would be.
    login: Option<Login>,
    /// For so many seconds a key must not have been used before it is deleted.
    #[serde(default = "quiet")]
    quiet: i64,
}

fn quiet() -> i64 {
    300
}

struct AwsIam {
    user: String,
    access: Access,
    quiet: i64,
}

/// A fresh key may be refused, and a deleted one be honoured, for so long at most.
const SETTLES: Duration = Duration::from_secs(30);
/// AWS is asked again after so long.
const AGAIN: Duration = Duration::from_secs(1);

impl AwsIam {
    async fn keys(&self, context: &Context) -> Result<User<'_>, Failure> {
        User::open(&self.user, &self.access, context).await
    }

    async fn set(&self, context: &Context, old: Option<&Credential>) -> Result<Credential, Failure> {
        let user = self.keys(context).await?;
        self.remove_orphans(&user, context, old).await?;
        let keys = user.list().await?;
        if keys.len() >= keys::LIMIT {
            let told = user.in_the_way(&keys, id_of(old)).await.join("; ");
            return Err(Failure::not_done(told).hint("remove one of them, and try again"));
        }
        user.mark(&Marker::new(&context.run, keys.iter().map(|key| key.id.clone()))).await?;
        user.create().await
    }

    /// Deletes what an interrupted call of this run left behind.
    async fn remove_orphans(
        &self,
        user: &User<'_>,
        context: &Context,
        old: Option<&Credential>,
    ) -> Result<(), Failure> {
        let Some(marker) = user.marker().await?.filter(|marker| marker.run == context.run) else { return Ok(()) };
        for key in user.list().await? {
            let is_left = id_of(old) != Some(&key.id) && marker.may_have_made(&key, context.timeout);
            if is_left && user.last_used(&key.id).await?.is_none() {
                user.delete(&key.id).await?;
            }
        }
        Ok(())
    }

    async fn check(&self, context: &Context, credential: &Credential) -> Result<Answer, Failure> {
        let id = id_of(Some(credential)).unwrap_or_default().to_owned();
        let config = self.access.config_as(context, credential).await?;
        let client = aws_sdk_sts::config::Builder::from(&config).interceptor(aws::RunAgent::of(context)).build();
        let client = aws_sdk_sts::Client::from_conf(client);
        let end = Instant::now() + SETTLES.min(context.timeout);
        loop {
            let works = match client.get_caller_identity().send().await {
                Ok(_) => true,
                Err(error) if error.code().is_some_and(aws::is_unauthenticated) => false,
                Err(_) => return Ok(Answer::Unknown),
            };
            let Ok(keys) = self.keys(context).await?.list().await else { return Ok(Answer::Unknown) };
            let key = keys.iter().find(|key| key.id == id);
            let settled = match key.filter(|key| key.active) {
                Some(key) => works || !key.is_fresh(),
                None => !works,
            };
            match (works, settled, Instant::now() < end) {
                (true, true, _) | (true, false, false) => return Ok(Answer::Works),
                (false, true, _) => return Ok(Answer::Rejected),
                (false, false, false) => return Ok(Answer::Unknown),
                (_, false, true) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn withdraw(
        &self,
        context: &Context,
        old: Option<&Credential>,
        new: Option<&Credential>,
    ) -> Result<(), Failure> {
        let user = self.keys(context).await?;
        for key in user.list().await?.iter().filter(|key| id_of(old) == Some(&key.id) && !key.active) {
            user.set_active(&key.id, true).await?;
        }
        match id_of(new).filter(|id| Some(*id) != id_of(old)) {
            Some(id) => user.delete(id).await?,
            None => self.remove_orphans(&user, context, old).await?,
        }
        user.unmark(&context.run).await
    }

    async fn revoke(&self, context: &Context, old: &Credential, new: Option<&Credential>) -> Result<(), Failure> {
        let id = id_of(Some(old)).ok_or_else(no_id)?;
        let user = self.keys(context).await?;
        let keys = user.list().await?;
        if let Some(new) = id_of(new) {
            let works = |key: &Key| key.id == new && key.active;
            if id == new || !keys.iter().any(works) {
                let what = format!("the new access key of {} is not active: the old one stays", self.user);
                return Err(Failure::not_done(what));
            }
        }
        if let Some(key) = keys.iter().find(|key| key.id == id) {
            let used = user.last_used(id).await?;
            if key.active {
                user.set_active(id, false).await?;
            }
            if let Some(used) = used.filter(|used| used.within(self.quiet)) {
                let what = format!("the access key {id} of {} was in use until {used}, and is inactive now", self.user);
                let hint = format!(
                    "find who has not loaded the new one; it is deleted with the next try once {} seconds have passed",
                    self.quiet
                );
                return Err(Failure::unknown(what).hint(hint));
            }
            user.delete(id).await?;
        }
        user.unmark(&context.run).await
    }

    async fn obstacles(&self, context: &Context, old: Option<&Credential>) -> Result<Vec<String>, Failure> {
        let user = self.keys(context).await?;
        let keys = match user.list().await {
            Ok(keys) => keys,
            Err(Failure { outcome: Outcome::NotDone, what, .. }) => return Ok(vec![what]),
            Err(failed) => return Err(failed),
        };
        let mut found = Vec::new();
        if old.is_some() {
            match id_of(old).map(|id| keys.iter().find(|key| key.id == id)) {
                None => found.push(no_id().what),
                Some(None) => found.push(format!("the access key that is kept is none of the user {}", self.user)),
                Some(Some(key)) if !key.active => found.push(format!("the access key {} is inactive", key.id)),
                Some(Some(_)) => {}
            }
        }
        if keys.len() >= keys::LIMIT {
            found.extend(user.in_the_way(&keys, id_of(old)).await);
        }
        Ok(found)
    }
}

fn id_of(credential: Option<&Credential>) -> Option<&str> {
    credential?.part(ACCESS_KEY_ID).map(Secret::expose)
}

fn no_id() -> Failure {
    Failure::not_done(format!(
        "which access key it is, is not known: parts = {{ {ACCESS_KEY_ID} = [\"…\"] }} is missing"
    ))
}

impl Issuer for AwsIam {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Issuer, overlap: Overlap::Both, answers: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, old: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(self.obstacles(context, old))
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
        Box::pin(self.set(context, old))
    }

    fn check<'a>(&'a self, context: &'a Context, credential: &'a Credential) -> Act<'a, Answer> {
        Box::pin(self.check(context, credential))
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        old: Option<&'a Credential>,
        new: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(self.withdraw(context, old, new))
    }

    fn revoke<'a>(&'a self, context: &'a Context, old: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()> {
        Box::pin(self.revoke(context, old, new))
    }
}
