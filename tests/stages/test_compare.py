from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages import compare
from pipeline.stages.init import render_params

PLAN = """
folds: [0, 1]
seeds: [3, 4]
experiments:
  narrow: {model: {width: 1}}
  short: {train: {epochs: 2}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose trainings are noted and give two epochs."""
    (tmp_path / "params.yaml").write_text(render_params("sample"))
    (tmp_path / "plan.yaml").write_text(PLAN)
    trained = []

    def fit_fold(params, paths, fold, *, checkpoint_dir, log_dir, wait):
        trained.append((params.model.width, params.train.epochs, params.seed, fold, checkpoint_dir))
        dice = params.seed / 10 + fold / 100
        epoch = {"images": 32, "seconds": 1.5, "val_dice": dice, "val_dice_positive": dice / 2}
        return None, SimpleNamespace(history=[epoch, epoch])

    monkeypatch.setattr(compare, "fit_fold", fit_fold)
    monkeypatch.setattr(compare, "fingerprint", lambda params, *_: params.model_dump_json())

    def run(**options):
        params = load_params(tmp_path / "params.yaml")
        return compare.run(params, Paths(tmp_path), tmp_path / "plan.yaml", **options)

    return SimpleNamespace(trained=trained, folder=tmp_path, run=run)


def test_compare_trains_every_experiment_on_every_fold_and_seed(project):
    table, _ = project.run()
    assert len(project.trained) == 8
    assert {run[:4] for run in project.trained} == {
        (width, epochs, seed, fold)
        for width, epochs in ((1, 12), (64, 2))
        for seed in (3, 4)
        for fold in (0, 1)
    }
    assert len({run[4] for run in project.trained}) == 8  # checkpoints of their own
    assert "narrow" in str(table)
    assert (project.folder / "plan.png").stat().st_size > 0


def test_compare_writes_every_epoch(project):
    project.run()
    curves = pd.read_csv(project.folder / "plan.csv")
    one = curves.query("experiment == 'short' and seed == 4 and fold == 1")
    assert one["epoch"].tolist() == [1, 2]
    assert one["images"].tolist() == [32, 64]
    assert one["seconds"].tolist() == [1.5, 3.0]
    assert one["score"].tolist() == [0.41, 0.41]


def test_compare_finished_runs_are_not_trained_again(project):
    project.run()
    curves = pd.read_csv(project.folder / "plan.csv")
    curves[curves["seed"] == 3].to_csv(project.folder / "plan.csv", index=False)
    project.trained.clear()
    project.run()
    assert {run[2] for run in project.trained} == {4}
    assert len(pd.read_csv(project.folder / "plan.csv")) == len(curves)


def test_compare_changed_parameters_are_trained_again(project):
    project.run()
    project.trained.clear()
    plan = project.folder / "plan.yaml"
    plan.write_text(PLAN.replace("width: 1", "width: 2"))
    project.run()
    assert {run[0] for run in project.trained} == {2}
    curves = pd.read_csv(project.folder / "plan.csv")
    assert len(curves.groupby(["experiment", "seed", "fold", "fingerprint"])) == 8


def test_compare_out_of_time_starts_no_training(project):
    (text,) = project.run(minutes=0)
    assert text.startswith("no training of")
    assert project.trained == []


@pytest.mark.parametrize("name", ["NA", "'null'", "None", "'1'"])
def test_compare_experiment_of_any_name_is_trained_once(project, name):
    (project.folder / "plan.yaml").write_text(PLAN.replace("narrow", name))
    project.run()
    project.trained.clear()
    table, _ = project.run()
    assert project.trained == []
    assert set(table.frame["experiment"]) == {name.strip("'"), "short"}


def test_compare_curve_without_a_score_is_read_again(project):
    project.run()
    file = project.folder / "plan.csv"
    file.write_text(file.read_text().replace("0.31000", ""))  # seed 3, fold 1 was not a number
    project.trained.clear()
    project.run()
    assert project.trained == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epoch,images", "step,images"), "plan.csv: expected the columns .*'epoch'.*'step'"),
        (("1,32,", "one,32,"), "plan.csv: not a CSV file: .*'one'"),
    ],
)
def test_compare_file_that_holds_no_curves_is_refused(project, change, message):
    project.run()
    file = project.folder / "plan.csv"
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(InputError, match=message):
        project.run()


def test_compare_sums_up_the_runs_of_the_plan_alone(project):
    project.run()
    plan = project.folder / "plan.yaml"
    plan.write_text(PLAN.replace("seeds: [3, 4]", "seeds: [3]"))
    table, _ = project.run()
    assert table.frame["runs"].tolist() == [2, 2]
    curves = pd.read_csv(project.folder / "plan.csv")
    assert set(curves["seed"]) == {3, 4}  # the file keeps what other plans trained


def test_compare_outdated_curve_is_not_shown_as_the_new_experiment(project):
    project.run()
    plan = project.folder / "plan.yaml"
    plan.write_text(PLAN.replace("width: 1", "width: 2"))
    table, _ = project.run(minutes=0)
    assert table.frame["experiment"].tolist() == ["short"]


def test_compare_out_of_time_with_other_experiments_says_so(project):
    project.run()
    plan = project.folder / "plan.yaml"
    plan.write_text(PLAN.replace("narrow", "thin").replace("short", "brief"))
    (text,) = project.run(minutes=0)
    assert text.startswith("no training of")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("width: 1", "width: 0"), r"plan.yaml: experiments.narrow: model.width: .*got 0"),
        (("width: 1", "wide: 1"), r"experiments.narrow: model.wide: unknown key"),
        (("model: {width: 1}", "seed: 4"), "expected changes of model and train, got seed, which"),
        (("model: {width: 1}", "preprocess: {height: 32}"), "got preprocess, which is the same"),
        (("model: {width: 1}", "competition: carvana"), "got competition, which is the same"),
        (("model: {width: 1}", "tune: {rules: []}"), "experiments.narrow: .* got tune, which"),
        (("model: {width: 1}", "predict: {views: []}"), "got predict, which is the same"),
        (("model: {width: 1}", "sample: {subjects: 9}"), "got sample, which is the same"),
        (("model: {width: 1}", "model: 1"), "experiments.narrow: model: .*, got 1"),
        (("folds: [0, 1]", "folds: [7]"), "fold: expected one of"),
        (("folds: [0, 1]", "folds: []"), "plan.yaml: folds: "),
        (("folds: [0, 1]", "folds: [1, 1]"), r"folds: expected every number once, got \[1, 1\]"),
        (("seeds: [3, 4]", "seeds: [3, 3]"), r"seeds: expected every number once, got \[3, 3\]"),
        (("narrow:", "'a/b':"), "plan.yaml: experiments"),
    ],
)
def test_compare_faulty_plan_is_one_line(project, change, message):
    (project.folder / "plan.yaml").write_text(PLAN.replace(*change))
    with pytest.raises(InputError, match=message) as error:
        project.run()
    assert "\n" not in str(error.value)
    assert project.trained == []


def test_compare_loss_that_does_not_suit_the_classes_stops_before_any_training(project):
    (project.folder / "params.yaml").write_text(render_params("voc2012"))
    plan = PLAN.replace("{train: {epochs: 2}}", "{train: {loss: lovasz}}")
    (project.folder / "plan.yaml").write_text(plan)
    with pytest.raises(InputError, match="lovasz knows no exclusive classes"):
        project.run()
    assert project.trained == []
