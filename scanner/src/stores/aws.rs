//! What the stores of Amazon Web Services have in common.

pub(super) mod content;

use keytrail_rotation::aws::Access;
use keytrail_rotation::failure::{Failure, Outcome};
use keytrail_rules::model::{Facts, Gap, GapReason};

use crate::config::StoreConfig;

/// Where and as whom a store is asked: at its `address` instead of AWS's, else as the AWS CLI would.
pub(super) fn access(config: &StoreConfig) -> Access {
    Access { endpoint: config.address.clone(), ..Access::default() }
}

/// Obstacles out of a failure to look: a refusal is one, and anything else is not known.
pub(super) fn told(failed: Failure) -> Result<Vec<String>, Failure> {
    let Failure { outcome: Outcome::NotDone, what, hint } = failed else { return Err(failed) };
    Ok(vec![hint.map_or(what.clone(), |hint| format!("{what}: {hint}"))])
}

/// The facts of a store of which only the declared copies are known.
pub(super) fn not_read(config: &StoreConfig) -> Facts {
    let message = "what the store holds is not read: only the copies that [[secret]] names are known";
    let gap = Gap::new(&config.name, GapReason::Unsupported, message);
    Facts { gaps: vec![gap.hint("name every place of it in `copies`")], ..Facts::default() }
}
