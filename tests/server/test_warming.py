"""A song that begins to arrive has the default model loaded; nothing is loaded without one, or twice."""

import os
import signal
import sys

import pytest

from tests.support import fake_engine, fake_models, processes, wave_files
from tests.support.forms import upload_form
from tests.support.waiting import wait_until

BODY = upload_form(wave_files.wav(bytes(200_000)))  # more than must arrive before the script of an upload starts
WARM = "openunmix_models.warm"


@pytest.fixture
def start_blend(start_server, fake_engine_home):
    def start(warming_seconds: float = 10.0, **settings: object):
        fake_models.configure(fake_engine_home, **{"on_disk": ["blend", "spleeter"], "reachable": False} | settings)
        client = start_server(warming_seconds=warming_seconds).client()
        wait_until((fake_engine_home / "uploads" / ".unavailable").exists)
        return client

    return start


def test_the_default_model_is_loaded_while_the_song_arrives(start_blend, fake_engine_home):
    client = start_blend()
    with client.open_upload(len(BODY)) as connection:
        connection.sendall(BODY[:-100])
        (arguments,) = wait_until(lambda: fake_models.warmed(fake_engine_home))
        assert not list((fake_engine_home / "uploads").glob("*/state.json"))
        connection.sendall(BODY[-100:])
        assert connection.recv(12) == b"HTTP/1.1 303"
    assert " ".join(arguments) == "--model blend --targets vocals --residual residual --keep-warm 5"


def test_pages_alone_load_nothing(start_blend, fake_engine_home):
    client = start_blend()
    for path in ("/", "/cgi-bin/songs.py", "/static/style.css"):
        assert client.get(path).status == 200
    assert client.post("/cgi-bin/upload.py").status == 400
    client.finished_job(wave_files.wav())  # the worker has looked by now
    assert len(fake_models.warmed(fake_engine_home)) == 1


def test_many_songs_load_it_once(start_blend, fake_engine_home):
    client = start_blend(warm_seconds=0.5)
    for _ in range(5):
        client.uploaded_job(wave_files.wav())
    client.finished_job(wave_files.wav())
    assert len(fake_models.warmed(fake_engine_home)) == 1


def test_a_model_that_must_be_fetched_first_is_not_loaded(start_blend, fake_engine_home):
    client = start_blend(on_disk=[], reachable=True)
    client.finished_job(wave_files.wav())
    assert fake_models.warmed(fake_engine_home) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_nothing_is_loaded_while_a_song_is_separated(start_blend, fake_engine_home):
    client = start_blend()
    first = client.uploaded_job(wave_files.wav())
    wait_until(lambda: len(fake_models.warmed(fake_engine_home)) == 1)
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    client.separate(first)
    client.wait_for(first, "running")
    # The worker that replaces a killed one does not know that a model was loaded a moment ago.
    os.kill(processes.wait_for_one(fake_engine_home, "webapp.worker.main"), signal.SIGKILL)
    wait_until(lambda: [event for _, event in fake_engine.events(fake_engine_home)].count("starts") == 2)
    second = client.uploaded_job(wave_files.wav())
    log = fake_engine_home / "server.log"
    wait_until(lambda: f"job {second[:8]}: uploaded" in log.read_text())  # the worker has noticed it
    assert len(fake_models.warmed(fake_engine_home)) == 1
    fake_engine.finish_jobs(fake_engine_home)


def test_a_job_waits_until_the_loading_process_is_there(start_blend, fake_engine_home):
    """One that began before would start a second process."""
    client = start_blend(warm_seconds=1.0)
    job = client.uploaded_job(wave_files.wav())
    client.separate(job)
    fake_engine.wait_until_started(fake_engine_home, job)
    assert len(fake_models.warmed(fake_engine_home)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_loading_command_that_hangs_stops_nothing(start_blend, fake_engine_home):
    client = start_blend(warming_seconds=0.5, warm_seconds=60)
    client.finished_job(wave_files.wav())
    assert fake_models.warmed(fake_engine_home) == []
    processes.wait_until_gone(fake_engine_home, "fake_models warm")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_loaded_process_separates_the_song(server, song):
    """The real commands: one process, started by the upload, and no second one for the separation."""
    client = server.client()
    wait_until((server.home / "uploads" / ".unavailable").exists)
    assert processes.find(server.home, WARM) == []
    job = client.uploaded_job(song(2.0))
    pid = processes.wait_for_one(server.home, WARM)
    client.post("/cgi-bin/separate.py", json_wanted=True, job=job)
    done = client.wait_for(job, "done")
    assert done["model"] == "starter"
    assert processes.find(server.home, WARM) == [pid]


def test_the_waiting_process_is_ended_with_the_server(start_server, fake_engine_home):
    fake_models.configure(fake_engine_home, on_disk=["blend", "spleeter"], reachable=False)
    running = start_server()
    wait_until((fake_engine_home / "uploads" / ".unavailable").exists)
    running.client().finished_job(wave_files.wav())
    (arguments,) = wait_until(lambda: fake_models.warmed(fake_engine_home))
    assert "--stop" not in arguments
    running.stop()
    wait_until(lambda: fake_models.warmed(fake_engine_home)[-1:] == [["--stop"]])
