"""Frames that show the same scene: exact copies, and neighbours in a video that was shuffled."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from itertools import chain, combinations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Unrelated frames of one ultrasound machine stay below 0.5, frames of one scene reach 0.6 to 1.
SIMILAR = 0.7
_HEIGHT, _WIDTH = 48, 64
_SCALE = 4.0  # pixels of the descriptor: coarser structure, such as the sector's shape, is removed
_QUIET = 4.0  # grey levels: contrast below it is noise
_BLOCK = 1024  # frames that are compared with as many others at once


def describe_frames(
    *images: np.ndarray, folder: Path | None = None, advance: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Return a descriptor of each frame: the correlation of two is their product.

    A thumbnail with its local mean removed and its local contrast made even, so that neither
    gain nor the shape of the sector, which all frames share, makes frames alike.

    Parameters
    ----------
    *images : numpy.ndarray
        uint8, (N, H, W, C); a memory map, or several, one after the other.
    folder : Path, optional
        Where the descriptors lie while they are used, as a file without a name; by default where
        the system keeps temporary files. They are as large as grey frames of 96x128.
    advance : callable
        Called after each frame.

    Returns
    -------
    numpy.memmap
        float32, (N, 3072), of length 1; 0 for frames without structure.

    Raises
    ------
    OSError
        The disk is full.
    """
    shape = sum(map(len, images)), _HEIGHT * _WIDTH
    with tempfile.TemporaryFile(dir=folder) as file:
        for image in chain(*images):
            file.write(_describe(image).tobytes())
            advance()
        file.flush()
        return np.memmap(file, np.float32, mode="r", shape=shape)


def _describe(image: np.ndarray) -> np.ndarray:
    """Return one descriptor, float32."""
    grey = image.mean(axis=-1, dtype=np.float32)
    small = cv2.resize(grey, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), _SCALE)
    contrast = np.sqrt(cv2.GaussianBlur(detail**2, (0, 0), _SCALE))
    descriptor = (detail / (contrast + _QUIET)).ravel()
    descriptor -= descriptor.mean()
    norm = np.linalg.norm(descriptor)
    return descriptor / norm if norm > 1e-3 else np.zeros_like(descriptor)


def find_similar(
    images: Iterable[np.ndarray], descriptors: np.ndarray, *, at_least: float = SIMILAR
) -> pd.DataFrame:
    """List the pairs of frames that are alike, each once, the most similar first.

    Parameters
    ----------
    images : iterable of numpy.ndarray
        uint8, (H, W, C) each.
    descriptors : numpy.ndarray
        From `describe_frames`.
    at_least : float
        Smallest correlation of the descriptors.

    Returns
    -------
    pandas.DataFrame
        Columns first and second (positions, first < second), similarity (1 for exact copies) and
        exact (bool, the same pixels).
    """
    exact = _exact_pairs(images)
    found = [(*exact.T, np.ones(len(exact)))]
    for start in range(0, len(descriptors), _BLOCK):
        block = np.array(descriptors[start : start + _BLOCK])
        for other in range(start, len(descriptors), _BLOCK):
            products = block @ descriptors[other : other + _BLOCK].T
            alike = np.triu(products, k=1) if other == start else products
            first, second = np.nonzero(alike >= at_least)
            found.append((first + start, second + other, products[first, second].clip(max=1)))
    first, second, similarity = map(np.concatenate, zip(*found, strict=True))
    pairs = pd.DataFrame({"first": first, "second": second, "similarity": similarity})
    pairs["exact"] = np.arange(len(pairs)) < len(exact)
    pairs = pairs.drop_duplicates(["first", "second"])
    order = ["exact", "similarity", "first", "second"]
    return pairs.sort_values(order, ascending=[False, False, True, True], ignore_index=True)


def cluster_frames(pairs: pd.DataFrame, groups: np.ndarray) -> np.ndarray:
    """Merge groups of frames that any pair connects.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Columns first and second, positions.
    groups : numpy.ndarray
        str, (N,).

    Returns
    -------
    numpy.ndarray
        str, (N,): each frame's group, named as the first of those that were merged.
    """
    names, group = np.unique(groups, return_inverse=True)
    links = group[pairs["first"].to_numpy()], group[pairs["second"].to_numpy()]
    graph = coo_array((np.ones(len(pairs)), links), shape=(len(names), len(names)))
    _, cluster = connected_components(graph, directed=False)
    of_frame = pd.Series(cluster[group])
    return pd.Series(groups).groupby(of_frame).transform("first").to_numpy()


def contradictions(pairs: pd.DataFrame, areas: np.ndarray) -> pd.DataFrame:
    """Return the pairs of which exactly one frame has a mask."""
    empty = areas == 0
    return pairs[empty[pairs["first"].to_numpy()] != empty[pairs["second"].to_numpy()]]


def partners(pairs: pd.DataFrame, count: int) -> np.ndarray:
    """Return the first partner of each of `count` frames, int (N,), -1 for frames in no pair."""
    both = pd.concat([pairs, pairs.rename(columns={"first": "second", "second": "first"})])
    first_of_each = both.sort_index(kind="stable").groupby("first")["second"].first()
    return first_of_each.reindex(range(count), fill_value=-1).to_numpy()


def _exact_pairs(images: Iterable[np.ndarray]) -> np.ndarray:
    """Return positions, (pairs, 2)."""
    digests = pd.Series([hashlib.sha256(np.ascontiguousarray(i)).digest() for i in images])
    copies = digests.groupby(digests).groups.values()
    pairs = [pair for rows in copies for pair in combinations(rows, 2)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
