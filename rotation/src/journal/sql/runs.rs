//! How far runs are, and what they keep.

use super::read;
use super::transaction::{Transaction, digest, failed};
use crate::credential::Credential;
use crate::failure::Failure;
use crate::job::Job;
use crate::journal::seal::Label;
use crate::journal::{Lease, Note, Which};
use crate::state::State;

impl Transaction<'_, '_> {
    /// See [`Journal::advance`](crate::journal::Journal::advance).
    pub(super) async fn advance(&mut self, lease: &Lease, run: &str, from: State, to: State) -> Result<(), Failure> {
        let found = self.check(lease, run).await?;
        expect_state(run, from, found)?;
        self.add_note(lease, run, &read::Written::Advance { from, to }).await?;
        self.set_state(run, to, false).await
    }

    /// See [`Journal::note`](crate::journal::Journal::note).
    pub(super) async fn note(&mut self, lease: &Lease, run: &str, note: &Note) -> Result<(), Failure> {
        let state = self.check(lease, run).await?;
        self.add_note(lease, run, &read::Written::of(note)).await?;
        self.set_state(run, state, false).await
    }

    /// See [`Journal::keep`](crate::journal::Journal::keep).
    pub(super) async fn keep(
        &mut self,
        lease: &Lease,
        run: &str,
        item: &str,
        which: Which,
        credential: &Credential,
    ) -> Result<(), Failure> {
        const KEEP: &str = "INSERT INTO keytrail_rotation_sealed (run, item_sha256, which, key_id, sealed) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run, item_sha256, which) \
             DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed";
        let state = self.check(lease, run).await?;
        let is_member = lease.items.iter().any(|leased| leased == item) && self.is_open(run, item).await?;
        if !is_member {
            return Err(Failure::not_done(format!("{item} is not part of run {run}")));
        }
        let key = &self.journal.key;
        let sealed = key.seal(Label { run, item, which }, credential)?;
        let keep = sqlx::query(KEEP).bind(run.to_owned()).bind(digest(item)).bind(which.as_str());
        let keep = keep.bind(key.id().to_owned()).bind(sealed);
        keep.execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
        self.set_state(run, state, false).await
    }

    async fn is_open(&mut self, run: &str, item: &str) -> Result<bool, Failure> {
        const SELECT: &str = "SELECT COUNT(*) FROM keytrail_rotation_open WHERE item_sha256 = $1 AND run = $2";
        let count = sqlx::query_scalar(SELECT).bind(digest(item)).bind(run.to_owned()).fetch_one(&mut *self.sql).await;
        count.map(|count: i64| count > 0).map_err(|error| failed(&error))
    }

    /// The state of a run that has not ended. Refuses who has not the lease of all its items.
    pub(super) async fn check(&mut self, lease: &Lease, run: &str) -> Result<State, Failure> {
        self.check_job(lease, run).await.map(|(_, state)| state)
    }

    /// The same, with its job.
    pub(super) async fn check_job(&mut self, lease: &Lease, run: &str) -> Result<(Job, State), Failure> {
        const JOB: &str = "SELECT job FROM keytrail_rotation_runs WHERE run = $1";
        // The job never changes: it says which leases are to be locked, before the run is.
        let job: Option<String> = sqlx::query_scalar(JOB)
            .bind(run.to_owned())
            .fetch_optional(&mut *self.sql)
            .await
            .map_err(|e| failed(&e))?;
        let job = read::job(&job.ok_or_else(|| Failure::not_done(format!("there is no run {run}")))?)?;
        let items: Vec<String> = job.members.iter().map(|member| member.item.clone()).collect();
        self.check_lease(lease, &items).await?;
        let select = self.locking("SELECT state, ended FROM keytrail_rotation_runs WHERE run = $1");
        let (state, ended): (String, i64) =
            sqlx::query_as(select).bind(run.to_owned()).fetch_one(&mut *self.sql).await.map_err(|e| failed(&e))?;
        if ended != 0 {
            return Err(Failure::conflict(format!("run {run} has ended as {state}")));
        }
        Ok((job, read::state(&state)?))
    }

    /// Writes down how far a run is, and when.
    pub(super) async fn set_state(&mut self, run: &str, state: State, has_ended: bool) -> Result<(), Failure> {
        const SET: &str = "UPDATE keytrail_rotation_runs SET state = $2, ended = $3, touched_at = $4 WHERE run = $1";
        let now = self.now().timestamp_micros();
        let set = sqlx::query(SET).bind(run.to_owned()).bind(state.as_str()).bind(i64::from(has_ended)).bind(now);
        set.execute(&mut *self.sql).await.map(drop).map_err(|error| failed(&error))
    }

    pub(super) async fn add_note(&mut self, lease: &Lease, run: &str, note: &read::Written) -> Result<(), Failure> {
        const ADD: &str = "INSERT INTO keytrail_rotation_notes (run, number, token, written_at, note) \
             SELECT CAST($1 AS TEXT), COALESCE(MAX(number), 0) + 1, CAST($2 AS BIGINT), CAST($3 AS BIGINT), \
             CAST($4 AS TEXT) FROM keytrail_rotation_notes WHERE run = $1";
        let now = self.now().timestamp_micros();
        let text = serde_json::to_string(note).map_err(|_| Failure::not_done("the note cannot be written as JSON"))?;
        let token = i64::try_from(lease.token).unwrap_or(i64::MAX);
        let add = sqlx::query(ADD).bind(run.to_owned()).bind(token).bind(now).bind(text);
        add.execute(&mut *self.sql).await.map(drop).map_err(|error| failed(&error))
    }
}

pub(super) fn expect_state(run: &str, expected: State, found: State) -> Result<(), Failure> {
    if expected == found {
        return Ok(());
    }
    let what = format!("run {run} is {}, not {}", found.as_str(), expected.as_str());
    Err(Failure::conflict(what).hint("somebody else went on with it"))
}
