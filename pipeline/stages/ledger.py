"""Show what was uploaded, and how far the nested score agrees with the leaderboard."""

from pipeline.atomic import atomic_file
from pipeline.errors import InputError
from pipeline.kaggle.client import open_client, read_results
from pipeline.kaggle.ledger import enter_results, read_ledger
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.report.leaderboard import draw_ledger, tabulate_ledger, with_both_scores
from pipeline.report.table import Table
from pipeline.stages.upload import kaggle_name


def run(params: Params, paths: Paths, *, update: bool) -> tuple[str | Table, ...]:
    """Plot the uploads that have both scores, at least two; return the table of all.

    Raises
    ------
    InputError
        Nothing was uploaded, the ledger is damaged, or Kaggle can't be asked for new scores.
    """
    ledger = read_ledger(paths.ledger)
    if ledger.empty:
        raise InputError(f"{paths.ledger}: no uploads yet; run: pipeline upload -m MESSAGE")
    if update:
        name = kaggle_name(params)
        enter_results(paths.ledger, name, read_results(open_client(), name))
        ledger = read_ledger(paths.ledger)
    table = tabulate_ledger(ledger)
    if len(with_both_scores(ledger)) < 2:
        return (table,)
    with atomic_file(paths.ledger_plot) as beside:
        draw_ledger(ledger).savefig(beside, dpi=120)
    return table, f"\n{paths.ledger}, {paths.ledger_plot}"
