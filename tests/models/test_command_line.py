"""The command's arguments, messages, output files and exit statuses."""

import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from openunmix_models.__main__ import main
from tests.support.project import PROJECT
from tests.support.random_model import save_random_model


@pytest.fixture
def short_song(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    soundfile.write("song.wav", rng.normal(0, 0.1, (8820, 2)), 44100, subtype="PCM_16")
    return "song.wav"


STARTER = ["--model", "starter", "--targets", "vocals", "--residual", "music"]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--model", "starter", "--targets", "vocals", "--niter", "1"], "at least two sources"),
        ([*STARTER, "--targets", "other"], "starter has no target other"),
        (["--model", "starter", "--residual", "vocals"], "same name"),
        (["--model", "starter", "--residual", "../music"], "'../music' is not a valid name"),
        ([*STARTER, "--aggregate", '{"a/b": ["vocals"]}'], "'a/b' is not a valid name"),
        ([*STARTER, "--aggregate", '{"all": ["vocals", "drums"]}'], "drums, which is not estimated"),
        ([*STARTER, "--niter", "-1"], "--niter"),
        ([*STARTER, "--wiener-win-len", "-1"], "--wiener-win-len"),
        ([*STARTER, "--start", "-1"], "--start"),
        ([*STARTER, "--start", "nan"], "--start"),
        ([*STARTER, "--duration", "nan"], "--duration"),
        ([*STARTER, "--duration", "inf"], "--duration"),
        (["elsewhere/song.wav", *STARTER], "song.wav and elsewhere/song.wav have the same name"),
        (["Song.flac", *STARTER, "--outdir", "out"], "song.wav and Song.flac have the same name"),
        (["song.wav", *STARTER], "each with an --outdir of its own"),
        ([*STARTER, "--duration", "0"], "--duration cannot be 0"),
        (["elsewhere/song.wav", *STARTER], "the same name"),
    ],
)
def test_invalid_arguments_get_one_sentence(short_song, argv, sentence, capsys):
    assert main([short_song, *argv]) == 2
    stderr = capsys.readouterr().err
    assert stderr.startswith("error: ")
    assert sentence in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("stated", "targets", "same_as"), [({}, 1, 1), ({"niter": 0}, 1, 0), ({}, 2, 1), ({"niter": 0}, 2, 1)]
)
def test_a_model_states_its_default_niter_for_one_target(short_song, tmp_path, stated, targets, same_as):
    names = ("vocals", "drums")[:targets]
    settings = save_random_model(tmp_path / "model", hidden_size=16, targets=names) / "separator.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | stated))
    argv = [short_song, "--model", str(tmp_path / "model"), "--targets", *names, "--residual", "music"]
    samples = {}
    for niter in (None, 0, 1):
        words = [] if niter is None else ["--niter", str(niter)]
        assert main([*argv, *words, "--outdir", f"out{niter}"]) == 0
        samples[niter] = soundfile.read(f"out{niter}/song/vocals.wav", dtype="int16")[0]
    np.testing.assert_array_equal(samples[None], samples[same_as])
    assert (samples[0] != samples[1]).any()


@pytest.mark.parametrize("argv", [[], ["song.wav", "--ext", ".exe"], ["song.wav", "--aggregate", "[]"], ["fetch"]])
def test_usage_errors(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_output_folders_are_those_of_umx(short_song, tmp_path, capsys):
    assert main([short_song, *STARTER]) == 0
    assert sorted(path.name for path in (tmp_path / "song_starter").iterdir()) == ["music.wav", "vocals.wav"]
    assert main([short_song, *STARTER, "--outdir", "out", "--targets", "vocals", "vocals"]) == 0
    assert sorted(path.name for path in (tmp_path / "out" / "song").iterdir()) == ["music.wav", "vocals.wav"]
    stderr = capsys.readouterr().err
    assert "song.wav: separating:   0%" in stderr
    assert "song.wav: writing: 100%" in stderr


def test_the_starter_gives_four_stems_that_add_up(short_song, tmp_path):
    targets = ["--targets", "vocals", "drums", "bass", "--residual", "other"]
    assert main([short_song, "--model", "starter", *targets, "--outdir", "out"]) == 0
    stems = [soundfile.read(tmp_path / f"out/song/{stem}.wav")[0] for stem in ("vocals", "drums", "bass", "other")]
    assert np.abs(sum(stems) - soundfile.read(short_song)[0]).max() <= 2 / 32768


def test_a_failed_file_does_not_stop_the_next(short_song, tmp_path, capsys):
    (tmp_path / "words.wav").write_text("not a sound")
    assert main(["words.wav", "nowhere.wav", short_song, *STARTER, "--outdir", "out"]) == 2
    assert (tmp_path / "out" / "song" / "vocals.wav").exists()
    assert not (tmp_path / "out" / "words").exists()
    stderr = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert [name in line for name, line in zip(("words.wav", "nowhere.wav"), stderr, strict=True)] == [True, True]
    assert not any(str(tmp_path) in line for line in stderr)


def test_inputs_whose_stems_exist_are_skipped_on_request(short_song, tmp_path):
    argv = [short_song, *STARTER, "--outdir", "stems", "--skip-existing"]
    assert main(argv) == 0
    vocals, music = (tmp_path / "stems" / "song" / f"{name}.wav" for name in ("vocals", "music"))
    vocals.write_bytes(b"kept")
    assert main(argv) == 0
    assert vocals.read_bytes() == b"kept"
    music.unlink()
    assert main(argv) == 0
    assert vocals.read_bytes() != b"kept"
    assert music.is_file()


def test_a_file_called_fetch_can_be_separated(short_song, tmp_path):
    (tmp_path / short_song).rename(tmp_path / "fetch")
    assert main(["./fetch", *STARTER, "--outdir", "out"]) == 0
    assert (tmp_path / "out" / "fetch" / "vocals.wav").exists()


def test_an_unwritable_output_folder_is_reported(short_song, tmp_path, capsys):
    (tmp_path / "out").write_text("a file stands in the way")
    assert main([short_song, *STARTER, "--outdir", "out"]) == 4
    assert "error: " in capsys.readouterr().err


def peak_memory(*command: str) -> int:
    """The peak memory in bytes of a Python process that runs `command` on two threads, each of which has buffers.

    It is started by a process of its own, because a child's peak begins with its parent's.
    """
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
    program += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "2"}
    command = (sys.executable, "-c", program, sys.executable, *command)
    return int(subprocess.check_output(command, env=environment, text=True)) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another unit for a process's peak memory")
def test_four_targets_of_the_published_size_take_450_megabytes_more_than_torch(short_song, tmp_path):
    """Weights of 143 MB, and buffers. What torch itself takes is left out: Linux 6.18 counts 70 MB more than 6.1."""
    targets = ["vocals", "drums", "bass", "other"]
    save_random_model(tmp_path / "model", targets, hidden_size=512)
    soundfile.write("long.wav", np.random.default_rng(0).normal(0, 0.1, (25 * 44100, 2)), 44100)
    options = ["--model", "model", "--residual", "rest", "--no-cuda"]
    peak = peak_memory("-m", "openunmix_models", "long.wav", *options)
    assert peak - peak_memory("-c", "import torch") < 450e6


README = (PROJECT / "README.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_the_command_in_the_readme_works(tmp_path, song):
    song(1.0).rename(tmp_path / "song.wav")
    command = next(shlex.split(line) for line in COMMANDS if "-m openunmix_models song.wav" in line)
    assert command[0] == ".venv/bin/python"
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)}, check=True)
    for stem in ("vocals", "residual"):
        assert soundfile.info(tmp_path / "stems" / "song" / f"{stem}.wav").frames == 44100


def test_each_file_shows_its_name_and_its_percent(song, tmp_path):
    names = ["one.wav", "second song.wav"]
    for name in names:
        song(0.5, name=name).rename(tmp_path / name)
    command = [sys.executable, "-m", "openunmix_models", *names, "--model", "starter", "--residual", "music"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)}, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    for name in names:
        percents = [int(found) for found in re.findall(rf"{name}: \w+: +(\d+)%", done.stderr)]
        assert percents == sorted(percents)
        assert (percents[0], percents[-1]) == (0, 100)
    assert done.stderr.rindex(names[0]) < done.stderr.index(names[1])
