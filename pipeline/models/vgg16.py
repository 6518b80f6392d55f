"""The VGG-16 encoder (Simonyan and Zisserman, 2014) on raw frames."""

import keras
from keras import layers
from scipy.special import logit

from pipeline.errors import InputError
from pipeline.models.pretrained import VGG_MEAN, EncoderWeights

# Number and width of the convolutions of each block; a 2x2 max pooling ends each.
_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def vgg16_pools(
    frames: keras.KerasTensor, *, kernel_regularizer: keras.regularizers.Regularizer | None = None
) -> list[keras.KerasTensor]:
    """Return the outputs of the five poolings, at strides 2, 4, 8, 16 and 32.

    Parameters
    ----------
    frames : keras.KerasTensor
        (N, H, W, 1) grey or (N, H, W, 3) RGB, 0 to 255.

    Raises
    ------
    ValueError
        The frames have another number of channels.
    """
    x = _subtract_mean(frames)
    pools = []
    for block, (depth, width) in enumerate(_BLOCKS, start=1):
        for i in range(1, depth + 1):
            x = layers.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                kernel_regularizer=kernel_regularizer,
                name=f"block{block}_conv{i}",
            )(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        pools.append(x)
    return pools


def set_encoder_weights(model: keras.Model, weights: EncoderWeights) -> None:
    """Copy pretrained convolutions into the layers of the same names.

    Raises
    ------
    InputError
        A layer has other shapes than the weights.
    """
    for name, (kernel, bias) in weights.items():
        layer = model.get_layer(name)
        if layer.kernel.shape != kernel.shape:
            raise InputError(
                f"encoder weights: expected {name} of shape {tuple(layer.kernel.shape)},"
                f" got {kernel.shape}"
            )
        layer.set_weights([kernel, bias])


def as_bgr(frames: keras.KerasTensor) -> keras.KerasTensor:
    """Repeat grey frames (N, H, W, 1) to three channels, or turn RGB frames (N, H, W, 3) to BGR.

    Raises
    ------
    ValueError
        The frames have another number of channels.
    """
    channels = frames.shape[-1]
    if channels == 1:
        return layers.Concatenate(name="grey_to_bgr")([frames, frames, frames])
    if channels == 3:
        return frames[..., ::-1]
    raise ValueError(f"frames: expected 1 or 3 channels, got {channels}")


def with_prior(logits: keras.KerasTensor, prior: float) -> keras.KerasTensor:
    """Shift logits, in float32, so that a network that says 0 means the probability `prior`."""
    return layers.Rescaling(1.0, offset=float(logit(prior)), dtype="float32", name="logits")(logits)


def _subtract_mean(frames: keras.KerasTensor) -> keras.KerasTensor:
    # In float32: bfloat16 has 8 significant bits, too few for a difference of pixels.
    return layers.Rescaling(
        1.0, offset=[-mean for mean in VGG_MEAN], dtype="float32", name="subtract_mean"
    )(as_bgr(frames))
