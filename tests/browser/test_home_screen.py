"""The icon on a phone's home screen: its manifest, and the page that it opens while the server is not running."""

import json

from tests.support.waiting import wait_until

# Let the page find that it was opened from an icon, which headless Chromium cannot emulate.
STANDALONE = """
    const real = window.matchMedia.bind(window);
    window.matchMedia = (query) => (query === "(display-mode: standalone)" ? { matches: true } : real(query));
"""
IS_READY = "navigator.serviceWorker.ready.then(({active}) => active.scriptURL)"
NB_WORKERS = "navigator.serviceWorker.getRegistrations().then((found) => found.length)"


def test_the_manifest_is_valid_and_its_files_are_there(open_page, fake_engine_server):
    page = open_page(f"http://localhost:{fake_engine_server.port}/")
    tools = page.context.new_cdp_session(page)
    found = tools.send("Page.getAppManifest")
    assert found["errors"] == []
    manifest = json.loads(found["data"])
    client = fake_engine_server.client()
    touch = page.locator("link[rel=apple-touch-icon]").get_attribute("href")
    for path in [manifest["start_url"], touch, *(icon["src"] for icon in manifest["icons"])]:
        assert client.get(path).status == 200, path
    assert client.get(touch).headers["Content-Type"] == "image/png"
    assert client.get(touch).body.startswith(b"\x89PNG")


def test_a_page_in_a_tab_installs_nothing(open_page, fake_engine_server):
    page = open_page(f"http://localhost:{fake_engine_server.port}/")
    page.wait_for_load_state("networkidle")
    assert page.evaluate(NB_WORKERS) == 0


def test_without_the_server_the_icon_opens_a_page_that_says_so(browser, fake_engine_home, start_server):
    server = start_server()
    address = f"http://localhost:{server.port}/"
    page = browser.new_context().new_page()
    page.add_init_script(STANDALONE)
    page.goto(address)
    wait_until(lambda: page.evaluate(NB_WORKERS) == 1)
    assert page.evaluate(IS_READY) == f"{address}service-worker.js"
    page.reload()
    page.get_by_role("heading", name="Split a song").wait_for()
    server.kill()
    page.goto(address)
    page.get_by_role("heading", name="The server is not running").wait_for()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontSize") != "32px"  # with its style
    server.start()
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("heading", name="Split a song").wait_for()
    page.context.close()
