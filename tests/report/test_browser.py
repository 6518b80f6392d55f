"""The pages in a real browser: Debian's packages chromium and chromium-driver."""

import contextlib

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from pipeline.dataset.store import Store
from pipeline.report.frames import Shot, draw_frames
from pipeline.report.gallery import make_gallery
from pipeline.report.pages import render_out_of_fold, render_test
from pipeline.report.project import Submitted, Training
from tests.report.browser import (
    console_errors,
    find_browser,
    open_browser,
    requests,
    set_scheme,
    set_width,
)

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium with its driver here")

COUNT, SHAPE = 150, (30, 40)
HOSTILE = '</script><img src="https://example.org/x.png" onerror="throw 1">&"\'#%20'


def shot(row):
    """Return a frame: rows count 0 found, 1 missed, 2 empty, 3 false alarm, and so on."""
    mask = np.zeros(SHAPE, bool)
    mask[8:18, 10 : 20 + row % 7] = True
    truth, predicted = mask & (row % 4 < 2), np.roll(mask, 2, axis=1) & (row % 4 in (0, 3))
    image = np.full((*SHAPE, 1), 60 + row, np.uint8)
    return Shot(image, np.uint8(200) * predicted, {"truth": truth, "predicted": predicted})


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return a folder with both pages, of 150 frames; the last one's id is hostile."""
    folder = tmp_path_factory.mktemp("report with a space")
    (folder / "files").mkdir()
    drawn = draw_frames(shot, COUNT, folder / "files")
    ids = [f"{row // 50 + 1}_{row % 50}" for row in range(COUNT - 1)] + [HOSTILE]
    areas = [[frame.areas[name] for frame in drawn] for name in ("truth", "predicted")]
    frames = pd.DataFrame(
        {
            "id": ids,
            "subject": [str(row // 50 + 1) for row in range(COUNT)],
            "fold": [row // 50 % 2 for row in range(COUNT)],
            "dice": [[0.5 + row / 1000, 0.0, 1.0, 0.0][row % 4] for row in range(COUNT)],
            "true_area": areas[0],
            "predicted_area": areas[1],
            "presence": [row % 4 / 4 for row in range(COUNT)],
            "contradicts": ["1_3", "", "", "1_0", *[""] * (COUNT - 4)],
            "width": SHAPE[1],
            "height": SHAPE[0],
        }
    )
    shown = frames.rename(columns={"predicted_area": "area"})
    gallery = make_gallery(shown, drawn, "files", filters=["subject", "fold"])
    names = ["nested_score", "nested_score_low", "nested_score_high", "all_empty_score"]
    scores = dict.fromkeys([*names, "oof_score"], 0.5)
    scores |= {"images": COUNT, "perfect_presence_score": 0.9, "folds": {}}
    scores["cutoffs"] = {"mask": {"threshold": 100, "min_area": 5}}
    curve = pd.DataFrame({"threshold": [1, 2], "score": [0.1, 0.2], "score_without_min_area": 0.1})
    training = Training(
        store=Store(frames, np.empty(0), None),
        frames=frames,
        drawn=drawn,
        metrics=scores,
        curves=pd.DataFrame(columns=["run", "part", "measure", "epoch", "value"]),
        thresholds=curve.assign(**{"class": "mask"}),
        areas=pd.DataFrame({"min_area": [0, 5], "score": [0.1, 0.2], "class": "mask"}),
        rules=pd.DataFrame(columns=["rule", "gain", "gain_low", "gain_high", "class"]),
        views=None,
    )
    page = render_out_of_fold("A <title>", training, gallery, has_test=True)
    (folder / "index.html").write_text(page)
    columns = ["id", "width", "height", "area", "presence"]
    predicted = [
        frame._replace(outlines={"predicted": frame.outlines["predicted"]}) for frame in drawn
    ]
    gallery = make_gallery(shown[columns], predicted, "files")
    test = Submitted(shown[columns], predicted, "submission.csv")
    (folder / "test.html").write_text(render_test("A <title>", test, training, gallery))
    return folder


@pytest.fixture(scope="module")
def browser():
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(open_browser())


@pytest.fixture
def index(pages, browser):
    """Return the browser with a freshly opened page on the training frames."""
    set_width(browser, 1280)
    browser.get("about:blank")
    browser.get((pages / "index.html").as_uri())
    console_errors(browser), requests(browser)
    browser.refresh()
    yield browser
    assert console_errors(browser) == []
    asked = requests(browser)
    folder = pages.as_uri()
    assert asked
    assert [url for url in asked if not url.startswith((folder, "data:"))] == []


def cards(driver, within="#gallery"):
    links = driver.find_elements(By.CSS_SELECTOR, f"{within} a")
    return [link.get_attribute("data-id") for link in links]


def choose(driver, selector, value):
    select = Select(driver.find_element(By.CSS_SELECTOR, selector))
    values = [option.get_attribute("value") for option in select.options]
    select.select_by_index(values.index(value))


def press(driver, *keys):
    driver.switch_to.active_element.send_keys(*keys)


def shown_id(driver):
    return driver.find_element(By.ID, "permalink").text


def is_open(driver):
    return driver.execute_script("return document.getElementById('viewer').open")


def count_of(driver):
    return driver.find_element(By.ID, "count").text


def test_page_opens_with_the_first_frames_worst_first(index):
    assert index.title == "Out-of-fold report · A <title>"
    assert len(cards(index)) < COUNT
    assert cards(index)[0] == "1_1"  # of Dice 0 the first
    assert count_of(index) == "150 of 150 frames"


def test_pictures_load_when_they_are_seen(index):
    loaded = "return document.querySelector('#gallery img.photo').complete"
    index.execute_script("document.getElementById('gallery').scrollIntoView()")
    WebDriverWait(index, 10).until(lambda driver: driver.execute_script(loaded))
    width = "return document.querySelector('#gallery img.photo').naturalWidth"
    assert index.execute_script(width) == SHAPE[1]
    for _ in range(5):
        index.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        with contextlib.suppress(Exception):
            WebDriverWait(index, 2).until(lambda driver: len(cards(driver)) == COUNT)
    assert len(cards(index)) == COUNT


def test_sort_orders_the_frames(index):
    choose(index, "#sort", "dice down")
    assert cards(index)[0] == "1_2"
    choose(index, "#sort", "area down")
    # 10 rows of at most 16 columns: the first row N with N % 7 = 6 and N % 4 of 0 or 3 is 20.
    assert cards(index)[0] == "1_20"
    choose(index, "#sort", "id up")
    assert cards(index)[:3] == ["1_0", "1_1", "1_2"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("all", 150), ("miss", 38), ("alarm", 37), ("mask", 76), ("empty", 74), ("contradiction", 2)],
)
def test_kind_filters_the_frames(index, kind, expected):
    choose(index, "#kind", kind)
    assert count_of(index) == f"{expected} of 150 frames"


def test_filters_work_together(index):
    choose(index, "[data-filter=subject]", "2")
    assert count_of(index) == "50 of 150 frames"
    assert {each.split("_")[0] for each in cards(index)} == {"2"}
    choose(index, "[data-filter=fold]", "0")
    assert (count_of(index), cards(index)) == ("0 of 150 frames", [])
    choose(index, "[data-filter=subject]", "")
    index.find_element(By.ID, "search").send_keys("1_4")
    assert {each[:3] for each in cards(index)} == {"1_4"}


def test_arrows_step_through_what_is_shown(index):
    choose(index, "#kind", "alarm")
    first, second, *_ = cards(index)
    index.find_element(By.CSS_SELECTOR, "#gallery a").click()
    assert (is_open(index), shown_id(index)) == (True, first)
    press(index, Keys.ARROW_RIGHT)
    assert shown_id(index) == second
    assert index.current_url.endswith(f"#{second}")
    press(index, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert shown_id(index) == first  # the first one has none before it
    press(index, Keys.ESCAPE)
    assert not is_open(index)
    assert "#" not in index.current_url


def test_layers_are_switched_by_box_and_by_key(index):
    index.find_element(By.CSS_SELECTOR, "#gallery a").click()

    def visible(layer):
        (part,) = index.find_elements(By.CSS_SELECTOR, f"#large .{layer}")
        return part.value_of_css_property("display") != "none"

    assert visible("truth")
    press(index, "t")
    assert not visible("truth")
    boxes = index.find_elements(By.CSS_SELECTOR, "[data-layer=truth]")
    assert [box.is_selected() for box in boxes] == [False, False]
    boxes[1].click()
    assert visible("truth")
    choose_false_alarm = "location.hash = '#1_3'"
    index.execute_script(choose_false_alarm)
    WebDriverWait(index, 5).until(lambda driver: shown_id(driver) == "1_3")
    assert not visible("probability")
    press(index, "o")
    assert visible("probability")


def test_permalink_opens_its_frame(pages, browser, index):
    index.get("about:blank")
    index.get((pages / "index.html").as_uri() + "#2_7")
    assert (is_open(index), shown_id(index)) == (True, "2_7")


def test_permalink_of_a_hostile_id_is_text(index):
    index.find_element(By.ID, "search").send_keys("onerror")
    assert cards(index) == [HOSTILE]
    index.find_element(By.CSS_SELECTOR, "#gallery a").click()
    assert shown_id(index) == HOSTILE
    assert index.find_elements(By.CSS_SELECTOR, "img[onerror]") == []
    index.refresh()
    assert (is_open(index), shown_id(index)) == (True, HOSTILE)


def test_pairs_stand_side_by_side_once(index):
    assert len(index.find_elements(By.CSS_SELECTOR, "#pairs .pair")) == 1
    assert cards(index, "#pairs") == ["1_0", "1_3"]


def background(driver):
    return driver.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")


def test_theme_follows_the_system_until_it_is_chosen(index):
    set_scheme(index, "light")
    light = background(index)
    set_scheme(index, "dark")
    dark = background(index)
    assert light != dark
    button = index.find_element(By.ID, "theme")
    button.click()
    assert (button.text, background(index)) == ("theme: light", light)
    index.refresh()
    assert background(index) == light
    button = index.find_element(By.ID, "theme")
    button.click()
    assert (button.text, background(index)) == ("theme: dark", dark)
    button.click()
    assert button.text == "theme: system"


@pytest.mark.parametrize("page", ["index", "test"])
def test_page_fits_a_phone(pages, index, page):
    set_width(index, 390)
    index.get((pages / f"{page}.html").as_uri())
    assert index.execute_script("return document.documentElement.scrollWidth") == 390


def test_test_page_filters_by_prediction(pages, index):
    index.get((pages / "test.html").as_uri())
    choose(index, "#kind", "unpredicted")
    assert count_of(index) == "75 of 150 frames"
    index.find_element(By.CSS_SELECTOR, "#gallery a").click()
    assert index.find_elements(By.CSS_SELECTOR, "#large .truth") == []
    assert "empty" in index.find_element(By.ID, "facts").text
