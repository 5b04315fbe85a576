"""What another site's frame and a page's own script can reach."""

from tests.support.waiting import wait_until


def test_pages_cannot_be_framed_and_scripts_cannot_read_the_cookie(fake_engine_server, browser, song):
    """A frame on another site stays empty, and the page's own scripts cannot see the cookie."""
    address = f"http://127.0.0.1:{fake_engine_server.port}"
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.set_input_files("input[type=file]", song(0.1))
    page.click("text=Send file")
    page.wait_for_url("**/uploaded.py*")
    assert [cookie["name"] for cookie in context.cookies()] == ["visitor"]
    assert page.evaluate("document.cookie") == ""
    page.goto("about:blank")
    page.set_content(f'<iframe src="{address}/"></iframe>')
    wait_until(lambda: page.evaluate("1") and page.frames[-1].url.startswith("chrome-error://"))
    assert "Send file" not in page.frames[-1].content()
    context.close()
