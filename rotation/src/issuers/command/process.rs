//! One run of a program: input, output, and an end in any case.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::bounded::Bounded;
use crate::failure::Failure;

/// What a program may say.
const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// Variables that every program is given.
const USUAL_ENV: [&str; 3] = ["PATH", "HOME", "LANG"];

/// A program.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<String>,
}

impl Program {
    /// Its name without its folder.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// How a program ended.
pub(super) struct Ended {
    pub(super) output: Bounded,
    pub(super) succeeded: bool,
    status: String,
    /// Lines of its standard error.
    lines: u64,
}

impl Ended {
    /// How it ended, in words for the end of a sentence.
    pub(super) fn told(&self) -> String {
        let lines = match self.lines {
            0 => String::new(),
            1 => "; 1 line of standard error is not shown".to_owned(),
            lines => format!("; {lines} lines of standard error are not shown"),
        };
        if self.succeeded { lines } else { format!(" ({}){lines}", self.status) }
    }
}

/// A process group that ends with its guard, unless it ended before.
struct Group {
    child: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
}

impl Group {
    /// Its number may be given to others now.
    fn release(&mut self) {
        #[cfg(unix)]
        {
            self.id = None;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.id {
            // A group of which nothing is left is what is wanted.
            let _gone = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
        // Reaped by the runtime: `kill_on_drop`.
        let _gone = self.child.start_kill();
    }
}

/// Runs a program on some input until it and its output end.
///
/// # Errors
/// `NotDone`: it cannot be started. `Unknown`: its time is over, or it says too much.
pub(super) async fn run(program: &Program, input: &[u8], limit: Duration) -> Result<Ended, Failure> {
    let name = program.name();
    let mut group = start(program)?;
    let ended = tokio::time::timeout(limit, talk(&mut group.child, input, &name)).await.unwrap_or_else(|_| {
        Err(Failure::unknown(format!("{name} did not end within {limit:?}"))
            .hint("raise `timeout`, or look at the program"))
    })?;
    group.release();
    Ok(ended)
}

fn start(program: &Program) -> Result<Group, Failure> {
    let mut command = Command::new(&program.path);
    command.args(&program.args).env_clear().kill_on_drop(true);
    for name in USUAL_ENV.into_iter().chain(program.env.iter().map(String::as_str)) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    #[cfg(unix)]
    command.process_group(0);
    let child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| {
            Failure::not_done(format!("{} cannot be started: {error}", program.name()))
                .hint("check `program`: a path, or a name in PATH")
        })?;
    #[cfg(unix)]
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    Ok(Group {
        child,
        #[cfg(unix)]
        id,
    })
}

async fn talk(child: &mut Child, input: &[u8], name: &str) -> Result<Ended, Failure> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input says by its reply what it did.
            let _unread = stdin.write_all(input).await;
        }
        Ok(())
    };
    let (output, lines, ()) = tokio::try_join!(read(stdout, name), count(stderr), write)?;
    let status = child.wait().await.map_err(|error| Failure::unknown(format!("{name} was lost: {error}")))?;
    Ok(Ended { output, succeeded: status.success(), status: status.to_string(), lines })
}

async fn read(stream: Option<impl AsyncRead + Unpin>, name: &str) -> Result<Bounded, Failure> {
    let mut output = Bounded::new(MAX_OUTPUT_BYTES);
    let mut block = zeroize::Zeroizing::new([0; 4096]);
    let Some(mut stream) = stream else { return Ok(output) };
    loop {
        match stream.read(&mut block[..]).await {
            Ok(0) => return Ok(output),
            Ok(length) if output.push(&block[..length]) => {}
            Ok(_) => return Err(Failure::unknown(format!("{name} said more than 1 MiB"))),
            Err(error) => return Err(Failure::unknown(format!("the output of {name} broke off: {error}"))),
        }
    }
}

/// Counts lines without keeping them.
async fn count(stream: Option<impl AsyncRead + Unpin>) -> Result<u64, Failure> {
    let mut block = zeroize::Zeroizing::new([0; 4096]);
    let (mut lines, mut last) = (0, b'\n');
    let Some(mut stream) = stream else { return Ok(0) };
    while let Ok(length @ 1..) = stream.read(&mut block[..]).await {
        lines += block[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        last = block[length - 1];
    }
    Ok(lines + u64::from(last != b'\n'))
}
