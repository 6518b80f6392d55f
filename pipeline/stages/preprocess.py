"""Decode, check and resize every frame."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import atomic_folder
from pipeline.competitions.spec import Spec, load_spec
from pipeline.dataset.duplicates import (
    cluster_frames,
    contradictions,
    describe_frames,
    find_similar,
    partners,
)
from pipeline.dataset.layout import list_test, list_training
from pipeline.dataset.store import build_store, open_store, select_frames
from pipeline.dataset.truth import open_truth
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_keys, expected_keys, read_submission
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar


def run(params: Params, paths: Paths) -> str:
    """Write the stores of training and test frames; return what was written."""
    spec = load_spec(params.competition)
    data_dir = paths.root / params.data_dir
    training = list_training(data_dir, spec)
    test = _in_the_samples_order(list_test(data_dir, spec), data_dir, spec)
    images = dict(zip(training["id"], training["image"], strict=True))
    options = {**params.preprocess.size, "truth": open_truth(data_dir, spec, images)}
    with (
        atomic_folder(paths.processed) as folder,
        progress_bar("Frames", len(training) + len(test)) as advance,
    ):
        train_store = folder / paths.train_store.name
        build_store(train_store, training, spec, advance=advance, **options)
        options["truth"] = None
        build_store(folder / paths.test_store.name, test, spec, advance=advance, **options)
        contradicting, dropped = _compare_frames(train_store, spec, params)
    note = ""
    if dropped:
        note = f"; left out, as they contradict others: {', '.join(dropped)}"
    elif contradicting:
        note = f"; {contradicting} contradict another, pipeline audit shows them"
    kept = len(training) - len(dropped)
    return f"{paths.processed}: {kept} training and {len(test)} test frames{note}"


def _in_the_samples_order(test: pd.DataFrame, data_dir: Path, spec: Spec) -> pd.DataFrame:
    """Check the test images against a sample submission, and take over the order of its rows.

    One without rows, as where the test images are hidden, says nothing.
    """
    if spec.sample_submission is None or not (data_dir / spec.sample_submission).exists():
        return test
    rows = list(read_submission(data_dir / spec.sample_submission, spec))
    if not rows:
        return test
    keys = expected_keys(test["id"], spec)
    check_keys(data_dir / Path(spec.test[0]).parent, sorted(keys), sorted(rows))
    place = {key: number for number, key in enumerate(rows)}
    order = np.argsort([place[key] for key in keys[:: len(spec.classes)]])
    return test.iloc[order].reset_index(drop=True)


def _compare_frames(folder: Path, spec: Spec, params: Params) -> tuple[int, list[str]]:
    """Mark contradictions, leave them out if asked for, and group frames of one scene.

    Returns
    -------
    contradicting : int
        How many frames contradict another.
    dropped : list of str
        The ids of those that are left out.
    """
    rule = params.preprocess.contradictions
    store = open_store(folder, **params.preprocess.size)
    subjects, areas = store.index["subject"].to_numpy(), store.index["area"].to_numpy()
    with progress_bar("Frames compared", len(store.index)) as advance:
        descriptors = describe_frames(store.images, folder=folder, advance=advance)
    pairs = find_similar(store.images, descriptors)
    if not spec.knows_subjects:
        subjects = cluster_frames(pairs, subjects)
    ids = np.append(store.index["id"].to_numpy(dtype=object), "")
    contradicts = ids[partners(contradictions(pairs, areas), len(areas))]
    contradicting = contradicts != ""
    is_dropped = {
        "keep": np.zeros(len(areas), bool),
        "drop_empty": contradicting & (areas == 0),
        "drop_both": contradicting,
    }[rule]
    if is_dropped.all():
        raise InputError(f"preprocess.contradictions: {rule} would leave no training frame")
    if rule != "keep":
        contradicts[:] = ""  # of every pair one frame at least has gone
    rows = np.flatnonzero(~is_dropped)
    select_frames(folder, rows, subjects=subjects[rows], contradicts=contradicts[rows])
    return int(contradicting.sum()), store.index["id"][is_dropped].tolist()
