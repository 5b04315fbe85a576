"""Headless Chromium, driven by Playwright."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.programs import require_program

COMPLETE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
HEADLESS = ("chromium-headless-shell", *COMPLETE)  # without windows and menus it takes a quarter less CPU time
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextmanager
def launched(playwright, names: Sequence[str]) -> Iterator:
    """The first of these browsers that is installed. Skips without one, but fails in CI."""
    browser = playwright.chromium.launch(executable_path=require_program(*names), args=OPTIONS)
    yield browser
    browser.close()
