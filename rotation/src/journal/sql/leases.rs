//! Who works on which items.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::DateTime;

use super::transaction::{Transaction, digest, failed, shown};
use crate::failure::Failure;
use crate::journal::Lease;

type Row = (String, i64, i64);

impl Transaction<'_, '_> {
    /// See [`Journal::take`](crate::journal::Journal::take).
    pub(super) async fn take(&mut self, items: &[String], holder: &str, time: Duration) -> Result<Lease, Failure> {
        const ADD: &str = "INSERT INTO keytrail_rotation_leases (item_sha256, item, holder, token, expires_at) \
             VALUES ($1, $2, '', 0, 0) ON CONFLICT (item_sha256) DO NOTHING";
        const TAKE: &str = "UPDATE keytrail_rotation_leases SET holder = $2, token = $3, expires_at = $4 \
             WHERE item_sha256 = $1";
        let sorted = sorted(items);
        for (key, item) in &sorted {
            let add = sqlx::query(ADD).bind(key.clone()).bind(shown(item));
            add.execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
        }
        let mut rows = Vec::with_capacity(sorted.len());
        for (key, item) in &sorted {
            rows.push((item, self.lease(key).await?));
        }
        // Read behind the locks, for which another may have been waited.
        let now = self.lease_clock().await?;
        for (item, row) in &rows {
            if let Some((holder, _, expires_at)) = row
                && *expires_at > now
            {
                let until = DateTime::from_timestamp_micros(*expires_at).map(|at| at.format("%FT%TZ").to_string());
                let until = until.unwrap_or_default();
                return Err(Failure::conflict(format!("{item} is being rotated by {holder}, at most until {until}"))
                    .hint("wait for it to end; what it leaves behind can be taken over then"));
            }
        }
        let token = self.count("token").await?;
        let expires_at = expiry(now, time);
        for (key, _) in &sorted {
            let take = sqlx::query(TAKE).bind(key.clone()).bind(shown(holder)).bind(token).bind(expires_at);
            take.execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
        }
        let token = u64::try_from(token).unwrap_or_default();
        Ok(Lease { items: items.to_vec(), holder: holder.to_owned(), token })
    }

    /// See [`Journal::renew`](crate::journal::Journal::renew).
    pub(super) async fn renew(&mut self, lease: &Lease, time: Duration) -> Result<(), Failure> {
        self.check_lease(lease, &lease.items).await?;
        let expires_at = expiry(self.lease_clock().await?, time);
        self.set_expiry(lease, expires_at).await
    }

    /// See [`Journal::release`](crate::journal::Journal::release). What another has taken over is his.
    pub(super) async fn release(&mut self, lease: &Lease) -> Result<(), Failure> {
        self.set_expiry(lease, 0).await
    }

    async fn set_expiry(&mut self, lease: &Lease, expires_at: i64) -> Result<(), Failure> {
        const SET: &str = "UPDATE keytrail_rotation_leases SET expires_at = $3 WHERE item_sha256 = $1 AND token = $2";
        for (key, _) in sorted(&lease.items) {
            let set = sqlx::query(SET).bind(key).bind(token(lease)).bind(expires_at);
            set.execute(&mut *self.sql).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Refuses who has lost the lease of one of these items, or never had it; they stay locked until the transaction ends.
    pub(super) async fn check_lease(&mut self, lease: &Lease, items: &[String]) -> Result<(), Failure> {
        for (key, item) in sorted(items) {
            let is_in = lease.items.iter().any(|leased| leased == item);
            match self.lease(&key).await?.filter(|_| is_in) {
                Some((_, found, _)) if found == token(lease) => {}
                Some((holder, ..)) => {
                    return Err(Failure::conflict(format!("the lease on {item} was lost to {holder}"))
                        .hint("stop here: whoever has it now goes on with the run"));
                }
                None => return Err(Failure::conflict(format!("there is no lease on {item}"))),
            }
        }
        Ok(())
    }

    async fn lease(&mut self, key: &str) -> Result<Option<Row>, Failure> {
        let select =
            self.locking("SELECT holder, token, expires_at FROM keytrail_rotation_leases WHERE item_sha256 = $1");
        let row = sqlx::query_as(select).bind(key.to_owned()).fetch_optional(&mut *self.sql).await;
        row.map_err(|error| failed(&error))
    }

    /// Counts a counter up, which stays locked until the transaction ends.
    pub(super) async fn count(&mut self, name: &'static str) -> Result<i64, Failure> {
        const COUNT: &str = "UPDATE keytrail_rotation_counters SET value = value + 1 WHERE name = $1 RETURNING value";
        let count = sqlx::query_scalar(COUNT).bind(name).fetch_one(&mut *self.sql).await;
        count.map_err(|error| failed(&error))
    }
}

/// The items with what stands for them in keys, each once, in the order in which everybody locks them.
fn sorted(items: &[String]) -> BTreeSet<(String, &String)> {
    items.iter().map(|item| (digest(item), item)).collect()
}

fn token(lease: &Lease) -> i64 {
    i64::try_from(lease.token).unwrap_or(i64::MAX)
}

fn expiry(now: i64, time: Duration) -> i64 {
    now.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}
