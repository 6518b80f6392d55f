"""What decides the weights of a training, as a text to compare."""

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

import keras

import pipeline
from pipeline import runtime
from pipeline.competitions.spec import load_spec
from pipeline.params import Params
from pipeline.paths import Paths

# Besides data and parameters.
_CODE = (
    "dataset/augment.py",
    "dataset/batches.py",
    "dataset/images.py",
    "masks/codes.py",
    "models/*.py",
    "runtime.py",
    "stages/train.py",
    "training/*.py",
)
_LIBRARIES = (
    "albumentations",
    "keras",
    "numpy",
    "opencv-python-headless",
    "segmentation-models",
    "tensorflow",
)


def fingerprint(params: Params, paths: Paths, fold: int) -> str:
    """Return a text that differs where data, parameters, code or versions do."""
    parts = {
        "fold": fold,
        "params": params.model_dump(include={"seed", "preprocess", "model", "train"}),
        "classes": load_spec(params.competition).model_dump(include={"classes", "exclusive"}),
        "replicas": len(runtime.training_devices()),  # their sums are added in another order
        "precision": runtime.choose_precision(params.train.precision),
        "backend": keras.backend.backend(),
        "versions": {library: version(library) for library in _LIBRARIES},
    }
    package = Path(pipeline.__file__).parent
    code = [path for pattern in _CODE for path in sorted(package.glob(pattern))]
    data = [*sorted(paths.train_store.iterdir()), paths.folds, paths.encoder]
    parts |= {path.relative_to(package).as_posix(): _digest(path) for path in code}
    parts |= {path.relative_to(paths.root).as_posix(): _digest(path) for path in data}
    return json.dumps(parts, indent=2, sort_keys=True)


def _digest(file: Path) -> str:
    status = file.stat()
    return _digest_once(file.resolve(), status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _digest_once(file: Path, *status: int) -> str:
    """Read a file again only where its `status` is another: a plan's runs share their data."""
    digest = hashlib.sha256()
    with file.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
