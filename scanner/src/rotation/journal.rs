//! The journal of rotations in the state database of a folder.

use std::path::Path;

use keytrail_rotation::executor::{due, stuck};
use keytrail_rotation::journal::Saved;
use keytrail_rotation::journal::sql::SqlJournal;
use keytrail_rules::model::UnfinishedRun;

use crate::config::Config;
use crate::error::Error;
use crate::state::{Mode, State, StateError, ledger_key, seal_key};

/// The journal of a folder, to be written; it is made where there is none.
///
/// # Errors
/// The state cannot be used; the key of the seal or of the ledger cannot be read or made.
pub async fn open_journal(config: &Config, root: &Path) -> Result<SqlJournal, Error> {
    let seal = seal_key(root, config.rotation.key_file.as_deref())?;
    Ok(State::journal(&config.state, root, seal, ledger_key(root)?).await?)
}

/// The runs that have not ended, oldest first. Makes no state, and needs no key.
///
/// # Errors
/// The state cannot be read.
pub async fn unfinished(config: &Config, root: &Path) -> Result<Vec<Saved>, Error> {
    let state = match State::open(&config.state, root, Mode::ReadOnly).await {
        // Whoever was killed while it closed the state left it so, and perhaps a run too.
        Err(StateError::Unrecovered(_)) => State::open(&config.state, root, Mode::ReadWrite).await?,
        opened => opened?,
    };
    let Some(state) = state else { return Ok(Vec::new()) };
    let runs = state.unfinished_rotations().await?;
    state.close().await?;
    Ok(runs)
}

/// A run as the rules see it.
pub fn unfinished_run(saved: &Saved) -> UnfinishedRun {
    UnfinishedRun {
        run: saved.job.run.clone(),
        items: saved.job.members.iter().map(|member| member.item.clone()).collect(),
        state: saved.state.to_string(),
        touched: saved.touched,
        due: due(saved),
        failure: stuck(saved).map(str::to_owned),
    }
}
