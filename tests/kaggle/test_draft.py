import numpy as np
import pytest

from pipeline.competitions.spec import Spec
from pipeline.kaggle.draft import Draft
from pipeline.kaggle.submission import check_submission

TWO = Spec.model_validate(
    {
        "title": "Two classes",
        "images": "a/{id}.png",
        "masks": "b/{id}_{class}.png",
        "test": "c/{id}.png",
        "classes": ["left", "right"],
        "submission": {"header": ["id", "rle"], "row": ["{id}_{class}"], "empty": "-1"},
    }
)
OBJECTS = Spec.model_validate(
    TWO.model_dump(exclude_unset=True)
    | {
        "classes": ["x"],
        "masks": "b/{id}.png",
        "submission": {"header": ["id", "rle"]},
        "instances": True,
    }
)
# Down the columns from 1: pixels 1 and 6.
MASK = np.array([[1, 0, 0], [0, 0, 1]], bool)
BOTH = np.stack([MASK, MASK & False], axis=-1)


class Clock:
    """Seconds that a test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "submission.csv"


def test_draft_is_valid_and_empty_from_the_start(path):
    draft = Draft(path, ["b", "a"], TWO)
    assert path.read_text() == "id,rle\nb_left,-1\nb_right,-1\na_left,-1\na_right,-1\n"
    assert draft.filled == 0
    # Whatever the images' sizes.
    assert check_submission(path, TWO, ids=["b", "a"], shapes=[(2, 3), (7, 9)]) == (4, 0)


def test_draft_takes_masks_in_any_order_and_keeps_the_rows(path):
    draft = Draft(path, ["b", "a"], TWO)
    draft.put("a", BOTH[..., ::-1])
    draft.put("b", BOTH)
    assert draft.filled == 2
    draft.save()
    assert path.read_text() == "id,rle\nb_left,1 1 6 1\nb_right,-1\na_left,-1\na_right,1 1 6 1\n"


def test_draft_of_objects_has_as_many_rows_as_pieces(path):
    draft = Draft(path, iter(["b", "a"]), OBJECTS)
    assert path.read_text() == "id,rle\nb,\na,\n"
    draft.put("b", MASK[..., None])
    draft.save()
    assert path.read_text() == "id,rle\nb,1 1\nb,6 1\na,\n"
    assert draft.filled == 2
    draft.put("b", MASK[..., None] & False)  # taken back
    draft.save()
    assert path.read_text() == "id,rle\nb,\na,\n"
    assert draft.filled == 0


def test_draft_is_written_again_every_half_minute(path):
    clock = Clock()
    draft = Draft(path, ["b", "a"], TWO, clock=clock)
    empty = path.read_text()
    clock.now = 29.9
    draft.put("b", BOTH)
    assert path.read_text() == empty
    clock.now = 30.0
    draft.put("a", BOTH)
    written = path.read_text()
    assert written.count("1 1 6 1") == 2
    clock.now = 59.9  # counted from the last time
    draft.put("a", BOTH & False)
    assert path.read_text() == written
    draft.save()
    assert path.read_text().count("1 1 6 1") == 1


def test_draft_full_disk_leaves_the_earlier_file(path, monkeypatch):
    draft = Draft(path, ["b"], TWO)
    before = path.read_text()
    draft.put("b", BOTH)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.kaggle.draft.write_rows", full)
    with pytest.raises(OSError, match="No space left"):
        draft.save()
    assert path.read_text() == before
