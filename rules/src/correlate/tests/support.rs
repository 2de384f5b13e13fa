//! Estates and events for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::correlate::names::Resolver;
use crate::correlate::{Correlation, Flag, Names, Rotation, Setup, Stream, Verdict, correlate};
use crate::inventory::Inventory;
use crate::model::{
    CopyKind, Covered, Declaration, Entry, Event, EventKind, Facts, Fingerprint, Hole, Key, Origin, Outcome, Place,
    Proof, Raw, Role, SecretCopy, Snapshot, Time, Trail, ValueMark,
};
use crate::policy::Policy;
use crate::value::Value;

pub(crate) fn place(text: &str) -> Place {
    Place::parse(text).expect("a place")
}

/// So many seconds after the first of January 2026.
pub(crate) fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_767_225_600 + seconds, 0).expect("a time")
}

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 3600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A secret as the config and the stores tell it.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) key: String,
    pub(crate) copies: Vec<Place>,
    pub(crate) known_as: Vec<Place>,
    pub(crate) consumers: Vec<String>,
    pub(crate) derived_from: Vec<String>,
    pub(crate) history: crate::model::History,
    /// What its copies hold now.
    pub(crate) current: Option<Fingerprint>,
}

/// Secrets, trails and what they hold.
pub(crate) struct Estate {
    pub(crate) secrets: Vec<Given>,
    pub(crate) trails: Vec<Trail>,
    pub(crate) entries: Vec<Vec<Entry>>,
    pub(crate) as_of: Time,
    pub(crate) policy: Policy,
    pub(crate) earlier: BTreeMap<String, Verdict>,
    made: u64,
}

impl Default for Estate {
    fn default() -> Self {
        let policy =
            Policy { request_window: TimeDelta::hours(6), load_window: TimeDelta::hours(12), ..Policy::default() };
        let (secrets, trails, entries, earlier) = Default::default();
        Self { secrets, trails, entries, as_of: at(30 * DAY), policy, earlier, made: 0 }
    }
}

pub(crate) const LEDGER: usize = 0;
pub(crate) const STORE: usize = 1;
pub(crate) const APP: usize = 2;

impl Estate {
    /// One secret in Vault that one consumer loads, and three trails that are complete over the month.
    pub(crate) fn three_trails() -> Self {
        let mut estate = Self::default();
        let given = estate.secret("DB_PASSWORD");
        given.copies.push(place("vault:secret/shop#password"));
        given.known_as.push(place("postgres:role/shop"));
        given.consumers.push("kubernetes:shop/deployment/api".into());
        estate.trail("runs", "workload-runs", Role::Ledger);
        estate.trail("vault", "vault-audit", Role::Store);
        estate.trail("app", "json-log", Role::Application);
        for trail in 0..3 {
            estate.cover(trail, -DAY, 31 * DAY);
        }
        estate
    }

    pub(crate) fn secret(&mut self, key: &str) -> &mut Given {
        self.secrets.push(Given { key: key.into(), ..Given::default() });
        self.last()
    }

    pub(crate) fn last(&mut self) -> &mut Given {
        self.secrets.last_mut().expect("a secret")
    }

    pub(crate) fn trail(&mut self, name: &str, kind: &'static str, role: Role) -> usize {
        self.trails.push(Trail {
            name: name.into(),
            declared_at: None,
            kind,
            role,
            watches: Vec::new(),
            consumer: None,
            delay: TimeDelta::zero(),
            skew: TimeDelta::zero(),
        });
        self.entries.push(Vec::new());
        self.trails.len() - 1
    }

    pub(crate) fn cover(&mut self, trail: usize, from: i64, to: i64) {
        let covered = Covered { from: at(from), to: at(to), proof: Proof::Declared };
        self.entries[trail].push(Entry::Covered(covered));
    }

    pub(crate) fn hole(&mut self, trail: usize, from: i64, to: i64) {
        let reason = "lines are missing".into();
        let hole = Hole { from: Some(at(from)), to: Some(at(to)), reason, tampered: false, raw: None };
        self.entries[trail].push(Entry::Hole(hole));
    }

    pub(crate) fn event(&mut self, trail: usize, kind: EventKind, target: &str, seconds: i64) -> &mut Event {
        self.made += 1;
        let event = Event {
            trail,
            kind,
            outcome: Outcome::Done,
            target: place(target),
            version: None,
            actor: None,
            run: None,
            time: at(seconds),
            id: format!("event-{}", self.made).into(),
            consumer: None,
            value: None,
            details: Vec::new(),
            raw: Raw { source: "log".into(), offset: self.made * 100, length: 99, line: self.made, sha256: [7; 32] },
        };
        self.entries[trail].push(Entry::Event(Box::new(event)));
        let Some(Entry::Event(event)) = self.entries[trail].last_mut() else {
            unreachable!("just pushed");
        };
        event
    }

    pub(crate) fn requested(&mut self, seconds: i64) -> &mut Event {
        self.event(LEDGER, EventKind::Requested, "env:DB_PASSWORD", seconds)
    }

    pub(crate) fn written(&mut self, version: &str, seconds: i64) -> &mut Event {
        let event = self.event(STORE, EventKind::Written, "vault:secret/shop#password", seconds);
        event.version = Some(version.into());
        event
    }

    pub(crate) fn loaded(&mut self, seconds: i64) -> &mut Event {
        let event = self.event(APP, EventKind::Loaded, "env:DB_PASSWORD", seconds);
        event.consumer = Some("kubernetes:shop/deployment/api".into());
        event
    }

    pub(crate) fn refused(&mut self, seconds: i64) -> &mut Event {
        let event = self.loaded(seconds);
        event.kind = EventKind::Refused;
        event
    }

    pub(crate) fn inventory(&self) -> Inventory {
        let mut facts = Facts::default();
        for given in &self.secrets {
            let mut declaration = Declaration::new(&given.key, Origin::Config, None);
            declaration.places.clone_from(&given.copies);
            declaration.known_as.clone_from(&given.known_as);
            declaration.consumers.clone_from(&given.consumers);
            declaration.derived_from = given.derived_from.iter().map(|key| Key::new(key)).collect();
            facts.declarations.push(declaration);
            for place in &given.copies {
                let mut copy = SecretCopy::new(place.clone(), CopyKind::VaultKv2, None, Value::unread());
                copy.history = given.history.clone();
                copy.value.fingerprint.clone_from(&given.current);
                facts.copies.push(copy);
            }
        }
        let snapshot = Snapshot { as_of: self.as_of, facts, sightings: BTreeMap::new() };
        Inventory::new(&snapshot, &self.policy)
    }

    pub(crate) fn names(&self) -> Names {
        Names::new(&self.inventory())
    }

    pub(crate) fn resolved(&self, targets: &[&str]) -> Vec<Vec<u32>> {
        self.resolved_with(&[], targets)
    }

    pub(crate) fn resolved_with(&self, same: &[(&str, &str)], targets: &[&str]) -> Vec<Vec<u32>> {
        let names = self.names();
        let mut resolver = Resolver::new(&names, &self.trails);
        for (a, b) in same {
            resolver.unite(&place(a), &place(b));
        }
        let mut estate = Self::default();
        estate.trail("t", "k", Role::Store);
        targets
            .iter()
            .map(|target| {
                let event = estate.event(0, EventKind::Read, target, 0).clone();
                let mut found = Vec::new();
                resolver.find(&event, &mut found);
                found
            })
            .collect()
    }

    pub(crate) fn correlate(&self) -> Correlation {
        let inventory = self.inventory();
        let setup = Setup {
            inventory: &inventory,
            policy: &self.policy,
            as_of: self.as_of,
            trails: &self.trails,
            earlier: &self.earlier,
        };
        let streams = self.entries.iter().map(|entries| Box::new(entries.iter().cloned()) as Stream<'_>).collect();
        correlate(&setup, streams)
    }

    /// The verdicts with their flags, in the order of items and times.
    pub(crate) fn verdicts(&self) -> Vec<(Verdict, Vec<Flag>)> {
        let rotations = self.correlate().rotations;
        rotations.into_iter().map(|one| (one.verdict, one.flags.into_iter().collect())).collect()
    }

    /// The only rotation.
    pub(crate) fn only(&self) -> Rotation {
        let mut rotations = self.correlate().rotations;
        assert_eq!(rotations.len(), 1, "{rotations:#?}");
        rotations.remove(0)
    }
}

pub(crate) fn mark(scope: &str, mark: &str) -> Option<ValueMark> {
    Some(ValueMark { scope: Arc::from(scope), mark: Arc::from(mark), known: None })
}
