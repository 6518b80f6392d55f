import pandas as pd
import pytest

from pipeline.report.comparison import draw_curves, summarise


@pytest.fixture
def curves():
    """Two experiments of two runs and four epochs; the second one gets better by .1 an epoch."""
    rows = [
        (name, seed, 0, epoch, 10 * epoch, 2.0 * epoch, start + slope * epoch)
        for name, slope in (("flat", 0.0), ("steep", 0.1))
        for seed, start in ((1, 0.1), (2, 0.3))
        for epoch in (1, 2, 3, 4)
    ]
    columns = ["experiment", "seed", "fold", "epoch", "images", "seconds", "score"]
    return pd.DataFrame(rows, columns=columns)


def test_summarise_best_experiment_stands_first(curves):
    header, first, second = (line.split() for line in str(summarise(curves)).splitlines())
    assert header == [
        "experiment",
        "runs",
        "best",
        "sd",
        "epoch",
        "1",
        "epoch",
        "2",
        "epoch",
        "4",
        "seconds",
    ]
    # Best epochs are .5 and .7: mean .6, standard deviation .1 * sqrt(2); at epoch 1 .2 and .4.
    assert first == ["steep", "2", "0.600", "0.141", "0.300", "0.400", "0.600", "8.000"]
    assert second == ["flat", "2", "0.200", "0.141", "0.200", "0.200", "0.200", "8.000"]


def test_draw_curves_shows_each_experiment_against_images_and_seconds(curves):
    figure = draw_curves(curves)
    by_images, by_seconds = figure.axes
    assert [line.get_label() for line in by_images.lines] == ["flat", "steep"]
    assert list(by_images.lines[1].get_xdata()) == [10, 20, 30, 40]
    assert list(by_seconds.lines[1].get_xdata()) == [2, 4, 6, 8]
    assert list(by_seconds.lines[1].get_ydata()) == pytest.approx([0.3, 0.4, 0.5, 0.6])


def test_summarise_shows_the_epochs_asked_for(curves):
    header, first, _ = (line.split() for line in str(summarise(curves, epochs=(3,))).splitlines())
    assert header[4:6] == ["epoch", "3"]
    assert first[4] == "0.500"  # .1 and .3, and .3 more
