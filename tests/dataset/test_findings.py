from pathlib import Path

from pipeline.dataset.findings import Finding, as_finding, summarise, to_table
from pipeline.errors import InputError

DATA = Path("data")


def test_as_finding_takes_a_message_apart():
    path = DATA / "1.tif"
    error = InputError(f"{path}: expected an 8-bit image, got an empty file")
    expected = Finding(path, "unreadable", "an 8-bit image", "an empty file")
    assert as_finding(path, error, "unreadable") == expected


def test_as_finding_keeps_a_message_of_another_form():
    observed = as_finding(DATA / "a.csv", InputError("a.csv:3: id 7 stands twice"), "unreadable")
    assert observed.got == "a.csv:3: id 7 stands twice"


def test_to_table_has_a_row_per_finding_and_columns_without_any():
    findings = [Finding(DATA / "train/1.tif", "mode", "8", "16", is_note=True)]
    expected = {"severity": "note", "path": "train/1.tif", "fault": "mode"}
    assert to_table(findings, DATA).to_dict("records") == [
        {**expected, "expected": "8", "got": "16"}
    ]
    columns = ["severity", "path", "fault", "expected", "got"]
    assert list(to_table([], DATA)) == columns


def test_summarise_counts_each_kind_and_names_the_first():
    faults = [Finding(DATA / f"{i}.tif", "unreadable", "", "") for i in range(7)]
    note = Finding(DATA / "odd.tif", "uncommon size or mode", "", "", is_note=True)
    assert summarise(to_table([*faults, note], DATA)) == (
        "  unreadable, 7: 0.tif, 1.tif, 2.tif, 3.tif, 4.tif and 2 more\n"
        "  note, uncommon size or mode, 1: odd.tif"
    )
    assert summarise(to_table([], DATA)) == ""
