//! The table of stores. Each kind is one file of `stores/`.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use keytrail_rules::model::{Facts, Gap, GapReason};

use crate::config::StoreConfig;
use crate::discover::matching;
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

table![vault, vault_export, env_file];

/// The files that `paths` of a store match. A pattern that matches none is a gap.
fn files_of(config: &StoreConfig, gaps: &mut Vec<Gap>) -> Vec<String> {
    let mut files = BTreeSet::new();
    for pattern in &config.paths {
        match matching(&config.root, pattern) {
            Ok(found) if found.is_empty() => gaps.push(
                Gap::new(&config.name, GapReason::Unreachable, format!("no file matches {pattern}"))
                    .hint("check the paths of the store, and that the files are there"),
            ),
            Ok(found) => files.extend(found),
            Err(why) => gaps.push(Gap::new(&config.name, GapReason::Unsupported, why)),
        }
    }
    files.into_iter().collect()
}

impl StoreKind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static StoreKind> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}
