"""The options beside SEPARATE in a real browser."""

FOUR = ["vocals", "drums", "bass", "other"]


def test_choosing_on_the_page_without_javascript(open_page, fake_engine_server, song):
    page = open_page(f"http://localhost:{fake_engine_server.port}/", java_script_enabled=False)
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    four = page.get_by_label("Vocals, drums, bass, other")
    assert not four.is_visible()  # folded
    page.get_by_text("Options", exact=True).click()
    page.get_by_text("More models").click()
    spleeter = page.locator("input[value=spleeter]")
    spleeter.check()
    assert not four.is_visible()  # Spleeter has two stems only
    page.locator("input[value=umxhq]").check()
    four.check()
    assert not spleeter.is_visible()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for(timeout=30_000)
    assert page.get_by_text("umxhq").first.is_visible()
    job = page.url.split("job=")[1]
    assert sorted(path.name for path in (fake_engine_server.home / "downloads" / job / "song").glob("*.wav")) == sorted(
        f"{name}.wav" for name in FOUR
    )
