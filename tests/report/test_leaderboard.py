import pandas as pd
import pytest

from pipeline.kaggle.ledger import COLUMNS
from pipeline.report.leaderboard import draw_ledger, tabulate_ledger, with_both_scores


@pytest.fixture
def ledger():
    """Return four uploads: all scores, no private one, none of the leaderboard, no nested one."""
    scores = [(0.5, 0.6, 0.7), (0.55, 0.65, None), (0.6, None, None), (None, 0.9, 0.8)]
    table = pd.DataFrame(scores, columns=["nested_score", "public_score", "private_score"])
    table["time"] = "2026-11-24T01:00:00Z"
    table["message"] = ["one", "two", "three", "four"]
    table["revision"] = ["0123456789ab", "0123456789ab+dirty", None, None]
    table["sha256"] = "fedcba9876543210"
    return table.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def test_tabulate_ledger_numbers_the_uploads_and_shortens_digests(ledger):
    header, *rows = (line.split() for line in str(tabulate_ledger(ledger)).splitlines())
    columns = ["#", "time", "nested", "public", "private", "revision", "file", "message"]
    assert header == columns
    time, file = "2026-11-24T01:00:00Z", "fedcba9"
    assert rows == [
        ["1", time, "0.50000", "0.60000", "0.70000", "0123456", file, "one"],
        ["2", time, "0.55000", "0.65000", "-", "0123456+dirty", file, "two"],
        ["3", time, "0.60000", "-", "-", "-", file, "three"],
        ["4", time, "-", "0.90000", "0.80000", "-", file, "four"],
    ]


def test_with_both_scores_leaves_out_uploads_that_lack_a_side(ledger):
    assert with_both_scores(ledger)["message"].tolist() == ["one", "two"]


def test_draw_ledger_shows_each_upload_by_its_number(ledger):
    (axes,) = draw_ledger(ledger).axes
    public, private, _equal = axes.lines
    assert [line.get_label() for line in axes.lines] == ["public score", "private score", "equal"]
    assert (list(public.get_xdata()), list(public.get_ydata())) == ([0.5, 0.55], [0.6, 0.65])
    assert (list(private.get_xdata()), list(private.get_ydata())) == ([0.5], [0.7])
    assert [text.get_text() for text in axes.texts] == ["1", "2", "1"]
