use std::fmt;

use serde::Serialize;

/// A deployment environment, such as `production`. Where nothing tells, there is none (`Option<Environment>`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Environment(String);

/// Words that name an environment, with the environment that they name.
const WORDS: &[(&str, &str)] = &[
    ("prod", "production"),
    ("production", "production"),
    ("prd", "production"),
    ("live", "production"),
    ("stage", "staging"),
    ("staging", "staging"),
    ("stg", "staging"),
    ("uat", "staging"),
    ("dev", "development"),
    ("devel", "development"),
    ("development", "development"),
    ("local", "local"),
    ("test", "test"),
    ("testing", "test"),
    ("qa", "test"),
    ("preview", "preview"),
    ("sandbox", "sandbox"),
];

impl Environment {
    /// The environment of that name; a known short form (`prod`) is spelt out, any other name is kept in lower case.
    pub fn new(name: &str) -> Self {
        let name = name.trim().to_lowercase();
        Self(Self::of_word(&name).map_or(name, str::to_owned))
    }

    /// The environment that a path, file name or namespace names, by its words: `overlays/prod/app.yaml`,
    /// `.env.staging`, `app-prod`. The last word that names one counts, since paths go from general to specific.
    ///
    /// ```
    /// use keytrail_rules::model::Environment;
    /// assert_eq!(Environment::in_path(".env.production"), Some(Environment::new("prod")));
    /// assert_eq!(Environment::in_path("billing/deploy.yaml"), None);
    /// ```
    pub fn in_path(path: &str) -> Option<Self> {
        path.split(|c: char| !c.is_alphanumeric())
            .rev()
            .find_map(|word| Self::of_word(&word.to_lowercase()))
            .map(|name| Self(name.to_owned()))
    }

    fn of_word(word: &str) -> Option<&'static str> {
        WORDS.iter().find(|(short, _)| *short == word).map(|(_, name)| *name)
    }

    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it serves real users.
    pub fn is_production(&self) -> bool {
        self.0 == "production"
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
