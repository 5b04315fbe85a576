"""The player in Firefox: its sound, which test_player_sound.py tests in Chromium in more detail."""

import numpy as np
import pytest
import soundfile

from tests.support import player
from tests.support.firefox import Firefox, sound_server
from tests.support.tones import BEEP_HZ, BEEP_SECONDS, SAMPLE_RATE, TONE_HZ, beep_times, beeps, wav
from tests.support.waiting import wait_until

SECONDS = 8.0
LOOP_SECONDS = 0.8


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    with sound_server() as address:
        firefox = Firefox(tmp_path_factory.mktemp("profile"), PULSE_SERVER=address)
        yield firefox
        firefox.close()


@pytest.fixture(scope="module")
def job(fake_engine_server, song) -> str:
    """A finished job of SECONDS of sound that never repeats."""
    return player.finish(fake_engine_server.client(), song(SECONDS))


@pytest.fixture
def open_player(firefox, fake_engine_server):
    """Open the page of a job as if for the first time, and note all that is played there."""

    def open_(job: str) -> Firefox:
        home = f"http://localhost:{fake_engine_server.port}/"
        firefox.goto(home)
        firefox.run("localStorage.clear()")
        firefox.goto(f"{home}cgi-bin/download.py?job={job}")
        wait_until(lambda: firefox.evaluate("document.querySelector('.player.open') !== null"))
        firefox.run(player.EARS)
        return firefox

    return open_


def play(page: Firefox, seconds: float) -> list[np.ndarray]:
    """Play, and return what is scheduled of each track once it is longer than `seconds`."""
    page.click(".play")

    def heard() -> list[np.ndarray] | None:
        tracks = player.played(page) if page.evaluate("pieces.length") else []
        return tracks if any(np.count_nonzero(~np.isnan(track)) > seconds * SAMPLE_RATE for track in tracks) else None

    return wait_until(heard, 60, interval=0.2)


def test_all_tracks_play_every_sample_in_sync(open_player, fake_engine_server, job):
    page = open_player(job)
    tracks = play(page, 4)
    wait_until(lambda: page.evaluate("document.querySelector('.elapsed').textContent") >= "0:02.0")
    song = soundfile.read(fake_engine_server.home / "uploads" / job / "song.wav", dtype="float32")[0][:, 0]
    for track in map(player.without_gaps, tracks):
        assert (track == song[: len(track)]).all()


def test_a_loop_is_repeated_to_the_sample(open_player, job):
    page = open_player(job)
    page.fill(".seek", str(LOOP_SECONDS), "change")
    page.click(".loop-to")
    sound = player.without_gaps(play(page, 3.2 * LOOP_SECONDS)[0])
    length = round(LOOP_SECONDS * SAMPLE_RATE)
    assert (sound[: length - player.LOOP_FADE] == sound[length : 2 * length - player.LOOP_FADE]).all()
    assert (sound[length : 2 * length] == sound[2 * length : 3 * length]).all()


@pytest.mark.parametrize(("percent", "semitones"), [(50, 0), (150, 6)])
def test_tempo_and_pitch_are_heard_independently(open_player, fake_engine_server, percent, semitones):
    page = open_player(player.finish(fake_engine_server.client(), wav(beeps(SECONDS))))
    page.fill(".tempo", str(percent))
    page.fill(".pitch", str(semitones))
    tracks = play(page, 4)
    assert np.array_equal(tracks[1], tracks[2], equal_nan=True)  # the stems of the fake engine are the song itself
    sound = player.without_gaps(tracks[1])
    factor = 2 ** (semitones / 12)
    assert player.pitch(sound, SAMPLE_RATE) == pytest.approx(TONE_HZ * factor, rel=0.002)
    assert np.diff(beep_times(sound, BEEP_HZ * factor)) == pytest.approx(100 * BEEP_SECONDS / percent, abs=0.02)


def test_mute_and_solo(open_player, job):
    page = open_player(job)
    play(page, 1)
    for selector, expected in ((".mute", [False, False, True]), (".solo", [False, True, False])):
        page.click(f".track:not([hidden]) {selector}")
        wait_until(lambda expected=expected: [peak > 1e-3 for peak in page.evaluate(player.LOUDNESS)] == expected)
