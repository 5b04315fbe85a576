"""What the player plays: in sync to the sample, without gaps and clicks, at the tempo and pitch that are set."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import player, wave_files
from tests.support.tones import BEEP_HZ, BEEP_SECONDS, SAMPLE_RATE, TONE_HZ, beep_times, beeps, tone, wav

SECONDS = 8.0
MANY = 100  # gaps, where stretching three tracks takes all of a busy machine
NB_TRIES = 4  # of a latency, on a machine that does other things as well
START_MS, JUMP_MS = 300, 150
MAX_HEAP_GROWTH = 40e6  # bytes, with 20 minutes of three tracks


@pytest.fixture(scope="module")
def job(fake_engine_server, song) -> str:
    """A finished job of SECONDS of sound that never repeats."""
    return player.finish(fake_engine_server.client(), song(SECONDS))


@pytest.fixture(scope="module")
def beeping_job(fake_engine_server) -> str:
    return player.finish(fake_engine_server.client(), wav(beeps(SECONDS)))


def left_channel(home: Path, job: str) -> np.ndarray:
    return soundfile.read(home / "uploads" / job / "song.wav", dtype="float32")[0][:, 0]


def test_all_tracks_play_every_sample_in_sync(open_player, fake_engine_server, job):
    page = open_player(job)
    player.play(page)
    player.wait_for_page(page, lambda: player.time_of(page) > 2)
    player.press(page, "Pause")
    song = left_channel(fake_engine_server.home, job)
    for track in player.played(page):
        samples = player.without_gaps(track)
        assert len(samples) > 1.9 * SAMPLE_RATE
        assert (samples == song[: len(samples)]).all()


def test_a_click_on_a_waveform_jumps_there_in_sync(open_player, fake_engine_server, job):
    page = open_player(job)
    player.click_picture(page, 1, 0.5)
    assert abs(player.time_of(page) - SECONDS / 2) < 0.05
    player.play(page)
    song = left_channel(fake_engine_server.home, job)
    tracks = player.played(page)
    start = int(np.argmin(np.abs(np.lib.stride_tricks.sliding_window_view(song, 64) - tracks[0][:64]).sum(axis=1)))
    assert abs(start / SAMPLE_RATE - SECONDS / 2) < 0.02
    for track in map(player.without_gaps, tracks):
        assert len(track) > SAMPLE_RATE
        assert (track == song[start : start + len(track)]).all()


def loop_for(page, nb_samples: int) -> tuple[np.ndarray, int]:
    """Loop a tenth of the song: what is played of it, and the length of the loop in samples."""
    player.drag(page, 0, 0.5, 0.6)
    player.play(page)
    player.wait_for_page(page, lambda: np.count_nonzero(~np.isnan(player.played(page)[0])) > nb_samples)
    saved = "JSON.parse(Object.entries(localStorage).find(([name]) => name.startsWith('player/'))[1]).loop.loop"
    loop = page.evaluate(saved)
    length = round(loop["to"] * SAMPLE_RATE) - round(loop["from"] * SAMPLE_RATE)
    return player.without_gaps(player.played(page)[0]), length


def test_a_loop_is_repeated_to_the_sample(open_player, job):
    sound, length = loop_for(open_player(job), int(2.6 * SAMPLE_RATE))
    assert length == pytest.approx(0.1 * SECONDS * SAMPLE_RATE, rel=0.01)
    assert (sound[: length - player.LOOP_FADE] == sound[length : 2 * length - player.LOOP_FADE]).all()
    assert (sound[length : 2 * length] == sound[2 * length : 3 * length]).all()


def test_the_join_of_a_loop_does_not_click(open_player, fake_engine_server):
    job = player.finish(fake_engine_server.client(), wav(tone(SECONDS)))
    sound, length = loop_for(open_player(job), int(2.6 * SAMPLE_RATE))
    joins = sound[length // 2 :]
    assert player.largest_bend(joins) < 1.5 * player.largest_bend(sound[: length // 2])


@pytest.mark.parametrize(("percent", "semitones"), [(50, 0), (150, 0), (100, 6), (100, -6), (75, 2)])
def test_tempo_and_pitch_are_heard_independently(open_player, beeping_job, percent, semitones):
    page = open_player(beeping_job)
    page.get_by_label("Tempo").fill(str(percent))
    page.get_by_label("Pitch").fill(str(semitones))
    player.play(page)
    nb_samples = int(4 * SAMPLE_RATE)
    player.wait_for_page(page, lambda: np.count_nonzero(~np.isnan(player.played(page)[1])) > nb_samples)
    tracks = player.played(page)
    assert np.array_equal(tracks[1], tracks[2], equal_nan=True)  # the stems of the fake engine are the song itself
    sound = player.without_gaps(tracks[1], most=MANY)
    factor = 2 ** (semitones / 12)
    assert player.pitch(sound, SAMPLE_RATE) == pytest.approx(TONE_HZ * factor, rel=0.002)
    assert np.diff(beep_times(sound, BEEP_HZ * factor)) == pytest.approx(100 * BEEP_SECONDS / percent, abs=0.02)


def test_a_stretched_tone_has_no_clicks(open_player, fake_engine_server):
    job = player.finish(fake_engine_server.client(), wav(tone(SECONDS)))
    page = open_player(job)
    page.get_by_label("Tempo").fill("70")
    player.play(page)
    player.wait_for_page(page, lambda: len(player.played(page)[0]) > 3 * SAMPLE_RATE)
    sound = player.without_gaps(player.played(page)[1], most=MANY)[SAMPLE_RATE // 2 :]
    assert player.largest_bend(sound) < 1.2 * player.largest_bend(tone(1.0)[:, 0])


def test_the_mix_is_downloaded_as_it_is_heard(open_player, beeping_job, tmp_path):
    page = open_player(beeping_job)
    player.press(page, "Mute Vocals")
    player.slider(page, "Volume Music").fill("0.5")
    page.get_by_label("Tempo").fill("80")
    page.get_by_label("Pitch").fill("-3")
    page.wait_for_timeout(300)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download this mix").click()
    assert download.value.suggested_filename == "song - mix (80 %, −3).wav"
    download.value.save_as(tmp_path / "mix.wav")
    mix, sample_rate = soundfile.read(tmp_path / "mix.wav")
    assert sample_rate == SAMPLE_RATE
    assert len(mix) == pytest.approx(SECONDS / 0.8 * SAMPLE_RATE, abs=2)
    factor = 2 ** (-3 / 12)
    assert player.pitch(mix[:, 0], SAMPLE_RATE) == pytest.approx(TONE_HZ * factor, rel=0.002)
    assert np.diff(beep_times(mix[:, 0], BEEP_HZ * factor)) == pytest.approx(BEEP_SECONDS / 0.8, abs=0.02)
    assert np.sqrt(np.mean(mix[:, 1] ** 2)) == pytest.approx(0.5 * np.sqrt(np.mean(beeps(SECONDS)[:, 1] ** 2)), rel=0.1)


def test_mute_solo_level_and_original(open_player, job):
    page = open_player(job)
    player.play(page)
    player.wait_until_heard(page, [False, True, True])
    player.press(page, "Mute Vocals")
    player.wait_until_heard(page, [False, False, True])
    player.press(page, "Solo Vocals")
    player.wait_until_heard(page, [False, True, False])
    player.press(page, "Original")
    player.wait_until_heard(page, [True, False, False])
    player.press(page, "Stems")
    player.press(page, "Vocals only")
    player.wait_until_heard(page, [False, True, False])
    player.press(page, "Music only (karaoke)")
    player.wait_until_heard(page, [False, False, True])
    player.press(page, "All stems")
    player.wait_until_heard(page, [False, True, True])
    player.slider(page, "Volume Music").fill("2")
    player.wait_for_page(
        page, lambda: 1.7 < (loud := page.evaluate(player.LOUDNESS))[2] / max(loud[1], 1e-9) < 2.3, seconds=20
    )
    player.slider(page, "Volume Music").fill("0.1")
    player.wait_for_page(page, lambda: (loud := page.evaluate(player.LOUDNESS))[2] < 0.3 * loud[1], seconds=20)


ODD_FILES = {
    "float64": wav(tone(0.5), subtype="DOUBLE"),
    "float32": wav(tone(0.5), subtype="FLOAT"),
    "24 bit": wav(tone(0.5), subtype="PCM_24"),
    "8 bit": wav(tone(0.5), subtype="PCM_U8"),
    "A-law": wav(tone(0.5), subtype="ALAW"),
    "1 kHz": wav(tone(0.5)[:500], 1000),
    "100 Hz": wav(tone(0.5)[:50], 100),
    "192 kHz": wav(tone(0.5), 192000),
    "6 channels": wav(np.tile(tone(0.5), 3)),
    "1 sample": wave_files.encoded(nb_samples=1),
    "100 samples": wave_files.encoded(nb_samples=100),
    "10 ms": wave_files.encoded(nb_samples=441),
}


@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_files_play_and_end(open_player, fake_engine_server, name):
    page = open_player(player.finish(fake_engine_server.client(), ODD_FILES[name]))
    player.press(page, "Play")
    player.wait_for_page(page, lambda: page.evaluate("pieces.length") >= 3)
    page.get_by_role("button", name="Play", exact=True).wait_for()  # it has ended
    if name == "10 ms":
        assert page.locator(".total").inner_text() == "0:00.01"
    assert page.locator(".fault:visible").count() == 0


def test_a_long_song_starts_and_jumps_at_once_in_bounded_memory(open_player, fake_engine_server, song):
    client = fake_engine_server.client()
    job = player.finish(client, song(1.0))
    stems = fake_engine_server.home / "downloads" / job / "song"
    for path in (fake_engine_server.home / "uploads" / job / "song.wav", stems / "vocals.wav", stems / "residual.wav"):
        write_silence(path, 1200)
    page = open_player(job)
    assert page.locator(".total").inner_text() == "20:00"
    heap = page.context.new_cdp_session(page)
    heap.send("Performance.enable")
    before = heap_bytes(heap)
    starts = [latency(page, ".play", None) for _ in range(NB_TRIES)]
    player.press(page, "Play")
    jumps = [latency(page, ".picture:visible >> nth=0", 0.1 + 0.2 * number) for number in range(NB_TRIES)]
    page.wait_for_timeout(3000)
    print(f"start {starts} ms, jump {jumps} ms, heap {before / 1e6:.1f} to {heap_bytes(heap) / 1e6:.1f} MB")
    assert min(starts) < START_MS
    assert min(jumps) < JUMP_MS
    assert heap_bytes(heap) - before < MAX_HEAP_GROWTH


def heap_bytes(session) -> float:
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize")


def latency(page, selector: str, place: float | None) -> float:
    """From a click to what is heard because of it, ms. The player is paused again if it was."""
    page.evaluate("""() => addEventListener("pointerup", () => {
      const faders = new Set(pieces.map(({ fader }) => fader)); // of what is played before
      window.clickedAt = performance.now();
      window.latency = () => pieces.find(({ fader }) => !faders.has(fader))?.heardAt - clickedAt;
    }, { once: true, capture: true })""")
    element = page.locator(selector)
    box = element.bounding_box()
    element.click(position={"x": box["width"] * place, "y": 20} if place is not None else None)
    at = "window.latency() || 0"
    player.wait_for_page(page, lambda: page.evaluate(at) > 0)
    found = page.evaluate(at)
    if place is None:
        element.click()
        page.wait_for_timeout(200)
    return round(found)


def write_silence(path: Path, seconds: int) -> None:
    """Write a WAV of silence as a sparse file, which takes no disk space."""
    soundfile.write(path, np.zeros((0, 2)), SAMPLE_RATE, subtype="PCM_16")
    nb_bytes = seconds * SAMPLE_RATE * 4
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.truncate(size + nb_bytes)
        for place, number in ((4, size - 8 + nb_bytes), (size - 4, nb_bytes)):
            file.seek(place)
            file.write(number.to_bytes(4, "little"))


def test_a_broken_track_does_not_stop_the_others(open_player, fake_engine_server, song):
    job = player.finish(fake_engine_server.client(), song(2.0))
    broken = fake_engine_server.home / "downloads" / job / "song" / "vocals.wav"
    broken.write_bytes(b"RIFF, and nothing that can be heard")
    page = open_player(job)
    assert "cannot play this file" in page.get_by_role("alert").inner_text()
    player.play(page)
    player.wait_until_heard(page, [False, False, True])
