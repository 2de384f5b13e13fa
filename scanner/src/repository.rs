//! Which repository the scanned folder lies in, for formats whose paths are relative to it.

use std::path::{Component, Path};

use keytrail_reporters::Repository;

/// Path of `folder` inside its git repository, with `/` between its parts; empty at the top, and outside of any.
pub fn prefix(folder: &Path) -> String {
    let Ok(folder) = folder.canonicalize() else {
        return String::new();
    };
    // A worktree and a submodule have a file there.
    let top = folder.ancestors().find(|above| above.join(".git").exists());
    let below = top.and_then(|top| folder.strip_prefix(top).ok()).unwrap_or(Path::new(""));
    let parts = below.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What a folder is called: the name of its repository's folder, and its path in there; its own name outside of any.
pub fn name(folder: &Path) -> String {
    let Ok(folder) = folder.canonicalize() else {
        return String::new();
    };
    let below = prefix(&folder);
    let top = folder.ancestors().nth(Path::new(&below).components().count());
    let top = top.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if below.is_empty() { top } else { format!("{top}/{below}") }
}

/// The repository that a GitHub workflow runs for, by the variables that every runner sets
/// (<https://docs.github.com/actions/reference/workflows-and-actions/variables>); `None` elsewhere.
pub fn of_workflow(variable: &dyn Fn(&str) -> Option<String>) -> Option<Repository> {
    let (server, name) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
    let mut repository = Repository::from_remote(&format!("{server}/{name}"))?;
    repository.revision = variable("GITHUB_SHA");
    repository.branch = variable("GITHUB_REF_NAME");
    Some(repository)
}

#[cfg(test)]
mod tests {
    use super::{name, of_workflow, prefix};

    #[test]
    fn the_prefix_ends_at_the_nearest_repository() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b/c");
        std::fs::create_dir_all(&deep).expect("folders");
        std::fs::create_dir(folder.path().join(".git")).expect("a repository");
        assert_eq!(prefix(&deep), "a/b/c");
        let top = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!((name(&deep), name(folder.path())), (format!("{top}/a/b/c"), top));
        std::fs::write(folder.path().join("a/b/.git"), "gitdir: x\n").expect("a submodule");
        assert_eq!((prefix(&deep).as_str(), prefix(folder.path()).as_str()), ("c", ""));
    }

    #[test]
    fn a_workflow_names_its_repository() {
        let variable = |name: &str| match name {
            "GITHUB_SERVER_URL" => Some("https://github.com".to_owned()),
            "GITHUB_REPOSITORY" => Some("example/shop".to_owned()),
            "GITHUB_SHA" => Some("388cfb4342cd51c0602d4c6faf677ec901aedd1b".to_owned()),
            _ => None,
        };
        let repository = of_workflow(&variable).expect("a repository");
        assert_eq!(repository.uri(), "https://github.com/example/shop");
        assert!(repository.revision.is_some() && repository.branch.is_none());
        assert_eq!(of_workflow(&|_| None), None);
    }
}
