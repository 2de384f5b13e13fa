//! What an answer of the API means, by its status and, where the status does not tell, by the server's known words.

use keytrail_rules::model::GapReason;
use reqwest::Url;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::connection::{Failed, Response};

/// The JSON of a successful answer. It may hold values: it is wiped on drop.
pub(super) struct Body(pub(super) Zeroizing<Vec<u8>>);

impl Body {
    /// The `data` of the answer.
    pub(super) fn data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failed> {
        #[derive(Deserialize)]
        struct Envelope<T> {
            data: T,
        }
        // A message of serde_json may quote what it read, so it is not passed on.
        serde_json::from_slice::<Envelope<T>>(&self.0).map(|envelope| envelope.data).map_err(|_| not_json(&self.0))
    }
}

/// What an answer means for the request.
pub(super) enum Meaning {
    Success(Body),
    /// There is nothing at that path.
    Missing,
    /// The token is refused, or the path is refused to it.
    Denied,
    /// This request failed.
    Failed(Failed),
    /// So will every other.
    Lost(Failed),
}

/// Reads an answer. Statuses: <https://developer.hashicorp.com/vault/api-docs#http-status-codes>.
pub(super) fn read(response: Response) -> Meaning {
    let failed = |reason, what: &str| Failed::new(reason, what);
    match response.status {
        200..=299 => Meaning::Success(Body(response.body)),
        300..=399 => Meaning::Lost(redirect(&response)),
        401 | 403 => Meaning::Denied,
        404 => not_found(&response),
        429 => Meaning::Failed(
            failed(GapReason::Unreachable, "the server answers 429 (too many requests)")
                .hint("lower the store's concurrency, or raise the server's rate limit quota")
                .transient(),
        ),
        472 => Meaning::Lost(standby("the server is a disaster-recovery secondary, which serves no secrets")),
        _ if response.says("sealed") => Meaning::Lost(sealed()),
        _ if response.says("not initialized") => Meaning::Lost(uninitialised()),
        _ if response.says("local node not active") => {
            Meaning::Lost(standby("the server is a standby that cannot reach its active node"))
        }
        status @ (500 | 502 | 503 | 504) => {
            let what = format!("the server answers {status}");
            Meaning::Failed(Failed::new(GapReason::Unreachable, what).hint("look at the server's log").transient())
        }
        status => Meaning::Failed(Failed::new(GapReason::Unsupported, format!("the server answers {status}"))),
    }
}

fn not_found(response: &Response) -> Meaning {
    if response.says("namespace not found") {
        return Meaning::Lost(
            Failed::new(GapReason::Unreachable, "the server has no such namespace")
                .hint("check the store's namespace, or VAULT_NAMESPACE"),
        );
    }
    if response.says("no handler for route") {
        return Meaning::Failed(Failed::new(GapReason::Unreachable, "nothing is mounted there"));
    }
    // A deleted version has `data`, anything else that is not there an empty `errors`.
    match serde_json::from_slice::<serde::de::IgnoredAny>(&response.body) {
        Ok(_) => Meaning::Missing,
        Err(_) => Meaning::Failed(not_json(&response.body)),
    }
}

impl Response {
    /// Whether one of the server's `errors` has those words.
    pub(super) fn says(&self, words: &str) -> bool {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<String>,
        }
        serde_json::from_slice::<Errors>(&self.body)
            .is_ok_and(|body| body.errors.iter().any(|error| error.contains(words)))
    }
}

/// An answer that is not what the API says it is.
pub(super) fn not_json(body: &[u8]) -> Failed {
    let html = body.trim_ascii_start().starts_with(b"<");
    let what = if html { "the server answers with a web page" } else { "the server's answer has an unknown form" };
    Failed::new(GapReason::Malformed, what)
        .hint("check that the address is that of Vault or OpenBao itself, not of a web page or gateway before it")
}

pub(super) fn sealed() -> Failed {
    Failed::new(GapReason::Sealed, "the server is sealed").hint("unseal it (vault operator unseal), then scan again")
}

pub(super) fn uninitialised() -> Failed {
    Failed::new(GapReason::Sealed, "the server is not initialised").hint("initialise it (vault operator init)")
}

pub(super) fn standby(what: &str) -> Failed {
    Failed::new(GapReason::Standby, what).hint("set the store's address to that of the active node")
}

/// A redirect. Only the origin of its target is named: the rest is the server's to choose.
fn redirect(response: &Response) -> Failed {
    let target = response.location.as_deref().and_then(|location| Url::parse(location).ok());
    let origin = target.map(|url| url.origin().ascii_serialization()).filter(|origin| origin != "null");
    let to = origin.unwrap_or_else(|| "another path of its own".into());
    standby(&format!("the server answers {} and redirects to {to}; redirects are not followed", response.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Response { status, location: None, retry_after: None, body }
    }

    fn meaning(status: u16, body: &str) -> String {
        match read(response(status, body)) {
            Meaning::Success(_) => "success".into(),
            Meaning::Missing => "missing".into(),
            Meaning::Denied => "denied".into(),
            Meaning::Failed(failed) => format!("failed: {}", failed.what),
            Meaning::Lost(failed) => format!("lost: {}", failed.what),
        }
    }

    #[test]
    fn statuses_are_told_apart() {
        for (status, body, expected) in [
            (200, "{}", "success"),
            (403, "<html>", "denied"),
            (404, r#"{"errors":[]}"#, "missing"),
            (404, r#"{"data":{"data":null}}"#, "missing"),
            (404, "<html>not here</html>", "failed: the server answers with a web page"),
            (404, r#"{"errors":["no handler for route \"nope\""]}"#, "failed: nothing is mounted there"),
            (404, r#"{"errors":["namespace not found"]}"#, "lost: the server has no such namespace"),
            (503, r#"{"errors":["Vault is sealed"]}"#, "lost: the server is sealed"),
            (
                500,
                r#"{"errors":["local node not active but active cluster node not found"]}"#,
                "lost: the server is a standby that cannot reach its active node",
            ),
            (500, "oops hunter2", "failed: the server answers 500"),
            (405, r#"{"errors":["unsupported operation"]}"#, "failed: the server answers 405"),
        ] {
            assert_eq!(meaning(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_redirect_names_the_host_alone() {
        let to = |location: &str| redirect(&Response { location: Some(location.into()), ..response(307, "") }).what;
        assert!(to("https://me:hunter2@other.test:8200/v1/x?token=hunter2").contains("to https://other.test:8200;")); // keytrail:allow made up
        for odd in ["/v1/elsewhere", "javascript:alert(1)", "http://"] {
            assert!(to(odd).contains("another path"), "{odd}");
        }
    }

    #[test]
    fn a_broken_answer_is_never_quoted() {
        let body = Body(Zeroizing::new(br#"{"data":{"keys":"hunter2"}}"#.to_vec()));
        #[derive(Debug, Deserialize)]
        struct Keys {
            #[expect(dead_code, reason = "only its shape matters")]
            keys: Vec<String>,
        }
        let failed = body.data::<Keys>().expect_err("a text is no list");
        assert_eq!(failed.reason, GapReason::Malformed);
        assert!(!format!("{failed:?}").contains("hunter2"));
    }
}
