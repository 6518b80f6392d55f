import h5py
import numpy as np
import pytest
from scipy.signal import correlate

from pipeline.errors import InputError
from pipeline.models.pretrained import (
    CONVOLUTIONS,
    from_torchvision,
    load_encoder_weights,
    save_encoder_weights,
)

from .vgg16_files import assert_same_weights, keras_h5

# The file


def test_convolutions_are_the_thirteen_of_keras():
    # keras/applications/vgg16.py: blocks of 2, 2, 3, 3, 3
    assert len(CONVOLUTIONS) == 13
    assert CONVOLUTIONS[:3] == ("block1_conv1", "block1_conv2", "block2_conv1")
    assert CONVOLUTIONS[-1] == "block5_conv3"


def test_save_encoder_weights_round_trip_is_exact(tmp_path, weights):
    save_encoder_weights(weights, tmp_path / "encoder.npz")
    assert_same_weights(load_encoder_weights(tmp_path / "encoder.npz"), weights)


def test_save_encoder_weights_twice_gives_the_same_bytes(tmp_path, weights):
    save_encoder_weights(weights, tmp_path / "a.npz")
    save_encoder_weights(weights, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_save_encoder_weights_keys_are_layer_slash_array(tmp_path, weights):
    save_encoder_weights(weights, tmp_path / "encoder.npz")
    with np.load(tmp_path / "encoder.npz", allow_pickle=False) as stored:
        assert stored.files[:2] == ["block1_conv1/kernel", "block1_conv1/bias"]


def test_save_encoder_weights_empty_dict_loads_as_empty(tmp_path):
    save_encoder_weights({}, tmp_path / "none.npz")
    assert load_encoder_weights(tmp_path / "none.npz") == {}


def test_save_encoder_weights_missing_layer_is_refused(tmp_path, weights):
    del weights["block3_conv2"]
    with pytest.raises(InputError, match=r"missing or unknown: block3_conv2$"):
        save_encoder_weights(weights, tmp_path / "encoder.npz")
    assert list(tmp_path.iterdir()) == []


def test_save_encoder_weights_nan_is_refused(tmp_path, weights):
    weights["block2_conv1"][1][0] = np.nan
    with pytest.raises(InputError, match=r"got NaN or infinity in block2_conv1"):
        save_encoder_weights(weights, tmp_path / "encoder.npz")


@pytest.mark.parametrize(
    ("layer", "kernel", "bias"),
    [
        ("block1_conv1", (3, 3, 1, 2), (2,)),  # grey, not three channels
        ("block1_conv2", (3, 3, 3, 2), (2,)),  # the layer before gives 2 channels
        ("block1_conv2", (2, 2, 3, 3), (2,)),  # Theano's order
        ("block4_conv1", (5, 5, 2, 2), (2,)),
        ("block4_conv1", (3, 3, 2, 2), (3,)),
        ("block4_conv1", (18, 2), (2,)),
    ],
)
def test_save_encoder_weights_wrong_shape_is_refused(tmp_path, weights, layer, kernel, bias):
    weights[layer] = np.zeros(kernel, np.float32), np.zeros(bias, np.float32)
    with pytest.raises(InputError, match=rf"expected {layer} with kernel \(3, 3, "):
        save_encoder_weights(weights, tmp_path / "encoder.npz")


@pytest.mark.parametrize(
    ("kernel_name", "bias_name"),
    [("{}_W_1:0", "{}_b_1:0"), ("{}/kernel:0", "{}/bias:0")],  # Keras 1 and 2
)
def test_load_encoder_weights_keras_h5_is_understood(tmp_path, weights, kernel_name, bias_name):
    path = tmp_path / "notop.h5"
    path.write_bytes(keras_h5(weights, kernel_name, bias_name))
    assert_same_weights(load_encoder_weights(path), weights)


def test_load_encoder_weights_keras_h5_without_a_layer_is_refused(tmp_path, weights):
    del weights["block5_conv3"]
    path = tmp_path / "notop.h5"
    path.write_bytes(keras_h5(weights, "{}_W_1:0", "{}_b_1:0"))
    with pytest.raises(InputError, match="block5_conv3"):
        load_encoder_weights(path)


def test_load_encoder_weights_keras_h5_without_a_bias_is_refused(tmp_path, weights):
    path = tmp_path / "notop.h5"
    path.write_bytes(keras_h5(weights, "{}_W_1:0", "{}_b_1:0"))
    with h5py.File(path, "a") as file:
        del file["block2_conv1/block2_conv1_b_1:0"]
    with pytest.raises(InputError, match=r"block2_conv1 with a 4-D and a 1-D array, got \[4\]"):
        load_encoder_weights(path)


def test_load_encoder_weights_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: expected a file of VGG-16 weights"):
        load_encoder_weights(tmp_path / "none.npz")


def test_load_encoder_weights_other_format_is_refused(tmp_path):
    path = tmp_path / "encoder.npz"
    path.write_text("<html>404</html>")
    with pytest.raises(InputError, match="got neither"):
        load_encoder_weights(path)


def test_load_encoder_weights_npz_of_other_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", images=np.zeros(3))
    with pytest.raises(InputError, match="block1_conv1/kernel"):
        load_encoder_weights(tmp_path / "other.npz")


def test_load_encoder_weights_pickled_array_is_refused(tmp_path, weights):
    arrays = {f"{name}/kernel": kernel for name, (kernel, _) in weights.items()}
    arrays["block1_conv1/kernel"] = np.array([{"an": "object"}])
    np.savez(tmp_path / "encoder.npz", **arrays)
    with pytest.raises(InputError, match="allow_pickle=False"):
        load_encoder_weights(tmp_path / "encoder.npz")


@pytest.mark.parametrize("suffix", ["npz", "h5"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_load_encoder_weights_truncated_file_is_one_line(tmp_path, weights, suffix, share):
    path = tmp_path / f"encoder.{suffix}"
    save_encoder_weights(weights, path)
    if suffix == "h5":
        path.write_bytes(keras_h5(weights, "{}_W_1:0", "{}_b_1:0"))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError) as caught:
        load_encoder_weights(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)


def test_load_encoder_weights_flipped_bits_are_noticed(tmp_path, weights):
    path = tmp_path / "encoder.npz"
    save_encoder_weights(weights, path)
    content = path.read_bytes()
    at = content.index(weights["block3_conv1"][0].tobytes())
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(InputError, match="CRC"):
        load_encoder_weights(path)


# The conversion


@pytest.fixture
def torchvision_and_ours(weights):
    """Return the first layer's output on one random frame, as torchvision and as we compute it."""
    rgb = np.random.default_rng(1).integers(0, 256, size=(6, 7, 3))
    # torchvision.transforms.Normalize after ToTensor
    normalised = (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    bgr_minus_mean = rgb[..., ::-1] - [103.939, 116.779, 123.68]
    theirs = weights["block1_conv1"]
    ours = from_torchvision(list(weights.values()))["block1_conv1"]
    return convolve(normalised, *theirs), convolve(bgr_minus_mean, *ours)


def convolve(image, kernel, bias):
    """Return the zero-padded convolution as networks mean it, (H, W, out)."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    maps = [correlate(padded, kernel[..., f], mode="valid")[..., 0] for f in range(len(bias))]
    return np.stack(maps, axis=-1) + bias


def test_from_torchvision_interior_is_equal(torchvision_and_ours):
    theirs, ours = torchvision_and_ours
    # kernels and outputs are of the order of 1: float32 weights leave 1e-6
    np.testing.assert_allclose(ours[1:-1, 1:-1], theirs[1:-1, 1:-1], atol=1e-5)


def test_from_torchvision_border_differs_by_half_a_grey_level(torchvision_and_ours, weights):
    theirs, ours = torchvision_and_ours
    difference = np.abs(ours - theirs)
    # The paddings differ by 123.68 - 255 * .485 = .005, .499 and .409 grey levels (R, G, B); one
    # grey level is 1 / (255 * .224) = .0175 of torchvision's green. At most all nine taps of a
    # kernel could see the padding.
    step = np.array([0.005, 0.499, 0.409]) / (255 * np.array([0.229, 0.224, 0.225]))
    kernel, _ = weights["block1_conv1"]
    bound = np.einsum("yxcf,c->f", np.abs(kernel), step)
    assert np.all(difference <= bound + 1e-5)
    assert difference[0].max() > 1e-4


def test_from_torchvision_changes_the_first_layer_only(weights):
    converted = from_torchvision(list(weights.values()))
    assert list(converted) == list(CONVOLUTIONS)
    assert_same_weights(
        {name: converted[name] for name in CONVOLUTIONS[1:]},
        {name: weights[name] for name in CONVOLUTIONS[1:]},
    )


def test_from_torchvision_leaves_its_argument_alone(weights):
    before = weights["block1_conv1"][0].copy()
    from_torchvision(list(weights.values()))
    np.testing.assert_array_equal(weights["block1_conv1"][0], before)


def test_from_torchvision_twelve_layers_are_refused(weights):
    with pytest.raises(InputError, match="expected 13 convolutions, got 12"):
        from_torchvision(list(weights.values())[:12])


def test_from_torchvision_output_first_kernels_are_refused(weights):
    with pytest.raises(InputError, match="expected block1_conv1 with kernel"):
        from_torchvision(
            [(kernel.transpose(3, 2, 0, 1), bias) for kernel, bias in weights.values()]
        )
