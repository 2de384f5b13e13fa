#!/usr/bin/env python3
"""Reads a report as other people's programs do, and prints what they see as JSON.

usage: read.py csv FILE | read.py junit FILE SCHEMA | read.py xlsx FILE
"""
import csv
import json
import sys

KNOWN_BESIDE_SCHEMA = {"testcase": {"file", "line"}}


def read_csv(file):
    csv.field_size_limit(10_000_000)
    with open(file, newline="", encoding="utf-8") as text:
        return list(csv.reader(text, strict=True))


def read_junit(file, schema):
    from junitparser import Error, Failure, JUnitXml, Skipped
    from lxml import etree

    parser = etree.XMLParser(huge_tree=True, resolve_entities=False)
    tree = etree.parse(file, parser)
    for tag, names in KNOWN_BESIDE_SCHEMA.items():
        for element in tree.iter(tag):
            for name in names:
                element.attrib.pop(name, None)
    schema = etree.XMLSchema(etree.parse(schema))
    schema.validate(tree)
    cases, seen = [], {}
    for suite in JUnitXml.fromfile(file):
        for case in suite:
            kinds = {Failure: "failure", Error: "error", Skipped: "skipped"}
            result = [kinds[type(one)] for one in case.result] or ["passed"]
            cases.append([suite.name, case.classname, case.name, result[0]])
            key = (case.classname, case.name)
            seen[key] = seen.get(key, 0) + 1
    declared = {name: int(tree.getroot().get(name)) for name in ("tests", "failures", "errors")}
    return {
        "invalid": [str(error) for error in schema.error_log],
        "cases": cases,
        "twice": [list(key) for key, number in seen.items() if number > 1],
        "declared": declared,
    }


def read_xlsx(file):
    import openpyxl

    book = openpyxl.load_workbook(file)
    sheets = {}
    for sheet in book:
        kinds, rows = {}, []
        for row in sheet.iter_rows():
            for cell in row:
                kinds[cell.data_type] = kinds.get(cell.data_type, 0) + 1
            if len(rows) < 40:
                rows.append([str(cell.value) if cell.is_date else cell.value for cell in row])
        sheets[sheet.title] = {
            "kinds": kinds,
            "rows": rows,
            "count": sheet.max_row,
            "frozen": sheet.freeze_panes,
            "filter": sheet.auto_filter.ref,
            "links": len(sheet._hyperlinks),
            "wide": all(sheet.column_dimensions[name].width > 8 for name in "AB"),
        }
    return {"sheets": sheets, "order": book.sheetnames, "created": str(book.properties.created)}


json.dump({"csv": read_csv, "junit": read_junit, "xlsx": read_xlsx}[sys.argv[1]](*sys.argv[2:]), sys.stdout)
