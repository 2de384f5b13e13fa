use super::{CUT, MAX_UNITS, fitting, notes, workbook};
use crate::sheets::{Cell, sheets};
use crate::{Format, Options, samples};

#[test]
fn texts_are_cut_where_a_cell_ends() {
    let whole = "x".repeat(MAX_UNITS);
    assert_eq!(fitting(&whole), whole);
    for text in ["x".repeat(MAX_UNITS + 1), "😀".repeat(MAX_UNITS), "漢".repeat(MAX_UNITS + 1)] {
        let cut = fitting(&text);
        assert!(cut.encode_utf16().count() <= MAX_UNITS && cut.ends_with(CUT));
        assert!(text.starts_with(cut.strip_suffix(CUT).expect("cut")));
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let mut report = samples::company();
    let sheets = || sheets(&report);
    assert!(sheets().iter().all(|sheet| notes(sheet, 100).is_empty()));
    assert!(sheets().iter().flat_map(|sheet| notes(sheet, 5)).any(|note| note.contains("Inventory lacks 3 rows")));
    assert!(workbook(&report, sheets(), 5).expect("a workbook").len() > 1_000);
    report.findings[0].message = "x".repeat(40_000);
    let cut: Vec<String> = self::sheets(&report).iter().flat_map(|sheet| notes(sheet, 100)).collect();
    assert!(cut.len() == 1 && cut[0].starts_with("1 texts of the sheet Findings"), "{cut:?}");
    let xlsx = Format::find("xlsx").expect("xlsx");
    (xlsx.render)(&report, &Options::default()).expect("renders");
}

#[test]
fn every_row_has_a_cell_for_every_column() {
    for report in [samples::everything(), samples::full_of(&samples::hostile_strings()), samples::empty()] {
        for sheet in sheets(&report) {
            assert!(sheet.rows.iter().all(|row| row.len() == sheet.columns.len()), "{}", sheet.name);
        }
    }
}

#[test]
fn far_times_are_written_as_text() {
    let mut report = samples::company();
    for time in ["0001-01-01T00:00:00Z", "1899-12-31T00:00:00Z", "+12026-01-01T00:00:00Z"] {
        report.as_of = chrono::DateTime::parse_from_rfc3339(time)
            .map_or(chrono::DateTime::<chrono::Utc>::MAX_UTC, |time| time.to_utc());
        report.items[0].due_at = Some(report.as_of);
        let rows = sheets(&report);
        assert!(rows[1].rows[0].contains(&Cell::Time(report.as_of)));
        workbook(&report, rows, 100).expect("a workbook");
    }
}
