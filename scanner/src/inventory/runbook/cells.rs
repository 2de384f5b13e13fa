//! What the cells of a row say.

use std::rc::Rc;

use keytrail_rules::model::Place;

/// A cell, without its markup.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Cell {
    /// All of the text; `\n` for `<br>`.
    pub(super) text: String,
    /// The code spans in it.
    pub(super) code: Vec<String>,
    /// Whether there are words outside code spans.
    pub(super) has_prose: bool,
    /// Whether there is text that is not emphasised.
    pub(super) has_plain: bool,
    /// Whether there was text that is struck out.
    pub(super) is_struck: bool,
}

/// The name of a Vault store in places, unless the config gives it another.
const VAULT: &str = "vault";

/// What a cell of paths names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Held {
    /// One key, whatever the row calls it.
    Key(Place),
    /// All keys under a path of a source.
    Path { source: String, path: String },
}

impl Held {
    /// The place of the secret that the row calls `name`.
    pub(super) fn holding(&self, name: &str) -> Place {
        match self {
            Self::Key(place) => place.clone(),
            Self::Path { source, path } => Place::new(source, path, name),
        }
    }
}

impl Cell {
    /// Whether it says nothing: empty, or a dash.
    pub(super) fn is_blank(&self) -> bool {
        self.text.chars().all(|c| c.is_whitespace() || "-–—".contains(c))
    }

    /// Whether it is wholly emphasised: in a row of its own it is a heading within the table.
    pub(super) fn is_heading(&self) -> bool {
        !self.has_plain && self.code.is_empty()
    }

    /// The cell, or the one above it where it is a ditto mark.
    pub(super) fn or_above(self: &Rc<Self>, above: Option<&Rc<Self>>) -> Rc<Self> {
        let text = self.text.trim().to_lowercase();
        let ditto = matches!(
            text.as_str(),
            "\"" | "''" | "”" | "“" | "″" | "〃" | "ditto" | "do." | "same" | "same as above" | "^" | "↑"
        );
        above.filter(|_| ditto).unwrap_or(self).clone()
    }

    /// The names that it lists. Code spans count alone where they are all of the cell, or look like variables beside
    /// prose: `` JWT key (`JWT_SECRET`) ``.
    pub(super) fn names(&self) -> Vec<String> {
        let code = || self.code.iter().flat_map(|code| code.split([',', ';'])).map(str::trim);
        let of_code: Vec<&str> =
            code().filter(|code| !code.is_empty() && (!self.has_prose || is_variable(code))).collect();
        let listed = if of_code.is_empty() { split(&self.text) } else { of_code };
        listed.into_iter().flat_map(variables).collect()
    }

    /// The places that it names. Prose (`Env var / Secrets Manager`) names none.
    pub(super) fn places(&self) -> Vec<Held> {
        let listed =
            if self.code.is_empty() { split(&self.text) } else { self.code.iter().map(String::as_str).collect() };
        listed.into_iter().filter_map(|text| held(text.trim())).collect()
    }
}

/// The parts of a list, which brackets keep together.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0i32;
    let parts = text.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == '\n' || (depth <= 0 && (c == ',' || c == ';'))
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The variables of `A_KEY / B_KEY` and of `A_KEY (old)`; any other name is one.
fn variables(name: &str) -> Vec<String> {
    let bare = name.split_once('(').map_or(name, |(bare, _)| bare);
    let words: Vec<&str> = bare
        .split(|c: char| c.is_whitespace() || "/+&".contains(c))
        .filter(|word| !word.is_empty() && *word != "and")
        .collect();
    if !words.is_empty() && words.iter().all(|word| is_variable(word)) {
        words.into_iter().map(str::to_owned).collect()
    } else {
        vec![name.to_owned()]
    }
}

/// `DB_PASSWORD`: upper case with an underscore, as nothing but a variable is written.
fn is_variable(word: &str) -> bool {
    word.contains('_')
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// A place as Keytrail writes it: `vault:secret/x#y`. Much else has a colon in it (URLs, ARNs, `host:port`, prose).
pub(super) fn explicit_place(text: &str) -> Option<Place> {
    let (source, rest) = text.split_once(':')?;
    let named = source.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    let is_path = rest.contains(['/', '#']) && !rest.starts_with('/') && !rest.contains(char::is_whitespace);
    Place::parse(text).filter(|_| named && is_path && source != "arn")
}

/// What a text of a path column names.
fn held(text: &str) -> Option<Held> {
    if let Some(place) = explicit_place(text) {
        return Some(match place.key() {
            Some(_) => Held::Key(place),
            None => Held::Path { source: place.source().to_owned(), path: vault_path(&place.path())? },
        });
    }
    match text.split_once('#') {
        Some((path, key)) if !key.is_empty() => Some(Held::Key(Place::new(VAULT, &vault_path(path)?, key))),
        _ => Some(Held::Path { source: VAULT.to_owned(), path: vault_path(text)? }),
    }
}

/// The logical path of a Vault secret: `secret/user/r2` of `secret/data/user/r2`, which is its path in the API of KV
/// version 2 (<https://openbao.org/api-docs/secret/kv/kv-v2/>). `None` for files and prose.
fn vault_path(text: &str) -> Option<String> {
    const FILES: &[&str] = &[
        "env", "py", "sh", "ts", "js", "go", "rs", "yaml", "yml", "json", "toml", "ini", "md", "txt", "pem", "crt",
        "tf",
    ];
    let text = text.trim_end_matches('/');
    let mut parts: Vec<&str> = text.split('/').collect();
    let last = parts.last().copied().unwrap_or_default();
    let is_file = last.starts_with('.') || last.rsplit_once('.').is_some_and(|(_, end)| FILES.contains(&end));
    let is_path = parts.len() > 1
        && parts.iter().all(|part| !part.is_empty() && *part != "." && *part != "..")
        && text.chars().all(|c| c.is_alphanumeric() || "/-_.@".contains(c));
    if !is_path || is_file {
        return None;
    }
    if parts.len() > 3 && parts[0] == "v1" {
        parts.remove(0);
    }
    if parts.len() > 2 && matches!(parts[1], "data" | "metadata") {
        parts.remove(1);
    }
    Some(parts.join("/"))
}

/// Whether the text of an owner names nobody.
pub(super) fn is_nobody(owner: &str) -> bool {
    matches!(
        owner.to_lowercase().as_str(),
        "n/a" | "na" | "none" | "tbd" | "todo" | "unknown" | "unassigned" | "nobody" | "?" | "??"
    )
}

#[cfg(test)]
mod tests {
    use super::{Cell, explicit_place, held};

    fn prose(text: &str) -> Cell {
        Cell { text: text.to_owned(), has_prose: true, has_plain: true, ..Cell::default() }
    }

    #[test]
    fn names_are_listed_in_many_ways() {
        for (text, expected) in [
            ("DB_PASSWORD", vec!["DB_PASSWORD"]),
            ("A_KEY, B_KEY;C_KEY", vec!["A_KEY", "B_KEY", "C_KEY"]),
            ("A_KEY\nB_KEY", vec!["A_KEY", "B_KEY"]),
            ("A_KEY / B_KEY and C_KEY", vec!["A_KEY", "B_KEY", "C_KEY"]),
            ("A_KEY (until March, then B)", vec!["A_KEY"]),
            ("JWT signing key", vec!["JWT signing key"]),
            ("API keys (mail, maps)", vec!["API keys (mail, maps)"]),
            ("CI/CD token", vec!["CI/CD token"]),
        ] {
            assert_eq!(prose(text).names(), expected, "{text}");
        }
    }

    #[test]
    fn code_beside_prose_counts_where_it_is_a_variable() {
        let cell = |text: &str, code: &[&str], has_prose| Cell {
            text: text.to_owned(),
            code: code.iter().map(|code| (*code).to_owned()).collect(),
            has_prose,
            has_plain: true,
            is_struck: false,
        };
        assert_eq!(cell("JWT key (JWT_SECRET)", &["JWT_SECRET"], true).names(), ["JWT_SECRET"]);
        assert_eq!(cell("key of model-4", &["model-4"], true).names(), ["key of model-4"]);
        assert_eq!(
            cell("session-key, api-key", &["session-key", "api-key"], false).names(),
            ["session-key", "api-key"]
        );
    }

    #[test]
    fn only_places_are_places() {
        let place = |text: &str| held(text).map(|held| held.holding("K").to_string());
        for (text, expected) in [
            ("harbour/app-prod", "vault:harbour/app-prod#K"),
            ("secret/data/user/r2", "vault:secret/user/r2#K"),
            ("secret/metadata/user/r2/", "vault:secret/user/r2#K"),
            ("v1/kv/data/mail", "vault:kv/mail#K"),
            ("kv/data", "vault:kv/data#K"),
            ("secret/app/db#password", "vault:secret/app/db#password"),
            ("bao:secret/x#y", "bao:secret/x#y"),
            ("bao:secret/data/x", "bao:secret/x#K"),
        ] {
            assert_eq!(place(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "Env var / Secrets Manager",
            "IAM",
            "Key Vault",
            "deploy/.env",
            "src/vault_client.py",
            "/etc/app/key",
            "../x/y",
            "https://vault.example.com/ui",
            "arn:aws:secretsmanager:eu-west-1:1:secret/x",
            "localhost:8200",
            "secret/<env>/x",
            "a//b",
            "",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
        assert!(explicit_place("RDS: yes/no").is_none() && explicit_place("vault:secret/x#y").is_some());
    }
}
