"""Fully convolutional networks on VGG-16: FCN-32s to the extended FCN-2s."""

import keras
import numpy as np
from keras import layers

from pipeline.models.vgg16 import vgg16_pools

FINAL_STRIDES = (2, 4, 8, 16, 32)


def build_fcn(*, channels: int = 1, final_stride: int = 2, width: int = 64) -> keras.Model:
    """Build the member of the FCN family whose last upsampling is by `final_stride`.

    From pool5, 2x transposed convolutions lead up, each summed with the 1x1-scored pooling of
    its stride; the last step upsamples the logits by `final_stride`. With 8, 16 and 32 these are
    FCN-8s, -16s and -32s; with 2 it is the extended FCN with five 2x upsamplings.

    Parameters
    ----------
    channels : {1, 3}
        Grey or RGB frames.
    final_stride : {2, 4, 8, 16, 32}
        The finest pooling that is fused has this stride.
    width : int
        Channels of the decoder: 1 as published, or wider.

    Returns
    -------
    keras.Model
        Takes raw frames (N, H, W, channels), 0 to 255, H and W multiples of 32; gives float32
        logits (N, H, W, 1).

    Raises
    ------
    ValueError
        An argument is not one of the above.

    References
    ----------
    Shelhamer, Long, Darrell, *Fully Convolutional Networks for Semantic Segmentation*, 2016.
    """
    if final_stride not in FINAL_STRIDES:
        raise ValueError(f"final_stride: expected one of {FINAL_STRIDES}, got {final_stride}")
    frames = keras.Input((None, None, channels), name="frames")
    *skips, pool5 = vgg16_pools(frames)
    x = layers.Conv2D(width, 1, name="score_pool5")(pool5)
    for block in (4, 3, 2, 1):
        if 2**block < final_stride:
            break
        x = _upsample(width, 2, name=f"upsample_pool{block}")(x)
        # Skips start at zero: training begins as FCN-32s and takes in the finer ones as they help.
        skip = layers.Conv2D(width, 1, kernel_initializer="zeros", name=f"score_pool{block}")
        x = layers.Add(name=f"fuse_pool{block}")([x, skip(skips[block - 1])])
    # Logits in float32: bfloat16 would round probabilities to steps of about one percent.
    if width > 1:
        x = layers.Conv2D(1, 1, dtype="float32", name="score")(x)
    logits = _upsample(1, final_stride, dtype="float32", name="logits")(x)
    return keras.Model(frames, logits, name=f"fcn{final_stride}s")


@keras.saving.register_keras_serializable("pipeline")
class BilinearKernel(keras.initializers.Initializer):
    """Kernel (2f, 2f, C, C) with which a transposed convolution of stride f interpolates."""

    def __call__(self, shape, dtype=None):
        """Return the kernel for a `shape` of (2f, 2f, C, C)."""
        size, _, outputs, inputs = shape
        factor = size // 2
        profile = 1 - np.abs(np.arange(size) - (factor - 0.5)) / factor
        kernel = np.multiply.outer(np.outer(profile, profile), np.eye(outputs, inputs))
        return keras.ops.convert_to_tensor(kernel, dtype=dtype)


def _upsample(channels: int, factor: int, **options: str) -> layers.Layer:
    return layers.Conv2DTranspose(
        channels,
        2 * factor,
        strides=factor,
        padding="same",
        use_bias=False,
        kernel_initializer=BilinearKernel(),
        **options,
    )
