//! Reads what earlier scans found.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use keytrail_rules::history::{FindingChange, Found, FoundFinding, Scan, Span};
use keytrail_rules::model::{Severity, Time};
use keytrail_rules::report::ItemStatus;
use sqlx::AnyConnection;

use super::Past;
use crate::state::{State, StateError};

/// The columns of a scan.
type ScanColumns = (i64, String, String, i64, String, String, Option<String>);
/// Fingerprint, whether it is excepted, rule, severity, item and message.
type FindingColumns = (String, i64, String, String, Option<String>, String);
/// Id, began at, status, due at and set at.
type ItemColumns = (String, i64, Option<String>, Option<i64>, Option<i64>);

impl State {
    /// The newest scan of an estate.
    pub(super) async fn newest(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
    ) -> Result<Option<Time>, StateError> {
        const SELECT: &str = "SELECT as_of FROM keytrail_scans WHERE estate = $1 ORDER BY as_of DESC LIMIT 1";
        let query = sqlx::query_as(SELECT).bind(estate.to_owned());
        let newest: Option<(i64,)> =
            query.fetch_optional(connection).await.map_err(|error| self.database.error(&error))?;
        newest.map(|(micros,)| DateTime::from_timestamp_micros(micros).ok_or_else(|| self.damaged())).transpose()
    }

    /// What the scans before an instant found.
    pub(super) async fn read_past(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        as_of: Time,
    ) -> Result<Past, StateError> {
        let scans = self.read_scans(connection, estate, as_of).await?;
        let Some(last) = scans.last().map(|scan| scan.as_of) else {
            return Ok(Past::default());
        };
        let findings = self.read_findings(connection, estate, last).await?;
        let gone = self.read_gone(connection, estate, last).await?;
        let secrets = self.read_secrets(connection, estate, last).await?;
        let status = |(id, spans): (&String, &Vec<Span>)| {
            let status = spans.last().and_then(|span| span.status)?;
            Some((id.clone(), status.as_str().to_owned()))
        };
        let items = secrets.iter().filter_map(status).collect();
        Ok(Past { scans, found: Found { as_of: last, findings, items }, gone, secrets, later: None })
    }

    async fn read_scans(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        as_of: Time,
    ) -> Result<Vec<Scan>, StateError> {
        const SELECT: &str = "SELECT as_of, tool, facets, complete, findings, measures, changes FROM keytrail_scans \
                              WHERE estate = $1 AND as_of < $2 ORDER BY as_of";
        let query = sqlx::query_as(SELECT).bind(estate.to_owned()).bind(as_of.timestamp_micros());
        let rows: Vec<ScanColumns> = query.fetch_all(connection).await.map_err(|error| self.database.error(&error))?;
        rows.into_iter().map(|columns| scan(columns).ok_or_else(|| self.damaged())).collect()
    }

    /// The findings that were there after the scan of an instant.
    async fn read_findings(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        last: Time,
    ) -> Result<BTreeMap<String, FoundFinding>, StateError> {
        const SELECT: &str = "SELECT fingerprint, excepted, rule, severity, item, message FROM keytrail_findings \
                              WHERE estate = $1 AND began_at <= $2 AND (ended_at IS NULL OR ended_at > $2)";
        let query = sqlx::query_as(SELECT).bind(estate.to_owned()).bind(last.timestamp_micros());
        let rows: Vec<FindingColumns> =
            query.fetch_all(connection).await.map_err(|error| self.database.error(&error))?;
        rows.into_iter().map(|columns| finding(columns).ok_or_else(|| self.damaged())).collect()
    }

    /// The fingerprints of findings whose stretch had ended by an instant.
    async fn read_gone(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        last: Time,
    ) -> Result<BTreeSet<String>, StateError> {
        const SELECT: &str = "SELECT DISTINCT fingerprint FROM keytrail_findings WHERE estate = $1 AND ended_at <= $2";
        let query = sqlx::query_as(SELECT).bind(estate.to_owned()).bind(last.timestamp_micros());
        let rows: Vec<(String,)> = query.fetch_all(connection).await.map_err(|error| self.database.error(&error))?;
        Ok(rows.into_iter().map(|(fingerprint,)| fingerprint).collect())
    }

    /// What was known of each secret by an instant.
    async fn read_secrets(
        &self,
        connection: &mut AnyConnection,
        estate: &str,
        last: Time,
    ) -> Result<BTreeMap<String, Vec<Span>>, StateError> {
        const SELECT: &str = "SELECT item, began_at, status, due_at, set_at FROM keytrail_items \
                              WHERE estate = $1 AND began_at <= $2 ORDER BY item_sha256, began_at";
        let query = sqlx::query_as(SELECT).bind(estate.to_owned()).bind(last.timestamp_micros());
        let rows: Vec<ItemColumns> = query.fetch_all(connection).await.map_err(|error| self.database.error(&error))?;
        let mut secrets: BTreeMap<String, Vec<Span>> = BTreeMap::new();
        for (item, since, status, due_at, set_at) in rows {
            let span = span(since, status, due_at, set_at).ok_or_else(|| self.damaged())?;
            secrets.entry(item).or_default().push(span);
        }
        Ok(secrets)
    }
}

fn scan(columns: ScanColumns) -> Option<Scan> {
    let (as_of, tool, facets, complete, findings, measures, changes) = columns;
    Some(Scan {
        as_of: DateTime::from_timestamp_micros(as_of)?,
        tool,
        facets: facets.split(',').filter(|facet| !facet.is_empty()).map(str::to_owned).collect(),
        complete: complete != 0,
        findings: serde_json::from_str(&findings).ok()?,
        measures: serde_json::from_str(&measures).ok()?,
        changes: changes.map(|changes| serde_json::from_str(&changes)).transpose().ok()?,
    })
}

fn finding(columns: FindingColumns) -> Option<(String, FoundFinding)> {
    let (fingerprint, excepted, rule, severity, item, message) = columns;
    let severity = Severity::parse(&severity)?;
    let finding = FindingChange { rule, severity, item, message, fingerprint: fingerprint.clone() };
    Some((fingerprint, FoundFinding { finding, excepted: excepted != 0 }))
}

fn span(since: i64, status: Option<String>, due_at: Option<i64>, set_at: Option<i64>) -> Option<Span> {
    let known = |text: &str| ItemStatus::ALL.into_iter().find(|status| status.as_str() == text);
    let time = |micros: Option<i64>| micros.map_or(Some(None), |at| DateTime::from_timestamp_micros(at).map(Some));
    Some(Span {
        since: DateTime::from_timestamp_micros(since)?,
        status: match status {
            Some(text) => Some(known(&text)?),
            None => None,
        },
        due_at: time(due_at)?,
        set_at: time(set_at)?,
    })
}
