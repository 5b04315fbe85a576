"""The page of a job that waits or runs, in a real browser: what it says, when it asks, and how it ends."""

import re
import time

import pytest

from tests import double

# Keeps what the page tells the system, and goes on telling it.
NOTE_NOTIFICATIONS = """
    window.told = [];
    window.Notification = class extends Notification {
        constructor(title, options) {
            super(title, options);
            if (title) window.told.push([title, options.body]);
        }
    };
"""
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def job_page(open_page, quick_server, orders, song):
    """Start a separation that takes `seconds`, and open its page."""

    def open_(seconds: float = double.LONG, prepare=None, **options):
        orders(seconds=seconds)
        client = quick_server.client()
        job = client.uploaded_job(song(0.5), "My Søng.wav")
        client.separate(job)
        page = open_page(f"http://localhost:{quick_server.port}/", **options)
        page.job = job
        if prepare:
            prepare(page)
        page.goto(f"{page.url}cgi-bin/job.py?job={job}")
        return page

    return open_


def allow_notifications(page) -> None:
    page.context.grant_permissions(["notifications"])
    page.add_init_script(NOTE_NOTIFICATIONS)


def wait_until(is_so, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)


def files_of(server, job: str) -> list:
    return list(server.home.glob(f"*loads/{job}*"))


def test_the_page_and_the_tab_s_title_say_where_it_stands(job_page, orders):
    page = job_page()
    page.get_by_role("progressbar", name="Separating").wait_for()
    page.get_by_text(re.compile(r"^Now: .+\. So far: \d+ s\.$")).wait_for()
    orders(seconds=20)
    page.locator("#progress", has_text=re.compile(r"^\d+ % done, about .+ left\.$")).wait_for()
    wait_until(lambda: re.fullmatch(r"[1-9]\d? % – My Søng\.wav", page.title()))
    wait_until(lambda: "% done" in page.locator("#said").inner_text())
    orders()
    page.get_by_role("heading", name="Source file is successfully separated").wait_for()


def test_a_screen_reader_hears_of_each_tenth_and_not_of_each_percent(job_page, orders):
    page = job_page(seconds=400)
    page.get_by_text("% done").wait_for()
    said, bar = page.locator("#said p"), page.get_by_role("progressbar")
    before, begin = said.all_inner_texts(), bar.evaluate("bar => bar.value")
    wait_until(lambda: bar.evaluate("bar => bar.value") > begin)
    assert said.all_inner_texts() == before
    orders(seconds=30)
    wait_until(lambda: len(said.all_inner_texts()) == len(before) + 1)
    assert re.match(r"[1-9]\d % done", said.last.inner_text())


def test_it_asks_once_a_second_at_most_and_less_when_hidden(job_page):
    page = job_page()
    page.get_by_text("% done").wait_for()
    asked = []
    page.on("request", lambda request: asked.append(time.monotonic()))
    page.wait_for_timeout(3000)
    assert 1 <= len(asked) <= 3
    page.evaluate(HIDE, True)
    page.wait_for_timeout(1500)
    asked.clear()
    page.wait_for_timeout(6000)
    assert 1 <= len(asked) <= 2
    asked.clear()
    page.evaluate(HIDE, False)
    wait_until(lambda: page.evaluate("1") and asked, 3)


def test_the_place_in_the_queue_is_told(job_page, quick_server, song):
    client = quick_server.client()
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
    page.get_by_role("heading", name="Split a song").wait_for()


def test_a_restarted_server_is_found_again(browser, quick_home, serve, song):
    double.order(quick_home, seconds=double.LONG)
    server = serve()
    client = server.client()
    job = client.uploaded_job(song(0.5))
    client.separate(job)
    page = browser.new_context().new_page()
    page.goto(f"http://localhost:{server.port}/cgi-bin/job.py?job={job}")
    page.get_by_role("heading", name="Separating").wait_for()
    server.kill()
    page.locator("#progress").get_by_text("The server does not answer; still trying.").wait_for()
    double.order(quick_home, seconds=0.5)
    server.start()
    page.get_by_role("heading", name="Source file is successfully separated").wait_for()
    page.context.close()


@pytest.mark.parametrize(("status", "title"), [(0, "Separated"), (2, "Not separated")])
def test_who_allows_it_is_notified_and_a_hidden_page_waits(job_page, orders, status, title):
    page = job_page(prepare=allow_notifications)
    tell = page.get_by_role("button", name="Tell me when it is done")
    tell.click()
    page.get_by_text("You will be told when it is done.").wait_for()
    assert tell.get_attribute("aria-pressed") == "true"
    page.evaluate(HIDE, True)
    orders(seconds=0.1, status=status)
    wait_until(lambda: page.title() == f"{title}: My Søng.wav")
    assert page.evaluate("told") == [[title, "My Søng.wav"]]
    page.evaluate(HIDE, False)
    name = "successfully separated" if status == 0 else "could not be separated"
    page.get_by_role("heading", name=name).wait_for()


def test_who_does_not_ask_is_not_notified(job_page, orders):
    page = job_page(prepare=allow_notifications)
    tell = page.get_by_role("button", name="Tell me when it is done")
    tell.click()
    tell.and_(page.locator("[aria-pressed=true]")).wait_for()
    tell.click()
    tell.and_(page.locator("[aria-pressed=false]")).wait_for()
    page.evaluate(HIDE, True)
    orders()
    wait_until(lambda: page.title() == "Separated: My Søng.wav")
    assert page.evaluate("told") == []
    page.evaluate(HIDE, False)


def test_where_notifications_are_not_to_be_had_no_button_offers_them(job_page):
    page = job_page(prepare=lambda page: page.add_init_script("delete window.Notification"))
    page.get_by_text("% done").wait_for()
    assert page.get_by_role("button", name="Tell me").count() == 0


@pytest.mark.parametrize("script", [True, False])
def test_cancel_leaves_nothing_behind(job_page, quick_server, script):
    page = job_page(java_script_enabled=script)
    page.get_by_role("heading", name="Separating").wait_for()
    double.wait_until_started(quick_server.home, page.job)
    assert files_of(quick_server, page.job)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Split a song").wait_for()
    wait_until(lambda: not files_of(quick_server, page.job), 2)


def test_a_page_that_is_opened_later_shows_the_result(job_page, quick_server):
    page = job_page(seconds=0.1)
    quick_server.client().wait_for(page.job, "done")
    page.goto(f"http://localhost:{quick_server.port}/cgi-bin/job.py?job={page.job}")
    page.get_by_role("heading", name="Source file is successfully separated").wait_for()


def test_a_job_that_another_page_deletes_is_told_of(browser, quick_server, orders, song):
    orders(seconds=double.LONG)
    client = quick_server.client()
    job = client.uploaded_job(song(0.5))
    client.separate(job)
    page = browser.new_context().new_page()
    page.goto(f"http://localhost:{quick_server.port}/cgi-bin/job.py?job={job}")
    page.get_by_role("heading", name="Separating").wait_for()
    client.post("/cgi-bin/delete.py", job=job)
    page.get_by_role("heading", name="Not found").wait_for()
    page.context.close()
