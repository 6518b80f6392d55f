"""Networks of segmentation-models, the ones to beat, behind one door."""

import os
import warnings

import keras
import numpy as np
from keras import layers

from pipeline.errors import InputError
from pipeline.models.pretrained import EncoderWeights
from pipeline.models.vgg16 import as_bgr, set_encoder_weights, with_prior

# Read by segmentation-models on import; under its default it looks for modules that are gone.
os.environ["SM_FRAMEWORK"] = "tf.keras"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import segmentation_models

ARCHITECTURES = {
    "unet": segmentation_models.Unet,
    "fpn": segmentation_models.FPN,
    "linknet": segmentation_models.Linknet,
    "pspnet": segmentation_models.PSPNet,
}
ENCODERS = tuple(segmentation_models.get_available_backbone_names())


def build_zoo(
    architecture: str,
    *,
    encoder: str = "vgg16",
    channels: int = 1,
    classes: int = 1,
    height: int | None = None,
    width: int | None = None,
    imagenet: bool = False,
    encoder_weights: EncoderWeights | None = None,
    prior: float = 0.05,
) -> keras.Model:
    """Build a network of segmentation-models with the input and output of `build_fcn`.

    Parameters
    ----------
    architecture : {"unet", "fpn", "linknet", "pspnet"}
    encoder : str
        One of `ENCODERS`.
    channels : {1, 3}
        Grey or RGB frames.
    classes : int
        Masks that are predicted for a frame.
    height, width : int, optional
        Size of the frames, pixels; needed by PSPNet, which takes no other afterwards.
    imagenet : bool
        Whether segmentation-models downloads the encoder's weights.
    encoder_weights : EncoderWeights, optional
        Weights of VGG-16, for that encoder.
    prior : float
        Foreground probability of a pixel at the start of training.

    Returns
    -------
    keras.Model
        Takes raw frames (N, H, W, channels), 0 to 255; gives float32 logits (N, H, W, classes).

    Raises
    ------
    InputError
        The encoder is unknown, its weights can't be downloaded, or PSPNet can't take the size.
    ValueError
        The architecture is unknown.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"architecture: expected one of {', '.join(ARCHITECTURES)}, got {architecture!r}"
        )
    if encoder not in ENCODERS:
        raise InputError(f"encoder: expected one of {', '.join(ENCODERS)}, got {encoder!r}")
    size = (height, width) if architecture == "pspnet" else (None, None)
    if architecture == "pspnet" and (height is None or height % 48 or width % 48):
        raise InputError(f"pspnet: expected height and width in multiples of 48, got {size}")
    core = _build_core(architecture, encoder, size, classes, imagenet=imagenet)
    set_encoder_weights(core, encoder_weights or {})
    frames = keras.Input((*size, channels), name="frames")
    return keras.Model(
        frames, with_prior(core(_preprocess(frames, encoder)), prior), name=architecture
    )


def _build_core(
    architecture: str,
    encoder: str,
    size: tuple[int | None, int | None],
    classes: int,
    *,
    imagenet: bool,
) -> keras.Model:
    try:
        return ARCHITECTURES[architecture](
            encoder,
            input_shape=(*size, 3),
            classes=classes,
            activation="linear",
            encoder_weights="imagenet" if imagenet else None,
        )
    except Exception as error:
        # Keras' downloader raises nothing narrower; without a download the fault is ours.
        if not imagenet:
            raise
        reason = str(error).splitlines()[0]
        raise InputError(
            f"ImageNet weights of {encoder}: {reason}; in params.yaml set model.encoder_weights"
            " to none, or model.encoder to vgg16"
        ) from error


def _preprocess(frames: keras.KerasTensor, encoder: str) -> keras.KerasTensor:
    """Apply the encoder's own normalisation, whatever it is: an affine map of the channels.

    It is read off the function that segmentation-models gives: its value on a black frame is the
    offset, what one red, green or blue unit adds to it a row of the matrix.
    """
    normalise = segmentation_models.get_preprocessing(encoder)
    probes = np.concatenate([np.zeros((1, 3)), np.eye(3)]).astype(np.float32)
    offset, *units = normalise(probes[:, None, None].copy())[:, 0, 0].astype(np.float64)
    matrix = np.stack(units) - offset
    rgb = as_bgr(frames)[..., ::-1]
    layer = layers.Conv2D(3, 1, dtype="float32", trainable=False, name="normalise")
    normalised = layer(rgb)
    layer.set_weights([matrix[None, None].astype(np.float32), offset.astype(np.float32)])
    return normalised
