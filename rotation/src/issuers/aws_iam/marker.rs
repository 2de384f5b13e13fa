//! The tag that tells what a run may have made.

use std::time::Duration;

use chrono::Utc;

use super::keys::Key;

/// The name of the tag.
pub(super) const TAG: &str = "keytrail:run";
/// The clocks of AWS and of this machine may be so far apart, in seconds.
const SKEW: i64 = 300;

/// What was there when a run was about to make a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Marker {
    /// The run.
    pub(super) run: String,
    /// When, in seconds since 1970.
    at: i64,
    /// The keys that were there.
    keys: Vec<String>,
}

impl Marker {
    pub(super) fn new(run: &str, keys: impl Iterator<Item = String>) -> Self {
        Self { run: run.to_owned(), at: Utc::now().timestamp(), keys: keys.collect() }
    }

    /// The value of the tag. AWS takes letters, digits and `_.:/=+-@`, 256 at most.
    pub(super) fn text(&self) -> String {
        format!("{}:{}:{}", self.run, self.at, self.keys.join("+"))
    }

    /// Reads the value of the tag.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (run, at, keys) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let keys = keys.split('+').filter(|key| !key.is_empty()).map(str::to_owned).collect();
        Some(Self { run: run.to_owned(), at, keys })
    }

    /// Whether a key may be what the call made that came after this, and took no longer than `limit`.
    pub(super) fn may_have_made(&self, key: &Key, limit: Duration) -> bool {
        let limit = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        let end = self.at.saturating_add(limit).saturating_add(SKEW);
        !self.keys.contains(&key.id) && (self.at - SKEW..=end).contains(&key.created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, created: i64) -> Key {
        Key { id: id.into(), active: true, created }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        for keys in [vec![], vec!["A".to_owned()], vec!["A".to_owned(), "B".to_owned()]] {
            let marker = Marker::new("kt-1", keys.into_iter());
            assert_eq!(Marker::parse(&marker.text()), Some(marker));
        }
        assert_eq!([Marker::parse("kt-1"), Marker::parse("kt-1:x:A"), Marker::parse("")], [None, None, None]);
    }

    #[test]
    fn only_what_came_with_the_call_may_be_its() {
        let marker = Marker { run: "kt-1".into(), at: 10_000, keys: vec!["A".into()] };
        let limit = Duration::from_secs(30);
        let made = |id, created| marker.may_have_made(&key(id, created), limit);
        assert!(made("B", 10_000) && made("B", 9_700) && made("B", 10_330));
        assert!(!made("A", 10_000) && !made("B", 9_699) && !made("B", 10_331));
    }
}
