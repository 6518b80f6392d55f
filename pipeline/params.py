"""``params.yaml`` as one typed, frozen value."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from pipeline.validation import Section, listed, read_yaml, validate

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
ViewName = Literal[
    "identity",
    "hflip",
    "vflip",
    "rot180",
    "rot90",
    "rot270",
    "shift",
    "shift_back",
    "smaller",
    "larger",
]
# These change the frames' size, the turns only where it is not square.
TURNS, SCALES = {"rot90", "rot270"}, {"smaller", "larger"}
RuleName = Literal["min_area", "upper", "largest", "holes", "presence"]
PriorName = Literal["ellipse", "components"]


def _multiple_of_32(value: int) -> int:
    if value < 32 or value % 32:
        below = max(32, value // 32 * 32)
        above = max(64, below + 32)
        raise ValueError(f"expected a multiple of 32 such as {below} or {above}, got {value}")
    return value


Length = Annotated[int, AfterValidator(_multiple_of_32)]


class Sample(Section):
    """How much synthetic data `pipeline sample` makes."""

    subjects: Count
    frames: Count
    test_frames: Count


class Preprocess(Section):
    """The size at which the network sees the frames, pixels, and which frames it sees."""

    height: Length
    width: Length
    channels: Literal[1, 3]
    contradictions: Literal["keep", "drop_empty", "drop_both"]

    @property
    def size(self) -> dict[str, int]:
        """Height, width and channels."""
        return self.model_dump(include={"height", "width", "channels"})


class Folds(Section):
    """The validation folds."""

    indices: Annotated[tuple[int, ...], BeforeValidator(listed)]

    @field_validator("indices")
    @classmethod
    def _count_up_from_zero(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) < 2 or value != tuple(range(len(value))):
            raise ValueError(f"expected [0, 1, ...] with at least two folds, got {list(value)}")
        return value


class Model(Section):
    """The network."""

    architecture: Literal["fcn", "unet", "fpn", "linknet", "pspnet"]
    encoder: str
    encoder_weights: str
    final_stride: Literal[2, 4, 8, 16, 32]
    head: Literal["score", "fc"]
    head_width: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    width: Count
    upsampling: Literal["learned", "frozen"]
    refine: bool
    batch_norm: bool
    finest_skip: bool
    scale_skips: bool
    l2: Annotated[float, Field(ge=0)]
    presence_head: bool
    prior: Annotated[float, Field(gt=0, lt=1)]

    @field_validator("encoder")
    @classmethod
    def _fcn_has_vgg16(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("architecture") == "fcn" and value != "vgg16":
            raise ValueError(f"expected vgg16 for architecture fcn, got {value!r}")
        return value


PartName = Literal["block1", "block2", "encoder", "head", "upsampling"]


class Stage(Section):
    """A phase of training before the last one."""

    final_stride: Literal[2, 4, 8, 16, 32]
    epochs: Count
    learning_rate: Rate
    frozen: Annotated[tuple[PartName, ...], BeforeValidator(listed)]
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0


class Train(Section):
    """How one fold is trained."""

    epochs: Count
    batch_size: Count
    learning_rate: Rate
    warmup_epochs: Annotated[float, Field(ge=0)]
    encoder_rate: Annotated[float, Field(gt=0, le=1)]
    frozen: Annotated[tuple[PartName, ...], BeforeValidator(listed)]
    earlier_stages: Annotated[tuple[Stage, ...], BeforeValidator(listed)]
    loss: Literal["dice", "dice_bce", "dice_focal", "tversky", "lovasz"]
    dice_over: Literal["image", "batch"]
    augmentation: Literal["none", "light", "medium", "strong"]
    clip_norm: Rate | None
    ema: Annotated[float, Field(gt=0, lt=1)] | None
    weight_decay: Rate | None
    presence_weight: Rate
    patience: Count | None
    average_best: Count
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]

    @field_validator("warmup_epochs")
    @classmethod
    def _warmup_ends(cls, value: float, info: ValidationInfo) -> float:
        epochs = info.data.get("epochs")  # absent where it is at fault itself
        if epochs is not None and value >= epochs:
            raise ValueError(f"expected less than epochs ({epochs}), got {value}")
        return value


class Predict(Section):
    """How probability maps are made, out-of-fold and for the test set alike."""

    views: Annotated[tuple[ViewName, ...], BeforeValidator(listed), Field(min_length=1)]
    batch_size: Count

    @field_validator("views")
    @classmethod
    def _differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError(f"expected views that differ, got {list(value)}")
        return value


class Tune(Section):
    """What may be done to masks."""

    rules: Annotated[tuple[RuleName, ...], BeforeValidator(listed)]
    shape_priors: Annotated[tuple[PriorName, ...], BeforeValidator(listed)]


class Params(Section):
    """Everything that `params.yaml` holds. The file's comments say what each value does."""

    competition: str
    data_dir: str
    seed: Annotated[int, Field(ge=0, le=4_294_966)]  # a fold's is seed * 1000 + fold, 32 bits
    sample: Sample
    preprocess: Preprocess
    folds: Folds
    model: Model
    train: Train
    tune: Tune
    predict: Predict

    @field_validator("train")
    @classmethod
    def _suits_the_network(cls, value: Train, info: ValidationInfo) -> Train:
        model = info.data.get("model")  # absent where it is at fault itself
        if model is None:
            return value
        if value.earlier_stages and model.architecture != "fcn":
            raise ValueError(f"earlier_stages: expected [] for architecture {model.architecture}")
        has_vgg_blocks = model.encoder in ("vgg16", "vgg19")
        if value.encoder_rate < 1 and not has_vgg_blocks:
            raise ValueError(
                f"encoder_rate: expected 1.0 for encoder {model.encoder}, got {value.encoder_rate}"
            )
        if value.frozen and not has_vgg_blocks:
            raise ValueError(f"frozen: expected [] for encoder {model.encoder}")
        of_fcn = [part for part in value.frozen if part in ("head", "upsampling")]
        if of_fcn and model.architecture != "fcn":
            raise ValueError(
                f"frozen: expected parts of the encoder for architecture {model.architecture},"
                f" got {', '.join(of_fcn)}"
            )
        if value.frozen and model.encoder_weights == "none":
            raise ValueError("frozen: expected [] for encoder_weights none")
        return value

    @field_validator("predict")
    @classmethod
    def _views_suit_the_network(cls, value: Predict, info: ValidationInfo) -> Predict:
        model, size = info.data.get("model"), info.data.get("preprocess")
        if model is not None and size is not None:
            possible = possible_views(model.architecture, size.height, size.width)
            refused = [name for name in value.views if name not in possible]
            if refused:
                raise ValueError(
                    f"views: {', '.join(refused)} change the frames' size, which architecture"
                    f" {model.architecture} doesn't take"
                )
        return value


def possible_views(architecture: str, height: int, width: int) -> list[ViewName]:
    """Return the views that a network can predict: PSPNet takes no size but its own."""
    refused = SCALES if architecture == "pspnet" else set()
    if architecture == "pspnet" and height != width:
        refused = refused | TURNS
    return [name for name in get_args(ViewName) if name not in refused]


def load_params(path: Path) -> Params:
    """Read and validate `params.yaml` as a whole.

    Raises
    ------
    InputError
        One line that names every unknown key, wrong type and impossible value by its path.
    """
    return validate(Params, read_yaml(path), path)
