"""A training that is killed and goes on ends with the bits of one that is not."""

import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.models.losses import DiceCrossEntropyLoss
from pipeline.models.zoo import build_zoo
from pipeline.training.callbacks import BestEpochs, Progress, Watch, mean_weights
from pipeline.training.checkpoint import Checkpoints
from pipeline.training.phases import Phase, carry_over, freeze, phase_seed

from .tiny import build, build_with_presence, train

ROOT = Path(__file__).parents[2]


def start_program(folder, *moment):
    command = [sys.executable, "-m", "tests.training.tiny", str(folder), *moment]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def assert_same_training(observed, expected):
    assert observed[1] == expected[1]
    assert observed[2] == expected[2]
    for one, other in zip(observed[0], expected[0], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train(tmp_path_factory.mktemp("undisturbed"))


class KilledError(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_fit_interrupted_after_an_epoch_ends_with_the_same_bits(
    epoch, undisturbed, tmp_path, monkeypatch
):
    saved = []
    save, begin = Checkpoints.save, Watch.on_epoch_begin

    def save_and_count(*args):
        save(*args)
        saved.append(args)

    def stop_at_epoch(*args):
        if len(saved) == epoch:
            raise KilledError
        begin(*args)

    monkeypatch.setattr(Checkpoints, "save", save_and_count)
    monkeypatch.setattr(Watch, "on_epoch_begin", stop_at_epoch)
    with pytest.raises(KilledError):
        train(tmp_path)
    monkeypatch.undo()
    assert len(saved) == epoch
    assert_same_training(train(tmp_path), undisturbed)


def build_in_float16(final_stride):
    keras.config.set_dtype_policy("mixed_float16")
    model = build(final_stride)
    logits = keras.layers.Activation("linear", dtype="float32")(model.output)
    return keras.Model(model.input, logits)


def test_fit_in_float16_interrupted_ends_with_the_same_bits(tmp_path, monkeypatch):
    # The scale of the loss is a variable of its optimizer.
    options = {"network": build_in_float16, "phases": [Phase(2, 2, 1e-2)]}
    whole = train(tmp_path / "whole", **options)
    begin = Watch.on_epoch_begin

    def stop_at_second_epoch(callback, epoch, logs=None):
        if epoch == 1:
            raise KilledError
        begin(callback, epoch, logs)

    monkeypatch.setattr(Watch, "on_epoch_begin", stop_at_second_epoch)
    with pytest.raises(KilledError):
        train(tmp_path / "stopped", **options)
    monkeypatch.undo()
    assert_same_training(train(tmp_path / "stopped", **options), whole)


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_fit_sigkill_around_a_checkpoint_ends_with_the_same_bits(moment, undisturbed, tmp_path):
    process = start_program(tmp_path, moment)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -9, errors
    assert_same_training(train(tmp_path), undisturbed)


def test_fit_sigkill_at_random_moments_ends_with_the_same_bits(undisturbed, tmp_path, request):
    """`pytest --kills 20` tries more moments; a start takes most of the time."""
    rng = np.random.default_rng()
    for _ in range(request.config.getoption("kills")):
        process = start_program(tmp_path)
        checkpoints = tmp_path / "checkpoints"
        while process.poll() is None and not checkpoints.exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 3))
        process.kill()
        process.communicate()
    assert_same_training(train(tmp_path), undisturbed)


def test_fit_finished_training_is_not_trained_again(undisturbed, tmp_path, capsys):
    train(tmp_path)
    capsys.readouterr()
    assert_same_training(train(tmp_path), undisturbed)
    assert "Epoch" not in capsys.readouterr().out


def test_fit_other_parameters_start_anew(undisturbed, tmp_path):
    train(tmp_path, phases=[Phase(2, 1, 1e-3)], fingerprint="other")
    assert_same_training(train(tmp_path), undisturbed)


def test_fit_loss_that_is_no_number_names_the_batch(tmp_path):
    with pytest.raises(InputError, match=r"the loss is nan at batch \d of epoch 1; try a lower"):
        train(tmp_path, phases=[Phase(2, 2, 1e30)])


def test_fit_stops_early_after_patience(tmp_path):
    # A rate of almost 0 changes nothing: the first epoch stays the best.
    _, _, log = train(tmp_path, phases=[Phase(2, 9, 1e-12)], patience=2, ema=None)
    assert len(log) == 1 + 3  # a header and three epochs


def test_fit_keeps_the_weights_of_the_best_epoch(tmp_path):
    _, score, log = train(tmp_path, phases=[Phase(2, 6, 0.3)], ema=None, average_best=1)
    assert score == max(float(value) for value in log[1:])


def test_fit_takes_the_mean_of_the_best_epochs_where_it_is_better(tmp_path, capsys):
    _, score, log = train(tmp_path, phases=[Phase(2, 6, 0.3)], ema=None, average_best=3)
    best = max(float(value) for value in log[1:])
    said = capsys.readouterr().out
    mean = float(re.search(r"mean weights of the best 3 epochs: validation score (\S+),", said)[1])
    assert score == pytest.approx(max(best, mean), abs=1e-4)


def test_best_epochs_keeps_scores_and_weights_in_order():
    class Model:
        def get_weights(self):
            return [np.array(float(self.epoch))]

    progress, kept = Progress(), []
    callback = BestEpochs(progress, kept, 2, patience=None)
    callback.set_model(Model())
    waited = []
    for epoch, score in enumerate([0.2, 0.5, 0.1, 0.5, 0.3]):
        callback.model.epoch = epoch
        callback.on_test_end({"dice": score})
        waited.append(progress.waited)
    assert progress.kept == [0.5, 0.5]
    assert [weights[0] for weights in kept] == [1, 3]  # of equal scores the first stands first
    assert waited == [0, 0, 1, 2, 3]
    assert mean_weights(kept) == [2]


def test_fit_stuck_on_empty_says_so(tmp_path, capsys):
    class PushDown(DiceCrossEntropyLoss):
        def call(self, y_true, y_pred):
            return super().call(y_true * 0, y_pred)

    train(tmp_path, phases=[Phase(2, 4, 1e-1)], loss=PushDown(), ema=None)
    assert "every frame was predicted empty for 3 epochs" in capsys.readouterr().err


def train_with_presence(folder, **changes):
    return train(folder, network=build_with_presence, presence=True, **changes)


def test_fit_with_a_presence_head_logs_and_compares_the_mask(tmp_path):
    _, score, log = train_with_presence(tmp_path, phases=[Phase(2, 3, 0.3)], average_best=1)
    assert score == max(float(value) for value in log[1:])
    metrics = tmp_path / "live" / "plots" / "metrics"
    for name in ("train/dice", "train/presence_loss", "val/presence_loss", "val/mask_loss"):
        assert len((metrics / f"{name}.tsv").read_text().splitlines()) == 4


def test_fit_with_a_presence_head_takes_the_mean_of_the_best_epochs(tmp_path, capsys):
    _, score, log = train_with_presence(tmp_path, phases=[Phase(2, 3, 0.3)], average_best=2)
    best = max(float(value) for value in log[1:])
    said = capsys.readouterr().out
    mean = float(re.search(r"mean weights of the best 2 epochs: validation score (\S+),", said)[1])
    assert score == pytest.approx(max(best, mean), abs=1e-4)


def test_fit_presence_weight_decides_what_the_head_learns(tmp_path):
    phases = [Phase(2, 1, 1e-1)]
    options = {"phases": phases, "ema": None, "weight_decay": None}
    without, _, _ = train_with_presence(tmp_path / "0", presence_weight=0.0, **options)
    with_head, _, _ = train_with_presence(tmp_path / "1", presence_weight=1.0, **options)
    assert without[-1] == 0  # its bias, which nothing has moved
    assert with_head[-1] > 0  # every mask has foreground


def test_phase_seed_of_the_first_phase_is_the_trainings():
    assert phase_seed(42_003, 0) == 42_003


def test_phase_seed_differs_between_folds_and_phases():
    seeds = {phase_seed(seed, number) for seed in range(42_000, 42_100) for number in range(5)}
    assert len(seeds) == 500
    assert max(seeds) < 2**32


@pytest.mark.parametrize("part", ["encoder", "block1"])
def test_freeze_keeps_the_part_from_training(part):
    model = build(2)
    freeze(model, [part])
    assert [variable.path.split("/")[0] for variable in model.trainable_variables] == ["score2"] * 2


def test_freeze_reaches_the_encoder_of_a_network_of_segmentation_models():
    model = build_zoo("unet", encoder="vgg16")
    before = len(model.trainable_variables)
    freeze(model, ["block1", "block2"])
    # Two convolutions each, of a kernel and a bias.
    assert before - len(model.trainable_variables) == 8
    left = {variable.path.split("/")[-2] for variable in model.trainable_variables}
    assert {name for name in left if name.startswith("block")} == {
        f"block{block}_conv{conv}" for block in (3, 4, 5) for conv in (1, 2, 3)
    }


def test_carry_over_copies_layers_of_the_same_name_and_shape():
    source, target = build(4), build(2)
    before = target.get_layer("score2").get_weights()
    carry_over(source, target)
    np.testing.assert_array_equal(
        target.get_layer("block1_conv1").kernel, source.get_layer("block1_conv1").kernel
    )
    np.testing.assert_array_equal(target.get_layer("score2").get_weights()[0], before[0])
