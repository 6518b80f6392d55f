import keras
import numpy as np
import pytest

from pipeline.training.optimizer import make_optimizer


def step(gradient, *, name="dense", **changes):
    """Return how one step changes a kernel and a bias of ones."""
    layer = keras.layers.Dense(1, bias_initializer="ones", kernel_initializer="ones", name=name)
    layer.build((None, 1))
    options = {
        "steps": 10,
        "warmup_steps": 0,
        "learning_rate": 0.1,
        "encoder_rate": 1.0,
        "clip_norm": None,
        "ema": None,
        "weight_decay": None,
        **changes,
    }
    optimizer = make_optimizer(**options)
    optimizer.build(layer.trainable_variables)
    gradients = [keras.ops.full(v.shape, gradient) for v in layer.trainable_variables]
    optimizer.apply(gradients, layer.trainable_variables)
    return [float(np.squeeze(v.numpy())) - 1 for v in layer.trainable_variables]


def test_make_optimizer_first_step_is_the_rate():
    # Adam divides by the gradient's size.
    assert step(5.0) == pytest.approx([-0.1, -0.1], rel=1e-4)


def test_make_optimizer_weight_decay_takes_off_kernels_alone():
    # Without a gradient: 1 - rate * decay.
    assert step(0.0, weight_decay=0.3) == pytest.approx([-0.03, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "share"), [("block1_conv1", 0.1), ("block5_conv3", 0.1), ("center_block1_conv", 1)]
)
def test_make_optimizer_encoder_rate_is_the_encoders_alone(name, share):
    observed = step(5.0, name=name, encoder_rate=0.1)
    assert observed == pytest.approx([-0.1 * share] * 2, rel=1e-4)


@pytest.mark.parametrize(("name", "share"), [("block1_conv1", 0.1), ("score", 1)])
def test_make_optimizer_encoder_rate_counts_for_the_decay(name, share):
    observed = step(0.0, name=name, encoder_rate=0.1, weight_decay=0.3)
    assert observed == pytest.approx([-0.03 * share, 0], abs=1e-6)


def test_make_optimizer_warm_up_starts_at_zero():
    assert step(5.0, warmup_steps=5) == [0, 0]
