//! Lists the paths of a mount.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use keytrail_rules::model::GapReason;
use serde::Deserialize;

use super::gaps::{Kind, Missed};
use super::mounts::{KvVersion, Mount};
use super::session::{Failure, Session};

/// Deeper folders are not listed: a listing in which `a/` holds itself has no end.
const MAX_DEPTH: usize = 64;

/// No more paths and folders than this are listed of one store.
pub(super) const MAX_ENTRIES: usize = 100_000;

/// What a mount lists.
#[derive(Default, Debug)]
pub(super) struct Listing {
    /// Paths below the mount, sorted.
    pub(super) paths: Vec<String>,
    pub(super) missed: Vec<Missed>,
}

/// Lists a mount, some folders at once. `entries` counts over all mounts of the store. A lost session ends the
/// listing early.
pub(super) async fn list(session: &Session, mount: &Mount, entries: &AtomicUsize, at_once: usize) -> Listing {
    let mut listing = Listing::default();
    let mut folders = vec![mount.folder.clone()];
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < at_once
            && let Some(folder) = folders.pop()
        {
            under_way.push(keys(session, mount, folder));
        }
        let Some((folder, keys)) = under_way.next().await else {
            break;
        };
        match keys {
            Ok(keys) => {
                if entries.fetch_add(keys.len(), Ordering::Relaxed) + keys.len() > MAX_ENTRIES {
                    let what = format!("the store lists more than {MAX_ENTRIES} entries, and the rest was left out of");
                    listing.missed.push(too_large(what, mount.path.clone()));
                    break;
                }
                listing.add(mount, &folder, &keys, &mut folders);
            }
            Err(Failure::Lost) => break,
            // A mount or folder that is empty, or was emptied since it was listed.
            Err(Failure::Missing) => {}
            Err(Failure::Denied) => listing.missed.push(Missed::denied(
                "the token may not list",
                format!("{}/{folder}", mount.path),
                list_hint(mount.version),
            )),
            Err(Failure::Failed(failed)) => {
                listing.missed.push(Missed::failed(failed, format!("{}/{folder}", mount.path)));
            }
        }
    }
    listing.paths.sort();
    listing.paths.dedup();
    listing
}

impl Listing {
    fn add(&mut self, mount: &Mount, folder: &str, keys: &[String], folders: &mut Vec<String>) {
        for key in keys {
            let name = key.strip_suffix('/').unwrap_or(key);
            if name.is_empty() || name == "." || name == ".." || name.contains('/') {
                self.missed.push(Missed::malformed(
                    "a key that no path can have is in the listing of",
                    format!("{}/{folder}", mount.path),
                ));
            } else if name.len() == key.len() {
                self.paths.push(format!("{folder}{key}"));
            } else if folder.bytes().filter(|byte| *byte == b'/').count() + 1 < MAX_DEPTH {
                folders.push(format!("{folder}{key}"));
            } else {
                self.missed.push(too_large(
                    format!("folders are nested deeper than {MAX_DEPTH}, and those were left out of"),
                    format!("{}/{folder}", mount.path),
                ));
            }
        }
    }
}

fn too_large(what: String, path: String) -> Missed {
    let hint = Some("name folders of the mount in the store's mounts".into());
    Missed { kind: Kind { reason: GapReason::TooLarge, what, hint }, path }
}

fn list_hint(version: KvVersion) -> &'static str {
    match version {
        KvVersion::V1 => {
            "grant the token list on MOUNT/PATH, or name the folders that it may list in the store's mounts"
        }
        KvVersion::V2 => {
            "grant the token list on MOUNT/metadata/PATH, or name the folders that it may list in the store's mounts"
        }
    }
}

/// <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#list-secrets>
async fn keys(session: &Session, mount: &Mount, folder: String) -> (String, Result<Vec<String>, Failure>) {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<String>,
    }
    let body = match mount.version {
        KvVersion::V1 => session.get(&[&mount.path, &folder], "list=true").await,
        KvVersion::V2 => session.get(&[&mount.path, "metadata", &folder], "list=true").await,
    };
    let keys = body.and_then(|body| body.data::<Keys>().map_err(Failure::Failed)).map(|keys| keys.keys);
    (folder, keys)
}
