"""Validation folds that share no subject."""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from pipeline.errors import InputError


def assign_folds(
    subjects: np.ndarray, has_mask: np.ndarray, *, count: int, seed: int
) -> np.ndarray:
    """Give each frame the fold in which it is validated.

    No subject stands in two folds, and the folds are balanced in size and in the share of empty
    masks as far as whole subjects allow (scikit-learn's ``StratifiedGroupKFold``).

    Parameters
    ----------
    subjects : numpy.ndarray
        str, (N,).
    has_mask : numpy.ndarray
        bool, (N,).
    count : int
        Number of folds.
    seed : int
        Of the order in which equal choices are taken.

    Returns
    -------
    numpy.ndarray
        int, (N,), 0 to count - 1.

    Raises
    ------
    InputError
        There are fewer subjects than folds.
    """
    n_subjects = len(np.unique(subjects))
    if n_subjects < count:
        raise InputError(
            f"folds.indices: expected at most as many folds as subjects ({n_subjects}), got {count}"
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = np.empty(len(subjects), dtype=int)
    for fold, (_, rows) in enumerate(splitter.split(subjects, has_mask, groups=subjects)):
        folds[rows] = fold
    return folds
