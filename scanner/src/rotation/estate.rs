//! The systems that a job works on, as the config says them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use keytrail_rotation::context::Context;
use keytrail_rotation::failure::Failure;
use keytrail_rotation::job::World;
use keytrail_rotation::plan::{Medium, Recipes};
use keytrail_rotation::store::Store;

use crate::config::Config;
use crate::stores::{self, Writable};

/// The sources of places whose store is files.
const FILES: &str = "env-file";

/// Sources of places that are files or systems which the scanned folder names, without a `[[store]]`.
const IN_TREE: [&str; 3] = [FILES, "kubernetes", "github"];

/// The systems of a config. Each store is opened once, so that it logs in once.
pub struct Estate<'a> {
    config: &'a Config,
    root: &'a Path,
    opened: Mutex<BTreeMap<String, Writable>>,
}

impl<'a> Estate<'a> {
    /// The systems of the config of a folder. Nothing is read or sent yet.
    pub fn new(config: &'a Config, root: &'a Path) -> Self {
        Self { config, root, opened: Mutex::default() }
    }

    /// How its secrets are rotated, with the stores that take new values.
    pub fn recipes(&self) -> Recipes {
        let named = self.config.stores.iter().map(|store| (store.name.as_str(), store.kind == FILES));
        let in_tree = IN_TREE.iter().map(|name| (*name, *name == FILES));
        let mut stores = BTreeMap::new();
        for (name, is_files) in named.chain(in_tree) {
            if self.open(name).is_ok() {
                let medium = if is_files { Medium::Files } else { Medium::Server };
                stores.entry(name.to_owned()).or_insert(medium);
            }
        }
        Recipes { stores, ..self.config.recipes.clone() }
    }

    /// Whether a store keeps values beside the current ones until they are promoted.
    pub fn stages(&self, store: &str) -> bool {
        self.open(store).is_ok_and(|store| store.abilities().stages)
    }

    fn open(&self, name: &str) -> Writable {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let store =
            opened.entry(name.to_owned()).or_insert_with(|| stores::writer(name, &self.config.stores, self.root));
        store.clone()
    }
}

impl World for Estate<'_> {
    fn context(&self, run: &str) -> Context {
        Context { folder: self.root.to_owned(), ..Context::new(run) }
    }

    fn store(&self, name: &str) -> Result<Arc<dyn Store>, Failure> {
        self.open(name)
    }
}
