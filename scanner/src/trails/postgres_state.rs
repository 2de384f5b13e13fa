//! The roles of a running PostgreSQL server: when each was last changed, whatever its logs say of it.
//!
//! `pg_authid.xmin` is the transaction that last wrote a role, and with `track_commit_timestamp = on` the server knows when
//! that was: for `ALTER ROLE` inside of `DO` too, which no log shows. `CONNECTION LIMIT` and the like write the role as
//! well, so that a keyed hash of the stored verifier goes with it: where it is the same, so is the password. The verifier
//! itself is not kept. Sources: <https://www.postgresql.org/docs/current/catalog-pg-authid.html>,
//! <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-COMMIT-TIMESTAMP>.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use keytrail_rules::model::{
    Entry, EventKind, FingerprintKey, Gap, GapReason, Place, Raw, Role, Secret, Time, ValueMark,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::database::Database;
use super::{Draft, Opening, Reads, TrailKind};

/// `postgres-state`.
pub static KIND: TrailKind = TrailKind {
    name: "postgres-state",
    role: Role::Store,
    delay: TimeDelta::zero(),
    watches: &["postgres:role/"],
    requires: &["url"],
    reads: Reads::Server(read),
};

const ABILITIES: &str = "SELECT current_setting('track_commit_timestamp') = 'on', \
     has_table_privilege('pg_catalog.pg_authid', 'SELECT')";

const ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles ORDER BY 1 LIMIT 100000";

/// Times are microseconds since 1970; `VALID UNTIL 'infinity'` is none.
const STATES: &str = "SELECT rolname::text, rolpassword, \
     (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint, \
     CASE WHEN isfinite(rolvaliduntil) THEN (extract(epoch FROM rolvaliduntil) * 1000000)::bigint END \
     FROM pg_catalog.pg_authid WHERE rolname::text = ANY($1) ORDER BY 1";

/// Name, verifier, last change, end of its validity.
type Row = (String, Option<String>, Option<i64>, Option<i64>);

fn read<'a>(opening: &'a Opening<'a>) -> BoxFuture<'a, (Vec<Entry>, Vec<Gap>)> {
    async move {
        match states(opening).await {
            Ok((database, rows)) => entries(opening, &database.name, rows),
            Err(gap) => (Vec::new(), vec![gap]),
        }
    }
    .boxed()
}

/// Asks for the roles that the inventory knows.
async fn states(opening: &Opening<'_>) -> Result<(Database, Vec<Row>), Gap> {
    let database = Database::of(opening.config)?;
    let rows = database.within(ask(opening, &database)).await?;
    Ok((database, rows))
}

async fn ask(opening: &Opening<'_>, database: &Database) -> Result<Vec<Row>, Gap> {
    let mut connection = database.read_only().await?;
    let failed = |error: sqlx::Error| database.error(&error);
    let roles: Vec<String> = sqlx::query_scalar(ROLES).fetch_all(&mut connection).await.map_err(failed)?;
    let known: Vec<String> = roles.into_iter().filter(|role| opening.names.may_be(&place(opening, role))).collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let (tracked, allowed): (bool, bool) =
        sqlx::query_as(ABILITIES).fetch_one(&mut connection).await.map_err(failed)?;
    let gap = |reason, message, hint: &str| Err(Gap::new(&opening.config.name, reason, message).hint(hint));
    if !allowed {
        let message = format!("{} does not let pg_authid be read", database.name);
        return gap(GapReason::PermissionDenied, message, "connect as a superuser, or GRANT SELECT ON pg_authid");
    }
    if !tracked {
        let message = format!("{} does not keep when roles were changed", database.name);
        return gap(GapReason::Unsupported, message, "set track_commit_timestamp = on, and restart the server");
    }
    sqlx::query_as(STATES).bind(known).fetch_all(&mut connection).await.map_err(failed)
}

fn place(opening: &Opening<'_>, role: &str) -> Place {
    Place::of_path(opening.config.store.as_deref().unwrap_or("postgres"), &format!("role/{role}"))
}

/// One event for each role. As bytes of the trail, a role is one line of JSON, which shows a mark for the verifier.
fn entries(opening: &Opening<'_>, source: &str, rows: Vec<Row>) -> (Vec<Entry>, Vec<Gap>) {
    let config = opening.config;
    let source: Arc<str> = format!("pg_authid of {source}").into();
    let (mut entries, mut gaps, mut offset, mut forgotten) = (Vec::new(), Vec::new(), 0, 0_usize);
    let records = rows.len() as u64;
    for (line, (role, verifier, changed, until)) in (1..).zip(rows) {
        let value = verifier.map(|verifier| mark(opening.key, &config.name, verifier));
        let Some(changed) = changed.and_then(Time::from_timestamp_micros) else {
            forgotten += 1;
            continue;
        };
        let until = until.and_then(Time::from_timestamp_micros).map(|time| time.to_rfc3339());
        let mark = value.as_ref().map(|value| value.mark.to_string());
        let text =
            json!({"role": role, "changed": changed.to_rfc3339(), "valid_until": until, "verifier": mark}).to_string();
        let raw = Raw {
            source: source.clone(),
            offset,
            length: text.len() as u64,
            line,
            sha256: Sha256::digest(&text).into(),
        };
        offset += text.len() as u64 + 1;
        let id = format!("{role}/{}/{}", changed.timestamp_micros(), mark.unwrap_or_default());
        let mut draft = Draft::new(EventKind::State, place(opening, &role), changed, id);
        draft.value = value;
        draft.details.extend(until.map(|time| ("valid-until", time)));
        entries.push(opening.event(draft, raw));
    }
    entries.push(Entry::Progress { records, time: opening.as_of });
    if forgotten > 0 {
        let message = format!("{source} no longer shows when {forgotten} roles were changed");
        let hint = "they were last changed before track_commit_timestamp was on; it is known from their next change on";
        gaps.push(Gap::new(&config.name, GapReason::Unsupported, message).hint(hint));
    }
    (entries, gaps)
}

/// A mark of a verifier: a fingerprint under Keytrail's key, which is no fingerprint of any value.
fn mark(key: &FingerprintKey, trail: &str, verifier: String) -> ValueMark {
    let verifier = Secret::new(verifier);
    let named = Secret::new(format!("postgres-state\0{trail}\0{}", verifier.expose()));
    ValueMark {
        scope: format!("postgres-state:{trail}:{}", key.id()).into(),
        mark: key.fingerprint(&named).as_str().into(),
        known: None,
    }
}
