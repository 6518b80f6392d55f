import cv2
import keras
import numpy as np
import pytest

from pipeline.models.fcn import FINAL_STRIDES, bilinear_kernel, build_fcn
from pipeline.models.pretrained import CONVOLUTIONS
from pipeline.models.vgg16 import set_encoder_weights

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 1)).astype(np.float32)


def layer_names(model):
    return {layer.name for layer in model.layers}


@pytest.mark.parametrize("final_stride", FINAL_STRIDES)
@pytest.mark.parametrize("width", [1, 4])
def test_build_fcn_logits_have_the_frames_size(final_stride, width):
    model = build_fcn(final_stride=final_stride, width=width)
    logits = model.predict_on_batch(FRAMES)
    assert (logits.shape, logits.dtype) == ((2, 64, 96, 1), np.float32)


@pytest.mark.parametrize(
    ("final_stride", "fused"),
    [
        (32, set()),
        (16, {"fuse_pool4"}),
        (8, {"fuse_pool4", "fuse_pool3"}),
        (4, {"fuse_pool4", "fuse_pool3", "fuse_pool2"}),
        (2, {"fuse_pool4", "fuse_pool3", "fuse_pool2", "fuse_pool1"}),
    ],
)
def test_build_fcn_final_stride_decides_which_pools_are_fused(final_stride, fused):
    names = layer_names(build_fcn(final_stride=final_stride, width=1))
    assert {name for name in names if name.startswith("fuse")} == fused


def test_build_fcn_extended_has_five_2x_upsamplings():
    model = build_fcn(final_stride=2, width=4)
    strides = [
        layer.strides for layer in model.layers if isinstance(layer, keras.layers.Conv2DTranspose)
    ]
    assert strides == [(2, 2)] * 5


def test_build_fcn_takes_another_size_after_saving(tmp_path):
    build_fcn(width=2).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.predict_on_batch(FRAMES[:, :32, :64]).shape == (2, 32, 64, 1)
    assert loaded.predict_on_batch(FRAMES).shape == (2, 64, 96, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_build_fcn_saved_network_needs_no_code_of_ours(channels):
    assert "pipeline" not in build_fcn(width=2, channels=channels).to_json()


def test_build_fcn_presence_head_leaves_the_mask_as_it_is():
    keras.utils.set_random_seed(0)
    model = build_fcn(width=2, presence_head=True)
    outputs = model.predict_on_batch(FRAMES)
    alone = keras.Model(model.input, model.output["mask"]).predict_on_batch(FRAMES)
    np.testing.assert_array_equal(outputs["mask"], alone)
    assert (outputs["presence"].shape, outputs["presence"].dtype) == ((2, 1), np.float32)


def test_build_fcn_skips_start_at_zero():
    model = build_fcn(final_stride=8, width=1, refine=False)
    for pool in ("pool4", "pool3"):
        kernel, bias = model.get_layer(f"score_{pool}").get_weights()
        assert not kernel.any()
        assert not bias.any()


def test_build_fcn_starts_at_the_prior():
    """Without its score of pool5 nothing but the prior is left."""
    model = build_fcn(width=1, refine=False, prior=0.2)
    kernel, bias = model.get_layer("score_pool5").get_weights()
    model.get_layer("score_pool5").set_weights([kernel * 0, bias])
    probability = 1 / (1 + np.exp(-model.predict_on_batch(FRAMES)))
    np.testing.assert_allclose(probability, 0.2, rtol=1e-5)


def test_build_fcn_fc_head_has_fc6_and_fc7_as_convolutions():
    model = build_fcn(final_stride=32, head="fc", head_width=8, width=1)
    assert model.get_layer("fc6").kernel.shape == (7, 7, 512, 8)
    assert model.get_layer("fc7").kernel.shape == (1, 1, 8, 8)
    assert model.predict_on_batch(FRAMES).shape == (2, 64, 96, 1)


def test_build_fcn_finest_skip_left_out_still_upsamples_five_times():
    model = build_fcn(finest_skip=False, width=2)
    names = layer_names(model)
    assert "fuse_pool1" not in names
    assert "fuse_pool2" in names
    assert "upsample_pool1" in names


@pytest.mark.parametrize("refine", [False, True])
def test_build_fcn_batch_norm_follows_each_fusion(refine):
    model = build_fcn(final_stride=8, width=4, refine=refine, batch_norm=True)
    for pool in ("pool4", "pool3"):
        after = model.get_layer(f"refine_{pool}" if refine else f"fuse_{pool}")
        assert model.get_layer(f"norm_{pool}").input is after.output
    assert model.predict_on_batch(FRAMES).shape == (2, 64, 96, 1)


def test_build_fcn_frozen_upsampling_has_no_trainable_kernels():
    frozen, learned = (build_fcn(upsampling=how, width=2) for how in ("frozen", "learned"))
    # Five transposed convolutions, one kernel each.
    assert len(learned.trainable_variables) - len(frozen.trainable_variables) == 5


def test_build_fcn_scaled_skips_fall_by_a_hundred_each():
    model = build_fcn(scale_skips=True, width=1)
    scales = [model.get_layer(f"scale_pool{block}").scale for block in (4, 3, 2, 1)]
    assert scales == pytest.approx([1e-2, 1e-4, 1e-6, 1e-8])


def test_build_fcn_l2_penalises_every_convolution():
    model = build_fcn(l2=1e-5, width=2)
    kernels = [v for v in model.trainable_variables if v.path.endswith("/kernel")]
    expected = 1e-5 * sum(float(np.sum(np.square(kernel.numpy()))) for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"final_stride": 3}, {"head": "none"}, {"upsampling": "bicubic"}, {"channels": 2}]
)
def test_build_fcn_unknown_choice_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        build_fcn(width=1, **wrong)


def test_build_fcn_grey_frame_equals_the_same_frame_in_rgb():
    keras.utils.set_random_seed(0)
    grey = build_fcn(width=1)
    rgb = build_fcn(width=1, channels=3)
    rgb.set_weights(grey.get_weights())
    np.testing.assert_allclose(
        rgb.predict_on_batch(np.repeat(FRAMES, 3, axis=-1)),
        grey.predict_on_batch(FRAMES),
        rtol=1e-4,
    )


def test_vgg16_input_is_bgr_minus_the_vgg_mean():
    model = build_fcn(width=1, channels=3)
    first = keras.Model(model.input, model.get_layer("subtract_mean").output)
    red = np.zeros((1, 32, 32, 3), dtype=np.float32)
    red[..., 0] = 255
    # https://arxiv.org/abs/1409.1556, in blue, green, red.
    expected = [-103.939, -116.779, 255 - 123.68]
    np.testing.assert_allclose(first.predict_on_batch(red)[0, 0, 0], expected, rtol=1e-6)


def test_set_encoder_weights_reaches_every_convolution():
    model = build_fcn(width=1)
    shapes = {name: model.get_layer(name).kernel.shape for name in CONVOLUTIONS}
    weights = {
        name: (np.full(shape, i, np.float32), np.full(shape[-1], -i, np.float32))
        for i, (name, shape) in enumerate(shapes.items())
    }
    set_encoder_weights(model, weights)
    for name, (kernel, bias) in weights.items():
        np.testing.assert_array_equal(model.get_layer(name).get_weights()[0], kernel)
        np.testing.assert_array_equal(model.get_layer(name).get_weights()[1], bias)


@pytest.mark.parametrize("factor", [2, 8])
def test_bilinear_kernel_interpolates_as_opencv(factor):
    upsample = keras.layers.Conv2DTranspose(
        1, 2 * factor, strides=factor, padding="same", use_bias=False
    )
    upsample.build((None, 5, 7, 1))
    upsample.set_weights([bilinear_kernel(factor, 1)])
    coarse = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    observed = np.array(upsample(coarse[None, ..., None]))[0, ..., 0]
    expected = cv2.resize(coarse, (7 * factor, 5 * factor), interpolation=cv2.INTER_LINEAR)
    # The border differs: OpenCV repeats the last pixel, the convolution sees zeros.
    inner = slice(factor, -factor)
    np.testing.assert_allclose(observed[inner, inner], expected[inner, inner], atol=1e-5)
