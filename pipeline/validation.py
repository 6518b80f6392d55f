"""YAML files as typed, frozen values; every fault is one line with its path."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML, YAMLError

from pipeline.errors import InputError


class Section(BaseModel):
    """Base of everything read from YAML: unknown keys, wrong types and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=Section)
# In place of Pydantic's words, which are of Python.
_IN_TERMS_OF_YAML = {
    "tuple_type": "expected a list",
    "dict_type": "expected keys with values",
    "model_type": "expected keys with values",
    "too_short": "expected {min_length} or more values",
}


def listed(value: object) -> object:
    """Turn a YAML list into a tuple, for fields that hold one; leave all else to validation."""
    return tuple(value) if isinstance(value, list) else value


def read_yaml(path: Path) -> Any:
    """Read YAML 1.2, as DVC does (``1e-4`` is a number).

    Raises
    ------
    InputError
        The file is missing, unreadable or no YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error


def validate(model: type[Model], values: Any, source: Path) -> Model:
    """Turn plain values into a `model`; name `source` and the path of each fault in one line.

    Raises
    ------
    InputError
        Naming every fault, for example
        ``params.yaml: train.epochs: Input should be greater than 0, got -1``.
    """
    if not isinstance(values, dict):
        got = "nothing" if values is None else type(values).__name__
        raise InputError(f"{source}: expected keys with values, got {got}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{source}: " + "; ".join(map(_describe, error.errors()))) from error


def _describe(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"] if part != "function-after")
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in _IN_TERMS_OF_YAML:
        message = _IN_TERMS_OF_YAML[fault["type"]].format(**fault.get("ctx", {}))
    if fault["type"] in ("missing", "value_error"):
        return f"{where}: {message}" if where else message
    return f"{where}: {message}, got {fault['input']!r}"
