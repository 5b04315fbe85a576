"""The page of a queued or running job: what it shows, when it polls the server, and how it ends."""

import re
from itertools import pairwise

import pytest

from tests.support import fake_engine
from tests.support.waiting import wait_until

# Record the notifications that the page shows.
NOTE_NOTIFICATIONS = """
    window.notifications = [];
    window.Notification = class extends Notification {
        constructor(title, options) {
            super(title, options);
            if (title) window.notifications.push([title, options.body]);
        }
    };
"""
HIDDEN_INTERVAL = 5000  # ms, HIDDEN_SECONDS in static/job.js
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def job_page(open_page, fake_engine_server, configure_engine, song):
    """Start a separation that takes `seconds`, and open its page."""

    def open_(seconds: float = fake_engine.FOREVER, prepare=None, **options):
        configure_engine(seconds=seconds)
        client = fake_engine_server.client()
        job = client.uploaded_job(song(0.5), "My Søng.wav")
        client.separate(job)
        page = open_page(f"http://localhost:{fake_engine_server.port}/", **options)
        page.job = job
        if prepare:
            prepare(page)
        page.goto(f"{page.url}cgi-bin/job.py?job={job}")
        return page

    return open_


def allow_notifications(page) -> None:
    page.context.grant_permissions(["notifications"])
    page.add_init_script(NOTE_NOTIFICATIONS)


def intervals(page, number: int) -> list[float]:
    """The milliseconds between this number of the page's next requests, by the browser's own clock."""
    starts = []
    page.on("requestfinished", lambda request: starts.append(request.timing["startTime"]))
    wait_until(lambda: page.evaluate("1") and len(starts) >= number, seconds=60)
    return [later - earlier for earlier, later in pairwise(starts[:number])]


def files_of(server, job: str) -> list:
    return list(server.home.glob(f"*loads/{job}*"))


def test_the_page_and_its_title_show_the_progress(job_page, configure_engine):
    page = job_page()
    page.get_by_role("progressbar", name="Separating").wait_for()
    page.get_by_text(re.compile(r"^Now: .+\. Elapsed: \d+ s\.$")).wait_for()
    configure_engine(seconds=20)
    page.locator("#progress", has_text=re.compile(r"^\d+ % done, about .+ left\.$")).wait_for()
    wait_until(lambda: re.fullmatch(r"[1-9]\d? % – My Søng\.wav", page.title()))
    wait_until(lambda: "% done" in page.locator("#said").inner_text())
    configure_engine()
    page.get_by_role("heading", name="Source file is successfully separated").wait_for()


def test_a_screen_reader_hears_every_ten_percent(job_page, configure_engine):
    page = job_page(seconds=400)
    page.get_by_text("% done").wait_for()
    announcements, bar = page.locator("#said p"), page.get_by_role("progressbar")
    before, begin = announcements.all_inner_texts(), bar.evaluate("bar => bar.value")
    wait_until(lambda: bar.evaluate("bar => bar.value") > begin)
    assert announcements.all_inner_texts() == before
    configure_engine(seconds=30)
    wait_until(lambda: len(announcements.all_inner_texts()) == len(before) + 1)
    assert re.match(r"[1-9]\d % done", announcements.last.inner_text())


def test_the_page_polls_once_a_second_and_less_often_when_hidden(job_page):
    page = job_page()
    page.get_by_text("% done").wait_for()
    assert min(intervals(page, 3)) > 950
    page.evaluate(HIDE, True)
    (hidden,) = intervals(page, 2)
    assert hidden > HIDDEN_INTERVAL - 50
    page.evaluate(HIDE, False)
    assert min(intervals(page, 3)) < hidden


def test_the_queue_position_is_shown(job_page, fake_engine_server, song):
    client = fake_engine_server.client()
    page = job_page()
    second = client.uploaded_job(song(0.5), "second.wav")
    client.separate(second)
    third = client.uploaded_job(song(0.5), "third.wav")
    client.separate(third)
    page.goto(page.url.replace(page.job, third))
    page.get_by_role("heading", name="Waiting").wait_for()
    page.get_by_text("Number 2 in the queue.").wait_for()
    assert page.title().startswith("Waiting: third.wav")
    client.post("/cgi-bin/delete.py", job=second)
    page.locator("#progress").get_by_text("It is the next one.").wait_for()
    assert "It is the next one." in page.locator("#said").inner_text()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()


def test_the_page_reconnects_to_a_restarted_server(browser, fake_engine_home, start_server, song):
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    server = start_server()
    client = server.client()
    job = client.uploaded_job(song(0.5))
    client.separate(job)
    page = browser.new_context().new_page()
    page.goto(f"http://localhost:{server.port}/cgi-bin/job.py?job={job}")
    page.get_by_role("heading", name="Separating").wait_for()
    server.kill()
    page.locator("#progress").get_by_text("The server does not respond. Retrying.").wait_for()
    fake_engine.configure(fake_engine_home, seconds=0.5)
    server.start()
    page.get_by_role("heading", name="Source file is successfully separated").wait_for()
    page.context.close()


@pytest.mark.parametrize(("status", "title"), [(0, "Separated"), (2, "Not separated")])
def test_notifications_are_shown_on_request(job_page, configure_engine, status, title):
    page = job_page(prepare=allow_notifications)
    tell = page.get_by_role("button", name="Notify me when it is done")
    tell.click()
    page.get_by_text("You will be notified when it is done.").wait_for()
    assert tell.get_attribute("aria-pressed") == "true"
    page.evaluate(HIDE, True)
    configure_engine(seconds=0.1, status=status)
    wait_until(lambda: page.title() == f"{title}: My Søng.wav")
    assert page.evaluate("notifications") == [[title, "My Søng.wav"]]
    page.evaluate(HIDE, False)
    name = "successfully separated" if status == 0 else "could not be separated"
    page.get_by_role("heading", name=name).wait_for()


def test_notifications_can_be_switched_off_again(job_page, configure_engine):
    page = job_page(prepare=allow_notifications)
    tell = page.get_by_role("button", name="Notify me when it is done")
    tell.click()
    tell.and_(page.locator("[aria-pressed=true]")).wait_for()
    tell.click()
    tell.and_(page.locator("[aria-pressed=false]")).wait_for()
    page.evaluate(HIDE, True)
    configure_engine()
    wait_until(lambda: page.title() == "Separated: My Søng.wav")
    assert page.evaluate("notifications") == []
    page.evaluate(HIDE, False)


def test_without_notifications_there_is_no_button(job_page):
    page = job_page(prepare=lambda page: page.add_init_script("delete window.Notification"))
    page.get_by_text("% done").wait_for()
    assert page.get_by_role("button", name="Tell me").count() == 0


@pytest.mark.parametrize("script", [True, False])
def test_cancel_keeps_the_file_and_leaves_no_stems(job_page, fake_engine_server, script):
    page = job_page(java_script_enabled=script)
    page.get_by_role("heading", name="Separating").wait_for()
    fake_engine.wait_until_started(fake_engine_server.home, page.job)
    assert files_of(fake_engine_server, page.job)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    home = fake_engine_server.home
    wait_until(lambda: not (home / "downloads" / page.job).exists())
    assert (home / "uploads" / page.job / "song.wav").exists()


def test_a_page_opened_later_shows_the_result(job_page, fake_engine_server):
    page = job_page(seconds=0.1)
    fake_engine_server.client().wait_for(page.job, "done")
    page.goto(f"http://localhost:{fake_engine_server.port}/cgi-bin/job.py?job={page.job}")
    page.get_by_role("heading", name="Source file is successfully separated").wait_for()


def test_a_job_deleted_elsewhere_shows_not_found(browser, fake_engine_server, configure_engine, song):
    configure_engine(seconds=fake_engine.FOREVER)
    client = fake_engine_server.client()
    job = client.uploaded_job(song(0.5))
    client.separate(job)
    page = browser.new_context().new_page()
    page.goto(f"http://localhost:{fake_engine_server.port}/cgi-bin/job.py?job={job}")
    page.get_by_role("heading", name="Separating").wait_for()
    client.post("/cgi-bin/delete.py", job=job)
    page.get_by_role("heading", name="Not found").wait_for()
    page.context.close()
