import cv2
import numpy as np
import pytest

from pipeline.report.frames import PROBABILITY, Shot, draw_frames, encode_image, encode_map

FRAME = np.full((30, 40, 1), 90, np.uint8)


def decode(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(
    ("shape", "expected"), [((30, 40), (30, 40)), ((480, 768), (240, 384)), ((1200, 2), (384, 1))]
)
def test_encode_image_larger_frames_are_shrunk(shape, expected):
    assert decode(encode_image(np.zeros((*shape, 1), np.uint8))).shape == expected


def test_encode_image_keeps_the_order_of_colours():
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 200  # red
    blue, green, red = decode(encode_image(image)).mean(axis=(0, 1))
    assert red > 190
    assert max(blue, green) < 10


def test_encode_map_is_as_opaque_as_probable():
    prob_map = np.repeat(np.array([[0, 128, 255]], np.uint8), 3, axis=0)
    decoded = decode(encode_map(prob_map))
    assert decoded[0, :, 3].tolist() == [0, 120, 240]
    assert decoded[0, 2, :3].tolist() == list(PROBABILITY[::-1])


def test_draw_frames_writes_a_map_only_where_there_is_one(tmp_path):
    maps = np.zeros((3, 30, 40), np.uint8)
    maps[1, 5, 5], maps[2, 5, 5] = 200, 7
    masks = maps > 100
    drawn = draw_frames(lambda row: Shot(FRAME, maps[row], {"predicted": masks[row]}), 3, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["0.jpg", "1.jpg", "1.png", "2.jpg"]
    assert [frame.has_map for frame in drawn] == [False, True, False]
    assert [frame.areas["predicted"] for frame in drawn] == [0, 1, 0]
    assert [frame.outlines["predicted"] for frame in drawn] == ["", "M5,5z", ""]


def test_draw_frames_raises_what_a_frame_raises(tmp_path):
    def shots(row):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        draw_frames(shots, 4, tmp_path)
