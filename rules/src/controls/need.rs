//! What a rule looks at. That it found nothing says something only where that was there to see.

use crate::correlate::Verdict;
use crate::model::{Gap, Role};
use crate::report::{ItemStatus, Report};
use crate::value::Shape;

/// What a rule looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    /// The secrets of the inventory.
    Secrets,
    /// Their values, all of which were read.
    Values,
    /// Schemas.
    Schema,
    /// Manifests, compose files, workflows: what loads variables.
    Workloads,
    /// Manifests of Kubernetes.
    Manifests,
    /// The code that the config names.
    Code,
    /// Files of key material.
    KeyFiles,
    /// Secrets with a cadence.
    Cadences,
    /// Secrets with a cadence, whose ages are all known well enough.
    Ages,
    /// A search for leaks.
    Search,
    /// At least one trail.
    Trails,
    /// A ledger, a trail of a store and one of an application, none of which has a hole, for every change and every secret.
    Traces,
    /// Exceptions.
    Exceptions,
}

/// Whether what a rule looks at was there to see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sight {
    /// It was.
    Seen,
    /// What was searched for it has none.
    None,
    /// Nobody looked, or not everything could be seen.
    Blind,
}

impl Need {
    /// Whether it was there to see.
    pub(super) fn sight(self, report: &Report) -> Sight {
        let of_kinds = |kinds: &[&str]| report.scope.iter().any(|scope| kinds.contains(&scope.kind.as_str()));
        let there = |there: bool| if there { Sight::Seen } else { Sight::None };
        let seen = |seen: bool| if seen { Sight::Seen } else { Sight::Blind };
        match self {
            Self::Secrets => there(!report.items.is_empty()),
            Self::Schema => there(of_kinds(&["env-schema"])),
            Self::Workloads => {
                there(of_kinds(&["kubernetes-manifest", "compose", "github-workflow", "kubernetes", "github-actions"]))
            }
            Self::Manifests => there(of_kinds(&["kubernetes-manifest"])),
            Self::KeyFiles => there(of_kinds(&["key-file"])),
            Self::Exceptions => there(!report.exceptions.is_empty()),
            Self::Cadences => there(report.items.iter().any(|item| item.cadence.is_some())),
            Self::Values => values(report),
            Self::Ages => ages(report),
            Self::Code => seen(of_kinds(&["code"])),
            Self::Search => seen(report.searched.as_ref().is_some_and(|searched| {
                searched.values + searched.detectors > 0 && searched.files + searched.objects > 0
            })),
            Self::Trails => seen(!report.trails.is_empty()),
            Self::Traces => seen(has_all_traces(report)),
        }
    }

    /// Whether a gap may hide it. What a trail lacks hides traces and ages; every other gap may hide anything.
    pub(super) fn is_touched_by(self, gap: &Gap, report: &Report) -> bool {
        let of_a_trail = report.trails.iter().any(|trail| trail.name == gap.source);
        !of_a_trail || matches!(self, Self::Trails | Self::Traces | Self::Ages)
    }
}

fn values(report: &Report) -> Sight {
    all_seen(report.items.iter().flat_map(|item| &item.copies), |copy| copy.value != Shape::Unread)
}

fn ages(report: &Report) -> Sight {
    let with_cadence = report.items.iter().filter(|item| item.cadence.is_some());
    all_seen(with_cadence, |item| item.status != ItemStatus::UnknownAge)
}

fn all_seen<T: Copy>(things: impl Iterator<Item = T>, is_seen: impl Fn(T) -> bool) -> Sight {
    things.fold(Sight::None, |sight, thing| match sight {
        Sight::None | Sight::Seen if is_seen(thing) => Sight::Seen,
        _ => Sight::Blind,
    })
}

fn has_all_traces(report: &Report) -> bool {
    let holds = |role: Role| report.trails.iter().any(|trail| trail.role == role);
    let is_proven = |rule: &str| !matches!(rule, "unproven-rotation" | "trail-gap" | "trail-tampered");
    [Role::Ledger, Role::Store, Role::Application].into_iter().all(holds)
        && report.trails.iter().all(|trail| trail.holes.is_empty())
        && report.rotations.iter().all(|rotation| rotation.verdict != Verdict::Inconclusive)
        && report.findings.iter().all(|finding| is_proven(finding.rule))
}
