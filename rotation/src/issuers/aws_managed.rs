//! Secrets that AWS rotates itself, by a function of Secrets Manager or of the service that owns them (RDS):
//! `{ kind = "aws-managed", secret = "prod/db" }`.
//!
//! AWS is told to rotate and asked until the new version is AWSCURRENT; the old one is AWSPREVIOUS then. The value is the
//! member `key` of the secret, or all of it; its other texts are parts of the credential (`username`).
//!
//! # Guarantees
//! * The id of the new version is made from the run, so that a rotation is asked for once, however often this is done. One
//!   that is under way for somebody else is not touched.
//! * Automatic rotation is neither switched on nor off, and no label is moved: what the function did to the database would no
//!   longer be what the secret says.
//!
//! # Assumptions
//! * With `overlap = "one"` (the default) the rotation replaces the password of a single user, and the old one ends with it.
//!   With `"both"` it alternates between two users: the old one works until the rotation after this one.
//! * Only the database knows which password it honours: a probe has to tell.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets.html>

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use keytrail_rules::model::Secret;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Chooser, Issuer, IssuerKind, Nature, Overlap};
use crate::aws::{Access, Login, RunAgent, failure, token};
use crate::context::{Act, Context};
use crate::credential::Credential;
use crate::failure::{Failure, Outcome};
use crate::state::Answer;

/// Secrets that AWS rotates itself.
pub(super) static KIND: IssuerKind = IssuerKind {
    name: "aws-managed",
    about: "secrets that AWS rotates itself, asked to do it now",
    open: |settings| {
        let Table { secret, key, overlap, wait, region, endpoint, login } = settings.read()?;
        let overlap = match overlap {
            Strategy::One => Overlap::One,
            Strategy::Both => Overlap::Both,
        };
        let access = Access { region, endpoint, login };
        Ok(Box::new(AwsManaged { secret, key, overlap, wait: Duration::from_secs(wait), access }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Its name or ARN.
    secret: String,
    /// The member that is the value; without one, the whole text is.
    key: Option<String>,
    #[serde(default)]
    overlap: Strategy,
    /// For so many seconds the end of the rotation is waited for.
    #[serde(default = "wait")]
    wait: u64,
    region: Option<String>,
    /// A server in place of AWS.
    endpoint: Option<String>,
    /// As whom; else as the AWS CLI would be.
    login: Option<Login>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Strategy {
    #[default]
    One,
    Both,
}

fn wait() -> u64 {
    300
}

struct AwsManaged {
    secret: String,
    key: Option<String>,
    overlap: Overlap,
    wait: Duration,
    access: Access,
}

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
/// AWS is asked again after so long.
const AGAIN: Duration = Duration::from_secs(2);

/// How far the rotation of a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Nothing of it is there.
    Absent,
    /// Its version is pending.
    Pending,
    /// Its version is the current one.
    Done,
    /// Another rotation is under way.
    Other,
}

impl AwsManaged {
    async fn client(&self, context: &Context) -> Result<Client, Failure> {
        let config = self.access.near(&self.secret).config(context).await?;
        let config = aws_sdk_secretsmanager::config::Builder::from(&config).interceptor(RunAgent::of(context));
        Ok(Client::from_conf(config.build()))
    }

    fn version(&self, context: &Context) -> String {
        token(&context.run, &[&self.secret, "managed"])
    }

    async fn describe(&self, client: &Client) -> Result<DescribeSecretOutput, Failure> {
        let answer = client.describe_secret().secret_id(&self.secret).send().await;
        answer.map_err(|error| failure(&format!("the secret {} cannot be looked at", self.secret), &error))
    }

    async fn stage(&self, client: &Client, version: &str) -> Result<Stage, Failure> {
        let described = self.describe(client).await?;
        let (current, pending) = (with(&described, CURRENT), with(&described, PENDING));
        Ok(match pending {
            _ if current == Some(version) => Stage::Done,
            Some(pending) if pending == version => Stage::Pending,
            Some(pending) if Some(pending) != current => Stage::Other,
            _ => Stage::Absent,
        })
    }

    fn other(&self) -> Failure {
        Failure::conflict(format!("another rotation of {} is under way", self.secret))
            .hint("let it end; where it failed, mend its function and rotate again: AWSPENDING is still on its version")
    }

    async fn set(&self, context: &Context) -> Result<Credential, Failure> {
        let client = self.client(context).await?;
        let version = self.version(context);
        match self.stage(&client, &version).await? {
            Stage::Done => {}
            Stage::Other => return Err(self.other()),
            // Asked again, a rotation that stopped half way goes on.
            Stage::Absent | Stage::Pending => self.rotate(&client, &version).await?,
        }
        let end = Instant::now() + self.wait;
        loop {
            let stage = self.stage(&client, &version).await?;
            if stage == Stage::Other {
                return Err(self.other());
            }
            // What was just written is not known everywhere at once.
            if stage == Stage::Done
                && let Some(credential) = self.credential(&client, &version).await?
            {
                return Ok(credential);
            }
            if Instant::now() >= end {
                return Err(self.unfinished(stage, &version));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn rotate(&self, client: &Client, version: &str) -> Result<(), Failure> {
        let request = client.rotate_secret().secret_id(&self.secret).client_request_token(version);
        let what = format!("AWS does not rotate {}", self.secret);
        request.send().await.map(drop).map_err(|error| failure(&what, &error))
    }

    fn unfinished(&self, stage: Stage, version: &str) -> Failure {
        let state = match stage {
            Stage::Pending => format!("AWSPENDING is still on its version {version}: the function runs, or failed"),
            Stage::Done => "its value cannot be read yet".to_owned(),
            Stage::Absent | Stage::Other => "it has made no version".to_owned(),
        };
        let what = format!("the rotation of {} did not end within {:?}: {state}", self.secret, self.wait);
        Failure::unknown(what)
            .hint("look for RotationFailed in CloudTrail and at the log of the function; the next try goes on with it")
    }

    /// The new version; `None` where AWS does not know it yet.
    async fn credential(&self, client: &Client, version: &str) -> Result<Option<Credential>, Failure> {
        let answer = match client.get_secret_value().secret_id(&self.secret).version_id(version).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => {
                return Err(failure(&format!("the new version of {} cannot be read", self.secret), &error));
            }
        };
        let text = answer.secret_string.map(Zeroizing::new);
        let text = text.ok_or_else(|| Failure::unknown(format!("the new version of {} is binary", self.secret)))?;
        self.parts(&text).map(Some)
    }

    fn parts(&self, text: &str) -> Result<Credential, Failure> {
        let Some(key) = &self.key else { return Ok(Credential::of_value(Secret::from(text))) };
        let members: BTreeMap<String, Value> = serde_json::from_str(text)
            .map_err(|_| Failure::unknown(format!("the new version of {} is no JSON object", self.secret)))?;
        let mut credential = Credential::default();
        for (name, member) in members {
            if let Value::String(member) = member {
                let part = if name == *key { crate::credential::VALUE } else { &name };
                credential.set(part, Secret::new(member));
            }
        }
        let missing = || Failure::unknown(format!("the new version of {} has no text {key}", self.secret));
        credential.value().is_some().then_some(credential).ok_or_else(missing)
    }

    async fn withdraw(&self, context: &Context) -> Result<(), Failure> {
        let client = self.client(context).await?;
        let version = self.version(context);
        match self.stage(&client, &version).await? {
            Stage::Absent | Stage::Other => Ok(()),
            Stage::Pending => Err(self.unfinished(Stage::Pending, &version)),
            // The user before this one still has its password, and is the next to get another.
            Stage::Done if self.overlap == Overlap::Both => Ok(()),
            Stage::Done => Err(Failure::not_done(format!("AWS has rotated {}: there is no way back", self.secret))
                .hint("let the consumers load the new value; the old one is AWSPREVIOUS, and no longer honoured")),
        }
    }

    async fn obstacles(&self, context: &Context) -> Result<Vec<String>, Failure> {
        let secret = &self.secret;
        let client = self.client(context).await?;
        let described = match self.describe(&client).await {
            Ok(described) => described,
            Err(Failure { outcome: Outcome::NotDone, what, .. }) => return Ok(vec![what]),
            Err(failed) => return Err(failed),
        };
        let mut found = Vec::new();
        if described.deleted_date.is_some() {
            found.push(format!("the secret {secret} is to be deleted: `aws secretsmanager restore-secret` first"));
        }
        let rotates = described.rotation_enabled == Some(true) || described.owning_service.is_some();
        if !rotates {
            found.push(format!("AWS does not rotate {secret}: set rotation up for it, or use another issuer"));
        }
        if self.stage(&client, &self.version(context)).await? == Stage::Other {
            found.push(self.other().what);
        }
        Ok(found)
    }
}

fn with<'d>(described: &'d DescribeSecretOutput, label: &str) -> Option<&'d str> {
    let versions = described.version_ids_to_stages.as_ref()?;
    versions.iter().find(|(_, labels)| labels.iter().any(|one| one == label)).map(|(version, _)| version.as_str())
}

impl Issuer for AwsManaged {
    fn nature(&self) -> Nature {
        Nature { chooser: Chooser::Issuer, overlap: self.overlap, answers: false }
    }

    fn preflight<'a>(&'a self, context: &'a Context, _: Option<&'a Credential>) -> Act<'a, Vec<String>> {
        Box::pin(self.obstacles(context))
    }

    fn choose(&self, _: Option<&Credential>) -> Result<Option<Credential>, Failure> {
        Ok(None)
    }

    fn set<'a>(
        &'a self,
        context: &'a Context,
        _: Option<&'a Credential>,
        _: Option<&'a Credential>,
    ) -> Act<'a, Credential> {
        Box::pin(self.set(context))
    }

    fn check<'a>(&'a self, _: &'a Context, _: &'a Credential) -> Act<'a, Answer> {
        Box::pin(std::future::ready(Ok(Answer::Unknown)))
    }

    fn withdraw<'a>(
        &'a self,
        context: &'a Context,
        _: Option<&'a Credential>,
        _: Option<&'a Credential>,
    ) -> Act<'a, ()> {
        Box::pin(self.withdraw(context))
    }

    fn revoke<'a>(&'a self, _: &'a Context, _: &'a Credential, new: Option<&'a Credential>) -> Act<'a, ()> {
        // With one user the rotation itself ended the old value; with two it is the next rotation that does.
        let result = match (self.overlap, new) {
            (Overlap::Both, None) => Err(Failure::not_done(format!("AWS cannot end a value of {} alone", self.secret))
                .hint("rotate it twice: each rotation gives a new password to one of its two users")),
            _ => Ok(()),
        };
        Box::pin(std::future::ready(result))
    }
}
