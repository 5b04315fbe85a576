"""The page "Your songs" in a real browser: followed, used by plain forms, on small screens."""

import re

import pytest

from tests import double

SMALLEST_TOUCH = 44  # px


@pytest.fixture
def home(quick_server) -> str:
    return f"http://localhost:{quick_server.port}/"


def send(page, home: str, path, name: str = "song.wav") -> str:
    """Send a file as this page's browser, and return the job."""
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


def test_a_running_song_is_followed_on_the_page_until_it_is_done(open_page, quick_server, home, orders, song):
    page = open_page(home)
    job = send(page, home, song(0.5), "Пісня.wav")
    orders(seconds=double.LONG)
    separate(page, home, job)
    double.wait_until_started(quick_server.home, job)
    songs(page, home).evaluate("window.here = true")
    row(page, job).get_by_text("Getting ready.").wait_for()
    orders(seconds=20)
    row(page, job).get_by_text(re.compile(r"\d+ % done")).wait_for()
    row(page, job).get_by_role("button", name="Cancel").focus()
    orders()
    row(page, job).get_by_text("Separated").wait_for()
    assert page.get_by_role("status").inner_text() == "Пісня.wav: Separated"
    assert page.evaluate("document.activeElement.textContent") == "Пісня.wav"
    assert page.evaluate("window.here")  # the page was never left


def test_choosing_a_model_is_not_disturbed_by_what_other_songs_do(open_page, home, orders, song):
    page = open_page(home)
    first = send(page, home, song(0.5))
    separate(page, home, first)
    songs(page, home)
    row(page, first).get_by_text("Separated").wait_for()
    orders(seconds=double.LONG)
    second = send(page, home, song(0.5))
    separate(page, home, second)
    songs(page, home)
    row(page, first).get_by_text("Run again").click()
    row(page, first).get_by_label("Model").select_option("umxhq")
    orders()
    row(page, second).get_by_text("Separated").wait_for()
    assert row(page, first).get_by_label("Model").input_value() == "umxhq"


def test_by_keyboard_without_javascript_a_song_is_run_again_compared_and_deleted(open_page, home, song):
    page = open_page(home, java_script_enabled=False)
    job = send(page, home, song(0.5), "plain.wav")
    songs(page, home)
    page.get_by_role("button", name="SEPARATE").press("Enter")
    page.get_by_text("Separated", exact=True).wait_for(timeout=30_000)
    page.locator("summary").press("Enter")
    page.get_by_label("Model").select_option("umxhq")
    page.get_by_role("button", name="Separate again").press("Enter")
    page.get_by_role("link", name="Compare with umx", exact=True).wait_for(timeout=30_000)
    page.get_by_role("link", name="Compare with umx", exact=True).press("Enter")
    page.get_by_role("heading", name="Compare two results").wait_for()
    assert page.get_by_text("Vocals B (umx)").is_visible()
    page.locator("main").get_by_role("link", name="Your songs").press("Enter")
    row(page, job).get_by_role("button", name="Delete").press("Enter")
    page.wait_for_url("**/songs.py")
    assert page.locator("tbody tr").count() == 1


def test_all_that_were_sent_are_separated_by_one_click(open_page, home, song):
    page = open_page(home)
    jobs = [send(page, home, song(0.5), f"{number}.wav") for number in range(3)]
    songs(page, home).get_by_role("button", name="SEPARATE all").click()
    for job in jobs:
        row(page, job).get_by_text("Separated").wait_for(timeout=30_000)
    assert page.get_by_role("button", name="SEPARATE all").count() == 0


def test_another_browser_sees_none_of_them(open_page, home, song):
    page, other = open_page(home), open_page(home)
    send(page, home, song(0.5), "secret.wav")
    assert songs(page, home).get_by_role("link", name="secret.wav").is_visible()
    assert songs(other, home).get_by_text("Nothing here yet").is_visible()
    other.get_by_role("link", name="Send a song").click()
    other.get_by_role("heading", name="Split a song").wait_for()


@pytest.mark.parametrize(("width", "shows_heads"), [(1280, True), (320, False)])
def test_the_list_is_a_table_or_cards_and_nothing_is_too_wide_or_too_small(browser, home, song, width, shows_heads):
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
