//! Records what a scan found.

use std::collections::BTreeMap;
use std::fmt::Write;

use keytrail_rules::checks::Rule;
use keytrail_rules::history::{FindingChange, Found, FoundFinding, Looked, Scan, Span};
use keytrail_rules::model::Time;
use keytrail_rules::report::Report;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Past, digest, kept};
use crate::state::{State, StateError};

/// Rows of one statement, which may have 32,766 parameters in SQLite.
const BATCH: usize = 500;

/// A stretch of scans that found a finding.
#[derive(Clone, PartialEq, Eq)]
struct Stretch {
    began_at: i64,
    last_seen: Option<i64>,
    ended_at: Option<i64>,
    found: FoundFinding,
}

/// Fingerprint, began at, last seen, whether it is excepted, rule, severity, item and message.
type OpenColumns = (String, i64, Option<i64>, i64, String, String, Option<String>, String);

impl State {
    /// Adds a scan that is later than all of its estate.
    pub(super) async fn write_scan(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        report: &Report,
        past: &Past,
    ) -> Result<(), StateError> {
        let row = Scan::of(report, past.changes(report).as_ref());
        self.write_row(connection, estate, &row).await?;
        let open = self.read_open(connection, estate).await?;
        let stretches = stretches(open, report, past);
        for batch in stretches.chunks(BATCH) {
            self.write_stretches(connection, estate, batch).await?;
        }
        let spans = past.next_spans(report);
        for batch in spans.chunks(BATCH) {
            self.write_spans(connection, estate, batch).await?;
        }
        Ok(())
    }

    async fn write_row(&self, connection: &mut AnyConnection, estate: &str, row: &Scan) -> Result<(), StateError> {
        const INSERT: &str = "INSERT INTO keytrail_scans \
            (estate, as_of, tool, facets, complete, findings, measures, changes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let changes = row.changes.map(|changes| json(&changes));
        let query = sqlx::query(INSERT).bind(estate.to_owned()).bind(row.as_of.timestamp_micros());
        let query = query.bind(row.tool.clone()).bind(row.facets.join(",")).bind(i64::from(row.complete));
        let query = query.bind(json(&row.findings)).bind(json(&row.measures)).bind(changes);
        query.execute(connection).await.map(drop).map_err(|error| self.database.error(&error))
    }

    /// The stretches that have not ended, by fingerprint.
    async fn read_open(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
    ) -> Result<BTreeMap<String, Stretch>, StateError> {
        const SELECT: &str = "SELECT fingerprint, began_at, last_seen, excepted, rule, severity, item, message \
                              FROM keytrail_findings WHERE estate = $1 AND ended_at IS NULL";
        let query = sqlx::query_as(SELECT).bind(estate.to_owned());
        let rows: Vec<OpenColumns> = query.fetch_all(connection).await.map_err(|error| self.database.error(&error))?;
        let stretch = |columns: OpenColumns| {
            let (fingerprint, began_at, last_seen, excepted, rule, severity, item, message) = columns;
            let severity = keytrail_rules::model::Severity::parse(&severity).ok_or_else(|| self.damaged())?;
            let finding = FindingChange { rule, severity, item, message, fingerprint: fingerprint.clone() };
            let found = FoundFinding { finding, excepted: excepted != 0 };
            Ok((fingerprint, Stretch { began_at, last_seen, ended_at: None, found }))
        };
        rows.into_iter().map(stretch).collect()
    }

    async fn write_stretches(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        stretches: &[Stretch],
    ) -> Result<(), StateError> {
        let mut sql = insert(
            "keytrail_findings (estate, fingerprint, began_at, last_seen, ended_at, excepted, rule, severity, item, message)",
            stretches.len(),
            9,
        );
        sql.push_str(
            " ON CONFLICT (estate, fingerprint, began_at) DO UPDATE SET last_seen = excluded.last_seen, \
             ended_at = excluded.ended_at, severity = excluded.severity, item = excluded.item, \
             message = excluded.message",
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(estate.to_owned());
        for stretch in stretches {
            let FindingChange { rule, severity, item, message, fingerprint } = &stretch.found.finding;
            query = query.bind(fingerprint.clone()).bind(stretch.began_at).bind(stretch.last_seen);
            query = query.bind(stretch.ended_at).bind(i64::from(stretch.found.excepted)).bind(rule.clone());
            query = query.bind(severity.as_str().to_owned()).bind(item.clone()).bind(message.clone());
        }
        query.execute(connection).await.map(drop).map_err(|error| self.database.error(&error))
    }

    async fn write_spans(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        spans: &[(String, Span)],
    ) -> Result<(), StateError> {
        let table = "keytrail_items (estate, item_sha256, began_at, item, status, due_at, set_at)";
        let mut query = sqlx::query(AssertSqlSafe(insert(table, spans.len(), 6))).bind(estate.to_owned());
        let micros = |time: Option<Time>| time.map(|time| time.timestamp_micros());
        for (item, span) in spans {
            query = query.bind(digest(item)).bind(span.since.timestamp_micros()).bind(item.clone());
            query = query.bind(span.status.map(|status| status.as_str().to_owned()));
            query = query.bind(micros(span.due_at)).bind(micros(span.set_at));
        }
        query.execute(connection).await.map(drop).map_err(|error| self.database.error(&error))
    }
}

/// The stretches that a report begins, ends or changes.
fn stretches(mut open: BTreeMap<String, Stretch>, report: &Report, past: &Past) -> Vec<Stretch> {
    let looked = Looked::of(report);
    let now = report.as_of.timestamp_micros();
    let last_looked = |rule: &str| {
        let facet = Rule::find(rule)?.facet.as_str();
        let scan = past.scans.iter().rev().find(|scan| scan.facets.iter().any(|ran| ran == facet))?;
        Some(scan.as_of.timestamp_micros())
    };
    let mut changed = Vec::new();
    for (fingerprint, mut found) in Found::of(report).findings {
        found.finding.message = kept(&found.finding.message);
        found.finding.item = found.finding.item.as_deref().map(kept);
        let begun = Stretch { began_at: now, last_seen: None, ended_at: None, found };
        match open.remove(&fingerprint) {
            None => changed.push(begun),
            Some(known) if known.found.excepted != begun.found.excepted => {
                let last_seen = known.last_seen.or_else(|| last_looked(&known.found.finding.rule));
                changed.push(Stretch { last_seen, ended_at: Some(now), ..known });
                changed.push(begun);
            }
            Some(known) => {
                let seen = Stretch { began_at: known.began_at, ..begun };
                changed.extend((seen != known).then_some(seen));
            }
        }
    }
    for (_, known) in open {
        let rule = &known.found.finding.rule;
        let missed = Stretch {
            last_seen: known.last_seen.or_else(|| last_looked(rule)),
            ended_at: looked.is_gone(rule).then_some(now),
            ..known.clone()
        };
        changed.extend((looked.ran(rule) && missed != known).then_some(missed));
    }
    changed
}

/// `INSERT` of `rows` rows into a table, of which the first column is the same for all, and `columns` follow.
fn insert(table: &str, rows: usize, columns: usize) -> String {
    let mut sql = format!("INSERT INTO {table} VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "($1" } else { ", ($1" });
        for column in 0..columns {
            // Writing to a string cannot fail.
            let _ = write!(sql, ", ${}", 2 + row * columns + column);
        }
        sql.push(')');
    }
    sql
}

/// What serialises to JSON without fail: numbers by name.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
