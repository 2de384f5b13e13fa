//! The table of stores. Each kind is one file of `stores/`.

use futures::future::BoxFuture;
use keytrail_rules::model::Facts;

use crate::config::StoreConfig;
use crate::source::Reader;

/// A kind of store.
pub struct StoreKind {
    /// The `kind` of a `[[store]]`: `vault`.
    pub name: &'static str,
    /// The keys of `[[store]]` that it needs beside `name` and `kind`.
    pub requires: &'static [&'static str],
    /// Reads the inventory of the store. Never fails: what cannot be read becomes a gap among the facts.
    pub read: for<'a> fn(&'a StoreConfig, &'a Reader<'a>) -> BoxFuture<'a, Facts>,
}

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every kind of store.
        pub static KINDS: &[&StoreKind] = &[$(&$name::KIND),*];
    };
}

table![];

impl StoreKind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static StoreKind> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}
