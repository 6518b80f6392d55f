"""The pages, from what was read and drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import brier_score_loss

from pipeline.report import charts
from pipeline.report.frames import Drawn
from pipeline.report.gallery import Gallery
from pipeline.report.page import render
from pipeline.report.project import Finished, Submitted, Training

_RATES = (
    ("all_empty_score", "all-empty", "what empty masks score"),
    ("oof_score", "optimistic", "on the frames that chose the cut-offs"),
    ("perfect_presence_score", "perfect presence", "if every empty frame were known"),
    ("pixel_accuracy", "pixel accuracy", "of the pixels that have a class"),
    ("dice_positive", "Dice with a mask", "of the frames that have one"),
    ("sensitivity", "sensitivity", "of presence: masks that are found"),
    ("specificity", "specificity", "of presence: empty frames left empty"),
)
Plots = list[tuple[Figure, str]]


def render_out_of_fold(title: str, training: Training, gallery: Gallery, *, has_test: bool) -> str:
    """Return the page on the out-of-fold frames, HTML."""
    return render(
        "index.html",
        title=title,
        metrics=training.metrics,
        rates=_RATES,
        folds=_tabulate_folds(training.metrics),
        plots=_plot_training(training),
        rules=_as_text(training.rules) if len(training.rules) else None,
        views=_as_text(training.views) if training.views is not None else None,
        pairs=training.frames["id"][training.frames["contradicts"] != ""].nunique(),
        gallery=gallery,
        has_test=has_test,
    )


def render_test(title: str, test: Submitted, training: Training, gallery: Gallery) -> str:
    """Return the page on the test frames, HTML."""
    sizes = {
        "training, true": _shares(training.frames, training.frames["true_area"]),
        "training, predicted": _shares(training.frames, training.frames["predicted_area"]),
        "test, predicted": _shares(test.frames, test.frames["area"]),
    }
    presence = {
        "training": training.frames["presence"].to_numpy(),
        "test": test.frames["presence"].to_numpy(),
    }
    places = {
        "training, true": _mean_place(training.drawn, "truth"),
        "training, predicted": _mean_place(training.drawn, "predicted"),
        "test, predicted": _mean_place(test.drawn, "predicted"),
    }
    return render(
        "test.html",
        title=title,
        submission=test.submission,
        cards=[("test frames", f"{test.frames['id'].nunique():,}", ""), *_compare_sizes(sizes)],
        plots=[
            (charts.draw_sizes(sizes), "Sizes of the masks that are not empty."),
            (charts.draw_presence(presence), "Presence, out of fold and of the test frames."),
            *_plot_places(places),
        ],
        gallery=gallery,
    )


def render_comparison(title: str, projects: Mapping[str, Finished]) -> str:
    """Return the page that sets projects side by side, HTML.

    Parameters
    ----------
    projects : mapping of str to Finished
        By name.
    """
    rows = [{"project": name, **_headline(each.metrics)} for name, each in projects.items()]
    curves = {
        f"{name} {class_name}" if each.thresholds["class"].nunique() > 1 else name: part["score"]
        for name, each in projects.items()
        for class_name, part in each.thresholds.set_index("threshold").groupby("class")
    }
    plots = []
    if curves:  # classes that exclude each other have no threshold
        figure = charts.draw_curve(curves, label="threshold, of 255")
        plots.append((figure, "Score against threshold."))
    known = [each.curves.assign(run=name) for name, each in projects.items() if len(each.curves)]
    if known:
        validation = pd.concat(known).query("part == 'val'")
        by_epoch = validation.groupby(["run", "part", "measure", "epoch"], sort=False)["value"]
        figure = charts.draw_training(by_epoch.mean().reset_index(), "dice")
        plots.append((figure, "Validation Dice by epoch, mean over folds."))
    return render("compare.html", title=title, scores=pd.DataFrame(rows), plots=plots)


def _headline(metrics: dict[str, Any]) -> dict[str, str]:
    scores = {
        "nested score": "nested_score",
        "low": "nested_score_low",
        "high": "nested_score_high",
        **{name: key for key, name, _ in _RATES},
    }
    shown = {name: f"{metrics[key]:.4f}" if key in metrics else "-" for name, key in scores.items()}
    return {"frames": f"{metrics['images']:,}", "folds": str(len(metrics["folds"]))} | shown


def _plot_training(training: Training) -> Plots:
    plots: Plots = []
    measures = {"loss": "Loss", "dice": "Dice", "iou": "Mean IoU"}
    for measure, name in measures.items():
        if (training.curves["measure"] == measure).any():
            plots.append((charts.draw_training(training.curves, measure), f"{name} by epoch."))
    metrics, frames = training.metrics, training.frames
    for name, cutoffs in metrics["cutoffs"].items():
        of_class = f" of {name}" if len(metrics["cutoffs"]) > 1 else ""
        plots += _plot_cutoffs(training, name, cutoffs, of_class)
    plots.append((charts.draw_areas(frames), "Area against predicted area."))
    presence, has_mask = frames["presence"].to_numpy(), (frames["true_area"] > 0).to_numpy()
    brier = brier_score_loss(has_mask, presence, pos_label=True)
    figure = charts.draw_calibration(presence, has_mask)
    plots.append((figure, f"Calibration of presence; Brier score {brier:.3f}."))
    return [*plots, (charts.draw_subjects(frames), "Dice of every frame by subject.")]


def _plot_cutoffs(
    training: Training, class_name: str, cutoffs: dict[str, Any], of_class: str
) -> Plots:
    """Draw the score of one class against threshold and smallest area."""
    by_threshold, by_area = (
        table[table["class"] == class_name].set_index(name)
        for table, name in ((training.thresholds, "threshold"), (training.areas, "min_area"))
    )
    curves = {
        "best smallest area for each": by_threshold["score"],
        "no smallest area": by_threshold["score_without_min_area"],
    }
    figure = charts.draw_curve(curves, label="threshold, of 255", chosen=cutoffs["threshold"])
    plots = [(figure, f"Score{of_class} against threshold, on the frames that choose it.")]
    figure = charts.draw_curve(
        {"all chosen cut-offs but this": by_area["score"]},
        label="smallest area, pixels",
        chosen=cutoffs["min_area"],
        score=float(by_area["score"][cutoffs["min_area"]]),
    )
    return [*plots, (figure, f"Score{of_class} against the smallest area, on the same frames.")]


def _tabulate_folds(metrics: dict[str, Any]) -> pd.DataFrame:
    parts = {**metrics["folds"], "all": metrics}
    return pd.DataFrame(
        [
            {
                "fold": fold,
                **({"class": name} if len(metrics["cutoffs"]) > 1 else {}),
                # That of all classes together stands once.
                "nested score": "" if number else f"{scores['nested_score']:.4f}",
                **(_describe(scores["cutoffs"][name]) if name else {}),
            }
            for fold, scores in parts.items()
            for number, name in enumerate(metrics["cutoffs"] or [""])
        ]
    )


def _describe(cutoffs: dict[str, Any]) -> dict[str, str]:
    def text(value: object) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    return {name.replace("_", " "): text(value) for name, value in cutoffs.items()}


def _as_text(gains: pd.DataFrame) -> pd.DataFrame:
    """Write a table of gains for people."""
    written = gains.copy().astype(object)
    for name in gains.select_dtypes("number"):
        form = "{:+.4f}" if name.startswith("gain") else "{:.4f}"
        written[name] = gains[name].map(form.format)
    return written.rename(columns=lambda name: name.replace("_", " "))


def _shares(frames: pd.DataFrame, areas: pd.Series) -> np.ndarray:
    return (areas / (frames["height"] * frames["width"])).to_numpy()


def _compare_sizes(sizes: dict[str, np.ndarray]) -> list[tuple[str, str, str]]:
    cards = []
    for name, values in sizes.items():
        found = values[values > 0]
        median = f"median size {np.median(found):.2%} of the frame" if len(found) else ""
        cards.append((f"with a mask: {name}", f"{(values > 0).mean():.1%}", median))
    return cards


def _plot_places(places: dict[str, np.ndarray]) -> Plots:
    top = max(max(float(share.max()) for share in places.values()), 0.01)
    return [
        (charts.draw_positions(share, top=top), f"Where the masks lie: {name}.")
        for name, share in places.items()
    ]


def _mean_place(drawn: Sequence[Drawn], name: str) -> np.ndarray:
    """Return the share of the masks, empty ones aside, that hold each place."""
    filled = [frame.places[name] for frame in drawn if frame.areas[name]]
    if not filled:
        return np.zeros(drawn[0].places[name].shape)
    return np.mean(filled, axis=0) / 255
