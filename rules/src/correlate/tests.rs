pub(crate) mod support;

mod scenarios;
mod table;
