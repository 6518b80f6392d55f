"""``params.yaml`` as one typed, frozen value."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.validation import Section, read_yaml, validate

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
ViewName = Literal["identity", "hflip", "vflip", "rot180"]


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _multiple_of_32(value: int) -> int:
    if value < 32 or value % 32:
        below = max(32, value // 32 * 32)
        above = max(64, below + 32)
        raise ValueError(f"expected a multiple of 32 such as {below} or {above}, got {value}")
    return value


Length = Annotated[int, BeforeValidator(_multiple_of_32)]


class Sample(Section):
    """How much synthetic data `pipeline sample` makes."""

    subjects: Count
    frames: Count
    test_frames: Count


class Preprocess(Section):
    """The size at which the network sees the frames, pixels."""

    height: Length
    width: Length
    channels: Literal[1, 3]


class Folds(Section):
    """The validation folds."""

    indices: Annotated[tuple[int, ...], BeforeValidator(_listed)]

    @field_validator("indices")
    @classmethod
    def _count_up_from_zero(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) < 2 or value != tuple(range(len(value))):
            raise ValueError(f"expected [0, 1, ...] with at least two folds, got {list(value)}")
        return value


class Model(Section):
    """The network."""

    final_stride: Literal[2, 4, 8, 16, 32]
    width: Count
    encoder_weights: str


class Train(Section):
    """How one fold is trained."""

    epochs: Count
    batch_size: Count
    learning_rate: Rate
    warmup_epochs: Annotated[float, Field(ge=0)]
    loss: Literal["dice", "dice_bce"]
    dice_over: Literal["image", "batch"]
    augmentation: Literal["none", "light"]
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]

    @model_validator(mode="after")
    def _warmup_ends(self) -> "Train":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs: expected less than epochs ({self.epochs}),"
                f" got {self.warmup_epochs}"
            )
        return self


class Predict(Section):
    """How probability maps are made, out-of-fold and for the test set alike."""

    views: Annotated[tuple[ViewName, ...], BeforeValidator(_listed), Field(min_length=1)]
    batch_size: Count


class Params(Section):
    """Everything that `params.yaml` holds. The file's comments say what each value does."""

    competition: str
    data_dir: str
    seed: Annotated[int, Field(ge=0)]
    sample: Sample
    preprocess: Preprocess
    folds: Folds
    model: Model
    train: Train
    predict: Predict


def load_params(path: Path) -> Params:
    """Read and validate `params.yaml` as a whole.

    Raises
    ------
    InputError
        One line that names every unknown key, wrong type and impossible value by its path.
    """
    return validate(Params, read_yaml(path), path)
