"""Made-up songs: their stems, their reproducibility and their parts."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("study.synthesis.world", reason="needs study/requirements.txt")
pytest.importorskip("scipy", reason="needs study/requirements.txt")
from study import __main__ as study
from study.synthesis import bass_tones, effects, samples, songs
from study.synthesis import command as synthesize
from study.synthesis.accompaniment import make_parts
from study.synthesis.bass import make_bass
from study.synthesis.composition import make_plan
from study.synthesis.drum_machine import draw_machine
from study.synthesis.midi import SOUND_FONT, Note, Part, play
from tests.support.project import PROJECT

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
def test_drums_bass_and_other_add_up_to_the_mixture():
    plan = make_plan(np.random.default_rng(1), 3.0)
    for seed in range(3):
        parts = make_parts(plan, np.random.default_rng(seed))
        assert set(parts) == {"drums", "bass", "other"}
        song = songs._mastered({"vocals": np.zeros_like(parts["bass"]), **parts}, np.random.default_rng(seed))
        assert song.mixture == pytest.approx(sum(song.stems.values()), abs=1e-6)
        assert 0.01 < np.abs(song.mixture).max() < 1


@needs_programs
def test_a_bass_has_most_of_its_energy_below_2_khz(rng):
    plan = make_plan(rng, 8.0)
    for seed in range(4):
        bass = make_bass(plan, np.random.default_rng(seed)).mean(0)
        spectrum = np.abs(np.fft.rfft(bass)) ** 2
        hertz = np.fft.rfftfreq(len(bass), 1 / RATE)
        assert spectrum[hertz < 2000].sum() > 0.5 * spectrum.sum()


@pytest.mark.parametrize("kind", sorted(set(bass_tones.KINDS), key=lambda kind: kind.__name__))
def test_a_tone_of_a_bass_has_its_pitch(kind):
    """Half of its energy at least lies at multiples of half the fundamental, and it stays within full scale, about."""
    time = np.arange(RATE) / RATE
    for seed in range(5):
        sound = kind(np.random.default_rng(seed))(np.full(RATE, 45.0), time)  # 110 Hz
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(RATE))) ** 2
        distance = (np.arange(len(spectrum)) + 27.5) % 55 - 27.5
        assert spectrum[np.abs(distance) < 9].sum() > 0.6 * spectrum.sum()
        assert 0.1 < np.abs(sound).max() < 2


def test_a_chorus_keeps_length_and_level(rng):
    sound = rng.standard_normal((2, RATE)).astype(np.float32)
    chorused = effects.chorused(sound, rng)
    assert chorused.shape == sound.shape
    assert chorused.dtype == np.float32
    assert 0.5 < chorused.std() / sound.std() < 2
    assert np.abs(chorused - sound).max() > 0.1


def test_a_drum_machine_has_every_drum_and_a_deep_kick(rng):
    kit = draw_machine(rng)
    assert set(kit) == set(samples.DRUMS)
    centres = {}
    for kind, takes in kit.items():
        assert all(np.abs(take).max() == pytest.approx(1) for take in takes)
        spectrum = np.abs(np.fft.rfft(takes[0][0])) ** 2
        centres[kind] = (np.fft.rfftfreq(takes[0].shape[1], 1 / RATE) * spectrum).sum() / spectrum.sum()
    assert centres["kick"] == min(centres.values())
    assert centres["hat"] > 4000


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("BD_01.aiff", "kick"), ("Kick-Hard.wav", "kick"), ("drum_bass_soft.flac", "kick"), ("sn_dub.flac", "snare"),
        ("SnareRimshot-Med.wav", "snare"), ("SideStick-Soft.wav", "side"), ("HatOpen-Hard.wav", "open"),
        ("hihat-closed-4.flac", "hat"), ("drum_cymbal_closed.flac", "hat"), ("Crash-Hard.wav", "crash"),
        ("808_Tom_Low.flac", "tom"), ("BongoHi-Med.wav", "percussion"), ("ambi_choir.flac", None),
    ],
)  # fmt: skip
def test_a_files_name_gives_its_kind_of_drum(name, kind):
    assert samples.kind_of(Path(name)) == kind


def test_hits_and_loops_come_from_installed_packages(tmp_path, monkeypatch, rng):
    monkeypatch.setenv("RECORDINGS", str(tmp_path))
    _forget_samples()
    assert samples.draw_hits(rng) == {}
    assert samples.draw_loop(rng, 0.5) is None
    folder = tmp_path / "sonic-pi/samples"
    folder.mkdir(parents=True)
    soundfile.write(folder / "bd_boom.flac", np.pad(0.2 * np.ones(2000), (4000, 0)), 22050)
    soundfile.write(folder / "loop_amen.flac", 0.1 * rng.standard_normal((2 * RATE, 2)), RATE)
    _forget_samples()
    (kick,) = samples.draw_hits(rng)["kick"]
    assert np.abs(kick).max() == pytest.approx(1, abs=0.05)
    assert np.abs(kick[:, :100]).max() > 0.5
    assert samples.draw_loop(rng, 0.55).shape == (2, pytest.approx(4 * 0.55 * RATE, abs=2))
    _forget_samples()


def _forget_samples():
    samples._collections.cache_clear()
    samples._named.cache_clear()


@needs_programs
def test_the_same_seed_makes_the_same_songs(made, tmp_path):
    _make(tmp_path, nb_workers=1)
    for track in made.iterdir():
        for path in track.iterdir():
            assert path.read_bytes() == (tmp_path / track.name / path.name).read_bytes()


@needs_programs
def test_existing_songs_are_not_made_again(made):
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
    from study.synthesis.singing import as_sung
    from study.synthesis.voices import make_voice, speak

    voice = make_voice(rng)
    notes = [Note(0, 2, 57, 90), Note(2, 2, 60, 90)]
    sung = as_sung(voice, speak(voice, 2, rng), notes, 60, rng)
    assert len(sung.pitch) == pytest.approx(4 / 0.005, abs=2)
    late_in_note = {220.0: sung.pitch[200:380], 261.6: sung.pitch[600:780]}
    for hertz, pitch in late_in_note.items():
        assert np.median(pitch[pitch > 0]) == pytest.approx(hertz, rel=0.06)


@needs_programs
def test_mp3_coding_adds_no_delay(noise):
    click = np.zeros((2, RATE), np.float32)
    click[:, 20000:20200] = noise[:, :200] * 5
    coded = effects.through_mp3(click, 192)
    assert coded.shape == click.shape
    assert np.correlate(coded[0], click[0, 20000:20200], "valid").argmax() == pytest.approx(20000, abs=1)


def test_a_missing_program_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(synthesize, "PROGRAMS", ("no-such-singer",))
    monkeypatch.setattr(sys, "argv", ["study", "synthesize", "--out", str(tmp_path / "out")])
    assert study.main() == 2
    assert capsys.readouterr().err.startswith("error: no-such-singer must be installed")
    assert not (tmp_path / "out").exists()


def test_a_peak_filter_raises_only_its_frequency(noise):
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


def test_width_zero_makes_both_channels_equal(noise):
    assert np.ptp(effects.widened(noise, 0.0), axis=0).max() < 1e-6
    assert effects.widened(noise, 1.0) == pytest.approx(noise, abs=1e-6)


def test_the_vocoder_does_not_need_setuptools():
    program = "import sys; sys.modules['pkg_resources'] = None; from study.synthesis import voices"
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)
