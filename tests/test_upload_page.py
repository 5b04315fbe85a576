"""Files on their way from the home page: chosen or dropped, looked at, sent, cancelled, in a real browser."""

import base64
import re
import time

import pytest

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
def home_page(browser, quick_server):
    """The home page of a new visitor, which notes in `sent` what it posts; at the end, no script has failed."""
    pages, errors = [], []

    def open_(**options):
        page = browser.new_context(**options).new_page()
        pages.append(page)
        page.sent = []
        page.on("request", lambda request: page.sent.append(request.url) if request.method == "POST" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://localhost:{quick_server.port}/")
        return page

    yield open_
    for page in pages:
        page.context.close()
    assert errors == []


@pytest.fixture
def uploads(quick_server):
    """The names of the folders of jobs, and of files on their way in, on the server's disk."""

    def names() -> set[str]:
        return {
            path.name for path in (quick_server.home / "uploads").iterdir() if re.fullmatch("[0-9a-f]{32}", path.name)
        }

    return names


def make_slow(page, bytes_a_second: int = SLOW) -> None:
    """Let uploads take their time; -1 makes them quick again."""
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


def wait_until(is_so, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)


def test_the_way_of_a_file_shows_and_leads_to_its_page(home_page, song):
    page = home_page()
    make_slow(page)
    send(page, song(10.0, name="ten.wav"))
    bar = page.get_by_role("progressbar", name="Sending ten.wav")
    bar.wait_for()
    assert focused(page).strip().startswith("ten.wav")
    line(page, "ten.wav").get_by_text(re.compile(r"^\d+ %, [\d.]+ MB of 1\.7 MB, about \d+ s left$")).wait_for()
    wait_until(lambda: percent(page) >= 30)
    said = page.get_by_role("status").inner_text().split("\n")
    assert said[0] == "Sending ten.wav"
    assert re.fullmatch(r"ten\.wav: \d0 %", said[-1])
    make_slow(page, -1)
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert page.get_by_text("ten.wav").is_visible()


def test_cancel_leaves_nothing_and_it_can_be_sent_again(home_page, song, uploads):
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
    assert line(page, "three.wav").get_by_text("It waits for its turn.").is_visible()
    assert len(page.sent) == 1
    page.get_by_role("button", name="Cancel: two.wav").click()
    onward = page.get_by_role("link", name="Go on to your songs")
    onward.wait_for()
    assert len(page.sent) == 2
    assert line(page, "two.wav").get_by_text("Cancelled.").is_visible()
    assert len(uploads() - before) == 2
    page.get_by_role("link", name="three.wav").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()
    assert page.get_by_text("three.wav").is_visible()


def test_when_all_of_several_are_sent_the_songs_come(home_page, song, uploads):
    before = uploads()
    page = home_page()
    send(page, song(0.5, name="one.wav"), song(0.5, name="two.wav"))
    page.wait_for_url("**/cgi-bin/songs.py")
    assert len(uploads() - before) == 2


def test_a_bad_file_among_several_is_told_and_the_others_go(home_page, song, tmp_path, uploads):
    before = uploads()
    bad = tmp_path / "bad.wav"
    bad.write_bytes(song(1.0).read_bytes()[:30])  # it begins like a sound, so that only the server finds it out
    page = home_page()
    send(page, song(0.5, name="one.wav"), bad, song(0.5, name="two.wav"))
    page.get_by_role("link", name="Go on to your songs").wait_for()
    assert "not a sound that can be read" in line(page, "bad.wav").inner_text()
    assert line(page, "bad.wav").get_by_role("button").count() == 0  # it would be the same another time
    assert page.get_by_role("link", name=re.compile("^(one|two).wav$")).count() == 2
    assert "Sent: 2 of 3 files." in page.get_by_role("status").inner_text()
    assert len(uploads() - before) == 2


NOT_WAV = {
    "empty.wav": (b"", "This file is empty."),
    "tagged.wav": (b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\xc4", "This file is MP3, whatever"),
    "mp3.wav": (b"\xff\xf3\x90\xc4", "This file is MP3, whatever"),
    "flac.wav": (b"fLaC", "This file is FLAC, whatever"),
    "png.wav": (b"\x89PNG\r\n\x1a\n", "This file is a picture, whatever"),
    "avi.wav": (b"RIFF\xff\0\0\0AVI LIST", "not a sound that can be read"),
    "w64.wav": (b"riff.\x91\xcf\x11", "This file is W64, whatever"),
    "text.wav": (b"Dear Sir,", "not a sound that can be read"),
}


def test_what_is_no_wav_is_told_before_it_is_sent(home_page, tmp_path):
    for name, (begin, _) in NOT_WAV.items():
        (tmp_path / name).write_bytes(begin and begin + bytes(99))
    page = home_page()
    page.get_by_label(FIELD).set_input_files([tmp_path / name for name in NOT_WAV])
    for name, (_, sentence) in NOT_WAV.items():
        line(page, name).get_by_text(sentence).wait_for()
    assert NOT_WAV["text.wav"][1] in page.get_by_role("status").inner_text()
    assert page.get_by_role("button", name="Send file").is_disabled()
    assert page.sent == []


def test_too_large_a_file_is_told_before_it_is_sent(home_page, tmp_path):
    path = tmp_path / "song.wav"
    with path.open("wb") as file:
        file.truncate((8 << 30) + 1)
    page = home_page()
    page.get_by_label(FIELD).set_input_files(path)
    line(page, "song.wav").get_by_text("This file is too large: at most 8 GB can be sent.").wait_for()
    assert page.sent == []


def test_every_kind_of_wav_that_the_server_takes_is_let_go(home_page, song, tmp_path, uploads):
    before = uploads()
    kinds = [{"format": "RF64"}, {"format": "WAVEX"}, {"endian": "BIG"}, {"subtype": "FLOAT"}]
    files = [song(0.1, name=f"kind{number}.wav", **kind) for number, kind in enumerate(kinds)]
    tagged = tmp_path / "tagged.wav"
    tagged.write_bytes(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + song(0.1).read_bytes())
    page = home_page()
    send(page, *files, tagged)
    page.wait_for_url("**/cgi-bin/songs.py")
    assert len(uploads() - before) == 5


def test_files_are_dropped_anywhere(home_page, song, uploads):
    before = uploads()
    page = home_page()
    content = base64.b64encode(song(0.5).read_bytes()).decode()
    page.evaluate(DROP, [["dropped.wav", content], ["picture.wav", base64.b64encode(b"GIF89a" + bytes(99)).decode()]])
    line(page, "picture.wav").get_by_text("This file is a picture").wait_for()
    assert focused(page) == "Send file"
    page.keyboard.press("Enter")
    page.get_by_role("link", name="dropped.wav").wait_for()
    assert len(uploads() - before) == 1


def test_a_broken_connection_is_told_and_offers_to_send_again(home_page, song):
    page = home_page()
    page.context.set_offline(True)
    send(page, song(0.5, name="lost.wav"))
    line(page, "lost.wav").get_by_text("The connection broke off. The file was not sent.").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Send again: lost.wav").click()
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()


def test_leaving_while_it_sends_is_asked_about(home_page, song):
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


def test_without_javascript_one_file_is_sent_as_ever(home_page, song):
    page = home_page(java_script_enabled=False)
    assert page.get_by_label(FIELD).get_attribute("multiple") is None
    assert page.get_by_text("Or drop files").is_hidden()
    send(page, song(0.5, name="plain.wav"))
    page.get_by_role("heading", name="Sound file is uploaded successfully").wait_for()


def test_back_from_the_uploaded_page_the_list_is_as_new(home_page, song):
    page = home_page()
    send(page, song(0.5))
    page.get_by_role("button", name="SEPARATE").wait_for()
    page.go_back()
    page.get_by_label(FIELD).wait_for()
    assert page.get_by_text("Sent.").count() == 0
