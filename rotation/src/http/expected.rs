//! What an answer over HTTP should be.

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::{Reply, address};
use crate::failure::Failure;

/// What an answer should be.
#[derive(Clone, PartialEq, Debug)]
pub struct Expected {
    /// The statuses.
    pub status: Statuses,
    /// Where in the JSON of the body something is: `checks.database.0.state`.
    pub json: Option<String>,
    /// What is there; without, anything but `null` and `false`.
    pub equals: Option<Value>,
}

/// `200`, or `[200, 204]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum Statuses {
    /// This one.
    One(u16),
    /// Any of these.
    Any(Vec<u16>),
}

impl Default for Statuses {
    fn default() -> Self {
        Self::One(200)
    }
}

impl Statuses {
    fn has(&self, status: u16) -> bool {
        match self {
            Self::One(one) => *one == status,
            Self::Any(any) => any.contains(&status),
        }
    }
}

impl Expected {
    /// In which way an answer is another one; `None` where it is not. Quotes nothing of it.
    pub fn difference(&self, reply: &Reply) -> Option<String> {
        if !self.status.has(reply.status) {
            return Some(format!("it answers with status {}", reply.status));
        }
        let path = self.json.as_deref()?;
        let Ok(body) = reply.json::<Value>() else {
            return Some("its answer is not JSON".to_owned());
        };
        match (find(&body, path), &self.equals) {
            (None, _) => Some(format!("its answer has no {path}")),
            (Some(found), Some(expected)) => (found != expected).then(|| format!("its {path} is another one")),
            (Some(Value::Null | Value::Bool(false)), None) => Some(format!("its {path} is not true")),
            (Some(_), None) => None,
        }
    }
}

/// What is at a path: names of fields and numbers of elements, with dots between them.
fn find<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.trim_start_matches("$.").split('.').try_fold(body, |value, step| match value {
        Value::Array(list) => list.get(step.parse::<usize>().ok()?),
        _ => value.get(step),
    })
}

/// An address of the user's own choice; it may have a query. With a credential nothing goes in the clear to another
/// machine.
///
/// # Errors
/// No URL of HTTP; one with a login in it; see [`address`].
pub fn endpoint(text: &str, with_credential: bool) -> Result<Url, Failure> {
    let bad = |what: &str| Failure::not_done(what.to_owned()).hint("write https://host.example.com/path");
    let url = Url::parse(text).map_err(|_| bad("the address is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad("the address is not one of HTTP"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("the address holds a login: name it apart, as a header"));
    }
    if with_credential {
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        address(bare.as_str())?;
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_in_json_are_found() {
        let body = json!({ "checks": { "db": [{ "state": "up" }] }, "ok": null });
        assert_eq!(find(&body, "checks.db.0.state"), Some(&json!("up")));
        assert_eq!(find(&body, "$.ok"), Some(&Value::Null));
        for path in ["checks.db.1", "checks.db.x", "ok.state", "", "checks..db"] {
            assert_eq!(find(&body, path), None, "{path}");
        }
    }

    #[test]
    fn with_a_credential_no_plain_text_leaves_the_machine() {
        for text in ["http://api.internal/health?deep=1", "https://api.example.com/"] {
            assert!(endpoint(text, false).is_ok(), "{text}");
        }
        assert!(endpoint("http://api.internal/health", true).is_err());
        assert!(endpoint("http://127.0.0.1:8000/health?deep=1", true).is_ok());
        for text in ["ftp://host/", "host/path", "https://user:x@host/", "file:///etc/passwd"] {
            assert!(endpoint(text, false).is_err(), "{text}");
        }
    }
}
