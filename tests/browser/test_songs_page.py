"""The page "Your songs": live updates, plain forms, small screens."""

import re
from datetime import datetime, timedelta, timezone

import pytest

from tests.support import fake_engine

SMALLEST_TOUCH = 44  # px


@pytest.fixture
def home(fake_engine_server) -> str:
    return f"http://localhost:{fake_engine_server.port}/"


def send(page, home: str, path, name: str = "song.wav") -> str:
    """Upload a file with the cookies of this page, and return the job."""
    file = {"name": name, "mimeType": "audio/wav", "buffer": path.read_bytes()}
    form = page.request.post(
        home + "cgi-bin/upload.py", multipart={"filename": file}, headers={"Accept": "application/json"}
    )
    return form.json()["job"]


def separate(page, home: str, job: str, model: str = "starter") -> None:
    page.request.post(home + "cgi-bin/separate.py", form={"job": job, "model": model}, max_redirects=0)


def songs(page, home: str):
    page.goto(home + "cgi-bin/songs.py")
    return page


def row(page, job: str):
    return page.locator(f"#song-{job}")


def test_the_list_follows_a_running_song(open_page, fake_engine_server, home, configure_engine, song):
    page = open_page(home)
    job = send(page, home, song(0.5), "Пісня.wav")
    configure_engine(seconds=fake_engine.FOREVER)
    separate(page, home, job)
    fake_engine.wait_until_started(fake_engine_server.home, job)
    songs(page, home).evaluate("window.here = true")
    row(page, job).get_by_text("Preparing.").wait_for()
    configure_engine(seconds=20)
    row(page, job).get_by_text(re.compile(r"\d+ % done")).wait_for()
    row(page, job).get_by_role("button", name="Cancel").focus()
    configure_engine()
    row(page, job).get_by_text("Separated").wait_for()
    assert page.get_by_role("status").inner_text() == "Пісня.wav: Separated"
    assert page.evaluate("document.activeElement.textContent") == "Пісня.wav"
    assert page.evaluate("window.here")  # the page was not reloaded


def test_updates_do_not_reset_a_chosen_model(open_page, home, configure_engine, song):
    page = open_page(home)
    first = send(page, home, song(0.5))
    separate(page, home, first)
    songs(page, home)
    row(page, first).get_by_text("Separated").wait_for()
    configure_engine(seconds=fake_engine.FOREVER)
    second = send(page, home, song(0.5))
    separate(page, home, second)
    songs(page, home)
    row(page, first).get_by_text("Run again").click()
    row(page, first).get_by_label("Stems and model").select_option("umxhq 4")
    configure_engine()
    row(page, second).get_by_text("Separated").wait_for()
    assert row(page, first).get_by_label("Stems and model").input_value() == "umxhq 4"


def test_separate_again_compare_and_delete_by_keyboard_without_javascript(open_page, home, song):
    page = open_page(home, java_script_enabled=False)
    job = send(page, home, song(0.5), "plain.wav")
    songs(page, home)
    page.get_by_role("button", name="SEPARATE").press("Enter")
    page.get_by_text("Separated", exact=True).wait_for(timeout=30_000)
    page.locator("summary").press("Enter")
    page.get_by_label("Stems and model").select_option("umxhq 2")
    page.get_by_role("button", name="Separate again").press("Enter")
    page.get_by_role("link", name="Compare with run 1 (umx)", exact=True).wait_for(timeout=30_000)
    page.get_by_role("link", name="Compare with run 1 (umx)", exact=True).press("Enter")
    page.get_by_role("heading", name="Compare two results").wait_for()
    assert page.get_by_text("Vocals B (umx)").is_visible()
    page.locator("main").get_by_role("link", name="Your songs").press("Enter")
    row(page, job).get_by_role("button", name="Delete").press("Enter")
    page.get_by_text("plain.wav was deleted from this machine.").wait_for()
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("button", name="Undo").press("Enter")
    row(page, job).wait_for()
    assert page.locator("tbody tr").count() == 2


def test_separate_all(open_page, home, song):
    page = open_page(home)
    jobs = [send(page, home, song(0.5), f"{number}.wav") for number in range(3)]
    songs(page, home).get_by_role("button", name="SEPARATE all").click()
    for job in jobs:
        row(page, job).get_by_text("Separated").wait_for(timeout=30_000)
    assert page.get_by_role("button", name="SEPARATE all").count() == 0


def test_separate_all_takes_the_options_and_the_order_of_sending(open_page, fake_engine_server, home, song):
    page = open_page(home, java_script_enabled=False)
    jobs = [send(page, home, song(0.5), f"{number}.wav") for number in range(3)]
    songs(page, home).get_by_text("Options", exact=True).click()
    page.locator("input[value=starter]").check()
    page.get_by_role("button", name="SEPARATE all").click()
    for job in jobs:
        row(page, job).get_by_text("Separated").wait_for(timeout=30_000)
        assert row(page, job).get_by_text("starter").first.is_visible()
    assert [job for job, event in fake_engine.events(fake_engine_server.home) if event == "starts"][-3:] == jobs


def test_times_are_those_of_the_visitors_zone(open_page, home, song):
    page = open_page(home, timezone_id="Asia/Tokyo", locale="en-US")
    job = send(page, home, song(0.5))
    songs(page, home)
    sent, expires = row(page, job).locator("time").all()
    for time in (sent, expires):
        moment = datetime.fromisoformat(time.get_attribute("datetime")).astimezone(timezone(timedelta(hours=9)))
        shown = re.sub(r"\s+", " ", time.inner_text())
        assert shown == f"{moment:%b} {moment.day}, {moment:%I:%M %p}".replace(", 0", ", ")


def test_the_stems_are_downloaded_from_the_list(open_page, home, song):
    page = open_page(home)
    job = send(page, home, song(0.5), "My Søng.wav")
    separate(page, home, job)
    songs(page, home)
    with page.expect_download() as download:
        row(page, job).get_by_role("link", name="Download").click(timeout=30_000)
    assert download.value.suggested_filename == "My Søng.zip"


def test_another_browser_does_not_see_the_songs(open_page, home, song):
    page, other = open_page(home), open_page(home)
    send(page, home, song(0.5), "secret.wav")
    assert songs(page, home).get_by_role("link", name="secret.wav").is_visible()
    assert songs(other, home).get_by_text("No songs yet").is_visible()
    other.get_by_role("link", name="Upload a song").click()
    other.get_by_role("heading", name="Split a song").wait_for()


@pytest.mark.parametrize(("width", "shows_heads"), [(1280, True), (320, False)])
def test_the_list_is_a_table_or_cards_by_screen_width(browser, home, song, width, shows_heads):
    page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    page.goto(home)
    name = "A_name_without_a_blank_that_is_far_too_long_for_a_small_screen_" * 3 + ".wav"
    job = send(page, home, song(0.5), name)
    separate(page, home, job)
    send(page, home, song(0.5))
    send(page, home, song(0.5))
    songs(page, home)
    row(page, job).get_by_text("Separated").wait_for(timeout=30_000)
    row(page, job).get_by_text("Run again").click()
    assert page.get_by_role("columnheader", name="State").is_visible() is shows_heads
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    things = [thing for thing in page.locator("main :is(button, summary, select, .button)").all() if thing.is_visible()]
    assert len(things) >= 9
    assert min(thing.bounding_box()["height"] for thing in things) >= SMALLEST_TOUCH
    page.context.close()
