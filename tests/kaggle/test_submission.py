import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.competitions.spec import Spec, load_spec
from pipeline.errors import InputError
from pipeline.kaggle.submission import (
    check_keys,
    check_submission,
    decode_image,
    decode_rows,
    encode_rows,
    expected_keys,
    read_submission,
    write_submission,
)
from pipeline.masks.instances import split_pieces


def make_spec(form, **changes):
    plain = {"title": "Mine", "images": "a/{id}.png", "masks": "b/{id}.png", "test": "c/{id}.png"}
    return Spec.model_validate({**plain, "submission": form, **changes})


def nerve(**options):
    return make_spec({"header": ["img", "pixels"], "ids": "integer", **options})


NERVE = nerve()
MASK = np.array(
    [
        [0, 1, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 1, 0, 0, 1],
    ],
    dtype=bool,
)
EMPTY = np.zeros((3, 5), dtype=bool)


def one(mask):
    """The masks of one class."""
    return mask[..., None]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "submission.csv"


def write(path, text):
    path.write_bytes(text.encode("utf-8"))
    return path


# The file, byte for byte


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # Pixels numbered down the columns: 3, 4 5 6, 7 and 15; 3 to 7 is one run.
        ({}, "img,pixels\n1,3 5 15 1\n2,\n"),
        ({"origin": 0}, "img,pixels\n1,2 5 14 1\n2,\n"),
        # Along the rows: 2 3, 7, 11 12 and 15.
        ({"order": "rows"}, "img,pixels\n1,2 2 7 1 11 2 15 1\n2,\n"),
        ({"order": "rows", "origin": 0}, "img,pixels\n1,1 2 6 1 10 2 14 1\n2,\n"),
        ({"empty": "-1"}, "img,pixels\n1,3 5 15 1\n2,-1\n"),
        # 15 is 7 pixels behind the run 3 to 7.
        ({"relative": True}, "img,pixels\n1,3 5 7 1\n2,\n"),
        ({"row": ["{id}.png"]}, "img,pixels\n1.png,3 5 15 1\n2.png,\n"),
        (
            {"header": ["ImageId", "EncodedPixels"]},
            "ImageId,EncodedPixels\n1,3 5 15 1\n2,\n",
        ),
    ],
)
def test_write_submission_each_format_matches_hand_count(path, options, expected):
    spec = nerve(**options)
    write_submission(path, [("1", one(MASK)), ("2", one(EMPTY))], spec)
    assert path.read_bytes() == expected.encode("ascii")
    ids, shapes = ["1", "2"], [MASK.shape, EMPTY.shape]
    assert check_submission(path, spec, ids=ids, shapes=shapes) == (2, 1)


def test_write_submission_nerve_all_empty_is_the_sample_of_the_competition(path):
    blank = np.zeros((420, 580, 1), dtype=bool)
    spec = load_spec("ultrasound-nerve")
    write_submission(path, ((str(i), blank) for i in range(1, 4)), spec)
    assert path.read_bytes() == b"img,pixels\n1,\n2,\n3,\n"


@given(
    masks=st.lists(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=6)), max_size=4),
    ids=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
        unique=True,
        min_size=4,
        max_size=4,
    ),
    order=st.sampled_from(["columns", "rows"]),
    origin=st.sampled_from([0, 1]),
    empty=st.sampled_from(["", "-1", "-"]),
    relative=st.booleans(),
    instances=st.booleans(),
)
def test_check_submission_accepts_what_is_written(
    tmp_path_factory, masks, ids, order, origin, empty, relative, instances
):
    path = tmp_path_factory.getbasetemp() / "written.csv"
    form = {"order": order, "origin": origin, "empty": empty, "relative": relative}
    spec = make_spec({"header": ["id", "rle"], **form}, instances=instances)
    images = list(zip(ids, masks, strict=False))
    write_submission(path, [(image_id, one(mask)) for image_id, mask in images], spec)
    shapes = [mask.shape for mask in masks]
    rows, filled = check_submission(path, spec, ids=[image[0] for image in images], shapes=shapes)
    pieces = [max(len(split_pieces(mask)), 1) if instances else 1 for mask in masks]
    assert rows == sum(pieces)
    assert rows - filled == sum(not mask.any() for mask in masks)
    for image_id, mask in images:
        observed = decode_image(path, read_submission(path, spec), image_id, mask.shape, spec)
        np.testing.assert_array_equal(observed, one(mask))


def test_check_submission_very_many_runs_are_accepted(path):
    # A chequered mask of the competition's size: 121,800 runs, over a million characters.
    mask = np.indices((420, 580)).sum(axis=0) % 2 == 1
    write_submission(path, [("1", one(mask))], NERVE)
    assert check_submission(path, NERVE, ids=["1"], shapes=[mask.shape]) == (1, 1)
    assert path.stat().st_size > 1_000_000


# Old files stay


def test_write_submission_exception_leaves_the_old_file(path):
    write(path, "old")

    def masks():
        yield "1", one(MASK)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_submission(path, masks(), NERVE)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_write_submission_kill_leaves_the_old_file(path):
    write(path, "old")
    code = """
import os, signal, sys
from pathlib import Path
import numpy as np
from pipeline.competitions.spec import Spec
from pipeline.kaggle.submission import write_submission

def masks():
    for number in range(10_000):  # more than any buffer holds
        yield str(number), np.eye(3, dtype=bool)[..., None]
    os.kill(os.getpid(), signal.SIGKILL)

write_submission(Path(sys.argv[1]), masks(), Spec.model_validate_json(sys.argv[2]))
"""
    done = subprocess.run([sys.executable, "-c", code, path, NERVE.model_dump_json()], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    write_submission(path, [("1", one(MASK))], NERVE)
    assert read_submission(path, NERVE) == {("1",): ["3 5 15 1"]}
    assert list(path.parent.iterdir()) == [path]


# Reading


def test_read_submission_rows_keep_their_order(path):
    write(path, "img,pixels\n10,1 2\n2,\n1,3 1\n")
    assert list(read_submission(path, NERVE).items()) == [
        (("10",), ["1 2"]),
        (("2",), [""]),
        (("1",), ["3 1"]),
    ]


def test_read_submission_windows_lines_and_quotes_are_fine(path):
    write(path, 'img,pixels\r\n1,"1 2"\r\n2,\r\n')
    assert read_submission(path, NERVE) == {("1",): ["1 2"], ("2",): [""]}


def test_read_submission_marker_of_emptiness_is_empty(path):
    write(path, "img,pixels\n1,-1\n2,1 2\n")
    assert read_submission(path, nerve(empty="-1")) == {("1",): [""], ("2",): ["1 2"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected the header img,pixels, got ''"),
        ("img,rle\n1,\n", "expected the header img,pixels, got 'img,rle'"),
        ("1,1 2\n", "expected the header img,pixels, got '1,1 2'"),
        ("img,pixels,x\n1,\n", "expected the header img,pixels, got 'img,pixels,x'"),
        # A byte order mark, as spreadsheets write it, is seen.
        ("\ufeffimg,pixels\n1,\n", "expected the header img,pixels, got '\\ufeffimg,pixels'"),
    ],
)
def test_read_submission_other_header_is_shown(path, text, expected):
    with pytest.raises(InputError) as caught:
        read_submission(write(path, text), NERVE)
    assert str(caught.value) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("1,\n2\n", "3: expected 2 fields, got 1"),
        ("1,\n\n2,\n", "3: expected 2 fields, got 0"),
        ("1,1 2,3 4\n", "2: expected 2 fields, got 3"),
        ("1,\n2,\n1,1 2\n", "4: id 1 stands twice"),
    ],
)
def test_read_submission_bad_row_is_named_by_its_line(path, rows, expected):
    with pytest.raises(InputError) as caught:
        read_submission(write(path, f"img,pixels\n{rows}"), NERVE)
    assert str(caught.value) == f"{path}:{expected}"


def test_read_submission_blank_instead_of_the_marker_is_refused(path):
    with pytest.raises(InputError, match=r":3: expected -1 for an empty mask, got nothing$"):
        read_submission(write(path, "img,pixels\n1,-1\n2,\n"), nerve(empty="-1"))


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b'img,pixels\n1,"1 2\n', b"\xff\xfe"])
def test_read_submission_no_csv_is_one_line(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"submission.csv: not a CSV file: .+") as caught:
        read_submission(path, NERVE)
    assert "\n" not in str(caught.value)


def test_read_submission_missing_file_and_folder_say_so(path, tmp_path):
    with pytest.raises(InputError, match=r"submission\.csv: can't be read: No such file"):
        read_submission(path, NERVE)
    with pytest.raises(InputError, match="can't be read: Is a directory"):
        read_submission(tmp_path, NERVE)


# Checking


IDS = ["1", "2", "10"]
SHAPES = [(3, 5), (2, 2), (3, 5)]


def test_check_submission_counts_the_rows_with_a_mask(path):
    write(path, "img,pixels\n1,1 15\n2,\n10,15 1\n")
    assert check_submission(path, NERVE, ids=IDS, shapes=SHAPES) == (3, 2)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("1,\n2,\n", ": expected 3 ids, 10 missing"),
        ("", ": expected 3 ids, 1, 2, 10 missing"),
        ("1,\n2,\n10,\n11,\n", ": expected 3 ids, 11 unknown"),
        ("1,\n2,\n10,\n3,\n4,\n5,\n6,\n", ": expected 3 ids, 3, 4, 5 and 1 more unknown"),
        # Sorted as text.
        ("1,\n10,\n2,\n", ": expected 2 as id 2 in order, got 10"),
        ("01,\n2,\n10,\n", ": expected 3 ids, 1 missing"),
        ("1,1 16\n2,\n10,\n", ": id 1: rle: run 1 ('1 16') ends outside of the image of 15 pixels"),
        # 4 pixels in the frame of 2x2.
        ("1,\n2,5 1\n10,\n", ": id 2: rle: run 1 ('5 1') ends outside of the image of 4 pixels"),
        ("1,0 2\n2,\n10,\n", ": id 1: rle: run 1 ('0 2') starts below the origin 1"),
        ("1,\n2,\n10,1\n", ": id 10: rle: run 1 ('1') has a start but no length"),
        ("1,-1\n2,\n10,\n", ": id 1: rle: run 1 ('-1') holds more than digits 0-9"),
    ],
)
def test_check_submission_fault_is_one_line(path, rows, expected):
    write(path, f"img,pixels\n{rows}")
    with pytest.raises(InputError) as caught:
        check_submission(path, NERVE, ids=IDS, shapes=SHAPES)
    assert str(caught.value) == f"{path}{expected}"


def test_check_submission_origin_0_bounds_are_0_to_last(path):
    spec = nerve(origin=0)
    write(path, "img,pixels\n1,0 15\n")
    assert check_submission(path, spec, ids=["1"], shapes=[(3, 5)]) == (1, 1)
    write(path, "img,pixels\n1,1 15\n")
    with pytest.raises(InputError, match="ends outside of the image of 15 pixels"):
        check_submission(path, spec, ids=["1"], shapes=[(3, 5)])


# Several classes

CLASSES = {"classes": ["left", "right"], "masks": "b/{id}_{class}.png"}
TWO = make_spec({"header": ["id", "side", "rle"], "row": ["{id}", "{class}"]}, **CLASSES)
JOINED = make_spec({"header": ["Image_Label", "rle"], "row": ["{id}.jpg_{class}"]}, **CLASSES)
BOTH = np.stack([MASK, EMPTY], axis=-1)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (TWO, "id,side,rle\nb,left,3 5 15 1\nb,right,\na,left,\na,right,3 5 15 1\n"),
        (
            JOINED,
            "Image_Label,rle\nb.jpg_left,3 5 15 1\nb.jpg_right,\na.jpg_left,\n"
            "a.jpg_right,3 5 15 1\n",
        ),
    ],
)
def test_write_submission_of_classes_has_a_row_of_each(path, spec, expected):
    write_submission(path, [("b", BOTH), ("a", BOTH[..., ::-1])], spec)
    assert path.read_text() == expected
    options = {"ids": ["b", "a"], "shapes": [MASK.shape] * 2}
    assert check_submission(path, spec, **options) == (4, 2)
    rows = read_submission(path, spec)
    np.testing.assert_array_equal(decode_image(path, rows, "b", MASK.shape, spec), BOTH)
    np.testing.assert_array_equal(decode_image(path, rows, "a", MASK.shape, spec), BOTH[..., ::-1])


def test_expected_keys_are_in_the_order_of_images_then_classes():
    assert expected_keys(["b", "a"], TWO) == [
        ("b", "left"),
        ("b", "right"),
        ("a", "left"),
        ("a", "right"),
    ]
    assert expected_keys(["7"], JOINED) == [("7.jpg_left",), ("7.jpg_right",)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("b,left,\nb,right,\na,left,\n", ": expected 4 ids, a,right missing"),
        ("b,left,\nb,right,\na,left,\na,right,\na,up,\n", ": expected 4 ids, a,up unknown"),
        (
            "b,right,\nb,left,\na,left,\na,right,\n",
            ": expected b,left as id 1 in order, got b,right",
        ),
        ("b,left,\nb,left,\n", ":3: id b,left stands twice"),
        (
            "b,left,\nb,right,\na,left,16 1\na,right,\n",
            ": id a,left: rle: run 1 ('16 1') ends outside of the image of 15 pixels",
        ),
    ],
)
def test_check_submission_fault_of_a_class_is_one_line(path, rows, expected):
    write(path, f"id,side,rle\n{rows}")
    with pytest.raises(InputError) as caught:
        check_submission(path, TWO, ids=["b", "a"], shapes=[MASK.shape] * 2)
    assert str(caught.value) == f"{path}{expected}"


def test_check_keys_of_the_same_keys_says_nothing(path):
    check_keys(path, [("1", "a"), ("1", "b")], [("1", "a"), ("1", "b")])
    check_keys(path, [], [])


# Objects

OBJECTS = make_spec({"header": ["img", "pixels"], "empty": "-1"}, instances=True)


def test_encode_rows_of_objects_are_one_per_connected_piece():
    # Corners touch: pixels 3 to 7 down the columns are one piece, 15 another.
    assert encode_rows("1", one(MASK), OBJECTS) == [(("1",), "3 5"), (("1",), "15 1")]
    assert encode_rows("1", one(EMPTY), OBJECTS) == [(("1",), "")]


def test_encode_rows_of_objects_of_classes_are_split_apart():
    spec = make_spec(
        {"header": ["id", "side", "rle"], "row": ["{id}", "{class}"]}, **CLASSES, instances=True
    )
    assert encode_rows("1", BOTH, spec) == [
        (("1", "left"), "3 5"),
        (("1", "left"), "15 1"),
        (("1", "right"), ""),
    ]


def test_check_submission_of_objects_rows_may_be_apart(path):
    write(path, "img,pixels\n1,1 1\n2,-1\n1,5 1\n")
    assert check_submission(path, OBJECTS, ids=["1", "2"], shapes=[(3, 5), (3, 5)]) == (3, 2)


def test_check_submission_valid_file_is_not_read_as_a_whole(path, monkeypatch):
    write(path, "img,pixels\n1,1 15\n2,\n10,15 1\n")
    monkeypatch.setattr("pipeline.kaggle.submission.read_table", None)
    assert check_submission(path, NERVE, ids=IDS, shapes=np.array(SHAPES)) == (3, 2)


def test_check_submission_of_objects_counts_rows(path):
    write_submission(path, [("1", one(MASK)), ("2", one(EMPTY))], OBJECTS)
    assert path.read_text() == "img,pixels\n1,3 5\n1,15 1\n2,-1\n"
    options = {"ids": ["1", "2"], "shapes": [MASK.shape] * 2}
    assert check_submission(path, OBJECTS, **options) == (3, 2)
    rows = read_submission(path, OBJECTS)
    assert rows == {("1",): ["3 5", "15 1"], ("2",): [""]}
    (objects,) = decode_rows(path, rows, "1", MASK.shape, OBJECTS)
    for observed, expected in zip(objects, split_pieces(MASK), strict=True):
        np.testing.assert_array_equal(observed, expected)
    np.testing.assert_array_equal(decode_image(path, rows, "1", MASK.shape, OBJECTS), one(MASK))


def test_check_submission_objects_that_overlap_are_refused(path):
    write(path, "img,pixels\n1,1 5\n1,6 2\n1,5 1\n")
    with pytest.raises(InputError) as caught:
        check_submission(path, OBJECTS, ids=["1"], shapes=[MASK.shape])
    assert str(caught.value) == f"{path}: id 1: expected rows apart, got ones that overlap"
    write(path, "img,pixels\n1,1 4\n1,6 2\n1,5 1\n")  # that touch, but don't overlap
    assert check_submission(path, OBJECTS, ids=["1"], shapes=[MASK.shape]) == (3, 3)
