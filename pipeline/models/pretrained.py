"""Pretrained weights of the 13 VGG-16 convolutions: file format and conversion."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from pipeline.atomic import atomic_file
from pipeline.errors import InputError

EncoderWeights = dict[str, tuple[np.ndarray, np.ndarray]]

CONVOLUTIONS = tuple(
    f"block{block}_conv{layer}"
    for block, depth in enumerate((2, 2, 3, 3, 3), start=1)
    for layer in range(1, depth + 1)
)

# Mean of the ImageNet training set in blue, green, red, 0-255, as Simonyan and Zisserman, and with
# them Keras, subtract it.
VGG_MEAN = (103.939, 116.779, 123.68)
# https://pytorch.org/vision/stable/models.html: the normalisation of all its ImageNet models, 0-1.
_TORCHVISION_MEAN_RGB = np.array([0.485, 0.456, 0.406])
_TORCHVISION_STD_RGB = np.array([0.229, 0.224, 0.225])

# What NumPy, zipfile and h5py raise on a damaged file or a missing array.
_UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_encoder_weights(weights: EncoderWeights, path: Path) -> None:
    """Write encoder weights as an uncompressed `.npz` with keys like `block1_conv1/kernel`.

    Parameters
    ----------
    weights : dict of str to (ndarray, ndarray)
        For each name in `CONVOLUTIONS` the kernel (3, 3, in, out) and the bias (out,), float32;
        or an empty dict: no pretrained weights. The numbers of filters are free as long as each
        layer takes what the one before it gives.
    path : Path
        The file to create or replace.

    Raises
    ------
    InputError
        A name is missing or unknown, a shape does not fit, or a value is not finite.
    """
    _check_weights(weights, str(path))
    arrays = {}
    for name, (kernel, bias) in weights.items():
        arrays |= {f"{name}/kernel": kernel, f"{name}/bias": bias}
    with atomic_file(path) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)


def load_encoder_weights(path: Path) -> EncoderWeights:
    """Read encoder weights from this project's `.npz` or from Keras' `.h5`.

    Parameters
    ----------
    path : Path
        A file by `save_encoder_weights`, or `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`
        as Keras publishes it. The content decides, not the suffix; other layers are passed over.

    Returns
    -------
    dict of str to (ndarray, ndarray)
        Kernel (3, 3, in, out) and bias (out,) by layer name, float32, in the order of the layers;
        empty where an empty dict was saved.

    Raises
    ------
    InputError
        The file is missing, damaged, of another format, or its names or shapes do not fit.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected a file of VGG-16 weights, found none")
    if zipfile.is_zipfile(path):
        read = _read_npz
    elif h5py.is_hdf5(path):
        read = read_keras_h5
    else:
        raise InputError(f"{path}: expected VGG-16 weights as .npz or Keras .h5, got neither")
    try:
        weights = read(path)
    except _UNREADABLE as error:
        raise InputError(f"{path}: expected VGG-16 weights, can't read them: {error}") from error
    _check_weights(weights, str(path))
    return weights


def _read_npz(path: Path) -> EncoderWeights:
    with np.load(path, allow_pickle=False) as stored:
        names = CONVOLUTIONS if stored.files else ()
        return _as_float32(
            {name: (stored[f"{name}/kernel"], stored[f"{name}/bias"]) for name in names}
        )


def read_keras_h5(file: Path | BinaryIO) -> EncoderWeights:
    """Read Keras' own layout: from each layer's group the 4-D and the 1-D array, whatever named."""
    with h5py.File(file, "r") as stored:
        return _as_float32({name: _kernel_and_bias(stored[name]) for name in CONVOLUTIONS})


def _kernel_and_bias(layer: h5py.Group) -> tuple[np.ndarray, np.ndarray]:
    arrays = {}

    def collect(_: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            arrays[node.ndim] = node[()]

    layer.visititems(collect)
    if arrays.keys() != {4, 1}:
        raise ValueError(f"expected {layer.name} with a 4-D and a 1-D array, got {sorted(arrays)}")
    return arrays[4], arrays[1]


def _as_float32(weights: EncoderWeights) -> EncoderWeights:
    return {
        name: (np.ascontiguousarray(kernel, np.float32), np.ascontiguousarray(bias, np.float32))
        for name, (kernel, bias) in weights.items()
    }


def _check_weights(weights: EncoderWeights, where: str) -> None:
    if not weights:
        return
    if set(weights) != set(CONVOLUTIONS):
        wrong = ", ".join(sorted(set(weights) ^ set(CONVOLUTIONS)))
        raise InputError(
            f"{where}: expected the layers block1_conv1 ... block5_conv3, missing or unknown: "
            f"{wrong}"
        )
    channels = 3
    for name in CONVOLUTIONS:
        kernel, bias = weights[name]
        filters = kernel.shape[-1] if kernel.ndim == 4 else "out"
        if kernel.shape != (3, 3, channels, filters) or bias.shape != (filters,):
            raise InputError(
                f"{where}: expected {name} with kernel (3, 3, {channels}, {filters}) and bias "
                f"({filters},), got {kernel.shape} and {bias.shape}"
            )
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise InputError(f"{where}: expected finite weights, got NaN or infinity in {name}")
        channels = filters


def from_torchvision(convolutions: Sequence[tuple[np.ndarray, np.ndarray]]) -> EncoderWeights:
    """Convert torchvision's VGG-16 convolutions to take BGR frames minus the VGG mean.

    torchvision's network takes `(rgb / 255 - mean) / std`. Scale and channel order go into the
    first kernel. The two means differ by at most 0.5 grey levels; that goes into the first bias.
    Both networks pad with zeros *after* their normalisation, that is with their own mean colour,
    so the conversion is exact in the interior of `block1_conv1` and off by the effect of those
    0.5 grey levels in its outermost rows and columns.

    Parameters
    ----------
    convolutions : sequence of (ndarray, ndarray)
        The 13 kernels (3, 3, in, out), RGB first, and biases (out,), in the order of the layers.

    Returns
    -------
    dict of str to (ndarray, ndarray)
        The same layers under Keras' names, float32; only the first one is changed.

    Raises
    ------
    InputError
        There are not 13 convolutions, or a shape does not fit.
    """
    if len(convolutions) != len(CONVOLUTIONS):
        raise InputError(
            f"torchvision weights: expected {len(CONVOLUTIONS)} convolutions, "
            f"got {len(convolutions)}"
        )
    weights = _as_float32(dict(zip(CONVOLUTIONS, convolutions, strict=True)))
    _check_weights(weights, "torchvision weights")
    kernel, bias = (array.astype(np.float64) for array in weights["block1_conv1"])
    kernel = kernel / (255 * _TORCHVISION_STD_RGB)[:, np.newaxis]
    shift = np.array(VGG_MEAN[::-1]) - 255 * _TORCHVISION_MEAN_RGB
    bias = bias + np.einsum("yxcf,c->f", kernel, shift)
    return weights | _as_float32({"block1_conv1": (kernel[:, :, ::-1], bias)})
