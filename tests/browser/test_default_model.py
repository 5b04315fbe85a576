"""The options in a real browser where umx cannot be fetched, without JavaScript and on a small screen."""

import pytest

from tests.support import fake_models
from tests.support.waiting import wait_until


@pytest.fixture
def offline(fake_engine_home, start_server):
    """The address of a server without a network, with the blend and umxhq on its disk."""
    fake_models.configure(fake_engine_home, on_disk=["blend", "spleeter", "umxhq"], reachable=False)
    server = start_server()
    wait_until((fake_engine_home / "uploads" / ".unavailable").exists)
    return f"http://localhost:{server.port}/"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_song_with_nothing_chosen_is_separated_by_the_blend(offline, open_page, song, scripts):
    page = open_page(offline, java_script_enabled=scripts)
    send(page, song)
    page.get_by_text("The best one here is used: blend.").wait_for()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for(timeout=30_000)
    page.get_by_text("Separated with the model blend.").wait_for()
    assert page.locator(".note").inner_text() == ""


def test_unavailable_options_are_disabled(offline, open_page, song):
    page = open_page(offline, java_script_enabled=False, viewport={"width": 360, "height": 740})
    send(page, song)
    page.get_by_text("Options", exact=True).click()
    assert page.locator("input[value=umxl]").is_hidden()  # folded
    page.get_by_text("More models").click()
    for name in ("umx", "umxl"):
        assert page.locator(f"input[value={name}]").is_disabled()
    page.locator("input[value=spleeter]").check()
    best, four = (page.locator(f"input[value='{value}']") for value in ("2-best", "4"))
    for radio, words, models in (
        (best, "Vocals and music, best quality", "umxhq"),
        (four, "Vocals, drums, bass, other", "umxhq, blend, starter"),
    ):
        assert not radio.is_visible()  # Spleeter, which is checked, cannot do it
        row = page.locator("label", has_text=words)
        assert row.get_by_text(f"This can be done with: {models}.").is_visible()
        row.click(force=True)
        assert not radio.is_checked()
    page.locator("input[value=umxhq]").check()
    best.check()
    assert not page.locator("input[value=blend]").is_visible()
    assert page.get_by_text("This can be done with").first.is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for(timeout=30_000)
    page.get_by_text("Separated with the model umxhq.").wait_for()


def send(page, song) -> None:
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").wait_for()
