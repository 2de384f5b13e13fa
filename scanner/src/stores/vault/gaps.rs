//! What could not be read, folded so that a report stays readable.

use std::collections::BTreeMap;

use keytrail_rules::model::{Gap, GapReason, Place};

use super::connection::Failed;

/// From so many gaps of one kind on, one that counts them stands for all.
const MAX_ALIKE: usize = 20;

/// How many of them it names.
const NAMED: usize = 3;

/// A path that fell short.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Missed {
    pub(super) kind: Kind,
    /// The path, with its mount.
    pub(super) path: String,
}

/// Why paths fell short.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Kind {
    pub(super) reason: GapReason,
    /// A clause that the path ends: `the token may not list`.
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl Missed {
    /// A path that a policy denies. `what` is a clause that the path ends.
    pub(super) fn denied(what: &str, path: String, hint: &str) -> Self {
        let kind = Kind { reason: GapReason::PermissionDenied, what: what.into(), hint: Some(hint.into()) };
        Self { kind, path }
    }

    /// A path that says something unreadable. `what` is a clause that the path ends.
    pub(super) fn malformed(what: &str, path: String) -> Self {
        Self { kind: Kind { reason: GapReason::Malformed, what: what.into(), hint: None }, path }
    }

    /// A path whose request failed.
    pub(super) fn failed(failed: Failed, path: String) -> Self {
        let Failed { reason, what, hint, .. } = failed;
        Self { kind: Kind { reason, what: format!("{what}, when asked for"), hint }, path }
    }
}

/// The gaps of a store, in the order of their kinds and paths.
pub(super) fn gaps(store: &str, missed: Vec<Missed>) -> Vec<Gap> {
    let mut kinds: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for Missed { kind, path } in missed {
        kinds.entry(kind).or_default().push(path);
    }
    let mut gaps = Vec::new();
    for (kind, mut paths) in kinds {
        paths.sort();
        paths.dedup();
        if paths.len() > MAX_ALIKE {
            let named = paths[..NAMED].join(", ");
            let message = format!("{} {} paths: {named} and {} more", kind.what, paths.len(), paths.len() - NAMED);
            gaps.push(gap(store, &kind, message, common_folder(&paths)));
        } else {
            gaps.extend(paths.iter().map(|path| gap(store, &kind, format!("{} {path}", kind.what), path)));
        }
    }
    gaps
}

fn gap(store: &str, kind: &Kind, message: String, path: &str) -> Gap {
    let path = path.trim_end_matches('/');
    let place = (!path.is_empty()).then(|| Place::of_path(store, path));
    Gap { hint: kind.hint.clone(), place, ..Gap::new(store, kind.reason, message) }
}

/// The deepest folder that all of the sorted paths lie in; empty if there is none.
fn common_folder(paths: &[String]) -> &str {
    let (Some(first), Some(last)) = (paths.first(), paths.last()) else {
        return "";
    };
    let same = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    first.as_bytes()[..same].iter().rposition(|byte| *byte == b'/').map_or("", |end| &first[..end])
}

#[cfg(test)]
mod tests {
    use super::{Missed, gaps};

    #[test]
    fn many_gaps_of_a_kind_become_one() {
        let denied = |n: usize| Missed::denied("the token may not read", format!("secret/a/p{n:02}"), "grant it");
        let told = |count: usize| -> Vec<(String, Option<String>)> {
            let gaps = gaps("vault", (0..count).chain(0..count).map(denied).collect());
            gaps.into_iter().map(|gap| (gap.message, gap.place.map(|place| place.to_string()))).collect()
        };
        assert_eq!(told(20).len(), 20);
        assert_eq!(told(20)[0], ("the token may not read secret/a/p00".into(), Some("vault:secret/a/p00".into())));
        let folded = "the token may not read 21 paths: secret/a/p00, secret/a/p01, secret/a/p02 and 18 more";
        assert_eq!(told(21), [(folded.into(), Some("vault:secret/a".into()))]);
    }

    #[test]
    fn what_spans_mounts_has_no_place() {
        let paths = (0..30).map(|n| format!("{}/x{n}", if n % 2 == 0 { "kv" } else { "secret" }));
        let gaps = gaps("vault", paths.map(|path| Missed::malformed("odd is", path)).collect());
        assert_eq!((gaps.len(), gaps[0].place.as_ref()), (1, None));
    }
}
