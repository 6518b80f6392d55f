"""Outputs are written beside their place and renamed: a kill leaves the old one or the new one."""

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def atomic_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a path beside `path`; what was written there takes its place on success.

    Parameters
    ----------
    path : Path
        The file to create or replace. Its folder is created where it is missing. The yielded
        path has the same suffixes, so that writers which look at them work.
    sync : bool
        Wait until the disk has it, so that a power cut leaves the old or the new one too.

    Raises
    ------
    OSError
        The disk is full or the folder can't be written. `path` is then as it was.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file, got a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        yield beside
        if sync:
            _sync(beside)
        beside.replace(path)
    except OSError as error:
        raise _named(error, path) from error
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Create or replace a text file (UTF-8) by `atomic_file`."""
    with atomic_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it takes the place of `path` as a whole on success.

    Raises
    ------
    OSError
        The disk is full or the folder can't be written. `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    shutil.rmtree(beside, ignore_errors=True)  # what a killed run left
    beside.mkdir()
    try:
        yield beside
        for file in beside.rglob("*"):
            if file.is_file():
                _sync(file)
        if path.exists():
            _exchange(beside, path)
        else:
            beside.rename(path)
    except OSError as error:
        raise _named(error, path) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _named(error: OSError, path: Path) -> OSError:
    """Name the file in an error of a full disk, which knows none."""
    if error.errno is None or error.filename is not None:
        return error
    return OSError(error.errno, error.strerror, str(path))


def _beside(path: Path) -> Path:
    return path.with_name(f".partial-{path.name}")


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _exchange(a: Path, b: Path) -> None:
    """Swap two folders in one step where the system can (Linux), else in two."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        names = os.fsencode(a), os.fsencode(b)
        if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
            return
    aside = b.with_name(f".old-{b.name}")
    shutil.rmtree(aside, ignore_errors=True)  # what a killed run left
    b.rename(aside)
    a.rename(b)
    aside.rename(a)
