//! The guard: a process of its own that resumes a database if the one that paused it cannot.
//!
//! It is this program once more, with the hidden command `pgbouncer-guard`. It is told over its standard input what to
//! guard, opens its own session of the console, and says that it is there before anything is paused. It resumes the
//! database when its input ends without a word, which is what the system sees to when the other process dies, or when the
//! time is up. Nothing secret passes between the two: the guard gets the address of the console, and with it the name of
//! the variable or file that has its password.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;

use crate::context::Context;
use crate::failure::Failure;
use crate::postgres::Address;
use crate::postgres::console::Console;

/// The hidden command.
pub const COMMAND: &str = "pgbouncer-guard";

const READY: &[u8] = b"ready\n";
const DONE: &[u8] = b"done\n";
/// How often it tries to resume while the console does not answer.
const TRIES: u32 = 60;

/// What is guarded.
#[derive(Serialize, Deserialize)]
struct Orders {
    admin: Address,
    database: String,
    run: String,
    /// In milliseconds.
    limit: u64,
}

/// A guard that stands.
pub(super) struct Guard {
    child: Child,
    input: ChildStdin,
    since: Instant,
    limit: Duration,
}

impl Guard {
    /// Posts one.
    ///
    /// # Errors
    /// It does not come up, or cannot log in to the console.
    pub(super) async fn post(
        program: Option<&Path>,
        admin: &Address,
        database: &str,
        limit: Duration,
        context: &Context,
    ) -> Result<Self, Failure> {
        let program = super::own_program(program)?;
        let absent = || {
            Failure::not_done("no guard could be posted that resumes the database if Keytrail dies")
                .hint("check that the keytrail program can be started, and log in to PgBouncer's console by hand")
        };
        let mut command = Command::new(program);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // What a terminal sends to its foreground processes is not for the guard.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|_| absent())?;
        let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(absent());
        };
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let orders =
            Orders { admin: admin.clone(), database: database.to_owned(), run: context.run.clone(), limit: limit_ms };
        let mut line = serde_json::to_vec(&orders).map_err(|_| absent())?;
        line.push(b'\n');
        let mut answer = [0; READY.len()];
        let met = tokio::time::timeout(context.timeout, async {
            input.write_all(&line).await?;
            output.read_exact(&mut answer).await
        });
        // Read before the guard said that it is ready, so that this side's time is up first.
        let since = Instant::now();
        match met.await {
            Ok(Ok(_)) if answer == READY => Ok(Self { child, input, since, limit }),
            _ => Err(absent()),
        }
    }

    /// How long a `PAUSE` may take: the rest is for `RELOAD` and `RESUME`.
    pub(super) fn time_to_pause(&self) -> Duration {
        (self.limit * 3 / 4).saturating_sub(self.since.elapsed())
    }

    /// Whether it is about to resume, or has.
    pub(super) fn is_due(&self) -> bool {
        self.since.elapsed() >= self.limit * 9 / 10
    }

    /// Sends it home: all is well.
    pub(super) async fn dismiss(mut self) {
        // If it does not hear of it, it resumes what is not paused, which does nothing.
        let _ = self.input.write_all(DONE).await;
        drop(self.input);
        let _ = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
    }
}

/// Stands guard: the whole of the hidden command.
///
/// # Errors
/// Orders that are none; a console that cannot be logged in to, or that could not be made to resume.
pub async fn stand() -> Result<(), Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|_| Failure::not_done("no orders"))?;
    let orders: Orders = serde_json::from_str(&line).map_err(|_| {
        Failure::not_done("these are no orders of a rotation").hint("Keytrail starts this command by itself")
    })?;
    let context = Context { timeout: Duration::from_secs(5), ..Context::new(&orders.run) };
    let mut console = Some(Console::open(&orders.admin, &context).await?);
    let told = io::stdout().write_all(READY).and_then(|()| io::stdout().flush());
    told.map_err(|_| Failure::not_done("nobody posted this guard"))?;
    if let Ok(true) = tokio::time::timeout(Duration::from_millis(orders.limit), relieved()).await {
        return Ok(());
    }
    let mut failed = Failure::unknown("PgBouncer's console does not answer");
    for _ in 0..TRIES {
        let opened = match console.take() {
            Some(console) => Ok(console),
            None => Console::open(&orders.admin, &context).await,
        };
        let resumed = match opened {
            Ok(mut console) => console.resume(&orders.database).await,
            Err(failure) => Err(failure),
        };
        match resumed {
            Ok(()) => return Ok(()),
            Err(failure) => failed = failure,
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(failed)
}

/// Waits for the end of the input: whether all is well.
async fn relieved() -> bool {
    let (tell, told) = oneshot::channel();
    // A thread of its own, which the end of the program does not wait for.
    std::thread::spawn(move || {
        let mut line = String::new();
        let heard = io::stdin().lock().read_line(&mut line).is_ok() && line.as_bytes() == DONE;
        // Nobody listens any more once the time is up.
        let _ = tell.send(heard);
    });
    told.await.unwrap_or(false)
}
