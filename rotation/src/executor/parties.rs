//! Who takes part in a job, opened.

use std::sync::Arc;

use crate::failure::Failure;
use crate::issuers::Issuer;
use crate::job::{Job, Origin, World};
use crate::probes::Probe;
use crate::store::Store;
use crate::workloads::Workload;

/// Who takes part, each in the order of the job.
pub(super) struct Parties {
    /// Of each member; none of derived ones.
    pub(super) issuers: Vec<Option<Box<dyn Issuer>>>,
    /// Of each write.
    pub(super) stores: Vec<Arc<dyn Store>>,
    /// Of each consumer.
    pub(super) workloads: Vec<Box<dyn Workload>>,
    pub(super) probes: Vec<Box<dyn Probe>>,
}

impl Parties {
    pub(super) fn open(world: &dyn World, job: &Job) -> Result<Self, Failure> {
        let issuer = |origin: &Origin| match origin {
            Origin::Issued { kind, settings } => world.issuer(kind, settings).map(Some),
            Origin::Derived { .. } => Ok(None),
        };
        Ok(Self {
            issuers: job.members.iter().map(|member| issuer(&member.origin)).collect::<Result<_, _>>()?,
            stores: job.writes.iter().map(|write| world.store(&write.store)).collect::<Result<_, _>>()?,
            workloads: job.consumers.iter().map(|one| world.workload(one)).collect::<Result<_, _>>()?,
            probes: job.probes.iter().map(|settings| world.probe(settings)).collect::<Result<_, _>>()?,
        })
    }

    /// The issuers, with the number of their member.
    pub(super) fn issued(&self) -> impl Iterator<Item = (usize, &dyn Issuer)> {
        self.issuers.iter().enumerate().filter_map(|(at, issuer)| Some((at, issuer.as_deref()?)))
    }
}
