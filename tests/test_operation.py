"""What whoever runs the server sees of it: its log, its health, its figures, and how it stops."""

import json
import os
import re
import signal
import time

import pytest

from tests import double, processes, waves

SECOND = waves.wave(b"\x05\x00\x05\x00" * 44100)
NAME = "Ganz geheim.wav"
PROMETHEUS_LINE = re.compile(r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="\w+"\})? [0-9.e+]+)')


def separated_job(client) -> str:
    job = client.uploaded_job(SECOND, NAME)
    client.separate(job)
    client.wait_for(job, "done")
    return job


def wait_for_line(server, words: str, seconds: float = 20) -> str:
    deadline = time.monotonic() + seconds
    while not (found := [line for line in server.log.read_text().splitlines() if words in line]):
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
    return found[0]


def figures(client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_the_log_has_a_line_for_each_request_and_each_step_and_no_names(quick_home, serve):
    server = serve()
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


def test_the_log_as_json_is_an_object_a_line(quick_home, serve):
    server = serve("--log-json")
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
def test_what_goes_wrong_in_a_script_is_logged_without_a_jobs_whole_id(quick_home, serve, options):
    views = quick_home / "webapp" / "html" / "views.py"
    views.write_text(views.read_text() + "\ndef as_json(job): raise RuntimeError(job.folder)\n")
    server = serve(*options)
    assert server.client().upload(SECOND, json_wanted=True).status == 500
    log = server.log.read_text()
    assert "RuntimeError" in log
    assert not re.search("[0-9a-f]{32}", log)
    if options:
        assert all(json.loads(line) for line in log.splitlines() if not line.startswith("Open "))


def test_a_healthy_server_says_so(quick_server):
    processes.one(quick_server.home, "webapp.background.worker")
    client = quick_server.client()
    deadline = time.monotonic() + 20
    while (reply := client.get("/health")).status != 200:
        assert time.monotonic() < deadline, reply.text
        time.sleep(0.1)
    assert reply.json() == {"status": "ok", "worker": True, "folders": True, "disk": True}
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_full_disk_is_no_good_health(quick_home, serve):
    limits = quick_home / "webapp" / "limits.py"
    limits.write_text(limits.read_text() + "\nSPARE_DISK_BYTES = 1 << 60\n")
    reply = serve().client().get("/health")
    assert reply.status == 503
    assert reply.json()["status"] == "failing"
    assert reply.json()["disk"] is False


def test_without_a_worker_health_fails(quick_home, serve):
    server = serve()
    client = server.client()
    wait_until(lambda: client.get("/health").status == 200)
    (quick_home / "webapp" / "background" / "worker.py").write_text("raise SystemExit(1)\n")
    os.kill(processes.one(quick_home, "webapp.background.worker"), signal.SIGKILL)
    wait_until(lambda: client.get("/health").status == 503)
    assert client.get("/health").json()["worker"] is False


def test_the_figures_count_jobs_and_audio_over_a_restart(quick_home, serve):
    server = serve()
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
    assert figures(serve().client())["sound_separator_audio_seconds_total"] == 1


def test_the_figures_are_in_prometheus_format(quick_server):
    reply = quick_server.client().get("/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert reply.text.endswith("\n")
    for line in reply.text.splitlines():
        assert PROMETHEUS_LINE.fullmatch(line), line
    names = re.findall(r"^# TYPE (\w+)", reply.text, re.MULTILINE)
    assert len(names) == len(set(names)) >= 5


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_both_are_for_get_only_and_for_no_other_site(quick_server, path):
    client = quick_server.client()
    assert client.post(path).status == 404
    assert client.request("HEAD", path).body == b""
    assert client.raw_get(path, "Host: example.org").status == 403


def test_a_stop_is_done_in_time_though_no_engine_listens(quick_home, serve):
    """SIGTERM, with three engines that ignore it: all are put back, none has lost an attempt."""
    engine = quick_home / "openunmix_models" / "double.py"
    deaf = "import signal\n\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    engine.write_text(engine.read_text().replace("import argparse\n", f"import argparse\n{deaf}", 1))
    double.order(quick_home, seconds=double.LONG)
    server = serve("--workers=3")
    client = server.client()
    jobs = [client.uploaded_job(SECOND) for _ in range(4)]
    for job in jobs:
        client.separate(job)
    for job in jobs[:3]:
        double.wait_until_started(quick_home, job)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert time.monotonic() - begin < 10  # what README.md promises
    processes.wait_until_gone(quick_home)
    kept = [json.loads((quick_home / "uploads" / job / "state.json").read_text()) for job in jobs]
    assert [(job["state"], job["attempts"]) for job in kept] == [("queued", 0)] * 4
    assert server.log.read_text().count("put back") == 3
    double.order(quick_home)
    client = serve("--workers=3").client()
    for job in jobs:
        client.wait_for(job, "done")


def wait_until(true, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
