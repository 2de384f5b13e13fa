//! `keytrail leaks`, and leaks in `keytrail scan`: the real binary on real git repositories, logs and archives.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Keytrail, Outcome, tree};

/// A DigitalOcean token: the prefix, and 64 digits that look random and are not.
pub(crate) fn token(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b"0123456789abcdef"[(state >> 32) as usize % 16])
    };
    format!("dop_v1_{}", (0..64).map(|_| next()).collect::<String>())
}

/// Runs git as somebody, on a day.
fn git(folder: &Path, day: &str, args: &[&str]) -> String {
    let date = format!("{day}T12:00:00Z");
    let out = Command::new("git")
        .args(["-c", "user.name=Jo Doe", "-c", "user.email=jo@example.com", "-c", "init.defaultBranch=main"])
        .args(["-c", "commit.gpgsign=false"])
        .args(args)
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_DATE", &date)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .current_dir(folder)
        .output()
        .expect("git runs");
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// Commits everything and gives the id.
fn commit(folder: &Path, day: &str, message: &str) -> String {
    git(folder, day, &["add", "-A"]);
    git(folder, day, &["commit", "-q", "-m", message]);
    git(folder, day, &["rev-parse", "HEAD"])
}

fn leaks(folder: &Path, args: &[&str]) -> Outcome {
    Keytrail::new(folder).args(["leaks", "--format", "json"]).args(args).run()
}

/// The one leak of a report.
fn only(out: &Outcome) -> Value {
    let report = out.json();
    let leaks = report["leaks"].as_array().expect("leaks").clone();
    assert_eq!(leaks.len(), 1, "{report:#}");
    leaks[0].clone()
}

fn count(out: &Outcome) -> usize {
    out.json()["leaks"].as_array().expect("leaks").len()
}

#[test]
fn a_token_in_a_file_is_found_without_a_config_and_not_shown() {
    let token = token(1);
    let folder = tree([("src/deploy.py", format!("import os\nclient = Client(\"{token}\")\n").as_str())]);
    let out = Keytrail::new(folder.path()).args(["leaks"]).run();
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    assert!(out.stdout.contains("src/deploy.py:2") && out.stdout.contains("dop_v1_…"), "{}", out.stdout);
    assert!(!out.stdout.contains(&token[7..]) && !out.stdout.contains(&token[7..20]), "{}", out.stdout);
    assert!(!folder.path().join(".keytrail").exists(), "it leaves nothing behind");
    let leak = only(&leaks(folder.path(), &[]));
    assert_eq!((&leak["lifecycle"], &leak["location"]["start_column"]), (&"unmanaged".into(), &18.into()));
}

#[test]
fn nothing_found_is_said_with_what_was_searched() {
    let folder = tree([("src/a.py", "print('hello')\n")]);
    let out = Keytrail::new(folder.path()).args(["leaks"]).run();
    assert_eq!(out.status, Some(0), "{}\n{}", out.stdout, out.stderr);
    assert!(out.stdout.contains("No findings.") && out.stdout.contains("Searched"), "{}", out.stdout);
    let searched = leaks(folder.path(), &[]).json()["searched"].clone();
    assert_eq!((&searched["files"], &searched["bytes"]), (&1.into(), &15.into()), "{searched}");
    assert!(searched["detectors"].as_u64() >= Some(300), "{searched}");
}

#[test]
fn a_token_that_was_removed_is_found_in_the_history_with_its_commit() {
    let folder = tree([("README.md", "Shop\n")]);
    let path = folder.path();
    git(path, "2026-01-01", &["init", "-q"]);
    commit(path, "2026-01-01", "Begin");
    let token = token(2);
    write(path, "app/config.py", &format!("# settings\nTOKEN = '{token}'\n"));
    let first = commit(path, "2026-01-02", "Add the config");
    write(path, "app/config.py", "# settings\n");
    commit(path, "2026-01-03", "Remove the token");
    let out = leaks(path, &[]);
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    let leak = only(&out);
    let seen = &leak["occurrences"][0];
    assert_eq!(seen["commit"]["id"], first);
    assert_eq!((&seen["commit"]["author"], &seen["commit"]["email"]), (&"Jo Doe".into(), &"jo@example.com".into()));
    assert_eq!((&seen["location"]["file"], &seen["location"]["line"]), (&"app/config.py".into(), &2.into()));
    assert_eq!((&seen["present"], &leak["exposed_since"]), (&false.into(), &"2026-01-02T12:00:00Z".into()));
    assert!(out.json()["findings"][0]["message"].as_str().expect("a message").contains("in HEAD no more"));
    assert_eq!(count(&leaks(path, &["--no-history"])), 0);
}

#[test]
fn one_secret_is_one_leak_with_all_its_places_oldest_first() {
    let folder = tree([("README.md", "Shop\n")]);
    let path = folder.path();
    git(path, "2026-01-01", &["init", "-q"]);
    let token = token(3);
    write(path, "b.py", &format!("x = '{token}'\n"));
    let first = commit(path, "2026-01-02", "One");
    write(path, "a.py", &format!("\n\ny = '{token}'\n"));
    commit(path, "2026-01-03", "Two");
    let leak = only(&leaks(path, &[]));
    assert_eq!(leak["occurrences"][0]["commit"]["id"], first);
    let places: Vec<&str> = leak["occurrences"]
        .as_array()
        .expect("places")
        .iter()
        .map(|one| one["location"]["file"].as_str().expect("a file"))
        .collect();
    assert!(places.contains(&"a.py") && places.contains(&"b.py"), "{places:?}");
}

#[test]
fn only_what_is_staged_is_searched_for_a_hook() {
    let folder = tree([("old.py", format!("x = '{}'\n", token(4)).as_str())]);
    let path = folder.path();
    git(path, "2026-01-01", &["init", "-q"]);
    commit(path, "2026-01-01", "Begin");
    write(path, "staged.py", &format!("y = '{}'\n", token(5)));
    git(path, "2026-01-02", &["add", "staged.py"]);
    write(path, "staged.py", "y = None\n");
    write(path, "unstaged.py", &format!("z = '{}'\n", token(6)));
    let out = leaks(path, &["--staged"]);
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    let leak = only(&out);
    assert_eq!(
        (&leak["location"]["file"], &leak["occurrences"][0]["medium"]),
        (&"staged.py".into(), &"git-index".into())
    );
    git(path, "2026-01-02", &["reset", "-q"]);
    assert_eq!(leaks(path, &["--staged"]).status, Some(0));
}

#[test]
fn a_range_shows_what_its_commits_bring_in() {
    let folder = tree([("old.py", format!("x = '{}'\n", token(7)).as_str())]);
    let path = folder.path();
    git(path, "2026-01-01", &["init", "-q"]);
    let base = commit(path, "2026-01-01", "Begin");
    write(path, "new.py", &format!("y = '{}'\n", token(8)));
    commit(path, "2026-01-02", "Bring one in");
    let range = format!("{base}..HEAD");
    assert_eq!(only(&leaks(path, &["--range", &range]))["location"]["file"], "new.py");
    let wrong = leaks(path, &["--range", "nowhere..HEAD"]);
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.stderr.contains("nowhere"), "{}", wrong.stderr);
}

#[test]
fn a_second_search_for_what_is_new_finds_only_that() {
    let folder = tree([("old.py", format!("x = '{}'\n", token(9)).as_str())]);
    let path = folder.path();
    git(path, "2026-01-01", &["init", "-q"]);
    commit(path, "2026-01-01", "Begin");
    // The files themselves are searched every time.
    let new = |path: &Path| leaks(path, &["--new"]).json()["searched"]["objects"].as_u64().expect("a number");
    assert!(new(path) > 0);
    assert_eq!(new(path), 0);
    write(path, "new.py", &format!("y = '{}'\n", token(10)));
    commit(path, "2026-01-02", "Bring one in");
    assert!(new(path) > 0);
}

#[test]
fn standard_input_and_compressed_logs_are_searched() {
    let token = token(11);
    let log = format!("2026-01-01 INFO start\n2026-01-01 DEBUG auth with {token} ok\n");
    let folder = tree([("app.log", log.as_str())]);
    let packed = Command::new("gzip").args(["-k", "app.log"]).current_dir(folder.path()).status().expect("gzip");
    assert!(packed.success());
    fs::remove_file(folder.path().join("app.log")).expect("the plain one");
    let leak = only(&leaks(folder.path(), &["app.log.gz"]));
    assert_eq!((&leak["location"]["line"], &leak["detector"]), (&2.into(), &leak["detector"]));

    let mut child = Command::new(env!("CARGO_BIN_EXE_keytrail"))
        .args(["leaks", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .current_dir(folder.path())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(log.as_bytes()).expect("written");
    let out = child.wait_with_output().expect("it ends");
    assert_eq!(out.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(report["leaks"][0]["occurrences"][0]["medium"], "standard-input");
}

#[test]
fn a_value_of_an_env_file_is_found_in_any_spelling_and_named() {
    let value = "q7Rk2vXw9LmZ4tBn8Hs3";
    let folder = tree([
        (".env", format!("SHOP_DB_PASSWORD={value}\n").as_str()),
        ("logs/a.log", format!("connect with {value}\n").as_str()),
        // printf 'x:q7Rk2vXw9LmZ4tBn8Hs3' | base64
        ("logs/b.log", "auth eDpxN1JrMnZYdzlMbVo0dEJuOEhzMw==\n"),
        ("logs/c.log", "q7Rk2vXw9L\" +\n  \"mZ4tBn8Hs3\n"),
    ]);
    let out = leaks(folder.path(), &["--env-file", ".env", "--no-detectors"]);
    assert_eq!(out.status, Some(1), "{}", out.stderr);
    let leak = only(&out);
    assert_eq!((&leak["item"], &leak["lifecycle"]), (&"SHOP_DB_PASSWORD".into(), &"current".into()));
    let places: Vec<&str> = leak["occurrences"]
        .as_array()
        .expect("places")
        .iter()
        .map(|one| one["location"]["file"].as_str().expect("a file"))
        .collect();
    assert_eq!(places, ["logs/a.log", "logs/b.log", "logs/c.log"], "the .env file itself is no leak");
    assert!(!out.stdout.contains(value));
}

#[test]
fn what_is_allowed_or_accepted_does_not_count() {
    let (one, two) = (token(12), token(13));
    let text = format!("a = '{one}'  # keytrail:allow a revoked sample\nb = '{two}'\n");
    let folder = tree([("a.py", text.as_str())]);
    let out = leaks(folder.path(), &[]);
    let report = out.json();
    let counting = |report: &Value| {
        let findings = report["findings"].as_array().expect("findings").clone();
        findings.into_iter().filter(|finding| finding.get("exception").is_none()).count()
    };
    assert_eq!((report["leaks"].as_array().map(Vec::len), counting(&report)), (Some(2), 1), "{report:#}");
    let finding = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .find(|finding| finding.get("exception").is_none())
        .expect("one that counts")
        .clone();
    let accept = format!("[[leaks.accept]]\nfingerprint = {}\nreason = \"revoked\"\n", finding["fingerprint"]);
    write(folder.path(), "keytrail.toml", &accept);
    let out = leaks(folder.path(), &[]);
    assert_eq!((out.status, counting(&out.json())), (Some(0), 0), "{}", out.stderr);
    // Another value in the same place is another finding.
    write(folder.path(), "a.py", &format!("a = 1\nb = '{}'\n", token(14)));
    assert_eq!(leaks(folder.path(), &[]).status, Some(1));
}

#[test]
fn an_ignore_file_lets_positions_pass() {
    let folder = tree([
        ("a.py", format!("a = '{}'\n", token(15)).as_str()),
        (".gitleaksignore", "# known\na.py:digitalocean-pat:1\n"),
    ]);
    assert_eq!(leaks(folder.path(), &[]).status, Some(1));
    assert_eq!(leaks(folder.path(), &["--ignore-file", ".gitleaksignore"]).status, Some(0));
}

#[test]
fn rules_of_gitleaks_are_honoured_and_what_cannot_be_is_said() {
    let rules = "[[rules]]\nid = \"shop-token\"\ndescription = \"Shop token\"\nregex = '''shop_[a-f0-9]{24}'''\nkeywords = [\"shop_\"]\n";
    let folder = tree([("rules.toml", rules), ("a.txt", "the key is shop_0f3a9c7d51e2b84c6d7e8f90 here\n")]);
    assert_eq!(count(&leaks(folder.path(), &["a.txt"])), 0);
    let leak = only(&leaks(folder.path(), &["--rules", "rules.toml", "a.txt"]));
    assert_eq!(leak["detector"], "shop-token");
    write(folder.path(), "rules.toml", &format!("{rules}path = '''[.]md$'''\n"));
    assert_eq!(count(&leaks(folder.path(), &["--rules", "rules.toml", "a.txt"])), 0, "it is of other files");
    write(folder.path(), "a.md", "the key is shop_0f3a9c7d51e2b84c6d7e8f90 here\n");
    assert_eq!(count(&leaks(folder.path(), &["--rules", "rules.toml", "."])), 1);
    write(folder.path(), "rules.toml", "[[rules]]\nid = \"broken\"\nregex = '''a(b'''\nkeywords = [\"abcd\"]\n");
    let broken = leaks(folder.path(), &["--rules", "rules.toml", "a.txt"]);
    assert!(broken.status == Some(2) && broken.stderr.contains("broken"), "{:?} {}", broken.status, broken.stderr);
}

#[test]
fn a_scan_marks_the_item_of_a_leaked_value_as_compromised_and_plans_its_rotation() {
    let value = "q7Rk2vXw9LmZ4tBn8Hs3";
    let folder = tree([
        (".env", format!("SHOP_DB_PASSWORD={value}\n").as_str()),
        ("app/db.py", format!("connect(password=\"{value}\")\n").as_str()),
    ]);
    let scan = |args: &[&str]| Keytrail::new(folder.path()).args(["scan"]).args(args).run();
    let report = scan(&["--format", "json"]).json();
    let items = report["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["id"] == "SHOP_DB_PASSWORD").expect("the item");
    assert_eq!(item["status"], "compromised", "{report:#}");
    let found =
        report["findings"].as_array().expect("findings").iter().any(|one| one["rule"] == "leaked-current-value");
    assert!(found, "{report:#}");
    assert!(scan(&["--fix", "--dry-run"]).stdout.contains("SHOP_DB_PASSWORD"));
    let without = scan(&["--only", "inventory,cadence", "--format", "json"]).json();
    assert!(without.get("searched").is_none() && without["leaks"] == Value::Array(Vec::new()));
}

#[test]
fn a_path_that_is_not_there_is_an_error_and_an_unreadable_repository_a_gap() {
    let folder = tree([("a.txt", "x\n")]);
    let out = leaks(folder.path(), &["nowhere"]);
    assert_eq!(out.status, Some(2));
    assert!(out.stderr.contains("nowhere"), "{}", out.stderr);
    write(folder.path(), ".git/HEAD", "garbage");
    let out = leaks(folder.path(), &[]);
    assert_eq!(out.status, Some(3), "{}", out.stdout);
    assert!(!out.json()["gaps"].as_array().expect("gaps").is_empty());
}
