//! Whose secrets a path means.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whose secrets they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// An organisation's.
    Organisation(String),
    /// A repository's: `OWNER/REPO`.
    Repository(String),
    /// An environment's of a repository.
    Environment(String, String),
}

impl Owner {
    /// Reads a path: `OWNER`, `OWNER/REPO`, `OWNER/REPO/ENVIRONMENT`; and, as workflows mean them, `actions` and
    /// `environment/NAME` of the repository `own`.
    pub(super) fn parse(path: &str, own: Option<&str>) -> Result<Self, String> {
        let of_own = || {
            own.map(str::to_owned).ok_or_else(|| {
                format!("{path}: of which repository is not known: set mounts = [\"OWNER/REPO\"], or GITHUB_REPOSITORY")
            })
        };
        let found = match path.split_once('/') {
            None if path == "actions" => Self::Repository(of_own()?),
            None => Self::Organisation(path.to_owned()),
            Some(("environment", name)) => Self::Environment(of_own()?, name.to_owned()),
            Some((owner, rest)) => match rest.split_once('/') {
                None => Self::Repository(format!("{owner}/{rest}")),
                Some((repository, name)) => Self::Environment(format!("{owner}/{repository}"), name.to_owned()),
            },
        };
        found.is_sound().then_some(found).ok_or_else(|| {
            format!("{path} names no secrets of GitHub: write OWNER, OWNER/REPO or OWNER/REPO/ENVIRONMENT as the path")
        })
    }

    fn is_sound(&self) -> bool {
        let repository = |name: &str| name.split('/').count() == 2 && name.split('/').all(is_segment);
        match self {
            Self::Organisation(name) => is_segment(name),
            Self::Repository(name) => repository(name),
            Self::Environment(name, environment) => repository(name) && is_segment(environment),
        }
    }

    /// The path of the API below which the secrets are, escaped.
    ///
    /// Source: <https://docs.github.com/en/rest/actions/secrets>
    pub(super) fn secrets(&self) -> String {
        match self {
            Self::Organisation(name) => format!("/orgs/{}/actions/secrets", escape(name)),
            Self::Repository(name) => format!("{}/actions/secrets", repository(name)),
            Self::Environment(name, environment) => {
                format!("{}/environments/{}/secrets", repository(name), escape(environment))
            }
        }
    }

    /// How messages call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Organisation(name) => format!("the organisation {name}"),
            Self::Repository(name) => format!("the repository {name}"),
            Self::Environment(name, environment) => format!("the environment {environment} of {name}"),
        }
    }

    /// The scope that a classic token needs for its secrets.
    pub(super) fn scope(&self) -> &'static str {
        match self {
            Self::Organisation(_) => "admin:org",
            Self::Repository(_) | Self::Environment(..) => "repo",
        }
    }
}

/// `/repos/OWNER/REPO`, escaped.
pub(super) fn repository(name: &str) -> String {
    let parts: Vec<String> = name.split('/').map(escape).collect();
    format!("/repos/{}", parts.join("/"))
}

/// A part of an address. The `/` of an environment's name is escaped too, as GitHub wants it.
pub(super) fn escape(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}

/// An address cannot hold `.` and `..`: they would lead to another one.
fn is_segment(text: &str) -> bool {
    !text.is_empty() && text != "." && text != ".." && !text.chars().any(char::is_control)
}

/// What GitHub takes for the name of a secret.
///
/// Source: <https://docs.github.com/en/actions/reference/security/secrets#naming-your-secrets>
pub(super) fn is_name(name: &str) -> bool {
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let reserved = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("GITHUB_"));
    starts && !reserved && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_the_trails_and_the_workflows_write_them() {
        for (path, secrets) in [
            ("acme", "/orgs/acme/actions/secrets"),
            ("acme/shop", "/repos/acme/shop/actions/secrets"),
            ("acme/shop/live eu", "/repos/acme/shop/environments/live%20eu/secrets"),
            ("acme/shop/live/eu", "/repos/acme/shop/environments/live%2Feu/secrets"),
            ("actions", "/repos/own/er/actions/secrets"),
            ("environment/live/eu", "/repos/own/er/environments/live%2Feu/secrets"),
        ] {
            assert_eq!(Owner::parse(path, Some("own/er")).unwrap().secrets(), secrets, "{path}");
        }
        for bad in ["", "/", "acme/", "/shop", "..", "acme/..", "acme/shop/..", "acme/shop/", "environment/", "a\nb"] {
            assert!(Owner::parse(bad, Some("own/er")).is_err(), "{bad:?}");
        }
        for own in [None, Some("only"), Some("a/b/c")] {
            assert!(Owner::parse("actions", own).is_err() && Owner::parse("environment/x", own).is_err());
        }
    }

    #[test]
    fn names_are_those_that_github_takes() {
        assert!(["A", "_a1", "DB_PASSWORD", "GITHUB"].into_iter().all(is_name));
        assert!(!["", "1A", "A-B", "A/B", "github_token", "GITHUB_X", "é"].into_iter().any(is_name));
    }
}
