pub(crate) mod support;

pub(crate) mod estate;
mod laws;
mod scenarios;
mod table;
