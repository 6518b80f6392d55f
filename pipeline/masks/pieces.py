"""The connected pieces of a probability map, at all thresholds at once."""

import numpy as np
from skimage.morphology import local_minima, max_tree, reconstruction

PIECE = np.dtype(
    [
        ("image", np.int32),
        ("above", np.uint8),
        ("level", np.uint8),
        ("peak", np.uint8),
        ("area", np.int32),
        ("overlap", np.int32),
    ]
)
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def list_pieces(prob_map: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """List the pieces of ``prob_map >= threshold`` for the thresholds 1 to 255.

    The nodes of the map's max-tree are its pieces: one that is the same at several thresholds is
    one node. Pixels that touch at a side or a corner belong together.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W), at original size.
    mask : numpy.ndarray
        bool, (H, W), the true mask.

    Returns
    -------
    numpy.ndarray
        Of dtype `PIECE`, in the order of the pieces' first pixels, row by row. A row is a piece at
        the thresholds above ``above`` up to ``level``; ``peak`` is its largest probability,
        ``area`` its pixels, ``overlap`` those of them in the mask; ``image`` is 0.

    References
    ----------
    Salembier, Oliveras, Garrido, *Antiextensive connected operators*, 1998.

    Examples
    --------
    >>> prob_map = np.array([[9, 0, 5, 7]], dtype=np.uint8)
    >>> pieces = list_pieces(prob_map, np.array([[True, False, False, True]]))
    >>> for name in ("above", "level", "area", "overlap"):
    ...     print(name, pieces[name])
    above [0 0 5]
    level [9 5 7]
    area [1 2 1]
    overlap [1 1 1]
    """
    box = _box(prob_map)
    if box is None:
        return np.empty(0, PIECE)
    # The margin is the root, at level 0.
    levels, mask = np.pad(prob_map[box], 1), np.pad(mask[box], 1).ravel()
    parents, _ = max_tree(levels, connectivity=2)
    levels, parents = levels.ravel(), parents.ravel()
    pixels = np.arange(levels.size)
    # A pixel represents its node if its parent is of another level, or if it is the root.
    stands_for = np.where((levels[parents] < levels) | (parents == pixels), pixels, parents)
    representatives, node = np.unique(stands_for, return_inverse=True)
    level, parent = levels[representatives], node[parents[representatives]]

    sums = np.stack([np.bincount(node), np.bincount(node[mask], minlength=len(level))], axis=1)
    peak, first = level.copy(), np.full(len(level), levels.size)
    np.minimum.at(first, node, pixels)
    for value in np.unique(level)[:0:-1]:  # children before their parents
        children = np.flatnonzero(level == value)
        np.add.at(sums, parent[children], sums[children])
        np.maximum.at(peak, parent[children], peak[children])
        np.minimum.at(first, parent[children], first[children])

    pieces = np.zeros(len(level), PIECE)
    pieces["above"], pieces["level"], pieces["peak"] = level[parent], level, peak
    pieces["area"], pieces["overlap"] = sums.T
    return pieces[np.lexsort((level, first))][1:]


def fill_holes(prob_map: np.ndarray) -> np.ndarray:
    """Fill the holes of a map: its mask at any threshold is the old one with holes filled.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W).

    Returns
    -------
    numpy.ndarray
        uint8, (H, W); `prob_map` itself where there is no hole at any threshold.

    Examples
    --------
    >>> fill_holes(np.array([[7, 9, 9], [9, 2, 8], [9, 9, 9]], dtype=np.uint8))
    array([[7, 9, 9],
           [9, 8, 8],
           [9, 9, 9]], dtype=uint8)
    """
    box = _box(prob_map)
    if box is None:
        return prob_map
    surrounded = np.pad(prob_map[box], 1)
    if not local_minima(surrounded, connectivity=1, allow_borders=False).any():
        return prob_map
    seed = np.full_like(surrounded, 255)
    seed[[0, -1]] = seed[:, [0, -1]] = 0
    filled = prob_map.copy()
    filled[box] = reconstruction(seed, surrounded, method="erosion", footprint=_CROSS)[1:-1, 1:-1]
    return filled


def _box(prob_map: np.ndarray) -> tuple[slice, slice] | None:
    """Return the smallest box of all pixels above 0, None without any."""
    rows, columns = (np.flatnonzero(prob_map.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
