"""The ledger of uploads as a table, and its nested score against the leaderboard as a plot."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.table import Table

_LEADERBOARD = {"public_score": "o", "private_score": "s"}  # with a marker each


def tabulate_ledger(ledger: pd.DataFrame) -> Table:
    """Return the uploads, numbered from 1 as the plot numbers them.

    Parameters
    ----------
    ledger : pandas.DataFrame
        See `pipeline.kaggle.ledger.read_ledger`.
    """
    table = pd.DataFrame(
        {
            "#": range(1, len(ledger) + 1),
            "time": ledger["time"],
            "nested": ledger["nested_score"],
            "public": ledger["public_score"],
            "private": ledger["private_score"],
            "revision": ledger["revision"].str.replace(r"^(.{7})[^+]*", r"\1", regex=True),
            "file": ledger["sha256"].str[:7],
            "message": ledger["message"],
        }
    )
    return Table(table, ".5f")


def with_both_scores(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the uploads with a nested score and one of the leaderboard."""
    on_leaderboard = ledger[list(_LEADERBOARD)].notna().any(axis=1)
    return ledger[ledger["nested_score"].notna() & on_leaderboard]


def draw_ledger(ledger: pd.DataFrame) -> Figure:
    """Draw the leaderboard's scores against the nested one, every upload by its number.

    Parameters
    ----------
    ledger : pandas.DataFrame
        At least one upload has both; see `with_both_scores`.
    """
    known = with_both_scores(ledger)
    with plt.style.context("tableau-colorblind10"):
        figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
        for column, marker in _LEADERBOARD.items():
            scored = known[known[column].notna()]
            if len(scored):
                label = column.replace("_", " ")
                axes.plot(scored["nested_score"], scored[column], marker, label=label)
            for number, row in zip(scored.index + 1, scored.itertuples(), strict=True):
                place = (row.nested_score, getattr(row, column))
                axes.annotate(str(number), place, (5, 3), textcoords="offset points", fontsize=8)
    low, high = axes.get_xlim()
    axes.axline((low, low), slope=1, color="grey", linestyle=":", linewidth=1, label="equal")
    axes.set(xlabel="nested out-of-fold Dice", ylabel="leaderboard", xlim=(low, high))
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    plt.close(figure)
    return figure
