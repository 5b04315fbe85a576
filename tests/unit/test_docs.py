"""The documentation agrees with the code, its links work, and its commands are tested."""

import re
import subprocess
import sys

import pytest

from tests.support.documents import DOCUMENTS, block_with, commands
from tests.support.project import PROJECT
from webapp.engines import choices
from webapp.limits import Limits
from webapp.version import project_version

README = (PROJECT / "README.md").read_text("utf-8")
DEPLOYMENT = (PROJECT / "docs" / "deployment.md").read_text("utf-8")
CHANGELOG = (PROJECT / "CHANGELOG.md").read_text("utf-8")
LINKED = [*DOCUMENTS, PROJECT / "CHANGELOG.md", PROJECT / "study" / "README.md"]

CI = "run by .ci/run in a fresh clone"
INDEX = "needs the package index"
REAL = "server/test_docs_commands.py"
TESTED = {  # how a command begins -> the test that runs it
    "README.md: python3 -m venv --upgrade-deps .venv && .venv/bin/pip install -r requirements.txt && {": REAL,
    "README.md: .venv/bin/python server.py": REAL,
    "README.md: .venv/bin/python -m openunmix_models song.wav": "models/test_command_line.py",
    "docs/http.md: site=": "server/test_curl_examples.py",
    "docs/deployment.md: curl -s http://localhost:8000/health": REAL,
    "docs/deployment.md: .venv/bin/python server.py --password-file": REAL,
    "docs/cluster.md: .venv/bin/python server.py --workers 64 --run-with": "server/test_slurm.py",
    "docs/cluster.md: cat > separate.sh": "server/test_slurm.py",
    "docs/robustness.md: python -m study.robustness.crashes 1 'the clean-up'": "robustness/test_crashes.py",
    "docs/robustness.md: python -m study.robustness.crashes 1 'rename": "robustness/test_crashes.py",
}
NOT_RUN = {  # how a command begins -> why no test runs it
    "README.md: py -m venv --upgrade-deps .venv": "for Windows; a test below compares it with the other command",
    "README.md: sudo apt install": "changes the system",
    "README.md: .venv/bin/pip install": "needs PyTorch's package index",
    "README.md: python3 -m venv --upgrade-deps .venv && .venv/bin/pip install -r requirements.txt -r tests": CI,
    "README.md: .venv/bin/python -m openunmix_models fetch umx": "needs Zenodo; models/test_weights.py fetches locally",
    "CONTRIBUTING.md: python3 -m venv --upgrade-deps .venv": CI,
    "CONTRIBUTING.md: py -m venv --upgrade-deps .venv": "for Windows",
    "CONTRIBUTING.md: .venv\\Scripts\\activate": "for Windows",
    "CONTRIBUTING.md: npm ci": CI,
    "CONTRIBUTING.md: python -m pytest tests/unit": "contains this test",
    "CONTRIBUTING.md: python -m pytest\n": CI,
    "CONTRIBUTING.md: python -m coverage run": CI,
    "CONTRIBUTING.md: .ci/run": "run by the CI service",
    "CONTRIBUTING.md: pip install pre-commit": INDEX,
    "CONTRIBUTING.md: python -m study train": "takes hours; study/test_training.py trains a small network",
    "docs/deployment.md: sudo useradd": "needs root and systemd; test_deployment_examples.py checks the unit",
    "docs/deployment.md: docker build": "needs Docker and the network",
    "docs/deployment.md: pip-audit": "asks PyPI",
    "docs/cluster.md: .venv/bin/python server.py --run-with 'ssh": "needs ssh; see server/test_command_prefix.py",
    "docs/cluster.md: .venv/bin/python -m openunmix_models fetch umx": "needs Zenodo",
    "docs/cluster.md: sudo": "changes the system",
    "docs/engines.md: pip install demucs": INDEX,
    "docs/engines.md: import torch": "needs Demucs, which is not a requirement",
    "docs/engines.md: demucs --name tiny": "needs Demucs, which is not a requirement",
    "docs/performance.md: .venv/bin/python -m study speed": "takes minutes; study/test_benchmarks.py is shorter",
    "docs/performance.md: .venv/bin/python -m study serving": "takes minutes; study/test_benchmarks.py is shorter",
    "docs/robustness.md: .venv/bin/python -m study faults": "takes 45 minutes; tests/robustness is shorter",
}


def test_every_command_is_tested_or_listed_with_a_reason():
    entries = {*TESTED, *NOT_RUN}
    for command in commands():
        assert [entry for entry in entries if command.startswith(entry)], command


def test_no_entry_is_left_over():
    documented = list(commands())
    for entry in (*TESTED, *NOT_RUN):
        assert [command for command in documented if command.startswith(entry)], entry


def test_the_tests_of_commands_exist():
    for path in TESTED.values():
        assert (PROJECT / "tests" / path).exists(), path


def test_windows_has_the_same_steps_as_linux():
    block = block_with("README.md", "fetch spleeter\n  .venv")
    steps = [step.strip() for step in re.split(r"[{}\n]|&&", block) if step.strip()]
    assert len(steps) == 4
    assert [_on_windows(step) for step in steps] == block_with("README.md", "py -m venv").splitlines()


def _on_windows(step: str) -> str:
    return re.sub(r"^python3 ", "py ", step).replace(".venv/bin/", ".venv\\Scripts\\")


@pytest.mark.parametrize("document", LINKED, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_links_lead_to_files_and_headings(document):
    for link in re.findall(r"\]\((?!http)([^)]+)\)", document.read_text("utf-8")):
        path, _, heading = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not heading or heading in _anchors(target.read_text("utf-8")), link


def _anchors(markdown: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_options_and_defaults_are_those_of_the_server():
    usage = subprocess.run(
        [sys.executable, PROJECT / "server.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    documented = re.findall(r"^\| `(--[a-z-]+)` .*\| `(.*)` \|$", DEPLOYMENT, re.MULTILINE)
    offered = set(re.findall(r"^  (--[a-z-]+)", usage, re.MULTILINE)) - {"--version"}
    assert {option for option, _ in documented} == offered
    for option, default in documented:
        assert re.search(rf"{option} .*\({re.escape(default)}\b", " ".join(usage.split())), option


def test_the_readme_lists_every_model_and_the_limits():
    listed = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    assert {choice.name for choice in choices.all_choices() if choice.engine == "openunmix"} == listed
    assert f"up to {Limits().max_song_hours:g} hours and {Limits().max_upload_gb:g} GB" in README


def test_the_changelog_has_the_current_version_first():
    versions = re.findall(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)
    assert versions[0] == project_version()
    assert CHANGELOG.index("## [Unreleased]") < CHANGELOG.index(f"## [{versions[0]}]")
