//! Runbooks: Markdown tables that name secrets with a frequency, whatever the columns are called and in whatever order.

use std::rc::Rc;

use keytrail_rules::cadence::Cadence;
use keytrail_rules::model::{
    AutoRotation, Class, Declaration, Environment, Facts, GapReason, Key, Origin, Place, Stated,
};

use self::cells::Cell;
use self::columns::Columns;
use self::tables::{Row, Survey, Table};
use super::FileKind;
use crate::source::{FileGaps, Reader, SourceFile};

mod cells;
mod columns;
mod tables;
#[cfg(test)]
mod tests;

/// Markdown files with at least one table of secrets.
pub static KIND: FileKind = FileKind { name: "runbook", config_key: "runbooks", patterns: &["**/*.md"], claims, read };

/// Longer cells are prose, and are not taken for what their column holds.
const MAX_CELL_BYTES: usize = 256;

/// A cell may name many secrets.
const MAX_NAME_BYTES: usize = 4_096;

/// A file that cannot be surveyed is claimed too, so that its gap is not lost.
fn claims(file: &SourceFile) -> bool {
    match Survey::of(file.text()) {
        Survey::NoTable => false,
        Survey::Excessive(_) => true,
        Survey::MayHaveTables => tables::of(file).next().is_some(),
    }
}

fn read(file: &SourceFile, _: &Reader<'_>) -> Facts {
    let mut gaps = FileGaps::new(file);
    let mut declarations = Vec::new();
    match Survey::of(file.text()) {
        Survey::NoTable => {}
        Survey::Excessive(why) => gaps.push(1, GapReason::TooLarge, why, "split the file, or exclude it"),
        Survey::MayHaveTables => {
            for table in tables::of(file) {
                if !read_table(&table, file, &mut declarations, &mut gaps) {
                    break;
                }
            }
        }
    }
    Facts { declarations, gaps: gaps.finish(), ..Facts::default() }
}

/// Reads the rows of a table; false where the file is full.
fn read_table(table: &Table, file: &SourceFile, declarations: &mut Vec<Declaration>, gaps: &mut FileGaps<'_>) -> bool {
    let mut above: Vec<Rc<Cell>> = Vec::new();
    for row in &table.rows {
        if gaps.full(declarations.len(), row.line) {
            return false;
        }
        if row.has_excess {
            gaps.push(
                row.line,
                GapReason::Malformed,
                "the row has more cells than the table has columns, so the last ones were not read",
                "write a | inside a cell as \\|",
            );
        }
        let cells: Vec<Rc<Cell>> =
            row.cells.iter().enumerate().map(|(at, cell)| cell.or_above(above.get(at))).collect();
        read_row(row, &cells, &table.columns, file, declarations, gaps);
        above = cells;
    }
    if let Some(line) = table.cut_off {
        gaps.push(
            line,
            GapReason::Malformed,
            "the rows from this line on belong to no table, so they were not read",
            "remove what parts them from the table above, or give them a header",
        );
    }
    true
}

fn read_row(
    row: &Row,
    cells: &[Rc<Cell>],
    columns: &Columns,
    file: &SourceFile,
    declarations: &mut Vec<Declaration>,
    gaps: &mut FileGaps<'_>,
) {
    let mut cell = |column: Option<usize>, limit: usize| {
        let cell = cells.get(column?).filter(|cell| !cell.is_blank())?;
        if cell.text.len() > limit {
            gaps.push(row.line, GapReason::TooLarge, "a cell of the row is too long to be read", "shorten the cell");
            return None;
        }
        Some(cell.as_ref())
    };
    let others_blank = cells.iter().enumerate().all(|(at, cell)| at == columns.name || cell.is_blank());
    let name = cell(Some(columns.name), MAX_NAME_BYTES);
    if others_blank && name.is_none_or(Cell::is_heading) {
        return;
    }
    let text = |cell: Option<&Cell>| cell.map(|cell| cell.text.trim().to_owned());
    let mut said = Declaration::new("", Origin::Runbook, Some(file.at(row.line)));
    said.owner = text(cell(columns.owner, MAX_CELL_BYTES)).filter(|owner| !cells::is_nobody(owner));
    said.cadence = text(cell(Some(columns.frequency), MAX_CELL_BYTES)).map(|text| cadence(&text, columns.unit));
    said.auto_rotation = text(cell(columns.auto_rotation, MAX_CELL_BYTES)).map(|text| AutoRotation::state(&text));
    // A runbook may classify data in words of its own; only ours mean something here.
    said.class = cell(columns.class, MAX_CELL_BYTES).and_then(|cell| Class::parse(&cell.text));
    said.derived_from = cell(columns.derived_from, MAX_CELL_BYTES)
        .map(Cell::names)
        .unwrap_or_default()
        .iter()
        .map(|name| Key::new(name))
        .collect();
    let paths = cell(columns.place, MAX_CELL_BYTES).map(Cell::places).unwrap_or_default();
    let environments = environments(cell(columns.environment, MAX_CELL_BYTES));
    let Some(name) = name else {
        // A name that is struck out is that of a secret which is no more.
        if cells.get(columns.name).is_none_or(|cell| cell.is_blank() && !cell.is_struck) {
            gaps.push(row.line, GapReason::Malformed, "the row names no secret", "name the secret, or remove the row");
        }
        return;
    };
    for name in name.names() {
        if name.contains('*') {
            gaps.push(
                row.line,
                GapReason::Unsupported,
                "a name with * stands for secrets that are not named",
                "name each secret in a row of its own",
            );
            continue;
        }
        let own = cells::explicit_place(&name);
        let label = own.as_ref().and_then(Place::key).unwrap_or_else(|| name.clone());
        let places: Vec<Place> = match own {
            Some(place) => vec![place],
            None => paths.iter().map(|path| path.holding(&label)).collect(),
        };
        for environment in &environments {
            let mut declaration = said.clone();
            declaration.key = Key::new(&label);
            declaration.label.clone_from(&label);
            declaration.environment.clone_from(environment);
            declaration.places.clone_from(&places);
            declarations.push(declaration);
        }
    }
}

/// A frequency; where the header has the unit (`Rotation (days)`), the cell may be a bare number.
fn cadence(text: &str, unit: Option<&str>) -> Stated<Cadence> {
    match unit {
        Some(unit) if text.chars().all(|c| c.is_ascii_digit()) => {
            Stated { text: text.to_owned(), meaning: Cadence::parse(&format!("{text} {unit}")) }
        }
        _ => Cadence::state(text),
    }
}

/// The environments that a cell lists: a declaration for each, or one for all.
fn environments(cell: Option<&Cell>) -> Vec<Option<Environment>> {
    let text = cell.map(|cell| cell.text.to_lowercase()).unwrap_or_default();
    let mut environments: Vec<_> = text
        .split([',', '/', '&', ';', '\n'])
        .map(str::trim)
        .filter(|name| !name.is_empty() && !matches!(*name, "all" | "any" | "every" | "*"))
        .map(|name| Environment::in_path(name).unwrap_or_else(|| Environment::new(name)))
        .collect();
    environments.sort();
    environments.dedup();
    if environments.is_empty() { vec![None] } else { environments.into_iter().map(Some).collect() }
}
