//! New values of parameters.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter, ParameterType};
use keytrail_rotation::aws::{Access, RunAgent, failure, once};
use keytrail_rotation::context::{Act, Context};
use keytrail_rotation::failure::Failure;
use keytrail_rotation::store::{Abilities, Held, Store, Version, no_such};
use keytrail_rules::model::Secret;
use zeroize::Zeroizing;

use super::super::aws::{content, told};

/// AWS keeps a hundred versions of a parameter, of which a page has fifty.
const MAX_PAGES: usize = 10;

/// Writes parameters. See the [module](super) for how.
#[derive(Debug)]
pub struct ParameterStore {
    access: Access,
}

/// A version of a parameter.
struct Current {
    version: i64,
    text: Zeroizing<String>,
}

/// One parameter, for one act.
struct Target<'a> {
    client: Client,
    path: &'a str,
}

impl ParameterStore {
    /// Writes where and as whom `access` says.
    pub fn new(access: Access) -> Self {
        Self { access }
    }

    async fn target<'a>(&self, context: &Context, path: &'a str) -> Result<Target<'a>, Failure> {
        let config = self.access.near(path).config(context).await?;
        let config = aws_sdk_ssm::config::Builder::from(&config).interceptor(RunAgent::of(context));
        Ok(Target { client: Client::from_conf(config.build()), path })
    }
}

impl Target<'_> {
    fn name(&self) -> String {
        format!("the parameter {}", self.path)
    }

    fn refused(&self, why: &str) -> Failure {
        Failure::not_done(format!("{} {why}", self.name()))
    }

    async fn current(&self) -> Result<Current, Failure> {
        let request = self.client.get_parameter().name(self.path).with_decryption(true);
        let answer = request.send().await.map_err(|error| match error.code() {
            Some("ParameterNotFound") => no_such(&self.name()),
            _ => failure(&format!("{} cannot be read", self.name()), &error),
        })?;
        let Some((version, Some(text))) = answer.parameter.map(|parameter| (parameter.version, parameter.value)) else {
            return Err(Failure::unknown(format!("{} was answered without its value", self.name())));
        };
        Ok(Current { version, text: Zeroizing::new(text) })
    }

    /// What a parameter is beside its value.
    async fn metadata(&self) -> Result<ParameterMetadata, Failure> {
        let what = || format!("{} cannot be looked at", self.name());
        let name = ParameterStringFilter::builder().key("Name").option("Equals").values(self.path).build();
        let name = name.map_err(|_| self.refused("has a name that cannot be asked for"))?;
        let answer = self.client.describe_parameters().parameter_filters(name).send().await;
        let answer = answer.map_err(|error| failure(&what(), &error))?;
        let found = answer.parameters.into_iter().flatten().next().ok_or_else(|| no_such(&self.name()))?;
        match found.r#type {
            Some(ParameterType::SecureString | ParameterType::String) => Ok(found),
            _ => Err(self.refused("is a list").hint("Keytrail rotates parameters of one value: rotate it by hand")),
        }
    }

    /// The labels of a version.
    async fn labels(&self, version: i64) -> Result<Vec<String>, Failure> {
        let pages = self.client.get_parameter_history().name(self.path).with_decryption(false).into_paginator();
        let mut pages = pages.send();
        for _ in 0..MAX_PAGES {
            let Some(page) = pages.next().await else { break };
            let page =
                page.map_err(|error| failure(&format!("the labels of {} cannot be read", self.name()), &error))?;
            if let Some(found) = page.parameters().iter().find(|one| one.version() == version) {
                return Ok(found.labels().to_vec());
            }
        }
        Ok(Vec::new())
    }

    /// The labels of a version that was replaced go to the one that replaced it: who reads by label is to get the value
    /// that works.
    async fn follow(&self, from: i64, to: i64) -> Result<(), Failure> {
        let labels = if from == to { Vec::new() } else { self.labels(from).await? };
        if labels.is_empty() {
            return Ok(());
        }
        let request = self.client.label_parameter_version().name(self.path).parameter_version(to);
        let answer = request.set_labels(Some(labels)).send().await;
        answer.map(drop).map_err(|error| failure(&format!("the labels of {} cannot be moved", self.name()), &error))
    }

    async fn write(&self, values: &BTreeMap<String, &Secret>, expected: &str) -> Result<Version, Failure> {
        let expected: i64 = expected.parse().map_err(|_| self.refused("has no version of that name"))?;
        let current = self.current().await?;
        let wanted = content::replace(&current.text, values).map_err(|why| self.refused(&why))?;
        // Done before, by a try whose reply was lost.
        if *wanted == *current.text {
            self.follow(expected, current.version).await?;
            return Ok(Version(current.version.to_string()));
        }
        if current.version != expected {
            let what =
                format!("somebody else changed {} in between: it is at version {}", self.name(), current.version);
            return Err(Failure::conflict(what).hint("look at its history: `aws ssm get-parameter-history`"));
        }
        let version = self.put(&wanted).await?;
        self.follow(expected, version).await?;
        if version != expected + 1 {
            let what = format!("somebody else wrote {} at the same instant: version {}", self.name(), version - 1);
            return Err(Failure::unknown(what).hint("look at that version: `aws ssm get-parameter-history`"));
        }
        Ok(Version(version.to_string()))
    }

    /// Adds a version. What is not given again, AWS would set to its default.
    async fn put(&self, text: &str) -> Result<i64, Failure> {
        let is = self.metadata().await?;
        let policies: Vec<&str> = is.policies().iter().filter_map(|policy| policy.policy_text()).collect();
        let policies = (!policies.is_empty()).then(|| format!("[{}]", policies.join(",")));
        let request = self.client.put_parameter().name(self.path).overwrite(true).value(text);
        let request = request.set_type(is.r#type.clone()).set_tier(is.tier.clone()).set_data_type(is.data_type.clone());
        let request = request.set_policies(policies).set_allowed_pattern(is.allowed_pattern.clone());
        let mut request = request.set_description(is.description.clone());
        if is.r#type == Some(ParameterType::SecureString) {
            request = request.set_key_id(is.key_id.clone());
        }
        // A repetition would be one more version.
        let alone = aws_sdk_ssm::config::Config::builder().retry_config(once());
        match request.customize().config_override(alone).send().await {
            Ok(answer) => Ok(answer.version),
            Err(error) if error.code() == Some("ParameterPatternMismatchException") => Err(self
                .refused("has a pattern that the new value does not fit")
                .hint("change the format of the issuer")),
            Err(error) => Err(failure(&format!("{} cannot be written", self.name()), &error)),
        }
    }

    async fn obstacles(&self, keys: &[String]) -> Result<Vec<String>, Failure> {
        let looked = async {
            let current = self.current().await?;
            self.metadata().await?;
            self.labels(current.version).await?;
            Ok(current)
        };
        match looked.await {
            Ok(current) => Ok(keys
                .iter()
                .filter_map(|key| content::get(&current.text, key).err())
                .map(|why| self.refused(&why).what)
                .collect()),
            Err(failed) => told(failed),
        }
    }
}

impl Store for ParameterStore {
    fn abilities(&self) -> Abilities {
        Abilities { reads: true, compares: false, stages: false }
    }

    fn preflight<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Vec<String>> {
        Box::pin(async move { self.target(context, path).await?.obstacles(keys).await })
    }

    fn read<'a>(&'a self, context: &'a Context, path: &'a str, keys: &'a [String]) -> Act<'a, Held> {
        Box::pin(async move {
            let current = self.target(context, path).await?.current().await?;
            let values = keys.iter().filter_map(|key| Some((key.clone(), content::get(&current.text, key).ok()?)));
            Ok(Held { version: Version(current.version.to_string()), values: values.collect() })
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
}
