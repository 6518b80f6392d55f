import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_fill_holes
from skimage.measure import label, regionprops

from pipeline.masks.pieces import LOWEST, fill_holes, list_pieces

SHAPE = (4, 5)
prob_maps = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 5, 8, 9, 100, 255]))
masks = arrays(bool, SHAPE)


@given(prob_maps, masks)
def test_list_pieces_any_threshold_matches_labels(prob_map, mask):
    pieces = list_pieces(prob_map, mask)
    for threshold in (LOWEST, 9, 10, 100, 101, 255):
        regions = regionprops(label(prob_map >= threshold, connectivity=2), prob_map)
        expected = [
            (int(r.area), int(mask[tuple(r.coords.T)].sum()), int(r.intensity_max)) for r in regions
        ]
        standing = pieces[(pieces["above"] < threshold) & (pieces["level"] >= threshold)]
        # In the order of their first pixels, as labels are.
        assert standing[["area", "overlap", "peak"]].tolist() == expected


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1)])
def test_list_pieces_narrow_map_is_one_piece(shape):
    (piece,) = list_pieces(np.full(shape, 30, np.uint8), np.ones(shape, bool))
    size = shape[0] * shape[1]
    assert piece.tolist() == (0, 0, 30, 30, size, size)


@pytest.mark.parametrize("level", [0, LOWEST - 1])
def test_list_pieces_faint_map_has_none(level):
    assert len(list_pieces(np.full(SHAPE, level, np.uint8), np.ones(SHAPE, bool))) == 0


@given(prob_maps)
def test_fill_holes_any_threshold_matches_the_filled_mask(prob_map):
    filled = fill_holes(prob_map)
    for threshold in (LOWEST, 9, 100, 101, 255):
        expected = binary_fill_holes(prob_map >= threshold)
        np.testing.assert_array_equal(filled >= threshold, expected)
