import re

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.outlines import outline_path


def corners(path):
    """Return the absolute corners (column, row) of each outline of a path."""
    outlines = []
    for text in re.findall(r"M([^z]*)z", path):
        numbers = np.array(re.findall(r"-?\d+", text), int).reshape(-1, 2)
        outlines.append(numbers.cumsum(axis=0))
    return outlines


def test_outline_path_of_nothing_is_empty():
    assert outline_path(np.zeros((4, 5), bool)) == ""


def test_outline_path_has_pieces_and_holes():
    mask = np.zeros((20, 30), bool)
    mask[2:15, 3:18] = True
    mask[6:10, 8:12] = False
    mask[17, 25] = True
    outlines = corners(outline_path(mask))
    boxes = sorted([*outline.min(axis=0), *outline.max(axis=0)] for outline in outlines)
    # The hole's outline is of the foreground around it.
    assert boxes == [[3, 2, 17, 14], [7, 5, 12, 10], [25, 17, 25, 17]]


@given(st.integers(3, 14), st.integers(3, 14), st.integers(0, 90))
def test_outline_path_filled_again_is_nearly_the_mask(width, height, angle):
    mask = np.zeros((40, 50), np.uint8)
    cv2.ellipse(mask, (25, 20), (width, height), angle, 0, 360, 1, thickness=-1)
    again = np.zeros_like(mask)
    cv2.fillPoly(again, corners(outline_path(mask > 0)), 1)
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    assert not ((again != mask) & (edge == 0)).any()


@pytest.mark.parametrize("size", [(30, 40), (3000, 4000)])
def test_outline_path_of_a_large_frame_is_as_short(size):
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (size[1] // 2, size[0] // 2), size[0] // 3, 1, thickness=-1)
    assert len(outline_path(mask > 0)) < 600
