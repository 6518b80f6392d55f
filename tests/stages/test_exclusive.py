import json

import numpy as np
import pytest

from pipeline.competitions.spec import Spec
from pipeline.dataset.index import mask_row, open_index, write_tables
from pipeline.dataset.predictions import pack_predictions
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages.exclusive import score_exclusive
from pipeline.stages.init import run as init

SPEC = Spec.model_validate(
    {
        "title": "Labels",
        "images": ["images/{id}.png"],
        "masks": ["labels/{id}.png"],
        "test": ["test/{id}.png"],
        "classes": ["ground", "water", "sky"],
        "exclusive": True,
        "metric": "mean_iou",
        "submission": {"header": ["id", "class", "pixels"], "row": ["{id}", "{class}"]},
    }
)
TRUE = [[[0, 0, 1]], [[0, 1, 9]]]  # 9 is void
PREDICTED = [[[0, 1, 1]], [[0, 1, 2]]]
VOID = [[[9, 9, 9]]] * 2


class Predictions(list):
    """Of frames, a fold each."""

    folds = np.array([0, 1])


@pytest.fixture
def score(tmp_path):
    """Return a function that scores label maps of two frames and returns what is written."""

    def run(true, predicted):
        paths = Paths(tmp_path)
        init(paths, "sample", data_dir=None, device=None)
        paths.train_store.mkdir(parents=True)
        written = []
        for frame_id, labels in zip("ab", np.array(true), strict=True):
            height, width = labels.shape
            frame = {"id": frame_id, "height": height, "width": width, "subject": frame_id}
            masks = [mask_row(frame_id, name, labels == k) for k, name in enumerate(SPEC.classes)]
            written.append({"index": [{**frame, "area": 0, "contradicts": ""}], "masks": masks})
        write_tables(paths.train_store, written, masks=True, objects=False)
        certain = np.array(predicted)[..., None] == np.arange(len(SPEC.classes))
        predictions = Predictions(pack_predictions(certain, certain.any(axis=(1, 2))))
        index = open_index(paths.train_store)
        said = score_exclusive(load_params(paths.params), paths, SPEC, index, predictions)
        return json.loads(paths.metrics.read_text()), said

    return run


def test_score_exclusive_class_that_is_nowhere_does_not_count(score):
    scores, said = score(TRUE, PREDICTED)
    # Ground: 2 of 2 + 1 pixels; water: 2 of 1 + 2. The sky stands where no pixel counts.
    assert scores["classes"] == {"ground": {"iou": 2 / 3}, "water": {"iou": 2 / 3}}
    assert scores["nested_score"] == pytest.approx(2 / 3)
    # In the first fold both are half of their union, in the second both are right.
    assert scores["folds"] == {"0": {"nested_score": 0.5}, "1": {"nested_score": 1.0}}
    # Draws of one frame alone, twice, are the ends.
    assert (scores["nested_score_low"], scores["nested_score_high"]) == (0.5, 1.0)
    assert scores["pixel_accuracy"] == 4 / 5
    assert said == "out-of-fold mean IoU 0.6667 (95 %: 0.5000 to 1.0000), pixel accuracy 0.8000"


def test_score_exclusive_of_void_alone_is_one_as_nothing_is_missed(score):
    scores, _ = score(VOID, PREDICTED)
    assert scores["classes"] == {}
    assert scores["nested_score"] == scores["nested_score_low"] == 1
    assert scores["folds"] == {"0": {"nested_score": 1}, "1": {"nested_score": 1}}
