use std::fmt;

use keytrail_rules::text::is_deceptive;

/// A command for a POSIX shell. It holds no value: what it writes it reads from standard input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    words: Vec<String>,
    reads: Option<String>,
}

impl Command {
    /// The program and its arguments.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// What to give on standard input, in words.
    pub fn reads(&self) -> Option<&str> {
        self.reads.as_deref()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(&quote(word))?;
        }
        Ok(())
    }
}

/// Builds a [`Command`] of fixed words and of names that may be hostile.
pub(super) struct Builder {
    words: Vec<String>,
    is_sound: bool,
}

impl Builder {
    /// Starts with fixed words.
    pub(super) fn new(words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| (*word).to_owned()).collect(), is_sound: true }
    }

    /// Adds a fixed word.
    pub(super) fn word(mut self, word: &str) -> Self {
        self.words.push(word.to_owned());
        self
    }

    /// Adds `option=name`.
    pub(super) fn option(mut self, option: &str, name: &str) -> Self {
        self.is_sound &= !name.is_empty() && !name.contains(is_deceptive);
        self.words.push(format!("{option}={name}"));
        self
    }

    /// Adds a name, which must not be taken for an option.
    pub(super) fn name(mut self, name: &str) -> Self {
        self.is_sound &= !name.is_empty() && !name.starts_with('-') && !name.contains(is_deceptive);
        self.words.push(name.to_owned());
        self
    }

    /// The command, where every name in it can be shown as it is and be taken for nothing else.
    pub(super) fn build(self, reads: Option<String>) -> Option<Command> {
        self.is_sound.then_some(Command { words: self.words, reads })
    }
}

/// A word as POSIX shells read it back. `shlex` would quote every `=`, which needs it in the first word alone (as an
/// assignment) or at the start of one (in zsh).
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-./:@_=".contains(c);
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    // Words with NUL, the one thing that cannot be quoted, are no commands: see `Builder`.
    shlex::try_quote(word).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests;
