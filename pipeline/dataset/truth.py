"""The true masks of images: in files, one or several an image, or as run lengths in a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from pipeline.competitions.formats import MaskTable
from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import Spec
from pipeline.competitions.table import read_table
from pipeline.dataset.arrays import decode_labels
from pipeline.dataset.images import read_mask
from pipeline.dataset.layout import check_pairs, find_masks
from pipeline.errors import InputError
from pipeline.masks import rle


class Piece(NamedTuple):
    """A mask of one class, or of one of its objects; bool (H, W)."""

    class_index: int
    mask: np.ndarray


class Truth(Protocol):
    """Where true masks are."""

    def pieces(self, image_id: str, shape: tuple[int, int]) -> list[Piece]:
        """Return the masks of an image of this shape; a class without one has no foreground.

        Raises
        ------
        InputError
            A file is at fault, or not of this shape.
        """


def open_truth(data_dir: Path, spec: Spec, images: Mapping[str, Path]) -> "Truth":
    """Open the true masks of training images.

    Parameters
    ----------
    images : mapping of str to Path
        By id, or a tuple of paths each.

    Raises
    ------
    InputError
        Images and mask files don't pair up, or the table is at fault.
    """
    if spec.masks is None:
        return open_rows(data_dir, spec, images)
    files = find_masks(data_dir, spec.masks, spec, ids_like=spec.images[0])
    firsts = {key: paths[0][1] for key, paths in files.items()}
    check_pairs(_first_files(images), firsts, data_dir, spec)
    return MaskFiles(files, spec)


class MaskFiles:
    """Mask files by image and class; see `pipeline.dataset.layout.find_masks`."""

    def __init__(self, files: Mapping[str, Sequence[tuple[int | None, Path]]], spec: Spec) -> None:
        self.files, self._spec = files, spec

    def pieces(self, image_id: str, shape: tuple[int, int] | None = None) -> list[Piece]:
        """See `Truth`; without a shape any will do."""
        pieces = []
        for class_index, path in self.files[image_id]:
            found = self._read(path, class_index)
            if shape is not None and found[0].mask.shape != shape:
                raise InputError(
                    f"{path}: expected the size of its image {shape}, got {found[0].mask.shape}"
                )
            pieces += found
        return pieces

    def _read(self, path: Path, class_index: int | None) -> list[Piece]:
        foreground, classes = self._spec.foreground, self._spec.classes
        if self._spec.exclusive:
            labels = decode_labels(path)
            return [Piece(index, labels == index) for index in range(len(classes))]
        if isinstance(foreground, dict):
            return [
                Piece(index, read_mask(path, foreground=foreground[name]))
                for index, name in enumerate(classes)
            ]
        return [Piece(class_index or 0, read_mask(path, foreground=foreground))]


def open_rows(data_dir: Path, spec: Spec, images: Mapping[str, Path]) -> "MaskRows":
    """Open the table of true masks; see `open_truth`."""
    pattern = FilePattern(spec.images[0])
    parts = {
        image_id: pattern.match(path.relative_to(data_dir).as_posix())
        for image_id, path in _first_files(images).items()
    }
    return MaskRows(data_dir / spec.mask_table.file, spec.mask_table, spec.classes, parts)


class MaskRows:
    """A CSV of run lengths; an image without a row has no foreground.

    Parameters
    ----------
    parts : mapping
        The placeholders of each image's file, by id.

    Raises
    ------
    InputError
        The file is missing or no such table.
    """

    def __init__(
        self,
        path: Path,
        form: MaskTable,
        classes: Sequence[str],
        parts: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.path, self._form, self._classes, self._parts = path, form, classes, parts
        self.rows = read_table(path, form, repeats=True)

    def keys(self, image_id: str) -> list[tuple[str, ...]]:
        """Return what stands before the runs of an image, class by class; none of unknown ones."""
        if image_id not in self._parts:
            return []
        parts = self._parts[image_id]
        return [self._form.key(image_id, name, **parts) for name in self._classes]

    def pieces(self, image_id: str, shape: tuple[int, int]) -> list[Piece]:
        """See `Truth`."""
        found = []
        for index, key in enumerate(self.keys(image_id)):
            for runs in self.rows.get(key, ()):
                try:
                    found.append(Piece(index, rle.decode(runs, shape, **self._form.scan)))
                except ValueError as error:
                    raise InputError(f"{self.path}: id {','.join(key)}: {error}") from error
        return found


def _first_files(images: Mapping[str, Path]) -> dict[str, Path]:
    return {key: one if isinstance(one, Path) else one[0] for key, one in images.items()}


def to_channels(pieces: Sequence[Piece], count: int, shape: tuple[int, int]) -> np.ndarray:
    """Return the masks of all classes, bool (H, W, count)."""
    channels = np.zeros((*shape, count), bool)
    for piece in pieces:
        channels[..., piece.class_index] |= piece.mask
    return channels
