import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import Spec
from pipeline.dataset import store as store_module
from pipeline.dataset.index import open_index, open_masks, open_objects
from pipeline.dataset.store import (
    build_store,
    create_map,
    open_store,
    select_frames,
)
from pipeline.dataset.truth import MaskFiles, Piece
from pipeline.errors import InputError
from pipeline.masks import rle

SIZE = {"height": 32, "width": 64, "channels": 1}
ONE = {
    "title": "One class",
    "images": "{id}.png",
    "masks": "{id}_mask.png",
    "test": "test/{id}.png",
    "foreground": 255,
    "submission": {"header": ["id", "rle"]},
}
SPEC = Spec.model_validate(ONE)
ROW = {"header": ["id", "class", "rle"], "row": ["{id}", "{class}"]}
OF_TWO = {"classes": ["left", "right"], "masks": "{id}_{class}.png", "submission": ROW}
TWO = Spec.model_validate(ONE | OF_TWO)


def save(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def frames(tmp_path):
    """Three frames: grey and small, RGB and large, grey with an empty mask."""
    rng = np.random.default_rng(0)
    sizes = [(3, 5), (64, 128), (32, 64)]
    rows = []
    for i, (height, width) in enumerate(sizes):
        image = rng.integers(0, 256, (height, width, 3) if i == 1 else (height, width), np.uint8)
        mask = np.zeros((height, width), np.uint8)
        if i < 2:
            mask[height // 3 :, : width // 2] = 255
        rows.append(
            {
                "id": f"{i}_7",
                "subject": ["NA", "", "3"][i],  # which pandas would read as missing
                "image": save(tmp_path / f"{i}.png", image),
                "mask": save(tmp_path / f"{i}_mask.png", mask),
            }
        )
    return pd.DataFrame(rows)


def build(folder, frames, spec=SPEC, **options):
    if "mask" in frames:
        files = {row.id: [(None, row.mask)] for row in frames.itertuples()}
        options = {"truth": MaskFiles(files, spec), **options}
    build_store(folder, frames, spec, **{**SIZE, **options})
    return folder


def fault_of(folder, **size):
    with pytest.raises(InputError) as caught:
        open_store(folder, **{**SIZE, **size})
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Built and opened


def test_build_store_mixed_frames_come_back_at_network_size(tmp_path, frames):
    store = open_store(build(tmp_path / "store", frames), **SIZE)
    assert store.images.shape == (3, 32, 64, 1)
    assert store.masks.shape == (3, 32, 64)
    assert store.images.dtype == store.masks.dtype == np.uint8
    # The third frame has network size: nothing is resampled.
    np.testing.assert_array_equal(store.images[2, ..., 0], np.array(Image.open(frames["image"][2])))
    # The second's sides are halved; its mask starts at row 21: new row 10 is half covered.
    np.testing.assert_array_equal(np.unique(np.nonzero(store.masks[1])[0]), np.arange(10, 32))
    np.testing.assert_array_equal(np.unique(np.nonzero(store.masks[1])[1]), np.arange(32))
    assert not store.masks[2].any()


def test_build_store_index_holds_the_original(tmp_path, frames):
    index = open_store(build(tmp_path / "store", frames), **SIZE).index
    assert list(index["id"]) == ["0_7", "1_7", "2_7"]
    assert list(index["subject"]) == ["NA", "", "3"]
    assert list(zip(index["height"], index["width"], strict=True)) == [(3, 5), (64, 128), (32, 64)]
    # Rows 1 and 2 of 3, columns 0 and 1 of 5; rows 21 to 63, columns 0 to 63; nothing.
    assert list(index["area"]) == [2 * 2, 43 * 64, 0]
    assert list(index["contradicts"]) == ["", "", ""]
    masks = open_masks(tmp_path / "store", ["mask"])["mask"]
    assert list(masks["rle"][[0, 2]]) == ["2 2 5 2", ""]
    expected = np.array(Image.open(frames["mask"][1])) > 0
    np.testing.assert_array_equal(rle.decode(masks["rle"][1], (64, 128)), expected)
    assert list(masks["area"]) == list(index["area"])


def test_build_store_three_channels_repeat_grey(tmp_path, frames):
    store = open_store(build(tmp_path / "store", frames, channels=3), **{**SIZE, "channels": 3})
    assert store.images.shape == (3, 32, 64, 3)
    np.testing.assert_array_equal(store.images[2, ..., 0], store.images[2, ..., 2])
    assert (store.images[1, ..., 0] != store.images[1, ..., 2]).any()


def test_build_store_test_frames_have_no_masks(tmp_path, frames):
    folder = build(tmp_path / "store", frames[["id", "image"]])
    store = open_store(folder, **SIZE)
    assert store.masks is None
    assert list(store.index) == ["id", "height", "width"]
    assert {path.name for path in folder.iterdir()} == {"images.npy", "index.csv", "size.json"}


def test_build_store_advances_once_per_frame(tmp_path, frames):
    calls = []
    build(tmp_path / "store", frames, advance=lambda: calls.append(1))
    assert len(calls) == 3


# Several masks a frame


class Drawn:
    """Truth of given pieces, in place of files."""

    def __init__(self, pieces):
        self._pieces = pieces

    def pieces(self, image_id, shape):
        assert all(piece.mask.shape == shape for piece in self._pieces[image_id])
        return self._pieces[image_id]


def block(rows, columns, shape=(32, 64)):
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


SMALL, WIDE, NONE = block((0, 2), (0, 2)), block((0, 4), (1, 64)), block((0, 0), (0, 0))


@pytest.fixture
def pair(tmp_path):
    """Two frames of network size."""
    image = save(tmp_path / "a.png", np.zeros((32, 64), np.uint8))
    return pd.DataFrame({"id": ["NA", "b"], "subject": ["s", "t"], "image": [image, image]})


def test_build_store_codes_hold_every_class_and_area_counts_a_pixel_once(tmp_path, pair):
    truth = Drawn({"NA": [Piece(0, SMALL), Piece(1, WIDE)], "b": [Piece(1, SMALL)]})
    store = open_store(build(tmp_path / "store", pair, TWO, truth=truth), **SIZE)
    np.testing.assert_array_equal(store.masks[0], SMALL + 2 * WIDE)
    np.testing.assert_array_equal(store.masks[1], 2 * SMALL)
    # 2 x 2 and 4 x 63 pixels, of which 2 x 1 are both.
    assert list(store.index["area"]) == [4 + 252 - 2, 4]


def test_open_masks_is_the_index_with_one_classs_masks(tmp_path, pair):
    truth = Drawn({"NA": [Piece(0, SMALL), Piece(1, WIDE)], "b": [Piece(1, SMALL)]})
    folder = build(tmp_path / "store", pair, TWO, truth=truth)
    columns = ["id", "height", "width", "subject", "area", "contradicts", "rle"]
    left, right = open_masks(folder, ["left", "right"]).values()
    assert list(left) == list(right) == columns
    assert list(left["id"]) == list(right["id"]) == ["NA", "b"]
    assert list(left["area"]) == [4, 0]
    assert list(right["area"]) == [252, 4]
    # Columns of 32 pixels, from 1.
    assert list(left["rle"]) == ["1 2 33 2", ""]
    np.testing.assert_array_equal(rle.decode(right["rle"][0], (32, 64)), WIDE)


def test_open_masks_unknown_class_says_what_to_run(tmp_path, frames):
    folder = build(tmp_path / "store", frames)
    with pytest.raises(InputError) as caught:
        open_masks(folder, ["nerve"])
    assert str(caught.value) == (
        f"{folder}: expected a mask of class nerve of every frame; run: pipeline preprocess"
    )


@pytest.mark.parametrize("damage", ["cut", "blank", "missing", "row"])
def test_open_masks_damaged_table_says_what_to_run(tmp_path, frames, damage):
    folder = build(tmp_path / "store", frames)
    path = folder / "masks.csv"
    text = path.read_text()
    path.write_text({"cut": text[:10], "blank": "", "missing": ""}.get(damage, text[:-12]))
    if damage == "missing":
        path.unlink()
    with pytest.raises(InputError, match=r"; run: pipeline preprocess$") as caught:
        open_masks(folder, ["mask"])
    assert str(caught.value).startswith(str(folder))


def test_build_store_exclusive_classes_area_leaves_the_first_out(tmp_path, pair):
    names = {"classes": ["none", "x", "y"], "exclusive": True, "metric": "mean_iou"}
    spec = Spec.model_validate(ONE | names | {"submission": ROW})
    void = block((31, 32), (0, 64))  # of no class
    rest = ~(SMALL | WIDE | void)
    pieces = [Piece(0, rest), Piece(1, SMALL & ~WIDE), Piece(2, WIDE)]
    truth = Drawn({"NA": pieces, "b": [Piece(0, ~NONE)]})
    folder = build(tmp_path / "store", pair, spec, truth=truth)
    store = open_store(folder, **SIZE)
    np.testing.assert_array_equal(store.masks[0], rest + 2 * (SMALL & ~WIDE) + 3 * WIDE)
    np.testing.assert_array_equal(store.masks[1], 1)
    assert list(store.index["area"]) == [2 + 252, 0]
    assert list(open_masks(folder, ["none"])["none"]["area"]) == [rest.sum(), 32 * 64]


def test_build_store_exclusive_masks_that_shrink_leave_no_pixel_void(tmp_path, pair):
    names = {"classes": ["none", "x", "y"], "exclusive": True, "metric": "mean_iou"}
    spec = Spec.model_validate(ONE | names | {"submission": ROW})
    column = np.indices((32, 64))[1] % 4  # new pixels hold none, x, y and y
    pieces = [Piece(0, column == 0), Piece(1, column == 1), Piece(2, column >= 2)]
    truth = Drawn(dict.fromkeys(("NA", "b"), pieces))
    folder = build(tmp_path / "store", pair, spec, truth=truth, width=32)
    store = open_store(folder, **{**SIZE, "width": 32})
    # The first of two halves, and y alone.
    np.testing.assert_array_equal(store.masks[0], np.tile([1, 3], (32, 16)))


def test_open_objects_are_each_pieces_runs(tmp_path, pair):
    spec = Spec.model_validate(TWO.model_dump(exclude_unset=True) | {"instances": True})
    truth = Drawn(
        {"NA": [Piece(0, SMALL), Piece(1, SMALL), Piece(0, WIDE), Piece(0, NONE)], "b": []}
    )
    folder = build(tmp_path / "store", pair, spec, truth=truth)
    assert open_objects(folder, ["left", "right"]) == [
        {"NA": [rle.encode(SMALL), rle.encode(WIDE)]},
        {"NA": [rle.encode(SMALL)]},
    ]
    assert list(open_masks(folder, ["left"])["left"]["area"]) == [(SMALL | WIDE).sum(), 0]


def test_open_objects_of_frames_without_any_is_empty(tmp_path, pair):
    spec = Spec.model_validate(ONE | {"instances": True})
    folder = build(tmp_path / "store", pair, spec, truth=Drawn({"NA": [], "b": []}))
    assert open_objects(folder, ["mask"]) == [{}]


def test_open_objects_of_a_store_without_them_says_what_to_run(tmp_path, frames):
    folder = build(tmp_path / "store", frames)
    with pytest.raises(InputError, match=r"objects.csv: no such file; run: pipeline preprocess$"):
        open_objects(folder, ["mask"])


def test_select_frames_keeps_the_rows_of_every_table(tmp_path, pair):
    spec = Spec.model_validate(TWO.model_dump(exclude_unset=True) | {"instances": True})
    truth = Drawn({"NA": [Piece(0, SMALL)], "b": [Piece(0, WIDE), Piece(1, SMALL)]})
    folder = build(tmp_path / "store", pair, spec, truth=truth)
    kept = {"subjects": np.array(["u"]), "contradicts": np.array(["NA"])}
    select_frames(folder, np.array([1]), **kept)
    store = open_store(folder, **SIZE)
    np.testing.assert_array_equal(store.masks, [WIDE + 2 * SMALL])
    assert store.images.shape == (1, 32, 64, 1)
    assert store.index[["id", "subject", "contradicts"]].values.tolist() == [["b", "u", "NA"]]
    assert list(open_masks(folder, ["right"])["right"]["area"]) == [4]
    assert open_objects(folder, ["left"]) == [{"b": [rle.encode(WIDE)]}]


def test_build_store_deep_frames_are_read_by_the_spec(tmp_path, pair):
    np.save(tmp_path / "a.npy", np.full((32, 64, 5), np.arange(5) * 100))
    spec = Spec.model_validate(ONE | {"levels": [0, 510], "page": 4})
    folder = build(tmp_path / "store", pair.assign(image=tmp_path / "a.npy")[["id", "image"]], spec)
    np.testing.assert_array_equal(open_store(folder, **SIZE).images, 200)  # 400 of 510 of 255


# Frames at fault


def test_build_store_mask_of_another_size_is_refused(tmp_path, frames):
    save(frames["mask"][0], np.zeros((5, 3), np.uint8))
    expected = r"0_mask.png: expected the size of its image \(3, 5\), got \(5, 3\)"
    with pytest.raises(InputError, match=expected):
        build(tmp_path / "store", frames)


def test_build_store_first_fault_of_two_is_named(tmp_path, frames):
    frames["image"][1].write_bytes(b"")
    frames["image"][2].unlink()
    with pytest.raises(InputError, match=r"1\.png"):
        build(tmp_path / "store", frames)


def test_build_store_fault_cancels_the_rest_and_leaves_nothing(tmp_path, frames):
    # Enough frames for a second on every core; they stop after a few.
    count = 50 * os.cpu_count()
    many = pd.concat([frames.iloc[[2]]] * count, ignore_index=True)
    many.loc[0, "image"] = tmp_path / "none.png"
    calls = []

    def advance():
        time.sleep(0.02)
        calls.append(threading.get_ident())

    with (
        pytest.raises(InputError, match=r"none\.png"),
        atomic_folder(tmp_path / "processed") as folder,
    ):
        build(folder / "train", many, advance=advance)
    assert len(calls) < count / 2
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


# A store at fault


def test_open_store_other_size_says_what_to_run(tmp_path, frames):
    folder = build(tmp_path / "store", frames)
    assert fault_of(folder, height=96, channels=3) == (
        f"{folder}: expected frames of 96x64x3 (params.yaml), got 32x64x1; run: pipeline preprocess"
    )


@pytest.mark.parametrize("name", ["size.json", "index.csv", "images.npy", "masks.npy"])
def test_open_store_missing_file_says_what_to_run(tmp_path, frames, name):
    folder = build(tmp_path / "store", frames)
    (folder / name).unlink()
    assert fault_of(folder) == f"{folder / name}: no such file; run: pipeline preprocess"


def cut(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize("name", ["size.json", "index.csv", "images.npy", "masks.npy"])
@pytest.mark.parametrize(
    "damage",
    [cut, lambda _: b"", lambda _: b"\xff\xfe\x00", lambda _: b"[]", lambda _: b"{}"],
    ids=["cut", "blank", "bytes", "list", "mapping"],
)
def test_open_store_damaged_file_says_what_to_run(tmp_path, frames, name, damage):
    folder = build(tmp_path / "store", frames)
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    message = fault_of(folder)
    assert message.startswith(str(folder))
    assert message.endswith("; run: pipeline preprocess")


@pytest.mark.parametrize("kept", range(1, 3))
def test_open_store_fewer_rows_than_frames_is_refused(tmp_path, frames, kept):
    folder = build(tmp_path / "store", frames)
    lines = (folder / "index.csv").read_text().splitlines(keepends=True)
    (folder / "index.csv").write_text("".join(lines[: 1 + kept]))
    assert fault_of(folder) == (
        f"{folder}: index and arrays differ in length; run: pipeline preprocess"
    )


def test_open_index_last_row_cut_off_is_refused(tmp_path, frames):
    folder = build(tmp_path / "store", frames)
    text = (folder / "index.csv").read_text()
    (folder / "index.csv").write_text(text[: text.rindex("3,0,")])  # before subject and area
    with pytest.raises(InputError, match=r"index.csv: damaged .*; run: pipeline preprocess$"):
        open_index(folder)


def test_open_index_missing_says_what_to_run(tmp_path):
    expected = r"index.csv: no such file; run: pipeline preprocess$"
    with pytest.raises(InputError, match=expected):
        open_index(tmp_path)


# A full disk


def test_create_map_reserves_its_blocks(tmp_path):
    # Only then can't a write to the map meet a full disk, which would kill the process.
    create_map(tmp_path / "a.npy", (50, 100, 100))
    found = (tmp_path / "a.npy").stat()
    assert found.st_blocks * 512 >= found.st_size > 500_000


def test_create_map_full_disk_raises(tmp_path, monkeypatch):
    def disk_is_full(handle, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.os, "posix_fallocate", disk_is_full)
    with pytest.raises(OSError, match="No space left on device"):
        create_map(tmp_path / "a.npy", (2, 3, 5))


def test_build_store_out_of_space_keeps_the_earlier_one(tmp_path, frames):
    with atomic_folder(tmp_path / "processed") as folder:
        build(folder / "train", frames)
    frames.to_pickle(tmp_path / "frames.pickle")
    # A process that may write no file above 20 kB; the images of three frames take 3 * 96 * 128.
    code = """
import resource, sys
from pathlib import Path
import pandas as pd
from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import Spec
from pipeline.dataset.store import build_store
from pipeline.dataset.truth import MaskFiles

folder = Path(sys.argv[1])
frames = pd.read_pickle(folder / "frames.pickle")
spec = Spec.model_validate_json(sys.argv[2])
truth = MaskFiles({row.id: [(None, row.mask)] for row in frames.itertuples()}, spec)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with atomic_folder(folder / "processed") as beside:
        size = {"height": 96, "width": 128, "channels": 1}
        build_store(beside / "train", frames, spec, truth=truth, **size)
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, json.dumps(ONE)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "File too large\n", "")
    assert open_store(tmp_path / "processed" / "train", **SIZE).images.shape == (3, 32, 64, 1)
    assert not list(tmp_path.glob(".partial-*"))
