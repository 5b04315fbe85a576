"""Made-up songs: true stems, the same for the same seed, with something to hear in them."""

import shutil
import sys

import numpy as np
import pytest
import soundfile

pytest.importorskip("pyworld", reason="needs study/requirements.txt")
pytest.importorskip("scipy", reason="needs study/requirements.txt")
from study import __main__ as study
from study import effects, synthesize
from study.midi import SOUND_FONT, Note, Part, play

RATE = effects.SAMPLE_RATE
needs_programs = pytest.mark.skipif(
    not all(map(shutil.which, synthesize.PROGRAMS)) or not SOUND_FONT.is_file(),
    reason="needs FluidSynth, a sound font, espeak-ng, flite and LAME",
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def noise(rng):
    return (0.1 * rng.standard_normal((2, RATE))).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two short songs of seed 3."""
    return _make(tmp_path_factory.mktemp("made"), nb_workers=2)


def _make(out, nb_workers):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesize, "SECONDS", 8.0)
        words = ["--out", out, "--hours", 2 * 8 / 3600, "--seed", 3, "--nb-workers", nb_workers]
        patch.setattr(sys, "argv", ["study", "synthesize", *map(str, words)])
        assert study.main() == 0
    return out


@needs_programs
def test_the_stems_add_up_to_the_mixture(made):
    tracks = sorted(made.iterdir())
    assert len(tracks) == 2
    for track in tracks:
        names = ("mixture", "vocals", "accompaniment")
        mixture, vocals, accompaniment = (soundfile.read(track / f"{name}.wav")[0] for name in names)
        assert mixture.shape[1] == 2
        assert np.abs(mixture - vocals - accompaniment).max() < 2 / 32768
        assert 0.01 < np.abs(mixture).max() < 1


@needs_programs
def test_the_same_seed_makes_the_same_songs(made, tmp_path):
    _make(tmp_path, nb_workers=1)
    for track in made.iterdir():
        for path in track.iterdir():
            assert path.read_bytes() == (tmp_path / track.name / path.name).read_bytes()


@needs_programs
def test_what_is_there_is_not_made_again(made):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.wav")}
    _make(made, nb_workers=1)
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*.wav")}


@needs_programs
def test_a_note_sounds_at_its_pitch_and_time():
    sound = play([Part(73, [Note(1, 2, 69, 100)])], tempo=60, seconds=4)
    assert sound.shape == (2, 4 * RATE)
    assert np.abs(sound[:, : int(0.9 * RATE)]).max() < 1e-3 * np.abs(sound).max()
    spectrum = np.abs(np.fft.rfft(sound[0, int(1.5 * RATE) : int(2.5 * RATE)]))
    assert spectrum[400:480].argmax() + 400 == pytest.approx(440, abs=6)


@needs_programs
def test_a_voice_sings_the_melody(rng):
    from study.singing import as_sung
    from study.voices import make_voice, speak

    voice = make_voice(rng)
    notes = [Note(0, 2, 57, 90), Note(2, 2, 60, 90)]
    sung = as_sung(voice, speak(voice, 2, rng), notes, 60, rng)
    assert len(sung.pitch) == pytest.approx(4 / 0.005, abs=2)
    late_in_note = {220.0: sung.pitch[200:380], 261.6: sung.pitch[600:780]}
    for hertz, pitch in late_in_note.items():
        assert np.median(pitch[pitch > 0]) == pytest.approx(hertz, rel=0.06)


@needs_programs
def test_mp3_stays_in_place(noise):
    click = np.zeros((2, RATE), np.float32)
    click[:, 20000:20200] = noise[:, :200] * 5
    coded = effects.through_mp3(click, 192)
    assert coded.shape == click.shape
    assert np.correlate(coded[0], click[0, 20000:20200], "valid").argmax() == pytest.approx(20000, abs=1)


def test_a_missing_program_gets_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(synthesize, "PROGRAMS", ("no-such-singer",))
    monkeypatch.setattr(sys, "argv", ["study", "synthesize", "--out", str(tmp_path / "out")])
    assert study.main() == 2
    assert capsys.readouterr().err.startswith("error: no-such-singer must be installed")
    assert not (tmp_path / "out").exists()


def test_a_bell_raises_only_its_frequency(noise):
    gain = np.abs(np.fft.rfft(effects.peaked(noise, 1000, 12, 2))) / np.abs(np.fft.rfft(noise))
    assert 20 * np.log10(np.median(gain[:, 980:1020])) == pytest.approx(12, abs=1)
    assert 20 * np.log10(np.median(gain[:, 8000:9000])) == pytest.approx(0, abs=0.5)


def test_a_limiter_lets_nothing_over_its_threshold(noise):
    limited = noise * effects.compressor_gain(noise, -20, 1000)
    assert np.abs(limited).max() < 1.2 * effects.decibels(-20)
    assert np.abs(noise).max() > 3 * effects.decibels(-20)


def test_silence_stays_silent(rng):
    silence = np.zeros((2, RATE), np.float32)
    treated = effects.compressed(effects.distorted(effects.equalised(silence, rng), 20), 10, 4)
    assert not effects.scale_to(effects.room(treated, rng, 1.0, 0.5), -20).any()


def test_mono_has_no_sides(noise):
    assert np.ptp(effects.widened(noise, 0.0), axis=0).max() < 1e-6
    assert effects.widened(noise, 1.0) == pytest.approx(noise, abs=1e-6)
