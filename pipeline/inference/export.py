"""An ensemble as one network in a file that others can run."""

import importlib
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from keras import layers

from pipeline.errors import InputError

Format = Literal["saved_model", "onnx"]
_ONNX_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")


def merge_models(
    models: Sequence[keras.Model], *, height: int, width: int, exclusive: bool = False
) -> keras.Model:
    """Return one float32 network with the means of foreground probability and presence.

    Its views are none but identity. Float32, because ONNX runtimes and older devices lack the
    16-bit types of a training.

    Parameters
    ----------
    models : sequence of keras.Model
        Raw frames to logits, see `build_fcn`.
    height, width : int
        Size of the frames, pixels.
    exclusive : bool
        Whether a pixel has one class.

    Returns
    -------
    keras.Model
        Takes raw frames (N, height, width, C), 0 to 255; gives a dict: "probability", float32
        (N, height, width, K), and "presence", float32 (N, K), both as `predict_batch` has them.
    """
    frames = keras.Input((height, width, models[0].input_shape[-1]), name="frames")
    probabilities, presences = [], []
    for number, model in enumerate(models):
        logits = as_float32(model, name=f"member{number}")(frames)
        presence = None
        if isinstance(logits, dict):
            logits, presence = logits["mask"], logits["presence"]
            presence = layers.Activation("sigmoid", dtype="float32")(presence)
        activation = "softmax" if exclusive else "sigmoid"
        probability = layers.Activation(activation, dtype="float32")(logits)
        probabilities.append(probability)
        if presence is None:
            presence = layers.GlobalMaxPooling2D(dtype="float32")(probability)
        presences.append(presence)
    outputs = {"probability": _mean(probabilities), "presence": _mean(presences)}
    return keras.Model(frames, outputs, name="ensemble")


def as_float32(model: keras.Model, *, name: str) -> keras.Model:
    """Return the same network with the same weights, of which every layer computes in float32."""
    config = _with_float32(model.get_config())
    copy = type(model).from_config({**config, "name": name})
    copy.set_weights(model.get_weights())
    return copy


def write_saved_model(model: keras.Model, path: Path) -> None:
    """Write a folder that TensorFlow serves, into `path`."""
    model.export(path, format="tf_saved_model", verbose=False)


def write_onnx(model: keras.Model, path: Path) -> None:
    """Write an ONNX file.

    Raises
    ------
    InputError
        The extra ``[onnx]`` is not installed.
    """
    for package in _ONNX_PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise InputError(
                f"onnx: {package} is not installed; run: pip install -e .[onnx]"
            ) from error
    # tf2onnx logs the traceback of an optimisation that it then leaves out.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    signature = [keras.InputSpec(dtype="float32", shape=model.input_shape, name="frames")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks for an np.object that NumPy no longer has
        model.export(path, format="onnx", verbose=False, input_signature=signature)


def open_saved_model(path: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Return what runs a SavedModel: raw float32 frames to outputs by name."""
    layer = layers.TFSMLayer(path, call_endpoint="serve")
    return lambda frames: {name: np.asarray(value) for name, value in layer(frames).items()}


def open_onnx(path: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Return what runs an ONNX file: raw float32 frames to outputs by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda frames: dict(zip(names, session.run(names, {"frames": frames}), strict=True))


FORMATS = {
    "saved_model": (write_saved_model, open_saved_model),
    "onnx": (write_onnx, open_onnx),
}


def _mean(tensors: list[keras.KerasTensor]) -> keras.KerasTensor:
    return tensors[0] if len(tensors) == 1 else layers.Average(dtype="float32")(tensors)


def _with_float32(config: Any) -> Any:
    """Replace every dtype policy in a network's nested config."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": "float32"}}
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(value) for value in config)
    return config
