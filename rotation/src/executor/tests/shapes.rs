//! Jobs, and the worlds that they are for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::job::{Cell, Consumer, Job, Member, Mode, Origin, Request, Write};
use crate::settings::Settings;

use super::sim::{Honours, Inner, Loaded, Path, Sim, Trouble};

/// What a job is like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// The issuer of each member.
    pub(crate) issuers: Vec<&'static str>,
    /// The stores, each of which keeps all members in one path.
    pub(crate) stores: Vec<&'static str>,
    pub(crate) consumers: usize,
    /// A URL that is made from the first member, by a template or not.
    pub(crate) url: Option<bool>,
    pub(crate) mode: Mode,
    pub(crate) grace: u64,
    pub(crate) trouble: Option<Trouble>,
}

impl Shape {
    pub(crate) fn of(issuer: &'static str) -> Self {
        Self {
            issuers: vec![issuer],
            stores: vec!["vault"],
            consumers: 1,
            url: None,
            mode: Mode::Orderly,
            grace: 60,
            trouble: None,
        }
    }

    /// Those of which every instant is tried.
    pub(crate) fn all() -> Vec<Self> {
        let of = Self::of;
        vec![
            of("dual"),
            Self { stores: vec!["staging", "vault"], url: Some(false), consumers: 2, ..of("dual") },
            Self { stores: vec!["vault", "blind"], ..of("dual") },
            Self { stores: vec!["vault", "plain"], grace: 0, ..of("one") },
            Self { stores: vec!["vault"], url: Some(true), ..of("chosen") },
            Self { stores: vec!["staging", "vault"], url: Some(true), ..of("roles") },
            Self { url: Some(false), ..of("roles") },
            Self { issuers: vec!["dual", "one"], ..of("dual") },
            Self { issuers: vec!["chosen", "dual"], url: Some(false), stores: vec!["vault", "staging"], ..of("dual") },
            Self { consumers: 2, ..of("quiet") },
        ]
    }

    pub(crate) fn old(item: &str) -> String {
        format!("old{item}value")
    }

    fn item(at: usize) -> String {
        format!("item{at}")
    }

    pub(crate) fn job(&self) -> Job {
        let mut members = Vec::new();
        let mut cells = Vec::new();
        let cell = |key: String, item: &str, part: &str| Cell { key, item: item.to_owned(), part: part.to_owned() };
        for (at, issuer) in self.issuers.iter().enumerate() {
            let item = Self::item(at);
            let settings = Settings([("item".to_owned(), item.clone().into())].into_iter().collect());
            cells.push(cell(format!("KEY{at}"), &item, "value"));
            match *issuer {
                "quiet" => cells.push(cell(format!("LIST{at}"), &item, "accepted")),
                "roles" => cells.push(cell(format!("USER{at}"), &item, "user")),
                _ => {}
            }
            members.push(Member { item, origin: Origin::Issued { kind: (*issuer).to_owned(), settings } });
        }
        if let Some(has_template) = self.url {
            let user = if self.issuers[0] == "roles" { "{PASSWORD.user}" } else { "app" };
            let template = has_template.then(|| format!("pg://{user}:{{PASSWORD|percent}}@db"));
            let from = vec![("PASSWORD".to_owned(), Self::item(0))];
            let item = format!("{}-url", Self::item(0));
            cells.push(cell("URL".to_owned(), &item, "value"));
            members.push(Member { item, origin: Origin::Derived { from, template } });
        }
        let write = |store: &&str| Write {
            store: (*store).to_owned(),
            path: "app".to_owned(),
            cells: cells.clone(),
            seen: Some(7),
        };
        let consumer = |at| Consumer {
            name: format!("sim:{at}"),
            kind: "sim".to_owned(),
            place: format!("{at}"),
            settings: Settings::default(),
        };
        Job {
            run: "kt-20261121t183000z-0f3a9c21".to_owned(),
            mode: self.mode,
            members,
            writes: self.stores.iter().map(write).collect(),
            consumers: (0..self.consumers).map(consumer).collect(),
            probes: vec![Settings::default()],
            grace: self.grace,
            request: Request {
                at: "2026-11-21T18:30:00Z".parse().expect("a time"),
                by: "ada".to_owned(),
                approver: None,
                reason: "overdue".to_owned(),
            },
        }
    }

    pub(crate) fn world(&self) -> Arc<Sim> {
        let job = self.job();
        let mut paths = BTreeMap::new();
        for write in &job.writes {
            let mut values = BTreeMap::from([("OTHER".to_owned(), "untouched".to_owned())]);
            for cell in &write.cells {
                let value = match cell.item.strip_suffix("-url") {
                    Some(source) => format!("pg://app:{}@db", Self::old(source)),
                    None if cell.part == "user" => "app".to_owned(),
                    None => Self::old(&cell.item),
                };
                values.insert(cell.key.clone(), value);
            }
            if self.trouble == Some(Trouble::Copies) && paths.len() == 1 {
                values.insert("KEY0".to_owned(), "another".to_owned());
            }
            paths.insert(write.name(), Path { values, version: 7, staged: None });
        }
        let honours = |at: usize| {
            let item = Self::item(at);
            let old = [(Self::old(&item), String::new())];
            (item, if self.issuers[at] == "quiet" { Honours::new() } else { old.into() })
        };
        let mut inner = Inner {
            now: "2026-11-21T18:30:00Z".parse().expect("a time"),
            uptime: Duration::from_secs(1000),
            boot: 1,
            count: 0,
            faults: BTreeMap::new(),
            is_dead: false,
            is_frozen: false,
            trouble: self.trouble,
            made: 0,
            writes: 0,
            human: None,
            issuers: (0..self.issuers.len()).map(honours).collect(),
            paths,
            consumers: BTreeMap::new(),
            is_dual: !self.issuers.contains(&"one") && self.mode == Mode::Orderly,
            job,
            violations: vec![],
            log: vec![],
        };
        let serving = inner.snapshot();
        for consumer in &inner.job.consumers {
            let loaded = Loaded { serving: serving.clone(), ..Loaded::default() };
            inner.consumers.insert(consumer.name.clone(), loaded);
        }
        Sim::new(inner)
    }
}
