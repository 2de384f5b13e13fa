//! HTTP to one server. No redirect is followed, no proxy is used, no answer is read without bounds.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use keytrail_rules::model::GapReason;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use reqwest::{Certificate, Client, Method, Url, redirect};
use rustify::endpoint::Endpoint;
use zeroize::Zeroizing;

use crate::config::StoreConfig;

/// Larger answers are not read to their end. A server accepts no request beyond 32 MiB by default, so that no
/// secret is larger.
pub(super) const MAX_BODY_BYTES: usize = 32 << 20;

/// Tokens, secret ids and certificates are kilobytes.
const MAX_CREDENTIAL_BYTES: u64 = 1 << 20;

/// Everything but RFC 3986's unreserved characters and the `/` between segments.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Looks up an environment variable; one that is empty counts as not set.
pub(super) type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Why a request, or the whole store, failed. The words never quote what the server sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failed {
    pub(super) reason: GapReason,
    /// A clause without a full stop: `the server is sealed`.
    pub(super) what: String,
    pub(super) hint: Option<String>,
    /// Whether the same request may succeed a moment later.
    pub(super) transient: bool,
}

impl Failed {
    pub(super) fn new(reason: GapReason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), hint: None, transient: false }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    pub(super) fn timed_out(limit: Duration) -> Self {
        Self::new(GapReason::TimedOut, format!("the server did not answer within {limit:?}"))
            .hint("raise the store's timeout, or look at the server's load")
    }
}

/// An answer, whatever its status.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// A request under `/v1/`.
#[derive(Default)]
pub(super) struct Request<'a> {
    /// Parts of the path, joined by `/`; each may have `/` inside. They are not yet escaped.
    pub(super) path: &'a [&'a str],
    /// The query, escaped.
    pub(super) query: &'a str,
    pub(super) token: Option<&'a HeaderValue>,
    /// Whether the request is to be sent into the configured namespace.
    pub(super) namespaced: bool,
    /// A JSON body, which makes it a POST.
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    /// Whether the body is a JSON merge patch (RFC 7396), which makes it a PATCH.
    pub(super) patch: bool,
    /// What the client calls itself, where that is more than its name.
    pub(super) agent: Option<&'a HeaderValue>,
}

/// A call of the API as `vaultrs` describes it.
pub(super) struct Call {
    /// Under `/v1/`, and not yet escaped.
    pub(super) path: String,
    /// A JSON body.
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
}

impl Call {
    pub(super) fn of(endpoint: &impl Endpoint) -> Self {
        let path = endpoint.path().trim_start_matches('/').to_owned();
        // What cannot be written as JSON is sent without a body, and refused.
        Self { path, body: endpoint.body().ok().flatten().map(Zeroizing::new) }
    }
}

/// A server that can be asked.
pub(super) struct Connection {
    http: Client,
    base: String,
    namespace: Option<HeaderValue>,
    pub(super) timeout: Duration,
}

impl Connection {
    /// Prepares requests to the store's address, in its namespace, trusting its authorities; where the config is
    /// silent, those of `VAULT_ADDR`, `VAULT_NAMESPACE` and `VAULT_CACERT`. Sends nothing.
    pub(super) fn new(config: &StoreConfig, env: Env<'_>) -> Result<Self, Failed> {
        let unusable = |what: &str| Failed::new(GapReason::Unsupported, what);
        let address = config.address.clone().or_else(|| env("VAULT_ADDR")).ok_or_else(|| {
            Failed::new(GapReason::Unreachable, "the store has no address").hint("set its address, or VAULT_ADDR")
        })?;
        let url = Url::parse(&address)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| unusable("the address is no URL that starts with http:// or https://"))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().or(url.fragment()).is_some() {
            return Err(unusable("the address may hold no user, password, query or fragment"));
        }
        let namespace = config.namespace.clone().or_else(|| env("VAULT_NAMESPACE"));
        let namespace = namespace
            .map(|namespace| HeaderValue::from_str(&namespace))
            .transpose()
            .map_err(|_| unusable("the namespace has characters that no HTTP header can hold"))?;
        let mut http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("keytrail/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(config.concurrency);
        if url.scheme() == "http" {
            // Spares reading the system's authorities, which nobody asks for.
            http = http.tls_certs_only([]);
        } else if let Some(file) = config.ca_file.clone().or_else(|| env("VAULT_CACERT").map(Into::into)) {
            http = http.tls_certs_only(authorities(&config.root.join(file))?);
        }
        let http = http.build().map_err(|error| {
            Failed::new(GapReason::Unreachable, format!("cannot set up TLS: {}", root_cause(&error.without_url())))
        })?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, namespace, timeout: config.timeout })
    }

    /// Sends a request and reads the answer, within the time limit.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Response, Failed> {
        let answer = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        answer.unwrap_or_else(|_| Err(Failed::timed_out(self.timeout)))
    }

    /// Like [`Connection::send`], without a time limit of its own.
    pub(super) async fn exchange(&self, request: Request<'_>) -> Result<Response, Failed> {
        let mut response = self.build(request)?.send().await.map_err(broken)?;
        let header = |headers: &HeaderMap, name| headers.get(name)?.to_str().ok().map(str::to_owned);
        let retry_after = header(response.headers(), RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        let mut answer = Response {
            status: response.status().as_u16(),
            location: header(response.headers(), LOCATION),
            retry_after: retry_after.map(Duration::from_secs),
            body: Zeroizing::new(Vec::new()),
        };
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if answer.body.len() + chunk.len() > MAX_BODY_BYTES {
                let limit = MAX_BODY_BYTES >> 20;
                return Err(Failed::new(
                    GapReason::TooLarge,
                    format!("the server's answer is larger than {limit} MiB"),
                ));
            }
            append(&mut answer.body, &chunk);
        }
        Ok(answer)
    }

    fn build(&self, request: Request<'_>) -> Result<reqwest::RequestBuilder, Failed> {
        let path = request.path.join("/");
        // A URL cannot hold them: clients and servers take them out, and so would ask for another path.
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(Failed::new(GapReason::Malformed, "no request can be made: '.' or '..' is a part of the path"));
        }
        let mut url = format!("{}/v1/{}", self.base, utf8_percent_encode(&path, ESCAPED));
        if !request.query.is_empty() {
            url.push('?');
            url.push_str(request.query);
        }
        let method = match request.body {
            Some(_) if request.patch => Method::PATCH,
            Some(_) => Method::POST,
            None => Method::GET,
        };
        let mut http = self.http.request(method, url).header("X-Vault-Request", "true");
        if let Some(token) = request.token {
            http = http.header("X-Vault-Token", token);
        }
        if let Some(namespace) = self.namespace.as_ref().filter(|_| request.namespaced) {
            http = http.header("X-Vault-Namespace", namespace);
        }
        if let Some(agent) = request.agent {
            http = http.header(USER_AGENT, agent);
        }
        let kind = if request.patch { "application/merge-patch+json" } else { "application/json" };
        Ok(match request.body {
            // It is wiped once it was sent.
            Some(body) => http.header(CONTENT_TYPE, kind).body(Bytes::from_owner(body)),
            None => http,
        })
    }
}

/// Reads a small file of credentials whole.
pub(super) fn read_small(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    // Before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)?.take(MAX_CREDENTIAL_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_CREDENTIAL_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(bytes)
}

fn authorities(file: &Path) -> Result<Vec<Certificate>, Failed> {
    let unusable = |why: String| {
        Failed::new(GapReason::Unreachable, format!("the CA file {} cannot be used: {why}", file.display()))
            .hint("set ca_file (or VAULT_CACERT) to a PEM bundle of the authorities that sign the server's certificate")
    };
    let pem = read_small(file).map_err(|error| unusable(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unusable("it holds no PEM certificate".into())),
    }
}

/// Grows by copying and wiping, since a `Vec` that moves leaves its old bytes behind.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(body.capacity() * 2)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

fn broken(error: reqwest::Error) -> Failed {
    let error = error.without_url();
    let cause = root_cause(&error);
    let unreachable = |what: String| Failed::new(GapReason::Unreachable, what);
    if is_tls(&cause) {
        unreachable(format!("TLS with the server failed: {cause}"))
            .hint("set ca_file (or VAULT_CACERT) to the authority of the server's certificate, and address to its name")
    } else if error.is_connect() {
        unreachable(format!("cannot connect to the server: {cause}"))
            .hint("check the address, and that the server runs")
    } else {
        unreachable(format!("the connection broke: {cause}")).transient()
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Rustls' errors, which reqwest does not tell apart from others of connecting.
fn is_tls(cause: &str) -> bool {
    [
        "certificate",
        "handshake",
        "received corrupt message",
        "received fatal alert",
        "peer is incompatible",
        "peer misbehaved",
    ]
    .iter()
    .any(|sign| cause.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(address: &str) -> StoreConfig {
        super::super::tests::config(address)
    }

    fn url(path: &[&str]) -> Result<String, Failed> {
        let connection = Connection::new(&config("https://vault.test:8200/prefix/"), &|_| None)?;
        let request = Request { path, query: "list=true", namespaced: true, ..Request::default() };
        Ok(connection.build(request)?.build().expect("a request").url().to_string())
    }

    #[test]
    fn every_character_of_a_path_survives() {
        for (path, sent) in [
            (&["secret", "metadata", "a/b.c/"][..], "secret/metadata/a/b.c/"),
            (&["secret", "data", "a b%c#d?e"], "secret/data/a%20b%25c%23d%3Fe"),
            (&["s", "x%2Fy", "\"'\\;&+=@:\t"], "s/x%252Fy/%22%27%5C%3B%26%2B%3D%40%3A%09"),
            (&["s", "é/💥", "..."], "s/%C3%A9/%F0%9F%92%A5/..."),
        ] {
            assert_eq!(url(path), Ok(format!("https://vault.test:8200/prefix/v1/{sent}?list=true")));
        }
        for bad in ["..", "a/../b", ".", "a/./b"] {
            assert_eq!(url(&["secret", bad]).map_err(|failed| failed.reason), Err(GapReason::Malformed), "{bad}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_told() {
        let told = |address| Connection::new(&config(address), &|_| None).err().expect("refused").what;
        assert!(told("ftp://x").contains("http://"));
        assert!(told("vault:8200").contains("http://"));
        let secretive = told("https://me:hunter2@vault.test"); // keytrail:allow made up
        assert!(secretive.contains("no user") && !secretive.contains("hunter2"));
    }

    #[test]
    fn what_the_config_leaves_out_comes_from_the_environment() {
        let none = StoreConfig { address: None, ..config("") };
        assert_eq!(Connection::new(&none, &|_| None).err().expect("refused").what, "the store has no address");
        let env = |name: &str| match name {
            "VAULT_ADDR" => Some("http://127.0.0.1:8200".to_owned()),
            "VAULT_NAMESPACE" => Some("team".to_owned()),
            _ => None,
        };
        let connection = Connection::new(&none, &env).expect("an address");
        assert_eq!(connection.base, "http://127.0.0.1:8200");
        assert_eq!(connection.namespace, Some(HeaderValue::from_static("team")));
        let https = |name: &str| (name == "VAULT_CACERT").then(|| "/nonexistent.pem".to_owned());
        let refused = Connection::new(&config("https://vault.test"), &https).err().expect("refused").what;
        assert!(refused.starts_with("the CA file /nonexistent.pem cannot be used"), "{refused}");
    }

    #[test]
    fn appending_keeps_the_bytes() {
        let mut body = Zeroizing::new(Vec::new());
        let chunks: Vec<Vec<u8>> = (0_u8..50).map(|n| vec![n; usize::from(n) * 7]).collect();
        chunks.iter().for_each(|chunk| append(&mut body, chunk));
        assert_eq!(*body, chunks.concat());
    }
}
