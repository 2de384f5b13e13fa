//! How Amazon Web Services is asked, by the issuers here and by the stores of the scanner.
//!
//! # Guarantees
//! * Requests go to AWS, or to the configured endpoint; no redirect is followed. Each ends within the time limit of its
//!   context, repetitions included.
//! * The name of the run is part of the user agent, which CloudTrail records: `keytrail-run/kt-…`.
//! * No failure quotes what the server sent, but for the code of its error.
//!
//! # Assumptions
//! * The SDK does not wipe what it sends and receives from memory.

use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_sts::config::{ConfigBag, Credentials, Intercept, RuntimeComponents, SharedCredentialsProvider};
use aws_sdk_sts::error::{BoxError, ProvideErrorMetadata, SdkError};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::credential::{Credential, VALUE};
use crate::failure::Failure;
use crate::settings::Given;

/// The part of a [`Credential`] that names an access key; its [`VALUE`] is the secret access key.
pub const ACCESS_KEY_ID: &str = "access_key_id";

/// The region of services that have but one, where none is configured.
const ONE_REGION: &str = "us-east-1";

/// Where and as whom AWS is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Access {
    /// `eu-west-1`; else that of the environment or of the profile, as the AWS CLI takes it.
    pub region: Option<String>,
    /// The address of a server in place of AWS.
    pub endpoint: Option<String>,
    /// As whom; else as the AWS CLI would be.
    pub login: Option<Login>,
}

/// The access key that Keytrail itself logs in with.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Its name.
    pub access_key_id: Given,
    /// Its secret.
    pub secret_access_key: Given,
    /// The token of a session, for keys that end by themselves.
    pub session_token: Option<Given>,
}

impl Access {
    /// The same in the region that an ARN names, where none is configured.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
    #[must_use]
    pub fn near(&self, name: &str) -> Self {
        let mut parts = name.split(':');
        let named = (parts.next() == Some("arn")).then(|| parts.nth(2)).flatten().filter(|region| !region.is_empty());
        Self { region: self.region.clone().or(named.map(str::to_owned)), ..self.clone() }
    }

    /// How a client is made. Reads files and the environment; where neither names a region or a login, what runs the
    /// machine is asked for them.
    ///
    /// # Errors
    /// A login that cannot be read.
    pub async fn config(&self, context: &Context) -> Result<SdkConfig, Failure> {
        let mut loader = self.loader(context);
        if let Some(login) = &self.login {
            loader = loader.credentials_provider(login.provider()?);
        }
        Ok(loader.load().await)
    }

    /// The same as one who has that access key, to see whether AWS honours it.
    ///
    /// # Errors
    /// A credential without one of its parts.
    pub async fn config_as(&self, context: &Context, credential: &Credential) -> Result<SdkConfig, Failure> {
        let part = |name: &str| {
            let missing = || {
                Failure::not_done(format!("the credential has no part {name}"))
                    .hint(format!("say where it is kept: parts = {{ {ACCESS_KEY_ID} = [\"STORE:PATH#KEY\"] }}"))
            };
            credential.part(name).map(|part| part.expose().to_owned()).ok_or_else(missing)
        };
        let keys = Credentials::new(part(ACCESS_KEY_ID)?, part(VALUE)?, None, None, "keytrail");
        Ok(self.loader(context).credentials_provider(SharedCredentialsProvider::new(keys)).load().await)
    }

    fn loader(&self, context: &Context) -> ConfigLoader {
        let region = RegionProviderChain::first_try(self.region.clone().map(Region::new));
        let region = region.or_default_provider().or_else(ONE_REGION);
        let loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
        let limits = TimeoutConfig::builder().operation_timeout(context.timeout).build();
        let loader = loader.timeout_config(limits);
        match &self.endpoint {
            Some(endpoint) => loader.endpoint_url(endpoint),
            None => loader,
        }
    }
}

impl Login {
    fn provider(&self) -> Result<SharedCredentialsProvider, Failure> {
        let text = |given: &Given| given.get().map(|value| value.expose().to_owned());
        let token = self.session_token.as_ref().map(text).transpose()?;
        let keys =
            Credentials::new(text(&self.access_key_id)?, text(&self.secret_access_key)?, token, None, "keytrail");
        Ok(SharedCredentialsProvider::new(keys))
    }
}

/// For calls of which a second one does more than the first: the SDK is not to repeat them by itself.
pub fn once() -> RetryConfig {
    RetryConfig::disabled()
}

/// Adds the run to the user agent of every request.
#[derive(Clone, Debug)]
pub struct RunAgent(String);

impl RunAgent {
    /// For the run of a context.
    pub fn of(context: &Context) -> Self {
        Self(context.user_agent())
    }
}

impl Intercept for RunAgent {
    fn name(&self) -> &'static str {
        "RunAgent"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Not part of the signature (SigV4 leaves the header out, since proxies change it).
        let headers = context.request_mut().headers_mut();
        let agent = headers.get("user-agent").map_or_else(|| self.0.clone(), |sdk| format!("{} {sdk}", self.0));
        headers.try_insert("user-agent", agent)?;
        Ok(())
    }
}

/// What a failed call means for what it was to do. `what` is a clause: `the secret app/db cannot be read`.
pub fn failure<E: ProvideErrorMetadata>(what: &str, error: &SdkError<E, HttpResponse>) -> Failure {
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    match (error, code) {
        (SdkError::ConstructionFailure(_), _) => {
            Failure::not_done(format!("{what}: no request can be made of it")).hint("check the names and the region")
        }
        (SdkError::TimeoutError(_), _) => Failure::unknown(format!("{what}: AWS does not answer")),
        (SdkError::ServiceError(_), Some(code)) if is_passing(code, status) => {
            Failure::unknown(format!("{what}: AWS answers {code}")).hint("try again later")
        }
        (SdkError::ServiceError(_), Some(code)) => {
            let failure = Failure::not_done(format!("{what}: AWS answers {code}"));
            match refusal(code) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
        (SdkError::ServiceError(_) | SdkError::ResponseError(_), _) => {
            let status = status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
            Failure::unknown(format!("{what}: the answer is not that of AWS{status}")).hint("check the endpoint")
        }
        _ => Failure::unknown(format!("{what}: AWS cannot be asked")).hint(
            "check the network, the region, and that the AWS CLI finds credentials: `aws sts get-caller-identity`",
        ),
    }
}

/// Whether an error says nothing of what was asked for, but that it could not be looked at now.
fn is_passing(code: &str, status: Option<u16>) -> bool {
    const CODES: [&str; 8] = [
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "PriorRequestNotComplete",
        "BandwidthLimitExceeded",
        "SlowDown",
        "InternalFailure",
        "ServiceUnavailable",
        "TooManyUpdates",
    ];
    let is_named = CODES.contains(&code) || code.contains("Throttl") || code.starts_with("RequestTimeout");
    is_named || code.starts_with("Internal") || status.is_some_and(|status| status == 429 || status >= 500)
}

/// What to do about a refusal of who asks.
fn refusal(code: &str) -> Option<&'static str> {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            Some("allow the action to the principal that Keytrail logs in as")
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "AuthFailure" => Some("log in as for the AWS CLI, and try again"),
        _ => None,
    }
}

/// Whether AWS refused the access key itself that a request was signed with.
pub fn is_unauthenticated(code: &str) -> bool {
    matches!(code, "InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" | "AuthFailure")
}

/// A name for what a run makes, in the shape of a UUID: the same for the same run and the same parts, so that AWS takes a
/// repeated request for the one before. Holds nothing of a value.
pub fn token(run: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in [run].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes: [u8; 16] = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    // RFC 9562, version 8: made in a way of one's own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests;
