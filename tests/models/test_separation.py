"""Stems have the format of the mixture's file, add up to it exactly, and are complete or absent."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from openunmix_models import soundfiles
from openunmix_models.errors import DiskError, InputError
from openunmix_models.loading import load_model
from openunmix_models.separation import Options, compute_residual, separate
from openunmix_models.soundfiles import Encoding
from tests.support.random_model import save_random_model

VOCALS = Options(["vocals"], residual="residual")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = save_random_model(tmp_path_factory.mktemp("models") / "random", ["vocals", "drums"], hidden_size=16)
    return load_model(folder, ["vocals", "drums"], "cpu")


@pytest.fixture
def mixture(tmp_path):
    """Make an audio file of noise with a changing level."""

    def make(nb_samples=30_000, nb_channels=2, rate=44100, name="song.wav", loudness=0.2, **options):
        rng = np.random.default_rng(5)
        samples = (
            loudness * rng.standard_normal((nb_samples, nb_channels)) * np.sin(np.arange(nb_samples) / 9000)[:, None]
        )
        soundfile.write(tmp_path / name, samples, rate, **options)
        return tmp_path / name

    return make


def run(path, model, options=VOCALS):
    return separate(path, path.parent / "out", model, options, lambda part: None)


def read(path):
    """Read samples without rounding: integers for PCM, float64 otherwise."""
    whole = soundfile.info(path).subtype.startswith("PCM")
    samples, rate = soundfile.read(path, dtype="int32" if whole else "float64", always_2d=True)
    return (samples.astype(np.int64) if whole else samples), rate


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("nb_channels", [1, 2, 3, 6])
def test_integer_stems_add_up_to_the_mixture_bit_for_bit(mixture, model, subtype, nb_channels):
    path = mixture(nb_channels=nb_channels, subtype=subtype)
    stems = run(path, model)
    assert [stem.name for stem in stems] == ["vocals.wav", "residual.wav"]
    assert {(soundfile.info(stem).subtype, soundfile.info(stem).channels) for stem in stems} == {(subtype, nb_channels)}
    assert (sum(read(stem)[0] for stem in stems) == read(path)[0]).all()
    assert all(read(stem)[0].any() for stem in stems)


@pytest.mark.parametrize(("subtype", "dtype"), [("FLOAT", np.float32), ("DOUBLE", np.float64)])
def test_float_stems_add_up_to_one_unit_in_the_last_place(mixture, model, subtype, dtype):
    path = mixture(subtype=subtype, loudness=2.0)
    stems = [read(stem)[0] for stem in run(path, model)]
    expected = read(path)[0]
    largest = np.abs([expected, *stems]).max(0).astype(dtype)
    assert (np.abs(sum(stems) - expected) <= np.spacing(largest)).all()


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000])
def test_the_rate_is_kept_and_so_is_the_length(mixture, model, rate):
    path = mixture(nb_samples=20_011, rate=rate)
    stems = run(path, model)
    assert all(soundfile.info(stem).samplerate == rate for stem in stems)
    assert (sum(read(stem)[0] for stem in stems) == read(path)[0]).all()


@pytest.mark.parametrize("nb_samples", [1, 2, 700, 2048])
@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192_000])
def test_the_shortest_files(mixture, model, nb_samples, rate):
    path = mixture(nb_samples=nb_samples, rate=rate)
    assert (sum(read(stem)[0] for stem in run(path, model)) == read(path)[0]).all()


@pytest.mark.parametrize(
    ("name", "subtype", "ext", "expected"),
    [
        ("song.flac", "PCM_24", ".flac", "PCM_24"),
        ("song.wav", "PCM_16", ".flac", "PCM_16"),
        ("song.wav", "FLOAT", ".flac", "PCM_24"),
        ("song.wav", "PCM_U8", ".flac", "PCM_S8"),
        ("song.flac", "PCM_S8", ".wav", "PCM_U8"),
        ("song.ogg", "VORBIS", ".wav", "PCM_16"),
        ("song.wav", "ULAW", ".wav", "PCM_16"),
        ("song.wav", "PCM_16", ".w64", "PCM_16"),
    ],
)
def test_other_formats(mixture, model, name, subtype, ext, expected):
    stems = run(mixture(name=name, subtype=subtype), model, Options(["vocals"], "rest", ext=ext))
    assert [stem.name for stem in stems] == [f"vocals{ext}", f"rest{ext}"]
    assert {soundfile.info(stem).subtype for stem in stems} == {expected}


def test_above_four_gigabytes_it_is_rf64(mixture, model, monkeypatch):
    monkeypatch.setattr(soundfiles, "MAX_WAV_BYTES", 1000)
    path = mixture()
    stems = run(path, model)
    assert all(stem.read_bytes()[:4] == b"RF64" for stem in stems)
    assert (sum(read(stem)[0] for stem in stems) == read(path)[0]).all()


def test_a_part_of_the_file(mixture, model):
    path = mixture(nb_samples=44100)
    stems = run(path, model, Options(["vocals"], "residual", start=0.25, duration=0.5))
    assert (sum(read(stem)[0] for stem in stems) == read(path)[0][11025:33075]).all()


def test_aggregates_are_sums(mixture, model):
    path = mixture()
    both = run(path, model, Options(["vocals", "drums"], "residual"))
    vocals, drums, residual = (read(stem)[0] for stem in both)
    aggregate = {"voice": ["vocals"], "music": ["drums", "residual"]}
    stems = run(path, model, Options(["vocals", "drums"], "residual", aggregate=aggregate))
    assert [stem.name for stem in stems] == ["voice.wav", "music.wav"]
    assert (read(stems[0])[0] == vocals).all()
    assert (read(stems[1])[0] == drums + residual).all()


def test_a_stem_beyond_full_scale_gives_a_warning_and_keeps_the_sum(mixture, tmp_path, capfd):
    model = load_model(save_random_model(tmp_path / "loud", hidden_size=16, gain=3), ["vocals"], "cpu")
    path = mixture(loudness=0.5)
    stems = run(path, model, Options(["vocals"], "residual", niter=0))
    assert (sum(read(stem)[0] for stem in stems) == read(path)[0]).all()
    assert capfd.readouterr().err.count("exceeded full scale") == 1
    run(mixture(loudness=0.01), model)
    assert capfd.readouterr().err == ""


def test_overflow_of_the_residual_goes_back_to_the_targets():
    encoding = Encoding("PCM_16")
    mixture = np.array([[30000, -30000, 5]], np.int32)
    targets = np.array([[[-20000, 32767, 1]], [[-20000, 3000, 1]]], np.int32)
    residual = compute_residual(mixture, targets, encoding)
    assert (targets.sum(0) + residual == mixture).all()
    assert all((encoding.clip(samples) == samples).all() for samples in (residual, *targets))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e12, -1e38, 1e300])
def test_a_song_of_nan_infinite_or_huge_samples_is_refused(mixture, model, tmp_path, capfd, broken):
    samples = np.full((50_000, 2), broken)
    samples[:20_000] = 0
    soundfile.write(tmp_path / "song.wav", samples, 44100, subtype="DOUBLE")
    with pytest.raises(InputError, match=r"song\.wav"):
        run(tmp_path / "song.wav", model)
    assert capfd.readouterr().err == ""
    assert list((tmp_path / "out").iterdir()) == []


def test_files_that_cannot_seek_are_separated(mixture, model):
    path = mixture(nb_samples=1280, nb_channels=1, rate=8000, subtype="GSM610")
    assert not soundfile.SoundFile(path).seekable()
    stems = [read(stem)[0] for stem in run(path, model)]
    assert (sum(stems) >> 16 == soundfile.read(path, dtype="int16", always_2d=True)[0]).all()
    with pytest.raises(InputError):
        run(path, model, replace(VOCALS, start=0.01))


def test_integers_written_as_floats_add_up_too(mixture, model):
    path = mixture(subtype="FLOAT", loudness=2.0**21)
    stems = [read(stem)[0] for stem in run(path, model)]
    largest = np.abs([read(path)[0], *stems]).max(0).astype(np.float32)
    assert (np.abs(sum(stems) - read(path)[0]) <= np.spacing(largest)).all()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"this is no audio at all" * 100])
def test_files_that_are_not_audio_are_refused(model, tmp_path, content):
    (tmp_path / "song.wav").write_bytes(content)
    with pytest.raises(InputError, match=r"^song\.wav"):
        run(tmp_path / "song.wav", model)
    assert not (tmp_path / "out").exists()


def test_no_samples_are_refused(mixture, model):
    with pytest.raises(InputError, match="no audio"):
        run(mixture(nb_samples=0), model)
    with pytest.raises(InputError, match="no audio"):
        run(mixture(), model, Options(["vocals"], "residual", start=60))


def test_a_truncated_file_is_separated_to_its_end(mixture, model):
    path = mixture()
    path.write_bytes(path.read_bytes()[:60_044])
    stems = run(path, model)
    assert (sum(read(stem)[0] for stem in stems) == read(path)[0]).all()
    assert len(read(path)[0]) == 15_000


def test_one_target_alone_cannot_be_refined(mixture, model):
    with pytest.raises(InputError, match="residual"):
        run(mixture(), model, Options(["vocals"]))
    assert len(run(mixture(), model, Options(["vocals"], niter=0))) == 1


@pytest.mark.parametrize("part", [0.1, 0.3, 0.9])
def test_a_cancelled_separation_leaves_nothing(mixture, model, tmp_path, part):
    def cancel(done):
        if done > part:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        separate(mixture(), tmp_path / "out", model, VOCALS, cancel)
    assert list((tmp_path / "out").iterdir()) == []


def test_partial_files_of_a_killed_process_are_deleted(mixture, model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".vocals-0123abcd.part").write_bytes(b"half")
    stems = run(mixture(), model)
    assert sorted((tmp_path / "out").iterdir()) == sorted(stems)


def test_an_unwritable_folder_is_reported(mixture, model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskError):
        separate(mixture(), tmp_path / "file" / "out", model, VOCALS, lambda part: None)


def test_missing_disk_space_is_reported_before_writing(mixture, model, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    with pytest.raises(DiskError, match="MB of disk"):
        run(mixture(), model)
    assert list((tmp_path / "out").iterdir()) == []
