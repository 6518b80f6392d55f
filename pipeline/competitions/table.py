"""CSV files of run lengths, as competitions give and take them."""

import csv
from collections.abc import Iterator
from pathlib import Path

from pipeline.competitions.formats import TableFormat
from pipeline.errors import InputError

csv.field_size_limit(2**31 - 1)  # a mask's runs are one field; the default is 131,072 characters

Rows = dict[tuple[str, ...], list[str]]


def read_table(path: Path, form: TableFormat, *, repeats: bool = False) -> Rows:
    """Return the runs by what stands before them, in the order of the rows; "" for an empty mask.

    Parameters
    ----------
    path : Path
    form : TableFormat
        Header and empty marker.
    repeats : bool
        Whether a key may stand in several rows, such as one for each object of an image.

    Raises
    ------
    InputError
        The file is missing, is no CSV, has another header, or a key stands twice.
    """
    table: Rows = {}
    for line, key, runs in read_rows(path, form):
        if key in table and not repeats:
            raise InputError(f"{path}:{line}: id {','.join(key)} stands twice")
        table.setdefault(key, []).append(runs)
    return table


def read_rows(path: Path, form: TableFormat) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """Yield the line, what stands before the runs, and these, row by row; see `read_table`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            if tuple(header) != form.header:
                raise InputError(
                    f"{path}: expected the header {','.join(form.header)},"
                    f" got {','.join(header)[:80]!r}"
                )
            for line, row in enumerate(rows, start=2):
                if len(row) != len(form.header):
                    raise InputError(
                        f"{path}:{line}: expected {len(form.header)} fields, got {len(row)}"
                    )
                runs = row[-1].strip()
                if runs == "" != form.empty:
                    raise InputError(
                        f"{path}:{line}: expected {form.empty} for an empty mask, got nothing"
                    )
                yield line, tuple(row[:-1]), "" if runs == form.empty else runs
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV file: {error}") from error
