use proptest::prelude::*;

use super::super::tests::search;
use super::super::{Detectors, template};
use super::*;

const RULES: &str = r#"
title = "ours"
[extend]
useDefault = true
disabledRules = ["off"]
path = "other.toml"

[allowlist]
paths = ['''vendor/''']
regexes = ['''(?i)zzz''']

[[allowlists]]
targetRules = ["acme"]
stopwords = ["DoNot"]

[[rules]]
id = "acme"
description = "Acme token"
regex = '''(?i)[\w.-]{0,50}?(?:acme)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}([a-z0-9]{20})(?:[\x60'"\s;]|\\[nr]|$)'''
entropy = 2.5
keywords = ["Acme"]

[[rules]]
id = "acme-id"
regex = '''(acmeid)-([0-9]{8})'''
secretGroup = 2
path = '''\.ya?ml$'''
keywords = ["acmeid"]

[[rules]]
id = "far"
regex = '''\bFAR_[A-Z]{12}\b'''
keywords = ["elsewhere"]

[[rules]]
id = "slow"
regex = '''\b[a-f]{2}-[0-9]{9}\b'''

[[rules]]
id = "by-expression"
regex = '''bye_[a-z0-9]{16}'''
keywords = ["bye_"]
filter = '''
(filter.entropy(finding["secret"]) < 3.0 || matchesAny(finding["secret"], [`^bye_0`, "x\\d"])
 || containsAny(finding["secret"], ["stop"]) || tokenRatio(finding["secret"]) >= 2.1 || len(finding["secret"]) == 3)
'''
validate = "http.get()"
[[rules.required]]
id = "acme"

[[rules]]
id = "off"
regex = '''off_[a-z]{9}'''

[[rules]]
id = "part"
regex = '''part'''
skipReport = true

[[rules]]
id = "name-only"
path = '''id_rsa'''

[[rules]]
id = "greek"
regex = '''\p{Greek}{9}'''
"#;

fn detectors() -> Detectors {
    Detectors::new(|_| false, import(RULES).unwrap().specs).unwrap()
}

fn hits(text: &str) -> Vec<(String, String)> {
    search(&detectors(), text)
}

fn made(template: &str) -> String {
    template::expand(template, "import", None).unwrap()
}

fn one(id: &str, secret: &str) -> Vec<(String, String)> {
    vec![(id.to_owned(), secret.to_owned())]
}

#[test]
fn rules_find_what_they_did() {
    let value = made("{loweralnum:20}");
    assert_eq!(hits(&format!("ACME_TOKEN = '{value}'\n")), one("acme", &value));
    assert_eq!(hits("ACME_TOKEN = 'aaaaaaaaaaaaaaaaaaaa'\n"), []);
    assert_eq!(hits("x acmeid-12345678 y"), one("acme-id", "12345678"));
    assert_eq!(hits("FAR_ABCDEFGHIJKL"), []);
    assert_eq!(hits("ELSEWHERE\nFAR_ABCDEFGHIJKL"), one("far", "FAR_ABCDEFGHIJKL"));
    assert_eq!(hits("a ab-123456789, b"), one("slow", "ab-123456789"));
    assert_eq!(hits("xab-123456789"), []);
}

#[test]
fn allowlists_and_filters_drop() {
    let drops = |text: &str| assert_eq!(hits(text), [], "{text}");
    drops(&format!("acme = '{}zzz'", made("{loweralnum:17}")));
    drops(&format!("acme = '{}donot'", made("{loweralnum:15}")));
    drops("bye_aaaaaaaaaaaaaaaa");
    drops(&made("bye_0{loweralnum:15}"));
    drops(&made("bye_stop{loweralnum:12}"));
    drops("bye_defaultvalue1234");
    let kept = "bye_kq7zw2mvt5ncb9jg";
    assert_eq!(hits(kept), one("by-expression", kept));
    let detectors = detectors();
    let admits = |id: &str, path: &str| detectors.admits(detectors.find(id).unwrap(), path.as_bytes());
    assert!(admits("acme", "src/a.rs") && !admits("acme", "vendor/a.rs"));
    assert!(admits("acme-id", "a.yml") && !admits("acme-id", "a.rs") && !admits("acme-id", "vendor/a.yml"));
}

#[test]
fn what_is_not_honoured_is_said() {
    let imported = import(RULES).unwrap();
    assert!(imported.use_default);
    assert_eq!(imported.disabled, ["off"]);
    let notes: Vec<String> = imported
        .notes
        .iter()
        .map(|note| {
            let rule = note.rule.as_deref().unwrap_or("-");
            format!("{rule} {}", note.what)
        })
        .collect();
    assert_eq!(
        notes,
        [
            "- extend.path",
            "far keywords",
            "slow keywords",
            "by-expression required",
            "by-expression validate",
            "by-expression filter",
            "part skipReport",
            "name-only regex",
            "greek regex",
        ]
    );
    assert_eq!(import("[[rules]\n").unwrap_err().line, 1);
}

#[test]
fn go_spells_some_things_otherwise() {
    for (go, ours) in [
        (r"a{2,3}{x}", r"a{2,3}\{x}"),
        (r"^\{\{[ \t]*}}$", r"^\{\{[ \t]*}}$"),
        (r"[[:alnum:]_[]", r"[[:alnum:]_\[]"),
        (r"[]a]", r"[\]a]"),
        (r"[^]a&&b--c]", r"[^\]a\&\&b\--c]"),
        (r"\<a\>", "<a>"),
        (r"\Qa.b\Ec", r"a\.bc"),
        (r"[\w.-]{0,50}?\x60", r"[\w.-]{0,50}?\x60"),
    ] {
        assert_eq!(go_regex::translate(go), ours);
        assert!(analyse::parse(ours).is_ok(), "{ours}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in "\\PC{0,60}", go in "[\\[\\]\\\\{}()a-c^,0-9:&|\"`QE-]{0,30}") {
        let _ = import(&text);
        let _ = go_regex::translate(&go);
        let file = format!("[[rules]]\nid = 'a'\nregex = '''{go}'''\nfilter = '''{go}'''\n");
        if let Ok(imported) = import(&file) {
            let _ = Detectors::new(|_| false, imported.specs);
        }
    }
}
