//! New values of secrets, by their versions and staging labels.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use keytrail_rotation::aws::{Access, RunAgent, failure, token};
use keytrail_rotation::context::{Act, Context};
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rotation::store::{Abilities, Held, Store, Version, no_such};
use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::super::aws::{content, told};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

/// Writes secrets. See the [module](super) for how.
#[derive(Debug)]
pub struct SecretsManager {
    access: Access,
}

/// The text of a version.
struct Text {
    version: String,
    text: Zeroizing<String>,
}

/// One secret, for one act.
struct Target<'a> {
    client: Client,
    run: &'a str,
    path: &'a str,
}

impl SecretsManager {
    /// Writes where and as whom `access` says.
    pub fn new(access: Access) -> Self {
        Self { access }
    }

    async fn target<'a>(&self, context: &'a Context, path: &'a str) -> Result<Target<'a>, Failure> {
        let config = self.access.near(path).config(context).await?;
        let config = aws_sdk_secretsmanager::config::Builder::from(&config).interceptor(RunAgent::of(context));
        Ok(Target { client: Client::from_conf(config.build()), run: &context.run, path })
    }
}

impl Target<'_> {
    fn name(&self) -> String {
        format!("the secret {}", self.path)
    }

    fn refused(&self, why: &str) -> Failure {
        Failure::not_done(format!("{} {why}", self.name()))
    }

    /// The version that [`Store::stage`] of this run makes.
    fn staged(&self) -> String {
        token(self.run, &[self.path, "staged"])
    }

    async fn describe(&self) -> Result<DescribeSecretOutput, Failure> {
        self.client.describe_secret().secret_id(self.path).send().await.map_err(|error| match error.code() {
            Some("ResourceNotFoundException") => no_such(&self.name()),
            _ => failure(&format!("{} cannot be looked at", self.name()), &error),
        })
    }

    async fn current(&self) -> Result<Text, Failure> {
        let request = self.client.get_secret_value().secret_id(self.path).version_stage(CURRENT);
        let answer = request.send().await.map_err(|error| match error.code() {
            Some("ResourceNotFoundException") => no_such(&self.name()),
            _ => failure(&format!("{} cannot be read", self.name()), &error),
        })?;
        let (Some(version), Some(text)) = (answer.version_id, answer.secret_string) else {
            return Err(self.refused("is binary").hint("Keytrail rotates text: rotate it by hand"));
        };
        Ok(Text { version, text: Zeroizing::new(text) })
    }

    /// Whether a version is there and holds this text.
    async fn holds(&self, version: &str, text: &str) -> Result<bool, Failure> {
        match self.client.get_secret_value().secret_id(self.path).version_id(version).send().await {
            Ok(answer) => Ok(answer.secret_string.map(Zeroizing::new).is_some_and(|held| *held == text)),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(false),
            Err(error) => Err(failure(&format!("a version of {} cannot be read", self.name()), &error)),
        }
    }

    /// Adds a version under a label. The same version with the same text is there once, however often this is done.
    async fn put(&self, version: &str, label: &str, text: &str) -> Result<(), Failure> {
        let request = self.client.put_secret_value().secret_id(self.path).client_request_token(version);
        let request = request.version_stages(label).secret_string(text);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(&format!("no version can be added to {}", self.name()), &error)),
        }
    }

    /// Moves AWSCURRENT from one version to another, if it still is there. AWS moves AWSPREVIOUS along.
    async fn promote(&self, to: &str, from: &str) -> Result<(), Failure> {
        let request = self.client.update_secret_version_stage().secret_id(self.path).version_stage(CURRENT);
        let Err(error) = request.move_to_version_id(to).remove_from_version_id(from).send().await else {
            return Ok(());
        };
        let what = format!("the current version of {} cannot be changed", self.name());
        let failed = failure(&what, &error);
        if failed.outcome != Outcome::NotDone {
            return Err(failed);
        }
        match self.labelled(CURRENT).await?.as_deref() {
            // The reply to an earlier try was lost.
            Some(current) if current == to => Ok(()),
            Some(current) if current != from => Err(self.overtaken()),
            _ => Err(failed),
        }
    }

    fn overtaken(&self) -> Failure {
        Failure::conflict(format!("somebody else changed {} in between", self.name()))
            .hint("look at its versions: `aws secretsmanager list-secret-version-ids`")
    }

    /// The version that has a label.
    async fn labelled(&self, label: &str) -> Result<Option<String>, Failure> {
        Ok(version_with(&self.describe().await?, label).map(str::to_owned))
    }

    /// Takes a label off a version; nothing where it is not there.
    async fn unlabel(&self, label: &str, version: &str) -> Result<(), Failure> {
        let request = self.client.update_secret_version_stage().secret_id(self.path).version_stage(label);
        let Err(error) = request.remove_from_version_id(version).send().await else { return Ok(()) };
        match self.labelled(label).await?.as_deref() == Some(version) {
            true => Err(failure(&format!("a label of {} cannot be removed", self.name()), &error)),
            false => Ok(()),
        }
    }

    /// Takes the labels off that led to a version which is current now, or never will be.
    async fn clear(&self) -> Result<(), Failure> {
        let described = self.describe().await?;
        let staged = self.staged();
        if version_with(&described, PENDING) == Some(&staged) {
            self.unlabel(PENDING, &staged).await?;
        }
        if let Some(ours) = version_with(&described, self.run) {
            self.unlabel(self.run, ours).await?;
        }
        Ok(())
    }

    async fn write(&self, values: &BTreeMap<String, &Secret>, expected: &str) -> Result<Version, Failure> {
        let current = self.current().await?;
        let wanted = content::replace(&current.text, values).map_err(|why| self.refused(&why))?;
        // Done before, by a try whose reply was lost; or by who rotates the secret itself.
        if *wanted == *current.text {
            self.clear().await?;
            return Ok(Version(current.version));
        }
        if current.version != expected {
            return Err(self.overtaken());
        }
        let staged = self.staged();
        let version = match self.holds(&staged, &wanted).await? {
            true => staged,
            false => {
                let version = token(self.run, &[self.path, "after", expected]);
                // Under a label of its own until it is the current one: AWS may delete a version that has none.
                self.put(&version, self.run, &wanted).await?;
                version
            }
        };
        self.promote(&version, expected).await?;
        self.clear().await?;
        Ok(Version(version))
    }

    async fn stage(&self, values: &BTreeMap<String, &Secret>) -> Result<(), Failure> {
        let described = self.describe().await?;
        let staged = self.staged();
        let pending = version_with(&described, PENDING);
        if pending.is_some_and(|pending| pending != staged && Some(pending) != version_with(&described, CURRENT)) {
            return Err(Failure::conflict(format!("somebody else is rotating {}", self.name())).hint(UNDER_WAY));
        }
        let current = self.current().await?;
        let wanted = content::replace(&current.text, values).map_err(|why| self.refused(&why))?;
        let request = self.client.put_secret_value().secret_id(self.path).client_request_token(&staged);
        match request.version_stages(PENDING).secret_string(wanted.as_str()).send().await {
            Ok(_) => Ok(()),
            // Staged by an earlier try, before a sibling changed: `write` sees that it is not what is wanted.
            Err(SdkError::ServiceError(error)) if error.err().is_resource_exists_exception() => Ok(()),
            Err(error) => Err(failure(&format!("nothing can be staged in {}", self.name()), &error)),
        }
    }

    async fn obstacles(&self, keys: &[String]) -> Result<Vec<String>, Failure> {
        let described = match self.describe().await {
            Ok(described) => described,
            Err(failed) => return told(failed),
        };
        let mut obstacles = self.state(&described);
        if !obstacles.is_empty() {
            return Ok(obstacles);
        }
        match self.current().await {
            Ok(current) => obstacles.extend(
                keys.iter().filter_map(|key| content::get(&current.text, key).err()).map(|why| self.refused(&why).what),
            ),
            Err(failed) => return told(failed),
        }
        Ok(obstacles)
    }

    /// What of the secret itself keeps it from being written.
    fn state(&self, described: &DescribeSecretOutput) -> Vec<String> {
        let name = self.name();
        let mut found = Vec::new();
        if described.deleted_date.is_some() {
            found.push(format!("{name} is to be deleted: `aws secretsmanager restore-secret` first"));
        }
        if described.rotation_enabled == Some(true) {
            found.push(format!("AWS rotates {name} itself: let it, with the issuer `aws-managed`"));
        }
        if let Some(service) = &described.owning_service {
            found.push(format!("{name} belongs to {service}, which changes it: use the issuer `aws-managed`"));
        }
        if let Some(primary) = described.primary_region()
            && self.client.config().region().is_some_and(|region| region.as_ref() != primary)
        {
            found.push(format!("{name} is a replica here: write it in its primary region, {primary}"));
        }
        let pending = version_with(described, PENDING);
        if pending.is_some_and(|id| id != self.staged() && Some(id) != version_with(described, CURRENT)) {
            found.push(format!("a rotation of {name} is under way (AWSPENDING): {UNDER_WAY}"));
        }
        found
    }
}

const UNDER_WAY: &str = "let it end, or take its AWSPENDING off with `aws secretsmanager update-secret-version-stage`";

fn version_with<'d>(described: &'d DescribeSecretOutput, label: &str) -> Option<&'d str> {
    let versions = described.version_ids_to_stages.as_ref()?;
    versions.iter().find(|(_, labels)| labels.iter().any(|one| one == label)).map(|(version, _)| version.as_str())
}

impl Store for SecretsManager {
    fn abilities(&self) -> Abilities {
        Abilities { reads: true, compares: true, stages: true }
    }

    fn preflight<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>> {
        Box::pin(async move { self.target(context, path).await?.obstacles(keys).await })
    }

    fn read<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held> {
        Box::pin(async move {
            let current = self.target(context, path).await?.current().await?;
            let values = keys.iter().filter_map(|key| Some((key.clone(), content::get(&current.text, key).ok()?)));
            Ok(Held { version: Version(current.version), values: values.collect() })
        })
    }

    fn write<'a>(
        &'a self,
        context: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
        expected: &'a Version,
    ) -> Act<'a, Version> {
        Box::pin(async move { self.target(context, path).await?.write(values, &expected.0).await })
    }

    fn stage<'a>(
        &'a self,
        context: &'a Context,
        path: &'a str,
        values: &'a BTreeMap<String, &'a Secret>,
    ) -> Act<'a, ()> {
        Box::pin(async move { self.target(context, path).await?.stage(values).await })
    }

    fn unstage<'a>(&'a self, context: &'a Context, path: &'a str) -> Act<'a, ()> {
        Box::pin(async move { self.target(context, path).await?.clear().await })
    }
}
