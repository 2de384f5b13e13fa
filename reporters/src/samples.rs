//! Reports for tests. The tests of the whole workspace (`tests/`) use this file too.

#![allow(dead_code, reason = "each user needs a part")]

use std::collections::BTreeSet;

use keytrail_rules::checks::{Facet, RULES, Rule};
use keytrail_rules::inventory::ItemId;
use keytrail_rules::leaks::{LeakReport, Lifecycle};
use keytrail_rules::model::{
    Class, Commit, CopyKind, Environment, Evidence, Finding, Fingerprint, Gap, GapReason, Key, Location, Medium,
    Occurrence, Place, ScopeEntry, Searched, Severity, Time,
};
use keytrail_rules::report::{AgeReport, CopyReport, ItemReport, ItemStatus, Report, SCHEMA, Summary, Tool};
use keytrail_rules::value::Shape;

/// Every variant of an enum; does not compile when one is missing.
macro_rules! every {
    ($type:ident: $($variant:ident),* $(,)?) => {{
        let _exhaustive = |value: $type| match value { $($type::$variant => ()),* };
        [$($type::$variant),*]
    }};
}

#[path = "samples/history.rs"]
pub(crate) mod history;
#[path = "samples/large.rs"]
pub(crate) mod large;
#[path = "samples/trails.rs"]
pub(crate) mod trails;

/// Every class.
pub(crate) fn classes() -> [Class; 3] {
    every!(Class: Plain, Secret, RotationRequired)
}

/// Every shape of a value.
pub(crate) fn shapes() -> [Shape; 6] {
    every!(Shape: Unread, Empty, Placeholder, Reference, Encrypted, Literal)
}

/// Every kind of place.
pub(crate) fn copy_kinds() -> [CopyKind; 12] {
    every!(CopyKind: VaultKv2, VaultKv1, EnvFile, KubernetesSecret, ConfigMap, WorkloadEnv, SealedSecret,
        ExternalSecret, ComposeEnv, ComposeSecret, GithubSecret, GithubVariable)
}

/// Every reason for a gap.
pub(crate) fn gap_reasons() -> [GapReason; 9] {
    every!(GapReason: Unreachable, PermissionDenied, Unauthenticated, Sealed, Standby, TimedOut, Malformed, TooLarge,
        Unsupported)
}

/// Every status.
pub(crate) fn statuses() -> [ItemStatus; 9] {
    every!(ItemStatus: Compromised, Overdue, NeverRotated, EventDue, UnknownAge, DueSoon, Exempt, Static, Ok)
}

/// Every severity.
pub(crate) fn severities() -> [Severity; 5] {
    every!(Severity: Info, Low, Medium, High, Critical)
}

/// Strings that are made to break what prints them.
pub(crate) fn hostile_strings() -> Vec<String> {
    let mut strings: Vec<String> = [
        "",
        " ",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "\u{9b}31m red",
        "\u{202e}gpj.exe\u{2066}",
        "a\nb\r\nc\td\0",
        "zero\u{200b}width\u{feff}\u{2028}line",
        "../../../etc/passwd",
        "/etc/shadow",
        r"C:\work\.env",
        r"a\b\c",
        "{0} {99} {{ }",
        "[click](https://example.com)",
        "<script>alert(1)</script>",
        "%s%n%00%",
        "=cmd|'/c calc'!A1",
        "'\"`",
        "clé 漢字 😀 é",
        "https://user@example.com/x?y#z",
        "a:b#c",
        "ends with a stop.",
        "a/../..//./b",
        "\u{fffe}\u{10ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    strings.push("x".repeat(10_000));
    strings.push("word ".repeat(2_000));
    strings
}

/// An instant.
pub(crate) fn time(text: &str) -> Time {
    text.parse().expect("a time")
}

/// A report of nothing.
pub(crate) fn empty() -> Report {
    Report {
        schema: SCHEMA,
        as_of: time("2026-11-21T09:00:00Z"),
        tool: Tool { name: "keytrail", version: "0.1.0" },
        facets: Facet::ALL.to_vec(),
        disabled_rules: Vec::new(),
        scope: Vec::new(),
        items: Vec::new(),
        rotations: Vec::new(),
        readings: Vec::new(),
        trails: Vec::new(),
        leaks: Vec::new(),
        searched: None,
        gaps: Vec::new(),
        findings: Vec::new(),
        exceptions: Vec::new(),
        controls: Vec::new(),
        changes: None,
        trends: None,
        summary: Summary { complete: true, ..Summary::default() },
    }
}

fn scope(source: &str, kind: &str, held: u64) -> ScopeEntry {
    ScopeEntry { source: source.to_owned(), kind: kind.to_owned(), held }
}

fn line(file: &str, line: u32) -> Option<Location> {
    Some(Location { file: file.to_owned(), line, start_column: 1, end_column: 24 })
}

fn finding(rule: &str, subject: &str, message: impl Into<String>) -> Finding {
    Finding::new(Rule::find(rule).expect("a rule"), subject, message)
}

/// A secret that is ok.
pub(crate) fn item(key: &str, environment: Option<&str>) -> ItemReport {
    let (key, environment) = (Key::new(key), environment.map(Environment::new));
    ItemReport {
        id: ItemId::of_key(&key, environment.as_ref()),
        key,
        aliases: Vec::new(),
        class: Some(Class::RotationRequired),
        owner: Some("platform".to_owned()),
        environment,
        cadence: Some("every 90 days".to_owned()),
        copies: Vec::new(),
        consumers: Vec::new(),
        derived_from: Vec::new(),
        declared_at: Vec::new(),
        last_rotated_at: None,
        age: None,
        due_at: None,
        status: ItemStatus::Ok,
    }
}

fn aged(
    mut item: ItemReport,
    bounds: (Option<&str>, Option<&str>),
    due: Option<&str>,
    status: ItemStatus,
) -> ItemReport {
    let (not_before, not_after) = (bounds.0.map(time), bounds.1.map(time));
    item.last_rotated_at = not_before.filter(|_| not_before == not_after);
    let proof =
        format!("values of vault:secret/shop/{}#value compared: set in version 3", item.key.as_str().to_lowercase());
    item.age = Some(AgeReport { not_before, not_after, first_value: status == ItemStatus::NeverRotated, proof });
    item.due_at = due.map(time);
    item.status = status;
    item
}

/// The report of a small shop.
pub(crate) fn company() -> Report {
    let mut report = Report { scope: company_scope(), items: company_items(), ..empty() };
    report.findings = company_findings(&report.items);
    report.gaps = vec![
        Gap::new("vault", GapReason::PermissionDenied, "the policy allows no list on secret/metadata/finance")
            .in_place(Place::of_path("vault", "secret/finance"))
            .hint("allow list and read on secret/metadata/*"),
        Gap::at(
            Location { file: "deploy/broken.yaml".into(), line: 14, start_column: 3, end_column: 9 },
            GapReason::Malformed,
            "line 14 is not YAML: a mapping has no value",
        ),
    ];
    report.summary.variables = 41;
    let known = finding("no-owner", "SMTP_PASSWORD@production", "").fingerprint;
    report.apply_baseline(&BTreeSet::from([known]));
    report
}

fn company_scope() -> Vec<ScopeEntry> {
    vec![
        scope(".env.schema", "env-schema", 38),
        scope("compose.yaml", "compose", 12),
        scope("deploy/api.yaml", "kubernetes-manifest", 22),
        scope("deploy/web.yaml", "kubernetes-manifest", 9),
        scope("docs/rotation.md", "runbook", 14),
        scope("vault", "vault", 51),
    ]
}

fn company_items() -> Vec<ItemReport> {
    let production = Some("production");
    let set = |day| (Some(day), Some(day));
    let mut database = aged(
        item("DATABASE_PASSWORD", production),
        set("2026-04-22T11:30:00Z"),
        Some("2026-07-21T11:30:00Z"),
        ItemStatus::Overdue,
    );
    database.aliases = vec![Key::new("PGPASSWORD")];
    database.declared_at = line(".env.schema", 12).into_iter().collect();
    database.consumers = vec!["kubernetes:shop/deployment/api".to_owned()];
    database.copies = vec![CopyReport {
        place: Place::new("vault", "secret/shop/database", "password"),
        kind: CopyKind::VaultKv2,
        value: Shape::Literal,
        version: Some(7),
        location: None,
    }];
    let mut unknown = aged(
        item("SESSION_SECRET", production),
        (None, Some("2026-07-24T09:00:00.250Z")),
        None,
        ItemStatus::UnknownAge,
    );
    unknown.owner = None;
    let mut certificate = item("ROOT_CA_KEY", None);
    (certificate.status, certificate.cadence) = (ItemStatus::Static, Some("never (static)".to_owned()));
    let mut url = item("DATABASE_URL", production);
    url.derived_from = vec![database.id.clone()];
    (url.status, url.cadence) = (ItemStatus::EventDue, Some("on password change".to_owned()));
    vec![
        database,
        url,
        aged(
            item("JWT_SIGNING_KEY", production),
            set("2026-10-01T00:00:00Z"),
            Some("2026-12-30T00:00:00Z"),
            ItemStatus::Ok,
        ),
        aged(item("LEGACY_KEY", None), set("2024-01-01T00:00:00Z"), Some("2024-04-01T00:00:00Z"), ItemStatus::Exempt),
        certificate,
        unknown,
        aged(
            item("SMTP_PASSWORD", production),
            set("2025-01-10T00:00:00Z"),
            Some("2025-04-10T00:00:00Z"),
            ItemStatus::NeverRotated,
        ),
        aged(
            item("STRIPE_API_KEY", production),
            (Some("2026-08-20T00:00:00Z"), Some("2026-09-01T00:00:00Z")),
            Some("2026-11-30T00:00:00Z"),
            ItemStatus::DueSoon,
        ),
    ]
}

fn company_findings(items: &[ItemReport]) -> Vec<Finding> {
    let mut findings = vec![
        finding(
            "secret-in-configmap",
            "SMTP_PASSWORD",
            "Secret 'SMTP_PASSWORD@production' is in the ConfigMap 'shop/mail'.",
        )
        .at(line("deploy/api.yaml", 41))
        .item(items[6].id.clone())
        .evidence([Evidence::new(
            "config-map in kubernetes:shop/configmap/mail#SMTP_PASSWORD",
            line("deploy/api.yaml", 41),
            Some(Place::new("kubernetes", "shop/configmap/mail", "SMTP_PASSWORD")),
        )])
        .next("move it to a Secret, and rotate it"),
    ];
    for (rule, at, next) in [
        ("overdue-rotation", 0, "rotate DATABASE_PASSWORD@production"),
        ("never-rotated", 6, "rotate SMTP_PASSWORD@production"),
        ("event-due-rotation", 1, "build DATABASE_URL@production anew from 'DATABASE_PASSWORD@production'"),
        ("unknown-age", 5, "set read_values = true for its store"),
        ("rotation-due-soon", 7, "rotate STRIPE_API_KEY@production by 2026-11-30"),
        ("overdue-rotation", 3, "rotate LEGACY_KEY"),
    ] {
        let item = &items[at];
        let mut about = finding(rule, item.id.as_str(), format!("Secret '{}' is {}.", item.id, item.status.as_str()))
            .item(item.id.clone())
            .at(line("docs/rotation.md", 20 + at as u32))
            .next(next);
        if rule == "event-due-rotation" {
            about = about.evidence([Evidence::new(
                "the value inside it is not the current one of DATABASE_PASSWORD@production",
                line(".env.schema", 12),
                Some(Place::new("vault", "secret/shop/database", "password")),
            )]);
        }
        if at == 3 {
            about.exception = Some("the vendor ends the service in March".to_owned());
        }
        findings.push(about);
    }
    findings.extend((1..=13).map(|at| {
        finding(
            "undeclared-secret",
            &format!("BATCH_TOKEN_{at}"),
            format!("Secret 'BATCH_TOKEN_{at}' is in use, but nothing declares it."),
        )
        .item(ItemId::of_key(&Key::new(&format!("BATCH_TOKEN_{at}")), None))
        .at(line("compose.yaml", 10 + at))
        .next(format!(
            "declare BATCH_TOKEN_{at} in the .env.schema, a runbook or keytrail.toml, with owner and cadence"
        ))
    }));
    findings.extend(["SESSION_SECRET@production", "SMTP_PASSWORD@production", "QUEUE_URL"].map(|id| {
        finding("no-owner", id, format!("Secret '{id}' has no owner."))
            .at(line("docs/rotation.md", 31))
            .next("name the team")
    }));
    findings
}

/// A report that uses every field, every value of every enum, and every rule.
pub(crate) fn everything() -> Report {
    let mut report = company();
    for (at, status) in statuses().into_iter().enumerate() {
        let mut item = aged(item(&format!("STATUS_{at}"), None), (Some("2026-01-01T00:00:00Z"), None), None, status);
        item.class = classes().get(at).copied();
        report.items.push(item);
    }
    for (at, kind) in copy_kinds().into_iter().enumerate() {
        report.items[0].copies.push(CopyReport {
            place: Place::new("env-file", "deploy/.env", kind.as_str()),
            kind,
            value: shapes()[at % 6],
            version: None,
            location: line("deploy/.env", 1 + at as u32),
        });
    }
    for reason in gap_reasons() {
        report.gaps.push(Gap::new(format!("source that is {}", reason.as_str()), reason, "it could not be read"));
    }
    for (at, rule) in RULES.iter().enumerate() {
        let mut finding =
            finding(rule.id, "everything", format!("Rule '{}' fires.", rule.id)).at(line("a/b.yaml", 1 + at as u32));
        finding.controls = vec!["PCI-DSS-8.6.3".to_owned()];
        report.findings.push(finding.severity(severities()[at % 5]).next("mend it"));
    }
    report.leaks = leaks();
    report.searched = Some(searched());
    trails::add_everything(&mut report);
    history::add_everything(&mut report);
    let known = report.findings[8].fingerprint.clone();
    report.apply_baseline(&BTreeSet::from([known]));
    (report.summary.frameworks, report.summary.left_out) = (vec!["pci-dss-4.0.1".to_owned()], 3);
    report
}

/// Every medium that a leak can lie in.
pub(crate) fn media() -> [Medium; 7] {
    every!(Medium: GitHistory, GitMessage, GitIndex, GitUnreachable, File, Log, StandardInput)
}

/// A leak of every lifecycle, in every medium.
fn leaks() -> Vec<LeakReport> {
    let place = |at: usize, medium| Occurrence {
        commit: (at == 0).then(|| Commit {
            time: time("2026-02-03T04:05:06Z"),
            id: "0123456789".repeat(4),
            author: "Jo".into(),
            email: "jo@example.com".into(),
        }),
        medium,
        location: Location { file: "src/db.py".into(), line: 7, start_column: 3, end_column: 9 },
        present: at.is_multiple_of(2),
        allowed: (at == 1).then(|| "a test value".into()),
    };
    let occurrences: Vec<Occurrence> = media().into_iter().enumerate().map(|(at, medium)| place(at, medium)).collect();
    every!(Lifecycle: Current, Previous, Retired, Unmanaged)
        .into_iter()
        .map(|lifecycle| LeakReport {
            item: (lifecycle != Lifecycle::Unmanaged).then(|| ItemId::of_key(&Key::new("API_KEY"), None)),
            version: Some(3),
            lifecycle,
            detector: "known-value".into(),
            detected: None,
            fingerprint: Fingerprint::from_stored("ab".repeat(16)),
            tag: 0,
            location: occurrences[0].location.clone(),
            occurrences: occurrences.clone(),
            exposed_since: Some(time("2026-02-03T04:05:06Z")),
            exposed_until: (lifecycle == Lifecycle::Previous).then(|| time("2026-03-03T04:05:06Z")),
            accepted: (lifecycle == Lifecycle::Unmanaged).then(|| "it was revoked".into()),
        })
        .collect()
}

/// What a search covered.
fn searched() -> Searched {
    Searched {
        values: 12,
        values_beside_names: 2,
        not_searchable: [("placeholder".to_owned(), 1)].into(),
        detectors: 400,
        files: 20,
        objects: 3_000,
        bytes: 12_345_678,
    }
}

/// A report that could read nothing.
pub(crate) fn gaps_only() -> Report {
    let mut report = empty();
    report.gaps = vec![
        Gap::new("vault", GapReason::Sealed, "the server is sealed").hint("unseal it"),
        Gap::at(Location::of_file("deploy/.env"), GapReason::Malformed, "the file is binary, not text"),
    ];
    report.apply_baseline(&BTreeSet::new());
    report
}

/// A report with the strings in all of its fields.
pub(crate) fn full_of(strings: &[String]) -> Report {
    let mut report = empty();
    for (at, text) in strings.iter().enumerate() {
        let text = text.as_str();
        let other = strings[(at + 1) % strings.len()].as_str();
        let number = u32::try_from(text.len()).expect("short").wrapping_mul(at as u32).max(1);
        let location = Location { file: text.to_owned(), line: number, start_column: number, end_column: 1 };
        let place = Place::new(other, text, other);
        let id = ItemId::of_place(&place);
        report.scope.push(scope(text, other, u64::from(number)));
        report.items.push(ItemReport {
            id: id.clone(),
            key: Key::new(text),
            aliases: vec![Key::new(other)],
            class: None,
            owner: Some(text.to_owned()),
            environment: Some(Environment::new(text)),
            cadence: Some(text.to_owned()),
            copies: vec![CopyReport {
                place: place.clone(),
                kind: copy_kinds()[at % 12],
                value: shapes()[at % 6],
                version: Some(u64::from(number)),
                location: Some(location.clone()),
            }],
            consumers: vec![text.to_owned()],
            derived_from: vec![id.clone()],
            declared_at: vec![location.clone()],
            last_rotated_at: None,
            age: Some(AgeReport {
                not_before: None,
                not_after: Some(time("2027-01-01T00:00:00Z")),
                first_value: false,
                proof: text.to_owned(),
            }),
            due_at: None,
            status: statuses()[at % 9],
        });
        let evidence = Evidence::new(text, Some(location.clone()), Some(place.clone()));
        let rule = RULES[at % RULES.len()];
        let mut one = Finding::new(rule, text, text).item(id).next(text).evidence([evidence.clone(), evidence]);
        one.location = (at % 2 == 0).then(|| location.clone());
        one.controls = vec![text.to_owned()];
        one.exception = (at % 7 == 6).then(|| text.to_owned());
        report.findings.push(one);
        let reason = gap_reasons()[at % 9];
        report.gaps.push(Gap::at(location, reason, text).in_place(place).hint(other));
        report.gaps.push(Gap::new(text, reason, other));
        trails::add_text(&mut report, text, other, time("2026-11-01T00:00:00Z"));
        history::add_text(&mut report, text, other);
    }
    report.apply_baseline(&BTreeSet::new());
    report
}
