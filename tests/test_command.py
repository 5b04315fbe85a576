"""The command's arguments and exit statuses: what is wrong with a request is told in one sentence, and soon."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openunmix_models.__main__ import main
from tests.random_model import save_random_model


@pytest.fixture
def song(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    soundfile.write("song.wav", rng.normal(0, 0.1, (8820, 2)), 44100, subtype="PCM_16")
    return "song.wav"


STARTER = ["--model", "starter", "--residual", "music"]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--model", "starter"], "One target alone"),
        ([*STARTER, "--targets", "drums"], "starter has no target drums"),
        (["--model", "starter", "--residual", "vocals"], "same name"),
        (["--model", "starter", "--residual", "../music"], "cannot be called '../music'"),
        ([*STARTER, "--aggregate", '{"a/b": ["vocals"]}'], "cannot be called 'a/b'"),
        ([*STARTER, "--aggregate", '{"all": ["vocals", "drums"]}'], "drums, which is not estimated"),
        ([*STARTER, "--niter", "-1"], "--niter"),
        ([*STARTER, "--wiener-win-len", "-1"], "--wiener-win-len"),
        ([*STARTER, "--start", "-1"], "--start"),
        ([*STARTER, "--start", "nan"], "--start"),
        ([*STARTER, "--duration", "nan"], "--duration"),
        ([*STARTER, "--duration", "inf"], "--duration"),
        (["elsewhere/song.wav", *STARTER], "the same name"),
    ],
)
def test_arguments_that_cannot_be_meant(song, argv, sentence, capsys):
    assert main([song, *argv]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert sentence in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("argv", [[], ["song.wav", "--ext", ".exe"], ["song.wav", "--aggregate", "[]"], ["fetch"]])
def test_usage(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_writes_where_umx_writes(song, tmp_path, capsys):
    assert main([song, *STARTER]) == 0
    assert sorted(path.name for path in (tmp_path / "song_starter").iterdir()) == ["music.wav", "vocals.wav"]
    assert main([song, *STARTER, "--outdir", "out", "--targets", "vocals", "vocals"]) == 0
    assert sorted(path.name for path in (tmp_path / "out" / "song").iterdir()) == ["music.wav", "vocals.wav"]
    told = capsys.readouterr().err
    assert "song.wav: separating:   0%" in told
    assert "song.wav: writing: 100%" in told


def test_one_that_fails_does_not_stop_the_next(song, tmp_path, capsys):
    (tmp_path / "words.wav").write_text("not a sound")
    assert main(["words.wav", "nowhere.wav", song, *STARTER, "--outdir", "out"]) == 2
    assert (tmp_path / "out" / "song" / "vocals.wav").exists()
    assert not (tmp_path / "out" / "words").exists()
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert [name in line for name, line in zip(("words.wav", "nowhere.wav"), told, strict=True)] == [True, True]
    assert not any(str(tmp_path) in line for line in told)


def test_a_file_called_fetch_can_be_separated(song, tmp_path):
    (tmp_path / song).rename(tmp_path / "fetch")
    assert main(["./fetch", *STARTER, "--outdir", "out"]) == 0
    assert (tmp_path / "out" / "fetch" / "vocals.wav").exists()


def test_a_folder_that_cannot_be_written_to(song, tmp_path, capsys):
    (tmp_path / "out").write_text("a file stands in the way")
    assert main([song, *STARTER, "--outdir", "out"]) == 4
    assert "error: " in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="what import torch alone takes differs from system to system")
def test_four_targets_of_the_published_size_stay_below_900_megabytes(song, tmp_path):
    targets = ["vocals", "drums", "bass", "other"]
    save_random_model(tmp_path / "model", targets, hidden_size=512)
    soundfile.write("long.wav", np.random.default_rng(0).normal(0, 0.1, (25 * 44100, 2)), 44100)
    command = [
        sys.executable,
        "-m",
        "openunmix_models",
        "long.wav",
        "--model",
        "model",
        "--residual",
        "rest",
        "--no-cuda",
    ]
    # A process of its own starts it: what is told of one's peak begins with what its parent had.
    telling = "import resource, subprocess, sys; print(subprocess.run(sys.argv[1:], check=True) and "
    telling += "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    peak = subprocess.check_output([sys.executable, "-c", telling, *command], env=environment, text=True)
    assert int(peak) * 1024 < 900e6
