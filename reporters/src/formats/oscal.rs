//! OSCAL assessment results 1.2.3 (NIST), for tools of governance and FedRAMP.
//!
//! # Guarantees
//! * Never `satisfied`: a scan that found nothing is evidence, and whether a control is met, an assessor says. A finding is
//!   on a statement of NIST SP 800-53 that a rule bears on directly, and `not-satisfied`.
//! * Every finding of the report, every gap and what was seen of each control is an observation. A report with gaps says so in
//!   its title, and has the property `complete` with `false`.
//! * There is one risk for a rule that found something: open, or an approved deviation where exceptions cover all that it
//!   found. The exceptions of the policy are entries of its log.
//! * Ids are UUIDv5 of what they are about, so that equal reports give equal bytes.
//!
//! The reference: <https://pages.nist.gov/OSCAL-Reference/models/v1.2.3/assessment-results/json-reference/>.

mod controls;
mod model;
mod observations;
mod risks;

use keytrail_rules::report::Report;
use uuid::Uuid;

use self::model::{AssessmentResults, Document, Metadata, Outcome, Prop, Resource};
use super::Format;
use crate::{Error, Options, escape};

/// For tools of governance.
pub(super) static FORMAT: Format = Format {
    name: "oscal",
    summary: "OSCAL assessment results 1.2.3, on NIST SP 800-53",
    extension: "json",
    is_text: true,
    render,
};

/// Where our own properties are described.
const HOME: &str = "https://keytrail.dev";

/// Longest text that is carried over, in characters.
const MAX_TEXT: usize = 1_024;

fn render(report: &Report, options: &Options) -> Result<Vec<u8>, Error> {
    let scene = Scene { report, options, as_of: report.as_of.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true) };
    // Another report is another document, whatever changed in it.
    let identity = id("document", &serde_json::to_string(report)?);
    let plan = id("plan", &identity);
    let document = Document {
        assessment_results: AssessmentResults {
            uuid: identity.clone(),
            metadata: Metadata {
                title: "Rotation and exposure of secrets",
                last_modified: scene.as_of.clone(),
                version: report.tool.version,
                oscal_version: "1.2.3",
            },
            import_ap: model::Href { href: format!("#{plan}") },
            results: [result(&scene, &identity)],
            back_matter: model::BackMatter {
                resources: [Resource {
                    uuid: plan,
                    title: "No separate assessment plan",
                    description: "The scan runs by itself, under the policy of its config. It has no plan of its own.",
                    rlinks: [model::Href { href: options_anchor(options) }],
                }],
            },
        },
    };
    super::json::document(&document)
}

fn result<'a>(scene: &'a Scene<'_>, identity: &str) -> Outcome<'a> {
    let report = scene.report;
    let seen = observations::observations(scene);
    let risks = risks::risks(scene, &seen);
    let title = if report.gaps.is_empty() { "Keytrail scan" } else { "Keytrail scan, incomplete" };
    let text = |name, value: String| Prop { name, ns: HOME, value };
    let findings = controls::findings(scene, &seen, &risks);
    Outcome {
        uuid: id("result", identity),
        title,
        description: format!(
            "Secrets: {}. Findings that count: {}. Gaps: {}. A control that is not named in a finding is not thereby met: \
             the observations say what was assessed.",
            report.items.len(),
            report.counting().count(),
            report.gaps.len()
        ),
        start: scene.as_of.clone(),
        end: scene.as_of.clone(),
        props: vec![
            text("complete", report.gaps.is_empty().to_string()),
            text("mapping-version", keytrail_rules::controls::VERSION.to_owned()),
        ],
        local_definitions: observations::definitions(scene),
        reviewed_controls: controls::reviewed(),
        observations: seen.into_all(),
        risks: risks.into_iter().map(|(_, risk)| risk).collect(),
        findings,
    }
}

/// What everything is made from.
struct Scene<'a> {
    report: &'a Report,
    options: &'a Options,
    /// The instant of the report, as OSCAL spells it.
    as_of: String,
}

/// The file that stands for the policy.
fn options_anchor(options: &Options) -> String {
    escape::uri_path(&options.prefix, &options.anchor).unwrap_or_else(|| Options::default().anchor)
}

/// A UUIDv5 (RFC 9562 §5.5) of a kind of thing and its name.
fn id(kind: &str, name: &str) -> String {
    let home = Uuid::new_v5(&Uuid::NAMESPACE_URL, HOME.as_bytes());
    Uuid::new_v5(&home, format!("{kind}\n{name}").as_bytes()).to_string()
}

/// One line that begins and ends with what can be seen, as the `string` of OSCAL has to: `-` for nothing.
fn line(text: &str) -> String {
    let text = escape::terminal(text);
    let text = escape::clip(text.trim(), MAX_TEXT);
    if text.is_empty() { "-".to_owned() } else { text.into_owned() }
}

/// [`line`] for a field that holds Markdown: whatever could be read as markup is escaped.
fn markup(text: &str) -> String {
    line(text).chars().fold(String::new(), |mut escaped, c| {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '^' | '"' | '{' | '}' | '&' | '|') {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}

#[cfg(test)]
mod tests;
