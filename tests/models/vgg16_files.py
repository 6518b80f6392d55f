"""VGG-16 with two filters everywhere, and files of it: 13 layers in 2 kB."""

import io

import h5py
import numpy as np

from pipeline.models.pretrained import CONVOLUTIONS

FILTERS = 2


def make_weights():
    rng = np.random.default_rng(0)
    channels = [3] + [FILTERS] * 12
    return {
        name: (
            rng.normal(size=(3, 3, inputs, FILTERS)).astype(np.float32),
            rng.normal(size=FILTERS).astype(np.float32),
        )
        for name, inputs in zip(CONVOLUTIONS, channels, strict=True)
    }


def assert_same_weights(observed, expected):
    assert list(observed) == list(expected)
    for name, (kernel, bias) in expected.items():
        np.testing.assert_array_equal(observed[name][0], kernel)
        np.testing.assert_array_equal(observed[name][1], bias)
        assert observed[name][0].dtype == observed[name][1].dtype == np.float32


def keras_h5(weights, kernel_name, bias_name):
    """Return the bytes of Keras' legacy layout: a group per layer, pools and all."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("block1_pool")
        for name, (kernel, bias) in weights.items():
            group = file.create_group(name)
            group[kernel_name.format(name)] = kernel
            group[bias_name.format(name)] = bias
    return content.getvalue()
