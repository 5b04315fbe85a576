"""The main flow in a complete Chromium, as a visitor has it."""

from pathlib import Path

import pytest
import soundfile

from tests.support import chromium, fake_engine, recordings

SAMPLE_RATE = 44100


@pytest.fixture(scope="module")
def browser(playwright):
    with chromium.launched(playwright, chromium.COMPLETE) as browser:
        yield browser


def home_of(server) -> str:
    return f"http://localhost:{server.port}/"


def downloaded(page, words: str, folder: Path) -> tuple[str, soundfile.SoundFile]:
    """Click on a download link, and return the file's name and its format."""
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
    page.wait_for_load_state()  # including its style sheet
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_a_song_is_sent_separated_and_downloaded(open_page, shared_server, song, tmp_path):
    """With the real engine and the default model, as after the README's installation."""
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


def test_the_main_flow_without_javascript(open_page, fake_engine_server, configure_engine, song, tmp_path):
    configure_engine(seconds=30)
    page = open_page(home_of(fake_engine_server), java_script_enabled=False)
    page.get_by_label("Choose .wav file for upload").set_input_files(song(1.0, name="plain.wav"))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="Separating").wait_for()
    page.get_by_text("% done").wait_for()
    configure_engine()
    page.get_by_role("heading", name="Source file is successfully separated").wait_for(timeout=20_000)
    check_downloads(page, tmp_path, "plain", SAMPLE_RATE)
    page.get_by_role("button", name="Delete them now").click()
    page.get_by_role("heading", name="Split a song").wait_for()


def test_back_deletes_the_upload(open_page, fake_engine_server, song):
    page = open_page(home_of(fake_engine_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="BACK").wait_for()
    job = page.url.split("job=")[1]
    assert (fake_engine_server.home / "uploads" / job).exists()
    assert page.get_by_text("BACK deletes the file from this machine.").is_visible()
    page.get_by_role("button", name="BACK").click()
    page.wait_for_url(f"{home_of(fake_engine_server)}?deleted={job}")
    assert page.get_by_text("song.wav was deleted from this machine.").is_visible()
    assert not (fake_engine_server.home / "uploads" / job).exists()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_browsers_back_after_a_deletion_tells_the_truth_and_offers_to_undo_it(
    browser, fake_engine_server, song, scripts
):
    page = browser.new_context(java_script_enabled=scripts).new_page()
    page.goto(home_of(fake_engine_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5, name="My Søng.wav"))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="BACK").click()
    page.get_by_text("My Søng.wav was deleted from this machine.").wait_for()
    page.go_back()
    page.get_by_role("alert").get_by_text("This song was deleted.").wait_for()
    page.get_by_role("button", name="Undo the deletion").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert page.get_by_text("My Søng.wav").is_visible()
    page.get_by_role("button", name="BACK").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    page.context.close()


def test_going_back_in_the_history(open_page, fake_engine_server, song):
    page = open_page(home_of(fake_engine_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for()
    page.go_back()
    page.wait_for_load_state()
    assert page.get_by_role("heading", name="successfully separated").is_visible() or page.url == home_of(
        fake_engine_server
    )
    page.goto(home_of(fake_engine_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    assert page.get_by_role("button", name="Send file").is_enabled()


def test_cancel_goes_back_to_the_uploaded_file(open_page, fake_engine_server, configure_engine, song):
    configure_engine(seconds=fake_engine.FOREVER)
    page = open_page(home_of(fake_engine_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="Separating").wait_for()
    assert page.get_by_text("The file stays here").is_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert page.get_by_text("song.wav").is_visible()
    configure_engine()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for(timeout=30_000)


def test_files_that_are_not_audio_get_an_error_page_without_javascript(browser, fake_engine_server, tmp_path):
    text = tmp_path / "song.wav"
    text.write_text("This is not a song.\n" * 1000)
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(home_of(fake_engine_server))
    page.get_by_label("Choose .wav file for upload").set_input_files(text)
    page.get_by_role("button", name="Send file").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "cannot be read as a sound file" in alert.inner_text()
    page.get_by_role("link", name="Home page").click()
    page.get_by_role("button", name="Send file").wait_for()
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_small_screen(browser, fake_engine_server, configure_engine, song, scheme):
    configure_engine(seconds=fake_engine.FOREVER)
    context = browser.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = context.new_page()
    home = home_of(fake_engine_server)
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
    configure_engine(status=2)
    page.get_by_role("heading", name="could not be separated").wait_for()
    assert not is_too_wide(page)
    configure_engine()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for()
    assert not is_too_wide(page)
    page.goto(home + "nothing")
    assert not is_too_wide(page)
    context.close()


@pytest.mark.parametrize("path", ["", "nothing"])
def test_every_control_is_large_enough_to_touch(browser, fake_engine_server, path):
    page = browser.new_context(viewport={"width": 320, "height": 640}).new_page()
    page.goto(home_of(fake_engine_server) + path)
    boxes = [
        thing.bounding_box() for thing in page.locator(":is(main a, main button, main input, header a):visible").all()
    ]
    assert boxes
    assert min(box["height"] for box in boxes) >= 44
    page.context.close()


def test_a_form_on_another_site_cannot_delete_a_job(browser, fake_engine_server, shared_server, song):
    """A page of another origin posts a form, as a hostile site would."""
    client = fake_engine_server.client()
    job = client.uploaded_job(song(0.5))
    page = browser.new_context().new_page()
    page.route(
        "http://hostile.localhost:1/**",
        lambda route: route.fulfill(content_type="text/html", body=hostile(fake_engine_server.port, job)),
    )
    page.goto("http://hostile.localhost:1/")
    page.click("button")
    page.get_by_role("alert").wait_for()
    assert "other sites" in page.get_by_role("alert").inner_text()
    assert client.state(job)["state"] == "uploaded"
    page.context.close()


def hostile(port: int, job: str) -> str:
    return f"""<form method=post action="http://localhost:{port}/cgi-bin/delete.py">
        <input name=job value={job}><button>Win!</button></form>"""


@recordings.needs_ffmpeg
def test_an_mp3_is_chosen_sent_separated_and_played(open_page, fake_engine_server, configure_engine, tmp_path):
    configure_engine()
    mp3 = recordings.make("xing.mp3", recordings.song(tmp_path / "song.wav"))
    page = open_page(home_of(fake_engine_server))
    chooser = page.get_by_label("Choose .wav file for upload")
    assert "audio/*" in chooser.get_attribute("accept")
    chooser.set_input_files(mp3)
    page.get_by_role("button", name="Send file").click()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for()
    assert page.get_by_text("xing.mp3").first.is_visible()
    assert page.get_by_text("0:02").first.is_visible()
    page.get_by_role("button", name="Play", exact=True).wait_for()
