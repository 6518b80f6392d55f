"""Write pages to judge masks by looking, from what the other stages wrote."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic import atomic_file, write_text
from pipeline.competitions.spec import load_spec
from pipeline.dataset.decision import largest_wins
from pipeline.dataset.index import open_masks
from pipeline.dataset.predictions import open_predictions
from pipeline.dataset.store import Store, open_store
from pipeline.errors import InputError
from pipeline.kaggle.submission import check_keys, expected_keys, read_submission
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.progress import progress_bar
from pipeline.report.frames import Drawn, draw_frames
from pipeline.report.gallery import make_gallery, place_pictures, remove_others
from pipeline.report.highlights import choose_pictures, name_plots, write_small_sheet
from pipeline.report.page import standalone_svg
from pipeline.report.pages import render_comparison, render_out_of_fold, render_test
from pipeline.report.project import Finished, Submitted, Training
from pipeline.report.results import read_fold_cutoffs, read_metrics, read_table, read_training
from pipeline.report.shots import OutOfFoldShots, SubmittedShots
from pipeline.stages.folds import read_folds
from pipeline.stages.out_of_fold import OutOfFold, nested_decisions
from pipeline.stages.submit import map_shape

_FRAMES = ("id", "class", "subject", "contradicts", "fold", "dice", "true_area", "predicted_area")
_THRESHOLDS = ("threshold", "score", "score_without_min_area", "class")
_GAINS = ("gain", "gain_low", "gain_high")


def run(params: Params, paths: Paths) -> str:
    """Write the page on the out-of-fold frames, and that on the test frames; return what.

    Raises
    ------
    InputError
        A stage before `submit` did not run, or its files belong to another run.
    """
    training = _read_training(params, paths)
    has_test = paths.submission.exists() and paths.test_predictions.exists()
    test = _open_test(params, paths) if has_test else None
    title = load_spec(params.competition).title
    classes = len(load_spec(params.competition).classes)
    count = len(training.frames) + (classes * len(test[0].index) if test else 0)
    with progress_bar("Frames", count) as advance:
        shots = _out_of_fold_shots(params, paths, training)
        pictures, drawn = place_pictures(
            paths.report_files,
            "oof",
            lambda folder: draw_frames(shots, len(training.frames), folder, advance=advance),
        )
        _check_areas(paths, training.frames, drawn)
        training = training._replace(drawn=drawn)
        base = pictures.relative_to(paths.report.parent).as_posix()
        frames = training.frames[
            ["id", "class", "subject", "fold", "dice", "true_area", "contradicts"]
        ].assign(
            area=training.frames["predicted_area"],
            presence=training.frames["presence"].round(4),
            **training.frames[["width", "height"]],
        )
        frames, filters = _name_entries(frames, ("subject", "fold"))
        gallery = make_gallery(frames, drawn, base, filters=filters)
        page = render_out_of_fold(title, training, gallery, has_test=has_test)
        write_text(paths.report, page)
        remove_others(pictures)
        if test is None:
            old = ", and is of an earlier one" if paths.test_report.exists() else ""
            note = f"{paths.test_report} needs a submission{old}; run: pipeline predict, submit"
            return f"{paths.report}: {len(training.store.index)} frames; {note}"
        _write_test_page(params, paths, title, training, test, advance)
    counts = len(training.store.index), len(test[0].index)
    return f"{paths.report}: {counts[0]} frames; {paths.test_report}: {counts[1]} frames"


def compare(params: Params, paths: Paths, projects: Sequence[Path]) -> str:
    """Write the page that sets other project folders beside this one; return what.

    Raises
    ------
    InputError
        `pipeline tune` did not run in one of them.
    """
    roots = {_name(paths.root): paths.root} | {_name(root): root for root in projects}
    if len(roots) <= len(projects):
        roots = {os.fspath(root): root for root in (paths.root, *projects)}
    finished = {name: _read_finished(Paths(root)) for name, root in roots.items()}
    page = render_comparison(load_spec(params.competition).title, finished)
    write_text(paths.comparison_report, page)
    return f"{paths.comparison_report}: {', '.join(finished)}"


def write_pictures(params: Params, paths: Paths, folder: Path) -> str:
    """Write small pictures for a text about this project into `folder`; return what.

    ``frames.webp``, the worst to the best frames with a mask and those with a false alarm;
    ``training.svg`` and ``thresholds.svg``.

    Raises
    ------
    InputError
        See `run`.
    """
    training = _read_training(params, paths)
    pictures = choose_pictures(training, _out_of_fold_shots(params, paths, training))
    with atomic_file(folder / "frames.webp") as beside:
        write_small_sheet(beside, pictures)
    plots = name_plots(training)
    for name, figure in plots.items():
        write_text(folder / f"{name}.svg", standalone_svg(figure, name))
    return f"{folder}: frames.webp, {', '.join(f'{name}.svg' for name in plots)}"


def _name_entries(
    frames: pd.DataFrame, filters: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Give each class of a frame a name of its own, and a filter, where there are several."""
    if frames["class"].nunique() == 1:
        return frames.drop(columns="class"), filters
    named = frames.assign(id=frames["id"] + " " + frames["class"])
    if "contradicts" in frames:
        partners = frames["contradicts"] + " " + frames["class"]
        named["contradicts"] = partners.where(frames["contradicts"] != "", "")
    return named, ("class", *filters)


def _name(root: Path) -> str:
    return root.resolve().name


def _read_finished(paths: Paths) -> Finished:
    metrics = read_metrics(paths.metrics)
    logs = {fold: paths.training_log(int(fold)) for fold in metrics["folds"]}
    thresholds = read_table(paths.threshold_curve, _THRESHOLDS)
    return Finished(metrics, thresholds, read_training(logs))


def _read_training(params: Params, paths: Paths) -> Training:
    store = open_store(paths.train_store, **params.preprocess.size)
    folds = read_folds(params, paths, store.index)
    classes = load_spec(params.competition).classes
    found = read_table(paths.frame_scores, [*_FRAMES, "presence"])
    expected = pd.MultiIndex.from_product([classes, store.index["id"]], names=["class", "id"])
    found = found.set_index(["class", "id"], drop=False)
    if sorted(found.index) != sorted(expected):
        raise InputError(
            f"{paths.frame_scores}: expected the ids of {paths.train_store}; run: pipeline tune"
        )
    frames = found.loc[expected].reset_index(drop=True)
    for column in ("width", "height"):
        frames[column] = np.tile(store.index[column], len(classes))
    if frames["fold"].tolist() != folds.tolist() * len(classes):
        raise InputError(
            f"{paths.frame_scores}: expected the folds of {paths.folds}; run: pipeline tune"
        )
    views = None
    if paths.view_gains.exists():
        columns = ["view", "dice_alone", *_GAINS]
        views = read_table(paths.view_gains, columns, command="run: pipeline views")
    logs = {f"fold {fold}": paths.training_log(fold) for fold in params.folds.indices}
    return Training(
        store=store,
        frames=frames,
        drawn=[],
        metrics=read_metrics(paths.metrics),
        curves=read_training(logs),
        thresholds=read_table(paths.threshold_curve, _THRESHOLDS),
        areas=read_table(paths.area_curve, ["min_area", "score", "class"]),
        rules=read_table(paths.rule_gains, ["rule", *_GAINS, "class"]),
        views=views,
    )


def _out_of_fold_shots(params: Params, paths: Paths, training: Training) -> OutOfFoldShots:
    spec, index = load_spec(params.competition), training.store.index
    folds = training.frames["fold"].to_numpy()[: len(index)]
    masks = open_masks(paths.train_store, spec.classes)
    indices = params.folds.indices
    if spec.exclusive:
        decide = dict.fromkeys(indices, largest_wins)
    else:
        cutoffs = read_fold_cutoffs(training.metrics, paths.metrics, indices, spec.classes)
        decide = nested_decisions(cutoffs, masks, folds)
    predictions = OutOfFold(params, paths, spec, folds).of_fold
    return OutOfFoldShots(
        training.store,
        list(masks.values()),
        folds,
        predictions,
        decide,
        exclusive=spec.exclusive,
    )


def _check_areas(paths: Paths, frames: pd.DataFrame, drawn: Sequence[Drawn]) -> None:
    """Refuse to show maps beside the scores of other ones."""
    areas = np.array([frame.areas["predicted"] for frame in drawn])
    differ = frames["id"][frames["predicted_area"] != areas]
    if len(differ):
        raise InputError(
            f"{paths.frame_scores}: not of these maps (another area of {differ.iloc[0]});"
            " run: pipeline tune"
        )


def _open_test(params: Params, paths: Paths) -> tuple[Store, np.ndarray, SubmittedShots]:
    spec = load_spec(params.competition)
    store = open_store(paths.test_store, **params.preprocess.size)
    predictions = open_predictions(
        paths.test_predictions,
        count=len(store.index),
        shape=map_shape(params, spec),
        command="pipeline predict --fold all",
    )
    rows = read_submission(paths.submission, spec)
    check_keys(paths.submission, sorted(rows), sorted(expected_keys(store.index["id"], spec)))
    shots = SubmittedShots(store, predictions, paths.submission, rows, spec)
    return store, predictions, shots


def _write_test_page(
    params: Params,
    paths: Paths,
    title: str,
    training: Training,
    test: tuple[Store, np.ndarray, SubmittedShots],
    advance: Callable[[], None],
) -> None:
    store, predictions, shots = test
    classes = load_spec(params.competition).classes
    pictures, drawn = place_pictures(
        paths.report_files,
        "test",
        lambda folder: draw_frames(shots, len(classes) * len(store.index), folder, advance=advance),
    )
    frames = pd.concat(
        [store.index[["id", "width", "height"]].assign(**{"class": name}) for name in classes],
        ignore_index=True,
    ).assign(
        area=[frame.areas["predicted"] for frame in drawn],
        presence=predictions["presence"].T.ravel().astype(float).round(4),
    )
    entries, filters = _name_entries(frames)
    base = pictures.relative_to(paths.test_report.parent).as_posix()
    gallery = make_gallery(entries, drawn, base, filters=filters)
    submission = os.fspath(paths.submission.relative_to(paths.root))
    write_text(
        paths.test_report,
        render_test(title, Submitted(frames, drawn, submission), training, gallery),
    )
    remove_others(pictures)
