//! `.env` files as a store: those that lie outside the scanned folder, or that belong to an environment which their name
//! does not tell.
//!
//! `paths` of the `[[store]]` are paths or patterns, absolute or relative to the scanned folder; `environment` is that of
//! all of them. A place in the store is `NAME:PATH#KEY`. Such a file remembers nothing: ages count from what scans saw.

use futures::FutureExt;
use keytrail_rules::model::{Facts, Gap, Place, ScopeEntry, SecretCopy};

use super::{StoreKind, files_of};
use crate::config::StoreConfig;
use crate::inventory;
use crate::source::{Reader, SourceFile};

/// `.env` files as a store.
pub static KIND: StoreKind = StoreKind {
    name: "env-file",
    requires: &["paths"],
    read: |config, reader| std::future::ready(read(config, reader)).boxed(),
    open_for_writing: None,
};

fn read(config: &StoreConfig, reader: &Reader<'_>) -> Facts {
    let mut facts = Facts::default();
    for path in files_of(config, &mut facts.gaps) {
        let (copies, gaps) = match SourceFile::read(&config.root, &path) {
            Ok(file) => {
                let read = inventory::read(&inventory::env_file::KIND, &file, reader);
                (read.copies, read.gaps)
            }
            Err(gap) => (Vec::new(), vec![gap]),
        };
        facts.copies.extend(copies.into_iter().map(|copy| in_store(config, copy)));
        facts.gaps.extend(gaps.into_iter().map(|gap| Gap { source: config.name.clone(), ..gap }));
    }
    let held = facts.copies.len() as u64;
    facts.scope.push(ScopeEntry { source: config.name.clone(), kind: KIND.name.to_owned(), held });
    facts
}

/// A copy of a file as one of the store.
fn in_store(config: &StoreConfig, copy: SecretCopy) -> SecretCopy {
    let key = copy.place.key().unwrap_or_default();
    SecretCopy {
        place: Place::new(&config.name, &copy.place.path(), &key),
        environment: config.environment.clone().or(copy.environment),
        ..copy
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keytrail_rules::model::{Environment, FingerprintKey, GapReason, Location};

    use super::{StoreConfig, read};
    use crate::config::StoreAuth;
    use crate::source::Reader;

    fn store(root: &std::path::Path, paths: &[&str]) -> StoreConfig {
        StoreConfig {
            name: "hosts".into(),
            kind: "env-file".into(),
            location: Location::of_file("keytrail.toml"),
            root: root.into(),
            address: None,
            mounts: Vec::new(),
            namespace: None,
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            read_values: false,
            environment: Some(Environment::new("production")),
            auth: StoreAuth::Ambient,
            ca_file: None,
            timeout: Duration::from_secs(1),
            concurrency: 1,
        }
    }

    #[test]
    fn files_inside_and_outside_the_folder_are_read_as_one_environment() {
        let (inside, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::fs::write(inside.path().join("app.env"), "MAILER_TOKEN=whisper-lantern-42\n").expect("a file");
        std::fs::write(outside.path().join("b.env"), "CHAT_TOKEN=plum-orchard-77\nNO_EQUALS\n").expect("a file");
        let absolute = format!("{}/*.env", outside.path().display());
        let config = store(inside.path(), &["*.env", &absolute, "none/*.env"]);
        let key = FingerprintKey::new([1; 32]);
        let facts =
            read(&config, &Reader { key: &key, generated: false, as_of: chrono::DateTime::UNIX_EPOCH, known: None });
        let places: Vec<String> = facts.copies.iter().map(|copy| copy.place.to_string()).collect();
        let outside = outside.path().display();
        assert_eq!(places, [format!("hosts:{outside}/b.env#CHAT_TOKEN"), "hosts:app.env#MAILER_TOKEN".to_owned()]);
        assert!(facts.copies.iter().all(|copy| copy.environment.as_ref().is_some_and(Environment::is_production)));
        let reasons: Vec<GapReason> = facts.gaps.iter().map(|gap| gap.reason).collect();
        assert_eq!(reasons, [GapReason::Unreachable, GapReason::Malformed]);
        assert!(facts.gaps.iter().all(|gap| gap.source == "hosts"));
    }
}
