"""Faults and notes about raw files: one each, as a table and in a few lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.errors import InputError

SHOWN = 5  # files that `summarise` names of each kind of fault


class Finding(NamedTuple):
    """One fault of one file, or a note where the file can be used all the same."""

    path: Path
    fault: str
    expected: str
    got: str
    is_note: bool = False


def as_finding(path: Path, error: InputError, fault: str) -> Finding:
    """Turn "path: expected this, got that" into a finding."""
    said = str(error).removeprefix(f"{path}: ")
    expected, _, got = said.partition(", got ")
    return Finding(path, fault, expected.removeprefix("expected "), got or said)


def to_table(findings: Sequence[Finding], data_dir: Path) -> pd.DataFrame:
    """Return findings as columns severity, path (relative), fault, expected and got."""
    rows = [
        (
            "note" if finding.is_note else "fault",
            finding.path.relative_to(data_dir).as_posix(),
            *finding[1:4],
        )
        for finding in findings
    ]
    return pd.DataFrame(rows, columns=["severity", "path", "fault", "expected", "got"])


def summarise(table: pd.DataFrame) -> str:
    """Count the rows of each kind in a table of `to_table` and name the first few files."""
    lines = []
    for (severity, fault), rows in table.groupby(["severity", "fault"], sort=False):
        paths = rows["path"].tolist()
        more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
        mark = "note, " if severity == "note" else ""
        lines.append(f"  {mark}{fault}, {len(paths)}: {', '.join(paths[:SHOWN])}{more}")
    return "\n".join(lines)
