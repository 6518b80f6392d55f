import os

import numpy as np
import pytest

from pipeline.training.checkpoint import Checkpoints


@pytest.fixture
def checkpoints(tmp_path):
    prepared = Checkpoints(tmp_path / "fold0", "lr 1e-4")
    assert prepared.prepare() is None
    return prepared


def arrays(value):
    return {"model/0": np.full((2, 3), value, dtype=np.float32), "model/1": np.array(7)}


def newest(checkpoints):
    return max(checkpoints.folder.glob("epoch*.npz"))


def test_load_without_checkpoint_is_none(checkpoints):
    assert checkpoints.load() is None


def test_load_gives_the_newest(checkpoints):
    for epoch in (1, 2, 10):
        checkpoints.save(epoch, arrays(epoch), {"epoch": epoch, "best": -np.inf})
    state, progress = checkpoints.load()
    assert progress == {"epoch": 10, "best": -np.inf}
    assert list(state) == ["model/0", "model/1"]
    np.testing.assert_array_equal(state["model/0"], arrays(10)["model/0"])
    assert state["model/0"].dtype == np.float32


def test_save_keeps_the_newest_two(checkpoints):
    for epoch in range(1, 6):
        checkpoints.save(epoch, arrays(epoch), epoch)
    names = sorted(path.name for path in checkpoints.folder.glob("*.npz"))
    assert names == ["epoch00004.npz", "epoch00005.npz"]


def test_finish_leaves_one_checkpoint(checkpoints):
    for epoch in (1, 2, 3):
        checkpoints.save(epoch, arrays(epoch), epoch)
    checkpoints.finish(3, {"best/0": np.array(5)}, 3)
    assert [path.name for path in checkpoints.folder.glob("*.npz")] == ["epoch00003.npz"]
    assert list(checkpoints.load()[0]) == ["best/0"]


def test_load_any_flipped_byte_falls_back_to_the_one_before(checkpoints):
    checkpoints.save(1, arrays(1), 1)
    checkpoints.save(2, arrays(2), 2)
    intact = newest(checkpoints).read_bytes()
    for position in range(0, len(intact), 7):
        damaged = bytearray(intact)
        damaged[position] ^= 0x10
        newest(checkpoints).write_bytes(damaged)
        state, progress = checkpoints.load()
        # A flip in what zip files hold twice or for nothing, such as the date, does no harm.
        np.testing.assert_array_equal(state["model/0"], arrays(progress)["model/0"])
        np.testing.assert_array_equal(state["model/1"], 7)
        assert list(state) == ["model/0", "model/1"]


def test_load_torn_file_falls_back_to_the_one_before(checkpoints):
    checkpoints.save(1, arrays(1), 1)
    checkpoints.save(2, arrays(2), 2)
    intact = newest(checkpoints).read_bytes()
    for length in range(0, len(intact), 11):
        newest(checkpoints).write_bytes(intact[:length])
        assert checkpoints.load()[1] == 1


def test_load_all_damaged_is_none(checkpoints):
    checkpoints.save(1, arrays(1), 1)
    newest(checkpoints).write_bytes(b"torn")
    assert checkpoints.load() is None


def test_prepare_same_fingerprint_keeps_checkpoints(checkpoints):
    checkpoints.save(1, arrays(1), 1)
    again = Checkpoints(checkpoints.folder, "lr 1e-4")
    assert again.prepare() is None
    assert again.load()[1] == 1


def test_prepare_other_fingerprint_sets_checkpoints_aside(checkpoints):
    checkpoints.save(1, arrays(1), 1)
    other = Checkpoints(checkpoints.folder, "lr 3e-4")
    aside = other.prepare()
    assert other.load() is None
    assert [path.name for path in aside.glob("*.npz")] == ["epoch00001.npz"]


def test_clear_forgets_everything(checkpoints):
    checkpoints.save(1, arrays(1), 1)
    checkpoints.clear()
    assert checkpoints.prepare() is None
    assert checkpoints.load() is None


def test_clear_without_checkpoints_does_nothing(tmp_path):
    Checkpoints(tmp_path / "fold0", "lr 1e-4").clear()
    assert list(tmp_path.iterdir()) == []


def test_clear_what_cannot_be_removed_is_an_error(checkpoints, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        checkpoints.clear()
