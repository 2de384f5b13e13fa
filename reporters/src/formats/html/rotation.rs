//! One change as three lanes: its events from left to right in the order of time, a line through them, and hatching where
//! a record has no data.

use chrono::TimeDelta;
use keytrail_rules::correlate::{EventReport, Rotation, Trace};
use keytrail_rules::model::{Outcome, Role, Time};

use super::rotations::class;
use super::write::text;

/// The lanes, from above.
pub(super) const LANES: [Role; 3] = [Role::Store, Role::Application, Role::Ledger];

/// Units of the drawing: a column, a lane, and the names of the lanes.
const COLUMN: i64 = 148;
const LANE: i64 = 58;
const NAMES: i64 = 96;
/// More events than this are in the table of the evidence only.
const MAX_EVENTS: usize = 8;

/// The instants between which a change is drawn.
pub(super) fn window(one: &Rotation) -> (Time, Time) {
    let times = || one.events.iter().map(|event| event.time).chain([one.at]);
    let (first, last) = (times().min().unwrap_or(one.at), times().max().unwrap_or(one.at));
    let margin = ((last - first) / 4).max(TimeDelta::minutes(1));
    let shift = |time: Time, by: TimeDelta| time.checked_add_signed(by).unwrap_or(time);
    (shift(first, -margin), shift(last, margin))
}

/// The drawing, with the same in words for those who do not see it.
pub(super) fn lanes(one: &Rotation, uncovered: &[Vec<(Time, Time)>; 3], number: usize) -> String {
    let mut events: Vec<&EventReport> = one.events.iter().collect();
    events.sort_by_key(|event| event.time);
    events.truncate(MAX_EVENTS);
    if events.is_empty() {
        return String::new();
    }
    let scale = Scale::new(one, &events);
    let (width, height) = (scale.end(), LANE * 3);
    let mut drawing = format!(
        "<figure class=lanes><div class=scroll tabindex=0 role=group aria-label=\"Lanes of change {}\"><svg width={width} height={height} \
         viewBox=\"0 0 {width} {height}\" class={} role=img aria-labelledby=lanes{number}><title id=lanes{number}>{}</title>",
        number + 1,
        class(one.verdict),
        in_words(one, &events)
    );
    for (at, (role, without)) in LANES.into_iter().zip(uncovered).enumerate() {
        drawing += &lane(one, role, at, without, &scale);
    }
    let mut line = String::new();
    let mut marks = String::new();
    for (at, event) in events.iter().enumerate() {
        let (x, y) = (scale.column(at), middle(event.role));
        if event.outcome == Outcome::Done {
            line += &format!("{x},{y} ");
        }
        marks += &mark(event, x, y);
    }
    drawing + &format!("<polyline points=\"{}\" />{marks}</svg></div></figure>\n", line.trim_end())
}

/// A lane with its name, what it lacks, and what should be there and is not.
fn lane(one: &Rotation, role: Role, at: usize, without: &[(Time, Time)], scale: &Scale) -> String {
    let top = LANE * i64::try_from(at).unwrap_or_default();
    let (width, inner) = (scale.end(), LANE - 2);
    let trace = match role {
        Role::Store => one.traces.store,
        Role::Application => one.traces.application,
        Role::Ledger => one.traces.ledger,
    };
    let mut drawn = format!("<rect class=lane x={NAMES} y={top} width={} height={inner} />", width - NAMES);
    for (from, to) in without {
        let (from, to) = (scale.at(*from), scale.at(*to));
        if to > from {
            drawn += &format!("<rect class=hatch x={from} y={top} width={} height={inner} />", to - from);
        }
    }
    drawn += &format!("<text class=name x=8 y={}>{}</text>", top + 25, role.as_str());
    let state = match trace {
        Trace::Present => "trace found",
        Trace::NotYet => "may still come",
        Trace::Unknown => "no data",
        Trace::Absent => "no trace",
    };
    drawn += &format!("<text class=state x=8 y={}>{state}</text>", top + 41);
    let is_empty = one.events.iter().all(|event| event.role != role);
    let (x, y) = (NAMES + 24, top + LANE / 2);
    if is_empty && !without.is_empty() {
        drawn += &format!("<text class=nodata x={x} y={}>no data</text>", y + 4);
    } else if is_empty {
        drawn += &format!(
            "<path class=absent d=\"M{} {}l10 10m0 -10l-10 10\" /><text x={} y={}>no event</text>",
            x - 5,
            y - 5,
            x + 14,
            y + 4
        );
    }
    drawn
}

fn mark(event: &EventReport, x: i64, y: i64) -> String {
    let version =
        event.version.as_ref().map(|version| format!(" v{}", text(version).chars().take(6).collect::<String>()));
    // A reference to a character must not be cut in two.
    let version = version.filter(|version| !version.contains('&')).unwrap_or_default();
    let (shape, outcome) = match event.outcome {
        Outcome::Done => (format!("<circle cx={x} cy={y} r=6 />"), ""),
        _ => (format!("<path class=absent d=\"M{} {}l10 10m0 -10l-10 10\" />", x - 5, y - 5), event.outcome.as_str()),
    };
    let clock = event.time.format("%H:%M:%S");
    format!(
        "{shape}<text class=event x={x} y={}>{}{version}</text><text class=clock x={x} y={}>{clock} {outcome}</text>",
        y - 12,
        event.kind.as_str(),
        y + 20
    )
}

fn in_words(one: &Rotation, events: &[&EventReport]) -> String {
    let events: Vec<String> = events
        .iter()
        .map(|event| {
            format!("{} in the {} at {}", event.kind.as_str(), event.role.as_str(), event.time.format("%H:%M:%S"))
        })
        .collect();
    format!("{}: {}", one.verdict.as_str(), events.join(", then "))
}

fn middle(role: Role) -> i64 {
    let lane = LANES.iter().position(|one| *one == role).unwrap_or_default();
    LANE * i64::try_from(lane).unwrap_or_default() + LANE / 2
}

/// Where an instant lies: events stand in columns, time runs evenly between two of them.
struct Scale {
    /// Instants that never decrease, with their places.
    points: Vec<(Time, i64)>,
}

impl Scale {
    fn new(one: &Rotation, events: &[&EventReport]) -> Self {
        let (from, to) = window(one);
        let mut points = vec![(from, NAMES)];
        points.extend(events.iter().enumerate().map(|(at, event)| (event.time, column(at))));
        points.push((to, column(events.len()) - COLUMN / 2));
        Self { points }
    }

    fn column(&self, at: usize) -> i64 {
        column(at)
    }

    fn end(&self) -> i64 {
        self.points.last().map_or(NAMES, |(_, x)| *x)
    }

    fn at(&self, time: Time) -> i64 {
        let next = self.points.partition_point(|(point, _)| *point <= time);
        let (Some((t1, x1)), Some((t2, x2))) = (self.points.get(next.saturating_sub(1)), self.points.get(next)) else {
            return if next == 0 { NAMES } else { self.end() };
        };
        let (all, part) = ((*t2 - *t1).num_milliseconds().max(1), (time - *t1).num_milliseconds().max(0));
        x1 + i64::try_from(i128::from(x2 - x1) * i128::from(part) / i128::from(all)).unwrap_or_default()
    }
}

fn column(at: usize) -> i64 {
    NAMES + COLUMN / 2 + COLUMN * i64::try_from(at).unwrap_or_default()
}
