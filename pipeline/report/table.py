"""A table that is drawn on a terminal, and plain text everywhere else."""

from dataclasses import dataclass

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Attributes
    ----------
    frame : pandas.DataFrame
        Its columns are the headings.
    float_format : str
        How its numbers with a fraction are written, such as ``".3f"``; missing ones are "-".
    """

    frame: pd.DataFrame
    float_format: str = ".4f"

    def cells(self) -> pd.DataFrame:
        """Return the table as text."""
        return self.frame.astype(object).map(self._write)

    def __str__(self) -> str:
        return self.cells().to_string(index=False)

    def draw(self) -> None:
        """Draw it on the terminal; numbers stand to the right."""
        numeric = self.frame.select_dtypes("number").columns
        drawn = RichTable(box=box.SIMPLE_HEAD)
        for name in self.frame:
            drawn.add_column(str(name), justify="right" if name in numeric else "left")
        for row in self.cells().itertuples(index=False, name=None):
            drawn.add_row(*map(Text, row))  # not markup: a message may hold brackets
        Console().print(drawn)

    def _write(self, value: object) -> str:
        if isinstance(value, float):
            return "-" if pd.isna(value) else format(value, self.float_format)
        return "-" if pd.isna(value) else str(value)
