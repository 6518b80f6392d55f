import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.masks.rle import decode, encode

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9))
ORDERS = st.sampled_from(["columns", "rows"])
ORIGINS = st.sampled_from([0, 1])

# Down the columns, from 1:   Along the rows, from 1:
#   1  4  7 10 13               1  2  3  4  5
#   2  5  8 11 14               6  7  8  9 10
#   3  6  9 12 15              11 12 13 14 15
MASK = np.array(
    [
        [0, 0, 0, 1, 0],
        [1, 0, 0, 1, 0],
        [0, 0, 1, 0, 1],
    ],
    dtype=bool,
)
# Columns: 2; 9, 10 and 11 (on from the foot of the third column); 15.
# Rows: 4; 6; 9; 13; 15.
STRINGS = {
    ("columns", 1): "2 1 9 3 15 1",
    ("columns", 0): "1 1 8 3 14 1",
    ("rows", 1): "4 1 6 1 9 1 13 1 15 1",
    ("rows", 0): "3 1 5 1 8 1 12 1 14 1",
}


def reference_encode(mask, order, origin):
    """One pixel after another, as the competition's page words it."""
    pixels = mask.flatten(order="F" if order == "columns" else "C").tolist()
    runs = []
    for number, pixel in enumerate(pixels):
        if pixel and number and pixels[number - 1]:
            runs[-1][1] += 1
        elif pixel:
            runs.append([number + origin, 1])
    return " ".join(f"{start} {length}" for start, length in runs)


@pytest.mark.parametrize(("scan", "expected"), STRINGS.items())
def test_encode_small_mask_matches_hand_count(scan, expected):
    order, origin = scan
    observed = encode(MASK, order=order, origin=origin)
    assert observed == expected


@pytest.mark.parametrize(("scan", "rle"), STRINGS.items())
def test_decode_small_string_matches_hand_count(scan, rle):
    order, origin = scan
    observed = decode(rle, (3, 5), order=order, origin=origin)
    np.testing.assert_array_equal(observed, MASK)
    assert observed.dtype == bool


# Of the strings above: 9 is 6 pixels behind the run 2, and 15 is 3 behind the run 9 10 11. In the
# rows each run ends where the next pixel is: 6 is 1 behind 4, and so on.
RELATIVE = {
    ("columns", 1): "2 1 6 3 3 1",
    ("columns", 0): "1 1 6 3 3 1",
    ("rows", 1): "4 1 1 1 2 1 3 1 1 1",
    ("rows", 0): "3 1 1 1 2 1 3 1 1 1",
}


@pytest.mark.parametrize(("scan", "rle"), RELATIVE.items())
def test_encode_and_decode_relative_string_match_hand_count(scan, rle):
    options = {"order": scan[0], "origin": scan[1], "relative": True}
    assert encode(MASK, **options) == rle
    np.testing.assert_array_equal(decode(rle, (3, 5), **options), MASK)


def siim_acr_decode(rle, shape):
    """As in mask_functions.py of SIIM-ACR Pneumothorax: each start counts on from the last end."""
    height, width = shape
    mask, position = np.zeros(height * width, bool), 0
    numbers = [int(number) for number in rle.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        position += start
        mask[position : position + length] = True
        position += length
    return mask.reshape(width, height).T


def test_decode_relative_from_0_is_the_siim_acr_form():
    # Down the columns of 3 x 5 pixels, from 0: skip 1, take 4, skip 6, take 3.
    expected = np.array([[0, 1, 0, 0, 1], [1, 1, 0, 0, 1], [1, 0, 0, 1, 0]], bool)
    rle = "1 4 6 3"
    np.testing.assert_array_equal(siim_acr_decode(rle, (3, 5)), expected)
    np.testing.assert_array_equal(decode(rle, (3, 5), origin=0, relative=True), expected)
    assert encode(expected, origin=0, relative=True) == rle


@given(MASKS)
def test_encode_relative_from_0_reads_back_by_the_siim_acr_code(mask):
    rle = encode(mask, origin=0, relative=True)
    np.testing.assert_array_equal(siim_acr_decode(rle, mask.shape), mask)


@pytest.mark.parametrize("order", ["columns", "rows"])
@pytest.mark.parametrize("shape", [(3, 5), (0, 5), (3, 0)])
def test_encode_and_decode_empty_mask_is_empty_string(shape, order):
    assert encode(np.zeros(shape, dtype=bool), order=order) == ""
    observed = decode("", shape, order=order)
    np.testing.assert_array_equal(observed, np.zeros(shape, dtype=bool))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (slice(0, 2), "4 2 7 2"),  # pixels 4, 5 and 7, 8
        (slice(1, 3), "5 2 8 2"),  # pixels 5, 6 and 8, 9: 7, the head of a column, is between
        (slice(1, 2), "5 1 8 1"),
        (slice(0, 3), "4 6"),  # whole columns run on into each other
    ],
)
def test_encode_block_at_edge_keeps_columns_apart(rows, expected):
    mask = np.zeros((3, 5), dtype=bool)
    mask[rows, 1:3] = True
    assert encode(mask) == expected
    assert encode(mask.T, order="rows") == expected


def test_encode_full_mask_is_one_run():
    assert encode(np.ones((3, 5), dtype=bool)) == "1 15"  # 15 = 3 x 5


@given(MASKS, ORDERS, ORIGINS)
def test_encode_any_mask_matches_pixel_by_pixel_reference(mask, order, origin):
    observed = encode(mask, order=order, origin=origin)
    assert observed == reference_encode(mask, order, origin)


@given(MASKS, ORDERS, ORIGINS, st.booleans())
def test_decode_encoded_mask_returns_it(mask, order, origin, relative):
    options = {"order": order, "origin": origin, "relative": relative}
    rle = encode(mask, **options)
    observed = decode(rle, mask.shape, **options)
    np.testing.assert_array_equal(observed, mask)


@given(MASKS)
def test_encode_rows_is_columns_of_transpose(mask):
    assert encode(mask, order="rows") == encode(mask.T, order="columns")


def test_encode_memory_order_does_not_matter():
    assert encode(np.asfortranarray(MASK)) == encode(np.ascontiguousarray(MASK))


def test_decode_touching_runs_returns_their_union():
    observed = decode("2 2 4 3", (3, 5))
    np.testing.assert_array_equal(observed, decode("2 5", (3, 5)))


@pytest.mark.parametrize("rle", ["  2 1 9 3 15 1", "2 1\t9 3\n15 1\r\n", "02 1 9 3 015 1"])
def test_decode_other_spacing_and_leading_zeros_returns_same_mask(rle):
    np.testing.assert_array_equal(decode(rle, (3, 5)), MASK)


@pytest.mark.parametrize("rle", [" ", "\n", "\t \r\n"])
def test_decode_white_space_only_is_empty_mask(rle):
    np.testing.assert_array_equal(decode(rle, (3, 5)), np.zeros((3, 5), dtype=bool))


NOT_DIGITS = "holds more than digits 0-9"
OUTSIDE = "ends outside of the image of 15 pixels"


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ("7", "run 1 ('7') has a start but no length"),
        ("1 2 7", "run 2 ('7') has a start but no length"),
        ("0 2", "run 1 ('0 2') starts below the origin 1"),
        ("1 2 5 0", "run 2 ('5 0') has length 0"),
        ("1 2 5 -3", f"run 2 ('5 -3') {NOT_DIGITS}"),
        ("-1 2", f"run 1 ('-1 2') {NOT_DIGITS}"),
        ("5 1 1 1", "run 2 ('1 1') begins before run 1 ends; expected runs sorted and apart"),
        ("1 1 4 3 6 1", "run 3 ('6 1') begins before run 2 ends; expected runs sorted and apart"),
        ("3 1 3 1", "run 2 ('3 1') begins before run 1 ends; expected runs sorted and apart"),
        ("15 2", f"run 1 ('15 2') {OUTSIDE}"),
        ("1 1 16 1", f"run 2 ('16 1') {OUTSIDE}"),
        ("1 9223372036854775807", f"run 1 ('1 9223372036854775807') {OUTSIDE}"),
        ("9223372036854775807 9", f"run 1 ('9223372036854775807 9') {OUTSIDE}"),
        ("1 1 9223372036854775808 1", f"run 2 ('9223372036854775808 1') {OUTSIDE}"),
        ("1 18446744073709551617", f"run 1 ('1 18446744073709551617') {OUTSIDE}"),  # 1 mod 2^64
        ("1.5 2", f"run 1 ('1.5 2') {NOT_DIGITS}"),
        ("1 1 1e1 2", f"run 2 ('1e1 2') {NOT_DIGITS}"),
        ("nan 2", f"run 1 ('nan 2') {NOT_DIGITS}"),
        ("+3 1", f"run 1 ('+3 1') {NOT_DIGITS}"),
        ("1_0 1", f"run 1 ('1_0 1') {NOT_DIGITS}"),
        ("1,2", f"run 1 ('1,2') {NOT_DIGITS}"),
        ("\u0663 1", f"run 1 ('\u0663 1') {NOT_DIGITS}"),  # Arabic-Indic 3
        ("3\u00b2 1", f"run 1 ('3\u00b2 1') {NOT_DIGITS}"),  # superscript 2
        ("3\u00a01", f"run 1 ('3\\xa01') {NOT_DIGITS}"),  # a no-break space
        ("3 1\0", f"run 1 ('3 1\\x00') {NOT_DIGITS}"),
    ],
)
def test_decode_malformed_string_says_which_run_and_what(rle, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011, the whole message is compared below
        decode(rle, (3, 5))
    assert str(raised.value) == f"rle: {message}"


def test_decode_origin_zero_counts_the_bounds_from_zero():
    assert decode("14 1", (3, 5), origin=0)[2, 4]  # the last of 15 pixels, from 0
    with pytest.raises(ValueError, match=OUTSIDE):
        decode("15 1", (3, 5), origin=0)


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ("1 1 14 1", f"run 2 ('14 1') {OUTSIDE}"),  # 2 + 14 = 16
        ("1 1 13 2", f"run 2 ('13 2') {OUTSIDE}"),
        ("0 1 1 1", "run 1 ('0 1') starts below the origin 1"),
        ("1 1 1 0 1 1", "run 2 ('1 0') has length 0"),
        ("1 9223372036854775807", f"run 1 ('1 9223372036854775807') {OUTSIDE}"),
        # The sum of two such numbers is negative in 64 bits.
        ("1 1 9223372036854775807 1", f"run 2 ('9223372036854775807 1') {OUTSIDE}"),
        (
            "9223372036854775807 9 9223372036854775807 9",
            f"run 1 ('9223372036854775807 9') {OUTSIDE}",
        ),
        ("1 9223372036854775807 5 1", f"run 1 ('1 9223372036854775807') {OUTSIDE}"),
        ("1 18446744073709551617 1 1", f"run 1 ('1 18446744073709551617') {OUTSIDE}"),
    ],
)
def test_decode_malformed_relative_string_says_which_run_and_what(rle, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011, the whole message is compared below
        decode(rle, (3, 5), relative=True)
    assert str(raised.value) == f"rle: {message}"


def test_decode_relative_touching_runs_return_their_union():
    # 0 pixels behind the first run, which sorted and absolute would be "2 2 4 3".
    observed = decode("2 2 0 3", (3, 5), relative=True)
    np.testing.assert_array_equal(observed, decode("2 5", (3, 5)))


@given(st.text("0123456789 -\n", max_size=40), ORDERS, ORIGINS)
def test_decode_any_relative_text_returns_mask_or_one_line_error(text, order, origin):
    try:
        mask = decode(text, (3, 5), order=order, origin=origin, relative=True)
    except ValueError as error:
        message = str(error)
        assert message.startswith("rle: run ")
        assert "\n" not in message
    else:
        assert mask.sum() == sum(map(int, text.split()[1::2]))


@given(st.text("0123456789 -+._e\n", max_size=12))
def test_decode_any_text_returns_mask_or_one_line_error(text):
    try:
        mask = decode(text, (3, 5))
    except ValueError as error:
        message = str(error)
        assert message.startswith("rle: run ")
        assert "\n" not in message
    else:
        # Accepted: every second number is a length, and the runs share no pixel.
        assert mask.sum() == sum(map(int, text.split()[1::2]))


@pytest.mark.parametrize("value", [float("nan"), None, 3])
def test_decode_not_a_string_is_type_error(value):
    with pytest.raises(TypeError, match=f"rle: expected a string, got {type(value).__name__}"):
        decode(value, (3, 5))


@pytest.mark.parametrize("shape", [(3, 5, 1), (15,), (-3, 5)])
def test_decode_bad_shape_is_value_error(shape):
    with pytest.raises(ValueError, match=r"shape: expected \(height, width\), got \("):
        decode("1 1", shape)


@pytest.mark.parametrize(
    ("mask", "came"),
    [
        (MASK.astype(np.uint8), r"\(3, 5\) uint8"),
        (MASK.astype(float), r"\(3, 5\) float64"),
        (MASK[0], r"\(5,\) bool"),
        (MASK[None], r"\(1, 3, 5\) bool"),
    ],
)
def test_encode_other_dtype_or_dimension_is_value_error(mask, came):
    with pytest.raises(ValueError, match=rf"^mask: expected a bool array \(H, W\), got {came}$"):
        encode(mask)


@pytest.mark.parametrize(("function", "arguments"), [(encode, (MASK,)), (decode, ("1 1", (3, 5)))])
def test_encode_and_decode_unknown_scan_lists_the_known(function, arguments):
    with pytest.raises(ValueError, match=r"^order: expected one of columns, rows, got 'F'$"):
        function(*arguments, order="F")
    with pytest.raises(ValueError, match=r"^origin: expected 0 or 1, got 2$"):
        function(*arguments, origin=2)
