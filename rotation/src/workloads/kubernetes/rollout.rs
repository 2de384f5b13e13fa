//! How far a rollout is, from the object alone. The rules are those of `kubectl rollout status`
//! (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status>).

use kube::api::DynamicObject;
use serde_json::Value;

use super::super::Progress;

/// A kind of workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    CronJob,
    Job,
    Pod,
    ReplicaSet,
}

impl Kind {
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "deployment" => Self::Deployment,
            "statefulset" => Self::StatefulSet,
            "daemonset" => Self::DaemonSet,
            "cronjob" => Self::CronJob,
            "job" => Self::Job,
            "pod" => Self::Pod,
            "replicaset" => Self::ReplicaSet,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::CronJob => "cronjob",
            Self::Job => "job",
            Self::Pod => "pod",
            Self::ReplicaSet => "replicaset",
        }
    }

    /// Group, kind and plural.
    pub(super) fn resource(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Deployment => ("apps", "Deployment", "deployments"),
            Self::StatefulSet => ("apps", "StatefulSet", "statefulsets"),
            Self::DaemonSet => ("apps", "DaemonSet", "daemonsets"),
            Self::CronJob => ("batch", "CronJob", "cronjobs"),
            Self::Job => ("batch", "Job", "jobs"),
            Self::Pod => ("", "Pod", "pods"),
            Self::ReplicaSet => ("apps", "ReplicaSet", "replicasets"),
        }
    }

    /// Why none of this kind can be made to load anything.
    pub(super) fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Job => Some("a Job that has started keeps what it has: start a new one by hand"),
            Self::Pod => Some("nothing replaces a bare Pod: make it anew by hand, or use a Deployment"),
            Self::ReplicaSet => Some("a ReplicaSet does not roll out: name the Deployment that owns it"),
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::CronJob => None,
        }
    }

    /// Why it is not the time to start a rollout.
    pub(super) fn unsettled(self, object: &DynamicObject) -> Option<String> {
        if self == Self::CronJob {
            return None;
        }
        match self.progress(object) {
            Progress::Done => None,
            Progress::Waiting(why) => Some(format!("in the middle of a rollout: {why}")),
            Progress::Failed(why) => Some(why),
        }
    }

    /// How far the rollout of what the object is now is.
    pub(super) fn progress(self, object: &DynamicObject) -> Progress {
        let (spec, status) = (&object.data["spec"], &object.data["status"]);
        if let Some(why) = self.never(spec) {
            return Progress::Failed(why.to_owned());
        }
        // What the status says of an earlier rollout does not count.
        if count(&status["observedGeneration"]) < object.metadata.generation.unwrap_or_default() {
            return Progress::Waiting("its controller has not seen the change".to_owned());
        }
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let mut reasons = conditions.filter(|each| each["type"] == "Progressing").map(|each| &each["reason"]);
        if self == Self::Deployment && reasons.any(|reason| reason == "ProgressDeadlineExceeded") {
            return Progress::Failed("its rollout makes no progress (ProgressDeadlineExceeded)".to_owned());
        }
        match self.awaited(spec, status) {
            Some(why) => Progress::Waiting(why),
            None => Progress::Done,
        }
    }

    /// Why no rollout ever ends.
    fn never(self, spec: &Value) -> Option<&'static str> {
        let strategy = &spec["updateStrategy"];
        match self {
            Self::Deployment if spec["paused"] == true => Some("its rollout is paused: resume it first"),
            Self::StatefulSet | Self::DaemonSet if strategy["type"] == "OnDelete" => {
                Some("its update strategy is OnDelete: pods are replaced only when somebody deletes them")
            }
            Self::StatefulSet if count(&strategy["rollingUpdate"]["partition"]) > 0 => {
                Some("its update strategy has a partition: some pods stay as they are")
            }
            _ => None,
        }
    }

    /// What the rollout waits for.
    fn awaited(self, spec: &Value, status: &Value) -> Option<String> {
        let wanted = match self {
            Self::DaemonSet => count(&status["desiredNumberScheduled"]),
            _ => spec["replicas"].as_i64().unwrap_or(1),
        };
        let updated = match self {
            Self::DaemonSet => count(&status["updatedNumberScheduled"]),
            _ => count(&status["updatedReplicas"]),
        };
        let available = match self {
            Self::DaemonSet => count(&status["numberAvailable"]),
            // `availableReplicas` came with 1.22.
            Self::StatefulSet => count(&status["readyReplicas"]),
            _ => count(&status["availableReplicas"]),
        };
        let all = count(&status["replicas"]);
        if updated < wanted {
            return Some(format!("{updated} of {wanted} pods are new"));
        }
        if self == Self::Deployment && all > updated {
            return Some(format!("{} old pods are left", all - updated));
        }
        // Told by newer clusters alone: pods that are ending still use what they loaded.
        let ending = count(&status["terminatingReplicas"]);
        if ending > 0 {
            return Some(format!("{ending} old pods are ending"));
        }
        if self == Self::StatefulSet && status["currentRevision"] != status["updateRevision"] {
            return Some("old pods are left".to_owned());
        }
        (available < wanted.max(updated)).then(|| format!("{available} of {wanted} new pods are available"))
    }
}

fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// The runs of a CronJob that have not ended, by their uids.
pub(super) fn active_runs(object: &DynamicObject) -> Vec<String> {
    let active = object.data["status"]["active"].as_array().into_iter().flatten();
    active.filter_map(|run| run["uid"].as_str()).map(str::to_owned).collect()
}
