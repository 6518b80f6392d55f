"""The masks of several classes as one array of numbers, which moves and is stored like an image."""

import numpy as np


def pack(channels: np.ndarray, *, exclusive: bool) -> np.ndarray:
    """Turn masks into codes: bit k stands for class k, or, of exclusive ones, 1 + k.

    Parameters
    ----------
    channels : numpy.ndarray
        bool, (..., K); at most 8 classes, or 255 exclusive ones, of which the first counts.
    exclusive : bool
        Whether no pixel has two classes.

    Returns
    -------
    numpy.ndarray
        uint8, (...); 0 where there is no class.

    Examples
    --------
    >>> pack(np.array([[True, True], [False, True], [False, False]]), exclusive=False)
    array([3, 2, 0], dtype=uint8)
    >>> pack(np.array([[True, False], [False, True], [False, False]]), exclusive=True)
    array([1, 2, 0], dtype=uint8)
    """
    if exclusive:
        first = channels.argmax(axis=-1).astype(np.uint8)
        return np.where(channels.any(axis=-1), 1 + first, 0).astype(np.uint8)
    bits = (2 ** np.arange(channels.shape[-1])).astype(np.uint8)
    return (channels * bits).sum(axis=-1, dtype=np.uint8)


def unpack(codes: np.ndarray, count: int, *, exclusive: bool) -> np.ndarray:
    """Turn codes into masks, bool (..., count); the inverse of `pack`.

    Examples
    --------
    >>> unpack(np.array([2], dtype=np.uint8), 2, exclusive=False)
    array([[False,  True]])
    """
    if exclusive:
        return codes[..., None] == 1 + np.arange(count, dtype=np.uint8)
    return (codes[..., None] & (2 ** np.arange(count)).astype(np.uint8)) > 0
