"""Fully convolutional networks on VGG-16: FCN-32s to the extended FCN-2s."""

from typing import Literal

import keras
import numpy as np
from keras import layers

from pipeline.models.vgg16 import vgg16_pools, with_prior

FINAL_STRIDES = (2, 4, 8, 16, 32)
HEADS = ("score", "fc")
UPSAMPLINGS = ("learned", "frozen")


def build_fcn(
    *,
    channels: int = 1,
    classes: int = 1,
    final_stride: int = 2,
    head: Literal["score", "fc"] = "score",
    head_width: int = 4096,
    dropout: float = 0.5,
    width: int = 64,
    upsampling: Literal["learned", "frozen"] = "learned",
    refine: bool = True,
    batch_norm: bool = True,
    finest_skip: bool = True,
    scale_skips: bool = False,
    l2: float = 0.0,
    prior: float = 0.05,
    presence_head: bool = False,
) -> keras.Model:
    """Build the member of the FCN family whose last upsampling is by `final_stride`.

    From pool5, 2x transposed convolutions lead up, each summed with the 1x1-scored pooling of
    its stride; the last one upsamples the logits by `final_stride`. With 32, 16 and 8 these are
    FCN-32s, -16s and -8s; with 2 it is the extended FCN of five 2x upsamplings.

    Parameters
    ----------
    channels : {1, 3}
        Grey or RGB frames.
    classes : int
        Masks that are predicted for a frame.
    final_stride : {2, 4, 8, 16, 32}
        The finest pooling that is fused has this stride.
    head : {"score", "fc"}
        On pool5 a 1x1 convolution, after VGG's fc6 and fc7 as 7x7 and 1x1 convolutions or not.
    head_width, dropout
        Channels and dropout rate of fc6 and fc7.
    width : int
        Channels of the decoder, at least one per class: 1 is as published, or wider.
    upsampling : {"learned", "frozen"}
        Whether training changes the bilinear kernels of the transposed convolutions.
    refine : bool
        A 3x3 convolution with ReLU after each fusion, against aliasing, as in feature pyramids.
    batch_norm : bool
        Batch normalisation after each fusion, or in its 3x3 convolution where there is one.
    finest_skip : bool
        Whether the pooling of `final_stride` is fused, which takes the most memory.
    scale_skips : bool
        Multiply pool4 by 1e-2, pool3 by 1e-4 and so on, as in FCN's training all at once.
    l2 : float
        L2 penalty on the kernels of all convolutions.
    prior : float
        Foreground probability of a pixel at the start of training (Lin et al., 2017); 0.5 shifts
        no logits.
    presence_head : bool
        Also tell from pool5, averaged over the frame, whether there is any foreground.

    Returns
    -------
    keras.Model
        Takes raw frames (N, H, W, channels), 0 to 255, H and W multiples of 32; gives float32
        logits (N, H, W, classes), or with a presence head a dict: these as "mask", and logits
        (N, classes) as "presence".

    Raises
    ------
    ValueError
        An argument is not one of the above.

    References
    ----------
    Shelhamer, Long, Darrell, *Fully Convolutional Networks for Semantic Segmentation*, 2016.
    Lin et al., *Feature Pyramid Networks for Object Detection*, 2016.
    Lin et al., *Focal Loss for Dense Object Detection*, 2017.
    """
    _check_choice("final_stride", final_stride, FINAL_STRIDES)
    _check_choice("head", head, HEADS)
    _check_choice("upsampling", upsampling, UPSAMPLINGS)
    penalty = keras.regularizers.L2(l2) if l2 else None
    width = max(width, classes)
    up = {"trainable": upsampling == "learned", "kernel_regularizer": penalty}
    frames = keras.Input((None, None, channels), name="frames")
    *skips, pool5 = vgg16_pools(frames, kernel_regularizer=penalty)
    x = pool5
    if head == "fc":
        x = _fully_connected(x, head_width, dropout, penalty)
    x = layers.Conv2D(width, 1, kernel_regularizer=penalty, name="score_pool5")(x)
    for block in (4, 3, 2, 1):
        if 2**block < final_stride:
            break
        x = _upsample(x, width, 2, name=f"upsample_pool{block}", **up)
        if 2**block > final_stride or finest_skip:
            scale = 100.0 ** (block - 5) if scale_skips else 1.0
            x = _fuse(x, skips[block - 1], width, scale, penalty, name=f"pool{block}")
        if refine:
            x = layers.Conv2D(
                width,
                3,
                padding="same",
                use_bias=not batch_norm,
                kernel_initializer="he_normal",
                kernel_regularizer=penalty,
                name=f"refine_pool{block}",
            )(x)
        if batch_norm:
            # Keras' momentum of 0.99 would still hold a third of its first values after 100 steps.
            x = layers.BatchNormalization(momentum=0.9, name=f"norm_pool{block}")(x)
        if refine:
            x = layers.ReLU(name=f"relu_pool{block}")(x)
    # Logits in float32: bfloat16 would round probabilities to steps of about one percent.
    if width > classes:
        x = layers.Conv2D(classes, 1, kernel_regularizer=penalty, dtype="float32", name="score")(x)
    x = _upsample(x, classes, final_stride, dtype="float32", name="upsample_frame", **up)
    outputs = with_prior(x, prior)
    if presence_head:
        pooled = layers.GlobalAveragePooling2D(dtype="float32", name="pooled_pool5")(pool5)
        presence = layers.Dense(classes, dtype="float32", name="presence")(pooled)
        outputs = {"mask": outputs, "presence": presence}
    return keras.Model(frames, outputs, name=f"fcn{final_stride}s")


def bilinear_kernel(factor: int, channels: int) -> np.ndarray:
    """Return the kernel with which a transposed convolution of stride `factor` interpolates.

    Returns
    -------
    numpy.ndarray
        float32, (2 * factor, 2 * factor, channels, channels); no channel flows into another.
    """
    profile = 1 - np.abs(np.arange(2 * factor) - (factor - 0.5)) / factor
    kernel = np.multiply.outer(np.outer(profile, profile), np.eye(channels))
    return kernel.astype(np.float32)


def _check_choice(name: str, value: object, known: tuple) -> None:
    if value not in known:
        raise ValueError(f"{name}: expected one of {known}, got {value!r}")


def _fully_connected(x, width: int, dropout: float, penalty):
    for name, size in (("fc6", 7), ("fc7", 1)):
        x = layers.Conv2D(
            width,
            size,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            kernel_regularizer=penalty,
            name=name,
        )(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return x


def _fuse(x, skip, width: int, scale: float, penalty, *, name: str):
    if scale != 1.0:
        skip = layers.Rescaling(scale, name=f"scale_{name}")(skip)
    # Skips start at zero: training begins as FCN-32s and takes in the finer ones as they help.
    score = layers.Conv2D(
        width,
        1,
        kernel_initializer="zeros",
        kernel_regularizer=penalty,
        name=f"score_{name}",
    )
    return layers.Add(name=f"fuse_{name}")([x, score(skip)])


def _upsample(x, channels: int, factor: int, **options):
    layer = layers.Conv2DTranspose(
        channels, 2 * factor, strides=factor, padding="same", use_bias=False, **options
    )
    x = layer(x)
    # Set here and by no initializer of ours, so that plain Keras can load a saved network.
    layer.set_weights([bilinear_kernel(factor, channels)])
    return x
