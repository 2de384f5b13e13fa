//! Which commits were searched for leaks, so that the next search need only look at what is new.

use futures::FutureExt;
use keytrail_rules::model::Time;
use sha2::{Digest, Sha256};
use sqlx::Connection;

use super::{Database, Mode, State, StateError, within};

/// What was searched, and with what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SearchId {
    repository: String,
    search: String,
}

impl SearchId {
    /// A repository by its path or its remote, and everything that a search's outcome hangs on.
    pub fn new(repository: &str, search: &str) -> Self {
        Self { repository: digest(repository), search: digest(search) }
    }
}

impl State {
    /// The commits that were searched completely, with all that leads to them.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn searched(&self, id: &SearchId) -> Result<Vec<String>, StateError> {
        const SELECT: &str =
            "SELECT commit_id FROM keytrail_searched WHERE repository_sha256 = $1 AND search_sha256 = $2 ORDER BY 1";
        let rows: Vec<(String,)> = within(
            &self.database,
            self.limits,
            async {
                let mut connection = self.connection.lock().await;
                let query = sqlx::query_as(SELECT).bind(id.repository.clone()).bind(id.search.clone());
                query.fetch_all(&mut *connection).await.map_err(|error| self.database.error(&error))
            }
            .boxed(),
        )
        .await?;
        Ok(rows.into_iter().map(|(commit,)| commit).collect())
    }

    /// Replaces the commits that were searched, in one transaction.
    ///
    /// # Errors
    /// A database that cannot be written; then nothing changes.
    pub async fn record_searched(&self, id: &SearchId, commits: &[String], at: Time) -> Result<(), StateError> {
        const DELETE: &str = "DELETE FROM keytrail_searched WHERE repository_sha256 = $1 AND search_sha256 = $2";
        const INSERT: &str = "INSERT INTO keytrail_searched (repository_sha256, search_sha256, commit_id, searched_at) \
                              VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        if self.mode == Mode::ReadOnly {
            return Err(StateError::ReadOnly(self.database.name()));
        }
        within(
            &self.database,
            self.limits,
            async {
                let failed = |error: sqlx::Error| self.database.error(&error);
                let mut connection = self.connection.lock().await;
                let begin = match self.database {
                    Database::Sqlite(_) => connection.begin_with("BEGIN IMMEDIATE").await,
                    Database::Postgres(_) => connection.begin().await,
                };
                let mut transaction = begin.map_err(failed)?;
                let delete = sqlx::query(DELETE).bind(id.repository.clone()).bind(id.search.clone());
                delete.execute(&mut *transaction).await.map_err(failed)?;
                for commit in commits {
                    let insert = sqlx::query(INSERT).bind(id.repository.clone()).bind(id.search.clone());
                    let insert = insert.bind(commit.clone()).bind(at.timestamp_micros());
                    insert.execute(&mut *transaction).await.map_err(failed)?;
                }
                transaction.commit().await.map_err(failed)
            }
            .boxed(),
        )
        .await
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use keytrail_rules::model::Time;

    use crate::config::StateConfig;
    use crate::state::{Mode, SearchId, State};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_commits_of_a_search_are_those_of_its_last_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = StateConfig::default();
        let open = || State::open(&config, folder.path(), Mode::ReadWrite);
        let state = open().await.expect("a state").expect("one that is there");
        let (one, other) = (SearchId::new("repository", "detectors 1"), SearchId::new("repository", "detectors 2"));
        assert!(state.searched(&one).await.expect("rows").is_empty());
        let record = |commits: &'static [&'static str]| commits.iter().map(ToString::to_string).collect::<Vec<_>>();
        state.record_searched(&one, &record(&["a", "b"]), Time::UNIX_EPOCH).await.expect("a record");
        state.record_searched(&one, &record(&["c", "b", "b"]), Time::UNIX_EPOCH).await.expect("a record");
        drop(state);
        let state = open().await.expect("a state").expect("one that is there");
        assert_eq!(state.searched(&one).await.expect("rows"), ["b", "c"]);
        assert!(state.searched(&other).await.expect("rows").is_empty());
    }
}
