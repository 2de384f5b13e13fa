//! What the tests share: the binary with a scrubbed environment, temporary trees, and the real servers.

pub(crate) mod docker;
pub(crate) mod http;
pub(crate) mod kubernetes;
pub(crate) mod localemu;
pub(crate) mod moto;
pub(crate) mod openbao;
pub(crate) mod pgbouncer;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod redis;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// A temporary folder with these files.
pub(crate) fn tree<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

/// The real binary, in a folder, with nothing of this process's environment but `PATH`.
pub(crate) struct Keytrail {
    command: Command,
    /// Where a copy of the binary lies.
    place: Option<tempfile::TempDir>,
}

impl Keytrail {
    pub(crate) fn new(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keytrail"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .current_dir(folder);
        Self { command, place: None }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it as a user who owns nothing, in a folder that this one may enter. Only root can.
    pub(crate) fn run_by_nobody(mut self, folder: &Path) -> Self {
        /// `nobody` and `nogroup`.
        const NOBODY: u32 = 65_534;
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
        // The build folder may be one that only its owner may enter.
        let place = tempfile::tempdir().expect("a folder");
        let binary = place.path().join("keytrail");
        fs::copy(self.command.get_program(), &binary).expect("a copy");
        open(place.path());
        open(folder);
        let mut command = Command::new(binary);
        command.args(self.command.get_args()).env_clear().current_dir(folder).uid(NOBODY).gid(NOBODY);
        self.command = command;
        self.place = Some(place);
        self
    }

    pub(crate) fn run(mut self) -> Outcome {
        let output = self.command.stdin(Stdio::null()).output().expect("the binary runs");
        Outcome {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What a run of the binary did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit status; `None` for a signal.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstatus {:?}\n{}\n{}", self.status, self.stdout, self.stderr))
    }
}
