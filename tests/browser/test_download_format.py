"""The choice of the format of downloads, in a real browser."""

import re

import pytest

from tests.support import fake_engine, wave_files


@pytest.fixture
def address(fake_engine_server) -> str:
    return f"http://localhost:{fake_engine_server.port}/"


@pytest.fixture
def finished(fake_engine_server):
    """Separate a song, and return the address of its result page below the server's."""
    fake_engine.configure(fake_engine_server.home)
    client = fake_engine_server.client()
    return lambda content: f"cgi-bin/download.py?job={client.finished_job(content)}"


def hrefs(page) -> list[str]:
    links = page.locator("main a[download]")
    return [re.sub(r"[0-9a-f]{32}", "JOB", link.get_attribute("href") or "") for link in links.all()]


def downloaded_name(page, link: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return download.value.suggested_filename


def test_the_choice_changes_the_links_and_is_remembered(open_page, address, finished):
    page = open_page(address)
    page.goto(address + finished(wave_files.SONG))
    assert not page.get_by_role("button", name="Use this format").is_visible()
    page.get_by_label("Format").select_option("mp3-320")
    page.get_by_label("Sample rate").select_option("48000")
    assert downloaded_name(page, "Download vocal") == "song - vocals.mp3"
    assert downloaded_name(page, "Download this mix") == "song - mix.mp3"
    page.get_by_role("button", name="Mute Vocals").click()  # the player writes the levels into the link of the mix
    assert all("format=mp3-320&rate=48000" in href for href in hrefs(page))
    page.goto(address + finished(wave_files.SONG))
    assert page.get_by_label("Format").input_value() == "mp3-320"
    assert page.get_by_label("Sample rate").input_value() == "48000"
    assert downloaded_name(page, "Download all (zip)") == "song.zip"
    assert all("format=mp3-320&rate=48000" in href for href in hrefs(page))


def test_rates_that_a_format_cannot_have_are_disabled(open_page, address, finished):
    page = open_page(address)
    page.goto(address + finished(wave_files.encoded(192000, nb_samples=19200)))
    page.get_by_label("Format").select_option("mp3")
    as_the_song = page.get_by_label("Sample rate").locator("option").first
    assert as_the_song.is_disabled()
    assert "MP3 cannot hold a sample rate of 192000 Hz." in as_the_song.text_content()
    assert page.get_by_label("Sample rate").input_value() == "44100"
    page.get_by_label("Format").select_option("flac")
    assert not as_the_song.is_disabled()
    assert as_the_song.text_content() == "As the song"


def test_a_remembered_format_that_a_song_cannot_have_is_not_chosen(open_page, address, finished):
    page = open_page(address)
    page.goto(address + finished(wave_files.SONG))
    page.get_by_label("Format").select_option("mp3")
    page.goto(address + finished(wave_files.encoded(nb_channels=3)))
    assert page.get_by_label("Format").input_value() == "wav"
    mp3 = page.get_by_label("Format").locator("option[value=mp3]")
    assert mp3.is_disabled()
    assert "at most 2 channels" in mp3.text_content()


def test_choosing_without_javascript(open_page, address, finished):
    page = open_page(address, java_script_enabled=False)
    page.goto(address + finished(wave_files.SONG))
    page.get_by_label("Format").select_option("flac")
    page.get_by_role("button", name="Use this format").click()
    assert page.get_by_label("Format").input_value() == "flac"
    assert downloaded_name(page, "Download music") == "song - music.flac"
    assert any("zip.py?job=JOB&format=flac" in href for href in hrefs(page))
