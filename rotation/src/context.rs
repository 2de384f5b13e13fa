//! What every act of a rotation is told.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::failure::Failure;

/// Something under way.
pub type Act<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// What every act is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// The run, which travels along wherever the other side keeps it: user agent, `application_name`, field manager,
    /// metadata, the name of a token. Letters, digits and `-`: `kt-20261121t183000z-0f3a9c21`.
    pub run: String,
    /// Limit for one request.
    pub timeout: Duration,
    /// The folder that is scanned: relative paths of the config start from it.
    pub folder: PathBuf,
}

impl Context {
    /// A context with the usual limit.
    pub fn new(run: &str) -> Self {
        Self { run: run.to_owned(), timeout: Duration::from_secs(30), folder: PathBuf::from(".") }
    }

    /// How Keytrail calls itself: `keytrail/0.1.0 keytrail-run/kt-…`. The trails know a run by its product.
    pub fn user_agent(&self) -> String {
        format!("keytrail/{} keytrail-run/{}", env!("CARGO_PKG_VERSION"), self.run)
    }
}
