//! A real Docker engine in a temporary folder, for as long as a test holds it, with an image that needs no registry.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The name of the image. Its program waits; with `DB_PASSWORD=planted-crash` it ends with 3. Its health check fails with
/// `DB_PASSWORD=planted-bad`.
pub(crate) const IMAGE: &str = "keytrail-test";

const PROGRAM: &str = r#"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    const char *value = getenv("DB_PASSWORD");
    if (count > 1)
        return value && strcmp(value, "planted-bad") == 0;
    if (value && strcmp(value, "planted-crash") == 0)
        return 3;
    for (;;)
        pause();
}
"#;

/// A running engine.
pub(crate) struct Docker {
    folder: TempDir,
    engine: Option<Child>,
    /// What `docker --host` takes.
    pub(crate) host: String,
    /// What `docker --config` takes.
    pub(crate) config: PathBuf,
}

impl Docker {
    /// Starts an engine, and makes the image. Only root can start one: for others the machine's own serves.
    ///
    /// # Panics
    /// Where there is none, or it does not come up.
    pub(crate) fn start() -> Self {
        let config = std::env::var_os("KEYTRAIL_TEST_DOCKER").expect("KEYTRAIL_TEST_DOCKER is not set: run tests/run");
        let folder = tempfile::Builder::new().prefix("kt-docker-").tempdir().expect("a temporary folder");
        let is_root = fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0);
        let engine = is_root.then(|| spawn(folder.path()));
        let own = format!("unix://{}/engine.sock", folder.path().display());
        let host = if is_root { own } else { "unix:///var/run/docker.sock".to_owned() };
        let mut docker = Self { folder, engine, host, config: config.into() };
        docker.wait();
        docker.make_image();
        docker
    }

    /// `docker` with these arguments, in a folder; what it prints.
    ///
    /// # Panics
    /// Where it fails.
    pub(crate) fn run(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.command(folder).args(arguments).output().expect("docker runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("docker");
        command.arg("--config").arg(&self.config).args(["--host", &self.host]).current_dir(folder);
        // The builder of the engine itself: the other is a plugin.
        command.env("DOCKER_BUILDKIT", "0");
        command
    }

    fn wait(&mut self) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let version = self.command(self.folder.path()).arg("version").output().expect("docker runs");
            if version.status.success() {
                return;
            }
            let has_ended = self.engine.as_mut().is_some_and(|engine| engine.try_wait().expect("a child").is_some());
            let log = || fs::read_to_string(self.folder.path().join("engine.log")).unwrap_or_default();
            assert!(!has_ended && Instant::now() < end, "no Docker engine: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn make_image(&self) {
        let folder = self.folder.path();
        fs::write(folder.join("program.c"), PROGRAM).expect("a file");
        let made =
            Command::new("gcc").args(["-static", "-Os", "-o", "program", "program.c"]).current_dir(folder).status();
        assert!(made.expect("gcc runs").success(), "gcc");
        let packed = Command::new("tar").args(["cf", "image.tar", "program"]).current_dir(folder).status();
        assert!(packed.expect("tar runs").success(), "tar");
        self.run(folder, &["import", "--change", r#"ENTRYPOINT ["/program"]"#, "image.tar", IMAGE]);
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        // Ended by a signal that it handles, it takes its containers and its containerd along.
        let _ = Command::new("kill").arg(engine.id().to_string()).status();
        let _ = engine.wait();
    }
}

fn spawn(folder: &Path) -> Child {
    let log = File::create(folder.join("engine.log")).expect("a file");
    let path = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new("dockerd");
    command.args(["--data-root", &path("root"), "--exec-root", &path("exec"), "--pidfile", &path("pid")]);
    command.args(["--host", &format!("unix://{}", path("engine.sock"))]);
    // No network is needed, and the machine's own is left alone.
    command.args(["--bridge", "none", "--iptables=false", "--ip6tables=false"]);
    // Where the machine allows less than the engine's own limits, no container starts with those.
    command.args(["--default-ulimit", "nofile=1024:1024", "--default-ulimit", "nproc=4096:4096"]);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
    command.spawn().expect("dockerd is not there: run tests/run")
}
