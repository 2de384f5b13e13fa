//! What the tests of issuers share.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};

use keytrail_rules::model::Secret;
use serde_json::Value;

use super::human::Person;
use super::{Issuer, IssuerKind};
use crate::context::Context;
use crate::credential::Credential;
use crate::failure::Failure;
use crate::settings::Settings;

/// The run of the tests.
pub(super) const RUN: &str = "kt-20261121t183000z-0f3a9c21";

pub(super) fn context() -> Context {
    Context::new(RUN)
}

pub(super) fn settings(table: Value) -> Settings {
    serde_json::from_value(table).unwrap()
}

pub(super) fn open(kind: &str, table: Value) -> Result<Box<dyn Issuer>, Failure> {
    (IssuerKind::find(kind).unwrap().open)(&settings(table))
}

pub(super) fn issuer(kind: &str, table: Value) -> Box<dyn Issuer> {
    open(kind, table).unwrap()
}

/// Why a table is not read.
pub(super) fn refusal(kind: &str, table: Value) -> String {
    open(kind, table).err().expect("a refusal").what
}

pub(super) fn credential(value: &str) -> Credential {
    Credential::of_value(Secret::from(value))
}

/// The text of a part.
pub(super) fn part<'a>(credential: &'a Credential, name: &str) -> &'a str {
    credential.part(name).unwrap_or_else(|| panic!("no part {name}: {credential:?}")).expose()
}

/// The value of a credential.
pub(super) fn value(credential: &Credential) -> &str {
    part(credential, crate::credential::VALUE)
}

/// No value is part of what people and logs see.
pub(super) fn assert_hidden(seen: &dyn Debug, values: &[&str]) {
    let seen = format!("{seen:?}");
    for value in values {
        assert!(!value.is_empty() && !seen.contains(value), "a value is shown");
    }
}

/// A file with a credential of Keytrail's own, as a table names it.
pub(super) fn given(folder: &Path, value: &str) -> Value {
    let path = folder.join("login");
    std::fs::write(&path, value).unwrap();
    serde_json::json!({"file": path})
}

/// A person who says these things, one after the other, and then nothing more.
#[derive(Default)]
pub(super) struct Script {
    says: Mutex<VecDeque<String>>,
    told: Mutex<Vec<String>>,
}

impl Script {
    pub(super) fn of(says: &[&str]) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(says.iter().map(|word| (*word).to_owned()).collect()), ..Self::default() })
    }

    pub(super) fn told(&self) -> String {
        self.told.lock().unwrap().join("\n")
    }

    fn next(&self) -> Result<String, Failure> {
        self.says.lock().unwrap().pop_front().ok_or_else(|| Failure::unknown("the person gave up"))
    }
}

impl Person for Script {
    fn obstacle(&self) -> Option<String> {
        None
    }

    fn tell(&self, line: &str) -> Result<(), Failure> {
        self.told.lock().unwrap().push(line.to_owned());
        Ok(())
    }

    fn show(&self, _: &Secret) -> Result<(), Failure> {
        self.tell("(shown)")
    }

    fn ask_hidden(&self, prompt: &str) -> Result<Secret, Failure> {
        self.tell(prompt)?;
        self.next().map(Secret::new)
    }

    fn ask(&self, prompt: &str) -> Result<String, Failure> {
        self.tell(prompt)?;
        self.next()
    }
}
