import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.competitions.spec import SPECS, FilePattern, load_spec
from pipeline.errors import InputError
from pipeline.params import load_params
from pipeline.stages.init import render_params


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
    assert FilePattern(spec.images).match("train/47_120.tif") == {"subject": "47", "frame": "120"}
    assert FilePattern(spec.images).match("train/47_120_mask.tif") is None


def test_load_spec_usgra_seg_takes_a_colour_and_knows_no_subjects():
    spec = load_spec("usgra-seg")
    assert (spec.foreground, spec.frames_per_subject) == ((128, 0, 0), 1)
    assert not spec.knows_subjects
    assert FilePattern(spec.masks).path(id="a 1") == "masks/a 1.png"


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
    expected = (
        "competition: expected one of sample, ultrasound-nerve, usgra-seg or a path to a .yaml"
        " file, got 'nerve'"
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
            " known: {subject}, {frame}, {id}",
        ),
        (
            "train/{subject}_{frame}.tif",
            "train/{subject}.tif",
            "images: 'train/{subject}.tif' holds neither {id} nor {frame}",
        ),
        (
            "train/{subject}_{frame}.tif",
            "train/{frame}/{frame}.tif",
            "images: 'train/{frame}/{frame}.tif' names a placeholder twice",
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
        ("metric: mean_dice", "metric: iou", "metric: Input should be 'mean_dice', got 'iou'"),
        (
            "order: columns",
            "order: column",
            "submission.order: Input should be 'columns' or 'rows', got 'column'",
        ),
        ("origin: 1", "origin: 2", "submission.origin: Input should be 0 or 1, got 2"),
        # In YAML -1 is a number; "-1" is the marker.
        ('empty: ""', "empty: -1", "submission.empty: Input should be a valid string, got -1"),
        ("[img, pixels]", "[img]", "submission.header.1: Field required"),
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
    with pytest.raises(InputError, match=r"mine.yaml: presets: .*at least 1 item"):
        load_sample_with(tmp_path, preset, "  {}")


# File patterns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train/{id}.tif", "train"),
        ("{id}.tif", "."),
        ("a/b/{subject}/{frame}.png", "a/b"),
        ("a/x{id}.png", "a"),
    ],
)
def test_folder_is_what_stands_before_the_placeholders(text, expected):
    assert FilePattern(text).folder == expected


def test_match_other_paths_are_none():
    pattern = FilePattern("a.b/{id}.tif")
    assert pattern.match("a.b/1.tif") == {"id": "1"}
    # A dot is a dot, an id is one name and not blank, and the whole path is meant.
    for path in ("axb/1.tif", "a.b/c/1.tif", "a.b/.tif", "a.b/1.tiff", "x/a.b/1.tif"):
        assert pattern.match(path) is None


# Text around the placeholders, regular expressions' signs included; and a separator that holds
# "_" or "/", which neither subject nor frame may hold.
literal = st.text(st.sampled_from("abc.+*?()[]^$-"), max_size=4)
separator = st.tuples(literal, st.sampled_from("_/"), literal).map("".join)
plain = st.text(st.characters(exclude_characters="/_", exclude_categories=["Cs"]), min_size=1)
name = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)


@given(
    before=literal,
    between=st.lists(separator, min_size=2, max_size=2),
    after=literal,
    order=st.permutations(["subject", "frame", "id"]),
    count=st.integers(1, 3),
    values=st.fixed_dictionaries({"subject": plain, "frame": plain, "id": name}),
)
def test_match_undoes_path_for_legal_values(before, between, after, order, count, values):
    names = order[:count]
    if "id" not in names and "frame" not in names:
        names = ["frame"]
    parts = [f"{{{names[0]}}}"]
    for one, text in zip(names[1:], between, strict=False):
        parts += [text, f"{{{one}}}"]
    pattern = FilePattern(f"d{before}{''.join(parts)}{after}e")
    expected = {one: values[one] for one in names}
    assert pattern.match(pattern.path(**values)) == expected
