"""Every accepted and every refused kind of file, written small by Pillow, OpenCV or tifffile."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.dataset.decode import decode_file
from pipeline.errors import InputError

GREY = np.array([[0, 64, 128, 192, 255], [7, 8, 9, 10, 11], [1, 2, 4, 8, 16]], np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)
HALF_CLEAR = np.full((3, 5), 128, np.uint8)
BILEVEL = GREY > 60
CLASSES = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0]], np.uint8)


def save(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def palette_image(indices, colours):
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(np.array(colours, np.uint8).tobytes())
    return image


# Accepted kinds of frames


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.bmp"])
def test_decode_file_grey_lossless_is_exact(tmp_path, name):
    observed = decode_file(save(tmp_path / name, GREY))
    assert observed.dtype == np.uint8
    np.testing.assert_array_equal(observed, GREY)


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])  # none, LZW, deflate, PackBits
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_decode_file_tiff_compressions_are_exact(tmp_path, compression, pixels):
    path = tmp_path / "a.tif"
    stored = pixels if pixels.ndim == 2 else pixels[..., ::-1]  # OpenCV writes BGR
    cv2.imwrite(str(path), stored, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    np.testing.assert_array_equal(decode_file(path), pixels)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.bmp"])
def test_decode_file_colour_is_rgb(tmp_path, name):
    observed = decode_file(save(tmp_path / name, COLOUR))
    np.testing.assert_array_equal(observed, COLOUR)
    assert observed.flags.c_contiguous


def test_decode_file_jpeg_is_close(tmp_path):
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    observed = decode_file(save(tmp_path / "a.jpg", flat, quality=95))
    np.testing.assert_allclose(observed.astype(int), flat, atol=2)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_decode_file_alpha_is_dropped_not_blended(tmp_path, name):
    half_clear = save(tmp_path / name, np.dstack([COLOUR, HALF_CLEAR]))
    np.testing.assert_array_equal(decode_file(half_clear), COLOUR)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_decode_file_alpha_in_every_tiff_header_is_dropped(tmp_path, byteorder, bigtiff):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.dstack([COLOUR, HALF_CLEAR]),
        byteorder=byteorder,
        bigtiff=bigtiff,
        photometric="rgb",
        extrasamples=["unassalpha"],
    )
    np.testing.assert_array_equal(decode_file(tmp_path / "a.tif"), COLOUR)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_decode_file_grey_with_alpha_is_the_grey(tmp_path, name):
    with_alpha = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(HALF_CLEAR)])
    with_alpha.save(tmp_path / name)
    np.testing.assert_array_equal(decode_file(tmp_path / name), GREY)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.bmp", "a.gif"])
def test_decode_file_palette_is_expanded(tmp_path, name):
    image = palette_image(CLASSES, [(10, 20, 30), (200, 100, 50)])
    image.save(tmp_path / name)
    expected = np.where(CLASSES[..., np.newaxis] == 1, (200, 100, 50), (10, 20, 30))
    np.testing.assert_array_equal(decode_file(tmp_path / name), expected)


def test_decode_file_palette_with_transparency_keeps_the_colours(tmp_path):
    image = palette_image(CLASSES, [(10, 20, 30), (200, 100, 50)])
    image.save(tmp_path / "a.png", transparency=b"\x00\x80")
    expected = np.where(CLASSES[..., np.newaxis] == 1, (200, 100, 50), (10, 20, 30))
    np.testing.assert_array_equal(decode_file(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.bmp"])
def test_decode_file_bilevel_becomes_0_and_255(tmp_path, name):
    observed = decode_file(save(tmp_path / name, BILEVEL))
    np.testing.assert_array_equal(observed, np.where(BILEVEL, 255, 0))


def test_decode_file_above_the_bomb_limit_of_pillow_is_read(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", GREY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)  # an error above twice as many
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    np.testing.assert_array_equal(decode_file(path), GREY)


def test_decode_file_in_many_threads_is_exact(tmp_path):
    names = ["a.tif", "a.png", "a.bmp"] * 40
    for name in names[:3]:
        save(tmp_path / name, COLOUR)
    with ThreadPoolExecutor(8) as pool:
        for observed in pool.map(lambda name: decode_file(tmp_path / name), names):
            np.testing.assert_array_equal(observed, COLOUR)


# Refused kinds of frames


def write_rgb16(path):
    cv2.imwrite(str(path), COLOUR.astype(np.uint16) * 257)


def write_grey16(path):
    cv2.imwrite(str(path), GREY.astype(np.uint16) * 257)


def write_float(path):
    Image.fromarray(GREY.astype(np.float32)).save(path)


def write_cmyk(path):
    Image.fromarray(COLOUR).convert("CMYK").save(path)


def write_two(path):
    Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(GREY[::-1])])


def write_huge_header(path):
    data = struct.pack(">4sIIBBBBB", b"IHDR", 40_000, 40_000, 8, 0, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(data))
    idat = struct.pack(">I4s", 0, b"IDAT")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + crc + idat)


REFUSED = {
    "rgb16.png": (write_rgb16, "a PNG of 16 bits per channel"),
    "grey16.png": (write_grey16, "a PNG of 16 bits per channel"),
    "rgb16.tif": (write_rgb16, "uint16 pixels"),
    "grey16.tif": (write_grey16, "uint16 pixels"),
    "float.tif": (write_float, "float32 pixels"),
    "cmyk.jpg": (write_cmyk, "a JPEG of mode CMYK"),
    "pages.tif": (write_two, "a TIFF that is of several pages"),
    "moving.gif": (write_two, "an animated GIF"),
    "moving.png": (write_two, "an animated PNG"),
    "huge.png": (write_huge_header, r"40000 x 40000 pixels, more than 2\*\*30"),
    "empty.png": (lambda path: path.write_bytes(b""), "an empty file"),
    "text.tif": (lambda path: path.write_text("hello"), "a file that is not TIFF, PNG, JPEG"),
    "folder.tif": (lambda path: path.mkdir(), r"an unreadable file \("),
    "missing.tif": (lambda path: None, r"an unreadable file \(No such file"),
    "lzma.tif": (
        lambda path: Image.fromarray(GREY).save(path, compression="lzma"),
        "a TIFF that is damaged, cut off or of a kind OpenCV can't read",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_decode_file_other_kind_is_refused_in_one_line(tmp_path, name):
    write, came = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: expected an 8-bit image, got {came}") as raised:
        decode_file(tmp_path / name)
    assert "\n" not in str(raised.value)


CUT = {
    "strips.tif": {},  # directory first
    "lzw.tif": {"compression": "tiff_lzw"},  # directory behind the pixels
    "deflate.tif": {"compression": "tiff_adobe_deflate"},
    "a.png": {},
    "a.jpg": {},
    "progressive.jpg": {"progressive": True},
    "a.bmp": {},
    "a.gif": {},
}


def decode_or_refuse(path):
    """Return the pixels or the message."""
    try:
        return decode_file(path)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
@pytest.mark.parametrize("name", CUT)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True))
def test_decode_file_cut_anywhere_is_refused_or_exact(tmp_path, capfd, name, mode, where):
    if mode == "P" and name.endswith("jpg"):
        mode = "L"  # JPEG has no palettes
    rng = np.random.default_rng(0)
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (24, 36, 3), dtype=np.uint8), (0, 0), 2)
    path = save(tmp_path / name, pixels, mode, **CUT[name])
    whole, data = decode_file(path), path.read_bytes()
    path.write_bytes(data[: int(where * len(data))])
    observed = decode_or_refuse(path)
    if isinstance(observed, str):
        assert observed.startswith(f"{path}: expected an 8-bit image, got ")
        assert "\n" not in observed
    else:
        np.testing.assert_array_equal(observed, whole)
    assert capfd.readouterr().err == ""  # native libraries stay silent


def test_decode_file_pages_cut_behind_the_first_is_refused(tmp_path):
    write_two(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    for kept in range(len(data)):
        (tmp_path / "a.tif").write_bytes(data[:kept])
        with pytest.raises(InputError, match="expected an 8-bit image"):
            decode_file(tmp_path / "a.tif")
