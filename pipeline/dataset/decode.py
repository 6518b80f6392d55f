"""A file becomes the pixels of one 8-bit image, or one line that says why it can't.

TIFF goes through OpenCV and everything else through Pillow, since each of them refuses every
cut-off file of its formats and says nothing on stderr. The other way round neither holds: OpenCV
4.10 fills the rest of a cut JPEG with grey and its libpng writes to stderr, as does Pillow's
libtiff, which also keeps Python's lock while it decodes.
"""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from pipeline.errors import InputError

# Pillow's readers are called directly: Image.open takes large histology slides for "bombs", and
# its limit is one global for the whole process.
_READERS: dict[bytes, type[ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"GIF8": GifImageFile,
    b"BM": BmpImageFile,
}
_MAX_PIXELS = 2**30  # OpenCV's own limit, here for every format
_PNG_BIT_DEPTH_AT = 24  # byte of the IHDR chunk; Pillow reads 16-bit colour as 8-bit in silence

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two: BigTIFF
_TIFF_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # by type number
_TIFF_EXTRA_SAMPLES = 338
_ALPHA_BLENDED, _ALPHA_APART = 1, 2

# What OpenCV says about a damaged file reaches the user as an InputError, not on stderr.
_set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
_set_log_level(0)  # silent; the function moved in OpenCV 4.13


class UnsuitableImageError(InputError):
    """A sound file of pixels that are not those of one 8-bit image."""


def decode_file(path: Path) -> np.ndarray:
    """Decode one image file.

    Palettes are expanded, 1-bit pixels become 0 and 255, alpha is dropped, not blended. The
    orientation in a photo's EXIF data is left alone, as mask files carry none.

    Parameters
    ----------
    path : Path
        TIFF (one page), PNG, JPEG, GIF or BMP (one frame), at most 8 bits per channel.

    Returns
    -------
    ndarray of uint8, shape (H, W) or (H, W, 3)
        0 to 255; three channels stand in the order red, green, blue.

    Raises
    ------
    InputError
        The file is missing, damaged, cut off or no such image. `UnsuitableImageError`: it is
        sound, but has more than 8 bits, several frames or channels of another kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _refusal(path, f"an unreadable file ({error.strerror})") from None
    if not data:
        raise _refusal(path, "an empty file")
    if data.startswith(_TIFF_STARTS):
        return _decode_tiff(path, data)
    for start, reader in _READERS.items():
        if data.startswith(start):
            return _decode_with_pillow(path, data, reader)
    raise _refusal(path, "a file that is not TIFF, PNG, JPEG, GIF or BMP")


def _decode_tiff(path: Path, data: bytes) -> np.ndarray:
    try:
        data = _check_tiff_directory(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (ValueError, OverflowError, struct.error, cv2.error) as error:
        reason = error if type(error) is ValueError else "damaged or cut off"
        raise _refusal(path, f"a TIFF that is {reason}") from None
    if image is None:
        raise _refusal(path, "a TIFF that is damaged, cut off or of a kind OpenCV can't read")
    if image.dtype != np.uint8:
        raise _refusal(path, f"{image.dtype} pixels", UnsuitableImageError)
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., 2::-1])  # BGR or BGRA


def _check_tiff_directory(data: bytes) -> bytes:
    """Check what libtiff lets pass, and keep it from blending alpha into the colours.

    Where a palette file is cut inside its colour map, libtiff takes the indices for grey values;
    where a file of several pages is cut behind the first, it looks like one of a single page.

    Returns
    -------
    bytes
        `data`, in which alpha that stands apart is declared as blended in already.
    """
    order = "<" if data.startswith(b"II") else ">"
    is_big = data.startswith(_TIFF_STARTS[2:])
    offset_code, number_code, first_at = ("Q", "Q", 8) if is_big else ("I", "H", 4)
    offset, number = struct.Struct(order + offset_code), struct.Struct(order + number_code)
    entry = struct.Struct(order + "HH" + 2 * offset_code)  # tag, type, count, value or its offset

    (start,) = offset.unpack_from(data, first_at)
    (entries,) = number.unpack_from(data, start)
    start += number.size
    end = start + entries * entry.size
    if offset.unpack_from(data, end) != (0,):
        raise ValueError("of several pages, damaged or cut off")
    for at in range(start, end, entry.size):
        tag, value_type, count, value_at = entry.unpack_from(data, at)
        value_bytes = count * _TIFF_TYPE_BYTES[min(value_type, len(_TIFF_TYPE_BYTES) - 1)]
        if value_bytes > offset.size and value_at + value_bytes > len(data):
            raise ValueError("damaged or cut off")
        if tag == _TIFF_EXTRA_SAMPLES and count == 1:
            short = struct.Struct(order + "H")
            value_at = at + entry.size - offset.size
            if short.unpack_from(data, value_at) == (_ALPHA_APART,):
                declared = short.pack(_ALPHA_BLENDED)
                data = data[:value_at] + declared + data[value_at + short.size :]
    return data


def _decode_with_pillow(path: Path, data: bytes, reader: type[ImageFile]) -> np.ndarray:
    try:
        with reader(io.BytesIO(data)) as image:
            if came := _unsuitable(image, data):
                raise _refusal(path, came, UnsuitableImageError)
            if image.mode == "1":
                return np.array(image.convert("L"))
            # A palette by way of RGBA: straight to RGB, Pillow warns about its transparency.
            pixels = np.array(image.convert("RGBA") if image.mode == "P" else image)
    except InputError:
        raise
    except Exception as error:  # Pillow raises whatever the broken bytes trip, from any class
        reason = " ".join(str(error).split())
        raise _refusal(path, f"a damaged or cut-off {reader.format} file ({reason})") from None
    if pixels.ndim == 2:
        return pixels
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3])


def _unsuitable(image: ImageFile, data: bytes) -> str | None:
    """Say what makes a file other than one 8-bit image, before it is decoded."""
    if image.width * image.height > _MAX_PIXELS:
        return f"{image.height} x {image.width} pixels, more than 2**30"
    if getattr(image, "is_animated", False):
        return f"an animated {image.format}"
    if image.format == "PNG" and data[_PNG_BIT_DEPTH_AT] > 8:
        return f"a PNG of {data[_PNG_BIT_DEPTH_AT]} bits per channel"
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        return f"a {image.format} of mode {image.mode}"
    return None


def _refusal(path: Path, came: str, kind: type[InputError] = InputError) -> InputError:
    return kind(f"{path}: expected an 8-bit image, got {came}")
