//! Systems whose credentials are made at a console alone: what to do there, what a value looks like, how it is tried.

use std::collections::BTreeMap;

use keytrail_rules::detectors::Checksum;

use crate::failure::Failure;
use crate::http::Verify;

/// A system.
#[derive(Debug)]
pub(super) struct Guided {
    /// The `system` of the table.
    pub(super) name: &'static str,
    /// What to do for a new value; `{name}` is what it is to be called.
    pub(super) steps: &'static [&'static str],
    /// What to do to end one.
    pub(super) revoke: &'static [&'static str],
    /// A regular expression that the whole value matches.
    pub(super) format: Option<&'static str>,
    /// The check that a value carries in itself.
    pub(super) checksum: Option<Checksum>,
    /// Address and headers of a request that a valid value alone is let do, where the address is the same for everybody.
    probe: Option<(&'static str, &'static [(&'static str, &'static str)])>,
}

/// Every system, with its source.
static SYSTEMS: &[Guided] = &[
    // https://developer.okta.com/docs/guides/create-an-api-token/; the address of its API is the organisation's own.
    Guided {
        name: "okta-api-token",
        steps: &[
            "Sign in to the Okta admin console as the service administrator who is to own the token.",
            "Security > API > Tokens > Create token. Call it {name}.",
            "Copy the token: it is shown once. It ends by itself when it is unused for 30 days.",
        ],
        revoke: &["Security > API > Tokens: revoke it."],
        format: Some("00[A-Za-z0-9_-]{40}"),
        checksum: None,
        probe: None,
    },
    // https://platform.claude.com/docs/en/api/overview
    Guided {
        name: "anthropic",
        steps: &[
            "Sign in to the Claude console, and choose the workspace.",
            "Settings > API keys > Create key. Call it {name}.",
            "Copy the key: it is shown once.",
        ],
        revoke: &["Settings > API keys: disable it; delete it when nothing misses it."],
        format: Some("sk-ant-(?:api|admin)[0-9]{2}-[A-Za-z0-9_-]{80,120}"),
        checksum: None,
        probe: Some((
            "https://api.anthropic.com/v1/models",
            &[("x-api-key", "{value}"), ("anthropic-version", "2023-06-01")],
        )),
    },
    // https://platform.openai.com/docs/api-reference/authentication
    Guided {
        name: "openai-user-key",
        steps: &[
            "Better: let the project have a service account, whose keys need no person.",
            "Sign in to the OpenAI platform, and choose the project.",
            "API keys > Create new secret key, owned by you. Call it {name}.",
            "Copy the key: it is shown once.",
        ],
        revoke: &["API keys: revoke it."],
        format: Some("sk-[A-Za-z0-9_-]{40,200}"),
        checksum: None,
        probe: Some(("https://api.openai.com/v1/models", &[("authorization", "Bearer {value}")])),
    },
    // https://docs.github.com/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens
    Guided {
        name: "github-pat",
        steps: &[
            "Better: let a GitHub App make short-lived tokens, which need no person.",
            "Settings > Developer settings > Personal access tokens > Generate new token. Call it {name}.",
            "Give it the rights of the old one and an expiry. A fine-grained one may need the organisation's approval.",
            "Copy the token: it is shown once.",
        ],
        revoke: &["Settings > Developer settings > Personal access tokens: delete it."],
        format: Some("ghp_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82}"),
        checksum: Some(Checksum::GithubCrc32),
        probe: Some(("https://api.github.com/user", &[("authorization", "Bearer {value}")])),
    },
    // https://clerk.com/docs/guides/development/clerk-environment-variables
    Guided {
        name: "clerk",
        steps: &[
            "Sign in to the Clerk dashboard, and choose the application and the instance.",
            "API keys > Secret keys > Add new key. Call it {name}.",
            "Copy the key: it is shown once.",
        ],
        revoke: &["API keys > Secret keys: delete it."],
        format: Some("sk_(?:live|test)_[A-Za-z0-9]{20,100}"),
        checksum: None,
        probe: Some(("https://api.clerk.com/v1/instance", &[("authorization", "Bearer {value}")])),
    },
    // https://developer.1password.com/docs/service-accounts/
    Guided {
        name: "1password-service-account",
        steps: &[
            "Sign in to 1Password.com as an administrator.",
            "Developer > Service accounts: rotate the token, or make a service account called {name} with the same vaults.",
            "Where it is rotated, let the old token expire later rather than now.",
        ],
        revoke: &["Developer > Service accounts: end the old token, or delete the old service account."],
        format: Some("ops_eyJ[A-Za-z0-9_=-]{250,2000}"),
        checksum: None,
        probe: None,
    },
    // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    Guided {
        name: "slack-webhook",
        steps: &[
            "api.slack.com/apps: choose the app, then Incoming Webhooks.",
            "Add New Webhook to Workspace, to the channel of the old one.",
            "Copy the whole URL: it is the secret.",
        ],
        revoke: &["api.slack.com/apps > Incoming Webhooks: remove it."],
        format: Some("https://hooks\\.slack(?:-gov)?\\.com/services/[A-Za-z0-9+/]{20,120}"),
        checksum: None,
        probe: None,
    },
    // https://support.pagerduty.com/main/docs/services-and-integrations
    Guided {
        name: "pagerduty-routing-key",
        steps: &[
            "Open the service in PagerDuty, then Integrations > Add an integration > Events API V2.",
            "Call it {name}, if it takes a name, and copy its integration key.",
        ],
        revoke: &["Open the service, then Integrations: delete it."],
        format: Some("[A-Za-z0-9]{32}"),
        checksum: None,
        probe: None,
    },
];

impl Guided {
    /// The system of that name.
    ///
    /// # Errors
    /// There is none; which there are.
    pub(super) fn find(name: &str) -> Result<&'static Self, Failure> {
        SYSTEMS.iter().find(|system| system.name == name).ok_or_else(|| {
            Failure::not_done(format!("no steps are known for {name:?}"))
                .hint(format!("write `steps` yourself, or system = one of {}", Self::names()))
        })
    }

    /// The names of all, for people.
    pub(super) fn names() -> String {
        SYSTEMS.iter().map(|system| system.name).collect::<Vec<_>>().join(", ")
    }

    /// How a value is tried.
    pub(super) fn verify(&self) -> Option<Verify> {
        let (url, headers) = self.probe?;
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Some(Verify { headers: BTreeMap::from_iter(headers), ..Verify::bearer(url.to_owned()) })
    }

    #[cfg(test)]
    pub(super) fn all() -> &'static [Self] {
        SYSTEMS
    }
}
