//! What the tests share with those of the whole.

#[allow(dead_code)]
#[path = "../../tests/support/postgres.rs"]
pub(crate) mod postgres;
