import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.competitions.spec import Spec
from pipeline.dataset.images import MaskValuesError
from pipeline.dataset.layout import list_training
from pipeline.dataset.truth import MaskFiles, MaskRows, Piece, open_truth, to_channels
from pipeline.errors import InputError

SHAPE = (3, 5)
LEFT = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], bool)
RIGHT = np.array([[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 1]], bool)
# Down the columns from 1: pixels 1 2, 4; and 12, 14 15.
LEFT_RUNS, RIGHT_RUNS = "1 2 4 1", "12 1 14 2"
ONE = {
    "title": "Mine",
    "images": "images/{id}.png",
    "masks": "masks/{id}.png",
    "test": "test/{id}.png",
    "submission": {"header": ["id", "rle"]},
}
TWO = {"submission": {"header": ["id", "class", "rle"], "row": ["{id}", "{class}"]}}


def make_spec(**changes):
    return Spec.model_validate({**ONE, **changes})


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.asarray(pixels, np.uint8))


@pytest.fixture
def data(tmp_path):
    """Two images, a and b."""
    for name in "ab":
        write(tmp_path / f"images/{name}.png", np.zeros(SHAPE))
    return tmp_path


def open_all(data, spec):
    frames = list_training(data, spec)
    return open_truth(data, spec, dict(zip(frames["id"], frames["image"], strict=True)))


def assert_pieces(observed, *expected):
    assert [piece.class_index for piece in observed] == [index for index, _ in expected]
    for piece, (_, mask) in zip(observed, expected, strict=True):
        assert piece.mask.dtype == bool
        np.testing.assert_array_equal(piece.mask, mask)


# Files


def test_mask_files_one_file_is_one_piece(data):
    write(data / "masks/a.png", LEFT * 255)
    write(data / "masks/b.png", RIGHT * 0)
    truth = open_all(data, make_spec(foreground=255))
    assert isinstance(truth, MaskFiles)
    assert_pieces(truth.pieces("a", SHAPE), (0, LEFT))
    assert_pieces(truth.pieces("b", SHAPE), (0, RIGHT & False))
    assert_pieces(truth.pieces("a"), (0, LEFT))  # of any shape


def test_mask_files_a_foreground_of_each_class_is_read_from_one_file(data):
    colours = np.zeros((*SHAPE, 3))
    colours[LEFT], colours[RIGHT] = (0, 0, 128), (0, 128, 0)  # OpenCV writes blue, green, red
    for name in "ab":
        write(data / f"masks/{name}.png", colours)
    spec = make_spec(foreground={"red": [128, 0, 0], "green": [0, 128, 0]}, **TWO)
    assert_pieces(open_all(data, spec).pieces("a", SHAPE), (0, LEFT), (1, RIGHT))


def test_mask_files_a_file_of_each_class_may_be_missing(data):
    write(data / "masks/a_left.png", LEFT)
    write(data / "masks/a_right.png", RIGHT)
    write(data / "masks/b_right.png", RIGHT)
    spec = make_spec(masks="masks/{id}_{class}.png", classes=["right", "left"], **TWO)
    truth = open_all(data, spec)
    assert_pieces(truth.pieces("a", SHAPE), (1, LEFT), (0, RIGHT))
    assert_pieces(truth.pieces("b", SHAPE), (0, RIGHT))


def test_mask_files_each_object_is_a_piece(data):
    write(data / "masks/a/1.png", LEFT)
    write(data / "masks/a/2.png", RIGHT)
    write(data / "masks/b/1.png", RIGHT)
    spec = make_spec(masks="masks/{id}/{instance}.png", instances=True)
    assert_pieces(open_all(data, spec).pieces("a", SHAPE), (0, LEFT), (0, RIGHT))


def test_mask_files_exclusive_classes_are_the_numbers_of_a_label_file(data):
    labels = (LEFT + 2 * RIGHT).astype(np.uint8)
    labels[0, 4] = 255  # no class: left out
    image = Image.fromarray(labels).convert("P")
    image.putdata(labels.ravel().tolist())
    image.putpalette([200, 0, 0] * 256)  # colours tell nothing
    (data / "masks").mkdir()
    image.save(data / "masks/a.png")
    image.save(data / "masks/b.png")
    spec = make_spec(classes=["none", "x", "y"], exclusive=True, metric="mean_iou", **TWO)
    pieces = open_all(data, spec).pieces("a", SHAPE)
    assert_pieces(pieces, (0, labels == 0), (1, LEFT), (2, RIGHT))
    channels = to_channels(pieces, 3, SHAPE)
    np.testing.assert_array_equal(channels.sum(axis=-1), labels != 255)


def test_mask_files_of_another_size_or_other_values_are_named(data):
    write(data / "masks/a.png", LEFT.T * 255)
    write(data / "masks/b.png", LEFT * 254)
    truth = open_all(data, make_spec(foreground=255))
    with pytest.raises(InputError) as caught:
        truth.pieces("a", SHAPE)
    assert str(caught.value) == (
        f"{data / 'masks/a.png'}: expected the size of its image (3, 5), got (5, 3)"
    )
    with pytest.raises(MaskValuesError, match=r"b\.png: expected a binary mask"):
        truth.pieces("b", SHAPE)


# Tables


TABLE = {"file": "masks.csv", "header": ["id", "rle"]}
CLASS_TABLE = {"file": "masks.csv", "header": ["x", "rle"], "row": ["{id}.png_{class}"]}


def test_mask_rows_an_image_without_a_row_has_no_pieces(data):
    (data / "masks.csv").write_text(f"id,rle\na,{LEFT_RUNS}\n")
    truth = open_all(data, make_spec(masks=None, mask_table=TABLE))
    assert isinstance(truth, MaskRows)
    assert truth.keys("a") == [("a",)]
    assert_pieces(truth.pieces("a", SHAPE), (0, LEFT))
    assert truth.pieces("b", SHAPE) == []


def test_mask_rows_several_rows_are_several_pieces(data):
    (data / "masks.csv").write_text(f"id,rle\na,{LEFT_RUNS}\nb,\na,{RIGHT_RUNS}\n")
    truth = open_all(data, make_spec(masks=None, mask_table=TABLE, instances=True))
    assert_pieces(truth.pieces("a", SHAPE), (0, LEFT), (0, RIGHT))
    assert_pieces(truth.pieces("b", SHAPE), (0, LEFT & False))


def test_mask_rows_of_classes_are_in_their_order(data):
    (data / "masks.csv").write_text(f"x,rle\na.png_r,{RIGHT_RUNS}\na.png_l,{LEFT_RUNS}\n")
    spec = make_spec(masks=None, mask_table=CLASS_TABLE, classes=["l", "r"], **TWO)
    truth = open_all(data, spec)
    assert truth.keys("b") == [("b.png_l",), ("b.png_r",)]
    assert_pieces(truth.pieces("a", SHAPE), (0, LEFT), (1, RIGHT))


def test_mask_rows_columns_may_be_placeholders_that_the_id_joins(data):
    for name in ("s1_7", "s2_7"):
        write(data / f"scans/{name}.png", np.zeros(SHAPE))
    table = {"file": "masks.csv", "header": ["f", "s", "rle"], "row": ["{frame}", "{subject}"]}
    (data / "masks.csv").write_text(f"f,s,rle\n7,s2,{LEFT_RUNS}\n")
    spec = make_spec(images="scans/{subject}_{frame}.png", masks=None, mask_table=table)
    truth = open_all(data, spec)
    assert truth.pieces("s1_7", SHAPE) == []
    assert_pieces(truth.pieces("s2_7", SHAPE), (0, LEFT))
    assert truth.keys("s3_7") == []  # an image that is not there: its columns aren't known


def test_mask_rows_take_the_tables_own_form(data):
    table = {**TABLE, "order": "rows", "origin": 0, "relative": True, "empty": "-1"}
    # Along the rows from 0: pixels 0 1 and 5; the latter 3 behind.
    (data / "masks.csv").write_text("id,rle\na,0 2 3 1\nb,-1\n")
    truth = open_all(data, make_spec(masks=None, mask_table=table))
    assert_pieces(truth.pieces("a", SHAPE), (0, LEFT))
    assert_pieces(truth.pieces("b", SHAPE), (0, LEFT & False))


def test_mask_rows_bad_runs_name_file_and_id(data):
    (data / "masks.csv").write_text("id,rle\na,16 1\n")
    truth = open_all(data, make_spec(masks=None, mask_table=TABLE))
    with pytest.raises(InputError) as caught:
        truth.pieces("a", SHAPE)
    assert str(caught.value) == (
        f"{data / 'masks.csv'}: id a: rle: run 1 ('16 1') ends outside of the image of 15 pixels"
    )


def test_open_truth_table_of_other_columns_or_missing_is_named(data):
    spec = make_spec(masks=None, mask_table=TABLE)
    with pytest.raises(InputError, match=r"masks\.csv: can't be read"):
        open_all(data, spec)
    (data / "masks.csv").write_text("id,pixels\n")
    with pytest.raises(InputError, match=r"masks\.csv: expected the header id,rle, got"):
        open_all(data, spec)


def test_open_truth_files_count_where_there_is_a_table_too(data):
    write(data / "masks/a.png", LEFT)
    write(data / "masks/b.png", LEFT)
    assert isinstance(open_all(data, make_spec(mask_table=TABLE)), MaskFiles)


def test_open_truth_table_of_images_in_channels_is_by_their_id(data):
    images = [f"{colour}/{{id}}.png" for colour in "rgb"]
    for colour in "rgb":
        write(data / colour / "a.png", np.zeros(SHAPE))
    (data / "masks.csv").write_text(f"id,rle\na,{LEFT_RUNS}\n")
    truth = open_all(data, make_spec(images=images, masks=None, mask_table=TABLE))
    assert_pieces(truth.pieces("a", SHAPE), (0, LEFT))


# Channels


def test_to_channels_unites_the_pieces_of_a_class():
    pieces = [Piece(1, LEFT), Piece(1, RIGHT), Piece(2, LEFT), Piece(2, LEFT)]
    observed = to_channels(pieces, 4, SHAPE)
    assert observed.dtype == bool
    expected = np.stack([LEFT & False, LEFT | RIGHT, LEFT, LEFT & False], axis=-1)
    np.testing.assert_array_equal(observed, expected)


def test_to_channels_of_nothing_is_empty():
    np.testing.assert_array_equal(to_channels([], 2, SHAPE), np.zeros((3, 5, 2), bool))
