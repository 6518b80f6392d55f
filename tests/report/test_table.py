import numpy as np
import pandas as pd
import pytest

from pipeline.report.table import Table


@pytest.fixture
def table():
    frame = pd.DataFrame({"name": ["[red]a", None], "gain": [0.12345, np.nan], "count": [3, 12]})
    return Table(frame, "+.3f")


def test_table_as_text_is_plain(table):
    lines = [line.split() for line in str(table).splitlines()]
    assert lines == [["name", "gain", "count"], ["[red]a", "+0.123", "3"], ["-", "-", "12"]]


def test_table_drawn_takes_no_text_for_markup(table, capsys):
    table.draw()
    drawn = capsys.readouterr().out
    assert "[red]a" in drawn
    assert "─" in drawn
