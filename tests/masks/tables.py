"""Tables of pieces, as tuning reads them."""

import numpy as np

from pipeline.masks.pieces import PIECE


def stack_pieces(of_images):
    """Put the pieces of several images into one table; ``image`` is the position in `of_images`."""
    stacked = np.concatenate([np.empty(0, PIECE), *of_images])
    stacked["image"] = np.repeat(np.arange(len(of_images)), [len(p) for p in of_images])
    return stacked
