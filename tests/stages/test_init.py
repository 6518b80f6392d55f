import pytest

from pipeline.competitions.spec import SPECS, known_specs, load_spec
from pipeline.errors import InputError
from pipeline.params import load_params
from pipeline.paths import Paths
from pipeline.stages.init import NETWORKS, list_competitions, render_params, run


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path)


def init(paths, competition="sample", *, data_dir=None, device=None):
    return run(paths, competition, data_dir=data_dir, device=device)


def names(paths):
    return sorted(path.name for path in paths.root.iterdir())


# The text


def test_render_params_takes_size_and_epochs_of_the_preset():
    text = render_params("ultrasound-nerve", device="cpu")
    assert "\n  height: 96\n  width: 128\n" in text
    assert "\n  epochs: 5\n  batch_size: 16\n" in text
    # Without a device the first preset, which for this competition is a GPU's.
    first = render_params("ultrasound-nerve")
    assert first == render_params("ultrasound-nerve", device="gpu")
    assert "\n  height: 416\n  width: 576\n" in first


def test_render_params_names_the_competition():
    text = render_params("usgra-seg")
    assert "\ncompetition: usgra-seg   # usgra-seg, nerve\n" in text
    assert "\ndata_dir: data/raw/usgra-seg   #" in text


def test_render_params_without_the_preset_names_those_there_are():
    with pytest.raises(InputError, match=r"^sample: expected a preset for gpu, got cpu only$"):
        render_params("sample", device="gpu")


def test_render_params_unknown_competition_lists_the_known_ones():
    with pytest.raises(InputError, match="expected one of airbus-ships, carvana, "):
        render_params("nerve")


@pytest.mark.parametrize(
    "folder",
    [
        "../data",
        "/mnt/größe",
        "my data: raw",
        "a # b",
        "2016",
        "true",
        "'x",
        "[x]",
        "- x",
        'a"b\\c',
    ],
)
def test_run_any_folder_of_raw_files_is_read_back(paths, folder):
    init(paths, data_dir=folder)
    assert load_params(paths.params).data_dir == folder


def test_run_own_spec_is_named_by_its_file(paths):
    spec = paths.root / "my: own.yaml"
    title = "title: >-\n  Two\n\n  lines $height # {}"
    text = (SPECS / "sample.yaml").read_text(encoding="utf-8")
    spec.write_text(text.replace("title: Embedded sample (synthetic ultrasound)", title))
    assert "\n" in load_spec(str(spec)).title
    init(paths, str(spec))
    params = load_params(paths.params)
    assert params.competition == str(spec)
    assert params.data_dir == "data/raw/my: own"


# The file


def test_run_says_what_was_written(paths):
    assert init(paths) == f"{paths.params}: sample, raw files in data/raw/sample"
    assert names(paths) == ["params.yaml"]


def test_run_untouched_file_is_replaced(paths):
    for name in known_specs():
        for device in load_spec(name).presets:
            init(paths, name, device=device)
    assert names(paths) == ["params.yaml"]


def test_run_changed_file_is_kept_beside(paths):
    for number in (1, 2):
        init(paths)
        with paths.params.open("a") as file:
            file.write(f"# my note {number}\n")
        message = init(paths, "usgra-seg")
        old = paths.root / f"params.{number}.yaml"
        assert f"; the one before is now {old}" in message
        assert old.read_text().endswith(f"# my note {number}\n")
        assert load_params(paths.params).competition == "usgra-seg"
    assert names(paths) == ["params.1.yaml", "params.2.yaml", "params.yaml"]


def test_run_file_that_is_no_text_is_kept_beside(paths):
    paths.params.write_bytes(b"gr\xfcn")  # not UTF-8
    init(paths)
    assert (paths.root / "params.1.yaml").read_bytes() == b"gr\xfcn"


@pytest.mark.parametrize(("name", "device"), [("nerve", None), ("sample", "gpu")])
def test_run_fault_leaves_the_file_alone(paths, name, device):
    paths.params.write_text("mine")
    with pytest.raises(InputError):
        init(paths, name, device=device)
    assert paths.params.read_text() == "mine"
    assert names(paths) == ["params.yaml"]


def test_run_own_spec_with_a_faulty_preset_leaves_the_file_alone(paths):
    paths.params.write_text("mine")
    spec = paths.root / "own.yaml"
    text = (SPECS / "sample.yaml").read_text(encoding="utf-8")
    spec.write_text(text.replace("height: 96", "height: 100"))
    with pytest.raises(InputError, match=r"own.yaml: presets.cpu.height: .*multiple of 32"):
        init(paths, str(spec))
    assert paths.params.read_text() == "mine"


@pytest.mark.parametrize("network", NETWORKS)
def test_run_published_network_gives_parameters_that_load(tmp_path, network):
    paths = Paths(tmp_path)
    run(paths, "sample", data_dir=None, device=None, network=network)
    params = load_params(paths.params)
    assert params.model.width == 1
    assert "# Adam's peak" in paths.params.read_text()


def test_run_keras_fcn_trains_32s_16s_8s_in_turn_and_releases_all_at_the_end(tmp_path):
    paths = Paths(tmp_path)
    run(paths, "sample", data_dir=None, device=None, network="keras-fcn")
    params = load_params(paths.params)
    assert [stage.final_stride for stage in params.train.earlier_stages] == [32, 16, 8]
    assert all(stage.frozen == ("encoder",) for stage in params.train.earlier_stages)
    assert (params.model.head, params.model.l2, params.model.final_stride) == ("fc", 1e-5, 8)


def test_run_unknown_network_lists_the_known(tmp_path):
    with pytest.raises(InputError, match="expected one of extended-fcn, keras-fcn, got 'fcn'"):
        run(Paths(tmp_path), "sample", data_dir=None, device=None, network="fcn")


def test_run_data_that_is_not_there_yet_says_what_to_put_there(paths):
    message = init(paths, "ultrasound-nerve")
    assert message.splitlines()[-1] == (
        "data/raw/ultrasound-nerve: not there yet; run: pipeline download, or put"
        " train/{subject}_{frame}.tif,"
        " train/{subject}_{frame}_mask.tif and test/{id}.tif in it"
    )


def test_run_data_that_is_there_says_nothing_of_it(paths):
    (paths.root / "raw").mkdir()
    assert len(init(paths, "ultrasound-nerve", data_dir="raw").splitlines()) == 1


def test_list_competitions_names_each_with_its_classes_and_score():
    rows = list_competitions().frame.set_index("name")
    assert set(rows.index) == set(known_specs())
    assert rows.loc["voc2012", ["classes", "score"]].tolist() == [21, "mean IoU"]
