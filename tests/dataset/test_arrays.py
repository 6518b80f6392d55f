import io

import cv2
import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from scipy.io import savemat

from pipeline.dataset.arrays import Reading, decode_image, decode_labels
from pipeline.errors import InputError

DEEP = np.array([[0, 1000, 2000, 3000, 4000], [4095, 65535, 1, 9, 99]], np.uint16)
# Of 0 to 4000: 1000 becomes 255 / 4 = 63.75, 2000 127.5 (to even), 3000 191.25, and the second
# row 255, 255, then 0.06, 0.57 and 6.3.
OF_4000 = [[0, 64, 128, 191, 255], [255, 255, 0, 1, 6]]
GREY = np.array([[0, 64, 255], [7, 8, 9]], np.uint8)
LABELS = np.array([[0, 1, 2, 20], [255, 3, 0, 1]], np.uint8)


def write(path, pixels):
    """Write pixels; colour as red, green, blue."""
    cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., ::-1])
    return path


def fault_of(function, path, *arguments):
    with pytest.raises(InputError) as caught:
        function(path, *arguments)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


# Images


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_decode_image_levels_become_0_and_255(tmp_path, name):
    observed = decode_image(write(tmp_path / name, DEEP), Reading((0, 4000)))
    assert observed.dtype == np.uint8
    np.testing.assert_array_equal(observed, OF_4000)


def test_decode_image_own_levels_are_the_least_and_the_greatest(tmp_path):
    pixels = np.array([[500, 600, 755]], np.uint16)
    observed = decode_image(write(tmp_path / "a.png", pixels), Reading("own"))
    np.testing.assert_array_equal(observed, [[0, 100, 255]])


def test_decode_image_own_levels_of_a_flat_image_are_0(tmp_path):
    observed = decode_image(write(tmp_path / "a.png", DEEP * 0 + 9), Reading("own"))
    np.testing.assert_array_equal(observed, np.zeros(DEEP.shape))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_decode_image_deep_colour_is_red_green_blue(tmp_path, name):
    pixels = np.stack([DEEP, DEEP[::-1], DEEP // 2], axis=2)
    observed = decode_image(write(tmp_path / name, pixels), Reading((0, 65535)))
    np.testing.assert_array_equal(observed, np.rint(pixels / 257))
    assert observed.flags.c_contiguous


def test_decode_image_float_tiff_is_read(tmp_path):
    pixels = np.array([[-1000, -500, 0, 500, 1000]], np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    observed = decode_image(tmp_path / "a.tif", Reading((-1000, 0)))
    np.testing.assert_array_equal(observed, [[0, 128, 255, 255, 255]])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_decode_image_deep_file_without_levels_is_refused(tmp_path, name):
    assert "expected an 8-bit image" in fault_of(decode_image, write(tmp_path / name, DEEP))


def test_decode_image_8_bits_without_levels_is_the_file(tmp_path):
    np.testing.assert_array_equal(decode_image(write(tmp_path / "a.png", GREY)), GREY)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_decode_image_8_bits_beside_deep_ones_is_read(tmp_path, name):
    observed = decode_image(write(tmp_path / name, GREY), Reading((0, 255)))
    np.testing.assert_array_equal(observed, GREY)
    colour = np.dstack([GREY, GREY[::-1], GREY // 2])
    observed = decode_image(write(tmp_path / name, colour), Reading((0, 255)))
    np.testing.assert_array_equal(observed, colour)


def test_decode_image_tiff_of_several_pages_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([DEEP] * 5))
    assert "several pages" in fault_of(decode_image, tmp_path / "a.tif", Reading((0, 1), 3))


def test_decode_image_moving_gif_is_refused(tmp_path):
    frames = [Image.fromarray(pixels) for pixels in (GREY, GREY[::-1])]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert "an animated GIF" in fault_of(decode_image, tmp_path / "a.gif", Reading("own"))


# NumPy's


def test_decode_image_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", DEEP)
    np.testing.assert_array_equal(decode_image(tmp_path / "a.npy", Reading((0, 4000))), OF_4000)


def test_decode_image_page_is_a_slice_of_the_last_axis(tmp_path):
    stack = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    np.save(tmp_path / "a.npy", stack)
    for page in (0, 3, 4):
        observed = decode_image(tmp_path / "a.npy", Reading((0, 255), page))
        np.testing.assert_array_equal(observed, stack[..., page])
    assert fault_of(decode_image, tmp_path / "a.npy", Reading((0, 255), 5)) == (
        "expected at least 6 slices (page), got (2, 3, 5)"
    )


@pytest.mark.parametrize("channels", [3, 4])
def test_decode_image_array_of_three_or_four_is_colour(tmp_path, channels):
    pixels = np.arange(2 * 3 * channels).reshape(2, 3, channels)
    np.save(tmp_path / "a.npy", pixels)
    observed = decode_image(tmp_path / "a.npy", Reading((0, 255)))
    np.testing.assert_array_equal(observed, pixels[..., :3])


@pytest.mark.parametrize(
    ("pixels", "came"),
    [
        (np.zeros(5), "(5,) float64"),
        (np.zeros((2, 3, 4, 5)), "(2, 3, 4, 5) float64"),
        (np.zeros((0, 5)), "(0, 5) float64"),
        (np.array([["a", "b"]]), "(1, 2) <U1"),
        (np.ones((2, 3), bool), "(2, 3) bool"),
    ],
)
@pytest.mark.parametrize("levels", ["own", (0, 1)])
def test_decode_image_array_that_is_no_image_is_refused(tmp_path, pixels, came, levels):
    np.save(tmp_path / "a.npy", pixels)
    assert fault_of(decode_image, tmp_path / "a.npy", Reading(levels)) == (
        f"expected an image, got {came}"
    )


@pytest.mark.parametrize("levels", ["own", (0, 10)])
def test_decode_image_not_a_number_and_infinity_are_the_levels(tmp_path, levels):
    np.save(tmp_path / "a.npy", np.array([[0, 10, np.nan, np.inf, -np.inf]]))
    observed = decode_image(tmp_path / "a.npy", Reading(levels))
    np.testing.assert_array_equal(observed, [[0, 255, 0, 255, 0]])
    np.save(tmp_path / "a.npy", np.full((2, 3), np.nan))
    observed = decode_image(tmp_path / "a.npy", Reading(levels))
    np.testing.assert_array_equal(observed, np.zeros((2, 3)))


def test_decode_image_array_of_objects_is_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{}]], object), allow_pickle=True)
    assert "damaged file" in fault_of(decode_image, tmp_path / "a.npy", Reading("own"))


@given(
    pixels=arrays(np.uint16, (3, 5)),
    low=st.integers(0, 65534),
    span=st.integers(1, 65535),
)
def test_decode_image_any_levels_keep_the_order(tmp_path_factory, pixels, low, span):
    path = tmp_path_factory.getbasetemp() / "ordered.npy"
    np.save(path, pixels)
    observed = decode_image(path, Reading((low, low + span)))
    ranks = np.argsort(pixels, axis=None, kind="stable")
    assert (np.diff(observed.ravel()[ranks].astype(int)) >= 0).all()
    assert (observed[pixels <= low] == 0).all()
    assert (observed[pixels >= low + span] == 255).all()


# Damaged ones


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy", "a.jpg"])
@pytest.mark.parametrize("kept", [0, 0.3, 0.7, 0.95])
def test_decode_image_cut_deep_file_is_refused(tmp_path, name, kept):
    pixels = np.random.default_rng(0).integers(0, 65536, (24, 36), dtype=np.uint16)
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, pixels)
    else:
        write(path, (pixels // 256).astype(np.uint8) if name == "a.jpg" else pixels)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert fault_of(decode_image, path, Reading("own")).startswith("expected an ")


def test_decode_image_missing_file_and_folder_are_named(tmp_path):
    for name in ("none.png", "."):
        assert "expected an " in fault_of(decode_image, tmp_path / name, Reading("own"))


# DICOM


def write_dicom(path, pixels, **changes):
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
    data.PixelData = pixels.tobytes()
    for name, value in changes.items():
        setattr(data, name, value)
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def test_decode_image_dicom_is_read_whatever_its_name(tmp_path):
    for name in ("a.dcm", "a"):
        path = write_dicom(tmp_path / name, DEEP)
        np.testing.assert_array_equal(decode_image(path, Reading((0, 4000))), OF_4000)
    path = write_dicom(tmp_path / "8.dcm", np.resize(GREY, (2, 4)))
    observed = decode_image(path, Reading((0, 255)))
    np.testing.assert_array_equal(observed, np.resize(GREY, (2, 4)))


def test_decode_image_dicom_white_for_little_is_turned_round(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY, PhotometricInterpretation="MONOCHROME1")
    observed = decode_image(path, Reading((0, 255)))
    np.testing.assert_array_equal(observed, GREY.max() - GREY)


def test_decode_image_dicom_slope_makes_modality_values(tmp_path):
    scale = {"RescaleSlope": "2", "RescaleIntercept": "-8"}
    path = write_dicom(tmp_path / "a.dcm", GREY, **scale)
    observed = decode_image(path, Reading((-8, 502)))  # 0 and 255
    np.testing.assert_array_equal(observed, GREY)


def test_decode_image_dicom_frames_are_pages(tmp_path):
    both = np.stack([GREY, GREY[::-1]])
    path = write_dicom(tmp_path / "a.dcm", both[0])
    image = pydicom.dcmread(path)
    image.NumberOfFrames, image.PixelData = 2, both.tobytes()
    image.save_as(path)
    np.testing.assert_array_equal(decode_image(path, Reading((0, 255), page=1)), both[1])


def test_decode_image_dicom_without_levels_or_cut_is_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", DEEP)
    assert "expected an 8-bit image" in fault_of(decode_image, path)
    path.write_bytes(path.read_bytes()[:200])
    assert "expected an image, got a damaged file" in fault_of(decode_image, path, Reading("own"))


# Labels


def test_decode_labels_palette_png_gives_the_indices(tmp_path):
    image = Image.fromarray(LABELS).convert("P")
    image.putdata(LABELS.ravel().tolist())
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    image.save(tmp_path / "a.png")
    observed = decode_labels(tmp_path / "a.png")
    assert observed.dtype == np.uint8
    np.testing.assert_array_equal(observed, LABELS)


def test_decode_labels_palette_of_few_bits_gives_the_indices(tmp_path):
    labels = LABELS % 3
    image = Image.fromarray(labels).convert("P")
    image.putdata(labels.ravel().tolist())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(tmp_path / "a.png", bits=2)
    np.testing.assert_array_equal(decode_labels(tmp_path / "a.png"), labels)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_decode_labels_grey_file_is_the_numbers(tmp_path, name):
    np.testing.assert_array_equal(decode_labels(write(tmp_path / name, LABELS)), LABELS)


def test_decode_labels_colours_are_refused(tmp_path):
    path = write(tmp_path / "a.png", np.dstack([LABELS] * 3))
    assert fault_of(decode_labels, path) == (
        "expected an image of class numbers, got a colour image"
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "expected a label image, got a damaged file ([Errno 2] No such file"),
        (b"", "expected an 8-bit image, got an empty file"),
        (b"\x89PNG\r\n\x1a\n", "expected a label image, got a damaged file ("),
        (b"hello", "expected an 8-bit image, got a file that is not TIFF, PNG"),
    ],
)
def test_decode_labels_damaged_file_is_named(tmp_path, data, expected):
    path = tmp_path / "a.png"
    if data is not None:
        path.write_bytes(data)
    assert fault_of(decode_labels, path).startswith(expected)


def test_decode_labels_cut_palette_png_is_refused(tmp_path):
    content = io.BytesIO()
    labels = np.random.default_rng(0).integers(0, 21, (24, 36), dtype=np.uint8)
    image = Image.fromarray(labels).convert("P")
    image.save(content, "PNG")
    (tmp_path / "a.png").write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    assert "damaged" in fault_of(decode_labels, tmp_path / "a.png")


def test_decode_labels_of_the_semantic_boundaries_data_set(tmp_path):
    # As its files are: a struct GTcls of Boundaries, CategoriesPresent and Segmentation.
    truth = {"CategoriesPresent": [1, 2], "Segmentation": LABELS}
    savemat(tmp_path / "a.mat", {"GTcls": truth})
    observed = decode_labels(tmp_path / "a.mat")
    assert observed.dtype == np.uint8
    assert observed.flags.c_contiguous
    np.testing.assert_array_equal(observed, LABELS)


def test_decode_labels_other_mat_files_are_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"GTinst": LABELS})
    assert fault_of(decode_labels, path).startswith("expected GTcls.Segmentation, got ")
    path.write_bytes(b"hello")
    assert fault_of(decode_labels, path).startswith("expected GTcls.Segmentation, got ")
