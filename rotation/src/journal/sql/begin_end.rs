//! The first and the last call of a run, which write to the ledger.

use super::read;
use super::runs::expect_state;
use super::transaction::{Transaction, digest, failed, other_key, shown};
use crate::failure::Failure;
use crate::job::Job;
use crate::journal::seal::Label;
use crate::journal::{Lease, Which};
use crate::ledger::Row;
use crate::state::State;

impl Transaction<'_, '_> {
    /// See [`Journal::begin`](crate::journal::Journal::begin).
    pub(super) async fn begin_run(&mut self, lease: &Lease, job: &Job, row: &Row) -> Result<(), Failure> {
        const OPEN: &str = "INSERT INTO keytrail_rotation_open (item_sha256, run) VALUES ($1, $2) \
             ON CONFLICT (item_sha256) DO NOTHING";
        const WHO: &str = "SELECT run FROM keytrail_rotation_open WHERE item_sha256 = $1";
        const ADD: &str = "INSERT INTO keytrail_rotation_runs (run, job, state, ended, begun_at, touched_at) \
             VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT (run) DO NOTHING";
        if row.run != job.run || row.status.is_last() {
            return Err(Failure::not_done("the first row of a run is its request"));
        }
        let is_name = |c: char| !c.is_control() && !c.is_whitespace();
        if job.run.is_empty() || job.run.len() > 200 || !job.run.chars().all(is_name) {
            return Err(Failure::not_done("the name of the run is none"));
        }
        let items: Vec<String> = job.members.iter().map(|member| member.item.clone()).collect();
        if items.is_empty() {
            return Err(Failure::not_done("a job has one member or more"));
        }
        self.check_lease(lease, &items).await?;
        for item in &items {
            let key = digest(item);
            let open = sqlx::query(OPEN).bind(key.clone()).bind(job.run.clone());
            let open = open.execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
            if open.rows_affected() == 0 {
                let run: String =
                    sqlx::query_scalar(WHO).bind(key).fetch_one(&mut *self.sql).await.map_err(|e| failed(&e))?;
                return Err(Failure::conflict(format!("{item} is part of run {run}, which has not ended"))
                    .hint("resume that run, or roll it back"));
            }
        }
        let text = serde_json::to_string(job).map_err(|_| Failure::not_done("the job cannot be written as JSON"))?;
        let now = self.now().timestamp_micros();
        let add = sqlx::query(ADD).bind(job.run.clone()).bind(text).bind(State::Planned.as_str()).bind(now);
        let added = add.execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
        if added.rows_affected() == 0 {
            return Err(Failure::conflict(format!("there is a run {} already", shown(&job.run))));
        }
        self.add_row(row).await
    }

    /// See [`Journal::finish`](crate::journal::Journal::finish).
    pub(super) async fn finish_run(
        &mut self,
        lease: &Lease,
        run: &str,
        from: State,
        to: State,
        row: &Row,
    ) -> Result<(), Failure> {
        const WIPE: [&str; 2] = [
            "DELETE FROM keytrail_rotation_sealed WHERE run = $1",
            "DELETE FROM keytrail_rotation_open WHERE run = $1",
        ];
        if row.run != run || !row.status.is_last() {
            return Err(Failure::not_done("the last row of a run says how it ended"));
        }
        let (job, found) = self.check_job(lease, run).await?;
        expect_state(run, from, found)?;
        for member in &job.members {
            for which in [Which::Old, Which::New] {
                self.keep_fingerprint(run, &member.item, which).await?;
            }
        }
        self.add_note(lease, run, &read::Written::Advance { from, to }).await?;
        self.set_state(run, to, true).await?;
        for wipe in WIPE {
            sqlx::query(wipe).bind(run.to_owned()).execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
        }
        self.add_row(row).await?;
        self.add_checkpoint().await
    }

    /// Keeps the fingerprint of a value that is about to be wiped.
    async fn keep_fingerprint(&mut self, run: &str, item: &str, which: Which) -> Result<(), Failure> {
        const ADD: &str = "INSERT INTO keytrail_rotation_fingerprints (item_sha256, key_id, fingerprint, run) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (item_sha256, key_id, fingerprint) DO NOTHING";
        let key = &self.journal.key;
        let Some((id, sealed)) = read::sealed(&mut self.sql, run, item, which).await? else {
            return Ok(());
        };
        if id != key.id() {
            return Err(other_key(run));
        }
        let credential = key.open(Label { run, item, which }, &sealed)?;
        let Some(value) = credential.value() else {
            return Ok(());
        };
        let add = sqlx::query(ADD).bind(digest(item)).bind(key.id().to_owned());
        let add = add.bind(key.fingerprint(item, value)).bind(run.to_owned());
        add.execute(&mut *self.sql).await.map(drop).map_err(|error| failed(&error))
    }
}
