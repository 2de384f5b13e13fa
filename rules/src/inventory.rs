//! Merges what the sources say into items.
use serde::Serialize;
use std::fmt;
/// x
#[derive(Debug)]
pub struct Inventory {}
/// The id of an item: its key, with `@environment` where it has one; the place for an item that nothing names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct ItemId(pub String);
impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
