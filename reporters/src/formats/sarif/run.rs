//! The run: what was scanned, by what, and how far it came (SARIF 2.1.0 §3.14).

use std::collections::BTreeMap;

use keytrail_rules::model::Gap;
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Message, Notification, PropertyBag, ReportingDescriptorReference, Result as Outcome,
    Run, RunAutomationDetails, ToolComponent, VersionControlDetails,
};

use super::descriptors::Descriptors;
use super::locations::{REDACTED, ROOT};
use super::{HOME, Log, MAX_RESULTS, sentence, text};
use crate::{Pipeline, SarifProfile};

impl Log<'_> {
    /// The run of some results; of others, it says that they were left out.
    pub(super) fn run(
        &self,
        results: Vec<Outcome>,
        descriptors: &Descriptors,
        left_out: usize,
        unrelated: usize,
    ) -> Run {
        let mut run = Run::builder()
            .tool(self.driver(descriptors))
            .automation_details(self.automation_details())
            .original_uri_base_ids(BTreeMap::from([(ROOT.to_owned(), root())]))
            .invocations(vec![self.invocation(left_out, unrelated)])
            .column_kind(json!("utf16CodeUnits"))
            .redaction_tokens(vec![REDACTED.to_owned()])
            .results(results)
            .build();
        run.version_control_provenance = self.provenance().map(|provenance| vec![provenance]);
        run.properties = self.changes();
        run
    }

    fn driver(&self, descriptors: &Descriptors) -> ToolComponent {
        ToolComponent::builder()
            .name("Keytrail")
            .full_name(format!("Keytrail {}", self.report.tool.version))
            .organization("Keytrail")
            .version(self.report.tool.version)
            .semantic_version(self.report.tool.version)
            .information_uri(HOME)
            .rules(descriptors.all())
            .build()
    }

    fn automation_details(&self) -> RunAutomationDetails {
        match (self.options.sarif_profile, &self.options.pipeline) {
            (SarifProfile::Ado, Some(pipeline)) => of_pipeline(pipeline),
            _ => RunAutomationDetails::builder().id(format!("keytrail/{}", category(&self.options.category))).build(),
        }
    }

    fn provenance(&self) -> Option<VersionControlDetails> {
        let repository = self.options.repository.as_ref()?;
        let mut details = VersionControlDetails::builder()
            .repository_uri(repository.uri())
            .mapped_to(ArtifactLocation::builder().uri_base_id(ROOT).build())
            .build();
        details.revision_id.clone_from(&repository.revision);
        details.branch.clone_from(&repository.branch);
        Some(details)
    }

    /// How much is different from the scan before: what is gone has no result.
    fn changes(&self) -> Option<PropertyBag> {
        let changes = self.report.changes.as_ref().filter(|_| self.is_full())?;
        let counts = json!({
            "since": changes.since,
            "new": changes.new.len(),
            "regressed": changes.regressed.len(),
            "fixed": changes.fixed.len(),
            "unseen": changes.unseen.len(),
            "unchanged": changes.unchanged,
        });
        Some(PropertyBag::builder().additional_properties(BTreeMap::from([("changes".to_owned(), counts)])).build())
    }

    fn invocation(&self, left_out: usize, unrelated: usize) -> Invocation {
        let report = self.report;
        let mut notifications: Vec<Notification> = report.gaps.iter().map(|gap| self.notification(gap)).collect();
        if left_out > 0 {
            let message = format!(
                "{left_out} results were left out: code scanning shows {MAX_RESULTS} of a run and takes 10 MB, and \
                 those that are here are the worst."
            );
            notifications.push(notice("results-left-out", "warning", &message));
        }
        if unrelated > 0 {
            let message = format!("{unrelated} related locations were left out: the JSON report has them all.");
            notifications.push(notice("locations-left-out", "note", &message));
        }
        Invocation::builder()
            .execution_successful(report.summary.complete && report.gaps.is_empty())
            .exit_code(i64::from(self.options.exit_code))
            // The instant that the report is about, so that it can be reproduced to the byte.
            .start_time_utc(report.as_of.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
            .tool_execution_notifications(notifications)
            .build()
    }

    fn notification(&self, gap: &Gap) -> Notification {
        let reason = gap.reason.as_str();
        let mut message =
            format!("'{}' could not be read ({reason}): {}.", gap.source, gap.message.trim_end_matches('.'));
        if let Some(hint) = &gap.hint {
            message += &format!(" Hint: {}.", hint.trim_end_matches('.'));
        }
        let mut notification = notice(&format!("gap/{reason}"), "error", &message);
        notification.locations = self.files.of_gap(gap).map(|location| vec![location]);
        notification
    }
}

/// GitHub's category is what is before the last slash, so that there has to be one at the end.
fn category(category: &str) -> String {
    let category = text(category.trim_matches('/'));
    if category.is_empty() { String::new() } else { format!("{category}/") }
}

/// The name of a run by which Azure DevOps finds the pipeline, as the Multitool's rules GHAzDO1019 and GHAzDO1020 say.
fn of_pipeline(pipeline: &Pipeline) -> RunAutomationDetails {
    let part = |part: &str| text(part).replace('/', "%2F");
    let id = format!(
        "azuredevops/pipeline/build/{}/{}/{}/{}/{}/{}",
        part(&pipeline.organization),
        part(&pipeline.project),
        part(&pipeline.definition_id),
        part(&pipeline.phase_id),
        text(&pipeline.branch),
        part(&pipeline.build_id)
    );
    let properties = [
        ("buildDefinitionId", &pipeline.definition_id),
        ("buildDefinitionName", &pipeline.definition_name),
        ("phaseId", &pipeline.phase_id),
        ("phaseName", &pipeline.phase_name),
    ];
    let bag = properties.map(|(name, value)| (format!("azuredevops/pipeline/build/{name}"), json!(text(value))));
    RunAutomationDetails::builder()
        .id(id)
        .properties(PropertyBag::builder().additional_properties(BTreeMap::from(bag)).build())
        .build()
}

fn root() -> ArtifactLocation {
    ArtifactLocation::builder().description(Message::from("The root of the repository.")).build()
}

fn notice(id: &str, level: &str, message: &str) -> Notification {
    Notification::builder()
        .descriptor(ReportingDescriptorReference::builder().id(id).build())
        .level(json!(level))
        .message(Message::builder().text(sentence(message)).build())
        .build()
}
