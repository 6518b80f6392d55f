import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import atomic
from pipeline.atomic import atomic_file, atomic_folder, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def raise_after(error, _written):
    raise error


def run_killed(code, path):
    """Run code that kills itself at ``die()``, with `path` as the Path to write."""
    start = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from pipeline import atomic\nfrom pipeline.atomic import *\n"
        "path = Path(sys.argv[1])\n"
        "def die(*_):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", start + code, path], timeout=60)
    assert done.returncode == -signal.SIGKILL


# Files


def test_atomic_file_success_takes_the_place(tmp_path):
    path = tmp_path / "new" / "a.tar.gz"
    for text in ("first", "second"):
        with atomic_file(path) as beside:
            assert beside.parent == path.parent
            assert beside.suffixes == path.suffixes
            beside.write_text(text)
        assert path.read_text() == text
    assert names(path.parent) == ["a.tar.gz"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_file_exception_leaves_the_old_one(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_file(path) as beside:
        raise_after(error, beside.write_text("half"))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_atomic_file_nothing_written_raises_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_file(path):
        pass
    assert path.read_text() == "old"


def test_atomic_file_kill_leaves_the_old_one_and_the_next_run_works(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    run_killed("with atomic_file(path) as f:\n    f.write_text('half')\n    die()", path)
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_write_text_is_utf_8(tmp_path):
    write_text(tmp_path / "a.txt", "Größe\n")
    assert (tmp_path / "a.txt").read_bytes() == b"Gr\xc3\xb6\xc3\x9fe\n"


# Folders


def fill(folder, text):
    (folder / "sub").mkdir()
    (folder / "sub" / "a.txt").write_text(text)
    return folder


@pytest.fixture
def old(tmp_path):
    """A folder that is to be replaced; one of its files is not in the new one."""
    path = tmp_path / "data"
    path.mkdir()
    (fill(path, "old") / "gone.txt").touch()
    return path


def is_old(path):
    return (path / "sub" / "a.txt").read_text() == "old" and (path / "gone.txt").exists()


def test_atomic_folder_new_one_is_created_with_its_parents(tmp_path):
    path = tmp_path / "new" / "data"
    with atomic_folder(path) as beside:
        assert names(beside) == []
        fill(beside, "first")
        assert not path.exists()
    assert (path / "sub" / "a.txt").read_text() == "first"
    assert names(path.parent) == ["data"]


@pytest.mark.parametrize("has_exchange", [True, False])
def test_atomic_folder_existing_one_is_replaced_as_a_whole(old, monkeypatch, has_exchange):
    if not has_exchange:
        monkeypatch.setattr(atomic.ctypes, "CDLL", lambda *_, **__: object())
    with atomic_folder(old) as beside:
        fill(beside, "new")
        assert is_old(old)
    assert (old / "sub" / "a.txt").read_text() == "new"
    assert names(old) == ["sub"]
    assert names(old.parent) == ["data"]


def test_atomic_folder_exchange_is_one_step(old, monkeypatch):
    # With the system call there is no moment without the folder: no rename is made.
    def no_rename(*_):
        raise AssertionError("renamed in two steps")

    monkeypatch.setattr(Path, "rename", no_rename)
    with atomic_folder(old) as beside:
        fill(beside, "new")
    assert names(old) == ["sub"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_folder_exception_leaves_the_old_one(old, error):
    with pytest.raises(error), atomic_folder(old) as beside:
        raise_after(error, fill(beside, "half"))
    assert is_old(old)
    assert names(old.parent) == ["data"]


@pytest.mark.parametrize(
    "code",
    [
        "with atomic_folder(path) as f:\n    (f / 'b').write_text('half')\n    die()",
        # When everything is written, before the two folders are exchanged.
        "atomic._exchange = die\nwith atomic_folder(path) as f:\n    (f / 'b').touch()",
    ],
    ids=["writing", "written"],
)
def test_atomic_folder_kill_leaves_the_old_one_and_the_next_run_works(old, code):
    run_killed(code, old)
    assert is_old(old)
    with atomic_folder(old) as beside:
        assert names(beside) == []  # nothing of the killed run
        fill(beside, "new")
    assert (old / "sub" / "a.txt").read_text() == "new"
    assert names(old.parent) == ["data"]


def test_atomic_folder_kill_after_the_exchange_leaves_the_new_one(old):
    run_killed(
        "exchange = atomic._exchange\n"
        "def exchange_and_die(*folders):\n    exchange(*folders)\n    die()\n"
        "atomic._exchange = exchange_and_die\n"
        "with atomic_folder(path) as f:\n    (f / 'b').touch()",
        old,
    )
    assert names(old) == ["b"]


def test_atomic_folder_kill_between_two_steps_does_not_stop_the_next_run(old, monkeypatch):
    # Without the system call, and killed before the new folder is in place.
    run_killed(
        "atomic.ctypes.CDLL = lambda *_, **__: object()\n"
        "rename = Path.rename\n"
        "Path.rename = lambda a, b: die() if a.name.startswith('.partial') else rename(a, b)\n"
        "with atomic_folder(path) as f:\n    (f / 'b').touch()",
        old,
    )
    monkeypatch.setattr(atomic.ctypes, "CDLL", lambda *_, **__: object())
    for text in ("new", "newer"):
        with atomic_folder(old) as beside:
            fill(beside, text)
    assert (old / "sub" / "a.txt").read_text() == "newer"
    assert names(old.parent) == ["data"]


def test_atomic_folder_below_a_file_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "file" / "data"):
        pytest.fail("entered")


def test_atomic_file_in_the_place_of_a_folder_is_an_os_error_that_names_it(tmp_path):
    with pytest.raises(IsADirectoryError, match="got a folder") as caught, atomic_file(tmp_path):
        pytest.fail("entered")
    assert caught.value.filename == str(tmp_path)
