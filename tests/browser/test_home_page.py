"""Uploads from the home page: files are chosen or dropped, checked, sent and cancelled."""

import base64
import re

import pytest

from tests.support.waiting import wait_until

SLOW = 400_000  # bytes a second
ID = re.compile("[0-9a-f]{32}")
FIELD = "Choose .wav file for upload"
DROP = """files => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    const options = {dataTransfer: transfer, bubbles: true, cancelable: true};
    for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, options));
}"""


@pytest.fixture
def home_page(browser, fake_engine_server):
    """Open the home page as a new visitor. `page.sent` has its POST requests; at the end, no script has failed."""
    pages, errors = [], []

    def open_(**options):
        page = browser.new_context(**options).new_page()
        pages.append(page)
        page.sent = []
        page.on("request", lambda request: page.sent.append(request.url) if request.method == "POST" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://localhost:{fake_engine_server.port}/")
        return page

    yield open_
    for page in pages:
        page.context.close()
    assert errors == []


@pytest.fixture
def uploads(fake_engine_server):
    """The names of the folders in uploads/, of jobs and of uploads in progress."""

    def names() -> set[str]:
        return {
            path.name
            for path in (fake_engine_server.home / "uploads").iterdir()
            if re.fullmatch("[0-9a-f]{32}", path.name)
        }

    return names


def make_slow(page, bytes_a_second: int = SLOW) -> None:
    """Limit the upload rate; -1 removes the limit."""
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", limits)


def send(page, *files) -> None:
    page.get_by_label(FIELD).set_input_files(files)
    page.get_by_role("button", name="Send file").click()


def line(page, name: str):
    return page.get_by_role("listitem").filter(has_text=name)


def percent(page) -> float:
    return page.evaluate("document.querySelector('progress').value")


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent")


def test_upload_progress_is_shown(home_page, song):
    page = home_page()
    make_slow(page)
    send(page, song(10.0, name="ten.wav"))
    bar = page.get_by_role("progressbar", name="Sending ten.wav")
    bar.wait_for()
    assert focused(page).strip().startswith("ten.wav")
    line(page, "ten.wav").get_by_text(re.compile(r"^\d+ %, [\d.]+ MB of 1\.7 MB, about \d+ s left$")).wait_for()
    wait_until(lambda: percent(page) >= 30)
    lines = page.get_by_role("status").inner_text().split("\n")
    assert lines[0] == "Sending ten.wav"
    assert re.fullmatch(r"ten\.wav: \d0 %", lines[-1])
    make_slow(page, -1)
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert page.get_by_text("ten.wav").is_visible()


def test_a_cancelled_upload_can_be_sent_again(home_page, song, uploads):
    before = uploads()
    page = home_page()
    make_slow(page)
    send(page, song(10.0, name="ten.wav"))
    wait_until(lambda: percent(page) > 0)
    wait_until(lambda: uploads() > before)
    page.get_by_role("button", name="Cancel: ten.wav").click()
    line(page, "ten.wav").get_by_text("Cancelled.").wait_for()
    wait_until(lambda: uploads() == before)
    again = page.get_by_role("button", name="Send again: ten.wav")
    assert focused(page) == "Send again"
    make_slow(page, -1)
    again.click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert len(uploads() - before) == 1


def test_several_files_are_sent_one_after_another(home_page, song, uploads):
    before = uploads()
    page = home_page()
    make_slow(page, 4 * SLOW)
    send(page, song(5.0, name="one.wav"), song(4.0, name="two.wav"), song(3.0, name="three.wav"))
    line(page, "one.wav").get_by_text(" MB of ").wait_for()
    assert line(page, "three.wav").get_by_text("Waiting for the other files.").is_visible()
    assert len(page.sent) == 1
    page.get_by_role("button", name="Cancel: two.wav").click()
    onward = page.get_by_role("link", name="Continue to your songs")
    onward.wait_for()
    assert len(page.sent) == 2
    assert line(page, "two.wav").get_by_text("Cancelled.").is_visible()
    assert len(uploads() - before) == 2
    page.get_by_role("link", name="three.wav").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert page.get_by_text("three.wav").is_visible()


def test_after_several_uploads_the_songs_page_opens(home_page, song, uploads):
    before = uploads()
    page = home_page()
    send(page, song(0.5, name="one.wav"), song(0.5, name="two.wav"))
    page.wait_for_url("**/cgi-bin/songs.py")
    assert len(uploads() - before) == 2


def test_a_bad_file_does_not_stop_the_other_uploads(home_page, song, tmp_path, uploads):
    before = uploads()
    bad = tmp_path / "bad.wav"
    bad.write_bytes(song(1.0).read_bytes()[:30])  # it begins like a WAV, so that only the server notices
    page = home_page()
    send(page, song(0.5, name="one.wav"), bad, song(0.5, name="two.wav"))
    page.get_by_role("link", name="Continue to your songs").wait_for()
    assert "cannot be read as a sound file" in line(page, "bad.wav").inner_text()
    assert line(page, "bad.wav").get_by_role("button").count() == 0  # sending it again would not help
    assert page.get_by_role("link", name=re.compile("^(one|two).wav$")).count() == 2
    assert "Sent: 2 of 3 files." in page.get_by_role("status").inner_text()
    assert len(uploads() - before) == 2


NOT_WAV = {
    "empty.wav": (b"", "This file is empty."),
    "png.wav": (b"\x89PNG\r\n\x1a\n", "This file is a picture, and not a recording."),
    "webp.wav": (b"RIFF\xff\0\0\0WEBPVP8 ", "cannot be read as a sound file"),
    "text.wav": (b"Dear Sir,", "cannot be read as a sound file"),
}


def test_files_that_are_not_wav_are_refused_before_sending(home_page, tmp_path):
    for name, (begin, _) in NOT_WAV.items():
        (tmp_path / name).write_bytes(begin and begin + bytes(99))
    page = home_page()
    page.get_by_label(FIELD).set_input_files([tmp_path / name for name in NOT_WAV])
    for name, (_, sentence) in NOT_WAV.items():
        line(page, name).get_by_text(sentence).wait_for()
    assert NOT_WAV["text.wav"][1] in page.get_by_role("status").inner_text()
    assert page.get_by_role("button", name="Send file").is_disabled()
    assert page.sent == []


def test_a_too_large_file_is_refused_before_sending(home_page, tmp_path):
    path = tmp_path / "song.wav"
    with path.open("wb") as file:
        file.truncate((8 << 30) + 1)
    page = home_page()
    page.get_by_label(FIELD).set_input_files(path)
    line(page, "song.wav").get_by_text("This file is too large: at most 8 GB can be uploaded.").wait_for()
    assert page.sent == []


def test_every_kind_of_wav_is_sent(home_page, song, tmp_path, uploads):
    before = uploads()
    kinds = [{"format": "RF64"}, {"format": "WAVEX"}, {"endian": "BIG"}, {"subtype": "FLOAT"}]
    files = [song(0.1, name=f"kind{number}.wav", **kind) for number, kind in enumerate(kinds)]
    tagged = tmp_path / "tagged.wav"
    tagged.write_bytes(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + song(0.1).read_bytes())
    page = home_page()
    send(page, *files, tagged)
    page.wait_for_url("**/cgi-bin/songs.py")
    assert len(uploads() - before) == 5


def test_files_can_be_dropped_anywhere(home_page, song, uploads):
    before = uploads()
    page = home_page()
    content = base64.b64encode(song(0.5).read_bytes()).decode()
    page.evaluate(DROP, [["dropped.wav", content], ["picture.wav", base64.b64encode(b"GIF89a" + bytes(99)).decode()]])
    line(page, "picture.wav").get_by_text("This file is a picture").wait_for()
    assert focused(page) == "Send file"
    page.keyboard.press("Enter")
    page.get_by_role("link", name="dropped.wav").wait_for()
    assert len(uploads() - before) == 1


def test_a_lost_connection_offers_to_send_again(home_page, song):
    page = home_page()
    page.context.set_offline(True)
    send(page, song(0.5, name="lost.wav"))
    line(page, "lost.wav").get_by_text("The connection was lost. The file was not uploaded.").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Send again: lost.wav").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()


def test_leaving_during_an_upload_asks_for_confirmation(home_page, song):
    page = home_page()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    make_slow(page)
    send(page, song(10.0, name="ten.wav"))
    wait_until(lambda: percent(page) > 0)
    page.evaluate("setTimeout(() => location.reload())")
    wait_until(lambda: page.evaluate("1") and asked)
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Cancel: ten.wav").click()
    line(page, "ten.wav").get_by_text("Cancelled.").wait_for()
    page.reload()
    assert asked == ["beforeunload"]


@pytest.mark.parametrize("scripts", [True, False])
def test_one_click_goes_from_the_file_to_the_stems(home_page, song, scripts):
    page = home_page(java_script_enabled=scripts)
    page.get_by_label(FIELD).set_input_files(song(0.5, name="plain.wav"))
    page.get_by_text("Options", exact=True).click()
    page.locator("input[value=starter]").check()
    page.get_by_label("Vocals, drums, bass, other").check()
    page.get_by_role("button", name="Send and split").click()
    page.get_by_role("heading", name="successfully separated").wait_for(timeout=30_000)
    assert page.get_by_text("plain.wav").first.is_visible()
    page.get_by_text("Separated with the model starter.").wait_for()
    page.get_by_role("link", name="Download drums").wait_for()


def test_several_files_are_split_at_once(home_page, song):
    page = home_page()
    page.get_by_label(FIELD).set_input_files([song(0.5, name="one.wav"), song(0.5, name="two.wav")])
    page.get_by_role("button", name="Send and split").click()
    page.wait_for_url("**/cgi-bin/songs.py")
    for name in ("one.wav", "two.wav"):
        page.get_by_role("row").filter(has_text=name).get_by_text("Separated").wait_for(timeout=30_000)


def test_a_song_that_cannot_be_queued_stays_uploaded(home_page, song):
    page = home_page()
    page.get_by_label(FIELD).set_input_files(song(0.5, name="one.wav"))
    page.evaluate("document.querySelector('input[value=umx]').value = 'nonsense'")
    page.get_by_role("button", name="Send and split").click()
    line(page, "one.wav").get_by_text("There is no such model here.").wait_for()
    page.get_by_role("link", name="one.wav").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()


def test_the_chosen_files_are_shown_once_and_counted_on_the_button(home_page, song):
    page = home_page()
    field = page.get_by_label(FIELD)
    field.set_input_files([song(0.5, name="one.wav"), song(0.5, name="two.wav")])
    page.get_by_role("button", name="Send files").wait_for()
    assert line(page, "one.wav").is_visible()
    assert field.evaluate("field => getComputedStyle(field).fontSize") == "0px"  # its own text
    assert field.bounding_box()["height"] >= 44
    field.set_input_files(song(0.5, name="one.wav"))
    page.get_by_role("button", name="Send file", exact=True).wait_for()


def test_there_is_no_drop_hint_on_a_touch_screen(home_page):
    hint = "Or drop one or more files"
    assert home_page().get_by_text(hint).is_visible()
    page = home_page(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    assert page.evaluate("matchMedia('(hover: none)').matches")
    page.locator("#send:disabled").wait_for()  # the script has run
    assert page.get_by_text(hint).is_hidden()


def test_one_file_is_sent_without_javascript(home_page, song):
    page = home_page(java_script_enabled=False)
    assert page.get_by_label(FIELD).get_attribute("multiple") is None
    assert page.get_by_text("Or drop one or more files").is_hidden()
    send(page, song(0.5, name="plain.wav"))
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()


def test_going_back_shows_an_empty_upload_list(home_page, song):
    page = home_page()
    send(page, song(0.5))
    page.get_by_role("button", name="SEPARATE").wait_for()
    page.go_back()
    page.get_by_label(FIELD).wait_for()
    assert page.get_by_text("Sent.").count() == 0
