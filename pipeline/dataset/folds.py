"""Validation folds that share no subject."""

import warnings

import numpy as np
from sklearn.model_selection import BaseCrossValidator, GroupKFold, StratifiedGroupKFold

from pipeline.errors import InputError


def assign_folds(
    subjects: np.ndarray, has_mask: np.ndarray, *, count: int, seed: int
) -> np.ndarray:
    """Give each frame the fold in which it is validated.

    No subject stands in two folds, and the folds are balanced in size and in the share of empty
    masks as far as whole subjects allow (scikit-learn's ``StratifiedGroupKFold``), or in size
    alone where too few frames leave no choice.

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
    # scikit-learn refuses to stratify where each kind has fewer frames than there are folds.
    if max(np.count_nonzero(has_mask), np.count_nonzero(~has_mask)) >= count:
        stratified = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        folds = _number_folds(stratified, subjects, has_mask)
        if len(np.unique(folds)) == count:  # it may leave one empty, where subjects are few
            return folds
    return _number_folds(GroupKFold(count), subjects, has_mask)


def _number_folds(
    splitter: BaseCrossValidator, subjects: np.ndarray, has_mask: np.ndarray
) -> np.ndarray:
    folds = np.empty(len(subjects), dtype=int)
    with warnings.catch_warnings():
        # A kind rarer than there are folds can't be in each of them: no news to the user.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, rows) in enumerate(splitter.split(subjects, has_mask, groups=subjects)):
            folds[rows] = fold
    return folds
