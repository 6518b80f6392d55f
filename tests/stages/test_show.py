import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.stages import show
from pipeline.stages.show import run, spread


@given(total=st.integers(1, 6000), count=st.integers(1, 100))
def test_spread_takes_different_rows_from_first_to_last(total, count):
    rows = spread(total, count).tolist()
    assert len(set(rows)) == len(rows) == min(total, count)
    assert rows == sorted(rows)
    assert rows[0] == 0
    assert count == 1 or rows[-1] == total - 1
    gaps = set(np.diff(rows).tolist())
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


@pytest.fixture
def submission(submit):
    return submit("mine.csv", {"1": (0, 0, 4, 5), "10": (1, 2, 6, 12)})


@pytest.fixture
def drawn(monkeypatch):
    """Return the list that receives what is drawn."""
    pictures = []
    monkeypatch.setattr(show, "write_sheets", lambda path, new: pictures.extend(new) or [path])
    return pictures


def test_run_writes_the_sheet_and_says_of_what(params, paths, submission):
    output = run(params, paths, submission, count=3, out=None)
    assert output == f"{paths.sheet}: 3 of 4 frames of {submission}"
    assert cv2.imread(str(paths.sheet)) is not None


def test_run_out_says_where(params, paths, submission):
    out = paths.root / "here.png"
    assert run(params, paths, submission, count=1, out=out).startswith(f"{out}: 1 of 4 frames")
    assert out.exists()
    assert not paths.sheet.exists()


def test_run_draws_the_masks_at_original_size(params, paths, submission, drawn):
    run(params, paths, submission, count=9, out=None)
    captions = ["1: 20 px", "2: empty", "3: empty", "10: 50 px"]
    assert [picture.caption for picture in drawn] == captions
    expected = np.zeros((6, 12), bool)
    expected[1:6, 2:12] = True
    np.testing.assert_array_equal(drawn[3].masks["mine.csv"], expected)
    np.testing.assert_array_equal(drawn[3].image, np.full((6, 12, 3), 10))


def test_run_without_raw_files_draws_on_the_preprocessed_frames(params, paths, submission, drawn):
    paths.sample.rename(paths.root / "elsewhere")
    run(params, paths, submission, count=9, out=None)
    np.testing.assert_array_equal(drawn[3].image, np.full((32, 64, 3), 10))
    assert drawn[3].masks["mine.csv"].shape == (6, 12)


def test_run_submission_of_other_frames_is_refused(params, paths, submission):
    with submission.open("a") as file:
        file.write("11,\n")
    with pytest.raises(InputError, match=r"mine.csv: expected 4 ids, 11 unknown"):
        run(params, paths, submission, count=1, out=None)
    assert not paths.sheet.exists()
