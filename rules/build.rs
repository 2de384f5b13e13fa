//! Turns the files of detectors and of controls into statics, so that the program parses none of them when it starts.

#![expect(clippy::disallowed_methods, reason = "it runs before there is a program to be pure")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use severity::Severity;

#[path = "src/detectors/about.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod about;
#[path = "src/detectors/analyse.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod analyse;
#[path = "src/detectors/checksum.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod checksum;
#[path = "src/controls/spec.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod controls;
#[path = "src/detectors/family.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod family;
#[path = "src/detectors/names.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod names;
#[path = "src/detectors/rarity.rs"]
mod rarity;
#[path = "src/model/severity.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod severity;
#[path = "src/detectors/spec.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod spec;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("src/detectors");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|end| end == "toml")))
        .collect::<Result<_, _>>()?;
    files.sort();
    let (mut statics, mut specs, mut sources) = (String::new(), String::new(), String::new());
    let mut ids: Vec<(String, PathBuf)> = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path)?;
        let family = family::Family::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        for detector in &family.detectors {
            let id = detector.spec.about.id.to_string();
            if let Some((_, other)) = ids.iter().find(|(known, _)| *known == id) {
                return Err(format!("{}: {id} is in {} too", path.display(), other.display()).into());
            }
            if detector.positive.is_empty() || detector.negative.is_empty() {
                return Err(format!("{}: {id}: has no positive or no negative example", path.display()).into());
            }
            emit(&detector.spec, ids.len(), &mut statics, &mut specs)?;
            ids.push((id, path.clone()));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        writeln!(sources, "    ({name:?}, include_str!({:?})),", path.canonicalize()?.display().to_string())?;
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let table = format!("{statics}\npub(super) static SPECS: &[Spec] = &[\n{specs}];\n");
    fs::write(out.join("detectors.rs"), table)?;
    fs::write(out.join("detector_files.rs"), format!("&[\n{sources}]\n"))?;
    let file = "src/controls.toml";
    println!("cargo::rerun-if-changed={file}");
    println!("cargo::rerun-if-changed=src/controls/spec.rs");
    let spec = controls::Spec::parse(&fs::read_to_string(file)?).map_err(|error| format!("{file}: {error}"))?;
    fs::write(out.join("controls.rs"), emit_controls(&spec).map_err(|error| format!("{file}: {error}"))?)?;
    Ok(())
}

/// Writes the frameworks and the controls of each rule as statics.
fn emit_controls(spec: &controls::Spec) -> Result<String, Box<dyn Error>> {
    let mut text = format!("/// Of the mapping.\npub static VERSION: &str = {:?};\n", spec.version);
    let mut names = String::new();
    for (number, framework) in spec.frameworks.iter().enumerate() {
        let controls::Framework { id, short, name, version, .. } = framework;
        writeln!(
            text,
            "static FRAMEWORK_{number}: Framework = Framework {{ id: {id:?}, short: {short:?}, name: {name:?}, \
             version: {version:?}, controls: &["
        )?;
        for (id, title) in framework.ordered() {
            writeln!(text, "    Control {{ id: {id:?}, title: {title:?} }},")?;
        }
        writeln!(text, "] }};")?;
        write!(names, "&FRAMEWORK_{number}, ")?;
    }
    writeln!(text, "/// Every framework.\npub static FRAMEWORKS: &[&Framework] = &[{names}];")?;
    writeln!(text, "static RULES: &[RuleControls] = &[")?;
    for rule in spec.rules().into_iter().chain(spec.none.keys().map(String::as_str)) {
        let need = spec.needs.get(rule).ok_or_else(|| format!("{rule}: what does it need?"))?;
        let need: String = need.split('-').flat_map(|word| [word[..1].to_uppercase(), word[1..].to_owned()]).collect();
        let none = spec.none.get(rule);
        writeln!(text, "    RuleControls {{ rule: {rule:?}, need: Need::{need}, none: {none:?}, mappings: &[")?;
        for link in spec.links(rule)? {
            let (framework, control, why) = (link.framework, link.control, link.why);
            let relation = if link.direct { "Direct" } else { "Supporting" };
            writeln!(
                text,
                "        Mapping {{ framework: &FRAMEWORK_{framework}, control: &FRAMEWORK_{framework}.controls[{control}], \
                 relation: Relation::{relation}, rationale: {why:?} }},"
            )?;
        }
        writeln!(text, "    ] }},")?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

/// Writes one detector as a static expression, and the slices that it borrows as statics of their own.
fn emit(spec: &spec::Spec, number: usize, statics: &mut String, specs: &mut String) -> Result<(), std::fmt::Error> {
    let about = &spec.about;
    write!(statics, "static LITERALS_{number}: [Literal; {}] = [", spec.literals.len())?;
    for literal in spec.literals.iter() {
        let (value, anchor) = (text(&literal.text), rarity::rarest(literal.text.as_bytes()));
        write!(statics, "Literal {{ text: {value}, any_case: {}, anchor: {anchor:?} }}, ", literal.any_case)?;
    }
    writeln!(statics, "];")?;
    let docs = about.docs.as_ref().map_or("None".to_owned(), |docs| format!("Some({})", text(docs)));
    writeln!(
        specs,
        "    Spec {{ about: About {{ id: {}, name: {}, provider: {}, docs: {docs}, severity: Severity::{:?}, \
         public: {}, remedy: {} }},\n        literals: std::borrow::Cow::Borrowed(&LITERALS_{number}), matcher: {},\n        \
         before: {}, after: {}, prefix: {}, specificity: {},\n        filter: {} }},",
        text(&about.id),
        text(&about.name),
        text(&about.provider),
        about.severity,
        about.public,
        text(&about.remedy),
        matcher(&spec.matcher, number, statics)?,
        spec.before,
        spec.after,
        text(&spec.prefix),
        spec.specificity,
        filter(&spec.filter, number, statics)?,
    )
}

fn matcher(matcher: &spec::Matcher, number: usize, statics: &mut String) -> Result<String, std::fmt::Error> {
    Ok(match matcher {
        spec::Matcher::Token { regex, group, lead, flush } => {
            let regex = text(regex);
            format!("Matcher::Token {{ regex: {regex}, group: {group}, lead: {lead:?}, flush: {flush} }}")
        }
        spec::Matcher::Named { names, value, group } => {
            texts(&format!("NAMES_{number}"), names, statics)?;
            let value = text(value);
            format!(
                "Matcher::Named {{ names: std::borrow::Cow::Borrowed(&NAMES_{number}), value: {value}, group: {group} }}"
            )
        }
    })
}

fn filter(filter: &spec::Filter, number: usize, statics: &mut String) -> Result<String, std::fmt::Error> {
    write!(statics, "static DENY_{number}: [Deny; {}] = [", filter.deny.len())?;
    for deny in filter.deny.iter() {
        write!(statics, "Deny {{ target: Target::{:?}, regex: {} }}, ", deny.target, text(&deny.regex))?;
    }
    writeln!(statics, "];")?;
    let checksum = filter.checksum.map_or("None".to_owned(), |checksum| format!("Some(Checksum::{checksum:?})"));
    let also = match &filter.also {
        None => "None".to_owned(),
        Some(also) => {
            texts(&format!("ALSO_{number}"), &also.literals, statics)?;
            format!("Some(Also {{ within: {}, literals: std::borrow::Cow::Borrowed(&ALSO_{number}) }})", also.within)
        }
    };
    Ok(format!(
        "Filter {{ boundary: {}, entropy: {:?}, checksum: {checksum}, words: {}, deny: std::borrow::Cow::Borrowed(&DENY_{number}), \
         stopwords: std::borrow::Cow::Borrowed(&[]), also: {also}, only_in: None, \
         not_in: std::borrow::Cow::Borrowed(&[]) }}",
        filter.boundary, filter.entropy, filter.words,
    ))
}

/// A static slice of texts.
fn texts(name: &str, items: &[std::borrow::Cow<'static, str>], statics: &mut String) -> Result<(), std::fmt::Error> {
    let items: Vec<String> = items.iter().map(|item| text(item)).collect();
    writeln!(statics, "static {name}: [std::borrow::Cow<'static, str>; {}] = [{}];", items.len(), items.join(", "))
}

fn text(text: &str) -> String {
    format!("std::borrow::Cow::Borrowed({text:?})")
}
