pub(crate) mod support;

pub(crate) mod estate;
mod scenarios;
mod table;
