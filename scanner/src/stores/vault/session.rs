//! Asking with a token: bounded concurrency, few retries, and an early end when the server or the token is lost.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use keytrail_rules::model::GapReason;
use reqwest::header::HeaderValue;
use tokio::sync::{Mutex, Semaphore, watch};
use zeroize::Zeroizing;

use super::answer::{self, Body, Meaning};
use super::auth::Token;
use super::connection::{Connection, Failed, Request, Response};

/// Pauses before the second, third and fourth try of a read that failed for the moment.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_600)];

/// A server may ask for longer pauses (`Retry-After`), but not for longer than this.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// A request without an answer weighs as much as so many with one: a server that leaves more than one in five
/// unanswered is taken for gone, once [`MAX_UNANSWERED`] is reached.
const UNANSWERED: u32 = 4;
const MAX_UNANSWERED: u32 = 32;

/// Why a read gave nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is nothing at that path.
    Missing,
    /// The token may not read it.
    Denied,
    /// The request failed, but others may not.
    Failed(Failed),
    /// The store is lost: [`Session::lost`] says why.
    Lost,
}

/// What is sent to be done.
pub(super) struct Change<'a> {
    /// JSON.
    pub(super) body: Zeroizing<Vec<u8>>,
    /// Whether it is a merge patch.
    pub(super) patch: bool,
    /// Who does it, with the run.
    pub(super) agent: &'a HeaderValue,
}

/// A logged-in connection.
pub(super) struct Session {
    connection: Connection,
    token: Token,
    permits: Semaphore,
    lost: watch::Sender<Option<Failed>>,
    unanswered: AtomicU32,
    /// When the token was last asked after, and was valid.
    valid_at: Mutex<Option<Instant>>,
}

impl Session {
    pub(super) fn new(connection: Connection, token: Token, concurrency: usize) -> Self {
        Self {
            connection,
            token,
            permits: Semaphore::new(concurrency),
            lost: watch::Sender::new(None),
            unanswered: AtomicU32::new(0),
            valid_at: Mutex::new(None),
        }
    }

    /// Why the store was lost, if it was.
    pub(super) fn lost(&self) -> Option<Failed> {
        self.lost.borrow().clone()
    }

    /// Reads a path of the API, in parts that may have `/` inside. All its tries together take no longer than the
    /// time limit; it ends early when the store is lost.
    pub(super) async fn get(&self, path: &[&str], query: &str) -> Result<Body, Failure> {
        let mut lost = self.lost.subscribe();
        tokio::select! {
            biased;
            _ = lost.wait_for(Option::is_some) => Err(Failure::Lost),
            answer = self.permitted(path, query) => answer,
        }
    }

    async fn permitted(&self, path: &[&str], query: &str) -> Result<Body, Failure> {
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(Failure::Lost);
        };
        let limit = self.connection.timeout;
        let response = match tokio::time::timeout(limit, self.tries(path, query)).await {
            Ok(Ok(response)) => response,
            Ok(Err(failed)) => return Err(self.unanswered(failed)),
            Err(_) => return Err(self.unanswered(Failed::timed_out(limit))),
        };
        let _ = self.unanswered.try_update(Ordering::Relaxed, Ordering::Relaxed, |weight| weight.checked_sub(1));
        match answer::read(response) {
            Meaning::Success(body) => Ok(body),
            Meaning::Missing => Err(Failure::Missing),
            Meaning::Denied if self.token_is_valid(Instant::now()).await => Err(Failure::Denied),
            Meaning::Denied => Err(self.lose(
                Failed::new(GapReason::Unauthenticated, "the server refuses the token")
                    .hint("it is wrong, ran out or was revoked: use one that lives as long as the scan"),
            )),
            Meaning::Failed(failed) => Err(Failure::Failed(failed)),
            Meaning::Lost(failed) => Err(self.lose(failed)),
        }
    }

    async fn tries(&self, path: &[&str], query: &str) -> Result<Response, Failed> {
        for pause in PAUSES {
            let pause = match self.connection.exchange(self.request(path, query)).await {
                Err(failed) if failed.transient => pause,
                Ok(response) if is_transient(&response) => response.retry_after.unwrap_or(pause).min(MAX_PAUSE),
                other => return other,
            };
            tokio::time::sleep(pause).await;
        }
        self.connection.exchange(self.request(path, query)).await
    }

    /// Sends a body to a path of the API, once: whoever repeats a change must know what became of it.
    pub(super) async fn change(&self, path: &[&str], change: Change<'_>) -> Result<Response, Failed> {
        let Change { body, patch, agent } = change;
        let request = Request { body: Some(body), patch, agent: Some(agent), ..self.request(path, "") };
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        self.connection.send(request).await
    }

    fn request<'a>(&'a self, path: &'a [&'a str], query: &'a str) -> Request<'a> {
        Request { path, query, token: Some(&self.token.header), namespaced: true, ..Request::default() }
    }

    /// Notes a request that got no answer. A server that refuses connections, or leaves too many unanswered, is gone.
    fn unanswered(&self, failed: Failed) -> Failure {
        let weight = match failed.reason {
            GapReason::TimedOut | GapReason::Unreachable => {
                self.unanswered.fetch_add(UNANSWERED, Ordering::Relaxed) + UNANSWERED
            }
            _ => 0,
        };
        let refused = failed.reason == GapReason::Unreachable && !failed.transient;
        if refused || weight >= MAX_UNANSWERED { self.lose(failed) } else { Failure::Failed(failed) }
    }

    /// Ends every read that is under way or still to come. The first reason stands.
    fn lose(&self, failed: Failed) -> Failure {
        self.lost.send_if_modified(|lost| {
            let first = lost.is_none();
            lost.get_or_insert(failed);
            first
        });
        Failure::Lost
    }

    /// Whether the token is valid, asked after `denied_at`: a server answers 403 alike to a valid token that lacks a
    /// permission and to one that ran out. Any valid token may list the mounts that it can see. Reads that are denied
    /// at once share one question.
    async fn token_is_valid(&self, denied_at: Instant) -> bool {
        let mut valid_at = self.valid_at.lock().await;
        if valid_at.is_some_and(|at| at >= denied_at) {
            return true;
        }
        let asked_at = Instant::now();
        let request = self.request(&["sys/internal/ui/mounts"], "");
        match self.connection.send(request).await.map(answer::read) {
            Ok(Meaning::Denied) => false,
            _ => {
                *valid_at = Some(asked_at);
                true
            }
        }
    }

    /// Gives up a token that the scan itself got by logging in, so that it does not lie about until it runs out.
    pub(super) async fn close(self) {
        if self.token.is_own {
            let body = Some(Zeroizing::new(b"{}".to_vec()));
            let request = Request { body, ..self.request(&["auth/token/revoke-self"], "") };
            // A batch token cannot be revoked, nor one that ran out: nothing is lost.
            let _ = self.connection.send(request).await;
        }
    }
}

/// Whether the same request may succeed a moment later. Only the server's own words tell a standby or a seal, which
/// stay, from an overload.
fn is_transient(response: &Response) -> bool {
    matches!(response.status, 429 | 500 | 502 | 503 | 504)
        && !["sealed", "not initialized", "local node not active"].iter().any(|words| response.says(words))
}
