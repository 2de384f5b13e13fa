//! Which jobs may be carried out side by side.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::unionfind::UnionFind;

use super::Job;

/// The jobs in lanes: those of one lane, in their order, one after the other; the lanes side by side. Jobs that write one
/// path, or restart one consumer, are in one lane: each would find that the other has changed it. What an earlier job
/// of the lane writes is at another version than the scan saw, so that a later one does not expect that.
pub fn lanes(mut jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let mut union = UnionFind::new(jobs.len());
    let mut users: BTreeMap<String, usize> = BTreeMap::new();
    let mut written = BTreeSet::new();
    for (at, job) in jobs.iter_mut().enumerate() {
        for write in &mut job.writes {
            if !written.insert(write.name()) {
                write.seen = None;
            }
        }
        let names = job.writes.iter().map(super::Write::name).chain(job.consumers.iter().map(|one| one.name.clone()));
        for name in names {
            let first = *users.entry(name).or_insert(at);
            union.union(first, at);
        }
    }
    let mut lanes: BTreeMap<usize, Vec<Job>> = BTreeMap::new();
    let mut order = Vec::new();
    for (at, job) in jobs.into_iter().enumerate() {
        let lane = union.find(at);
        if !lanes.contains_key(&lane) {
            order.push(lane);
        }
        lanes.entry(lane).or_default().push(job);
    }
    order.into_iter().filter_map(|lane| lanes.remove(&lane)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Job, lanes};

    fn job(run: &str, paths: &[&str], consumers: &[&str]) -> Job {
        let writes = paths.iter().map(|path| json!({ "store": "vault", "path": path, "cells": [], "seen": 3 }));
        let consumers = consumers.iter().map(|name| json!({ "name": name, "kind": "k", "place": "", "settings": {} }));
        serde_json::from_value(json!({
            "run": run, "mode": "orderly", "members": [], "writes": writes.collect::<Vec<_>>(),
            "consumers": consumers.collect::<Vec<_>>(), "probes": [], "grace": 0,
            "request": { "at": "2026-06-01T08:00:00Z", "by": "ada", "approver": null, "reason": "due" },
        }))
        .unwrap()
    }

    #[test]
    fn what_shares_a_path_or_a_consumer_goes_one_after_the_other() {
        let jobs = vec![
            job("a", &["x"], &[]),
            job("b", &["y"], &["api"]),
            job("c", &["z"], &[]),
            job("d", &["x", "w"], &["api"]),
            job("e", &["w"], &[]),
        ];
        let lanes = lanes(jobs);
        let runs: Vec<Vec<&str>> = lanes.iter().map(|lane| lane.iter().map(|job| job.run.as_str()).collect()).collect();
        assert_eq!(runs, [vec!["a", "b", "d", "e"], vec!["c"]]);
        let seen: Vec<_> = lanes[0].iter().flat_map(|job| job.writes.iter().map(|write| write.seen)).collect();
        assert_eq!(seen, [Some(3), Some(3), None, Some(3), None]);
    }
}
