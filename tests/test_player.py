"""The player of the result page in a real browser: what it plays is listened to, and what it draws is looked at."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import SAMPLE_RATE

SECONDS = 12
IN_STEP = 0.020  # s
KINDS = ("peaks", "spectrogram")

# An ear behind each track's level, so that a test hears what a visitor would.
EARS = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (this instanceof MediaElementAudioSourceNode) {
    this.mediaElement.ear = new AnalyserNode(this.context);
    connect.call(target, this.mediaElement.ear);
  }
  return connect.call(this, target, ...rest);
};
"""
LOUDNESS = """() => [...document.querySelectorAll("audio")].map(({ ear }) => {
  const samples = new Float32Array(ear.fftSize);
  ear.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
})"""
NEVER_SAYS_THAT_IT_RUNS = """() => {
  const { resume } = AudioContext.prototype;
  AudioContext.prototype.resume = function () {
    resume.call(this);
    return new Promise(() => {});
  };
}"""
TIMES = """() => [...document.querySelectorAll("audio")].map((element) => element.currentTime)"""
WIDTHS = """() => [...document.querySelectorAll("canvas")].map((canvas) => canvas.width)"""
# The seconds of each track that the browser holds around where it is.
HELD = """() => [...document.querySelectorAll("audio")].map(({ buffered }) => {
  const parts = Array.from({ length: buffered.length }, (_, i) => buffered.end(i) - buffered.start(i));
  return parts.reduce((sum, part) => sum + part, 0);
})"""
# The share of the dots of each picture on which something is drawn.
DRAWN = """() => [...document.querySelectorAll("canvas")].map((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value).length / (canvas.width * canvas.height);
})"""


@pytest.fixture(scope="module")
def job(quick_server, song) -> str:
    """A finished job of SECONDS, whose pictures are drawn."""
    client = quick_server.client()
    job = client.uploaded_job(song(SECONDS))
    client.separate(job)
    client.wait_for(job, "done")
    wait_for_pictures(client, job)
    return job


def wait_for_pictures(client, job: str) -> None:
    deadline = time.monotonic() + 120
    paths = [f"/downloads/{job}/{name}.{kind}" for name in ("mixture", "vocals", "music") for kind in KINDS]
    while [client.get(path).status for path in paths] != [200] * len(paths):
        assert time.monotonic() < deadline, "the pictures are not drawn"
        time.sleep(0.2)


@pytest.fixture
def open_player(open_page, quick_server):
    """Open the page of a job, with ears behind its tracks."""

    def open_(job: str, **options):
        home = f"http://localhost:{quick_server.port}/"
        page = open_page(home, **options)
        page.add_init_script(EARS)
        page.goto(f"{home}cgi-bin/download.py?job={job}")
        page.get_by_role("button", name="Play", exact=True).wait_for()
        return page

    return open_


@pytest.fixture
def player(open_player, job):
    return open_player(job)


def play(page) -> None:
    page.get_by_role("button", name="Play", exact=True).click()
    wait_until_it_plays(page)


def wait_until_it_plays(page, after: float = 0.0) -> None:
    wait_until(page, lambda: min(page.evaluate(TIMES)) > after + 0.1)


def wait_until(page, is_true: Callable[[], bool], seconds: float = 60) -> None:
    """Ask from outside: the page's Content-Security-Policy keeps the tool from asking within it."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def wait_until_in_step(page) -> None:
    """At once, unless the machine is so busy that a track had nothing to play; then the drift is to be corrected."""
    wait_until(page, lambda: is_in_step(page), seconds=20)


def is_in_step(page, nb_readings: int = 7) -> bool:
    """Whether all are within IN_STEP, as most of some readings say: one alone can be a block of samples off."""
    spreads = []
    for _ in range(nb_readings):
        times = page.evaluate(TIMES)
        spreads.append(max(times) - min(times))
        page.wait_for_timeout(50)
    return sorted(spreads)[nb_readings // 2] < IN_STEP


def heard(page) -> list[bool]:
    """Which tracks sound."""
    page.wait_for_timeout(300)  # a level fades in or out, so that it does not click
    return [loudness > 1e-3 for loudness in page.evaluate(LOUDNESS)]


def time_of(page) -> float:
    return page.evaluate(TIMES)[0]


def slider(page, name: str):
    return page.get_by_role("slider", name=name)


def is_pressed(page, name: str) -> bool:
    return page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def drag(page, number: int, start: float, end: float, key: str = "") -> None:
    """Drag over the picture of track `number`, from one place to another, 0 to 1."""
    picture = page.locator(".picture").nth(number)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    if key:
        page.keyboard.down(key)
    page.mouse.move(box["x"] + start * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 20, steps=3)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def test_all_tracks_start_in_step_and_stay_so(player):
    play(player)
    wait_until_in_step(player)
    press(player, "Mute Vocals")
    player.wait_for_timeout(1500)
    wait_until_in_step(player)
    press(player, "Pause")
    player.wait_for_timeout(300)
    assert max(player.evaluate(TIMES)) < SECONDS
    before = time_of(player)
    player.wait_for_timeout(300)
    assert time_of(player) == before
    play(player)
    wait_until_in_step(player)


def test_a_click_on_a_waveform_leads_there_in_step(player):
    play(player)
    drag(player, 1, 0.5, 0.5)
    wait_until_it_plays(player, 0.49 * SECONDS)
    assert time_of(player) < 0.9 * SECONDS
    wait_until_in_step(player)


def test_a_drag_leads_where_it_ends(player):
    drag(player, 2, 0.1, 0.75)
    wait_until(player, lambda: all(abs(time - 0.75 * SECONDS) < 0.1 for time in player.evaluate(TIMES)))
    assert slider(player, "Position").get_attribute("aria-valuetext") == "0:09 / 0:12"
    assert player.locator(".elapsed").inner_text() == "0:09"


def test_a_marked_part_is_repeated_and_never_left(player):
    drag(player, 1, 0.5, 0.6, "Shift")
    start, end = 0.5 * SECONDS, 0.6 * SECONDS
    assert player.locator(".part").inner_text() == "0:06 – 0:07"
    play(player)
    times = []
    for _ in range(40):
        times.append(time_of(player))
        player.wait_for_timeout(100)
    assert min(times) > start - 0.05
    assert max(times) < end + 0.15  # a busy machine wakes the page late
    assert min(np.diff(times)) < 0, "it never went back"
    wait_until_in_step(player)
    press(player, "Loop")
    wait_until_it_plays(player, end + 0.3)


def test_a_part_can_be_marked_without_a_mouse(player):
    position = slider(player, "Position")
    position.focus()
    player.keyboard.press("ArrowRight")
    player.get_by_role("button", name="Loop from here").press("Enter")
    position.focus()
    player.keyboard.press("ArrowRight")
    player.get_by_role("button", name="Loop to here").press("Enter")
    assert player.get_by_role("status").inner_text() == "0:05 – 0:10"
    assert is_pressed(player, "Loop")
    player.get_by_role("button", name="Loop", exact=True).press("Enter")
    assert not is_pressed(player, "Loop")


def test_stems_sound_and_the_mixture_is_their_alternative(player):
    play(player)
    assert heard(player) == [False, True, True]
    press(player, "Solo Mixture")
    assert heard(player) == [True, False, False]
    press(player, "Solo Mixture")
    assert heard(player) == [False, True, True]
    press(player, "Mute Mixture")
    assert heard(player) == [True, False, False]
    assert [is_pressed(player, f"Mute {name}") for name in ("Mixture", "Vocals", "Music")] == [False, True, True]


def test_mute_and_solo_and_volume_change_what_sounds(player):
    play(player)
    press(player, "Mute Vocals")
    assert heard(player) == [False, False, True]
    press(player, "Solo Vocals")
    assert heard(player) == [False, True, False]
    press(player, "Solo Vocals")
    press(player, "Mute Vocals")
    loud = max(player.evaluate(LOUDNESS)[2] for _ in range(5))
    slider(player, "Volume Music").fill("0.1")
    player.wait_for_timeout(300)
    assert 0 < player.evaluate(LOUDNESS)[2] < 0.3 * loud


def test_the_mix_as_it_is_set_can_be_downloaded(player, job, tmp_path):
    press(player, "Mute Vocals")
    slider(player, "Volume Music").fill("0.5")
    with player.expect_download() as waiting:
        player.get_by_role("link", name="Download this mix").click()
    waiting.value.save_as(tmp_path / "mix.wav")
    assert waiting.value.url.endswith(f"job={job}&vocals=0&music=0.5")
    mix, _ = soundfile.read(tmp_path / "mix.wav")
    assert mix.shape == (SECONDS * SAMPLE_RATE, 2)


def test_the_keys_do_what_the_page_says(player):
    player.keyboard.press(" ")
    wait_until_it_plays(player)
    player.keyboard.press("ArrowRight")
    wait_until_it_plays(player, 5)
    player.keyboard.press("ArrowLeft")
    wait_until(player, lambda: max(player.evaluate(TIMES)) < 5)
    player.keyboard.press("1")
    assert is_pressed(player, "Mute Vocals")
    player.keyboard.press("2")
    assert is_pressed(player, "Mute Music")
    player.get_by_role("button", name="Solo Music").focus()
    player.keyboard.press("m")
    assert not is_pressed(player, "Mute Music")
    player.keyboard.press("s")
    assert is_pressed(player, "Solo Music")
    player.keyboard.press(" ")  # the button in focus has a use of its own for it
    assert not is_pressed(player, "Solo Music")
    player.locator("body").evaluate("() => document.activeElement.blur()")
    player.keyboard.press(" ")
    player.get_by_role("button", name="Play", exact=True).wait_for()


def test_the_keys_can_be_switched_off(player):
    player.get_by_text("Keyboard", exact=True).click()
    player.get_by_label("Use these keys").uncheck()
    player.keyboard.press("1")
    assert not is_pressed(player, "Mute Vocals")


def test_a_key_typed_into_a_field_stays_there(player):
    player.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    player.locator("textarea").type("1 ms")
    assert player.locator("textarea").input_value() == "1 ms"
    assert not is_pressed(player, "Mute Vocals")
    assert player.get_by_role("button", name="Play", exact=True).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_waveforms_are_drawn_and_spectrograms_when_asked_for(open_player, job, scheme):
    page = open_player(job, color_scheme=scheme, viewport={"width": 900, "height": 700})
    wait_until(page, lambda: all(0.05 < share < 0.9 for share in page.evaluate(DRAWN)))
    press(page, "Spectrogram")
    wait_until(page, lambda: set(page.evaluate(DRAWN)) == {1})
    press(page, "Spectrogram")
    wait_until(page, lambda: max(page.evaluate(DRAWN)) < 0.9)
    page.set_viewport_size({"width": 320, "height": 640})
    wait_until(page, lambda: max(page.evaluate(WIDTHS)) < 320)
    wait_until(page, lambda: min(page.evaluate(DRAWN)) > 0.05)


def test_pictures_appear_as_soon_as_they_are_made(open_player, quick_server, job, tmp_path):
    peaks = quick_server.home / "downloads" / job / "vocals.peaks"
    shutil.move(peaks, tmp_path / "aside")
    page = open_player(job)
    wait_until(page, lambda: page.evaluate(DRAWN)[2] > 0)
    assert page.evaluate(DRAWN)[1] == 0
    shutil.move(tmp_path / "aside", peaks)
    wait_until(page, lambda: page.evaluate(DRAWN)[1] > 0.05)


def test_twenty_minutes_start_soon_and_are_not_held_in_memory(open_player, quick_server, song):
    client = quick_server.client()
    job = client.uploaded_job(song(1.0))
    client.separate(job)
    client.wait_for(job, "done")
    wait_for_pictures(client, job)
    stems = quick_server.home / "downloads" / job / "song"
    for path in (quick_server.home / "uploads" / job / "song.wav", stems / "vocals.wav", stems / "residual.wav"):
        write_silence(path, 1200)
    page = open_player(job)
    begin = time.monotonic()
    play(page)
    assert time.monotonic() - begin < 10  # a second, on a machine that has nothing else to do
    assert page.locator(".total").inner_text() == "20:00"
    drag(page, 1, 0.8, 0.8)
    wait_until_it_plays(page, 950)
    wait_until_in_step(page)
    assert max(page.evaluate(HELD)) < 300


def write_silence(path: Path, seconds: int) -> None:
    """A .wav that takes no room on the disk: its samples are a hole in the file."""
    soundfile.write(path, np.zeros((0, 2)), SAMPLE_RATE, subtype="PCM_16")
    nb_bytes = seconds * SAMPLE_RATE * 4
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.truncate(size + nb_bytes)
        for place, number in ((4, size - 8 + nb_bytes), (size - 4, nb_bytes)):
            file.seek(place)
            file.write(number.to_bytes(4, "little"))


def test_five_tracks_of_two_results_are_in_step_too(open_player, quick_server, job):
    client = quick_server.client()
    other = client.post("/cgi-bin/again.py", json_wanted=True, job=job, model="starter").json()["job"]
    client.wait_for(other, "done")
    wait_for_pictures(client, other)
    page = open_player(f"{job}&with={other}")
    play(page)
    assert len(page.evaluate(TIMES)) == 5
    wait_until_in_step(page)
    assert heard(page).count(True) == 2
    press(page, "Solo Vocals B (starter)")
    assert heard(page).count(True) == 1


def test_a_track_can_be_fetched_in_pieces(quick_server, song):
    """Else nine tracks of a long song would wait for each other: a browser has six connections to a server."""
    client = quick_server.client()
    job = client.uploaded_job(song(15.0))
    path = f"/downloads/{job}/mixture.wav"
    whole = client.get(path, Range="bytes=0-")
    first = client.get(f"{path}?in-pieces", Range="bytes=0-")
    rest = client.get(f"{path}?in-pieces", Range=f"bytes={len(first.body)}-")
    assert [reply.status for reply in (whole, first, rest)] == [206] * 3
    assert len(first.body) == 2 << 20
    assert first.headers["Content-Range"] == f"bytes 0-{(2 << 20) - 1}/{len(whole.body)}"
    assert first.body + rest.body == whole.body


def test_a_file_that_cannot_be_played_keeps_the_others_from_nothing(open_player, quick_server, song):
    client = quick_server.client()
    job = client.uploaded_job(song(2.0))
    client.separate(job)
    client.wait_for(job, "done")
    wait_for_pictures(client, job)
    (quick_server.home / "downloads" / job / "song" / "vocals.wav").write_bytes(b"RIFF, and nothing that can be heard")
    page = open_player(job)
    press(page, "Play")
    page.get_by_role("alert").wait_for()
    assert "cannot play this file" in page.get_by_role("alert").inner_text()
    wait_until(page, lambda: page.evaluate(TIMES)[2] > 0.1)


def test_without_javascript_each_track_has_its_own_player(open_page, quick_server, job):
    home = f"http://localhost:{quick_server.port}/"
    page = open_page(home, java_script_enabled=False)
    page.goto(f"{home}cgi-bin/download.py?job={job}")
    assert page.locator("audio[controls]").count() == 3
    assert page.locator("audio:visible").count() == 3
    assert not page.get_by_role("button", name="Play", exact=True).is_visible()
    assert not page.get_by_role("button", name="Solo").first.is_visible()
    assert page.get_by_role("link", name="Download all (zip)").is_visible()


def test_everything_can_be_reached_on_a_small_screen(open_player, job):
    page = open_player(job, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    things = page.locator("main button:visible, main a:visible, main input:visible:not([type=checkbox]), summary").all()
    assert min(thing.bounding_box()["height"] for thing in things) >= 44
    assert min(thing.bounding_box()["width"] for thing in things) >= 44


def test_the_time_is_shown_where_no_sound_can_be_heard(open_player, job):
    """Firefox on a machine without a sound card: what should sound is begun, and never said to have begun."""
    page = open_player(job)
    page.evaluate(NEVER_SAYS_THAT_IT_RUNS)
    play(page)
    wait_until(page, lambda: page.locator(".elapsed").inner_text() == "0:01")
