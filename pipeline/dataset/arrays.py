"""Files that hold more than 8-bit pixels: DICOM, deep PNG and TIFF, NumPy and MATLAB arrays."""

import io
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL.PngImagePlugin import PngImageFile
from scipy.io import loadmat

from pipeline.dataset.decode import UnsuitableImageError, decode_file
from pipeline.errors import InputError

_DICOM_AT, _DICOM = 128, b"DICM"


class Reading(NamedTuple):
    """How pixels of more than 8 bits become some of 8.

    Attributes
    ----------
    levels : (float, float) or "own", optional
        What becomes 0 and 255; "own": the image's least and greatest value. None refuses them.
    page : int
        Which slice of the last axis, where the file is a stack.
    """

    levels: tuple[float, float] | str | None = None
    page: int = 0


def decode_image(path: Path, reading: Reading = Reading()) -> np.ndarray:  # noqa: B008
    """Decode a file into one 8-bit image.

    Returns
    -------
    numpy.ndarray
        uint8, (H, W), or (H, W, 3) red, green, blue.

    Raises
    ------
    InputError
        See `decode_file`.
    """
    if reading.levels is None:
        return decode_file(path)
    pixels = _decode_deep(path)
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        if reading.page >= pixels.shape[2]:
            raise InputError(
                f"{path}: expected at least {reading.page + 1} slices (page), got {pixels.shape}"
            )
        pixels = pixels[..., reading.page]
    is_number = np.issubdtype(pixels.dtype, np.number)
    if pixels.ndim not in (2, 3) or not pixels.size or not is_number:
        raise InputError(f"{path}: expected an image, got {pixels.shape} {pixels.dtype}")
    return _to_8_bits(pixels[..., :3] if pixels.ndim == 3 else pixels, reading.levels)


def decode_labels(path: Path) -> np.ndarray:
    """Decode a file whose pixels are class numbers: a palette PNG's indices, grey, or MATLAB's.

    Returns
    -------
    numpy.ndarray
        uint8, (H, W).

    Raises
    ------
    InputError
        The file is damaged, or has colours in place of numbers.
    """
    if path.suffix == ".mat":
        return _decode_segmentation(path)
    try:
        data = path.read_bytes()
        if data.startswith(b"\x89PNG"):
            with PngImageFile(io.BytesIO(data)) as image:
                if image.mode == "P":
                    return np.array(image)
    except Exception as error:  # Pillow raises whatever the broken bytes trip, from any class
        raise InputError(f"{path}: expected a label image, got a damaged file ({error})") from error
    labels = decode_file(path)
    if labels.ndim == 3:
        raise InputError(f"{path}: expected an image of class numbers, got a colour image")
    return labels


def decode_raw(path: Path) -> np.ndarray:
    """Decode a file of any depth, as for a mask of which all that is not 0 counts.

    Returns
    -------
    numpy.ndarray
        Of any numeric type, (H, W) or (H, W, C).

    Raises
    ------
    InputError
        See `decode_file`.
    """
    if path.suffix == ".npy":
        return _decode_deep(path)
    try:
        return decode_file(path)
    except UnsuitableImageError:
        return _decode_deep(path)


def _decode_segmentation(path: Path) -> np.ndarray:
    """Read a file of the Semantic Boundaries Dataset (Hariharan et al., 2011)."""
    try:
        return np.ascontiguousarray(loadmat(path)["GTcls"][0, 0]["Segmentation"], dtype=np.uint8)
    except Exception as error:  # of a broken file SciPy raises what the bytes trip
        raise InputError(f"{path}: expected GTcls.Segmentation, got {error!r}") from error


def _decode_deep(path: Path) -> np.ndarray:
    try:
        data = path.read_bytes()
        if data[_DICOM_AT : _DICOM_AT + len(_DICOM)] == _DICOM:
            return _decode_dicom(data)
        if data.startswith(b"\x93NUMPY"):
            return np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:
        raise InputError(f"{path}: expected an image, got a damaged file ({error})") from error
    try:
        return decode_file(path)
    except UnsuitableImageError:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype == np.uint8:  # not its depth is what was refused
            raise
    return pixels if pixels.ndim == 2 else pixels[..., 2::-1]


def _decode_dicom(data: bytes) -> np.ndarray:
    """Return the pixels in modality values, bright for much; frames stand last."""
    import pydicom  # slow to import
    from pydicom.pixels import apply_modality_lut

    image = pydicom.dcmread(io.BytesIO(data))
    pixels = apply_modality_lut(image.pixel_array, image)
    if image.get("PhotometricInterpretation") == "MONOCHROME1":
        pixels = pixels.max() - pixels
    return np.moveaxis(pixels, 0, -1) if int(image.get("NumberOfFrames") or 1) > 1 else pixels


def _to_8_bits(pixels: np.ndarray, levels: tuple[float, float] | str) -> np.ndarray:
    pixels = pixels.astype(np.float64)
    if levels == "own":
        finite = pixels[np.isfinite(pixels)]
        levels = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    low, high = levels
    span = high - low
    pixels = np.nan_to_num(pixels, nan=low, posinf=high, neginf=low)
    scaled = (pixels - low) * (255 / span if span else 0)
    return np.ascontiguousarray(np.rint(np.clip(scaled, 0, 255)), dtype=np.uint8)
