//! The parts of the OSCAL model that are written.

use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Document<'a> {
    pub(super) assessment_results: AssessmentResults<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AssessmentResults<'a> {
    pub(super) uuid: String,
    pub(super) metadata: Metadata,
    pub(super) import_ap: Href,
    pub(super) results: [Outcome<'a>; 1],
    pub(super) back_matter: BackMatter,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Metadata {
    pub(super) title: &'static str,
    pub(super) last_modified: String,
    pub(super) version: &'static str,
    pub(super) oscal_version: &'static str,
}

#[derive(Serialize)]
pub(super) struct Href {
    pub(super) href: String,
}

#[derive(Serialize)]
pub(super) struct BackMatter {
    pub(super) resources: [Resource; 1],
}

#[derive(Serialize)]
pub(super) struct Resource {
    pub(super) uuid: String,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) rlinks: [Href; 1],
}

/// A `prop`. `name` is a token (NCName), `value` one line.
#[derive(Clone, Serialize)]
pub(super) struct Prop {
    pub(super) name: &'static str,
    pub(super) ns: &'static str,
    pub(super) value: String,
}

/// A `result`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Outcome<'a> {
    pub(super) uuid: String,
    pub(super) title: &'static str,
    pub(super) description: String,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) props: Vec<Prop>,
    pub(super) local_definitions: Definitions,
    pub(super) reviewed_controls: Reviewed,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) observations: Vec<Observation<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) risks: Vec<Risk>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) findings: Vec<Finding>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Definitions {
    pub(super) components: [Component; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) inventory_items: Vec<InventoryItem>,
}

#[derive(Serialize)]
pub(super) struct Component {
    pub(super) uuid: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) status: State,
}

#[derive(Serialize)]
pub(super) struct State {
    pub(super) state: &'static str,
}

#[derive(Serialize)]
pub(super) struct InventoryItem {
    pub(super) uuid: String,
    pub(super) description: String,
    pub(super) props: Vec<Prop>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Reviewed {
    pub(super) description: &'static str,
    pub(super) control_selections: [Selection; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Selection {
    pub(super) include_controls: Vec<Selected>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Selected {
    pub(super) control_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) statement_ids: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Observation<'a> {
    pub(super) uuid: String,
    pub(super) title: String,
    pub(super) description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) props: Vec<Prop>,
    pub(super) methods: [&'static str; 1],
    pub(super) types: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) subjects: Vec<Subject>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) relevant_evidence: Vec<Evidence>,
    pub(super) collected: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Subject {
    pub(super) subject_uuid: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Serialize)]
pub(super) struct Evidence {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) href: Option<String>,
    pub(super) description: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Risk {
    pub(super) uuid: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) statement: String,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) risk_log: Option<RiskLog>,
    pub(super) related_observations: Vec<ObservationRef>,
}

#[derive(Serialize)]
pub(super) struct RiskLog {
    pub(super) entries: Vec<LogEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LogEntry {
    pub(super) uuid: String,
    pub(super) title: &'static str,
    pub(super) description: String,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) props: Vec<Prop>,
    pub(super) status_change: &'static str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ObservationRef {
    pub(super) observation_uuid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RiskRef {
    pub(super) risk_uuid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Finding {
    pub(super) uuid: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) target: Target,
    pub(super) related_observations: Vec<ObservationRef>,
    pub(super) related_risks: Vec<RiskRef>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Target {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) target_id: String,
    pub(super) status: TargetStatus,
}

#[derive(Serialize)]
pub(super) struct TargetStatus {
    pub(super) state: &'static str,
    pub(super) reason: &'static str,
    pub(super) remarks: String,
}
