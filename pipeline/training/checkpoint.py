"""Checkpoints from which a killed training goes on as if nothing had happened."""

import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.atomic import atomic_file, write_text

KEPT = 2  # the newest and, should it prove damaged, the one before


class Checkpoints:
    """The checkpoints of one training, in a folder of their own.

    Parameters
    ----------
    folder : Path
        Holds the newest two checkpoints and the fingerprint of what is trained.
    fingerprint : str
        Of the data and the parameters; checkpoints under another one are never read.

    Notes
    -----
    A checkpoint is an uncompressed ``.npz``, written beside and renamed; the archive's CRC-32 of
    every array tells a damaged one.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self._fingerprint = fingerprint

    def prepare(self) -> Path | None:
        """Make the folder ready; return where checkpoints of something else were set aside."""
        noted = self.folder / "fingerprint"
        aside = None
        if self.folder.exists() and (
            not noted.is_file() or noted.read_text(encoding="utf-8") != self._fingerprint
        ):
            aside = self.folder.with_name(f"{self.folder.name}.aside")
            shutil.rmtree(aside, ignore_errors=True)
            self.folder.rename(aside)
        write_text(noted, self._fingerprint)
        return aside

    def clear(self) -> None:
        """Forget every checkpoint.

        Raises
        ------
        OSError
            The folder can't be removed.
        """
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def save(self, epoch: int, arrays: Mapping[str, np.ndarray], progress: Any) -> None:
        """Write the state after `epoch` epochs; `progress` is anything that JSON can hold."""
        encoded = np.frombuffer(json.dumps(progress).encode(), dtype=np.uint8)
        # Not synced to the disk: that takes longer than an epoch of a small data set, a killed
        # process loses nothing by it, and after a power cut the CRC tells.
        with atomic_file(self.folder / f"epoch{epoch:05d}.npz", sync=False) as beside:
            np.savez(beside, progress=encoded, **arrays)
        self._keep(KEPT)

    def finish(self, epoch: int, arrays: Mapping[str, np.ndarray], progress: Any) -> None:
        """Write what a finished training leaves in place of every other checkpoint."""
        self.save(epoch, arrays, progress)
        self._keep(1)

    def load(self) -> tuple[dict[str, np.ndarray], Any] | None:
        """Return arrays and progress of the newest intact checkpoint, or None."""
        for path in self._newest_first():
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                    arrays = dict(stored)
                return arrays, json.loads(arrays.pop("progress").tobytes())
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
                continue
        return None

    def _keep(self, count: int) -> None:
        for old in self._newest_first()[count:]:
            old.unlink()

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("epoch*.npz"), reverse=True)
