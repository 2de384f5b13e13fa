//! Regular expressions, compiled when they are first needed.

use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::spec::{Filter, Matcher, Spec, Target};

/// What a detector runs.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The token; or the value after a name as group 1, with the byte after it.
    pub(super) regex: Regex,
    deny: OnceLock<Vec<(Target, Regex)>>,
    paths: OnceLock<(Option<Regex>, Vec<Regex>)>,
}

impl Compiled {
    /// Compiles what a detector needs at once.
    ///
    /// # Errors
    /// What of the regular expression is beyond the limits, in one line.
    pub(super) fn new(spec: &Spec) -> Result<Self, String> {
        let regex = match &spec.matcher {
            Matcher::Token { regex, .. } => compile(regex),
            // Of several lengths that a value may have, the one that reaches its end is meant.
            Matcher::Named { value, .. } => compile(&format!(r"({value})(?:[^A-Za-z0-9_+/~$%@-]|\z)")),
        };
        Ok(Self { regex: regex?, deny: OnceLock::new(), paths: OnceLock::new() })
    }

    /// What drops a match. Each was compiled once when it was read, so none is left out here.
    pub(super) fn deny(&self, filter: &Filter) -> &[(Target, Regex)] {
        self.deny.get_or_init(|| {
            filter.deny.iter().filter_map(|deny| Some((deny.target, compile(&deny.regex).ok()?))).collect()
        })
    }

    /// Whether the detector looks at a file at all.
    pub(super) fn admits(&self, filter: &Filter, path: &[u8]) -> bool {
        let (only_in, not_in) = self.paths.get_or_init(|| {
            let only_in = filter.only_in.as_ref().and_then(|regex| compile(regex).ok());
            (only_in, filter.not_in.iter().filter_map(|regex| compile(regex).ok()).collect())
        });
        only_in.as_ref().is_none_or(|regex| regex.is_match(path)) && !not_in.iter().any(|regex| regex.is_match(path))
    }
}

/// Compiles a regular expression of bytes.
///
/// # Errors
/// What is wrong with it, in one line.
pub(super) fn compile(regex: &str) -> Result<Regex, String> {
    /// More than any sensible detector needs, in bytes.
    const LARGEST: usize = 4 << 20;
    let config = Regex::config()
        .utf8_empty(false)
        .nfa_size_limit(Some(LARGEST))
        .onepass_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(512 << 10);
    let syntax = syntax::Config::new().unicode(false).utf8(false).nest_limit(100);
    Regex::builder().configure(config).syntax(syntax).build(regex).map_err(|error| match error.size_limit() {
        Some(limit) => format!("the compiled regex is larger than {limit} bytes"),
        None => error.to_string(),
    })
}
