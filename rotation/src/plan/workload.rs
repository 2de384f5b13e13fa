//! What makes a workload load a new value.

use super::command::{Builder, Command};

/// What makes a workload load a new value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loading {
    /// A rolling restart, to be waited for.
    Rollout,
    /// New containers: a restart keeps the environment of the old ones.
    Recreate,
    /// Its next run, which comes by itself.
    NextRun,
    /// A new run: one that has started keeps what it has.
    NewRun,
    /// New pods, by hand: no controller rolls them out.
    NewPods,
    /// A restart of whatever kind.
    Restart,
}

/// What makes a consumer, as the report names it, load a new value; and the commands for it.
pub(super) fn load(consumer: &str) -> (Loading, Vec<Command>) {
    match consumer.split_once(':') {
        Some(("kubernetes", path)) => of_kubernetes(path),
        Some(("compose", path)) => of_compose(path),
        Some(("github", _)) => (Loading::NextRun, Vec::new()),
        _ => (Loading::Restart, Vec::new()),
    }
}

/// `shop/deployment/api`: namespace, kind, name.
fn of_kubernetes(path: &str) -> (Loading, Vec<Command>) {
    let parts: Vec<&str> = path.split('/').collect();
    let &[namespace, kind, name] = parts.as_slice() else {
        return (Loading::Restart, Vec::new());
    };
    match kind.to_lowercase().as_str() {
        kind @ ("deployment" | "statefulset" | "daemonset") => {
            let rollout = |verb: &str| {
                let command = Builder::new(&["kubectl", "-n"]).name(namespace).word("rollout").word(verb);
                // A name that is empty or an option would make another word of it.
                let is_name = !name.is_empty() && !name.starts_with('-');
                command.name(&format!("{kind}/{name}")).build(None).filter(|_| is_name)
            };
            (Loading::Rollout, ["restart", "status"].into_iter().filter_map(rollout).collect())
        }
        "cronjob" => (Loading::NextRun, Vec::new()),
        "job" => (Loading::NewRun, Vec::new()),
        "pod" | "replicaset" => (Loading::NewPods, Vec::new()),
        _ => (Loading::Restart, Vec::new()),
    }
}

/// `deploy/compose.yaml/api`: file and service. A file alone stands for what its services share.
fn of_compose(path: &str) -> (Loading, Vec<Command>) {
    let recreate = |(project, service): (Project<'_>, &str)| {
        let compose = Builder::new(&["docker", "compose"]);
        let compose = match project {
            Project::Here => compose,
            Project::Folder(folder) => compose.word("--project-directory").name(folder),
            Project::File(file) => compose.word("-f").name(file),
        };
        compose.word("up").word("-d").word("--no-deps").word("--force-recreate").name(service).build(None)
    };
    (Loading::Recreate, compose_service(path).and_then(recreate).into_iter().collect())
}

/// How `docker compose` is told the project. Where the file has a name that it looks for, that is left to it: it then
/// finds the override file beside it too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Project<'a> {
    /// By the folder that it is started in.
    Here,
    /// By `--project-directory`.
    Folder(&'a str),
    /// By `-f`.
    File(&'a str),
}

/// The project and the service of `deploy/compose.yaml/api` or `api`; `None` of a file alone.
pub(crate) fn compose_service(path: &str) -> Option<(Project<'_>, &str)> {
    let is_file = |path: &str| path.ends_with(".yaml") || path.ends_with(".yml");
    match path.rsplit_once('/') {
        Some((file, service)) if is_file(file) => Some((project(file), service)),
        None if !is_file(path) => Some((Project::Here, path)),
        _ => None,
    }
}

fn project(file: &str) -> Project<'_> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let is_usual = matches!(stem.strip_suffix(".override").unwrap_or(stem), "compose" | "docker-compose");
    match (is_usual, folder) {
        (true, "") => Project::Here,
        (true, folder) => Project::Folder(folder),
        (false, _) => Project::File(file),
    }
}
