"""Get the pretrained weights of the encoder."""

from pathlib import Path

import platformdirs

from pipeline.errors import InputError
from pipeline.models.download import fetch_imagenet_vgg16
from pipeline.models.pretrained import load_encoder_weights, save_encoder_weights
from pipeline.params import Params
from pipeline.paths import Paths

CACHE = Path(platformdirs.user_cache_dir("binary-mask-pipeline"))


def run(params: Params, paths: Paths) -> str:
    """Write the encoder's weights for all folds; return what was written."""
    encoder, wanted = params.model.encoder, params.model.encoder_weights
    if wanted == "none":
        weights, origin = {}, "none: the encoder starts at random"
    elif encoder != "vgg16":
        if wanted != "imagenet":
            raise InputError(
                f"model.encoder_weights: expected imagenet or none for {encoder}, got {wanted}"
            )
        weights, origin = {}, f"none: {encoder} brings its own downloader"
    else:
        source = fetch_imagenet_vgg16(CACHE) if wanted == "imagenet" else paths.root / wanted
        weights, origin = load_encoder_weights(source), str(source)
    save_encoder_weights(weights, paths.encoder)
    return f"{paths.encoder}: {origin}"
