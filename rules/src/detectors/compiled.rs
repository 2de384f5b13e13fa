//! Regular expressions, compiled when they are first needed.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::spec::{Filter, Matcher, Spec, Target};

/// What a detector runs.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The token; or the value after a name as group 1, with the byte after it.
    pub(super) regex: Regex,
    /// What drops a match.
    pub(super) deny: Vec<(Target, Regex)>,
}

impl Compiled {
    /// Compiles what a detector needs.
    ///
    /// # Errors
    /// Which regular expression is beyond the limits, in one line.
    pub(super) fn new(spec: &Spec) -> Result<Self, String> {
        let Filter { deny, .. } = &spec.filter;
        let text = match &spec.matcher {
            Matcher::Token { regex, .. } => regex.to_string(),
            // Of several lengths that a value may have, the one that reaches its end is meant.
            Matcher::Named { value, .. } => format!(r"({value})(?:[^A-Za-z0-9_+/~$%@-]|\z)"),
        };
        let deny = deny.iter().map(|deny| Ok((deny.target, compile(&deny.regex)?))).collect::<Result<_, String>>()?;
        Ok(Self { regex: compile(&text)?, deny })
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
