"""A headless Chromium, where one is installed: pages as their readers see them."""

import json
import shutil
import tempfile
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # which root has to do without
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "about:blank",  # rather than the page for a new tab
    "--hide-scrollbars",
)


def find_browser():
    """Return the paths of Chromium and its driver, None where one of them is missing."""
    names = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
    found = [next(filter(None, map(shutil.which, each)), None) for each in names]
    return None if None in found else found


@contextmanager
def open_browser(width=1280, height=900):
    """Yield a driver of a new profile, with the page's requests and console in its logs."""
    browser, driver = find_browser()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = Options()
        options.binary_location = browser
        for argument in (f"--user-data-dir={profile}", *ARGUMENTS):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        opened = webdriver.Chrome(options=options, service=Service(driver))
        try:
            set_width(opened, width, height)
            yield opened
        finally:
            opened.quit()


def set_width(driver, width, height=900):
    """Show pages as on a screen of this size."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_scheme(driver, scheme):
    """Let the system prefer "light" or "dark"."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def console_errors(driver):
    """Return what the page's console says of warnings and errors since the last call."""
    return [entry for entry in driver.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def requests(driver):
    """Return the addresses that pages in files asked for since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"].startswith("file:")
    ]
