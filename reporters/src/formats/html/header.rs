//! What a reader sees first: the verdict in words, the totals, and who signed.

use chrono::TimeDelta;
use keytrail_rules::model::Severity;

use super::Page;
use super::write::{count, duration, grouped, id, or, section, text, time};

/// The parts of the page, for the bar of links.
const PARTS: [(&str, &str); 9] = [
    ("overview", "Overview"),
    ("changes", "Changes"),
    ("secrets", "Secrets"),
    ("findings", "Findings"),
    ("rotations", "Rotations"),
    ("leaks", "Leaks"),
    ("controls", "Controls"),
    ("exceptions", "Exceptions"),
    ("scope", "Scope"),
];

/// What the drawings are hatched with.
const PATTERNS: &str = "<svg class=defs width=0 height=0 aria-hidden=true><pattern id=hatch width=6 height=6 \
    patternUnits=userSpaceOnUse patternTransform=\"rotate(45)\"><rect width=2 height=6 /></pattern><pattern id=late width=5 \
    height=5 patternUnits=userSpaceOnUse patternTransform=\"rotate(-45)\"><rect class=back width=5 height=5 /><rect width=2.5 \
    height=5 /></pattern></svg>\n";

impl Page<'_> {
    pub(super) fn title(&self) -> String {
        format!("Secrets report: {} – Keytrail", self.verdict().1)
    }

    /// The class of the verdict, and the verdict in words.
    fn verdict(&self) -> (&'static str, String) {
        let report = self.report;
        let at_least = |least: Severity| {
            let findings = report.summary.findings.iter().filter(|(severity, _)| **severity >= least);
            findings.map(|(_, number)| usize::try_from(*number).unwrap_or(usize::MAX)).sum::<usize>()
        };
        let (all, high) = (at_least(Severity::Info), at_least(Severity::High));
        let gaps = report.gaps.len();
        let is_complete = gaps == 0 && report.summary.complete;
        let findings = match (high, all - high) {
            (0, 0) if !is_complete => "No findings in what could be read".to_owned(),
            (0, 0) if report.scope.is_empty() && report.searched.is_none() => "Nothing was scanned".to_owned(),
            (0, 0) if report.summary.excepted + report.summary.baselined > 0 => "No findings that count".to_owned(),
            (0, 0) => "No findings".to_owned(),
            (0, low) => format!("{}, none at or above high", count(low, "finding")),
            (high, 0) => format!("{} at or above high", count(high, "finding")),
            (high, low) => format!("{} at or above high, {} below", count(high, "finding"), grouped(low)),
        };
        let evidence = if is_complete {
            "evidence complete".to_owned()
        } else {
            format!("evidence incomplete: {}", count(gaps, "gap"))
        };
        let class = match (high, all, is_complete) {
            (1.., ..) => "bad",
            (0, 0, true) if !report.scope.is_empty() || report.searched.is_some() => "good",
            _ => "fair",
        };
        (class, format!("{findings}; {evidence}"))
    }

    /// What stands over all sections: the name, the links, the theme.
    pub(super) fn banner(&self) -> String {
        let has = |part: &str| match part {
            "controls" => !self.report.controls.is_empty(),
            _ => true,
        };
        let links: String = PARTS
            .into_iter()
            .filter(|(part, _)| has(part))
            .map(|(part, name)| format!("<li><a href=#{part}>{name}</a>"))
            .collect();
        format!(
            "<a class=skip href=#main>Skip to the report</a>\n{PATTERNS}<header class=top>\n<p class=brand><svg class=logo viewBox=\"0 0 24 \
             24\" aria-hidden=true><circle cx=8 cy=12 r=5 /><path d=\"M13 12h9M18 12v4M22 12v3\" /></svg>Keytrail</p>\n<nav \
             aria-label=\"Parts of the report\"><ul>{links}</ul></nav>\n<button type=button id=theme hidden>Theme</button>\n</header>\n"
        )
    }

    /// The verdict, what it is of, and the measures.
    pub(super) fn overview(&self) -> String {
        let (class, words) = self.verdict();
        let (report, options) = (self.report, self.options);
        let mut facts = format!("<div><dt>As of<dd>{}</div>", time(report.as_of));
        let mut fact = |name: &str, value: String| facts += &format!("<div><dt>{name}<dd>{value}</div>");
        let mut read = count(report.scope.len(), "source");
        if let Some(searched) = &report.searched {
            let searched = usize::try_from(searched.files + searched.objects).unwrap_or(usize::MAX);
            read += &format!(", {} searched for leaks", count(searched, "object"));
        }
        fact("Scope", format!("{}: {read}, {}", text(&options.category), count(report.items.len(), "secret")));
        if let Some(repository) = &options.repository {
            let revision = repository
                .revision
                .as_deref()
                .map(|id| format!(" at <code>{}</code>", text(id.get(..12).unwrap_or(id))));
            let branch = repository.branch.as_deref().map(|name| format!(" ({})", text(name)));
            let at = revision.unwrap_or_default() + &branch.unwrap_or_default();
            fact("Repository", format!("{}{at}", text(repository.uri())));
        }
        fact("Made by", format!("{} {}", report.tool.name, report.tool.version));
        match &options.signed {
            Some(signed) => {
                fact("Signed with", format!("<code>{}</code>", text(&signed.key)));
                fact("Checkpoint", or(signed.checkpoint.as_ref(), "none: no ledger was exported"));
                fact("Verify with", format!("<code>{}</code>", text(&signed.verify)));
            }
            None => fact("Signed", "not signed (<code>keytrail export</code> makes a signed report)".to_owned()),
        }
        let warning = if report.gaps.is_empty() {
            String::new()
        } else {
            format!(
                "<p class=warning><b>This report is incomplete.</b> {} could not be had, so that what is missing here may still \
                 be wrong. <a href=#gaps>See what could not be read</a>.\n",
                count(report.gaps.len(), "piece") + " of evidence"
            )
        };
        format!(
            "<section id=overview aria-labelledby=verdict>\n<h1 id=verdict class={class}><span>Secrets report</span> {words}</h1>\n\
             {warning}<dl class=facts>{facts}</dl>\n{}{}{}</section>\n",
            self.statuses(),
            self.measures(),
            self.trends()
        )
    }

    /// The measures that auditors ask for first.
    fn measures(&self) -> String {
        let measures = &self.report.summary.measures;
        let share = |part: u64, all: u64| (part * 100).checked_div(all).map(|share| format!("{share} %"));
        let trends = self.report.trends.as_ref();
        let to_rotate = trends.and_then(|trends| trends.mean_seconds_to_rotate).map(TimeDelta::seconds);
        let rotated = trends.map_or(0, |trends| trends.rotated);
        let number = |number: u64| grouped(usize::try_from(number).unwrap_or(usize::MAX));
        let oldest = measures.oldest_seconds.map(|seconds| duration(TimeDelta::seconds(seconds)));
        let in_cadence = if measures.with_cadence == 0 {
            "no secret has a calendar cadence".to_owned()
        } else {
            format!("{} of {} proven in time", number(measures.in_cadence), number(measures.with_cadence))
        };
        let judged = if measures.rotations == 0 {
            "no trail shows a change".to_owned()
        } else {
            format!("{} of {} changes had every trail they needed", number(measures.judged), number(measures.rotations))
        };
        let silent = if measures.judged == 0 {
            "no change could be judged".to_owned()
        } else {
            format!("of {} changes that were judged", number(measures.judged))
        };
        let kpis = [
            ("Within cadence", share(measures.in_cadence, measures.with_cadence), in_cadence, false),
            ("Oldest value", oldest, "among the secrets with a cadence".to_owned(), false),
            ("Trail coverage", share(measures.judged, measures.rotations), judged, false),
            ("Silent rotations", (measures.judged > 0).then(|| number(measures.silent)), silent, measures.silent > 0),
            (
                "Open leaks",
                self.report.searched.as_ref().map(|_| number(measures.leaks)),
                if self.report.searched.is_some() {
                    "in use or nobody's".to_owned()
                } else {
                    "leaks were not searched for".to_owned()
                },
                measures.leaks > 0,
            ),
            (
                "Mean time to rotate",
                to_rotate.map(duration),
                if to_rotate.is_some() {
                    format!("over {} rotations that were due", number(rotated))
                } else {
                    "no rotation is known yet".to_owned()
                },
                false,
            ),
        ];
        let tiles: String = kpis
            .into_iter()
            .map(|(name, value, note, is_bad)| {
                let class = if is_bad { " class=bad" } else { "" };
                format!(
                    "<div{class}><dt>{name}<dd><strong>{}</strong> <small>{note}</small></div>",
                    value.unwrap_or_else(|| "–".to_owned())
                )
            })
            .collect();
        format!("<h2 class=sr>Measures</h2>\n<dl class=kpis>{tiles}</dl>\n")
    }

    /// The fields that filter what is below. They work with the script only, and are hidden without.
    pub(super) fn toolbar(&self) -> String {
        let select = |name: &str, title: &str| {
            format!("<label>{title}<select data-filter={name}><option value=\"\">any</select></label>")
        };
        format!(
            "<section id=tools class=tools aria-label=\"Search and filters\" hidden>\n<form role=search><label class=search><span>Search \
             <kbd>/</kbd></span><input type=search id=q autocomplete=off spellcheck=false></label>{}{}{}{}{}<button type=reset \
             id=reset>Clear</button></form>\n<p role=status id=count></p>\n</section>\n",
            select("status", "Status"),
            select("severity", "Severity"),
            select("owner", "Owner"),
            select("env", "Environment"),
            select("rule", "Rule")
        )
    }

    pub(super) fn footer(&self) -> String {
        format!(
            "<footer><p>Made by {} {} as of {}. Evidence is not compliance: whether a control is met, an assessor says. This page \
             holds no value of any secret, and asks nothing of any network.</footer>\n",
            self.report.tool.name,
            self.report.tool.version,
            time(self.report.as_of)
        )
    }

    /// A list whose end is left out, with what is said of that.
    pub(super) fn capped<T>(&self, all: &[T], most: usize, noun: &str, row: impl Fn(&T) -> String) -> String {
        let most = if self.is_short { most.min(500) } else { most };
        let rows: String = all.iter().take(most).map(row).collect();
        match all.len().saturating_sub(most) {
            0 => rows,
            rest => format!("{rows}<li class=rest>and {} more {noun}, which the JSON report has", grouped(rest)),
        }
    }

    /// An item, as a link to its row where it has one.
    pub(super) fn item_link(&self, raw: &str) -> String {
        match self.items.get(raw) {
            Some((number, _)) => format!("<a class=id href=#s{number}>{}</a>", id(raw)),
            None => format!("<span class=id>{}</span>", id(raw)),
        }
    }

    /// A part of the page that could not be filled, said in one line.
    pub(super) fn nothing(id: &str, title: &str, words: &str) -> String {
        section(id, title, "", &format!("<p class=none>{words}\n"))
    }
}
