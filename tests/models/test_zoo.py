import keras
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.models import zoo
from pipeline.models.fcn import build_fcn
from pipeline.models.losses import DiceLoss
from pipeline.models.pretrained import CONVOLUTIONS
from pipeline.models.zoo import ARCHITECTURES, ENCODERS, build_zoo

FRAMES = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 1)).astype(np.float32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_build_zoo_takes_frames_and_gives_logits_as_the_fcn_does(architecture, tmp_path):
    model = build_zoo(architecture, height=96, width=96)
    logits = model.predict_on_batch(FRAMES)
    assert (logits.shape, logits.dtype) == ((1, 96, 96, 1), np.float32)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(FRAMES), logits)


def test_encoders_are_those_of_segmentation_models():
    assert len(ENCODERS) >= 25
    assert {"vgg16", "resnet34", "seresnext50", "mobilenetv2", "efficientnetb7"} <= set(ENCODERS)


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ("vgg16", [20 - 103.939, 20 - 116.779, 20 - 123.68]),
        ("resnet34", [20, 20, 20]),  # trained on raw frames
        ("mobilenet", [20 / 127.5 - 1] * 3),
        (
            "densenet121",
            [(20 / 255 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))],
        ),
    ],
)
def test_build_zoo_normalises_as_the_encoder_was_trained(encoder, expected):
    frames = keras.Input((None, None, 1))
    model = keras.Model(frames, zoo._preprocess(frames, encoder))
    observed = model.predict_on_batch(np.full((1, 32, 32, 1), 20, np.float32))[0, 0, 0]
    np.testing.assert_allclose(observed, expected, rtol=1e-4)


def test_build_zoo_vgg16_takes_the_cached_weights():
    """U-Net's encoder then computes what the FCN's does."""
    fcn = build_fcn(width=1)
    weights = {name: tuple(fcn.get_layer(name).get_weights()) for name in CONVOLUTIONS}
    core = build_zoo("unet", encoder_weights=weights).get_layer(index=-2)
    for name, (kernel, _) in weights.items():
        np.testing.assert_array_equal(core.get_layer(name).get_weights()[0], kernel)


def test_build_zoo_unreachable_weights_name_the_ways_out(monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure on https://example.org/resnet18.h5: None")

    monkeypatch.setitem(ARCHITECTURES, "unet", fail)
    with pytest.raises(InputError, match=r"ImageNet weights of resnet18: URL fetch failure.*none"):
        build_zoo("unet", encoder="resnet18", imagenet=True)


def test_build_zoo_pspnet_refuses_sizes_it_cannot_pool():
    with pytest.raises(InputError, match="multiples of 48, got \\(96, 128\\)"):
        build_zoo("pspnet", height=96, width=128)


def test_build_zoo_unknown_architecture_lists_the_known():
    with pytest.raises(ValueError, match=r"expected one of unet, .*got 'segnet'"):
        build_zoo("segnet")


def test_build_zoo_unknown_encoder_lists_the_known():
    with pytest.raises(InputError, match=r"expected one of .*vgg16.*got 'vgg99'"):
        build_zoo("unet", encoder="vgg99")


@pytest.mark.parametrize("per_image", [True, False])
def test_dice_loss_equals_that_of_segmentation_models(per_image):
    rng = np.random.default_rng(0)
    y_true = (rng.random((3, 8, 8, 1)) < 0.3).astype(np.float32)
    y_true[0] = 0
    logits = rng.normal(size=y_true.shape).astype(np.float32)
    theirs = zoo.segmentation_models.losses.DiceLoss(per_image=per_image, smooth=1.0)
    # One pixel of smoothing is 1/64 of these images.
    ours = DiceLoss(over="image" if per_image else "batch", smooth=1 / 64)
    expected = theirs(y_true, 1 / (1 + np.exp(-logits)))
    assert float(ours(y_true, logits)) == pytest.approx(float(expected), rel=1e-5)
