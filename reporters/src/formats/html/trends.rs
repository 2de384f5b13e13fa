//! Which way it goes, as small lines.

use keytrail_rules::history::Point;

use super::Page;
use super::write::{day, grouped};

const WIDTH: i64 = 240;
const HEIGHT: i64 = 44;
/// Room for the marks at the ends.
const MARGIN: i64 = 4;

/// What is drawn of a scan; `None` where it was not measured.
type Reading = fn(&Point) -> Option<i64>;

const LINES: [(&str, &str, Reading); 4] = [
    ("Within cadence", "%", |point| {
        let measures = &point.measures;
        (measures.in_cadence * 100).checked_div(measures.with_cadence).and_then(|share| i64::try_from(share).ok())
    }),
    ("Findings", "", |point| i64::try_from(point.findings.values().sum::<u64>()).ok()),
    ("Silent rotations", "", |point| i64::try_from(point.measures.silent).ok()),
    ("Open leaks", "", |point| i64::try_from(point.measures.leaks).ok()),
];

impl Page<'_> {
    pub(super) fn trends(&self) -> String {
        let points = self.report.trends.as_ref().map(|trends| trends.points.as_slice()).unwrap_or_default();
        let ([first, .., last], true) = (points, points.len() > 1) else { return String::new() };
        let lines: String =
            LINES.iter().filter_map(|(name, unit, reading)| line(points, name, unit, *reading)).collect();
        let hollow = if points.iter().all(|point| point.complete) { "" } else { "; a ring marks a scan with gaps" };
        format!(
            "<h2 class=sr>Trends</h2>\n<div class=trends>{lines}</div>\n<p class=note>{} scans, {} to {}{hollow}\n",
            grouped(points.len()),
            day(first.as_of),
            day(last.as_of)
        )
    }
}

fn line(points: &[Point], name: &str, unit: &str, reading: Reading) -> Option<String> {
    let known: Vec<(&Point, i64)> = points.iter().filter_map(|point| Some((point, reading(point)?))).collect();
    let ((first, before), (last, after)) = (known.first()?, known.last()?);
    let most = known.iter().map(|(_, value)| *value).max()?.max(1);
    let seconds = (last.as_of - first.as_of).num_seconds().max(1);
    let at = |point: &Point, value: i64| {
        let x = MARGIN + (point.as_of - first.as_of).num_seconds() * (WIDTH - 2 * MARGIN) / seconds;
        (x, HEIGHT - MARGIN - value * (HEIGHT - 2 * MARGIN) / most)
    };
    let corners: Vec<String> =
        known.iter().map(|(point, value)| at(point, *value)).map(|(x, y)| format!("{x},{y}")).collect();
    let rings = known.iter().filter(|(point, _)| !point.complete).map(|(point, value)| at(point, *value));
    let rings: String = rings.map(|(x, y)| format!("<circle class=ring cx={x} cy={y} r=3 />")).collect();
    let (x, y) = at(last, *after);
    Some(format!(
        "<figure><figcaption>{name} <strong>{after}{unit}</strong> <small>was {before}{unit}</small></figcaption><svg \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-label=\"{name}: {before}{unit} on {}, {after}{unit} on \
         {}\"><polyline points=\"{}\" />{rings}<circle cx={x} cy={y} r=3 /></svg></figure>",
        day(first.as_of),
        day(last.as_of),
        corners.join(" ")
    ))
}
