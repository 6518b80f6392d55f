from pathlib import Path
from typing import get_args

import pytest
from ruamel.yaml import YAML

from pipeline.errors import InputError
from pipeline.inference.views import VIEWS
from pipeline.masks.search import RULES
from pipeline.masks.shapes import SHAPE_PRIORS
from pipeline.params import PriorName, RuleName, ViewName, load_params, possible_views
from pipeline.stages.init import render_params
from pipeline.validation import read_yaml

STAGE = {"final_stride": 32, "epochs": 2, "learning_rate": 1e-4, "frozen": []}
SHIPPED = Path(__file__).parents[1] / "params.yaml"


def load_with(tmp_path, **changes):
    """Load the shipped parameters with some changed: ``train__epochs=3``."""
    values = read_yaml(SHIPPED)
    for name, value in changes.items():
        *sections, key = name.split("__")
        section = values
        for part in sections:
            section = section[part]
        section[key] = value
    path = tmp_path / "params.yaml"
    YAML().dump(values, path)
    return load_params(path)


def fault_of(tmp_path, **changes):
    """Return the one line without the file's name."""
    with pytest.raises(InputError) as caught:
        load_with(tmp_path, **changes)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path / 'params.yaml'}: ")
    return message.removeprefix(f"{tmp_path / 'params.yaml'}: ")


def test_load_params_shipped_file_is_what_init_writes():
    assert SHIPPED.read_text(encoding="utf-8") == render_params("sample")


def test_load_params_shipped_file_loads():
    params = load_params(SHIPPED)
    assert params.competition == "sample"
    assert params.folds.indices == (0, 1, 2, 3, 4)
    assert params.predict.views == ("identity", "hflip")


def test_load_params_shipped_exponent_is_a_number():
    assert "\n  learning_rate: 3e-4 " in SHIPPED.read_text(encoding="utf-8")
    assert load_params(SHIPPED).train.learning_rate == 0.0003


def test_load_params_every_shipped_key_has_a_comment():
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if ":" in line and not line.startswith("#")]
    without = {line.split(":")[0].strip() for line in keys if "#" not in line}
    # A section is explained by its keys, and these names say it all.
    sections = {line.rstrip(":") for line in keys if line.endswith(":")}
    assert without - sections == {"test_frames", "height", "width", "epochs", "batch_size"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("train__epochs", -1, "Input should be greater than or equal to 1, got -1"),
        ("train__epochs", "ten", "Input should be a valid integer, got 'ten'"),
        ("train__epochs", 1.5, "Input should be a valid integer, got 1.5"),
        ("preprocess__height", 100, "expected a multiple of 32 such as 96 or 128, got 100"),
        ("preprocess__height", 0, "expected a multiple of 32 such as 32 or 64, got 0"),
        ("preprocess__height", "96", "Input should be a valid integer, got '96'"),
        ("preprocess__height", None, "Input should be a valid integer, got None"),
        ("preprocess__channels", 2, "Input should be 1 or 3, got 2"),
        ("train__learning_rate", "fast", "Input should be a valid number, got 'fast'"),
        ("train__learning_rate", 0, "Input should be greater than 0, got 0"),
        ("train__learning_rate", float("inf"), "Input should be a finite number, got inf"),
        ("train__dice_over", "all", "Input should be 'image' or 'batch', got 'all'"),
        ("model__final_stride", 3, "Input should be 2, 4, 8, 16 or 32, got 3"),
        ("seed", -1, "Input should be greater than or equal to 0, got -1"),
        # Keras takes seeds below 2**32, and a fold's is seed * 1000 + fold.
        ("seed", 4294967, "Input should be less than or equal to 4294966, got 4294967"),
        ("competition", 7, "Input should be a valid string, got 7"),
        ("train__eepochs", 8, "unknown key"),
        ("trian", {}, "unknown key"),
    ],
)
def test_load_params_fault_is_one_line_with_its_path(tmp_path, name, value, expected):
    path = name.replace("__", ".")
    assert fault_of(tmp_path, **{name: value}) == f"{path}: {expected}"


def test_load_params_missing_section_is_named(tmp_path):
    values = read_yaml(SHIPPED)
    del values["train"]
    YAML().dump(values, tmp_path / "params.yaml")
    with pytest.raises(InputError, match=r"params.yaml: train: Field required$"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("indices", [[], [0], [0, 2], [1, 2], [1, 0], [0, 0, 1]])
def test_load_params_fold_indices_with_gaps_are_refused(tmp_path, indices):
    expected = f"folds.indices: expected [0, 1, ...] with at least two folds, got {indices}"
    assert fault_of(tmp_path, folds__indices=indices) == expected


@pytest.mark.parametrize("indices", [5, [0, "a"], [False, True]])
def test_load_params_fold_indices_of_another_type_are_refused(tmp_path, indices):
    assert fault_of(tmp_path, folds__indices=indices).startswith("folds.indices")


def test_load_params_unknown_view_lists_the_known_ones(tmp_path):
    fault = fault_of(tmp_path, predict__views=["identity", "x"])
    assert fault.startswith("predict.views.1: Input should be 'identity', 'hflip', 'vflip', ")
    assert fault.endswith(" or 'larger', got 'x'")


@pytest.mark.parametrize(
    ("architecture", "size", "refused"),
    [
        ("fcn", (96, 128), set()),
        ("unet", (96, 128), set()),
        ("pspnet", (96, 192), {"rot90", "rot270", "smaller", "larger"}),
        ("pspnet", (96, 96), {"smaller", "larger"}),
    ],
)
def test_possible_views_pspnet_takes_its_own_size_only(architecture, size, refused):
    assert set(VIEWS) - set(possible_views(architecture, *size)) == refused


def test_load_params_view_that_the_network_cannot_take_is_refused(tmp_path):
    fault = fault_of(
        tmp_path, model__architecture="pspnet", predict__views=["identity", "rot90", "smaller"]
    )
    assert fault == (
        "predict: views: rot90, smaller change the frames' size, which architecture pspnet"
        " doesn't take"
    )


@pytest.mark.parametrize("views", [[], "hflip"])
def test_load_params_no_list_of_views_is_refused(tmp_path, views):
    assert fault_of(tmp_path, predict__views=views).startswith("predict.views: ")


@pytest.mark.parametrize("warmup", [8.0, 9.5])
def test_load_params_warmup_up_to_the_last_epoch_is_refused(tmp_path, warmup):
    expected = f"train.warmup_epochs: expected less than epochs (8), got {warmup}"
    assert fault_of(tmp_path, train__epochs=8, train__warmup_epochs=warmup) == expected


def test_load_params_warmup_below_epochs_loads(tmp_path):
    params = load_with(tmp_path, train__epochs=8, train__warmup_epochs=7.5)
    assert params.train.warmup_epochs == 7.5


def test_load_params_warmup_is_not_blamed_for_faulty_epochs(tmp_path):
    assert fault_of(tmp_path, train__epochs=0, train__warmup_epochs=1.0).count(" got ") == 1


def test_load_params_two_faults_are_both_named(tmp_path):
    observed = fault_of(tmp_path, train__dice_over="all", sead=1)
    assert observed == (
        "train.dice_over: Input should be 'image' or 'batch', got 'all'; sead: unknown key"
    )


def test_load_params_knows_every_rule_view_and_prior():
    assert get_args(RuleName) == RULES
    assert ("none", *get_args(PriorName)) == SHAPE_PRIORS
    assert set(get_args(ViewName)) == set(VIEWS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                "train__frozen": ["block1"],
                "model__architecture": "unet",
                "model__encoder": "resnet34",
            },
            "train: frozen: expected [] for encoder resnet34",
        ),
        (
            {"train__frozen": ["block1", "head"], "model__architecture": "unet"},
            "train: frozen: expected parts of the encoder for architecture unet, got head",
        ),
        (
            {"train__frozen": ["block1"], "model__encoder_weights": "none"},
            "train: frozen: expected [] for encoder_weights none",
        ),
        (
            {"train__earlier_stages": [STAGE], "model__architecture": "unet"},
            "train: earlier_stages: expected [] for architecture unet",
        ),
        (
            {
                "train__encoder_rate": 0.1,
                "model__architecture": "fpn",
                "model__encoder": "resnet34",
            },
            "train: encoder_rate: expected 1.0 for encoder resnet34, got 0.1",
        ),
    ],
)
def test_load_params_training_that_the_network_cannot_have_is_refused(tmp_path, changes, expected):
    assert fault_of(tmp_path, **changes) == expected
