import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.masks.codes import pack, unpack

channels_of_any_kind = arrays(
    bool,
    st.tuples(array_shapes(min_dims=2, max_dims=2, max_side=4), st.integers(1, 8)).map(
        lambda pair: (*pair[0], pair[1])
    ),
)


def test_pack_bit_k_stands_for_class_k():
    channels = np.zeros((2, 3, 8), bool)
    channels[0, 0, 0] = channels[0, 1, 7] = True
    channels[1, 1, [1, 2]] = True
    channels[1, 2] = True
    codes = pack(channels, exclusive=False)
    assert codes.dtype == np.uint8
    # 2**0, 2**7, 0; 0, 2**1 + 2**2, all eight.
    np.testing.assert_array_equal(codes, [[1, 128, 0], [0, 6, 255]])


def test_pack_exclusive_is_one_more_than_the_class():
    channels = np.zeros((1, 4, 3), bool)
    channels[0, 1, 0] = channels[0, 2, 2] = True
    channels[0, 3, [1, 2]] = True  # the first counts
    codes = pack(channels, exclusive=True)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, [[0, 1, 3, 2]])


@given(channels_of_any_kind)
def test_unpack_undoes_pack(channels):
    codes = pack(channels, exclusive=False)
    observed = unpack(codes, channels.shape[-1], exclusive=False)
    assert observed.dtype == bool
    np.testing.assert_array_equal(observed, channels)


@given(arrays(np.uint8, (3, 4)), st.integers(1, 8))
def test_pack_undoes_unpack_of_the_classes_there_are(codes, count):
    codes = codes & (2**count - 1)
    observed = pack(unpack(codes, count, exclusive=False), exclusive=False)
    np.testing.assert_array_equal(observed, codes)


@given(st.integers(1, 255).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_exclusive_codes_of_up_to_255_classes_are_exact(count_and_code):
    count, code = count_and_code
    codes = np.full((2, 3), code, np.uint8)
    channels = unpack(codes, count, exclusive=True)
    assert channels.shape == (2, 3, count)
    # Each pixel has the one class, or none where the code is 0.
    np.testing.assert_array_equal(channels.sum(axis=-1), int(code > 0))
    np.testing.assert_array_equal(pack(channels, exclusive=True), codes)


@pytest.mark.parametrize("exclusive", [False, True])
def test_unpack_one_class_is_the_mask(exclusive):
    mask = np.array([[True, False], [False, True]])
    codes = pack(mask[..., None], exclusive=exclusive)
    np.testing.assert_array_equal(codes, mask)
    np.testing.assert_array_equal(unpack(codes, 1, exclusive=exclusive)[..., 0], mask)
