"""The way of one file in a real browser, Chromium, without a screen."""

from pathlib import Path

import pytest
import soundfile

from tests import double
from tests.conftest import SAMPLE_RATE


def home_of(server) -> str:
    return f"http://localhost:{server.port}/"


def downloaded(page, words: str, folder: Path) -> tuple[str, soundfile.SoundFile]:
    """Click on a download: the name that the browser gives the file, and what is in it."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name=words).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.name, soundfile.info(path)


def check_downloads(page, folder: Path, title: str, nb_samples: int) -> None:
    for words, stem in (("Download vocal", "vocals"), ("Download music", "music")):
        name, info = downloaded(page, words, folder)
        assert name == f"{title} - {stem}.wav"
        assert (info.frames, info.samplerate, info.channels) == (nb_samples, SAMPLE_RATE, 2)


def is_too_wide(page) -> bool:
    page.wait_for_load_state()  # with its style sheet, that is
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_a_song_is_sent_separated_and_downloaded(open_page, shared_server, song, tmp_path):
    """The real command, at the default model, as the one who reads the README first meets it."""
    page = open_page(home_of(shared_server))
    send = page.get_by_role("button", name="Send file")
    assert send.is_disabled()
    page.get_by_label("Choose .wav file for upload").set_input_files(song(2.0, name="My Søng.wav"))
    assert send.is_enabled()
    send.click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert page.get_by_text("My Søng.wav").is_visible()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="Source file is successfully separated").wait_for(timeout=60_000)
    check_downloads(page, tmp_path, "My Søng", 2 * SAMPLE_RATE)
    page.get_by_role("link", name="Home page").click()
    page.get_by_role("button", name="Send file", disabled=True).wait_for()


def test_without_javascript_the_way_is_the_same(open_page, quick_server, orders, song, tmp_path):
    orders(seconds=30)
    page = open_page(home_of(quick_server), java_script_enabled=False)
    page.get_by_label("Choose .wav file for upload").set_input_files(song(1.0, name="plain.wav"))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="Separating").wait_for()
    page.get_by_text("% done").wait_for()
    orders()
    page.get_by_role("heading", name="Source file is successfully separated").wait_for(timeout=20_000)
    check_downloads(page, tmp_path, "plain", SAMPLE_RATE)
    page.get_by_role("button", name="Delete them now").click()
    page.get_by_role("heading", name="Split a song").wait_for()


def test_back_deletes_the_upload(open_page, quick_server, song):
    page = open_page(home_of(quick_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="BACK").wait_for()
    job = page.url.split("job=")[1]
    assert (quick_server.home / "uploads" / job).exists()
    page.get_by_role("button", name="BACK").click()
    page.wait_for_url(home_of(quick_server))
    assert not (quick_server.home / "uploads" / job).exists()


def test_the_way_back_through_the_history_does_no_harm(open_page, quick_server, song):
    page = open_page(home_of(quick_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for()
    page.go_back()
    page.wait_for_load_state()
    assert page.get_by_role("heading", name="successfully separated").is_visible() or page.url == home_of(quick_server)
    page.goto(home_of(quick_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    assert page.get_by_role("button", name="Send file").is_enabled()


def test_cancel_ends_a_separation(open_page, quick_server, orders, song):
    orders(seconds=double.LONG)
    page = open_page(home_of(quick_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="Separating").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url(home_of(quick_server))


def test_without_javascript_what_is_no_sound_gets_a_sentence(browser, quick_server, tmp_path):
    text = tmp_path / "song.wav"
    text.write_text("This is not a song.\n" * 1000)
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(home_of(quick_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(text)
    page.get_by_role("button", name="Send file").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "not a sound that can be read" in alert.inner_text()
    page.get_by_role("link", name="Home page").click()
    page.get_by_role("button", name="Send file").wait_for()
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_small_screen(browser, quick_server, orders, song, scheme):
    orders(seconds=double.LONG)
    context = browser.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = context.new_page()
    home = home_of(quick_server)
    page.goto(home)
    name = "A_name_without_a_blank_that_is_far_too_long_for_a_small_screen_" * 3 + ".wav"
    assert not is_too_wide(page)
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5, name=name))
    assert not is_too_wide(page)
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").wait_for()
    assert not is_too_wide(page)
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="Separating").wait_for()
    assert not is_too_wide(page)
    orders(status=2)
    page.get_by_role("heading", name="could not be separated").wait_for()
    assert not is_too_wide(page)
    orders()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for()
    assert not is_too_wide(page)
    page.goto(home + "nothing")
    assert not is_too_wide(page)
    context.close()


@pytest.mark.parametrize("path", ["", "nothing"])
def test_every_button_is_large_enough_for_a_thumb(browser, quick_server, path):
    page = browser.new_context(viewport={"width": 320, "height": 640}).new_page()
    page.goto(home_of(quick_server) + path)
    boxes = [
        thing.bounding_box() for thing in page.locator(":is(main a, main button, main input, header a):visible").all()
    ]
    assert boxes
    assert min(box["height"] for box in boxes) >= 44
    page.context.close()


def test_a_page_of_another_site_cannot_send_a_file_off(browser, quick_server, shared_server, song):
    """A page under another origin posts a form, as a hostile site would."""
    client = quick_server.client()
    job = client.uploaded_job(song(0.5))
    page = browser.new_context().new_page()
    page.route(
        "http://hostile.localhost:1/**",
        lambda route: route.fulfill(content_type="text/html", body=hostile(quick_server.port, job)),
    )
    page.goto("http://hostile.localhost:1/")
    page.click("button")
    page.get_by_role("alert").wait_for()
    assert "another site" in page.get_by_role("alert").inner_text()
    assert client.state(job)["state"] == "uploaded"
    page.context.close()


def hostile(port: int, job: str) -> str:
    return f"""<form method=post action="http://localhost:{port}/cgi-bin/delete.py">
        <input name=job value={job}><button>Win!</button></form>"""
