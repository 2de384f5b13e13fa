//! Programs that Keytrail starts.
//!
//! # Guarantees
//! 1. No shell is asked. The environment is what the caller names, and nothing else.
//! 2. What the program prints is kept in memory that is wiped, up to 1 MiB. The lines of its standard error are counted,
//!    and never shown: nobody knows what they quote.
//! 3. At the time limit, or when the caller gives up waiting, the program and all that it started are killed, but for
//!    what has left its process group.

pub mod message;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// What a program may print, in bytes.
const MAX_OUTPUT: usize = 1 << 20;

/// What every program needs of Keytrail's own environment.
pub const USUAL: &[&str] = &["PATH", "HOME", "LANG"];

/// A program to be started.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: PathBuf,
    limit: Duration,
}

/// What a program that ended left.
pub struct Ended {
    /// Its exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub output: Zeroizing<Vec<u8>>,
    /// How many lines of standard error there were.
    pub lines: u64,
}

impl Ended {
    /// Whether its exit status is 0.
    pub fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    /// How it ended, for people.
    pub fn words(&self) -> String {
        self.status.map_or("was ended by a signal".to_owned(), |status| format!("ended with exit status {status}"))
    }

    /// How it ended, for the end of a sentence; of one that ended well only whether it said something on standard error.
    pub fn told(&self) -> String {
        let lines = match self.lines {
            0 => String::new(),
            1 => "; 1 line of standard error is not shown".to_owned(),
            lines => format!("; {lines} lines of standard error are not shown"),
        };
        if self.is_success() { lines } else { format!(" (it {}){lines}", self.words()) }
    }
}

impl Program {
    /// A program by its path, or by its name in an absolute folder of `PATH`: a relative one could be of the folder that
    /// is scanned. It gets [`USUAL`] of the environment.
    ///
    /// # Errors
    /// No such program.
    pub fn find(name: &str, folder: &Path, limit: Duration) -> Result<Self, Failure> {
        // What is started is looked up from its own folder on, not from Keytrail's.
        let folder = std::path::absolute(folder)
            .map_err(|error| Failure::not_done(format!("there is no current folder: {}", error.kind())))?;
        let path = if name.contains('/') { Some(folder.join(name)) } else { in_path(name) };
        let path = path.filter(|path| is_executable(path)).ok_or_else(|| {
            Failure::not_done(format!("there is no program {name}")).hint("install it, or name it by its path")
        })?;
        let program = Self { path, arguments: Vec::new(), environment: Vec::new(), folder, limit };
        Ok(program.inherit(USUAL))
    }

    /// With further arguments. None of them may be a value.
    #[must_use]
    pub fn arguments<T: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// With some variables of Keytrail's own environment, those that are set.
    #[must_use]
    pub fn inherit<T: AsRef<str>>(mut self, names: &[T]) -> Self {
        let set = |name: &T| Some((OsString::from(name.as_ref()), std::env::var_os(name.as_ref())?));
        self.environment.extend(names.iter().filter_map(set));
        self
    }

    /// With a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Its name, for people.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Runs it to its end, with `input` on its standard input.
    ///
    /// # Errors
    /// It does not start; it prints too much or does not end in time, and is killed: what it had done by then is not
    /// known.
    pub async fn run(&self, input: &[u8]) -> Result<Ended, Failure> {
        let name = self.name();
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned()).current_dir(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .spawn()
            .map_err(|error| Failure::not_done(format!("{name} cannot be started: {}", error.kind())))?;
        let mut group = Group(child.id());
        let ended = tokio::time::timeout(self.limit, talk(&mut child, input)).await;
        match ended {
            Ok(Ok(Some(ended))) => {
                group.0 = None;
                Ok(ended)
            }
            Ok(Ok(None)) => Err(Failure::unknown(format!("{name} said more than 1 MiB"))),
            Ok(Err(error)) => Err(Failure::unknown(format!("{name} cannot be talked to: {}", error.kind()))),
            Err(_) => Err(Failure::unknown(format!("{name} did not end within {:?}", self.limit))
                .hint("raise the limit, or run it by hand to see what it waits for")),
        }
    }
}

/// Writes and reads until the program has ended; `None` where it prints too much.
async fn talk(child: &mut Child, input: &[u8]) -> io::Result<Option<Ended>> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A program need not read what it is told.
            let _ = stdin.write_all(input).await;
        }
    };
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut output = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT + 1));
    let read = async {
        match stdout {
            Some(stdout) => stdout.take(MAX_OUTPUT as u64 + 1).read_to_end(&mut output).await,
            None => Ok(0),
        }
    };
    let ((), length, lines) = tokio::join!(write, read, count(stderr));
    if length? > MAX_OUTPUT {
        return Ok(None);
    }
    // Only now: as long as nobody has waited for it, its process id and so its group cannot be another's.
    let status = child.wait().await?;
    Ok(Some(Ended { status: status.code(), output, lines }))
}

/// Counts lines without keeping them.
async fn count(stream: Option<impl AsyncRead + Unpin>) -> u64 {
    let Some(mut stream) = stream else { return 0 };
    let mut block = Zeroizing::new([0; 4096]);
    let (mut lines, mut last) = (0, b'\n');
    while let Ok(length @ 1..) = stream.read(&mut block[..]).await {
        lines += block[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        last = block[length - 1];
    }
    lines + u64::from(last != b'\n')
}

/// Kills a process group when it is dropped. To be disarmed once its leader was waited for.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
                // It may have ended by itself.
                let _ = kill_process_group(id, Signal::KILL);
            }
        }
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let absolute = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    absolute.map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| {
        #[cfg(unix)]
        let may_run = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o111 != 0;
        #[cfg(not(unix))]
        let may_run = true;
        about.is_file() && may_run
    })
}

#[cfg(all(test, unix))]
mod tests;
