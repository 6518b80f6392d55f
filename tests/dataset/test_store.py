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
from pipeline.dataset import store as store_module
from pipeline.dataset.store import build_store, create_map, open_index, open_store
from pipeline.errors import InputError
from pipeline.masks import rle

SIZE = {"height": 32, "width": 64, "channels": 1}


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


def build(folder, frames, **options):
    build_store(folder, frames, **{**SIZE, "foreground": 255, **options})
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
    assert list(index["rle"][[0, 2]]) == ["2 2 5 2", ""]
    expected = np.array(Image.open(frames["mask"][1])) > 0
    np.testing.assert_array_equal(rle.decode(index["rle"][1], (64, 128)), expected)


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
    assert not (folder / "masks.npy").exists()


def test_build_store_advances_once_per_frame(tmp_path, frames):
    calls = []
    build(tmp_path / "store", frames, advance=lambda: calls.append(1))
    assert len(calls) == 3


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
    (folder / "index.csv").write_text(text[: text.rindex("3,0,")])  # before subject, area, rle
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
from pipeline.dataset.store import build_store

folder = Path(sys.argv[1])
frames = pd.read_pickle(folder / "frames.pickle")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with atomic_folder(folder / "processed") as beside:
        build_store(beside / "train", frames, height=96, width=128, channels=1, foreground=255)
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "File too large\n", "")
    assert open_store(tmp_path / "processed" / "train", **SIZE).images.shape == (3, 32, 64, 1)
    assert not list(tmp_path.glob(".partial-*"))
