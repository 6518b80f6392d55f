"""A submission that is valid from its first moment on."""

import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from pipeline.competitions.spec import Spec
from pipeline.kaggle.submission import encode_rows, write_rows

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
    spec : Spec
        Classes and format.
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
        spec: Spec,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._spec, self._clock = path, spec, clock
        nothing = np.zeros((1, 1, len(spec.classes)), bool)
        self._rows = {image_id: encode_rows(image_id, nothing, spec) for image_id in ids}
        self.save()

    @property
    def filled(self) -> int:
        """Number of rows that are not empty."""
        return sum(runs != "" for rows in self._rows.values() for _, runs in rows)

    def put(self, image_id: str, masks: np.ndarray) -> None:
        """Take in an image's masks, bool (H, W, classes), at original size."""
        self._rows[image_id] = encode_rows(image_id, masks, self._spec)
        if self._clock() - self._saved >= _REFRESH:
            self.save()

    def save(self) -> None:
        """Write the file."""
        write_rows(self._path, chain.from_iterable(self._rows.values()), self._spec.submission)
        self._saved = self._clock()
