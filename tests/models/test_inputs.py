"""What the command says of inputs that it cannot separate, and that it never writes where it must not."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from openunmix_models.__main__ import main
from openunmix_models.errors import InputError
from openunmix_models.input_checks import check_file
from tests.support import wave_files
from tests.support.project import PROJECT

STARTER = ["--model", "starter", "--targets", "vocals", "--residual", "residual"]
on_posix = pytest.mark.skipif(os.name != "posix", reason="needs files of a POSIX system")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: str, wrapper: str = "", **environment: str) -> subprocess.CompletedProcess:
    """Run the command in a process of its own, by way of the shell line `wrapper`, if any."""
    line = [sys.executable, "-m", "openunmix_models", *arguments, *STARTER]
    line = ["sh", "-c", wrapper, *line] if wrapper else line
    environment = os.environ | {"PYTHONPATH": str(PROJECT)} | environment
    return subprocess.run(line, env=environment, stderr=subprocess.PIPE, text=True, errors="replace", check=False)


@on_posix
def test_each_input_that_cannot_be_read_is_named_with_its_reason(folder, capsys):
    (folder / "folder.wav").mkdir()
    (folder / "empty.wav").touch()
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "dangling.wav").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.wav")
    reasons = {
        "missing.wav": "missing.wav does not exist.",
        "folder.wav": "folder.wav is a folder, not an audio file.",
        ".": "is a folder",
        "empty.wav": "empty.wav is empty.",
        "loop.wav": "loop.wav cannot be opened: Too many levels of symbolic links.",
        "dangling.wav": "dangling.wav does not exist.",
        "pipe.wav": "pipe.wav is a pipe or a device.",
        "/dev/null": "/dev/null is a pipe or a device.",
        "empty.wav/song.wav": "song.wav cannot be opened: Not a directory.",
        "x" * 300: "cannot be opened: File name too long.",
    }
    for path, reason in reasons.items():
        assert main([path, *STARTER]) == 2
        told = capsys.readouterr().err
        assert reason in told
        assert told.count("\n") == 1


@on_posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(folder):
    (folder / "secret.wav").write_bytes(wave_files.wav())
    (folder / "secret.wav").chmod(0)
    with pytest.raises(InputError, match=r"secret.wav cannot be opened: Permission denied"):
        check_file(folder / "secret.wav")


def test_refused_permission_is_said(folder, monkeypatch):
    (folder / "secret.wav").write_bytes(wave_files.wav())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match=r"secret.wav cannot be opened: Permission denied"):
        check_file(folder / "secret.wav")


@pytest.mark.parametrize("name", ["missing.wav", "text.wav"])
def test_an_input_that_cannot_be_read_is_reported_without_torch(folder, name):
    (folder / "text.wav").write_text("not a sound")
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("raise SystemExit('torch was imported')")
    done = command(name, PYTHONPATH=os.pathsep.join([str(folder), str(PROJECT)]))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert name in done.stderr


def test_a_stem_never_replaces_an_input(folder, capsys):
    content = wave_files.wav()
    for path in ("a/vocals/vocals.wav", "b/song/residual.wav", "song.wav"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "c").symlink_to("a")
    for inputs, outdir in (
        (["a/vocals/vocals.wav"], "a"),
        (["a/vocals/vocals.wav"], "./b/../a"),
        (["a/vocals/vocals.wav"], "c"),
        (["song.wav", "b/song/residual.wav"], "b"),
    ):
        assert main([*inputs, *STARTER, "--outdir", outdir]) == 2
        assert "would replace the input" in capsys.readouterr().err
    assert all(path.read_bytes() == content for path in folder.rglob("*.wav"))


@pytest.mark.parametrize("name", ["...wav", "..wav"])
def test_no_input_leads_above_the_outdir(folder, name):
    (folder / "in").mkdir()
    (folder / "in" / name).write_bytes(wave_files.wav())
    assert main([f"in/{name}", *STARTER, "--outdir", "out/deep"]) == 0
    assert sorted(path.name for path in (folder / "out" / "deep" / name).iterdir()) == ["residual.wav", "vocals.wav"]
    assert sorted(path.name for path in folder.iterdir()) == ["in", "out"]


def test_only_left_over_parts_are_removed(folder):
    (folder / "song.wav").write_bytes(wave_files.wav())
    (folder / "out" / "song").mkdir(parents=True)
    for name in (".my song.part", ".vocals-0123abcd.part"):
        (folder / "out" / "song" / name).touch()
    assert main(["song.wav", *STARTER, "--outdir", "out"]) == 0
    assert [path.name for path in (folder / "out" / "song").glob(".*")] == [".my song.part"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_name_that_is_not_utf_8_is_separated(folder):
    name = os.fsdecode(b"\xcf\xf0\xe8\xe2\xb3\xf2.wav")
    tags = b"LIST\x12\0\0\0INFOIART\6\0\0\0Me\0\0\0\0"
    (folder / name).write_bytes(wave_files.wav() + tags)
    done = command(name, "--outdir", "out")
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "out").glob("*/vocals.wav"))) == 1
    assert "Traceback" not in done.stderr


@on_posix
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_no_harm(folder, closed):
    (folder / "song.wav").write_bytes(wave_files.wav())
    done = command("song.wav", "--outdir", "out", wrapper=f'"$0" "$@" {closed}')
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    vocals, residual = (soundfile.read(folder / f"out/song/{stem}.wav", dtype="int16")[0] for stem in STARTER[3::2])
    assert np.array_equal(vocals + residual, soundfile.read(folder / "song.wav", dtype="int16")[0])


@on_posix
@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell with ulimit -f")
def test_a_file_size_limit_is_a_full_disk(folder):
    (folder / "song.wav").write_bytes(wave_files.wav(bytes(1 << 20)))
    done = command("song.wav", "--outdir", "out", wrapper='ulimit -f 100; exec "$0" "$@"')
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert list((folder / "out").rglob("*.wav")) == []
