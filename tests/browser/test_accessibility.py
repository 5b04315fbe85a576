"""Accessibility of every page: keyboard, screen reader, small screens, light and dark colours."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import fake_engine
from tests.support.forms import CONTENT_TYPE, upload_form
from tests.support.programs import skip_or_fail
from tests.support.project import PROJECT

sync_api = pytest.importorskip("playwright.sync_api")
AXE = PROJECT / "tests" / "node_modules" / "axe-core" / "axe.min.js"
NAME = "A_name_without_a_blank_that_is_far_too_long_for_a_small_screen.wav"
THUMB = 44  # px

# All tests here run on every page in this table. The placeholders are jobs of the fixture `jobs`.
PAGES = {
    "home": "/",
    "uploaded": "/cgi-bin/uploaded.py?job={uploaded}",
    "waiting": "/cgi-bin/job.py?job={waiting}",
    "running": "/cgi-bin/job.py?job={running}",
    "failed": "/cgi-bin/job.py?job={failed}",
    "done": "/cgi-bin/download.py?job={done}",
    "compare": "/cgi-bin/download.py?job={done}&with={again}",
    "songs": "/cgi-bin/songs.py",
    "error": "/nothing",
}
every_page = pytest.mark.parametrize("name", PAGES)

# All enabled controls, in document order.
CONTROLS = """() => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, audio[controls], [tabindex='0']"
)].filter((control) => control.checkVisibility({visibilityProperty: true}) && !control.disabled)"""


class Visitor:
    """The visitor whose jobs the pages show."""

    def __init__(self, client):
        self.client = client
        self.cookie = ""

    def post(self, script: str, **fields: str) -> str:
        """Post a form and return the job of the response."""
        body = "&".join(f"{name}={value}" for name, value in fields.items())
        return self._post(script, body, "application/x-www-form-urlencoded")

    def upload(self, path: Path) -> str:
        return self._post("upload", upload_form(path.read_bytes(), NAME), CONTENT_TYPE)

    def _post(self, script: str, body: str | bytes, content_type: str) -> str:
        headers = {"Cookie": self.cookie, "Accept": "application/json", "Content-Type": content_type}
        reply = self.client.request("POST", f"/cgi-bin/{script}.py", body, headers)
        assert reply.status in (201, 202), reply.text
        self.cookie = reply.headers.get("Set-Cookie", self.cookie).split(";")[0]
        return reply.json()["job"]


@pytest.fixture(scope="module")
def jobs(fake_engine_server, song):
    """One visitor's jobs: one in each state, and a second separation of the finished one."""
    client = fake_engine_server.client()
    visitor = Visitor(client)
    ids = {state: visitor.upload(song(1.0)) for state in ("done", "failed", "uploaded", "running", "waiting")}
    visitor.post("separate", job=ids["done"])
    client.wait_for(ids["done"], "done")
    ids["again"] = visitor.post("again", job=ids["done"], model="starter", stems="2", format="wav")
    client.wait_for(ids["again"], "done")
    fake_engine.configure(fake_engine_server.home, status=2)
    visitor.post("separate", job=ids["failed"])
    client.wait_for(ids["failed"], "failed")
    fake_engine.configure(fake_engine_server.home, seconds=fake_engine.FOREVER)
    visitor.post("separate", job=ids["running"])
    client.wait_for(ids["running"], "running")
    visitor.post("separate", job=ids["waiting"])
    ids["cookie"] = visitor.cookie
    yield ids
    fake_engine.configure(fake_engine_server.home)


@pytest.fixture
def visit(browser, fake_engine_server, jobs):
    """Open one of PAGES as its visitor, with every <details> open. `script` runs before the page's own scripts."""
    contexts = []

    def open_(name: str, script: str = "", referer: str | None = None, **options):
        contexts.append(browser.new_context(**options))
        origin = f"http://localhost:{fake_engine_server.port}"
        cookie, value = jobs["cookie"].split("=")
        contexts[-1].add_cookies([{"name": cookie, "value": value, "url": origin}])
        page = contexts[-1].new_page()
        if script:
            page.add_init_script(script)
        page.goto(origin + PAGES[name].format(**jobs), referer=referer)
        page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which checks a page: `npm ci --prefix tests` installs it."""
    if not AXE.exists():
        skip_or_fail("axe-core is not installed: npm ci --prefix tests")
    return AXE.read_text("utf-8")


@every_page
def test_axe_finds_nothing(visit, axe, name):
    """Roles, names, labels, headings, landmarks, contrast AA and more."""
    page = visit(name, axe)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run().then(({violations}) => violations)")
        assert [(one["impact"], one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], scheme


@every_page
@pytest.mark.parametrize("language", ["en", "uk"])
def test_pages_fit_a_small_screen_with_large_targets(visit, name, language):
    page = visit(name, viewport={"width": 320, "height": 640}, has_touch=True, locale=language)
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    small = f"""() => ({CONTROLS})().map((control) => control.closest("label") ?? control)
        .filter((control) => !control.matches(".skip"))
        .filter((control) => Math.min(control.offsetWidth, control.offsetHeight) < {THUMB})
        .map((control) => `${{control.outerHTML}} ${{control.offsetWidth}} x ${{control.offsetHeight}}`)"""
    assert page.evaluate(small) == []


@every_page
def test_tab_reaches_every_control_in_order_with_visible_focus(visit, name):
    page = visit(name)
    wanted = page.evaluate(f"""() => {{
        window.controls = ({CONTROLS})();
        window.reached = [];
        document.addEventListener("focusin", ({{target}}) => {{
            const {{outlineStyle, outlineWidth}} = getComputedStyle(target);
            const seen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
            reached.push([controls.indexOf(target), seen]);
        }});
        return controls.map((control, index) => [index, true])
            .filter(([index]) => !(controls[index].type === "radio" && !controls[index].checked));
    }}""")
    assert len(wanted) > 3
    for _ in wanted:
        page.keyboard.press("Tab")
    assert page.evaluate("reached.filter((one, index) => one[0] !== reached[index - 1]?.[0])") == wanted


def test_the_skip_link_leads_past_the_header(visit):
    page = visit("songs")
    page.keyboard.press("Tab")
    assert page.locator(":focus").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@every_page
def test_after_a_step_the_heading_has_the_focus(visit, name, fake_engine_server):
    page = visit(name, referer=f"http://localhost:{fake_engine_server.port}/")
    page.wait_for_function("document.activeElement.tagName === 'H1'")
    assert page.locator("[aria-live=assertive]").count() == 0  # announcements do not interrupt a screen reader
    assert page.get_by_role("alert").count() == (name in ("failed", "error"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_main_flow_by_keyboard_alone(browser, fake_engine_server, song):
    """A file is chosen, sent, separated and downloaded. This runs last because it finishes the queued jobs."""
    fake_engine.configure(fake_engine_server.home)
    page = browser.new_context().new_page()
    page.goto(f"http://localhost:{fake_engine_server.port}/")
    tab_to(page, "#file")
    open_file_chooser(page).set_files(song(0.5))
    page.locator("#send:enabled").wait_for()
    tab_to(page, "#send")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="SEPARATE").wait_for()
    tab_to(page, "main button:text('SEPARATE')")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="successfully separated").wait_for(timeout=60_000)
    with page.expect_download() as download:
        tab_to(page, "a:text('Download vocal')")
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "song - vocals.wav"
    page.context.close()


def open_file_chooser(page):
    """Open the dialog of the focused field with a key, once more if headless Chromium does not report the first."""
    for key in ("Space", "Enter", "Space"):
        with suppress(sync_api.TimeoutError), page.expect_file_chooser(timeout=10_000) as chooser:
            page.keyboard.press(key)
            return chooser.value
    raise AssertionError("no key opens the dialog")


def tab_to(page, selector: str) -> None:
    """Press Tab until the focus is on `selector`."""
    wanted = page.locator(selector).first
    for _ in range(30):
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")
