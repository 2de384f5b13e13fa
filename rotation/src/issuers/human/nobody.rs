//! Systems without a terminal of Unix: nobody can be asked.

use std::sync::Arc;

use keytrail_rules::model::Secret;

use super::Person;
use crate::failure::Failure;

struct Nobody;

/// Nobody.
pub(in super::super) fn terminal() -> Arc<dyn Person> {
    Arc::new(Nobody)
}

fn absent() -> Failure {
    Failure::not_done("nobody can be asked: values are read from terminals of Unix alone")
}

impl Person for Nobody {
    fn obstacle(&self) -> Option<String> {
        Some(absent().what)
    }

    fn tell(&self, _: &str) -> Result<(), Failure> {
        Err(absent())
    }

    fn show(&self, _: &Secret) -> Result<(), Failure> {
        Err(absent())
    }

    fn ask_hidden(&self, _: &str) -> Result<Secret, Failure> {
        Err(absent())
    }

    fn ask(&self, _: &str) -> Result<String, Failure> {
        Err(absent())
    }
}
