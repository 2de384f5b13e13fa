//! The API server of a cluster, asked without the client's own types: those would keep values in memory that is not
//! wiped.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use keytrail_rules::model::GapReason;
use kube::api::{GetParams, ListParams, Patch, PatchParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use kube::{Client, Config, Resource};
use reqwest::header::{HeaderValue, USER_AGENT};
use zeroize::Zeroizing;

use crate::config::{StoreAuth, StoreConfig};

/// How long the server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Why there is no answer, or which the answer is. Quotes nothing that the server sent.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    pub(super) reason: GapReason,
    /// The HTTP status, where the server answered.
    pub(super) status: Option<u16>,
    pub(super) what: String,
    pub(super) hint: &'static str,
}

impl Unanswered {
    fn new(reason: GapReason, what: impl Into<String>, hint: &'static str) -> Self {
        Self { reason, status: None, what: what.into(), hint }
    }

    pub(super) fn unknown_form() -> Self {
        let hint = "check that the address is that of a Kubernetes API server";
        Self::new(GapReason::Malformed, "the server's answer has an unknown form", hint)
    }
}

/// What is asked for.
pub(super) enum Ask<'a> {
    /// A Secret.
    Get(&'a str),
    /// A page of Secrets.
    List(&'a ListParams),
    /// The same without values.
    ListMetadata(&'a ListParams),
    /// A Secret, changed by a merge patch.
    Patch {
        name: &'a str,
        parameters: PatchParams,
        /// JSON.
        body: Vec<u8>,
    },
}

/// What can be asked.
pub(super) struct Cluster(Client);

impl Cluster {
    /// Prepares requests to the cluster of a store. Sends nothing, unless a login program of the user's own config does.
    pub(super) async fn connect(config: &StoreConfig) -> Result<Self, Unanswered> {
        let mut cluster = match &config.address {
            Some(address) => at_address(address, config).await?,
            None => Config::infer().await.map_err(|_| unusable("set KUBECONFIG, or `address` of the store"))?,
        };
        cluster.connect_timeout = Some(CONNECT);
        cluster.read_timeout = Some(config.timeout);
        let client = Client::try_from(cluster).map_err(|_| unusable("check the config of Kubernetes"))?;
        Ok(Self(client))
    }

    /// Asks for Secrets of a namespace, or of all, once and as `agent`; gives the JSON of the answer.
    pub(super) async fn ask(
        &self,
        namespace: Option<&str>,
        asked: Ask<'_>,
        agent: Option<&HeaderValue>,
        limit: Duration,
    ) -> Result<Zeroizing<String>, Unanswered> {
        let requests = Request::new(Secret::url_path(&(), namespace));
        let request = match asked {
            Ask::Get(name) => requests.get(name, &GetParams::default()),
            Ask::List(page) => requests.list(page),
            Ask::ListMetadata(page) => requests.list_metadata(page),
            Ask::Patch { name, parameters, body } => {
                // The body is put in afterwards: the client would build it in memory that moves.
                let request = requests.patch(name, &parameters, &Patch::Merge(()));
                request.map(|mut request| {
                    *request.body_mut() = body;
                    request
                })
            }
        };
        let no_request = |_| Unanswered::new(GapReason::Unsupported, "no request can be made", "check the name");
        let mut request = request.map_err(no_request)?;
        if let Some(agent) = agent {
            request.headers_mut().insert(USER_AGENT, agent.clone());
        }
        match tokio::time::timeout(limit, self.0.request_text(request)).await {
            Ok(Ok(text)) => Ok(Zeroizing::new(text)),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(Unanswered::new(
                GapReason::TimedOut,
                format!("the Kubernetes API does not answer within {limit:?}"),
                "check that the server runs",
            )),
        }
    }
}

fn unusable(hint: &'static str) -> Unanswered {
    Unanswered::new(GapReason::Unsupported, "there is no usable configuration of Kubernetes", hint)
}

/// The server at an address, with the token of the table.
async fn at_address(address: &str, config: &StoreConfig) -> Result<Config, Unanswered> {
    let in_root = |path: &Path| config.root.join(path).to_string_lossy().into_owned();
    let named = serde_json::json!({
        "clusters": [{ "name": "store", "cluster": {
            "server": address,
            "certificate-authority": config.ca_file.as_deref().map(in_root),
        } }],
        "users": [{ "name": "store" }],
        "contexts": [{ "name": "store", "context": { "cluster": "store", "user": "store" } }],
        "current-context": "store",
    });
    let mut kubeconfig: Kubeconfig =
        serde_json::from_value(named).map_err(|_| unusable("check the `address` of the store"))?;
    let mut user = AuthInfo::default();
    match &config.auth {
        StoreAuth::Ambient => {}
        StoreAuth::TokenFile(path) => user.token_file = Some(in_root(path)),
        StoreAuth::TokenEnv(name) => {
            let token = std::env::var(name).map_err(|_| {
                let what = format!("the environment variable {name} is not set");
                Unanswered::new(GapReason::Unauthenticated, what, "set it to a token")
            })?;
            user.token = Some(token.into());
        }
        StoreAuth::AppRole { .. } => return Err(unusable("log in with a token: AppRole is a way of Vault")),
    }
    kubeconfig.auth_infos.iter_mut().for_each(|named| named.auth_info = Some(user.clone()));
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|_| unusable("check `address`, `auth` and `ca_file` of the store"))
}

/// What an error means. What the client says may quote what a login program printed, or the server.
fn refusal(error: &kube::Error) -> Unanswered {
    let kube::Error::Api(status) = error else {
        let hint = "check the config of Kubernetes, and that the server runs";
        return Unanswered::new(GapReason::Unreachable, "the Kubernetes API cannot be reached", hint);
    };
    let (reason, what, hint) = match status.code {
        401 => (GapReason::Unauthenticated, "the Kubernetes API refuses the login", "log in anew, or check the token"),
        403 => {
            (GapReason::PermissionDenied, "the Kubernetes API does not allow it", "grant it to the user or the token")
        }
        404 => (GapReason::Unreachable, "the Kubernetes API finds it not", "check the namespace and the name"),
        _ => (GapReason::Unreachable, "the Kubernetes API answers with an error", "look at the log of the server"),
    };
    let what =
        if matches!(status.code, 401 | 403 | 404) { what.to_owned() } else { format!("{what} ({})", status.code) };
    Unanswered { status: Some(status.code), ..Unanswered::new(reason, what, hint) }
}
