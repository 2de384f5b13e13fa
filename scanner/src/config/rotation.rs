//! `[rotation]`, `[[workload]]`, `[[notify]]`, and what `[[secret]]` says of how it is rotated.

use std::path::PathBuf;
use std::time::Duration;

use keytrail_rotation::failure::Opened;
use keytrail_rotation::issuers::{self, IssuerKind};
use keytrail_rotation::ledger::sinks::{self, SinkKind};
use keytrail_rotation::notify::{self, NotifierKind};
use keytrail_rotation::plan::{SecretRecipe, Window, WorkloadRecipe};
use keytrail_rotation::probes::{self, ProbeKind};
use keytrail_rotation::settings::Settings;
use keytrail_rotation::workloads::{self, WorkloadKind};
use keytrail_rules::model::{Declaration, Environment, Location, Place};

use super::decode::{Free, Table, Text};
use super::document::{Document, PLACES, own, path, strings, timeout};
use super::trails;

const WORKLOAD: &str = r#""kubernetes:shop/deployment/api""#;
const ISSUER: &str = r#"{ kind = "generate" }"#;
const VERIFY: &str = r#"[{ http = "http://127.0.0.1:8000/health", status = 200 }]"#;

/// `[rotation]`: when rotations are carried out, and by whose leave.
#[derive(Clone, PartialEq, Debug)]
pub struct RotationConfig {
    /// Which rotations somebody has to approve.
    pub approval: Approval,
    /// Who may approve; anybody but the requester where it is empty.
    pub approvers: Vec<String>,
    /// When rotations may begin; at any time where it is empty.
    pub windows: Vec<Window>,
    /// How many groups are rotated at once.
    pub at_once: usize,
    /// How long others wait until they take over from one that was killed.
    pub lease: Duration,
    /// Whether a group of production waits until the same secrets of other environments are rotated.
    pub after_staging: bool,
    /// File of the key that values are sealed with.
    pub key_file: Option<PathBuf>,
    /// Who asks for rotations, as the ledger has it; by default the user of the system.
    pub requester: Option<String>,
    /// Whether the date of a rotation is written into the table of the runbook that declares the secret.
    pub runbook: bool,
    /// A Markdown file to which each rotation adds a line.
    pub notes: Option<PathBuf>,
    /// `[[rotation.ledger]]`: who else is given the rows of the ledger.
    pub ledger: Vec<SinkConfig>,
}

/// One `[[rotation.ledger]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct SinkConfig {
    /// The name, under which the state remembers what it has taken.
    pub name: String,
    /// The kind, one of [`keytrail_rotation::ledger::sinks::KINDS`].
    pub kind: String,
    /// The rest of the table.
    pub settings: Settings,
    /// The line of the config.
    pub location: Location,
}

/// Which rotations somebody has to approve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Approval {
    /// None.
    Never,
    /// All.
    Always,
    /// Those of these environments.
    Environments(Vec<Environment>),
}

/// One `[[notify]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct NotifyConfig {
    /// The kind, one of [`keytrail_rotation::notify::KINDS`].
    pub kind: String,
    /// The rest of the table.
    pub settings: Settings,
    /// The line of the config.
    pub location: Location,
}

impl Default for RotationConfig {
    fn default() -> Self {
        Self {
            approval: Approval::Never,
            approvers: Vec::new(),
            windows: Vec::new(),
            at_once: 4,
            lease: Duration::from_mins(2),
            after_staging: false,
            key_file: None,
            requester: None,
            runbook: false,
            notes: None,
            ledger: Vec::new(),
        }
    }
}

fn approval(table: &mut Table<'_>) -> Approval {
    const KEY: &str = "require_approval";
    if table.is_flag(KEY) {
        return if table.flag(KEY) == Some(true) { Approval::Always } else { Approval::Never };
    }
    let environments = table.texts(KEY, r#"["production"]"#);
    if environments.is_empty() {
        return Approval::Never;
    }
    Approval::Environments(environments.iter().map(|text| Environment::new(text.value)).collect())
}

fn window(text: &Text<'_>) -> Option<Window> {
    text.parse(
        Window::parse,
        "this is no maintenance window",
        r#"write "Sat 02:00-06:00", "Mon-Fri 22:00-04:00 +02:00" or "daily 02:00-04:00"; times are UTC without an offset"#,
    )
}

impl Document<'_> {
    /// `[rotation]`.
    pub(super) fn rotation(&self, mut table: Table<'_>) -> RotationConfig {
        let defaults = RotationConfig::default();
        let config = RotationConfig {
            approval: approval(&mut table),
            approvers: strings(table.texts("approvers", r#"["ana", "ben"]"#)),
            windows: table.texts("windows", r#"["Sat 02:00-06:00"]"#).iter().filter_map(window).collect(),
            at_once: table.integer("at_once", 1..=64, "4").unwrap_or(defaults.at_once),
            lease: table.text("lease", r#""2m""#).and_then(timeout).unwrap_or(defaults.lease),
            after_staging: table.flag("after_staging").unwrap_or(defaults.after_staging),
            key_file: table.text("key_file", r#""/etc/keytrail/seal.key""#).map(path),
            requester: table.text("requester", r#""platform""#).map(own),
            ..defaults
        };
        let record =
            table.table("record", "record", "write record = { runbook = true, notes = \"docs/rotations.md\" }");
        let (runbook, notes) = record.map_or((false, None), |mut record| {
            let runbook = record.flag("runbook").unwrap_or(false);
            let notes = record.text("notes", r#""docs/rotations.md""#).map(path);
            record.finish(&[]);
            (runbook, notes)
        });
        let ledger = self.sinks(table.tables("ledger", "[[rotation.ledger]]"));
        table.finish(&[]);
        RotationConfig { runbook, notes, ledger, ..config }
    }

    fn sinks(&self, tables: Vec<Table<'_>>) -> Vec<SinkConfig> {
        let names: Vec<&str> = sinks::KINDS.iter().map(|kind| kind.name).collect();
        let mut seen: Vec<String> = Vec::new();
        let mut configs = Vec::new();
        for table in tables {
            let location = self.location(&table.key_span("name"));
            let free = table.into_free();
            let name = free.required_text("name", r#""runs""#);
            let kind = kind(&free, ("ledger", r#""jsonl""#), &names);
            let (Some(name), Some((kind, known))) = (name, kind) else { continue };
            if seen.iter().any(|other| other == name.value) {
                name.refuse("another [[rotation.ledger]] has this name already", "give each a name of its own");
            }
            seen.push(name.value.to_owned());
            let settings = free.settings(&["kind", "name"]);
            if known {
                free.judge(SinkKind::find(&kind).map_or(Ok(()), |kind| drop_opened((kind.open)(&settings))));
            }
            configs.push(SinkConfig { name: name.value.to_owned(), kind, settings, location });
        }
        configs
    }

    /// What a `[[secret]]` says of how it is rotated. `secret` is what it says besides.
    pub(super) fn recipe(&self, table: &mut Table<'_>, secret: &Declaration) -> SecretRecipe {
        let issuer = table.free_table("issuer", ISSUER).and_then(|free| {
            let (name, known) = kind(
                &free,
                ("issuer", r#""generate""#),
                &issuers::KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>(),
            )?;
            let settings = free.settings(&["kind"]);
            if known {
                free.judge(IssuerKind::find(&name).map_or(Ok(()), |kind| drop_opened((kind.open)(&settings))));
            }
            Some((name, settings))
        });
        let verify = table.free_tables("verify", VERIFY).iter().map(probe).collect();
        let grace = table.text("grace", r#""24h""#).and_then(|text| {
            text.parse(trails::duration, "this stretch of time is not understood", r#"write grace = "24h""#)
        });
        let template = table.text("template", r#""postgres://app:{DB_PASSWORD|percent}@db/app""#).map(own);
        let parts = table.texts_by_key("parts", r#"{ user = ["vault:secret/db#username"] }"#);
        let place = |text: &Text<'_>| text.parse(Place::parse, "this is no place", PLACES);
        let parts = parts
            .iter()
            .flat_map(|(part, places)| places.iter().filter_map(|text| Some((part.value.to_owned(), place(text)?))))
            .collect();
        SecretRecipe {
            environment: secret.environment.clone(),
            issuer,
            verify,
            grace,
            template,
            parts,
            copies: secret.places.clone(),
            has_no_consumers: table.has("consumers") && secret.consumers.is_empty(),
            approval: table.flag("approve"),
        }
    }

    /// The `[[workload]]` tables.
    pub(super) fn workloads(&self, tables: Vec<Table<'_>>) -> Vec<WorkloadRecipe> {
        let mut seen: Vec<(String, u32)> = Vec::new();
        let mut workloads = Vec::new();
        for table in tables {
            let location = self.location(&table.key_span("consumer"));
            let free = table.into_free();
            let Some(consumer) = free.required_text("consumer", WORKLOAD) else { continue };
            if let Some((_, line)) = seen.iter().find(|(other, _)| other == consumer.value) {
                consumer.refuse(format!("the [[workload]] at line {line} is about it already"), "keep one of the two");
            }
            seen.push((consumer.value.to_owned(), location.line));
            let names: Vec<&str> = workloads::KINDS.iter().map(|kind| kind.name).collect();
            let (prefix, place) = consumer.value.split_once(':').unwrap_or((consumer.value, ""));
            let known = match free.keys().any(|key| key == "kind") {
                true => kind(&free, ("workload", r#""command""#), &names),
                false if names.is_empty() || names.contains(&prefix) => Some((prefix.to_owned(), !names.is_empty())),
                false => {
                    let list = names.join("`, `");
                    consumer.refuse(
                        "the part before the colon is no kind of workload",
                        format!("add `kind`; there are `{list}`"),
                    );
                    None
                }
            };
            let Some((name, is_known)) = known else { continue };
            let settings = free.settings(&["consumer", "kind"]);
            if is_known {
                free.judge(WorkloadKind::find(&name).map_or(Ok(()), |kind| drop_opened((kind.open)(place, &settings))));
            }
            workloads.push(WorkloadRecipe { consumer: consumer.value.to_owned(), kind: name, settings });
        }
        workloads
    }

    /// The `[[notify]]` tables.
    pub(super) fn notifiers(&self, tables: Vec<Table<'_>>) -> Vec<NotifyConfig> {
        let read = |table: Table<'_>| {
            let location = self.location(&table.key_span("kind"));
            let free = table.into_free();
            let (name, known) = kind(
                &free,
                ("receiver", r#""slack""#),
                &notify::KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>(),
            )?;
            let settings = free.settings(&["kind"]);
            if known {
                free.judge(NotifierKind::find(&name).map_or(Ok(()), |kind| drop_opened((kind.open)(&settings))));
            }
            Some(NotifyConfig { kind: name, settings, location })
        };
        tables.into_iter().filter_map(read).collect()
    }
}

/// The `kind` of a table, and whether it is one of these. A build without any, as of tests, takes any.
fn kind(free: &Free<'_>, (what, example): (&str, &str), names: &[&'static str]) -> Option<(String, bool)> {
    let text = free.required_text("kind", example)?;
    let is_known = names.contains(&text.value);
    if !is_known && !names.is_empty() {
        text.unknown(&format!("kind of {what}"), names);
        return None;
    }
    Some((text.value.to_owned(), is_known))
}

/// One of `verify`.
fn probe(free: &Free<'_>) -> Settings {
    let settings = free.settings(&[]);
    match ProbeKind::of(&settings) {
        Some(kind) => free.judge(drop_opened((kind.open)(&settings))),
        None if probes::KINDS.is_empty() => {}
        None => {
            let names = probes::KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join("`, `");
            free.refuse("no key says what kind of probe this is", format!("add one of `{names}`"));
        }
    }
    settings
}

fn drop_opened<T: ?Sized>(opened: Opened<T>) -> Result<(), keytrail_rotation::failure::Failure> {
    opened.map(drop)
}
