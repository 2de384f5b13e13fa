//! Where findings and gaps are (SARIF 2.1.0 §3.28).
//!
//! What is not said in a file of the repository points, with the place in the store as its logical location, at
//! 1. the line of its own evidence, else
//! 2. the line that declares the secret, or one whose place it rests on, or that holds it, else
//! 3. the first line of [`Options::anchor`], with the property `partial`.
//!
//! Findings about trails whose files lie elsewhere point at the `[[trail]]` of the config: their rules see to that.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_rules::inventory::ItemId;
use keytrail_rules::model::{Evidence, Finding, Gap, Location as Line, Place};
use keytrail_rules::report::{ItemReport, Report};
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactContent, ArtifactLocation, Location, LogicalLocation, Message, PhysicalLocation, PropertyBag, Region,
};

use super::{sentence, text};
use crate::{Options, SarifProfile, escape, source};

/// The name of the repository's root, as GitHub expects it.
pub(super) const ROOT: &str = "%SRCROOT%";

/// What stands in place of a line of a file.
pub(super) const REDACTED: &str = "[REDACTED]";

/// GitHub keeps so many locations of a result.
pub(super) const MAX_LOCATIONS: usize = 100;

/// Turns lines of files into locations of the repository.
pub(super) struct Files<'a> {
    options: &'a Options,
    items: BTreeMap<&'a ItemId, &'a ItemReport>,
    /// The secrets of places.
    of_place: BTreeMap<&'a Place, &'a ItemReport>,
}

/// Where a finding is.
pub(super) struct Primary<'a> {
    pub(super) location: Location,
    /// The line, where the finding or its evidence has it.
    pub(super) line: Option<&'a Line>,
}

impl<'a> Files<'a> {
    pub(super) fn new(report: &'a Report, options: &'a Options) -> Self {
        let copies = |item: &'a ItemReport| item.copies.iter().map(move |copy| (&copy.place, item));
        Self {
            options,
            items: report.items.iter().map(|item| (&item.id, item)).collect(),
            of_place: report.items.iter().flat_map(copies).collect(),
        }
    }

    /// The line of a finding, with the places in stores that it is about.
    pub(super) fn primary(&self, finding: &'a Finding) -> Primary<'a> {
        let places: BTreeSet<&Place> = finding.evidence.iter().filter_map(|one| one.place.as_ref()).collect();
        let evidence = finding.evidence.iter().filter_map(|one| one.location.as_ref());
        let mut own = finding.location.iter().chain(evidence);
        let known = own.find_map(|line| Some((line, self.physical(line)?)));
        // Hashes are known of this line alone.
        let line = known.as_ref().map(|(line, _)| *line).filter(|line| source::line_of(finding) == Some(line));
        let (physical, is_partial) = match known {
            Some((_, physical)) => (physical, false),
            None => match self.declaration(finding, &places) {
                Some(physical) => (physical, false),
                None => (self.anchor(), true),
            },
        };
        let mut location = Location::builder().physical_location(physical).build();
        if is_partial {
            let partial = BTreeMap::from([("partial".to_owned(), json!(true))]);
            location.properties = Some(PropertyBag::builder().additional_properties(partial).build());
        }
        if !places.is_empty() {
            let shown = if self.options.sarif_profile == SarifProfile::Full { usize::MAX } else { MAX_LOCATIONS };
            location.logical_locations = Some(places.into_iter().take(shown).map(logical).collect());
        }
        Primary { location, line }
    }

    /// The line that declares what a finding is about, or holds it.
    fn declaration(&self, finding: &Finding, places: &BTreeSet<&Place>) -> Option<PhysicalLocation> {
        let item = finding.item.as_ref().and_then(|id| self.items.get(id));
        let items = item.into_iter().chain(places.iter().filter_map(|place| self.of_place.get(place)));
        items.copied().find_map(|item| {
            let copies = item.copies.iter().filter_map(|copy| copy.location.as_ref());
            item.declared_at.iter().chain(copies).find_map(|line| self.physical(line))
        })
    }

    /// A line, if it is in the repository.
    pub(super) fn of_line(&self, line: &Line) -> Option<Location> {
        Some(Location::builder().physical_location(self.physical(line)?).build())
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
            .collect()
    }

    /// The line of a gap in a file of the repository.
    pub(super) fn of_gap(&self, gap: &Gap) -> Option<Location> {
        self.of_line(gap.location.as_ref()?)
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
