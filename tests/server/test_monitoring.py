"""Log, health, metrics and the orderly stop of the server."""

import json
import os
import re
import signal

import pytest

from tests.support import fake_engine, processes, wave_files
from tests.support.project import failing_script
from tests.support.waiting import wait_until
from webapp.version import project_version

SECOND = wave_files.wav(b"\x05\x00\x05\x00" * 44100)
NAME = "Ganz geheim.wav"
PROMETHEUS_LINE = re.compile(r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="\w+"\})? [0-9.e+]+)')


def separated_job(client) -> str:
    job = client.uploaded_job(SECOND, NAME)
    client.separate(job)
    client.wait_for(job, "done")
    return job


def wait_for_line(server, words: str) -> str:
    return wait_until(
        lambda: next((line for line in server.log.read_text().splitlines() if words in line), ""),
        message=server.log.read_text,
    )


def figures(client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_the_log_has_requests_and_state_changes_but_no_song_names(fake_engine_home, start_server):
    server = start_server()
    client = server.client()
    job = separated_job(client)
    client.get(f"/cgi-bin/download.py?job={job}")
    client.post("/cgi-bin/delete.py", job=job)
    wait_for_line(server, f"job {job[:8]}: deleted")
    log = server.log.read_text()
    for words in (
        '127.0.0.1 "POST /cgi-bin/upload.py HTTP/1.1" 201',
        f'"GET /cgi-bin/download.py?job={job[:8]} HTTP/1.1" 200',
    ):
        assert words in log
    for step in ("uploaded, 1.0 s of audio", "queued for starter", "running with starter, attempt 1", "done in 0."):
        assert log.count(f"job {job[:8]}: {step}") <= 1
    assert log.count(f"job {job[:8]}: done in") == log.count(f"job {job[:8]}: running with starter, attempt 1") == 1
    assert job not in log
    assert "geheim" not in log


def test_the_json_log_has_one_object_per_line(fake_engine_home, start_server):
    server = start_server("--log-json")
    client = server.client()
    job = separated_job(client)
    client.raw_get('/nothing\xff"')
    wait_for_line(server, '"state": "done"')
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if not line.startswith("Open ")]
    for line in lines:
        assert line.keys() >= {"time", "level", "part", "message"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    [upload] = [line for line in lines if "upload.py" in line.get("request", "")]
    assert (upload["address"], upload["status"]) == ("127.0.0.1", 201)
    [done] = [line for line in lines if line.get("state") == "done"]
    assert (done["job"], done["part"]) == (job[:8], "jobs")
    assert done["seconds"] > 0


@pytest.mark.parametrize("options", [(), ("--log-json",)])
def test_logged_tracebacks_contain_no_complete_job_id(fake_engine_home, start_server, options):
    (fake_engine_home / "cgi-bin" / "job.py").write_text(failing_script(f"uploads/{'0f' * 16}"))
    server = start_server(*options)
    assert server.client().get("/cgi-bin/job.py").status == 500
    log = server.log.read_text()
    assert "RuntimeError" in log
    assert not re.search("[0-9a-f]{32}", log)
    if options:
        assert all(json.loads(line) for line in log.splitlines() if not line.startswith("Open "))


def test_health_of_a_healthy_server(fake_engine_server):
    processes.wait_for_one(fake_engine_server.home, "webapp.worker.main")
    client = fake_engine_server.client()
    wait_until(lambda: client.get("/health").status == 200)
    reply = client.get("/health")
    assert reply.json() == {"status": "ok", "version": project_version(), "worker": True, "folders": True, "disk": True}
    assert reply.headers["Cache-Control"] == "no-store"


def test_health_fails_on_a_full_disk(fake_engine_home, start_server):
    reply = start_server(spare_disk_bytes=1 << 60).client().get("/health")
    assert reply.status == 503
    assert reply.json()["status"] == "failing"
    assert reply.json()["disk"] is False


def test_health_fails_without_a_worker(fake_engine_home, start_server):
    server = start_server()
    client = server.client()
    wait_until(lambda: client.get("/health").status == 200)

    def health_without_a_worker() -> dict | None:
        """The server starts another worker after a second; that one is killed too."""
        for worker in processes.find(fake_engine_home, "webapp.worker.main"):
            os.kill(worker, signal.SIGKILL)
        reply = client.get("/health")
        return reply.json() if reply.status == 503 else None

    assert wait_until(health_without_a_worker)["worker"] is False


def test_metrics_survive_a_restart(fake_engine_home, start_server):
    server = start_server()
    client = server.client()
    separated_job(client)
    client.uploaded_job(SECOND)
    wait_until(lambda: figures(client)["sound_separator_audio_seconds_total"] == 1)
    seen = figures(client)
    assert seen['sound_separator_jobs{state="done"}'] == 1
    assert seen['sound_separator_jobs{state="uploaded"}'] == 1
    assert seen["sound_separator_queue_length"] == 0
    assert seen["sound_separator_songs_bytes"] > 4 * len(SECOND) * 0.9
    assert seen["sound_separator_disk_free_bytes"] > 0
    server.stop()
    assert figures(start_server().client())["sound_separator_audio_seconds_total"] == 1


def test_metrics_are_in_prometheus_format(fake_engine_server):
    reply = fake_engine_server.client().get("/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert reply.text.endswith("\n")
    for line in reply.text.splitlines():
        assert PROMETHEUS_LINE.fullmatch(line), line
    names = re.findall(r"^# TYPE (\w+)", reply.text, re.MULTILINE)
    assert len(names) == len(set(names)) >= 5


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_health_and_metrics_refuse_post_and_other_hosts(fake_engine_server, path):
    client = fake_engine_server.client()
    assert client.post(path).status == 404
    assert client.request("HEAD", path).body == b""
    assert client.raw_get(path, "Host: example.org").status == 403


def test_sigterm_stops_engines_that_ignore_it_and_requeues_their_jobs(fake_engine_home, start_server):
    """Three engines ignore SIGTERM; all their jobs are queued again, and no attempt is counted."""
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER, ignores_sigterm=True)
    server = start_server("--workers=3")
    client = server.client()
    jobs = [client.uploaded_job(SECOND) for _ in range(4)]
    for job in jobs:
        client.separate(job)
    for job in jobs[:3]:
        fake_engine.wait_until_started(fake_engine_home, job)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    processes.wait_until_gone(fake_engine_home)
    kept = [json.loads((fake_engine_home / "uploads" / job / "state.json").read_text()) for job in jobs]
    assert [(job["state"], job["attempts"]) for job in kept] == [("queued", 0)] * 4
    assert server.log.read_text().count("put back") == 3
    fake_engine.configure(fake_engine_home)
    client = start_server("--workers=3").client()
    for job in jobs:
        client.wait_for(job, "done")
