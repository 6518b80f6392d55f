"""A competition's file layout, submission format and metric, as data."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, field_validator, model_validator

from pipeline.competitions.formats import MaskTable, SubmissionFormat
from pipeline.competitions.patterns import FilePattern
from pipeline.errors import InputError
from pipeline.validation import Section, listed, read_yaml, validate

SPECS = Path(__file__).parent

MetricName = Literal[
    "mean_dice",
    "global_dice",
    "global_f05",
    "mean_iou_precision",
    "instance_precision",
    "instance_f2",
    "mean_iou",
]

METRIC_NAMES: dict[MetricName, str] = {
    "mean_dice": "mean Dice",
    "global_dice": "global Dice",
    "global_f05": "global F0.5",
    "mean_iou_precision": "mean precision over IoU",
    "instance_precision": "mean precision over IoU of objects",
    "instance_f2": "mean F2 over IoU of objects",
    "mean_iou": "mean IoU",
}


def _check_foreground(value: object) -> object:
    # Not left to the union of types, which would tell a fault once for each of them.
    if isinstance(value, dict):
        return {name: _check_level(level) for name, level in value.items()}
    return _check_level(value)


def _check_level(value: object) -> object:
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


Foreground = int | tuple[int, int, int] | Literal["nonzero"]
Foregrounds = Annotated[Foreground | dict[str, Foreground], PlainValidator(_check_foreground)]
Length = Annotated[int, Field(ge=32, multiple_of=32)]
Levels = tuple[float, float] | Literal["own"]


def _patterns(value: object) -> object:
    return (value,) if isinstance(value, str) else listed(value)


Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns), Field(min_length=1)]


class Lists(Section):
    """Text files with the ids of the training and the test images, one a line."""

    train: str
    test: str


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
    learning_rate: Annotated[float, Field(gt=0)] = 3e-4


def _default_presets() -> dict[str, Preset]:
    return {
        "cpu": Preset(height=96, width=128, epochs=10),
        "gpu": Preset(height=256, width=256, epochs=30),
    }


class Spec(Section):
    """One competition. See ``competitions/ultrasound-nerve.yaml`` for a commented example.

    Attributes
    ----------
    images, masks, test
        File patterns. Several of images or test are the channels of one image; several of masks
        are places where an image's mask may be, the first that is there counts.
    id : str, optional
        Template of an image's id, where that is not its placeholders joined by "_".
    classes : tuple of str
        Masks per image; exclusive ones are the values 0, 1, ... of label files.
    levels : (low, high) or "own", optional
        What of an image becomes 0 and 255: fixed values, or each image's least and greatest.
        Without them images of more than 8 bits are refused.
    page : int
        Which slice of an image's last axis, where a file is a stack of many.
    """

    title: str
    images: Patterns
    masks: Patterns | None = None
    test: Patterns
    id: str | None = None
    truth: str | None = None
    lists: Lists | None = None
    sample_submission: str | None = None
    mask_table: MaskTable | None = None
    kaggle: str | None = None
    archive: Archive | None = None
    classes: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)] = ("mask",)
    foreground: Foregrounds = "nonzero"
    exclusive: bool = False
    instances: bool = False
    levels: Annotated[Levels, BeforeValidator(listed)] | None = None
    page: Annotated[int, Field(ge=0)] = 0
    frames_per_subject: Annotated[int, Field(ge=1)] = 1
    metric: MetricName = "mean_dice"
    submission: SubmissionFormat
    presets: dict[Literal["cpu", "gpu"], Preset] = Field(
        default_factory=_default_presets, min_length=1
    )

    @property
    def metric_name(self) -> str:
        """What the metric is called in a sentence."""
        return METRIC_NAMES[self.metric]

    @property
    def knows_subjects(self) -> bool:
        """Whether the files' names, or their order, tell whom a frame shows."""
        return "subject" in FilePattern(self.images[0]).names or self.frames_per_subject > 1

    @model_validator(mode="before")
    @classmethod
    def _foreground_names_classes(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("foreground"), dict):
            if "classes" in values:
                raise ValueError("classes: foreground names them already")
            return {**values, "classes": list(values["foreground"])}
        return values

    @field_validator("images", "masks", "test", "truth")
    @classmethod
    def _is_a_pattern(cls, value: Any) -> Any:
        for text in (value,) if isinstance(value, str) else value or ():
            FilePattern(text)
        return value

    @model_validator(mode="after")
    def _patterns_agree(self) -> "Spec":
        if self.masks is None and self.mask_table is None:
            raise ValueError("masks: expected a file pattern, or mask_table in its place")
        for name in ("images", "test"):
            if len(getattr(self, name)) not in (1, 3):
                raise ValueError(
                    f"{name}: expected one pattern, or three of channels, got"
                    f" {len(getattr(self, name))}"
                )
        pairs = ("images", "images"), ("images", "masks"), ("test", "test"), ("test", "truth")
        for ours, others in pairs:
            (first, *_), patterns = getattr(self, ours), getattr(self, others) or ()
            for text in (patterns,) if isinstance(patterns, str) else patterns:
                if set(FilePattern(text).id_names) != set(FilePattern(first).id_names):
                    raise ValueError(
                        f"{others}: expected the placeholders of {ours} ({first}), got {text}"
                    )
        return self

    @model_validator(mode="after")
    def _classes_fit(self) -> "Spec":
        count = len(self.classes)
        if len(set(self.classes)) < count:
            raise ValueError(f"classes: expected names that differ, got {list(self.classes)}")
        if count > (255 if self.exclusive else 8):
            raise ValueError(f"classes: expected at most 8, 255 exclusive ones, got {count}")
        if self.exclusive and (count < 2 or self.masks is None):
            raise ValueError("exclusive: expected two classes or more, in mask files")
        if self.exclusive != (self.metric == "mean_iou"):
            raise ValueError("metric: mean_iou and exclusive classes go together")
        if self.metric.startswith("instance") and not self.instances:
            raise ValueError(f"metric: {self.metric} needs instances: true")
        # Files hold one class each, unless values of their pixels tell classes apart.
        has_own_file = not self.exclusive and not isinstance(self.foreground, dict)
        for text in self.masks or ():
            if count > 1 and has_own_file != ("{class}" in text):
                raise ValueError(
                    f"masks: expected {'a' if has_own_file else 'no'} {{class}}, got {text}"
                )
        return self

    @model_validator(mode="after")
    def _templates_fit(self) -> "Spec":
        names = set(FilePattern(self.images[0]).id_names)
        several = len(self.classes) > 1
        for where, form, known in (
            ("submission", self.submission, {"id"}),
            ("mask_table", self.mask_table, {"id", *names}),
        ):
            used = set(re.findall(r"\{(\w+)\}", " ".join(form.row))) if form else None
            if used is None:
                continue
            if unknown := used - known - {"class"}:
                raise ValueError(f"{where}.row: unknown placeholder {{{min(unknown)}}}")
            if not used - {"class"} or several != ("class" in used):
                wanted = "an image and {class}" if several else "an image alone"
                raise ValueError(f"{where}.row: expected what names {wanted}, got {form.row}")
        if unknown := set(re.findall(r"\{(\w+)\}", self.id or "")) - names:
            raise ValueError(f"id: unknown placeholder {{{min(unknown)}}}")
        if isinstance(self.levels, tuple) and self.levels[0] >= self.levels[1]:
            raise ValueError(f"levels: expected two that ascend, got {list(self.levels)}")
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
