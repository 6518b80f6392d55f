import numpy as np
import pandas as pd
import pytest

from pipeline.report.frames import Drawn
from pipeline.report.gallery import make_gallery, place_pictures, remove_others


def drawn(count):
    return [Drawn({"predicted": f"M{n},0z"}, {"predicted": n}, {}, n > 0) for n in range(count)]


@pytest.fixture
def table():
    return pd.DataFrame(
        {"id": ["a", "b"], "width": 4, "height": 3, "area": [0, 1], "presence": [0.1, 0.9]}
    )


def test_make_gallery_without_truth_asks_for_none(table):
    gallery = make_gallery(table, drawn(2), "files")
    assert [value for value, _ in gallery.kinds] == ["all", "predicted", "unpredicted"]
    assert "dice up" not in dict(gallery.sorts)
    row = dict(zip(gallery.data["columns"], gallery.data["frames"][1], strict=True))
    assert row == {
        "id": "b",
        "width": 4,
        "height": 3,
        "area": 1,
        "presence": 0.9,
        "has_map": 1,
        "predicted": "M1,0z",
    }
    assert not any(isinstance(value, np.generic) for value in gallery.data["frames"][1])


def test_make_gallery_filters_count(table):
    table = pd.concat([table] * 2, ignore_index=True).assign(subject=["10", "9", "1", "10"])
    gallery = make_gallery(table, drawn(4), "files", filters=["subject"])
    assert gallery.filters == {"subject": ["1", "9", "10"]}


def write(text):
    def draw(folder):
        (folder / "0.jpg").write_text(text)
        return []

    return draw


def test_place_pictures_same_content_same_folder(tmp_path):
    first, _ = place_pictures(tmp_path, "oof", write("a"))
    again, _ = place_pictures(tmp_path, "oof", write("a"))
    other, _ = place_pictures(tmp_path, "oof", write("b"))
    assert first == again != other
    assert {path.name for path in tmp_path.iterdir()} == {first.name, other.name}
    assert (other / "0.jpg").read_text() == "b"


def test_place_pictures_that_fail_leave_the_old_ones(tmp_path):
    def fail(folder):
        (folder / "0.jpg").write_text("half")
        raise KeyboardInterrupt

    old, _ = place_pictures(tmp_path, "oof", write("a"))
    with pytest.raises(KeyboardInterrupt):
        place_pictures(tmp_path, "oof", fail)
    assert list(tmp_path.iterdir()) == [old]


def test_remove_others_keeps_other_names(tmp_path):
    for name in ("oof-1", "oof-2", "test-1"):
        (tmp_path / name).mkdir()
    remove_others(tmp_path / "oof-2")
    assert {path.name for path in tmp_path.iterdir()} == {"oof-2", "test-1"}
