"""Frames that show the same scene: exact copies, and neighbours in a video that was shuffled."""

import hashlib
from collections.abc import Callable
from itertools import combinations

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
_BLOCK = 512


def describe_frames(
    images: np.ndarray, *, advance: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Return a descriptor of each frame: the correlation of two is their product.

    A thumbnail with its local mean removed and its local contrast made even, so that neither
    gain nor the shape of the sector, which all frames share, makes frames alike.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, (N, H, W, C); a memory map.
    advance : callable
        Called after each frame.

    Returns
    -------
    numpy.ndarray
        float32, (N, 3072), of length 1; 0 for frames without structure.
    """
    descriptors = np.empty((len(images), _HEIGHT * _WIDTH), np.float32)
    for row, image in enumerate(images):
        grey = image.mean(axis=-1, dtype=np.float32)
        small = cv2.resize(grey, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
        detail = small - cv2.GaussianBlur(small, (0, 0), _SCALE)
        contrast = np.sqrt(cv2.GaussianBlur(detail**2, (0, 0), _SCALE))
        descriptor = (detail / (contrast + _QUIET)).ravel()
        descriptor -= descriptor.mean()
        norm = np.linalg.norm(descriptor)
        descriptors[row] = descriptor / norm if norm > 1e-3 else 0
        advance()
    return descriptors


def find_similar(
    images: np.ndarray, descriptors: np.ndarray, *, at_least: float = SIMILAR
) -> pd.DataFrame:
    """List the pairs of frames that are alike, each once, the most similar first.

    Parameters
    ----------
    images : sequence of numpy.ndarray
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
        products = descriptors[start : start + _BLOCK] @ descriptors[start:].T
        first, second = np.nonzero(np.triu(products, k=1) >= at_least)
        found.append((first + start, second + start, products[first, second].clip(max=1)))
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


def _exact_pairs(images: np.ndarray) -> np.ndarray:
    """Return positions, (pairs, 2)."""
    digests = pd.Series([hashlib.sha256(np.ascontiguousarray(i)).digest() for i in images])
    copies = digests.groupby(digests).groups.values()
    pairs = [pair for rows in copies for pair in combinations(rows, 2)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
