"""The page in a real browser: charts draw, filters filter, tables sort, phones and printers show it whole."""

import base64
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.synthetic_results import MODELS, results_of_a_run
from ventral.report.page import page

BROWSER, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,1000",
)
PATIENCE = 120
MARKS = "path[aria-roledescription], .mark-symbol path, .mark-line path, .mark-rule line, .mark-area path"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page(results_of_a_run()), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if not (shutil.which(BROWSER) and shutil.which(DRIVER)):
        install = [Path(__file__).with_name("packages.sh"), "chromium", "chromium-driver"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no Chromium: {done.stderr.strip()}")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER, env={**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))})
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    yield driver
    driver.quit()


@pytest.fixture
def browser(started, address):
    """The page as it is opened, on the screen of a laptop; nothing was logged when the test is over."""
    _screen(started, 1280, 1000)
    started.get_log("browser")
    started.get(address)
    yield started
    assert started.get_log("browser") == []
    assert started.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []


def _screen(driver, width, height, mobile=False):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def until(condition):
    """Wait until a condition has a true value, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, "the page never came to that"
        time.sleep(0.05)
    return value


def draw_all(driver):
    """Scroll until every chart that is shown is drawn."""
    script = """
        const waiting = [...document.querySelectorAll("[data-chart]:not([data-drawn=all])")];
        const left = waiting.filter((chart) => !chart.closest("[hidden]"));
        if (left.length) left[0].scrollIntoView();
        return left.length;
    """
    until(lambda: driver.execute_script(script) == 0)


def marks(driver, section):
    """How many marks the charts of a section that are shown have."""
    script = """
        const panels = [...document.querySelectorAll(`#${arguments[0]} figure:not([hidden])`)];
        return panels.reduce((sum, panel) => sum + panel.querySelectorAll(arguments[1]).length, 0);
    """
    return driver.execute_script(script, section, MARKS)


def choose(driver, name, value):
    driver.execute_script(
        """
        const field = document.getElementById("filters").elements[arguments[0]];
        field.value = arguments[1];
        field.dispatchEvent(new Event("change", { bubbles: true }));
        """,
        name,
        value,
    )


def cells(driver, table, column):
    """Texts of a column of a table that is searched."""
    script = """
        const element = document.querySelector(`.searchable[data-table=${arguments[0]}]`);
        const heads = [...element.querySelectorAll("th")];
        const k = heads.findIndex((head) => head.dataset.key === arguments[1]);
        return [...element.querySelectorAll("tbody tr")].map((row) => row.cells[k].textContent);
    """
    return driver.execute_script(script, table, column)


def search(driver, table, text):
    field = driver.find_element("css selector", f".searchable[data-table={table}] input")
    field.clear()
    field.send_keys(text)


def test_charts_draw(browser):
    draw_all(browser)
    for section in ("profile", "similarity", "categorisation", "ranking", "explicitness"):
        assert marks(browser, section) > 10, section
    text = browser.find_element("css selector", "#profile svg").text
    assert "Layer depth" in text
    assert "Median predictivity" in text
    # A line across with the name of the recorded area.
    assert "V4" in browser.find_element("css selector", "#explicitness svg").text.splitlines()


def test_every_filter_changes_what_is_drawn(browser):
    draw_all(browser)
    sections = ("profile", "categorisation")
    everything = [marks(browser, section) for section in sections]
    for name, value in (("place", '["rec","V4"]'), ("split", "objects")):
        choose(browser, name, value)
        draw_all(browser)
        filtered = [marks(browser, section) for section in sections]
        assert all(0 < some < before for some, before in zip(filtered, everything, strict=True)), name
        choose(browser, name, "")
        draw_all(browser)
        assert [marks(browser, section) for section in sections] == everything
    boxes = browser.find_elements("css selector", "[name=family]")
    # And one for the recorded areas, which are lines in another figure.
    assert len(boxes) == len(MODELS) + 1
    for box in boxes[: len(MODELS)]:
        box.click()
        until(lambda: marks(browser, "profile") < everything[0])
        assert marks(browser, "categorisation") < everything[1]
        box.click()
        until(lambda: [marks(browser, section) for section in sections] == everything)


def test_a_mapping_shows_its_own_charts_alone(browser):
    choose(browser, "how", "rsa, spearman")
    assert not browser.find_element("id", "profile").is_displayed()
    assert browser.find_element("id", "similarity").is_displayed()
    choose(browser, "how", "ridge")
    assert browser.find_element("id", "profile").is_displayed()
    assert not browser.find_element("id", "similarity").is_displayed()


def test_the_table_is_filtered_and_searched(browser):
    choose(browser, "split", "objects")
    assert set(cells(browser, "layers", "split")) == {"objects"}
    search(browser, "layers", "net_random blocks.3")
    assert set(cells(browser, "layers", "model")) == {"net_random"}
    assert cells(browser, "layers", "layer") == ["blocks.3", "blocks.3"]
    assert sorted(cells(browser, "layers", "area")) == ["IT", "V4"]
    browser.find_element("css selector", "[name=family][value=untrained]").click()
    assert cells(browser, "layers", "model") == []


def test_a_heading_sorts(browser):
    heading = browser.find_element("css selector", ".searchable[data-table=layers] th[data-key=score]")
    button = heading.find_element("tag name", "button")
    button.click()
    scores = [float(score.replace("\N{MINUS SIGN}", "-")) for score in cells(browser, "layers", "score")]
    assert scores == sorted(scores, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    button.click()
    scores = [float(score.replace("\N{MINUS SIGN}", "-")) for score in cells(browser, "layers", "score")]
    assert scores == sorted(scores)
    assert heading.get_attribute("aria-sort") == "ascending"


def test_more_rows_are_shown_when_asked_for(browser):
    before = len(cells(browser, "layers", "model"))
    browser.find_element("css selector", ".searchable[data-table=layers] button.more").click()
    assert len(cells(browser, "layers", "model")) > before


def test_hovering_names_model_and_layer(browser):
    from selenium.webdriver import ActionChains

    draw_all(browser)
    chart = browser.find_element("css selector", "#profile .chart svg")
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", chart)
    ActionChains(browser).move_to_element(chart).move_by_offset(20, 5).perform()
    tip = browser.find_element("id", "tooltip")
    until(tip.is_displayed)
    words = "return [...document.querySelectorAll('#tooltip ' + arguments[0])].map((one) => one.textContent)"
    said = dict(zip(*(browser.execute_script(words, kind) for kind in ("dt", "dd")), strict=True))
    assert said["Model"] in MODELS
    assert said["Layer"].startswith("blocks.")
    assert " to " in said["95 % interval"]
    assert said["Neurons"] in ("12", "10")


def test_a_phone_shows_it_without_scrolling_sideways(browser, address):
    _screen(browser, 390, 844, mobile=True)
    browser.get(address)
    draw_all(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    widths = browser.execute_script(
        "return [...document.querySelectorAll('.chart svg')].map((one) => one.getBoundingClientRect().right)"
    )
    assert max(widths) <= 390
    # No label of an axis is cut.
    shortened = (
        "return [...document.querySelectorAll('.chart svg text')].filter((one) => one.textContent.includes('…'))"
    )
    assert browser.execute_script(shortened) == []


def test_it_prints_whole_from_the_first_moment(browser):
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") > 2
    # Charts that were not seen before are drawn for it.
    assert browser.execute_script("return document.querySelectorAll('[data-chart]:not([data-drawn=all])').length") == 0


def test_in_print_there_are_no_filters_and_tables_are_whole(browser):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not browser.find_element("css selector", "select").is_displayed()
        assert not browser.find_element("css selector", "input[type=search]").is_displayed()
        # A4 between its margins, in CSS pixels.
        _screen(browser, 680, 1000)
        cut = "return [...document.querySelectorAll('.table')].map((one) => getComputedStyle(one).overflowX)"
        assert set(browser.execute_script(cut)) == {"visible"}
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_everything_has_a_name_that_can_be_read_out(browser):
    nameless = """
        return [...document.querySelectorAll("input, select, button, img, section, .table")].filter((one) =>
            !(one.labels?.length || one.textContent.trim() || one.alt || one.getAttribute("aria-label")
              || document.getElementById(one.getAttribute("aria-labelledby"))?.textContent))
            .map((one) => one.outerHTML);
    """
    assert browser.execute_script(nameless) == []
    draw_all(browser)
    charts = browser.find_elements("css selector", ".chart svg")
    assert charts
    for chart in charts:
        named = chart.find_element("xpath", "ancestor-or-self::*[@aria-label][1]").get_attribute("aria-label")
        assert "rec" in named or "fmri" in named
