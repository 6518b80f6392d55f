"""A network on two devices is trained as on one that sees the whole batch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.models.losses import LOSSES
from pipeline.training.replicas import OfWholeBatch, count_replicas, mirrored

from .mirrored import CASES, OVER

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirrored")
    command = [sys.executable, "-m", "tests.training.mirrored", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "results.npz"))


def arrays_of(results, training):
    return {
        name.removeprefix(training): array
        for name, array in results.items()
        if name.startswith(training)
    }


@pytest.mark.parametrize("case", CASES)
def test_fit_on_two_devices_has_the_losses_weights_and_scores_of_one(results, case):
    one, two = (arrays_of(results, f"{case}/{devices}/") for devices in ("one", "two"))
    assert one.keys() == two.keys()
    assert len(one["losses"]) == 4  # two epochs of two batches
    assert np.ptp(one["losses"]) > 0.01
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_fit_on_two_devices_interrupted_ends_with_the_same_bits(results):
    whole, parts = (arrays_of(results, f"even/{training}/") for training in ("two", "parts"))
    assert whole.keys() == parts.keys()
    for name in whole.keys() - {"losses"}:
        np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)
    np.testing.assert_array_equal(parts["losses"], whole["losses"][2:])  # of the second part alone


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("kind", LOSSES)
def test_of_whole_batch_is_the_loss_and_gradient_of_one_device(results, kind, over):
    one, two = (arrays_of(results, f"{kind}-{over}/{devices}/") for devices in ("one", "two"))
    np.testing.assert_allclose(two["value"], one["value"], rtol=1e-5)
    np.testing.assert_allclose(two["gradient"], one["gradient"], rtol=1e-4, atol=1e-8)


def test_of_whole_batch_outside_of_replicas_is_the_loss():
    y_true = np.ones((2, 4, 4, 1), np.float32)
    logits = np.linspace(-1, 1, 32, dtype=np.float32).reshape(y_true.shape)
    for over in OVER:
        loss = LOSSES["dice"](over=over)
        assert float(OfWholeBatch(loss)(y_true, logits)) == float(loss(y_true, logits))


def test_share_gradients_clips_the_norm_of_the_whole(results):
    # (3, 0) and (0, 4) are together (3, 4), of norm 5; at norm 1 that is (0.6, 0.8).
    np.testing.assert_allclose(results["clipped"], [[-0.6, -0.8]] * 2, rtol=1e-6)


def test_share_gradients_overflow_on_one_replica_stops_the_step_on_all(results):
    np.testing.assert_array_equal(results["overflow"], np.zeros((2, 2)))


def test_mirrored_over_one_device_is_no_strategy():
    with mirrored(["cpu:0"]):
        assert count_replicas() == 1
        assert not tf.distribute.has_strategy()
