//! The parsers of trails.

use std::collections::BTreeMap;

use keytrail::trails::{
    Opening, Out, Reads, TrailConfig, TrailKind, kubernetes_audit, pgbouncer_log, postgres_log, vault_audit,
};
use keytrail_rules::correlate::Names;
use keytrail_rules::model::Location;

use super::planted;

/// Answers of audit devices.
pub fn vault_audit(data: &[u8]) {
    trail(&vault_audit::KIND, data, b'\n');
}

/// Records of the three formats, each up to a form feed.
pub fn postgres_log(data: &[u8]) {
    trail(&postgres_log::KIND, data, b'\x0c');
}

/// Lines of the pooler.
pub fn pgbouncer_log(data: &[u8]) {
    trail(&pgbouncer_log::KIND, data, b'\n');
}

/// Events of an API server.
pub fn kubernetes_audit(data: &[u8]) {
    trail(&kubernetes_audit::KIND, data, b'\n');
}

/// What has no time gives no event, and no event or reason holds the planted value.
fn trail(kind: &TrailKind, data: &[u8], end: u8) {
    let Reads::Records { parser, .. } = kind.reads else { return };
    let config = config(kind);
    let names = Names::default();
    let opening = Opening { config: &config, trail: 0, names: &names, as_of: super::now() };
    let mut parser = parser(&opening);
    let mut outs = Vec::new();
    for record in data.split(|byte| *byte == end) {
        let mut out = Out::default();
        parser.record(record, &mut out);
        assert!(out.time.is_some() || out.events.is_empty(), "events of a record without a time");
        outs.push(out);
    }
    let mut last = Out::default();
    parser.end(&mut last);
    outs.push(last);
    if planted::only_in_values(kind.name, data) {
        planted::assert_hidden(&format!("{outs:?}"));
    }
}

fn config(kind: &TrailKind) -> TrailConfig {
    TrailConfig {
        name: kind.name.to_owned(),
        kind: kind.name.to_owned(),
        location: Location::of_file("keytrail.toml"),
        root: "/nowhere".into(),
        role: None,
        paths: Vec::new(),
        store: None,
        consumer: None,
        covers: Vec::new(),
        delay: None,
        skew: None,
        fields: BTreeMap::new(),
        events: BTreeMap::new(),
        regions: Vec::new(),
        url: None,
        url_env: None,
        query: None,
        resource: None,
        namespace: None,
        public_keys: None,
        zone: None,
    }
}
