//! What a release holds: the archive, its checksums, what it is made of, the manual pages and the completions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::action::{executable, program, script};
use crate::support::docker::{self, Docker};
use crate::support::{Keytrail, repository};

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn unpacked(archive: &Path, folder: &Path) -> Vec<String> {
    let out = Command::new("tar").arg("-xvzf").arg(archive).arg("-C").arg(folder).output().expect("tar runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn an_archive_has_all_that_is_needed_and_equal_contents_give_equal_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let program = program(folder.path());
    let package = |name: &str| script(".ci/package", &[&program, Path::new(TARGET), &at(name)]);
    let printed = package("one");
    let archive = at("one").join(format!("keytrail-{TARGET}.tar.gz"));
    assert_eq!(Path::new(printed.trim()), archive);
    package("other");
    let bytes = fs::read(&archive).expect("an archive");
    assert_eq!(bytes, fs::read(at("other").join(format!("keytrail-{TARGET}.tar.gz"))).expect("an archive"));

    let names = unpacked(&archive, folder.path());
    let top = folder.path().join(format!("keytrail-{TARGET}"));
    for name in [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "CHANGELOG.md",
        "man/keytrail.1",
        "man/keytrail-scan.1",
        "completions/keytrail.bash",
        "completions/_keytrail",
        "completions/keytrail.fish",
        "completions/keytrail.elv",
        "completions/_keytrail.ps1",
    ] {
        assert!(fs::metadata(top.join(name)).is_ok_and(|about| about.len() > 0), "{name}: {names:#?}");
    }
    assert_eq!(fs::metadata(top.join("keytrail")).expect("the binary").permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read(top.join("keytrail")).expect("the binary"), fs::read(&program).expect("the binary"));
    assert!(names.iter().all(|name| name.starts_with(&format!("keytrail-{TARGET}/"))), "{names:#?}");
    assert!(names.is_sorted(), "{names:#?}");

    script(".ci/checksums", &[&at("one")]);
    let check = || {
        let mut sums = Command::new("sha256sum");
        sums.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(at("one"));
        sums.output().expect("sha256sum runs").status.success()
    };
    assert!(check());
    fs::write(&archive, [&bytes[..], b"!"].concat()).expect("written");
    assert!(!check());
}

#[test]
fn a_release_has_the_version_of_its_tag() {
    let version = script(".ci/version", &[]);
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
    script(".ci/version", &[Path::new(concat!("v", env!("CARGO_PKG_VERSION")))]);
    for tag in [env!("CARGO_PKG_VERSION"), "v0.0.0", ""] {
        let status = Command::new(repository().join(".ci/version")).arg(tag).output().expect("it runs").status;
        assert!(!status.success(), "{tag}");
    }
}

#[test]
fn what_it_is_made_of_is_told_and_what_tests_it_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    script(".ci/sbom", &[Path::new(TARGET), folder.path()]);
    let text = fs::read(folder.path().join(format!("keytrail-{TARGET}.cdx.json"))).expect("a file");
    let sbom: Value = serde_json::from_slice(&text).expect("JSON");
    let components = sbom["components"].as_array().expect("components");
    let has = |name: &str| components.iter().any(|component| component["name"] == name);
    assert!(has("clap") && has("aws-lc-sys") && !has("insta") && !has("wiremock") && !has("keytrail-rules"));
    for component in components {
        assert!(component["licenses"][0]["expression"].as_str().is_some_and(|text| !text.contains('/')), "{component}");
        assert!(component["purl"].as_str().is_some_and(|text| text.starts_with("pkg:cargo/")), "{component}");
    }
}

#[test]
fn manual_pages_are_there_for_every_command_and_groff_has_no_complaint() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    let written = Keytrail::new(folder.path()).args(["man", "--out", "man1"]).run();
    assert_eq!((written.status, written.stdout.as_str()), (Some(0), ""), "{}", written.stderr);
    for name in ["keytrail", "keytrail-scan", "keytrail-leaks", "keytrail-rules-explain", "keytrail-man"] {
        assert!(pages.join(format!("{name}.1")).is_file(), "{name}");
    }
    for page in fs::read_dir(&pages).expect("pages") {
        let page = page.expect("a page").path();
        let out =
            Command::new("groff").args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(&page).output().expect("groff runs");
        let complaints = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success() && complaints.is_empty(), "{}: {complaints}", page.display());
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        for section in ["SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES"] {
            assert!(text.contains(section), "{}: {section}\n{text}", page.display());
        }
    }
    let shown = Keytrail::new(folder.path()).args(["man"]).run();
    assert_eq!(shown.stdout, fs::read_to_string(pages.join("keytrail.1")).expect("a page"));
    assert!(!pages.join("keytrail-pgbouncer-guard.1").exists(), "what is hidden stays so");
    let again = Keytrail::new(folder.path()).args(["man", "--out", "man1/keytrail.1"]).run();
    assert_eq!(again.status, Some(2));
    assert!(again.stderr.starts_with("error: cannot write man1/keytrail.1"), "{}", again.stderr);
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = Keytrail::new(folder.path()).args(["completions", "bash"]).run();
    fs::write(folder.path().join("keytrail.bash"), script.stdout).expect("a script");
    for (words, expected) in [
        ("keytrail sc", "scan"),
        ("keytrail rules ex", "explain"),
        ("keytrail scan --fail", "--fail-on"),
        ("keytrail completions po", "powershell"),
    ] {
        let program = "set -eu; . ./keytrail.bash; read -r -a COMP_WORDS <<<\"$1\"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
             complete -p keytrail >/dev/null; _keytrail keytrail \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
             printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-c", program, "bash", words]).current_dir(folder.path());
        let out = bash.output().expect("bash runs");
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.lines().any(|line| line == expected), "{words}: {text} {out:?}");
    }
}

/// Stands for cargo in the image that builds: tells what it is given, and makes a program that is static.
const CARGO: &str = "#!/bin/sh\nset -eu\n[ -f Cargo.toml ] && [ -d scanner/src ] && [ ! -e target ] && [ ! -e .git ]\n\
     echo \"cargo $*\"\n/bin/mkdir -p target/release\n/bin/cp /program target/release/keytrail\n";

/// Fills `root` with programs of this machine and what they load.
const FILL: &str = r#"set -eu
for program in /bin/sh /bin/cp /bin/mkdir; do
    for file in "$program" $(ldd "$program" | grep -o '/[^ ]*'); do mkdir -p "root$(dirname "$file")"; cp -L "$file" "root$file"; done
done
tar -C root -cf root.tar ."#;

#[test]
fn the_image_is_built_from_the_sources_alone_and_runs_as_nobody() {
    let (docker, folder) = (Docker::start(), tempfile::tempdir().expect("a folder"));
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("root/usr/local/bin")).expect("a folder");
    executable(&at("root/usr/local/bin/cargo"), CARGO);
    fs::write(at("p.c"), "#include <stdio.h>\n#include <unistd.h>\nint main(int n, char **a) { printf(\"%s %d %s\\n\", a[0], getuid(), n > 1 ? a[1] : \"\"); }\n")
        .expect("written");
    for command in ["gcc -static -Os -o root/program p.c", FILL] {
        let done = Command::new("sh").args(["-c", command]).current_dir(folder.path()).status().expect("sh runs");
        assert!(done.success(), "{command}");
    }
    docker.run(folder.path(), &["import", "root.tar", "keytrail-test-builder"]);
    // The images of the Dockerfile lie in registries: others stand in for them.
    let text = fs::read_to_string(repository().join("Dockerfile")).expect("a Dockerfile");
    let toolchain = fs::read_to_string(repository().join("rust-toolchain.toml")).expect("a toolchain");
    let version = toolchain.split('"').nth(1).and_then(|version| version.strip_suffix(".0")).expect("a version");
    let builder = format!("docker.io/library/rust:{version}-slim-bookworm");
    let runtime = "gcr.io/distroless/cc-debian12:nonroot";
    assert!(text.contains(&builder) && text.contains(runtime), "{text}");
    fs::write(at("Dockerfile"), text.replace(&builder, "keytrail-test-builder").replace(runtime, docker::IMAGE))
        .expect("written");
    let dockerfile = at("Dockerfile").display().to_string();
    let built = docker.run(&repository(), &["build", "--file", &dockerfile, "--tag", "keytrail-test-built", "."]);
    assert!(built.contains("cargo build --release --locked"), "{built}");
    let run = |args: &[&str]| {
        let all = [&["run", "--rm", "--network", "none", "keytrail-test-built"], args].concat();
        docker.run(folder.path(), &all)
    };
    assert_eq!(run(&[]), "/usr/local/bin/keytrail 65532 --help\n");
    assert_eq!(run(&["scan"]), "/usr/local/bin/keytrail 65532 scan\n");
}
