import numpy as np
import pytest

from pipeline.competitions.spec import SubmissionFormat
from pipeline.kaggle.draft import Draft

FORM = SubmissionFormat(header=("img", "pixels"), empty="-")
MASK = np.array([[False, True], [False, True]])  # columns first from 1: pixels 3 and 4


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "submission.csv"


def test_draft_is_all_empty_at_once(path):
    draft = Draft(path, ["2", "10"], FORM)
    assert path.read_text() == "img,pixels\n2,-\n10,-\n"
    assert draft.filled == 0


def test_draft_save_writes_what_was_put_in_the_order_of_the_ids(path):
    draft = Draft(path, ["2", "10", "11"], FORM)
    draft.put("10", MASK)
    draft.put("11", ~MASK & MASK)
    assert path.read_text() == "img,pixels\n2,-\n10,-\n11,-\n"
    draft.save()
    assert path.read_text() == "img,pixels\n2,-\n10,3 2\n11,-\n"
    assert draft.filled == 1


def test_draft_is_written_by_itself_after_half_a_minute(path):
    clock = Clock()
    draft = Draft(path, ["1", "2", "3"], FORM, clock=clock)
    for now, mask_id, rows in ((29, "1", 0), (30, "2", 2), (59, "3", 2)):
        clock.now = now
        draft.put(mask_id, MASK)
        assert path.read_text().count("3 2") == rows
