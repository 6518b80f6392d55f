"""The connected pieces of a probability map, at all thresholds at once."""

import higra as hg
import numpy as np
from skimage.morphology import local_minima

# No lower threshold is tried. The best one for Dice is half of the Dice that it reaches (Lipton,
# Elkan, Naryanaswamy, *Optimal Thresholding of Classifiers to Maximize F1 Measure*, 2014): below
# 8 / 255 lies the best threshold of maps that reach 0.06. Trained maps are that faint nearly
# everywhere, and full of pieces there.
LOWEST = 8
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


def list_pieces(prob_map: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """List the pieces of ``prob_map >= threshold`` for the thresholds `LOWEST` to 255.

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
        the thresholds above ``above``, 0 for the lowest, up to ``level``; ``peak`` is its largest
        probability, ``area`` its pixels, ``overlap`` those of them in the mask; ``image`` is 0.

    References
    ----------
    Salembier, Oliveras, Garrido, *Antiextensive connected operators*, 1998.

    Examples
    --------
    >>> prob_map = np.array([[90, 0, 50, 70]], dtype=np.uint8)
    >>> pieces = list_pieces(prob_map, np.array([[True, False, False, True]]))
    >>> for name in ("above", "level", "area", "overlap"):
    ...     print(name, pieces[name])
    above [ 0  0 50]
    level [90 50 70]
    area [1 2 1]
    overlap [1 1 1]
    """
    box = _box(prob_map)
    if box is None:
        return np.empty(0, PIECE)
    # What is too faint is the root with the margin, at level 0.
    levels, mask = _standing(prob_map, box), np.pad(mask[box], 1)
    graph = hg.get_8_adjacency_implicit_graph(levels.shape)
    tree, level = hg.component_tree_max_tree(graph, levels)
    nodes = slice(tree.num_leaves(), -1)  # without the pixels before them, and the root

    def gather(pixels: np.ndarray, how: hg.Accumulators) -> np.ndarray:
        return hg.accumulate_sequential(tree, pixels.ravel(), how)[nodes]

    pieces = np.zeros(tree.num_vertices() - tree.num_leaves() - 1, PIECE)
    pieces["above"], pieces["level"] = level[tree.parents()][nodes], level[nodes]
    pieces["peak"] = gather(levels, hg.Accumulators.max)
    pieces["area"] = gather(np.ones(levels.shape, np.int32), hg.Accumulators.sum)
    pieces["overlap"] = gather(mask.astype(np.int32), hg.Accumulators.sum)
    first = gather(np.arange(levels.size), hg.Accumulators.min)
    return pieces[np.lexsort((pieces["level"], first))]


def fill_holes(prob_map: np.ndarray) -> np.ndarray:
    """Fill the holes of a map: at `LOWEST` to 255 its mask is the old one with holes filled.

    Parameters
    ----------
    prob_map : numpy.ndarray
        uint8, (H, W).

    Returns
    -------
    numpy.ndarray
        uint8, (H, W); `prob_map` itself where there is no hole at any of these thresholds.

    Examples
    --------
    >>> fill_holes(np.array([[70, 90, 90], [90, 2, 80], [90, 90, 90]], dtype=np.uint8))
    array([[70, 90, 90],
           [90, 80, 80],
           [90, 90, 90]], dtype=uint8)
    """
    box = _box(prob_map)
    if box is None:
        return prob_map
    surrounded = _standing(prob_map, box)
    if not local_minima(surrounded, connectivity=1, allow_borders=False).any():
        return prob_map
    # A piece of the pixels up to some level is a hole there unless it reaches the margin.
    graph = hg.get_4_adjacency_implicit_graph(surrounded.shape)
    tree, level = hg.component_tree_min_tree(graph, surrounded)
    margin = np.pad(np.zeros(prob_map[box].shape, np.uint8), 1, constant_values=1)
    is_hole = hg.accumulate_sequential(tree, margin.ravel(), hg.Accumulators.max) == 0
    levels = hg.propagate_sequential(tree, level, is_hole)[: surrounded.size]
    filled = prob_map.copy()
    filled[box] = levels.reshape(surrounded.shape)[1:-1, 1:-1]
    return filled


def _box(prob_map: np.ndarray) -> tuple[slice, slice] | None:
    """Return the smallest box of all pixels from `LOWEST` on, None without any."""
    is_standing = prob_map >= LOWEST
    rows, columns = (np.flatnonzero(is_standing.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _standing(prob_map: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """Return the map in a box, with a margin of a pixel, and 0 below `LOWEST`."""
    levels = prob_map[box]
    return np.pad(np.where(levels >= LOWEST, levels, np.uint8(0)), 1)
