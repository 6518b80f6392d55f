"""A submission that is valid from its first moment on."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from pipeline.competitions.spec import SubmissionFormat
from pipeline.kaggle.submission import encode_row, write_rows

_REFRESH = 30.0  # seconds


class Draft:
    """A submission that starts with empty masks and takes in others as they come.

    The file is written at once, again at most every half minute, and by `save`; each time as a
    whole, so that it is valid whenever the process is ended.

    Parameters
    ----------
    path : Path
        Created or replaced.
    ids : iterable of str
        In the order of the rows.
    form : SubmissionFormat
        Header, scan order, first pixel and empty marker.
    clock : callable
        Seconds.

    Raises
    ------
    OSError
        The disk is full, here or in a method; `path` is then as it was.
    """

    def __init__(
        self,
        path: Path,
        ids: Iterable[str],
        form: SubmissionFormat,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._form, self._clock = path, form, clock
        self._rows = dict.fromkeys(ids, "")
        self.save()

    @property
    def filled(self) -> int:
        """Number of rows that are not empty."""
        return sum(runs != "" for runs in self._rows.values())

    def put(self, mask_id: str, mask: np.ndarray) -> None:
        """Take in a mask, bool (H, W), at original size."""
        self._rows[mask_id] = encode_row(mask, self._form)
        if self._clock() - self._saved >= _REFRESH:
            self.save()

    def save(self) -> None:
        """Write the file."""
        write_rows(self._path, self._rows.items(), self._form)
        self._saved = self._clock()
