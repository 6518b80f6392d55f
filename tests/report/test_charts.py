import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from pipeline.report import charts


@pytest.fixture
def curves():
    rows = [
        (run, part, "dice", epoch, 0.1 * epoch)
        for run in ("fold 0", "fold 1")
        for part in ("train", "val")
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=["run", "part", "measure", "epoch", "value"])


def frames(count):
    areas = np.arange(count) % 3 * 10
    return pd.DataFrame(
        {
            "subject": [f"$s{number % 4}$" for number in range(count)],
            "dice": np.linspace(0, 1, count),
            "true_area": areas,
            "predicted_area": areas[::-1],
        }
    )


def test_draw_training_a_colour_per_run_training_dotted(curves):
    (axes,) = charts.draw_training(curves, "dice").axes
    train, validation, *others = axes.lines
    assert [line.get_linestyle() for line in (train, validation)] == [":", "-"]
    assert train.get_color() == validation.get_color() != others[0].get_color()
    assert axes.get_ylabel() == "dice (dotted: training)"
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["fold 0", "fold 1"]


def test_draw_training_without_training_says_nothing_of_it(curves):
    (axes,) = charts.draw_training(curves[curves["part"] == "val"], "dice").axes
    assert axes.get_ylabel() == "dice"


def test_draw_curve_marks_the_chosen_value():
    curve = pd.Series([0.1, 0.4, 0.3], index=[10, 20, 30])
    (axes,) = charts.draw_curve({"all": curve}, label="area", chosen=20, score=0.4).axes
    score, chosen, point = axes.lines
    assert list(score.get_ydata()) == [0.1, 0.4, 0.3]
    assert list(chosen.get_xdata()) == [20, 20]
    assert (list(point.get_xdata()), list(point.get_ydata())) == ([20], [0.4])


def test_draw_subjects_best_one_on_top():
    table = pd.DataFrame(
        {"subject": ["a", "b", "b"], "dice": [0.2, 0.9, 1.0], "true_area": [5, 5, 0]}
    )
    (axes,) = charts.draw_subjects(table).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    (means,) = axes.lines
    assert list(means.get_xdata()) == pytest.approx([0.2, 0.95])


def test_draw_areas_counts_false_alarms_and_misses():
    table = pd.DataFrame({"true_area": [5, 0, 7, 0], "predicted_area": [6, 3, 0, 0]})
    (legend,) = charts.draw_areas(table).legends
    observed = [text.get_text() for text in legend.get_texts()]
    assert observed == ["both: 1", "false alarm: 1", "miss: 1"]


@pytest.mark.parametrize(("count", "expected"), [(30, False), (3000, True)])
def test_draw_many_points_as_a_picture(count, expected):
    for figure in (charts.draw_subjects(frames(count)), charts.draw_areas(frames(count))):
        points = figure.axes[0].collections
        assert {bool(each.get_rasterized()) for each in points} == {expected}


@pytest.mark.parametrize("has_mask", [[True, True, False], [True] * 3, [False] * 3])
def test_draw_calibration_is_the_share_with_a_mask(has_mask):
    figure = charts.draw_calibration(np.array([0.05, 0.06, 0.95]), np.array(has_mask))
    _, curve = figure.axes[0].lines
    assert list(curve.get_xdata()) == pytest.approx([0.055, 0.95])
    assert list(curve.get_ydata()) == [np.mean(has_mask[:2]), has_mask[2]]


def test_draw_sizes_leaves_empty_masks_out():
    (legend,) = charts.draw_sizes({"a": np.array([0, 0.1, 0.2]), "b": np.zeros(2)}).legends
    assert [text.get_text() for text in legend.get_texts()] == ["a: 2", "b: 0"]


def test_draw_keeps_no_figure_open(curves):
    charts.draw_training(curves, "dice")
    charts.draw_positions(np.zeros((3, 4)), top=0.5)
    charts.draw_presence({"a": np.array([0.5])})
    assert plt.get_fignums() == []
