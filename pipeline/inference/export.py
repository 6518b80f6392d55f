"""An ensemble as one network in a file that others can run."""

import importlib
import logging
import multiprocessing
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from keras import layers

from pipeline.errors import InputError
from pipeline.runtime import start_keras

Format = Literal["saved_model", "onnx"]
OUTPUTS = ("probability", "presence")
_ONNX_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
_ONNX_LIMIT = 2_000_000_000  # bytes of weights; a file holds 2 GiB with all else


def make_members(
    models: Sequence[keras.Model], *, height: int, width: int, exclusive: bool = False
) -> list[keras.Model]:
    """Return each network in float32, with foreground probability and presence in place of logits.

    Their views are none but identity. Float32, because ONNX runtimes and older devices lack the
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
    list of keras.Model
        Each takes raw frames (N, height, width, C), 0 to 255; gives a dict: "probability", float32
        (N, height, width, K), and "presence", float32 (N, K), both as `predict_batch` has them.
    """
    members = []
    for number, model in enumerate(models):
        frames = keras.Input((height, width, model.input_shape[-1]), name="frames")
        logits = as_float32(model, name=f"network{number}")(frames)
        presence = None
        if isinstance(logits, dict):
            logits, presence = logits["mask"], logits["presence"]
            presence = layers.Activation("sigmoid", dtype="float32")(presence)
        activation = "softmax" if exclusive else "sigmoid"
        probability = layers.Activation(activation, dtype="float32")(logits)
        if presence is None:
            presence = layers.GlobalMaxPooling2D(dtype="float32")(probability)
        outputs = {"probability": probability, "presence": presence}
        members.append(keras.Model(frames, outputs, name=f"member{number}"))
    return members


def mean_of(members: Sequence[keras.Model]) -> keras.Model:
    """Return one network with the means of the members' outputs, see `make_members`."""
    if len(members) == 1:
        return members[0]
    frames = keras.Input(members[0].input_shape[1:], name="frames")
    outputs = [member(frames) for member in members]
    average = layers.Average(dtype="float32")
    means = {name: average([output[name] for output in outputs]) for name in OUTPUTS}
    return keras.Model(frames, means, name="ensemble")


def as_float32(model: keras.Model, *, name: str) -> keras.Model:
    """Return the same network with the same weights, of which every layer computes in float32."""
    config = _with_float32(model.get_config())
    copy = type(model).from_config({**config, "name": name})
    copy.set_weights(model.get_weights())
    return copy


def write_saved_model(
    members: Sequence[keras.Model], path: Path, *, advance: Callable[[int], None]
) -> None:
    """Write a folder that TensorFlow serves, into `path`: the mean of the members."""
    mean_of(members).export(path, format="tf_saved_model", verbose=False)
    advance(len(members))


def write_onnx(
    members: Sequence[keras.Model], path: Path, *, advance: Callable[[int], None]
) -> None:
    """Write the mean of the members as an ONNX file, and call `advance` after each.

    Each member is converted alone, in a process of its own: the converter takes gigabytes, and
    gives nothing back before its process ends.

    Raises
    ------
    InputError
        The extra ``[onnx]`` is not installed, or the file would be larger than ONNX files can be.
    """
    for package in _ONNX_PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise InputError(
                f"onnx: {package} is not installed; run: pip install -e .[onnx]"
            ) from error
    size = sum(4 * member.count_params() for member in members)
    if size > _ONNX_LIMIT:
        raise InputError(
            f"onnx: expected networks of at most {_ONNX_LIMIT / 1e9:.1f} GB, the limit of a file,"
            f" got {size / 1e9:.1f} GB; export fewer folds"
        )
    import onnx

    converted = []
    spawned = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        ProcessPoolExecutor(1, mp_context=spawned, max_tasks_per_child=1) as pool,
    ):
        for number, member in enumerate(members):
            network, file = (Path(folder) / f"{number}.{end}" for end in ("keras", "onnx"))
            member.save(network)
            pool.submit(_convert, network, file).result()
            converted.append(onnx.load(file))
            advance(1)
    onnx.save(_join(converted), path)


def _convert(network: Path, path: Path) -> None:
    """Convert a saved network."""
    start_keras()
    member = keras.saving.load_model(network, compile=False)
    # tf2onnx logs the traceback of an optimisation that it then leaves out.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    signature = [keras.InputSpec(dtype="float32", shape=member.input_shape, name="frames")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks for an np.object that NumPy no longer has
        member.export(path, format="onnx", verbose=False, input_signature=signature)


def _join(members: Sequence[Any]) -> Any:
    """Return one `onnx.ModelProto` on one input, with the mean of each output."""
    from onnx import compose, helper

    (frames,), outputs = members[0].graph.input, members[0].graph.output
    joined = helper.make_graph([], "ensemble", [frames], outputs)
    for number, member in enumerate(members):
        graph = compose.add_prefix(member, f"member{number}/").graph
        for node in graph.node:
            own = [frames.name if name == graph.input[0].name else name for name in node.input]
            node.input[:] = own
        joined.node.extend(graph.node)
        joined.initializer.extend(graph.initializer)
    for output in outputs:
        each = [f"member{number}/{output.name}" for number in range(len(members))]
        joined.node.append(helper.make_node("Mean", each, [output.name]))
    return helper.make_model(
        joined, opset_imports=members[0].opset_import, ir_version=members[0].ir_version
    )


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


def _with_float32(config: Any) -> Any:
    """Replace every dtype policy in a network's nested config."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": "float32"}}
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(value) for value in config)
    return config
