use crate::source::Lines;
use crate::{Pipeline, SarifProfile, escape};

/// How a report is to be written. The default is for a pipe: no colour, any width.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether the output may be coloured.
    pub color: bool,
    /// Columns of the terminal; `None` for a pipe or a file, where nothing is wrapped.
    pub width: Option<u16>,
    /// Whether to show what is folded otherwise: repeats, and what exceptions and the baseline cover.
    pub verbose: bool,
    /// The file to point at where a finding has no line in a file of its own, relative to the scanned folder.
    pub anchor: String,
    /// Path of the scanned folder inside its repository, with `/` between its parts; empty at its root.
    pub prefix: String,
    /// What the run is about, to tell several runs over one repository apart: `scan`, `production`.
    pub category: String,
    /// The exit status that the scan ends with.
    pub exit_code: u8,
    /// The repository that was scanned, where it is known.
    pub repository: Option<Repository>,
    /// Who signs the export that the report is a part of.
    pub signed: Option<Signed>,
    /// Whose findings they are, for AWS Security Hub.
    pub aws: Option<AwsAccount>,
    /// Which service SARIF is written for.
    pub sarif_profile: SarifProfile,
    /// The pipeline that the scan ran in, for [`SarifProfile::Ado`].
    pub pipeline: Option<Pipeline>,
    /// What the report may have of the lines that its findings point at.
    pub lines: Lines,
    /// The URL of the scanned folder, with `/` at its end, for a terminal that follows links.
    pub links: Option<String>,
}

/// An account of AWS in a region. The default is no account of anybody: Security Hub refuses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsAccount {
    /// Twelve digits.
    pub id: String,
    /// `eu-central-1`.
    pub region: String,
}

impl Default for AwsAccount {
    fn default() -> Self {
        Self { id: "000000000000".to_owned(), region: "us-east-1".to_owned() }
    }
}

impl AwsAccount {
    /// An account in a region, where both are spelt as AWS spells them.
    pub fn new(id: &str, region: &str) -> Option<Self> {
        let mut parts = region.split('-');
        let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let has_number = parts.next_back().is_some_and(is_number);
        let is_region = has_number && parts.clone().count() >= 2 && parts.all(is_word) && region.len() <= 32;
        (id.len() == 12 && is_number(id) && is_region).then(|| Self { id: id.to_owned(), region: region.to_owned() })
    }

    /// The partition of the region: `aws`, `aws-cn`, …
    pub(crate) fn partition(&self) -> &'static str {
        let of = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-iso-", "aws-iso"),
            ("eusc-", "aws-eusc"),
        ];
        of.into_iter().find(|(start, _)| self.region.starts_with(start)).map_or("aws", |(_, partition)| partition)
    }
}

/// What a page that people read says on the signature under it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The key: `SHA256:…`, as `ssh-keygen -l` prints it.
    pub key: String,
    /// The state of the ledger that is part of the export, in words: `12 rows, root …`.
    pub checkpoint: Option<String>,
    /// The command that verifies it.
    pub verify: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            color: false,
            width: None,
            verbose: false,
            anchor: "keytrail.toml".to_owned(),
            prefix: String::new(),
            category: "scan".to_owned(),
            exit_code: 0,
            repository: None,
            signed: None,
            aws: None,
            sarif_profile: SarifProfile::Github,
            pipeline: None,
            lines: Lines::new(),
            links: None,
        }
    }
}

/// The repository that was scanned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repository {
    uri: String,
    /// The commit that is checked out.
    pub revision: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
}

impl Repository {
    /// The repository behind the URL of a git remote; the short form `git@host:owner/name.git` is understood.
    ///
    /// Remotes may hold passwords and tokens, so that only scheme, host, port and path are kept. `None` for a path of
    /// this machine, or for anything that is no URL.
    pub fn from_remote(remote: &str) -> Option<Self> {
        let remote = remote.trim();
        let (scheme, rest) = match remote.split_once("://") {
            Some((scheme @ ("https" | "http" | "ssh" | "git"), rest)) => (scheme, rest),
            Some(_) => return None,
            // Only a user tells the short form from a path (`C:\work`, `backup:x`).
            None => ("ssh", remote.split_once('@').map(|(_, rest)| rest)?),
        };
        let rest = rest.split(['?', '#']).next()?;
        let (host, path) = if remote.contains("://") { rest.split_once('/')? } else { rest.split_once(':')? };
        let host = host.rsplit('@').next()?;
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let path = escape::uri_path("", path)?;
        (!host.is_empty() && host.chars().all(is_host)).then(|| Self {
            uri: format!("{scheme}://{host}/{path}"),
            revision: None,
            branch: None,
        })
    }

    /// Its URL, without credentials.
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AwsAccount, Repository};

    #[test]
    fn a_remote_is_kept_without_its_credentials() {
        let uri = |remote: &str| Repository::from_remote(remote).map(|repository| repository.uri().to_owned());
        for (remote, expected) in [
            ("https://github.com/o/r.git", Some("https://github.com/o/r.git")),
            ("https://user:hunter2@github.com/o/r", Some("https://github.com/o/r")), // keytrail:allow made up
            ("https://hun@ter2@github.com:8443/o/r?token=hunter2#x", Some("https://github.com:8443/o/r")),
            ("git@github.com:o/r.git", Some("ssh://github.com/o/r.git")),
            ("ssh://git@example.com:2222/a b/r", Some("ssh://example.com:2222/a%20b/r")),
            ("/srv/git/r.git", None),
            ("../r", None),
            ("C:\\work\\r", None),
            ("file:///srv/git/r.git", None),
            ("https://", None),
            ("https:///r", None),
            ("https://a b/r", None),
            ("", None),
        ] {
            assert_eq!(uri(remote).as_deref(), expected, "{remote}");
        }
    }

    #[test]
    fn an_account_is_twelve_digits_in_a_region() {
        let partition = |id, region| AwsAccount::new(id, region).map(|account| account.partition());
        for (region, expected) in [
            ("eu-central-1", Some("aws")),
            ("us-gov-west-1", Some("aws-us-gov")),
            ("cn-north-1", Some("aws-cn")),
            ("us-isob-east-1", Some("aws-iso-b")),
            ("eu-central", None),
            ("eu-1", None),
            ("EU-central-1", None),
            ("eu--1", None),
            ("", None),
        ] {
            assert_eq!(partition("123456789012", region), expected, "{region}");
        }
        for id in ["", "12345678901", "1234567890123", "12345678901a", "١٢٣٤٥٦"] {
            assert_eq!(partition(id, "eu-central-1"), None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn no_user_and_no_password_survive(user in "[a-z@:]{1,8}", password in "[0-9@:]{6,12}") {
            let remote = format!("https://{user}:{password}@example.com/o/r");
            let repository = Repository::from_remote(&remote).expect("a URL");
            prop_assert_eq!(repository.uri(), "https://example.com/o/r");
        }

        #[test]
        fn any_remote_is_read_or_refused(remote in ".{0,40}") {
            if let Some(repository) = Repository::from_remote(&remote) {
                prop_assert!(repository.uri().is_ascii() && !repository.uri().contains('@'));
            }
        }
    }
}
