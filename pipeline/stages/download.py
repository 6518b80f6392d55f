"""Get a competition's raw files."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import Spec, load_spec
from pipeline.dataset.fetch import discard, fetch_file
from pipeline.dataset.layout import list_test, list_training
from pipeline.dataset.truth import open_truth
from pipeline.dataset.unpack import unpack_archive
from pipeline.errors import InputError
from pipeline.kaggle.archive import download_archive
from pipeline.kaggle.client import open_client
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import download_bar, progress_bar

_LOCK = "lock"
_NOTES = (".json", ".kaggle-partial")  # which file a part is of


def run(params: Params, paths: Paths, *, force: bool) -> str:
    """Download, unpack and check the raw files, then put them in place as a whole.

    An archive that needs no account comes before Kaggle's. A killed download goes on at the next
    call.

    Parameters
    ----------
    force : bool
        Replace a data folder that holds files.

    Returns
    -------
    str
        What lies there now, and what to do next.

    Raises
    ------
    InputError
        The spec names no source, the data folder is in use, the source refuses, or the archive
        is damaged or not what the spec says. The data folder is then as it was.
    """
    spec, data_dir = load_spec(params.competition), paths.root / params.data_dir
    source = _source(spec)
    _check_place(data_dir, paths, force=force)
    data_dir = data_dir.resolve()  # a link to another disk stays one
    with _parts(data_dir.with_name(f".partial-{data_dir.name}.archive")) as parts:
        archive = _fetch(spec, parts)
        with atomic_folder(data_dir) as folder:
            _unpack(archive, folder, spec, source)
            counts = _count_frames(folder, spec, source)
        archive.unlink()
    return f"{params.data_dir}: {counts}\nnext: dvc repro"


def _source(spec: Spec) -> str:
    """Return what messages call the archive."""
    if spec.archive is not None:
        return spec.archive.url
    if spec.kaggle is not None:
        return f"Kaggle's archive of {spec.kaggle}"
    raise InputError(
        f"competition: the spec of {spec.title} names nothing to download (kaggle: NAME, or"
        " archive: {url: ...})"
    )


def _check_place(data_dir: Path, paths: Paths, *, force: bool) -> None:
    place = data_dir.resolve()
    if any(kept.resolve().is_relative_to(place) for kept in (paths.params, paths.processed)):
        raise InputError(f"data_dir: {data_dir} holds the project itself; name a folder of its own")
    if data_dir.exists() and any(data_dir.iterdir()) and not force:
        raise InputError(f"{data_dir}: holds files already; --force replaces them")


@contextmanager
def _parts(folder: Path) -> Iterator[Path]:
    """Yield a folder that keeps a part of an archive for the next call; gone where it has none."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / _LOCK, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise InputError(f"{folder}: another process is downloading there") from error
    try:
        yield folder
    finally:
        if all(path.name == _LOCK or path.suffix in _NOTES for path in folder.iterdir()):
            shutil.rmtree(folder)
        lock.release()


def _fetch(spec: Spec, folder: Path) -> Path:
    if spec.archive is None:
        return download_archive(open_client(), spec.kaggle, folder)
    archive = folder / "archive"
    with download_bar(spec.title) as show:
        fetch_file(spec.archive.url, archive, sha256=spec.archive.sha256, show=show)
    return archive


def _unpack(archive: Path, folder: Path, spec: Spec, source: str) -> None:
    inside = spec.archive.folder if spec.archive is not None else ""
    try:
        with progress_bar("Files unpacked", None) as advance:
            unpack_archive(archive, folder, inside=inside, name=source, advance=advance)
    except InputError:
        discard(archive)  # to try again with it is in vain
        raise


def _count_frames(folder: Path, spec: Spec, source: str) -> str:
    """List the unpacked files as `pipeline preprocess` will, and say how many there are."""
    try:
        training, test = list_training(folder, spec), list_test(folder, spec)
        open_truth(folder, spec, dict(zip(training["id"], training["image"], strict=True)))
    except InputError as error:
        said = str(error).replace(f"{folder}/", "").replace(str(folder), "the archive")
        raise InputError(f"{source}: doesn't fit the competition's spec: {said}") from error
    return f"{len(training)} training images with masks, {len(test)} test images"
