"""Engines that fail: too little memory, damaged weights, an engine that stops."""

import json
import os
import re
import signal
import sys

import pytest

from tests.support import fake_engine, fake_models, processes, wave_files
from tests.support.random_model import damage_weights
from tests.support.waiting import wait_until


@pytest.mark.parametrize("damage", ["cut", "byte"])
def test_the_page_of_a_job_says_that_the_weights_are_damaged(home, start_server, song, damage):
    damage_weights(home / "openunmix_models" / "starter" / "vocals.pth", damage)
    server = start_server()
    client = server.client()
    job = client.uploaded_job(song(0.1))
    client.separate(job)
    state = client.wait_for(job, "failed")
    assert state["error"].startswith("The model's weights could not be fetched, or are damaged.")
    page = client.get(f"/cgi-bin/job.py?job={job}").text
    assert "or are damaged." in page
    for text in (page, server.log.read_text()):
        assert "Traceback" not in text
        assert str(home) not in text


MEMORY = 5  # exit status


def test_four_stems_whose_weights_are_not_here_name_the_models_that_are(fake_engine_home, start_server):
    fake_models.configure(fake_engine_home, on_disk=["blend", "spleeter"], reachable=False)
    fake_engine.configure(fake_engine_home, status=3)
    client = start_server().client()
    job = client.uploaded_job(wave_files.wav())
    client.post("/cgi-bin/separate.py", json_wanted=True, job=job, model="umxhq", stems="4")
    assert "Connect this machine to the internet" in client.wait_for(job, "failed")["error"]
    page = client.get(f"/cgi-bin/job.py?job={job}").text
    assert "On this machine are: blend, starter." in page
    button = re.search(r"<form[^>]*>((?:(?!</form>).)*)Separate with blend</button>", page, re.DOTALL)[1]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', button))
    assert fields == {"job": job, "model": "blend", "stems": "4"}
    fake_engine.configure(fake_engine_home)
    assert client.post("/cgi-bin/separate.py", **fields).status == 303
    assert client.wait_for(job, "done")["model"] == "blend"


def test_a_failure_that_another_model_does_not_cure_names_none(fake_engine_home, start_server):
    client = start_server().client()
    fake_engine.configure(fake_engine_home, status=2)
    job = client.uploaded_job(wave_files.wav())
    client.separate(job, model="umxhq")
    client.wait_for(job, "failed")
    assert "On this machine are" not in client.get(f"/cgi-bin/job.py?job={job}").text


# What demucs 4 prints through torch.hub without a network, shortened.
NO_DEMUCS = """#!/bin/sh
echo 'Traceback (most recent call last):' >&2
echo '  File "torch/hub.py", line 879, in load_state_dict_from_url' >&2
echo 'urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>' >&2
exit 1
"""


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
def test_demucs_without_a_network_names_the_cure(fake_engine_home, start_server, tmp_path, monkeypatch):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, script in (("demucs", NO_DEMUCS), ("ffmpeg", "#!/bin/sh\n")):
        (bin_ / name).write_text(script)
        (bin_ / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    client = start_server().client()
    job = client.uploaded_job(wave_files.wav())
    assert client.separate(job, model="htdemucs").status == 202
    error = client.wait_for(job, "failed")["error"]
    assert error.startswith("The model's weights could not be fetched")
    assert "Connect this machine to the internet" in error
    assert "Separate with starter" in client.get(f"/cgi-bin/job.py?job={job}").text


def test_out_of_memory_fails_the_job_and_the_next_one_works(fake_engine_home, start_server):
    client = start_server().client()
    fake_engine.configure(fake_engine_home, status=MEMORY)
    job = client.uploaded_job(wave_files.wav())
    client.separate(job)
    assert "not enough memory" in client.wait_for(job, "failed")["error"]
    fake_engine.configure(fake_engine_home)
    client.separate(job)
    client.wait_for(job, "done")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_stopped_engine_is_killed_with_its_warm_process(home, start_server, warm):
    """The real command and its warm process are stopped by SIGSTOP."""
    client = start_server(f"--max-job-hours={8 / 3600}").client()
    job = client.uploaded_job(warm.song(120))
    client.separate(job, model="starter")
    wait_until(lambda: client.state(job)["percent"] > 0)  # the warm process, which the upload started, has the job
    stopped = processes.find(home, "openunmix_models")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    assert "exceeded the time limit" in client.wait_for(job, "failed")["error"]
    for pid in stopped:
        processes.wait_until_ended(home, pid)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_job_whose_engine_was_removed_fails_and_the_next_one_works(fake_engine_home, start_server, state):
    """As after a restart with another table of engines; a running job was interrupted by the restart."""
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    server = start_server()
    client = server.client()
    running, queued = (client.uploaded_job(wave_files.wav()) for _ in range(2))
    for job in (running, queued):
        client.separate(job)
    client.wait_for(running, "running")
    server.kill()
    job = running if state == "running" else queued
    state_file = fake_engine_home / "uploads" / job / "state.json"
    state_file.write_text(json.dumps(json.loads(state_file.read_text()) | {"engine": "removed"}))
    fake_engine.configure(fake_engine_home)
    client = start_server().client()
    assert "removed from this server" in client.wait_for(job, "failed")["error"]
    other = queued if job == running else running
    client.wait_for(other, "done")
    assert "Traceback" not in server.log.read_text()
    client.separate(job)
    client.wait_for(job, "done")
