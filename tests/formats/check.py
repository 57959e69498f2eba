"""Validates OSCAL and CSV reports, and counts their findings: check.py OSCAL-SCHEMA FOLDER."""

import collections
import csv
import json
import logging
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

import jsonschema_rs
from oscal.oscal_content import OSCAL

logging.disable(logging.WARNING)

TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
COLUMNS = 14


def oscal(path, validator):
    """By the JSON Schema and, for values and references that it cannot know, by the metaschema."""
    text = path.read_text()
    document = json.loads(text)
    for error in list(validator.iter_errors(document))[:5]:
        sys.exit(f"{path}: {error.instance_path}: {error.message[:500]}")
    read = OSCAL.loads(text)
    if not read.is_valid:
        sys.exit(f"{path}: {read.validation_status} {read.validation_errors[:5]}")
    result = document["assessment-results"]["results"][0]
    verdicts = collections.Counter()
    for observation in result.get("observations", []):
        verdicts[observation["props"][0]["value"]] += 1
    states = collections.Counter(finding["target"]["status"]["state"] for finding in result.get("findings", []))
    if states["satisfied"] != verdicts["pass"]:
        sys.exit(f"{path}: {verdicts['pass']} passes, {states['satisfied']} satisfied")
    print(f"{path}: OSCAL with {verdicts.total()} observations and {states.total()} findings")
    return verdicts


def shown(element):
    """The text of a paragraph, in which runs of spaces are elements."""
    text = element.text or ""
    for child in element:
        text += " " * int(child.get(TEXT + "c", "1")) if child.tag == TEXT + "s" else shown(child)
        text += child.tail or ""
    return text


def sheet(path, converted):
    """What LibreOffice shows in each cell is what the cell says, and nothing is calculated."""
    root = ElementTree.parse(converted).getroot()
    formulas = [cell.get(TABLE + "formula") for cell in root.iter(TABLE + "table-cell") if TABLE + "formula" in cell.attrib]
    if formulas:
        sys.exit(f"{path}: formulas {formulas[:5]}")
    rows = []
    for row in root.iter(TABLE + "table-row"):
        cells = []
        for cell in row.iter(TABLE + "table-cell"):
            text = "\n".join(shown(paragraph) for paragraph in cell.iter(TEXT + "p"))
            cells += [text] * min(int(cell.get(TABLE + "number-columns-repeated", "1")), COLUMNS)
        rows.append((cells + [""] * COLUMNS)[:COLUMNS])
    with path.open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.reader(file, strict=True))
    for number, (row, wanted) in enumerate(zip(rows, written, strict=True), 1):
        if row != wanted:
            different = [(a, b) for a, b in zip(row, wanted) if a != b] or [(f"{len(row)} cells", f"{len(wanted)}")]
            sys.exit(f"{path}:{number}: LibreOffice shows {different[0][0]!r} for {different[0][1]!r}")
    print(f"{path}: LibreOffice shows {len(rows)} rows as they are written")
    return collections.Counter(row[0] for row in written[1:] if row[2] != "mailvet/nothing-judged")


def heimdall(path):
    profiles = json.loads(path.read_text())["profiles"]
    tags = (control["tags"] for profile in profiles for control in profile["controls"])
    return collections.Counter(tag["verdict"] for tag in tags if tag["verdict"])


def junit(path):
    """JUnit has no verdicts of its own, so only the number counts."""
    cases = ElementTree.parse(path).getroot().iter("testcase")
    return sum(1 for case in cases if case.get("name") != "nothing was judged")


def main():
    schema, folder = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    validator = jsonschema_rs.Draft7Validator(schema, validate_formats=True)
    paths = sorted(folder.glob("*.oscal"))
    for path in paths:
        verdicts = oscal(path, validator)
        table = path.with_suffix(".csv")
        others = {
            "csv": sheet(table, folder / "sheets" / (path.stem + ".fods")),
            "hdf": heimdall(path.with_suffix(".hdf")),
        }
        for name, other in others.items():
            if other != verdicts:
                sys.exit(f"{path}: {verdicts}, but {name} has {other}")
        if junit(path.with_suffix(".junit")) != verdicts.total():
            sys.exit(f"{path}: JUnit has another number of cases")
    if len(paths) < 4:
        sys.exit("there are reports missing")
    print(f"{len(paths)} runs: every format has every finding")


main()
