"""A competition's file layout, submission format and metric, as data."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.errors import InputError
from pipeline.validation import Section, listed, read_yaml, validate

SPECS = Path(__file__).parent

# What a placeholder of a file pattern stands for. Subject and frame hold no underscore, so that
# "{subject}_{frame}.tif" does not take "1_2_mask.tif" for a frame.
_PLACEHOLDERS = {"subject": r"[^/_]+", "frame": r"[^/_]+", "id": r"[^/]+"}


def _check_foreground(value: object) -> object:
    levels = range(256)
    if value == "nonzero" or (type(value) is int and value in levels[1:]):
        return value
    if (
        isinstance(value, list)
        and len(value) == 3
        and all(type(level) is int and level in levels for level in value)
    ):
        return tuple(value)
    raise ValueError(f"expected 1 to 255, an RGB colour [R, G, B] or nonzero, got {value!r}")


Foreground = Annotated[
    int | tuple[int, int, int] | Literal["nonzero"], BeforeValidator(_check_foreground)
]
Length = Annotated[int, Field(ge=32, multiple_of=32)]


class FilePattern:
    """A relative file path with placeholders, such as ``train/{subject}_{frame}_mask.tif``.

    Examples
    --------
    >>> pattern = FilePattern("train/{subject}_{frame}.tif")
    >>> pattern.match("train/3_7.tif")
    {'subject': '3', 'frame': '7'}
    >>> pattern.match("train/3_7_mask.tif") is None
    True
    >>> pattern.path(subject="3", frame="7")
    'train/3_7.tif'
    """

    def __init__(self, text: str) -> None:
        parts = re.split(r"\{(\w+)\}", text)
        names = parts[1::2]
        unknown = [name for name in names if name not in _PLACEHOLDERS]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{unknown[0]}}} in {text!r}; known: {known}")
        if "id" not in names and "frame" not in names:
            raise ValueError(f"{text!r} holds neither {{id}} nor {{frame}}")
        if len(set(names)) < len(names):
            raise ValueError(f"{text!r} names a placeholder twice")
        if text.startswith("/") or ".." in Path(text).parts:
            raise ValueError(f"{text!r} leaves the data folder")
        if PurePosixPath(text).as_posix() != text:
            raise ValueError(f"expected {PurePosixPath(text).as_posix()!r}, got {text!r}")
        if "" in parts[2:-1:2]:
            raise ValueError(f"{text!r} has nothing between two placeholders to tell them apart")
        self.text = text
        self.names = tuple(names)
        self._regex = re.compile(
            "".join(
                f"(?P<{part}>{_PLACEHOLDERS[part]})" if i % 2 else re.escape(part)
                for i, part in enumerate(parts)
            )
        )

    @property
    def folder(self) -> str:
        """The part before the first placeholder's folder, to list files in."""
        return str(Path(self.text.split("{", 1)[0] + "x").parent)

    def match(self, relative_path: str) -> dict[str, str] | None:
        """Return the placeholders' values where the path fits, else None."""
        found = self._regex.fullmatch(relative_path)
        return found.groupdict() if found else None

    def path(self, **values: str) -> str:
        """Return the relative path for these values; more values than needed may be given."""
        return re.sub(r"\{(\w+)\}", lambda name: values[name[1]], self.text)


class SubmissionFormat(Section):
    """How ``submission.csv`` is written."""

    header: Annotated[tuple[str, str], BeforeValidator(listed)]
    order: Literal["columns", "rows"] = "columns"
    origin: Literal[0, 1] = 1
    empty: str = ""
    ids: Literal["integer", "name"] = "name"


class Archive(Section):
    """Where a data set's files can be had without an account."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    folder: str = ""


class Preset(Section):
    """Parameters that `pipeline init` writes for one kind of device."""

    height: Length
    width: Length
    channels: Literal[1, 3] = 1
    batch_size: Annotated[int, Field(ge=1)] = 16
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4


def _default_presets() -> dict[str, Preset]:
    return {
        "cpu": Preset(height=96, width=128, epochs=10),
        "gpu": Preset(height=256, width=256, epochs=30),
    }


class Spec(Section):
    """One competition. See ``competitions/ultrasound-nerve.yaml`` for a commented example."""

    title: str
    images: str
    masks: str
    test: str
    truth: str | None = None
    sample_submission: str | None = None
    mask_table: str | None = None
    kaggle: str | None = None
    archive: Archive | None = None
    foreground: Foreground
    frames_per_subject: Annotated[int, Field(ge=1)] = 1
    metric: Literal["mean_dice"] = "mean_dice"
    submission: SubmissionFormat
    presets: dict[Literal["cpu", "gpu"], Preset] = Field(
        default_factory=_default_presets, min_length=1
    )

    @property
    def knows_subjects(self) -> bool:
        """Whether the files' names, or their order, tell whom a frame shows."""
        return "subject" in FilePattern(self.images).names or self.frames_per_subject > 1

    @field_validator("images", "masks", "test", "truth")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            FilePattern(value)
        return value

    @model_validator(mode="after")
    def _patterns_agree(self) -> "Spec":
        if set(FilePattern(self.images).names) != set(FilePattern(self.masks).names):
            raise ValueError(
                f"masks: expected the placeholders of images ({self.images}), got {self.masks}"
            )
        test_names = set(FilePattern(self.test).names)
        if self.truth is not None and set(FilePattern(self.truth).names) != test_names:
            raise ValueError(
                f"truth: expected the placeholders of test ({self.test}), got {self.truth}"
            )
        return self


def known_specs() -> Mapping[str, Path]:
    """Return the files of the competitions that come with the project, by name."""
    return {path.stem: path for path in sorted(SPECS.glob("*.yaml"))}


def load_spec(competition: str) -> Spec:
    """Load a competition that comes with the project by its name, or any by its YAML file.

    Raises
    ------
    InputError
        The name is unknown, or the file is missing or at fault.
    """
    if competition.endswith((".yaml", ".yml")):
        path = Path(competition)
    else:
        specs = known_specs()
        if competition not in specs:
            raise InputError(
                f"competition: expected one of {', '.join(specs)} or a path to a .yaml file,"
                f" got {competition!r}"
            )
        path = specs[competition]
    return validate(Spec, read_yaml(path), path)
