use std::fmt;

use serde::Serialize;

/// The name of a secret or variable, in the one spelling in which names are compared: upper case, words joined
/// by single underscores. `jwt signing key`, `jwt-signing-key` and `JWT_SIGNING_KEY` are one key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// Normalises a name. Letters and digits of any script stay; every other run of characters is one `_`.
    ///
    /// A name without a letter or digit stays as it is, so that it still shows up under its own name.
    pub fn new(name: &str) -> Self {
        let mut key = String::with_capacity(name.len());
        for c in name.chars() {
            if c.is_alphanumeric() {
                key.extend(c.to_uppercase());
            } else if !key.is_empty() && !key.ends_with('_') {
                key.push('_');
            }
        }
        while key.ends_with('_') {
            key.pop();
        }
        if key.is_empty() { Self(name.to_owned()) } else { Self(key) }
    }

    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words of the name: `DB_PASSWORD` has `DB` and `PASSWORD`.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split('_').filter(|word| !word.is_empty())
    }

    /// The last word, `PASSWORD` of `DB_PASSWORD`.
    pub fn last_word(&self) -> &str {
        self.words().last().unwrap_or(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn spellings_of_one_name_are_one_key() {
        for name in ["JWT signing key", "jwt-signing-key", "JWT_SIGNING_KEY", "jwt.signing__key", " jwt signing key "] {
            assert_eq!(Key::new(name).as_str(), "JWT_SIGNING_KEY", "{name:?}");
        }
        assert_eq!(Key::new("clé-api").as_str(), "CLÉ_API");
        assert_eq!(Key::new("%%").as_str(), "%%");
    }
}
