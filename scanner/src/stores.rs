//! The table of stores. Each kind is one file of `stores/`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use keytrail_rotation::failure::Failure;
use keytrail_rotation::store::Store;
use keytrail_rules::model::{Facts, Gap, GapReason, Location};

use crate::config::{StoreAuth, StoreConfig};
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
    /// Opens the store to be written; `None` for a kind that cannot be. Sends nothing: it logs in at the first use.
    pub open_for_writing: Option<fn(&StoreConfig) -> Writable>,
}

/// A store that takes new values, or why there is none.
pub type Writable = Result<Arc<dyn Store>, Failure>;

/// The sources of places that need no `[[store]]`, since the files of the scanned folder name them.
const IN_TREE: &[&str] = &["env-file", "kubernetes"];

/// The limit for one request to a store that no `[[store]]` describes.
const IN_TREE_TIMEOUT: Duration = Duration::from_secs(30);

/// Declares the modules of the kinds and lists them: one line a kind.
macro_rules! table {
    ($($(#[$when:meta])* $name:ident),* $(,)?) => {
        $($(#[$when])* pub mod $name;)*
        /// Every kind of store.
        pub static KINDS: &[&StoreKind] = &[$($(#[$when])* &$name::KIND),*];
    };
}

table![
    vault,
    vault_export,
    env_file,
    github_actions,
    #[cfg(feature = "aws")]
    aws_secrets_manager,
    #[cfg(feature = "aws")]
    aws_ssm,
    #[cfg(feature = "kubernetes")]
    kubernetes,
];

#[cfg(feature = "aws")]
mod aws;

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

/// The store that places of the source `name` lie in, to be written: the `[[store]]` of that name or, of places that
/// the files of the folder `root` name, the files themselves (`env-file`) or the cluster of `KUBECONFIG`
/// (`kubernetes`).
///
/// # Errors
/// There is no such store, or it cannot be written.
pub fn writer(name: &str, stores: &[StoreConfig], root: &Path) -> Writable {
    let in_tree;
    let config = match stores.iter().find(|store| store.name == name) {
        Some(store) => store,
        None if IN_TREE.contains(&name) => {
            in_tree = ambient(name, root);
            &in_tree
        }
        None => {
            return Err(Failure::not_done(format!("no store is called {name}"))
                .hint("add a [[store]] of that name, or correct the place in `copies`"));
        }
    };
    let cannot = |why: &str| Failure::not_done(format!("the store {name} cannot be written: {why}"));
    let kind = StoreKind::find(&config.kind)
        .ok_or_else(|| cannot(&format!("this build of keytrail has no stores of kind {}", config.kind)))?;
    let open = kind.open_for_writing.ok_or_else(|| {
        cannot(&format!("a store of kind {} is a copy of another", kind.name)).hint("name the store itself in `copies`")
    })?;
    open(config)
}

/// What a `[[store]]` would say of a store of that kind that no config describes: the files of a folder, or the environment,
/// name it.
pub fn ambient(kind: &str, root: &Path) -> StoreConfig {
    StoreConfig {
        name: kind.to_owned(),
        kind: kind.to_owned(),
        location: Location::of_file(crate::config::FILE_NAME),
        root: root.to_owned(),
        address: None,
        mounts: Vec::new(),
        namespace: None,
        paths: Vec::new(),
        read_values: false,
        environment: None,
        auth: StoreAuth::Ambient,
        ca_file: None,
        timeout: IN_TREE_TIMEOUT,
        concurrency: 1,
    }
}

impl StoreKind {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static StoreKind> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}
