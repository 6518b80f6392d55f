import cv2
import numpy as np
import pytest

from pipeline.competitions.spec import load_spec
from pipeline.dataset.layout import list_test
from pipeline.dataset.store import build_store
from pipeline.kaggle.submission import write_submission
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages.init import run as init

SHAPES = {"1": (8, 10), "2": (8, 10), "3": (8, 10), "10": (6, 12)}


@pytest.fixture
def paths(tmp_path):
    """A project of four test frames, preprocessed to 32 x 64 pixels; see also `params`."""
    paths = Paths(tmp_path)
    init(paths, "sample", data_dir=None, device=None)
    text = paths.params.read_text()
    text = text.replace("height: 96", "height: 32").replace("width: 128", "width: 64")
    paths.params.write_text(text)
    (paths.sample / "test").mkdir(parents=True)
    for frame_id, shape in SHAPES.items():
        frame = np.full(shape, int(frame_id), np.uint8)
        cv2.imwrite(str(paths.sample / "test" / f"{frame_id}.tif"), frame)
    paths.processed.mkdir(parents=True)
    spec = load_spec("sample")
    frames = list_test(paths.sample, spec)
    build_store(paths.test_store, frames, spec, height=32, width=64, channels=1)
    return paths


@pytest.fixture
def params(paths):
    return load_params(paths.params)


@pytest.fixture
def submit(paths):
    """Return a function that writes a submission with a box per id: top, left, bottom, right."""

    def write(name, boxes):
        masks = {frame_id: np.zeros(shape, bool) for frame_id, shape in SHAPES.items()}
        for frame_id, (top, left, bottom, right) in boxes.items():
            masks[frame_id][top:bottom, left:right] = True
        of_classes = ((frame_id, mask[..., None]) for frame_id, mask in masks.items())
        write_submission(paths.root / name, of_classes, load_spec("sample"))
        return paths.root / name

    return write
