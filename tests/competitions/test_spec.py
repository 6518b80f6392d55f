import re
from typing import get_args

import pytest

from pipeline.competitions.formats import MaskTable, TableFormat
from pipeline.competitions.patterns import FilePattern
from pipeline.competitions.spec import SPECS, MetricName, Spec, load_spec
from pipeline.errors import InputError
from pipeline.masks.instances import INSTANCE_METRICS
from pipeline.masks.metrics import METRICS
from pipeline.params import load_params
from pipeline.stages.init import render_params
from pipeline.validation import validate


def load_sample_with(tmp_path, old, new):
    """Load the sample's spec, as a user's own file, with one text replaced."""
    text = (SPECS / "sample.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return load_spec(str(path))


# The specs that come with the project


def test_load_spec_ultrasound_nerve_is_the_competition():
    spec = load_spec("ultrasound-nerve")
    assert spec.submission.header == ("img", "pixels")
    assert (spec.submission.order, spec.submission.origin) == ("columns", 1)
    assert (spec.submission.empty, spec.submission.ids) == ("", "integer")
    assert (spec.foreground, spec.frames_per_subject, spec.truth) == (255, 1, None)
    (images,) = map(FilePattern, spec.images)
    assert images.match("train/47_120.tif") == {"subject": "47", "frame": "120"}
    assert images.match("train/47_120_mask.tif") is None
    assert (spec.classes, spec.exclusive, spec.instances) == (("mask",), False, False)
    assert (spec.levels, spec.page, spec.metric) == (None, 0, "mean_dice")


def test_load_spec_ultrasound_nerve_knows_its_table_of_masks():
    table = load_spec("ultrasound-nerve").mask_table
    assert isinstance(table, MaskTable)
    assert (table.file, table.header) == ("train_masks.csv", ("subject", "img", "pixels"))
    assert table.key("47_120", "mask", subject="47", frame="120") == ("47", "120")
    assert table.scan == {"order": "columns", "origin": 1, "relative": False}


def test_load_spec_usgra_seg_takes_a_colour_and_knows_no_subjects():
    spec = load_spec("usgra-seg")
    assert (spec.foreground, spec.frames_per_subject) == ((128, 0, 0), 1)
    assert not spec.knows_subjects
    (masks,) = map(FilePattern, spec.masks)
    assert masks.path(id="a 1") == "masks/a 1.png"


def test_load_spec_usgra_seg_has_an_open_archive_at_one_commit():
    archive = load_spec("usgra-seg").archive
    commit = archive.url.rpartition("/")[2]
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert archive.folder == f"usgra-seg-{commit}/dataset"  # GitHub's name for what it packs


@pytest.mark.parametrize("name", sorted(path.stem for path in SPECS.glob("*.yaml")))
def test_load_spec_each_preset_makes_valid_params(tmp_path, name):
    for device in load_spec(name).presets:
        path = tmp_path / f"{device}.yaml"
        path.write_text(render_params(name, device=device), encoding="utf-8")
        assert load_params(path).competition == name


# A user's own


def test_load_spec_unknown_name_lists_the_known_ones():
    known = sorted(path.stem for path in SPECS.glob("*.yaml"))
    assert {"sample", "ultrasound-nerve", "usgra-seg"} <= set(known)
    expected = (
        f"competition: expected one of {', '.join(known)} or a path to a .yaml file, got 'nerve'"
    )
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        load_spec("nerve")


def test_load_spec_missing_file_is_named():
    with pytest.raises(InputError, match=r"^none\.yml: can't be read: No such file"):
        load_spec("none.yml")


def test_load_spec_own_file_may_leave_out_what_has_a_default(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "title: Mine\nimages: a/{id}.png\nmasks: b/{id}.png\ntest: c/{id}.png\n"
        "foreground: nonzero\nsubmission: {header: [id, rle]}\n"
    )
    spec = load_spec(str(path))
    assert (spec.submission.order, spec.submission.origin, spec.submission.empty) == (
        "columns",
        1,
        "",
    )
    assert list(spec.presets) == ["cpu", "gpu"]


@pytest.mark.parametrize(
    ("archive", "expected"),
    [
        ("{url: 'ftp://a/b.zip'}", "archive.url: String should match pattern"),
        ("{url: 'https://a/b c.zip'}", "archive.url: String should match pattern"),
        ("{sha256: abc}", "archive.url: Field required"),
        ("{url: 'https://a/b', sha256: abc}", "archive.sha256: String should match pattern"),
        ("{url: 'https://a/b', md5: abc}", "archive.md5: unknown key"),
    ],
)
def test_load_spec_bad_archive_is_refused(tmp_path, archive, expected):
    with pytest.raises(InputError, match=re.escape(expected)):
        load_sample_with(tmp_path, "foreground: 255", f"foreground: 255\narchive: {archive}")


@pytest.mark.parametrize("value", ["1", "255", "nonzero", "[0, 128, 255]"])
def test_load_spec_good_foreground_loads(tmp_path, value):
    expected = {"1": 1, "255": 255, "nonzero": "nonzero"}.get(value, (0, 128, 255))
    assert load_sample_with(tmp_path, "foreground: 255", f"foreground: {value}").foreground == (
        expected
    )


@pytest.mark.parametrize(
    "value", ["0", "256", "true", "white", "[1, 2]", "[1, 2, 300]", "[1.0, 2, 3]", "[true, 2, 3]"]
)
def test_load_spec_bad_foreground_is_refused_in_one_sentence(tmp_path, value):
    expected = r"foreground: expected 1 to 255, an RGB colour \[R, G, B\] or nonzero, got [^;]*$"
    with pytest.raises(InputError, match=expected):
        load_sample_with(tmp_path, "foreground: 255", f"foreground: {value}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "train/{subject}_{frame}.tif",
            "train/{patient}_{frame}.tif",
            "images: unknown placeholder {patient} in 'train/{patient}_{frame}.tif';"
            " known: {subject}, {frame}, {part}, {id}, {class}, {instance}",
        ),
        (
            "train/{subject}_{frame}.tif",
            "train/{subject}.tif",
            "images: 'train/{subject}.tif' holds neither {id} nor {frame}",
        ),
        (
            "train/{subject}_{frame}.tif",
            "train/{frame}/{frame}.tif",
            "masks: expected the placeholders of images (train/{frame}/{frame}.tif),"
            " got train/{subject}_{frame}_mask.tif",
        ),
        (
            "train/{subject}_{frame}.tif",
            "train/{subject}{frame}.tif",
            "images: 'train/{subject}{frame}.tif' has nothing between two placeholders to tell"
            " them apart",
        ),
        ("test: test/", "test: ../", "test: '../{id}.tif' leaves the data folder"),
        ("test: test/", "test: /", "test: '/{id}.tif' leaves the data folder"),
        ("test: test/", "test: ./", "test: expected '{id}.tif', got './{id}.tif'"),
        (
            "{subject}_{frame}_mask",
            "{frame}_mask",
            "masks: expected the placeholders of images (train/{subject}_{frame}.tif),"
            " got train/{frame}_mask.tif",
        ),
        (
            "truth/{id}",
            "truth/{frame}",
            "truth: expected the placeholders of test (test/{id}.tif), got truth/{frame}.tif",
        ),
        (
            "metric: mean_dice",
            "metric: iou",
            "metric: Input should be 'mean_dice', 'global_dice', 'global_f05',"
            " 'mean_iou_precision', 'instance_precision', 'instance_f2' or 'mean_iou', got 'iou'",
        ),
        (
            "order: columns",
            "order: column",
            "submission.order: Input should be 'columns' or 'rows', got 'column'",
        ),
        ("origin: 1", "origin: 2", "submission.origin: Input should be 0 or 1, got 2"),
        # In YAML -1 is a number; "-1" is the marker.
        ('empty: ""', "empty: -1", "submission.empty: Input should be a valid string, got -1"),
        (
            "[img, pixels]",
            "[img]",
            "submission.header: expected 2 or more values, got ['img']",
        ),
        ("title:", "titel:", "title: Field required; titel: unknown key"),
        (
            "height: 96",
            "height: 100",
            "presets.cpu.height: Input should be a multiple of 32, got 100",
        ),
        (
            "epochs: 12",
            "epochs: 0",
            "presets.cpu.epochs: Input should be greater than or equal to 1, got 0",
        ),
    ],
)
def test_load_spec_fault_is_one_line_with_its_path(tmp_path, old, new, expected):
    with pytest.raises(InputError) as caught:
        load_sample_with(tmp_path, old, new)
    assert str(caught.value) == f"{tmp_path / 'mine.yaml'}: {expected}"


def test_load_spec_no_preset_is_refused(tmp_path):
    preset = "  cpu: {height: 96, width: 128, batch_size: 16, epochs: 12}"
    with pytest.raises(InputError, match=r"mine.yaml: presets: expected 1 or more values"):
        load_sample_with(tmp_path, preset, "  {}")


# Classes

ONE = {
    "title": "Mine",
    "images": "a/{id}.png",
    "masks": "b/{id}.png",
    "test": "c/{id}.png",
    "submission": {"header": ["id", "rle"]},
}
TWO = {
    **ONE,
    "masks": "b/{id}_{class}.png",
    "classes": ["left", "right"],
    "submission": {"header": ["id", "class", "rle"], "row": ["{id}", "{class}"]},
}
TABLE = {"file": "masks.csv", "header": ["id", "rle"]}


def make_spec(base=ONE, **changes):
    return validate(Spec, {**base, **changes}, SPECS / "mine.yaml")


def fault_of(base=ONE, **changes):
    with pytest.raises(InputError) as caught:
        make_spec(base, **changes)
    return str(caught.value).removeprefix(f"{SPECS / 'mine.yaml'}: ")


def test_spec_alone_has_one_class_of_nonzero_pixels():
    spec = make_spec()
    assert (spec.classes, spec.foreground) == (("mask",), "nonzero")
    assert (spec.images, spec.masks, spec.test) == (
        ("a/{id}.png",),
        ("b/{id}.png",),
        ("c/{id}.png",),
    )


def test_spec_a_foreground_of_each_names_the_classes():
    form = TWO["submission"]
    spec = make_spec(foreground={"nerve": [128, 0, 0], "vessel": 7}, submission=form)
    assert spec.classes == ("nerve", "vessel")
    assert spec.foreground == {"nerve": (128, 0, 0), "vessel": 7}


@pytest.mark.parametrize("value", [0, 300, "white", [1, 2]])
def test_spec_a_bad_foreground_of_a_class_is_one_fault(value):
    assert fault_of(foreground={"a": 1, "b": value}, submission=TWO["submission"]) == (
        f"foreground: expected 1 to 255, an RGB colour [R, G, B] or nonzero, got {value!r}"
    )


def test_spec_several_patterns_are_a_tuple():
    images = ["r/{id}.png", "g/{id}.png", "b/{id}.png"]
    spec = make_spec(images=images, masks=["b/{id}.png", "old/{id}.gif"])
    assert spec.images == tuple(images)
    assert spec.masks == ("b/{id}.png", "old/{id}.gif")


@pytest.mark.parametrize(("levels", "expected"), [("own", "own"), ([0, 4095], (0, 4095))])
def test_spec_levels_are_a_pair_or_each_images_own(levels, expected):
    assert make_spec(levels=levels, page=3).levels == expected


def test_spec_bad_levels_are_refused():
    for levels in (5, [1], [0, 1, 2], "auto"):
        assert fault_of(levels=levels).startswith("levels.")


def test_spec_exclusive_classes_may_be_many():
    names = [f"class{number}" for number in range(255)]
    spec = make_spec(TWO, masks="b/{id}.png", classes=names, exclusive=True, metric="mean_iou")
    assert len(spec.classes) == 255


@pytest.mark.parametrize("metric", INSTANCE_METRICS)
def test_spec_instance_metrics_go_with_instances(metric):
    masks = "b/{id}/{instance}.png"
    assert make_spec(masks=masks, instances=True, metric=metric).metric == metric
    assert fault_of(masks=masks, metric=metric) == f"metric: {metric} needs instances: true"


def test_metric_names_are_those_of_the_metrics():
    assert list(get_args(MetricName)) == list(METRICS)
    instance_metrics = {name for name in METRICS if name.startswith("instance")}
    assert instance_metrics == set(INSTANCE_METRICS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"classes": ["a"], "foreground": {"a": 1}}, "classes: foreground names them already"),
        ({"classes": ["a", "a"]}, "classes: expected names that differ, got ['a', 'a']"),
        (
            {"classes": list("abcdefghi")},
            "classes: expected at most 8, 255 exclusive ones, got 9",
        ),
        (
            {"classes": [f"{i}" for i in range(256)], "exclusive": True, "metric": "mean_iou"},
            "classes: expected at most 8, 255 exclusive ones, got 256",
        ),
        ({"exclusive": True}, "metric: mean_iou and exclusive classes go together"),
        ({"metric": "mean_iou"}, "metric: mean_iou and exclusive classes go together"),
        (
            {"exclusive": True, "metric": "mean_iou", "masks": None, "mask_table": TABLE},
            "exclusive: expected two classes or more, in mask files",
        ),
        (
            {"submission": {"header": ["id", "rle"]}},
            "submission.row: expected what names an image and {class}, got ('{id}',)",
        ),
        (
            {"submission": {"header": ["a", "b", "rle"], "row": ["{class}", "{class}"]}},
            "submission.row: expected what names an image and {class}, got ('{class}', '{class}')",
        ),
        (
            {"classes": ["left"], "masks": "b/{id}.png"},
            "submission.row: expected what names an image alone, got ('{id}', '{class}')",
        ),
        (
            {"exclusive": True, "metric": "mean_iou"},
            "masks: expected no {class}, got b/{id}_{class}.png",
        ),
        ({"masks": "b/{id}.png"}, "masks: expected a {class}, got b/{id}.png"),
        ({"id": "{id}_{part}"}, "id: unknown placeholder {part}"),
        ({"levels": [9, 9]}, "levels: expected two that ascend, got [9.0, 9.0]"),
        (
            {"masks": None, "mask_table": {"file": "t.csv", "header": ["id", "rle"]}},
            "mask_table.row: expected what names an image and {class}, got ('{id}',)",
        ),
        (
            {"submission": {"header": ["id", "class", "rle"], "row": ["{id}_{class}"]}},
            "submission: row: expected 2 templates for the columns id, class, rle, got 1",
        ),
        (
            {"submission": {"header": ["x", "rle"], "row": ["{id}_{class}_{frame}"]}},
            "submission.row: unknown placeholder {frame}",
        ),
        (
            {"mask_table": {**TABLE, "row": ["{subject}"]}},
            "mask_table.row: unknown placeholder {subject}",
        ),
        ({"masks": None}, "masks: expected a file pattern, or mask_table in its place"),
        (
            {"images": ["r/{id}.png", "g/{id}.png"]},
            "images: expected one pattern, or three of channels, got 2",
        ),
        (
            {"test": ["r/{id}.png", "g/{frame}.png", "b/{id}.png"]},
            "test: expected the placeholders of test (r/{id}.png), got g/{frame}.png",
        ),
        (
            {"masks": ["b/{id}.png", "b/{subject}_{frame}.png"]},
            "masks: expected the placeholders of images (a/{id}.png), got b/{subject}_{frame}.png",
        ),
        ({"page": -1}, "page: Input should be greater than or equal to 0, got -1"),
    ],
)
def test_spec_that_contradicts_itself_is_told_in_one_line(changes, expected):
    assert fault_of(TWO, **changes) == expected


def test_spec_masks_may_have_placeholders_that_tell_masks_apart():
    for masks in ("b/{class}/{id}.png", "{class}/{id}/x*_{instance}.png"):
        assert make_spec(TWO, masks=masks).masks == (masks,)


# Tables


def test_key_fills_the_templates_of_the_row():
    form = TableFormat(header=("Image_Label", "x", "rle"), row=("{id}.jpg_{class}", "{part}"))
    assert form.key("a1", "Fish", part="left", frame="9") == ("a1.jpg_Fish", "left")


def test_key_ids_with_braces_stay_as_they_are():
    form = TableFormat(header=("id", "rle"))
    assert form.key("{class}", "Fish") == ("{class}",)


def test_scan_is_what_run_lengths_take():
    form = TableFormat(header=("id", "rle"), order="rows", origin=0, relative=True)
    assert form.scan == {"order": "rows", "origin": 0, "relative": True}
