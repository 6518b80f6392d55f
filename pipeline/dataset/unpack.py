"""A zip or tar archive becomes the files of a folder, and never one outside of it."""

import filecmp
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pipeline.errors import InputError

_NESTED = (".zip", ".tar", ".tar.gz", ".tgz")
_DAMAGES = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
_UNREADABLE = (RuntimeError, KeyError)  # an unknown method, a password; a link to nowhere


def unpack_archive(
    archive: Path,
    folder: Path,
    *,
    inside: str = "",
    name: str | None = None,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Unpack an archive and the archives in it.

    An archive in the archive becomes a folder of its name, as Kaggle's ``train.zip`` becomes
    ``train``, unless it brings that folder, or the one file of that name, itself.

    Parameters
    ----------
    archive : Path
        Zip or tar, compressed or not.
    folder : Path
        Exists. What was unpacked stays in it on failure, so give one that is thrown away then.
    inside : str
        A folder of the archive: its files alone are unpacked, to `folder` itself.
    name : str, optional
        What a fault calls the archive; its path by default.
    advance : callable
        Called after each file.

    Raises
    ------
    InputError
        The archive is damaged, of another format, needs a password, or names a file outside of
        its folder.
    OSError
        The disk is full.
    """
    name = name or str(archive)
    _extract(archive, folder, PurePosixPath(inside), name, advance)
    nested = [path for path in folder.rglob("*") if path.name.lower().endswith(_NESTED)]
    for path in sorted(path for path in nested if path.is_file()):
        title = f"{name}, {path.relative_to(folder).as_posix()}"
        target = _free_folder(path)
        target.mkdir()
        unpack_archive(path, target, name=title, advance=advance)
        path.unlink()
        _place(target, path.with_name(_stem(path)))
        shutil.rmtree(target, ignore_errors=True)  # gone already where it was moved as a whole


def _extract(
    archive: Path, folder: Path, inside: PurePosixPath, name: str, advance: Callable[[], None]
) -> None:
    with _explained(name):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                for member in file.infolist():
                    target = _target(member.filename, inside, name)
                    if target is not None:
                        member.filename = f"{target}/" if member.is_dir() else str(target)
                        file.extract(member, folder)
                        advance()
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as file:
                for member in file:
                    target = _target(member.name, inside, name)
                    if target is not None:
                        renamed = member.replace(name=str(target), deep=False)
                        file.extract(renamed, folder, filter="data")
                        advance()
        else:
            raise InputError(f"{name}: {_describe_other(archive)}")


def _describe_other(archive: Path) -> str:
    with archive.open("rb") as file:
        start = file.read(40)
    if start.startswith((b"PK", b"\x1f\x8b")):  # a zip lists its files at its end
        return "a damaged or cut-off archive"
    return f"expected a zip or tar archive, got {start!r}..."


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever a damaged archive trips into one line."""
    try:
        yield
    except tarfile.FilterError as error:
        raise InputError(f"{name}: refused: {error}") from error
    except _DAMAGES as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name}: a damaged or cut-off archive ({reason})") from error
    except _UNREADABLE as error:
        raise InputError(f"{name}: can't be unpacked: {error}") from error


def _target(member: str, inside: PurePosixPath, name: str) -> PurePosixPath | None:
    """Return where a member goes, relative to the folder; None where it is not asked for."""
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{name}: refused, as it leaves its folder: {member!r}")
    if path == inside or not path.is_relative_to(inside):
        return None
    return path.relative_to(inside)


def _stem(path: Path) -> str:
    """Return a name without its archive suffix: "train_masks.csv.zip" is "train_masks.csv"."""
    suffix = max((end for end in _NESTED if path.name.lower().endswith(end)), key=len)
    return path.name[: -len(suffix)] or path.name


def _free_folder(path: Path) -> Path:
    """Return a name beside an archive that nothing has yet."""
    folder = path.with_name(f".unpacked-{path.name}")
    while folder.exists():
        folder = folder.with_name(f"{folder.name}_")
    return folder


def _place(unpacked: Path, target: Path) -> None:
    """Move what an inner archive held to where its name says, beside what lies there already."""
    entries = list(unpacked.iterdir())
    if [entry.name for entry in entries] == [target.name]:
        (unpacked,) = entries
    _merge(unpacked, target)


def _merge(source: Path, target: Path) -> None:
    if source.is_dir() and target.is_dir():
        for entry in list(source.iterdir()):
            _merge(entry, target / entry.name)
    elif not target.exists():
        source.rename(target)
    elif not filecmp.cmp(source, target, shallow=False):
        raise InputError(f"{target.name}: stands twice in the archive, and differs")
