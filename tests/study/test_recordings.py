"""Recordings in made-up songs: where they are found, and how they are trimmed and repeated."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

pytest.importorskip("study.synthesis.world", reason="needs study/requirements.txt")
pytest.importorskip("scipy", reason="needs study/requirements.txt")
from study.synthesis import command as synthesize
from study.synthesis import effects, recordings, songs
from study.synthesis.composition import SCALES, likeliest_key, make_plan
from study.synthesis.midi import Note
from study.synthesis.singing import as_sung
from study.synthesis.voices import make_voice, speak

RATE = effects.SAMPLE_RATE


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def installed(tmp_path, monkeypatch, rng):
    """Two speakers at 22050 Hz, who buzz between silences, and music that is shorter than a song."""
    time = np.arange(22050) / 22050
    for language, hertz in (("de", 110), ("fr", 220)):
        folder = tmp_path / "klettres" / language / "alpha"
        folder.mkdir(parents=True)
        buzz = sum(np.sin(2 * np.pi * hertz * overtone * time) / overtone for overtone in range(1, 20))
        soundfile.write(folder / "a.ogg", np.pad(0.1 * buzz, (8000, 9000)), 22050)
        (folder / "README").write_text("not a sound")
    (tmp_path / "hyperrogue/music").mkdir(parents=True)
    soundfile.write(tmp_path / "hyperrogue/music/hum.ogg", 0.1 * rng.standard_normal((2 * 48000, 2)), 48000)
    yield from _use(tmp_path, monkeypatch)


@pytest.fixture
def nothing_installed(tmp_path, monkeypatch):
    yield from _use(tmp_path, monkeypatch)


def _use(folder, monkeypatch):
    monkeypatch.setenv("RECORDINGS", str(folder))
    recordings._installed.cache_clear()
    yield folder
    recordings._installed.cache_clear()


def test_each_speaker_and_no_other_file_is_found(installed):
    assert recordings.speakers() == ["klettres/de/*/*", "klettres/fr/*/*"]
    assert "klettres-data" not in recordings.absent()
    assert "wesnoth-1.16-music" in recordings.absent()


def test_speech_is_as_long_as_asked_and_without_silence(installed, rng):
    speech, band = recordings.spoken("klettres/de/*/*", 2.5, rng)
    assert 2.5 * RATE <= len(speech) < 3.6 * RATE
    loudness = np.sqrt((speech[: 2 * RATE].reshape(-1, 4410) ** 2).mean(1))
    assert loudness.min() > 0.5 * loudness.max()
    assert band <= 11100


def test_an_empty_recording_is_passed_over(installed, tmp_path, rng):
    soundfile.write(tmp_path / "klettres/de/alpha/b.ogg", np.zeros(0), 22050)
    recordings._installed.cache_clear()
    speech, _ = recordings.spoken("klettres/de/*/*", 8.0, rng)
    assert len(speech) >= 8.0 * RATE


def test_music_is_repeated_until_it_is_long_enough(installed, rng):
    music = recordings.music(5.0, rng).sound
    assert music.shape == (2, 5 * RATE)
    assert music[:, : 2 * RATE] == pytest.approx(music[:, 2 * RATE : 4 * RATE], abs=1e-6)
    assert np.abs(music[:, -1000:]).max() > 0.01


def test_a_recording_without_drums_and_bass_gets_a_rhythm_section(installed, monkeypatch, rng):
    (installed / "games/widelands/data/music").mkdir(parents=True)
    soundfile.write(installed / "games/widelands/data/music/ingame_07.ogg", 0.1 * rng.standard_normal((RATE, 2)), RATE)
    recordings._installed.cache_clear()
    monkeypatch.setattr(recordings, "PITCHED_SHARE", 1.0)
    recorded, plan = recordings.music(6.0, rng), make_plan(rng, 6.0)
    assert recorded.pitched_only
    monkeypatch.setattr("study.synthesis.accompaniment.make_drums", lambda plan, rng: _hum(plan, 200))
    monkeypatch.setattr("study.synthesis.accompaniment.make_bass", lambda plan, rng: _hum(plan, 50))
    parts = songs._make_parts(plan, replace(recorded, sound=_hum(plan, 800)), np.random.default_rng(1))
    assert set(parts) == {"drums", "bass", "other"}
    assert parts["other"].any()


def test_a_recording_with_drums_stays_one_stem(installed, rng):
    recorded = recordings.music(5.0, rng)
    assert not recorded.pitched_only
    assert set(songs._make_parts(make_plan(rng, 5.0), recorded, rng)) == {"accompaniment"}


def _hum(plan, hertz):
    time = np.arange(int(plan.seconds * RATE)) / RATE
    return np.stack([np.sin(2 * np.pi * hertz * time)] * 2).astype(np.float32)


def test_a_recorded_speaker_sings_the_melody(installed, rng):
    voice = replace(make_voice(rng), speaker="klettres/de/*/*", vibrato=0.0)
    notes = [Note(0, 2, 57, 90), Note(2, 2, 60, 90)]
    sung = as_sung(voice, speak(voice, 8, rng), notes, 60, rng)
    for hertz, pitch in {220.0: sung.pitch[200:380], 261.6: sung.pitch[600:780]}.items():
        assert np.median(pitch[pitch > 0]) == pytest.approx(hertz, rel=0.06)


def test_a_voice_sings_through_short_gaps_and_fades_before_rests(installed, rng):
    voice = replace(make_voice(rng), speaker="klettres/de/*/*")
    notes = [Note(0, 0.9, 57, 90), Note(1, 1, 60, 90), Note(3, 1, 57, 90)]
    power = as_sung(voice, speak(voice, 8, rng), notes, 60, rng).spectrum.sum(1)
    assert power[180:200].min() > 1e-3 * power.max()
    assert power[410:590].max() < 1e-6 * power.max()
    assert power[398] < 0.1 * power[380]


def test_a_song_of_recordings_is_the_same_for_the_same_seed(installed, monkeypatch):
    monkeypatch.setattr(songs, "RECORDED", 1.0)
    monkeypatch.setattr("study.synthesis.voices.RECORDED", 1.0)
    monkeypatch.setattr(effects, "through_mp3", lambda sound, kilobits: sound)  # needs LAME
    first, again = (songs.make_song(np.random.default_rng(5), 3.0) for _ in range(2))
    assert np.array_equal(first.vocals, again.vocals)
    assert np.array_equal(first.accompaniment, again.accompaniment)
    assert first.vocals.any()
    assert first.accompaniment.any()


def test_missing_recordings_are_reported(nothing_installed, rng, capsys):
    assert recordings.speakers() == []
    assert recordings.music(5.0, rng) is None
    synthesize._print_missing_packages()
    printed = capsys.readouterr().out
    assert "apt install " in printed
    assert "fillets-ng-data-cs" in printed


def test_an_extended_recording_keeps_its_band_and_gets_a_treble(rng):
    dull = effects.filtered(rng.standard_normal((1, RATE)).astype(np.float32), "lowpass", 5000, 10)
    bright = effects.extended(dull, 5000.0, 12.0)
    before, after = (np.abs(np.fft.rfft(sound[0])) for sound in (dull, bright))
    assert after[:5000] == pytest.approx(before[:5000], rel=1e-3, abs=1e-2)
    assert 20 * np.log10(np.median(after[5700:7400]) / np.median(before[3200:4900])) == pytest.approx(-12, abs=1)


def test_the_key_of_a_scale_is_detected():
    time = np.arange(RATE) / RATE
    d_major = [220 * 2 ** ((2 + 2 - 9 + 12 + tone) / 12 - 1) for tone in (0, 2, 4, 5, 7, 9, 11)]
    sound = np.sum([np.sin(2 * np.pi * hertz * time) for hertz in d_major], 0)
    key, scale = likeliest_key(np.stack([sound, sound]))
    heard = {(key + tone) % 12 for tone in scale}
    assert heard == {round(12 * np.log2(hertz / 440) + 69) % 12 for hertz in d_major}
    assert scale in SCALES.values()
