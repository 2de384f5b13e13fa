//! Application code that the policy names: lines that read the environment past a settings module, and URLs with a
//! literal password.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use keytrail_rules::model::{CodeUse, CodeUseKind, Facts, Gap, GapReason, Key};
use keytrail_rules::value::url_password;
use regex::{Match, Regex};

use super::FileKind;
use crate::source::{Reader, SourceFile};

#[cfg(test)]
mod tests;

/// Code. It has no patterns of its own: which of it has to go through a settings module is for the policy to say.
pub static KIND: FileKind = FileKind { name: "code", config_key: "code", patterns: &[], claims: |_| true, read };

/// More than any file that a person wrote has.
const MAX_USES: usize = 10_000;

/// What looks like a read of the environment. The capture is the name, where it is a literal.
const READS: &[&str] = &[
    // Python
    r#"\bos\.environb?(?:\.(?:get|pop|setdefault)\s*\(|\s*\[)\s*(?:[bur]{0,2}["'](\w+)["'])?"#,
    // JavaScript and TypeScript
    r"\bprocess\.env\.([A-Za-z_]\w*)",
    r#"\bprocess\.env\[\s*(?:["'`](\w+)["'`])?"#,
    // Rust
    r#"\benv::var(?:_os)?\s*\(\s*(?:"(\w+)")?"#,
    // Go
    r#"\bos\.(?:Getenv|LookupEnv)\s*\(\s*(?:["`](\w+)["`])?"#,
    // C, C++, Java, Kotlin, PHP, Lua and, as os.getenv, Python
    r#"\b(?:secure_)?getenvb?\s*\(\s*(?:[bur]{0,2}["'](\w+)["'])?"#,
    // Ruby
    r#"\bENV(?:\[|\.fetch[\s(])\s*(?:["'](\w+)["'])?"#,
    // PHP
    r#"\$_ENV\[\s*(?:["'](\w+)["'])?"#,
    // C# and other .NET languages
    r#"\bEnvironment\.GetEnvironmentVariable\s*\(\s*(?:"(\w+)")?"#,
];

/// `const { A, B: b } = process.env`, which reads many at once.
const DESTRUCTURED: &str = r"\{([^{}]*)\}\s*=\s*process\.env\b";

const URL: &str = r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s"'`<>\\]+"#;

struct Patterns {
    reads: Vec<Regex>,
    destructured: Regex,
    url: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the patterns are literals, and every test compiles them")]
    let regex = |pattern: &str| Regex::new(pattern).expect("a valid pattern");
    Patterns {
        reads: READS.iter().map(|pattern| regex(pattern)).collect(),
        destructured: regex(DESTRUCTURED),
        url: regex(URL),
    }
});

fn read(file: &SourceFile, reader: &Reader<'_>) -> Facts {
    let mut facts = Facts::default();
    for (number, line) in file.lines().filter(|(_, line)| !is_comment(line)) {
        let kinds: BTreeSet<CodeUseKind> =
            environ_reads(line).map(CodeUseKind::EnvironRead).chain(credential_urls(line, reader)).collect();
        if kinds.is_empty() {
            continue;
        }
        let location = file.at(number);
        if facts.code.len() + kinds.len() > MAX_USES {
            let message = format!("more than {MAX_USES} lines of the file read the environment; the rest was not read");
            let gap = Gap::at(location, GapReason::TooLarge, message);
            facts.gaps.push(gap.hint("leave the file out of [inventory] code"));
            break;
        }
        facts.code.extend(kinds.into_iter().map(|kind| CodeUse { location: location.clone(), kind }));
    }
    facts
}

/// Whether a line is nothing but a comment, in any of the usual languages.
fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    let starts = |marks: &[&str]| marks.iter().any(|mark| line.starts_with(mark));
    // `#define X getenv("X")` and `#[case(env::var("X"))]` are code.
    let hash = line.starts_with('#') && !starts(&["#[", "#define", "#if", "#elif"]);
    hash || line == "*" || starts(&["//", "/*", "* ", "*/", "--", "<!--", ";"])
}

/// The variables that a line reads; `None` for one whose name is not a literal.
fn environ_reads(line: &str) -> impl Iterator<Item = Option<Key>> {
    let single = PATTERNS.reads.iter().flat_map(move |pattern| {
        pattern.captures_iter(line).filter_map(move |found| {
            (!is_written(&line[found.get_match().end()..])).then(|| found.get(1).map(|name| Key::new(name.as_str())))
        })
    });
    let many = PATTERNS.destructured.captures_iter(line).flat_map(|found| {
        let names = found.get(1).map_or("", |names| names.as_str());
        names.split(',').filter_map(|part| {
            let name = part.split([':', '=']).next()?.trim();
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            is_name.then(|| Some(Key::new(name)))
        })
    });
    single.chain(many)
}

/// Whether what follows a name is an assignment to it: `] = value`, ` = value`, `) = value`.
fn is_written(rest: &str) -> bool {
    let rest = rest.trim_start().trim_start_matches([']', ')']).trim_start();
    rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>") && !rest.starts_with("=~")
}

/// The URLs with a literal password.
fn credential_urls<'a>(line: &'a str, reader: &'a Reader<'_>) -> impl Iterator<Item = CodeUseKind> + use<'a> {
    PATTERNS.url.find_iter(line).filter_map(|url: Match<'_>| {
        let password = url_password(url.as_str())?;
        let (scheme, rest) = url.as_str().split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user_info, host) = authority.rsplit_once('@')?;
        let (_, written) = user_info.split_once(':')?;
        if is_filled_in(written) {
            return None;
        }
        let is_host = |c: char| c.is_alphanumeric() || "._-:[]%{}$".contains(c);
        let host = &host[..host.find(|c| !is_host(c)).unwrap_or(host.len())];
        let target = format!("{scheme}://{host}");
        Some(CodeUseKind::CredentialUrl { target, password: reader.key.fingerprint(&password) })
    })
}

/// Whether the language fills a text in: `{password}`, `#{password}`, `%s`, `%(password)s`, `$password`, `:password`.
fn is_filled_in(text: &str) -> bool {
    let in_braces = text.split_once('{').is_some_and(|(_, rest)| rest.contains('}'));
    let is_verb = text.strip_prefix('%').is_some_and(|verb| {
        let verb = verb.rsplit_once(')').map_or(verb, |(_, verb)| verb);
        matches!(verb, "s" | "v" | "q" | "d" | "@" | "r")
    });
    in_braces || is_verb || text.contains("$(") || text.starts_with(['$', ':'])
}
