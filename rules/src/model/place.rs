use std::fmt;

use serde::Serialize;

/// One place that can hold a value, as `source:path#key`: `vault:secret/app/auth0#m2m_client_secret`,
/// `env-file:deploy/.env#API_KEY`, `kubernetes:shop/secret/db#password`. A place without `#key` is a whole path
/// whose keys could not be seen.
///
/// `#` and `%` inside a part are written `%23` and `%25`, so that the last `#` always starts the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Place(String);

impl Place {
    /// The place of `key` under `path` in `source` (the name of a store, or the kind of a file).
    pub fn new(source: &str, path: &str, key: &str) -> Self {
        Self(format!("{source}:{}#{}", escape(path), escape(key)))
    }

    /// The place of a whole path, whose keys are not known.
    pub fn of_path(source: &str, path: &str) -> Self {
        Self(format!("{source}:{}", escape(path)))
    }

    /// Reads a place as a person writes it in a config or a runbook: `source:path#key` or `source:path`.
    /// `None` without a source or a path. A `%` that starts no `%23` or `%25` is taken literally.
    pub fn parse(text: &str) -> Option<Self> {
        let (source, rest) = text.trim().split_once(':')?;
        if source.is_empty() || source.contains(char::is_whitespace) {
            return None;
        }
        let (path, key) = match rest.rsplit_once('#') {
            Some((path, key)) => (path, Some(key)),
            None => (rest, None),
        };
        if path.is_empty() || key == Some("") {
            return None;
        }
        Some(match key {
            Some(key) => Self::new(source, &unescape(path), &unescape(key)),
            None => Self::of_path(source, &unescape(path)),
        })
    }

    /// Takes a place back that was stored before.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the colon: `vault`, `env-file`, `kubernetes`, …
    pub fn source(&self) -> &str {
        self.0.split_once(':').map_or("", |(source, _)| source)
    }

    /// The path, unescaped: `secret/app/auth0`.
    pub fn path(&self) -> String {
        let rest = self.0.split_once(':').map_or("", |(_, rest)| rest);
        unescape(rest.rsplit_once('#').map_or(rest, |(path, _)| path))
    }

    /// The key, unescaped; `None` for a whole path.
    pub fn key(&self) -> Option<String> {
        self.0.rsplit_once('#').map(|(_, key)| unescape(key))
    }

    /// The place of the whole path that this one lies in.
    pub fn whole_path(&self) -> Self {
        Self(self.0.rsplit_once('#').map_or(self.0.as_str(), |(path, _)| path).to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn escape(part: &str) -> String {
    part.replace('%', "%25").replace('#', "%23")
}

fn unescape(part: &str) -> String {
    part.replace("%23", "#").replace("%25", "%")
}

/// Where in a file a thing is said. Columns are 1-based and count UTF-16 units, as SARIF and editors do; the end
/// is exclusive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Location {
    /// Path with `/` between its parts, relative to the scanned folder.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// First column of the thing.
    pub start_column: u32,
    /// First column after the thing.
    pub end_column: u32,
}

impl Location {
    /// The whole of `text`, the line `line` of `file`, without the white space around it.
    pub fn of_line(file: &str, line: u32, text: &str) -> Self {
        let text = text.trim_end();
        let indent = text.len() - text.trim_start().len();
        let units = |part: &str| u32::try_from(part.encode_utf16().count()).unwrap_or(u32::MAX - 1);
        Self {
            file: file.to_owned(),
            line,
            start_column: units(&text[..indent]) + 1,
            end_column: (units(text) + 1).max(2),
        }
    }

    /// The first line of a file, for what is said of the file as a whole.
    pub fn of_file(file: &str) -> Self {
        Self { file: file.to_owned(), line: 1, start_column: 1, end_column: 2 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Location, Place};

    proptest! {
        #[test]
        fn a_place_gives_back_its_parts(path in ".{1,20}", key in ".{1,20}") {
            let place = Place::new("vault", &path, &key);
            prop_assert_eq!(place.source(), "vault");
            prop_assert_eq!(place.path(), path);
            prop_assert_eq!(place.key(), Some(key));
        }
    }

    #[test]
    fn a_place_is_read_as_written() {
        let place = Place::parse("vault:secret/app#k").expect("a place");
        assert_eq!((place.source(), place.path().as_str(), place.key().as_deref()), ("vault", "secret/app", Some("k")));
        for bad in ["", "vault", "vault:", ":x#y", "vault:#k", "vault:p#", "a b:c#d"] {
            assert_eq!(Place::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn columns_count_utf16_units() {
        let location = Location::of_line("f", 3, "  k: 😀 ");
        assert_eq!((location.start_column, location.end_column), (3, 8));
    }
}
