//! The keys of a user.

use std::fmt;

use aws_sdk_iam::Client;
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::{StatusType, Tag};
use chrono::{DateTime, Utc};
use keytrail_rules::model::Secret;

use super::marker::{Marker, TAG};
use crate::aws::{ACCESS_KEY_ID, Access, RunAgent, failure, once};
use crate::context::Context;
use crate::credential::Credential;
use crate::failure::Failure;

/// A user has no more keys.
pub(super) const LIMIT: usize = 2;
/// A key that is younger, in seconds, is not known everywhere yet.
const FRESH: i64 = 120;

/// A key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) active: bool,
    /// In seconds since 1970.
    pub(super) created: i64,
}

impl Key {
    /// Whether there may be places that do not know it yet.
    pub(super) fn is_fresh(&self) -> bool {
        Utc::now().timestamp() - self.created < FRESH
    }
}

/// When and for what a key was used last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LastUse {
    at: i64,
    /// `s3`.
    service: String,
    region: String,
}

impl LastUse {
    /// Whether it was used within so many seconds, for anything but to see if it works.
    pub(super) fn within(&self, seconds: i64) -> bool {
        self.service != "sts" && Utc::now().timestamp() - self.at < seconds
    }
}

impl fmt::Display for LastUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} in {})", minute(self.at), self.service, self.region)
    }
}

fn minute(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%MZ").to_string())
}

/// A user, for one act.
pub(super) struct User<'a> {
    client: Client,
    name: &'a str,
}

impl<'a> User<'a> {
    pub(super) async fn open(name: &'a str, access: &Access, context: &Context) -> Result<Self, Failure> {
        let config = access.config(context).await?;
        let config = aws_sdk_iam::config::Builder::from(&config).interceptor(RunAgent::of(context));
        Ok(Self { client: Client::from_conf(config.build()), name })
    }

    /// The keys, oldest first.
    pub(super) async fn list(&self) -> Result<Vec<Key>, Failure> {
        let answer = self.client.list_access_keys().user_name(self.name).send().await;
        let answer = answer.map_err(|error| match error.code() {
            Some("NoSuchEntity") => Failure::not_done(format!("AWS has no user {}", self.name))
                .hint("correct `user` of the issuer, or the account that Keytrail logs in to"),
            _ => failure(&format!("the access keys of {} cannot be listed", self.name), &error),
        })?;
        let key = |key: &aws_sdk_iam::types::AccessKeyMetadata| {
            Some(Key {
                id: key.access_key_id.clone()?,
                active: key.status == Some(StatusType::Active),
                created: key.create_date.map_or(0, |date| date.secs()),
            })
        };
        let mut keys: Vec<Key> = answer.access_key_metadata.iter().filter_map(key).collect();
        keys.sort_by_key(|key| key.created);
        Ok(keys)
    }

    /// When a key was used last; `None` if never. AWS tells it some minutes late.
    pub(super) async fn last_used(&self, id: &str) -> Result<Option<LastUse>, Failure> {
        let answer = self.client.get_access_key_last_used().access_key_id(id).send().await;
        let answer = answer.map_err(|error| failure("the last use of an access key cannot be read", &error))?;
        Ok(answer.access_key_last_used.and_then(|used| {
            let at = used.last_used_date?.secs();
            Some(LastUse { at, service: used.service_name, region: used.region })
        }))
    }

    /// What keeps a key from being made: each key but `used`, with what it takes to remove it.
    pub(super) async fn in_the_way(&self, keys: &[Key], used: Option<&str>) -> Vec<String> {
        let mut told = Vec::new();
        for key in keys.iter().filter(|key| Some(key.id.as_str()) != used) {
            let last = match self.last_used(&key.id).await {
                Ok(Some(last)) => format!("last used {last}"),
                Ok(None) => "never used".to_owned(),
                Err(_) => "its last use is not known".to_owned(),
            };
            let state = if key.active { "active" } else { "inactive" };
            told.push(format!(
                "the user {user} has {LIMIT} access keys, and AWS allows no more: {id} is in the way ({state}, made {made}, \
                 {last}); if nobody needs it: aws iam delete-access-key --user-name {user} --access-key-id {id}",
                user = self.name,
                id = key.id,
                made = minute(key.created),
            ));
        }
        told
    }

    /// Makes a key.
    pub(super) async fn create(&self) -> Result<Credential, Failure> {
        // A repetition by the SDK would make one more, of which nobody knows.
        let alone = aws_sdk_iam::config::Config::builder().retry_config(once());
        let request = self.client.create_access_key().user_name(self.name).customize().config_override(alone);
        let answer = request.send().await;
        let answer = answer.map_err(|error| match error.code() {
            Some("LimitExceeded") => {
                Failure::not_done(format!("the user {} has {LIMIT} access keys already", self.name)).hint(
                    "remove the one that nobody needs: `aws iam list-access-keys`, then `aws iam delete-access-key`",
                )
            }
            _ => failure(&format!("no access key can be made for {}", self.name), &error),
        })?;
        let key = answer.access_key.ok_or_else(|| Failure::unknown("AWS did not say which key it made"))?;
        let id = Secret::new(key.access_key_id);
        Ok(Credential::of_value(Secret::new(key.secret_access_key)).with(ACCESS_KEY_ID, id))
    }

    /// Makes a key active or inactive.
    pub(super) async fn set_active(&self, id: &str, active: bool) -> Result<(), Failure> {
        let status = if active { StatusType::Active } else { StatusType::Inactive };
        let request = self.client.update_access_key().user_name(self.name).access_key_id(id).status(status);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(&format!("the access key {id} of {} cannot be changed", self.name), &error)),
        }
    }

    /// Deletes a key; nothing where it is gone.
    pub(super) async fn delete(&self, id: &str) -> Result<(), Failure> {
        match self.client.delete_access_key().user_name(self.name).access_key_id(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchEntity") => Ok(()),
            Err(error) => Err(failure(&format!("the access key {id} of {} cannot be deleted", self.name), &error)),
        }
    }

    /// What the tag says.
    pub(super) async fn marker(&self) -> Result<Option<Marker>, Failure> {
        let what = || format!("the tags of the user {} cannot be read", self.name);
        let mut pages = self.client.list_user_tags().user_name(self.name).into_paginator().send();
        // AWS keeps 50 tags of a user.
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure(&what(), &error))?;
            if let Some(tag) = page.tags.iter().find(|tag| tag.key == TAG) {
                return Ok(Marker::parse(&tag.value));
            }
        }
        Ok(None)
    }

    /// Sets the tag.
    pub(super) async fn mark(&self, marker: &Marker) -> Result<(), Failure> {
        let what = format!("the user {} cannot be tagged", self.name);
        let tag = Tag::builder().key(TAG).value(marker.text()).build();
        let tag = tag.map_err(|_| Failure::not_done(what.clone()))?;
        let answer = self.client.tag_user().user_name(self.name).tags(tag).send().await;
        answer.map(drop).map_err(|error| failure(&what, &error))
    }

    /// Takes the tag of a run off.
    pub(super) async fn unmark(&self, run: &str) -> Result<(), Failure> {
        if self.marker().await?.is_none_or(|marker| marker.run != run) {
            return Ok(());
        }
        let answer = self.client.untag_user().user_name(self.name).tag_keys(TAG).send().await;
        let what = format!("the tag of the user {} cannot be removed", self.name);
        answer.map(drop).map_err(|error| failure(&what, &error))
    }
}
