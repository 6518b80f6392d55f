import cv2
import pytest

from pipeline.errors import InputError
from pipeline.kaggle.ledger import append_upload, read_ledger
from pipeline.stages.ledger import run
from tests.kaggle.stand_in import install, submission

UPLOAD = {
    "time": "2026-11-24T01:00:00Z",
    "competition": "ultrasound-nerve-segmentation",
    "sha256": "ab",
    "revision": "cd",
    "params_sha256": "ef",
}


@pytest.fixture
def nerve(params):
    return params.model_copy(update={"competition": "ultrasound-nerve"})


@pytest.fixture
def uploads(paths):
    """Two uploads with a nested score, and one of a submission from elsewhere."""
    for ref, nested in ((1, 0.6), (2, 0.65), (3, None)):
        upload = UPLOAD | {"ref": ref, "nested_score": nested, "message": f"number {ref}"}
        append_upload(paths.ledger, upload)
    return paths


def test_run_before_any_upload_says_what_to_run(params, paths):
    with pytest.raises(InputError, match=r"ledger.csv: no uploads yet; run: pipeline upload"):
        run(params, paths, update=False)


def test_run_without_scores_prints_the_table_alone(nerve, uploads):
    (table,) = run(nerve, uploads, update=False)
    lines = str(table).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["1", "2", "3"]
    assert not uploads.ledger_plot.exists()


def test_run_update_enters_scores_that_came_later_and_plots(nerve, uploads, monkeypatch):
    client = install(monkeypatch)
    client.listings = [
        [submission(3, "PENDING"), submission(2, public="0.7"), submission(1, public="0.6")]
    ]
    table, written = run(nerve, uploads, update=True)
    assert written == f"\n{uploads.ledger}, {uploads.ledger_plot}"
    assert read_ledger(uploads.ledger)["public_score"].fillna(-1).tolist() == [0.6, 0.7, -1]
    assert cv2.imread(str(uploads.ledger_plot)) is not None
    uploads.ledger_plot.unlink()
    again, _ = run(nerve, uploads, update=False)  # what is known needs no connection
    assert str(again) == str(table)
    assert uploads.ledger_plot.exists()


def test_run_one_upload_with_both_scores_is_not_plotted(nerve, uploads, monkeypatch):
    client = install(monkeypatch)
    client.listings = [[submission(3, public="0.7"), submission(1, public="0.6")]]
    run(nerve, uploads, update=True)
    assert not uploads.ledger_plot.exists()
