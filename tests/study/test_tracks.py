"""Finding and reading songs with their true stems, in MUSDB18's two layouts and in others."""

import os
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from study.evaluation.tracks import FOUR, BadTracks, find_tracks

RATE = 44100


@pytest.fixture
def sounds():
    """A sound (nb_samples, 2) of 3 s for each of the four stems."""
    rng = np.random.default_rng(2)
    return {name: (0.1 * rng.standard_normal((3 * RATE, 2))).astype(np.float32) for name in FOUR}


def write(folder, sounds):
    folder.mkdir(parents=True)
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound, RATE, "FLOAT")


def test_wav_files_in_a_folder_test(tmp_path, sounds):
    write(tmp_path / "train" / "not this one", sounds)
    write(tmp_path / "test" / "a song", sounds)
    (track,) = find_tracks(tmp_path, 50)
    stems, rate = track.stems(None)
    assert (track.name, rate, track.has_four) == ("a song", RATE, True)
    np.testing.assert_allclose(stems["mixture"], sum(sounds.values()), atol=1e-6)
    np.testing.assert_allclose(stems["accompaniment"], stems["mixture"] - sounds["vocals"], atol=1e-6)


def test_an_excerpt_is_taken_from_the_middle(tmp_path, sounds):
    write(tmp_path / "a song", sounds)
    stems, _ = find_tracks(tmp_path, 50)[0].stems(1.0)
    np.testing.assert_array_equal(stems["vocals"], sounds["vocals"][RATE : 2 * RATE])


def test_vocals_and_accompaniment_suffice(tmp_path, sounds):
    write(tmp_path / "a song", {"vocals": sounds["vocals"], "accompaniment": sounds["bass"]})
    (track,) = find_tracks(tmp_path, 50)
    assert not track.has_four
    assert set(track.stems(None)[0]) == {"vocals", "accompaniment", "mixture"}


@pytest.mark.skipif(
    not shutil.which("ffmpeg") and os.environ.get("CI") != "true", reason="FFmpeg reads and writes such files"
)
def test_stems_in_one_file_as_musdb18_has_them(tmp_path, sounds):
    pytest.importorskip("stempeg", reason="needs study/requirements.txt")
    streams = [sum(sounds.values()), sounds["drums"], sounds["bass"], sounds["other"], sounds["vocals"]]
    command = ["ffmpeg", "-v", "error"]
    for number, sound in enumerate(streams):
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE, "FLOAT")
        command += ["-i", tmp_path / f"{number}.wav"]
    maps = [part for number in range(len(streams)) for part in ("-map", str(number))]
    (tmp_path / "musdb" / "test").mkdir(parents=True)
    path = tmp_path / "musdb" / "test" / "a song.stem.mp4"
    subprocess.run([*command, *maps, "-c:a", "aac", "-b:a", "256k", path], check=True)
    (track,) = find_tracks(tmp_path / "musdb", 50)
    stems, rate = track.stems(1.0)
    assert (track.name, rate, stems["vocals"].shape) == ("a song", RATE, (RATE, 2))
    for name, sound in sounds.items():  # the codec may delay it, but each correlates best with itself
        likeness = {other: likeness_of(stems[name], sounds[other]) for other in sounds}
        assert max(likeness, key=likeness.get) == name, sound.shape


def likeness_of(one, other):
    """The highest cross-correlation of two sounds."""
    spectra = np.fft.rfft(one[:, 0], 4 * RATE), np.fft.rfft(other[:, 0], 4 * RATE)
    return np.abs(np.fft.irfft(spectra[0] * spectra[1].conj())).max()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: shutil.rmtree(root), "The folder songs does not exist."),
        (lambda root: shutil.rmtree(root / "a song"), "songs holds no songs"),
        (lambda root: (root / "a song" / "drums.wav").unlink(), "The song a song lacks stems"),
        (lambda root: (root / "a song" / "bass.wav").write_bytes(b"no sound"), "a song/bass.wav cannot be read"),
        (lambda root: soundfile.write(root / "a song" / "bass.wav", np.zeros((9, 2)), RATE), "differ in length"),
        (
            lambda root: soundfile.write(root / "a song" / "bass.wav", np.zeros((3 * RATE, 2)), 48000),
            "differ in length",
        ),
    ],
)
def test_unusable_tracks_get_one_sentence(tmp_path, sounds, spoil, sentence):
    write(tmp_path / "songs" / "a song", sounds)
    spoil(tmp_path / "songs")
    with pytest.raises(BadTracks, match=sentence):
        [track.stems(None) for track in find_tracks(tmp_path / "songs", 50)]
