"""Opening the player in a browser, and measuring what it plays."""

import base64
import time
from collections.abc import Callable, Iterable

import numpy as np

from tests.support.waiting import wait_until

KINDS = ("peaks", "spectrogram")
LOOP_FADE = 442  # samples of a loop's crossfade

# Note every piece of sound that is scheduled, and each track's last node.
EARS = """
window.pieces = [];
window.ears = [];
const { start, stop } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (when) {
  const delay = 1000 * (when - this.context.currentTime);
  const frame = when * this.context.sampleRate;
  let node = this;
  while (node.to !== this.context.destination) node = node.to;
  const track = ears.indexOf(node);
  this.piece = { track, frame, fader: this.to, buffer: this.buffer, heardAt: performance.now() + delay, end: Infinity };
  pieces.push(this.piece);
  start.call(this, when);
};
AudioBufferSourceNode.prototype.stop = function (when) {
  this.piece.end = when * this.context.sampleRate;
  stop.call(this, when);
};
const { connect } = AudioNode.prototype;
AudioNode.prototype.connect = function (target, ...rest) {
  this.to = target;
  if (target === this.context.destination) ears.push(this);
  return connect.call(this, target, ...rest);
};
"""
LOUDNESS = """() => ears.map((ear) => {
  const samples = new Float32Array(ear.fftSize);
  ear.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
})"""
PIECES = """() => pieces.map(({ track, frame, buffer, end }) => {
  const bytes = new Uint8Array(buffer.getChannelData(0).buffer.slice(0));
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return [track, frame, end === Infinity ? null : end, btoa(text)];
})"""


def finish(client, song, **options) -> str:
    """Separate `song`, wait until its pictures are drawn, and return the job."""
    job = client.uploaded_job(song)
    client.post("/cgi-bin/separate.py", json_wanted=True, **({"job": job, "model": "starter"} | options))
    stems = [stem["name"] for stem in client.wait_for(job, "done")["stems"]]
    wait_for_pictures(client, job, stems)
    return job


def wait_for_pictures(client, job: str, stems: Iterable[str] = ("vocals", "music")) -> None:
    paths = [f"/downloads/{job}/{name}.{kind}" for name in ("mixture", *stems) for kind in KINDS]
    wait_until(lambda: all(client.get(path).status == 200 for path in paths), 120, "the pictures are not drawn", 0.2)


def wait_for_page(page, is_true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition. Playwright's own wait_for_function is blocked by the page's Content-Security-Policy."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def is_pressed(page, name: str) -> bool:
    return page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"


def slider(page, name: str):
    return page.get_by_role("slider", name=name, exact=True)


def time_of(page) -> float:
    """The position that is shown, in seconds."""
    minutes, _, seconds = page.locator(".elapsed").inner_text().rpartition(":")
    return 60 * int(minutes) + float(seconds)


def play(page) -> None:
    before = time_of(page)
    press(page, "Play")
    wait_for_page(page, lambda: time_of(page) > before + 0.1)


def wait_until_heard(page, tracks: list[bool]) -> None:
    """Wait until exactly these tracks sound: a level fades in or out, so that it does not click."""
    wait_for_page(page, lambda: [loudness > 1e-3 for loudness in page.evaluate(LOUDNESS)] == tracks, seconds=20)


def played(page, nb_tracks: int = 3) -> list[np.ndarray]:
    """What was scheduled so far: each track's left channel, gaps as NaN, from the first sample on.

    With another tempo or pitch, only the tracks that are audible are rendered.
    """
    pieces = [
        (track, frame, end, np.frombuffer(base64.b64decode(text), "<f4"))
        for track, frame, end, text in page.evaluate(PIECES)
    ]
    for _, frame, _, _ in pieces:
        assert abs(frame - round(frame)) < 1e-3  # a piece begins at a sample, so nothing is interpolated
    first = round(min(frame for _, frame, _, _ in pieces))
    last = round(max(frame + len(samples) for _, frame, _, samples in pieces))
    tracks = [np.full(last - first, np.nan, np.float32) for _ in range(nb_tracks)]
    for track, frame, end, samples in pieces:
        start = round(frame) - first
        kept = samples if end is None else samples[: max(0, int(end) - round(frame))]
        tracks[track][start : start + len(kept)] = kept
    return tracks


def without_gaps(sound: np.ndarray, most: int = 3) -> np.ndarray:
    """The sound without the gaps in it, `most` at most.

    A machine that is too busy to render in time makes the sound wait; it goes on with the next sample.
    """
    gaps = np.isnan(sound)
    assert np.count_nonzero(gaps[1:] & ~gaps[:-1]) <= most
    return sound[~gaps]


def drag(page, number: int, start: float, end: float) -> None:
    """Drag over the picture of the stem `number`; `start` and `end` are shares of its width."""
    picture = page.locator(".picture:visible").nth(number)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + start * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 20, steps=3)
    page.mouse.up()


def click_picture(page, number: int, place: float) -> None:
    picture = page.locator(".picture:visible").nth(number)
    box = picture.bounding_box()
    picture.click(position={"x": place * box["width"], "y": 20})


def pitch(samples: np.ndarray, sample_rate: int) -> float:
    """The frequency of the strongest partial, Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 20))
    return float(np.argmax(spectrum) * sample_rate / (1 << 20))


def largest_bend(samples: np.ndarray) -> float:
    """The largest second difference: a click is larger than what a smooth signal has."""
    return float(np.abs(np.diff(samples, 2)).max())
