"""What the README says is so."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import soundfile

from webapp import engines
from webapp.limits import Limits

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_every_link_to_a_file_leads_somewhere():
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert links
    for link in links:
        assert (PROJECT / link).exists(), link


def test_the_servers_options_are_those_of_its_help():
    usage = subprocess.run(
        [sys.executable, PROJECT / "server.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    documented = re.findall(r"^\| `(--[a-z-]+)` .*\| `(.*)` \|$", README, re.MULTILINE)
    assert {option for option, _ in documented} == set(re.findall(r"^  (--[a-z-]+)", usage, re.MULTILINE))
    for option, default in documented:
        assert re.search(rf"{option} .*\({re.escape(default)}\b", " ".join(usage.split())), option


def test_models_and_limits_are_those_of_the_code():
    assert re.findall(r"^\| `(\w+)` \| .*\| .* \|$", README, re.MULTILINE) == [
        choice.name for choice in engines.choices() if choice.engine == "openunmix"
    ]
    assert f"up to {Limits().max_song_hours:g} hours and {Limits().max_upload_gb:g} GB" in README


def test_the_command_does_what_the_readme_shows(tmp_path, song):
    song(1.0).rename(tmp_path / "song.wav")
    command = next(shlex.split(line) for line in COMMANDS if "-m openunmix_models song.wav" in line)
    assert command[0] == ".venv/bin/python"
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)}, check=True)
    for stem in ("vocals", "residual"):
        assert soundfile.info(tmp_path / "stems" / "song" / f"{stem}.wav").frames == 44100
