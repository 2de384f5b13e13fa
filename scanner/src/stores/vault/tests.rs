use std::time::Duration;

use keytrail_rules::model::Location;

use crate::config::{StoreAuth, StoreConfig};

/// A store at that address, with all else as an empty `[[store]]` has it.
pub(in crate::stores) fn config(address: &str) -> StoreConfig {
    StoreConfig {
        name: "vault".into(),
        kind: "vault".into(),
        location: Location::of_file("keytrail.toml"),
        root: ".".into(),
        address: Some(address.into()),
        mounts: Vec::new(),
        namespace: None,
        paths: Vec::new(),
        read_values: false,
        environment: None,
        auth: StoreAuth::Ambient,
        ca_file: None,
        timeout: Duration::from_secs(5),
        concurrency: 4,
    }
}
