from itertools import pairwise

import cv2
import numpy as np
import pytest

from pipeline.report.contact_sheet import (
    COLUMNS,
    PER_SHEET,
    Picture,
    describe_area,
    draw_sheet,
    write_sheets,
)

IMAGE = np.full((6, 8, 3), 128, np.uint8)
MASK = np.zeros((12, 16), bool)  # twice the size of the image
MASK[2:5, 3:9] = True


def pictures(count):
    return [Picture(IMAGE, str(number), {"a": MASK}) for number in range(count)]


def outlines(axes):
    """Return the corners (x, y) of each outline: left, top, right, bottom."""
    collections = [part for part in axes.collections if len(part.get_paths()[0].vertices)]
    return [
        [*part.get_paths()[0].vertices.min(axis=0), *part.get_paths()[0].vertices.max(axis=0)]
        for part in collections
    ]


def test_draw_sheet_outline_is_the_edge_of_the_mask_at_its_own_size():
    figure = draw_sheet(pictures(1))
    (axes,) = figure.axes
    # Columns 3 to 8 and rows 2 to 4 are foreground; the edge is half a pixel outside of centres.
    assert outlines(axes) == [[2.5, 1.5, 8.5, 4.5]]
    assert axes.get_xlim() == (-0.5, 15.5)
    assert axes.get_ylim() == (11.5, -0.5)
    assert axes.images[0].get_extent() == [-0.5, 15.5, 11.5, -0.5]


def test_draw_sheet_outline_closes_at_the_border():
    axes = draw_sheet([Picture(IMAGE, "1", {"a": np.ones((6, 8), bool)})]).axes[0]
    assert outlines(axes) == [[-0.5, -0.5, 7.5, 5.5]]


def test_draw_sheet_two_masks_differ_in_colour_and_stroke():
    figure = draw_sheet([Picture(IMAGE, "1", {"a": MASK, "b": ~MASK})])
    first, second = figure.axes[0].collections
    assert not np.array_equal(first.get_edgecolor(), second.get_edgecolor())
    assert first.get_linestyle() != second.get_linestyle()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    for line, outline in zip(legend.get_lines(), (first, second), strict=True):
        np.testing.assert_array_equal(
            parse_colour(line.get_color()), outline.get_edgecolor()[0, :3]
        )


def parse_colour(text):
    """Return red, green and blue, 0 to 1, of a colour like #E69F00."""
    return [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def test_draw_sheet_a_name_has_the_same_stroke_in_each_picture():
    sheet = [Picture(IMAGE, "1", {"a": MASK, "b": MASK}), Picture(IMAGE, "2", {"b": MASK})]
    both, alone = draw_sheet(sheet).axes
    np.testing.assert_array_equal(
        both.collections[1].get_edgecolor(), alone.collections[0].get_edgecolor()
    )


def test_draw_sheet_empty_mask_and_none_have_no_outline():
    figure = draw_sheet([Picture(IMAGE, "1", {"a": ~MASK & MASK}), Picture(IMAGE, "2")])
    assert [outlines(axes) for axes in figure.axes] == [[], []]
    assert draw_sheet([Picture(IMAGE, "2")]).legends == []


@pytest.mark.parametrize("count", [1, COLUMNS - 1, COLUMNS, COLUMNS + 1])
def test_draw_sheet_pictures_stand_in_rows_with_their_captions_below(count):
    axes = draw_sheet(pictures(count)).axes
    assert [axis.texts[0].get_text() for axis in axes] == [str(n) for n in range(count)]
    boxes = [axis.get_position() for axis in axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 < box.y0 < box.y1 <= 1 for box in boxes)
    first_row = boxes[:COLUMNS]
    assert [box.y0 for box in first_row] == pytest.approx([boxes[0].y0] * len(first_row))
    assert all(left.x1 < right.x0 for left, right in pairwise(first_row))
    assert all(box.y1 < boxes[0].y0 for box in boxes[COLUMNS:])


def test_draw_sheet_long_caption_is_smaller():
    short, long = draw_sheet([Picture(IMAGE, "1"), Picture(IMAGE, "x" * 70)]).axes
    assert (short.texts[0].get_fontsize(), long.texts[0].get_fontsize()) == (10, 5)


def test_write_sheets_one_file_where_all_fit(tmp_path):
    path = tmp_path / "new" / "sheet.png"
    assert write_sheets(path, pictures(2)) == [path]
    assert cv2.imread(str(path)) is not None
    assert list(path.parent.iterdir()) == [path]


def test_write_sheets_more_are_numbered(tmp_path):
    written = write_sheets(tmp_path / "sheet.png", pictures(PER_SHEET + 1))
    assert written == [tmp_path / "sheet-1.png", tmp_path / "sheet-2.png"]
    full, rest = (cv2.imread(str(path)).shape for path in written)
    assert full[0] > 4 * rest[0]
    assert full[1] > 4 * rest[1]


@pytest.mark.parametrize(("area", "expected"), [(0, "empty"), (1234, "1,234 px")])
def test_describe_area_says_pixels_or_empty(area, expected):
    assert describe_area(area) == expected
