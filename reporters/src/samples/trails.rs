//! What trails say, for the samples.

use keytrail_rules::correlate::{
    EventReport, Flag, Missing, Reading, Rotation, Silence, Trace, Traces, TrailReport, Verdict,
};
use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Covered, Environment, EventKind, Hole, Key, Location, Outcome, Proof, Raw, Role, Time};
use keytrail_rules::report::Report;

use super::time;

/// Every way that a change is silent.
pub(crate) fn silences() -> [Silence; 3] {
    every!(Silence: NoRequest, OutOfBand, StateOnly)
}

/// Every answer of a trail.
pub(crate) fn traces() -> [Trace; 4] {
    every!(Trace: Present, NotYet, Unknown, Absent)
}

/// Every flag.
pub(crate) fn flags() -> [Flag; 12] {
    every!(Flag: NoOp, Regression, PartialGroup, OldNotRevoked, RevokedBeforeVerified, RevokedWhileRead, Failed,
        Throttled, HalfApplied, Automatic, UnwatchedConsumers, Reopened)
}

/// Every outcome.
pub(crate) fn outcomes() -> [Outcome; 3] {
    every!(Outcome: Done, Failed, Throttled)
}

/// Every proof.
pub(crate) fn proofs() -> [Proof; 4] {
    every!(Proof: DigestChain, Sequence, Canary, Declared)
}

/// The secret of the samples.
pub(crate) fn item() -> ItemId {
    ItemId::of_key(&Key::new("DATABASE_PASSWORD"), Some(&Environment::new("production")))
}

/// Bytes of a file.
pub(crate) fn raw(source: &str, line: u64) -> Raw {
    Raw { source: source.into(), offset: 212 * line.saturating_sub(1), length: 211, line, sha256: [0xab; 32] }
}

/// An event of the first of March.
pub(crate) fn event(kind: EventKind, clock: &str, actor: &str, raw: Raw) -> EventReport {
    EventReport {
        item: item(),
        trail: match kind.role() {
            Role::Ledger => "runs",
            Role::Store => "vault-audit",
            Role::Application => "postgres",
        }
        .to_owned(),
        role: kind.role(),
        kind,
        outcome: Outcome::Done,
        target: "vault:secret/shop/database#password".to_owned(),
        version: None,
        time: time(&format!("2026-03-01T{clock}Z")),
        actor: Some(actor.to_owned()),
        run: None,
        consumer: None,
        details: Default::default(),
        raw,
    }
}

/// A change of the first of March, by its events.
pub(crate) fn rotation(at: &str, verdict: Verdict, events: Vec<EventReport>) -> Rotation {
    let trace = |role| if events.iter().any(|event| event.role == role) { Trace::Present } else { Trace::Absent };
    Rotation {
        id: "0123456789abcdef".repeat(2),
        item: item(),
        at: time(&format!("2026-03-01T{at}Z")),
        verdict,
        silent: None,
        traces: Traces {
            ledger: trace(Role::Ledger),
            store: trace(Role::Store),
            application: trace(Role::Application),
        },
        flags: Default::default(),
        missing: Vec::new(),
        deadline: time("2026-03-02T12:00:00Z"),
        version: Some("7".to_owned()),
        events,
    }
}

/// One that left its three traces.
pub(crate) fn traced() -> Rotation {
    let mut requested = event(EventKind::Requested, "12:00:00", "jo@example.com", raw("ledger/runs.jsonl", 4));
    requested.run = Some("run-17".to_owned());
    requested.details = [("reason", "quarterly rotation".to_owned())].into();
    let mut written = event(EventKind::Written, "12:00:07", "rotator", raw("audit/vault.log", 1_204));
    (written.version, written.run) = (Some("7".to_owned()), Some("run-17".to_owned()));
    let issued = event(EventKind::Issued, "12:00:06.250", "keytrail", raw("log/postgresql.json", 88));
    let mut loaded = event(EventKind::Loaded, "12:00:41", "app", raw("log/postgresql.json", 92));
    loaded.consumer = Some("kubernetes:shop/deployment/api".to_owned());
    rotation("12:00:07", Verdict::Traced, vec![requested, issued, written, loaded])
}

/// One that nobody asked for.
pub(crate) fn silent() -> Rotation {
    let mut throttled = event(EventKind::Written, "18:29:59", "mallory", raw("audit/vault.log", 1_300));
    throttled.outcome = Outcome::Throttled;
    let mut written = event(EventKind::Written, "18:30:00", "mallory", raw("audit/vault.log", 1_301));
    written.version = Some("8".to_owned());
    let mut rotation = rotation("18:30:00", Verdict::Silent, vec![throttled, written]);
    (rotation.silent, rotation.version) = (Some(Silence::NoRequest), Some("8".to_owned()));
    rotation.flags = [Flag::Throttled, Flag::OldNotRevoked].into();
    rotation
}

/// One that nobody can judge.
pub(crate) fn inconclusive() -> Rotation {
    let written = event(EventKind::Written, "23:10:00", "rotator", raw("audit/vault.log", 1_402));
    let requested = event(EventKind::Requested, "23:09:00", "jo@example.com", raw("ledger/runs.jsonl", 5));
    let mut rotation = rotation("23:10:00", Verdict::Inconclusive, vec![requested, written]);
    rotation.traces.application = Trace::Unknown;
    rotation.missing = vec![Missing {
        role: Role::Application,
        trail: Some("postgres".to_owned()),
        from: time("2026-03-01T23:00:00Z"),
        to: time("2026-03-02T06:00:00Z"),
        reason: "the log was truncated".to_owned(),
    }];
    rotation
}

/// A trail that covers the year until March.
pub(crate) fn trail(name: &str, kind: &'static str, role: Role, proof: Proof) -> TrailReport {
    let until = time("2026-03-03T00:00:00Z");
    TrailReport {
        name: name.to_owned(),
        declared_at: Some(Location { file: "keytrail.toml".into(), line: 30, start_column: 8, end_column: 21 }),
        kind,
        role,
        records: 12_345,
        events: 4,
        first: Some(time("2026-01-01T00:00:12Z")),
        last: Some(until),
        covered: vec![Covered { from: time("2026-01-01T00:00:00Z"), to: until, proof }],
        holes: Vec::new(),
        delay_seconds: 900,
        skew_milliseconds: Some(-40),
    }
}

/// The three trails of a shop, one of them with a hole.
pub(crate) fn trails() -> Vec<TrailReport> {
    let mut postgres = trail("postgres", "postgres-log", Role::Application, Proof::Declared);
    let (from, to) = (time("2026-03-01T23:00:00Z"), time("2026-03-02T06:00:00Z"));
    let covered = postgres.covered[0];
    postgres.covered = vec![Covered { to: from, ..covered }, Covered { from: to, ..covered }];
    postgres.holes = vec![Hole {
        from: Some(from),
        to: Some(to),
        reason: "the log was truncated while it was read".to_owned(),
        tampered: false,
        raw: Some(raw("log/postgresql.json", 93)),
    }];
    postgres.skew_milliseconds = None;
    vec![
        trail("vault-audit", "vault-audit", Role::Store, Proof::Sequence),
        postgres,
        trail("runs", "workload-runs", Role::Ledger, Proof::DigestChain),
    ]
}

/// Who read the secret.
pub(crate) fn reading(actor: &str) -> Reading {
    Reading {
        item: item(),
        actor: actor.to_owned(),
        trail: "vault-audit".to_owned(),
        count: 31,
        first: time("2026-02-01T00:00:00Z"),
        last: time("2026-03-01T12:00:30Z"),
        raw: raw("audit/vault.log", 17),
    }
}

/// Adds changes, readings and trails with every value of every enum.
pub(super) fn add_everything(report: &mut Report) {
    report.rotations = vec![traced(), silent(), inconclusive()];
    for (at, verdict) in Verdict::ALL.into_iter().enumerate() {
        let mut one = rotation("13:00:00", verdict, Vec::new());
        one.id = format!("{at:032x}");
        one.silent = silences().get(at).copied();
        one.flags = flags().into();
        one.traces = Traces { ledger: traces()[at % 4], store: traces()[(at + 1) % 4], application: traces()[2] };
        report.rotations.push(one);
    }
    for (at, kind) in EventKind::ALL.into_iter().enumerate() {
        let mut event = event(kind, "13:00:00", "jo", raw("a.log", at as u64));
        event.outcome = outcomes()[at % 3];
        report.rotations[3].events.push(event);
    }
    report.readings = vec![reading("api")];
    report.trails = trails();
    let covered = report.trails[0].covered[0];
    report.trails[0].covered = proofs().map(|proof| Covered { proof, ..covered }).to_vec();
    report.trails[1].holes.push(Hole {
        from: None,
        to: None,
        reason: "the signature does not fit".to_owned(),
        tampered: true,
        raw: None,
    });
}

/// Adds a change, a reading and a trail with two texts in all of their fields.
pub(super) fn add_text(report: &mut Report, text: &str, other: &str, at: Time) {
    let id = ItemId::of_key(&Key::new(text), None);
    let mut one = silent();
    (one.item, one.version, one.at) = (id.clone(), Some(text.to_owned()), at);
    for event in &mut one.events {
        (event.item, event.trail, event.target) = (id.clone(), other.to_owned(), text.to_owned());
        (event.version, event.actor) = (Some(text.to_owned()), Some(other.to_owned()));
        (event.run, event.consumer) = (Some(text.to_owned()), Some(other.to_owned()));
        event.details = [("reason", text.to_owned())].into();
        event.raw = raw(text, 0);
    }
    one.missing =
        vec![Missing { role: Role::Ledger, trail: Some(other.to_owned()), from: at, to: at, reason: text.to_owned() }];
    report.rotations.push(one);
    report.readings.push(Reading { item: id, actor: text.to_owned(), trail: other.to_owned(), ..reading("") });
    let mut trail = trail(text, "json-log", Role::Store, Proof::Declared);
    trail.holes =
        vec![Hole { from: Some(at), to: None, reason: other.to_owned(), tampered: true, raw: Some(raw(text, 3)) }];
    report.trails.push(trail);
}
