//! Where findings and gaps are (SARIF 2.1.0 §3.28).

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::model::{Evidence, Finding, Gap, Location as Line, Place};
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactContent, ArtifactLocation, Location, LogicalLocation, Message, PhysicalLocation, PropertyBag, Region,
};

use super::{sentence, text};
use crate::{Options, escape};

/// The name of the repository's root, as GitHub expects it.
pub(super) const ROOT: &str = "%SRCROOT%";

/// What stands in place of a line of a file.
pub(super) const REDACTED: &str = "[REDACTED]";

/// GitHub keeps so many locations of a result.
const MAX_LOCATIONS: usize = 100;

/// Turns lines of files into locations of the repository.
pub(super) struct Files<'a> {
    pub(super) options: &'a Options,
}

impl Files<'_> {
    /// The line of a finding: its own, else that of its first evidence, else the anchor; with the places in stores
    /// that it is about.
    pub(super) fn primary(&self, finding: &Finding) -> Location {
        let lines = finding.location.iter().chain(finding.evidence.iter().filter_map(|one| one.location.as_ref()));
        let places: BTreeSet<&Place> = finding.evidence.iter().filter_map(|one| one.place.as_ref()).collect();
        let known = lines.into_iter().find_map(|line| self.physical(line));
        let mut location = Location::builder().build();
        if known.is_none() {
            let partial = BTreeMap::from([("partial".to_owned(), json!(true))]);
            location.properties = Some(PropertyBag::builder().additional_properties(partial).build());
        }
        location.physical_location = Some(known.unwrap_or_else(|| self.anchor()));
        if !places.is_empty() {
            location.logical_locations = Some(places.into_iter().take(MAX_LOCATIONS).map(logical).collect());
        }
        location
    }

    /// The other lines of findings that are one result: their evidence, and where the others are.
    pub(super) fn related(&self, group: &[&Finding]) -> Vec<Location> {
        let evidence = group.iter().flat_map(|finding| &finding.evidence).map(|one| (one.location.as_ref(), &one.note));
        let others = group.iter().skip(1).map(|finding| (finding.location.as_ref(), &finding.message));
        let mut seen = BTreeSet::new();
        others
            .chain(evidence)
            .filter_map(|(line, note)| line.map(|line| (line, note)))
            .filter(|said| seen.insert(*said))
            .filter_map(|(line, note)| {
                let message = Message::builder().text(sentence(note)).build();
                Some(Location::builder().physical_location(self.physical(line)?).message(message).build())
            })
            .take(MAX_LOCATIONS)
            .collect()
    }

    /// The line of a gap in a file of the repository.
    pub(super) fn of_gap(&self, gap: &Gap) -> Option<Location> {
        let physical = self.physical(gap.location.as_ref()?)?;
        Some(Location::builder().physical_location(physical).build())
    }

    /// What a finding without an item is about: the place, else the file, else the anchor.
    pub(super) fn subject(&self, finding: &Finding) -> String {
        let place = |one: &Evidence| one.place.as_ref().map(|place| place.as_str().to_owned());
        let file = finding.location.as_ref().map(|line| line.file.clone());
        text(&file.or_else(|| finding.evidence.iter().find_map(place)).unwrap_or_else(|| self.options.anchor.clone()))
    }

    /// A line of a file; `None` for a file outside of the repository.
    fn physical(&self, line: &Line) -> Option<PhysicalLocation> {
        let uri = escape::uri_path(&self.options.prefix, &line.file)?;
        Some(physical(uri, line.line, line.start_column, line.end_column))
    }

    fn anchor(&self) -> PhysicalLocation {
        let uri = escape::uri_path(&self.options.prefix, &self.options.anchor);
        physical(uri.unwrap_or_else(|| Options::default().anchor), 1, 1, 2)
    }
}

fn physical(uri: String, line: u32, start_column: u32, end_column: u32) -> PhysicalLocation {
    // Readers keep these numbers in 32 bits with a sign.
    let number = |number: u32| i64::from(number.clamp(1, i32::MAX.unsigned_abs()));
    let snippet = || ArtifactContent::builder().text(REDACTED).build();
    let region = Region::builder()
        .start_line(number(line))
        .start_column(number(start_column))
        .end_line(number(line))
        .end_column(number(end_column.max(start_column)))
        .snippet(snippet())
        .build();
    let context = Region::builder().start_line(number(line)).end_line(number(line)).snippet(snippet()).build();
    PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri).uri_base_id(ROOT).build())
        .region(region)
        .context_region(context)
        .build()
}

fn logical(place: &Place) -> LogicalLocation {
    LogicalLocation::builder()
        .fully_qualified_name(text(place.as_str()))
        .name(text(&place.key().unwrap_or_else(|| place.path())))
        .kind("resource")
        .build()
}
