//! Which KV mounts there are, and their versions.

use std::collections::BTreeMap;

use keytrail_rules::model::GapReason;
use serde::Deserialize;
use serde_json::Value;

use super::connection::Failed;
use super::gaps::Missed;
use super::session::{Failure, Session};

/// A KV mount, or a folder of one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Mount {
    /// Where it is mounted, without a slash at the end: `secret`, `team/kv`.
    pub(super) path: String,
    /// The folder to read, with a slash at the end; empty for all of the mount.
    pub(super) folder: String,
    pub(super) version: KvVersion,
}

/// The version of a KV secrets engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum KvVersion {
    V1,
    V2,
}

/// A mount as `sys/internal/ui/mounts` describes it, which any valid token may read of the mounts that it has some
/// permission in. <https://developer.hashicorp.com/vault/api-docs/system/internal-ui-mounts>
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    options: Option<BTreeMap<String, Value>>,
    /// Only in the answer for one mount.
    #[serde(default)]
    path: String,
}

impl Described {
    /// `None` for what is no KV engine. `generic` is the name that KV version 1 once had.
    fn version(&self) -> Option<KvVersion> {
        let version = self.options.as_ref().and_then(|options| options.get("version")?.as_str());
        match self.kind.as_str() {
            "kv" if version == Some("2") => Some(KvVersion::V2),
            "kv" | "generic" => Some(KvVersion::V1),
            _ => None,
        }
    }
}

/// The mounts of that name, or all that the token can see.
pub(super) async fn find(session: &Session, names: &[String]) -> Result<(Vec<Mount>, Vec<Missed>), Failure> {
    if names.is_empty() {
        return visible(session).await.map(|mounts| (mounts, Vec::new()));
    }
    let (mut mounts, mut missed) = (Vec::new(), Vec::new());
    for name in names.iter().map(|name| name.trim_matches('/')) {
        match named(session, name).await {
            Ok(mount) => mounts.push(mount),
            Err(Failure::Lost) => return Err(Failure::Lost),
            Err(Failure::Failed(failed)) => missed.push(Missed::failed(failed, name.to_owned())),
            Err(Failure::Denied | Failure::Missing) => missed.push(Missed::denied(
                "the server shows the token no mount",
                name.to_owned(),
                "check the name, and that the token's policy grants something in it",
            )),
        }
    }
    mounts.sort();
    mounts.dedup();
    Ok((mounts, missed))
}

async fn visible(session: &Session) -> Result<Vec<Mount>, Failure> {
    #[derive(Deserialize)]
    struct All {
        secret: BTreeMap<String, Described>,
    }
    let body = session.get(&["sys/internal/ui/mounts"], "").await?;
    let all: All = body.data().map_err(Failure::Failed)?;
    let mounts: Vec<Mount> = all
        .secret
        .iter()
        .filter_map(|(path, described)| {
            let path = path.trim_matches('/').to_owned();
            Some(Mount { path, folder: String::new(), version: described.version()? })
        })
        .collect();
    if mounts.is_empty() {
        return Err(Failure::Failed(
            Failed::new(GapReason::PermissionDenied, "the token can see no KV mount")
                .hint("name the store's mounts, and grant the token list and read in them"),
        ));
    }
    Ok(mounts)
}

/// The mount that a name is of, or lies in: `secret/app` is the folder `app/` of `secret`.
pub(super) async fn named(session: &Session, name: &str) -> Result<Mount, Failure> {
    let body = session.get(&["sys/internal/ui/mounts", name], "").await?;
    let described: Described = body.data().map_err(Failure::Failed)?;
    let unusable = |reason, what| Failure::Failed(Failed::new(reason, what));
    let version = described.version().ok_or_else(|| {
        unusable(GapReason::Unsupported, "the server has a secrets engine there that is no KV store".to_owned())
    })?;
    let path = described.path.trim_matches('/');
    let folder = match name.strip_prefix(path) {
        _ if path.is_empty() => String::new(),
        Some("") => String::new(),
        Some(rest) if rest.starts_with('/') => format!("{}/", &rest[1..]),
        _ => return Err(unusable(GapReason::Malformed, "the server describes another mount".to_owned())),
    };
    let path = if path.is_empty() { name } else { path };
    Ok(Mount { path: path.to_owned(), folder, version })
}

#[cfg(test)]
mod tests {
    use super::{Described, KvVersion};

    #[test]
    fn versions_are_told_by_type_and_options() {
        for (text, version) in [
            (r#"{"type":"kv","options":{"version":"2"}}"#, Some(KvVersion::V2)),
            (r#"{"type":"kv","options":{"version":"1"}}"#, Some(KvVersion::V1)),
            (r#"{"type":"kv","options":null,"path":"x/"}"#, Some(KvVersion::V1)),
            (r#"{"type":"kv","options":{"version":2,"x":[]}}"#, Some(KvVersion::V1)),
            (r#"{"type":"generic"}"#, Some(KvVersion::V1)),
            (r#"{"type":"cubbyhole","options":null}"#, None),
        ] {
            assert_eq!(serde_json::from_str::<Described>(text).expect(text).version(), version, "{text}");
        }
    }
}
