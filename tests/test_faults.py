"""What dies in the middle: nothing acknowledged is lost, nothing runs twice at once, nothing stays behind."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from tests import double, processes, waves
from tests.conftest import RunningServer, copy_project
from tests.test_bad_input import END, SONG, job_folders, open_post, part


@pytest.fixture
def server(quick_home, serve):
    return serve()


@pytest.fixture
def client(server):
    return server.client()


def running_job(client, home) -> str:
    """A job whose separation takes as long as it is let."""
    double.order(home, seconds=double.LONG)
    job = queued_job(client)
    client.wait_for(job, "running")
    processes.one(home, job)
    double.wait_until_started(home, job)
    return job


def queued_job(client, content: bytes = SONG) -> str:
    job = client.uploaded_job(content)
    assert client.separate(job).status == 202
    return job


def deeds_of(home, job: str) -> list[str]:
    return [what for name, what in double.deeds(home) if name == job]


# The server


def test_a_killed_server_loses_nothing_that_was_acknowledged(quick_home, serve):
    """One job in each state; kill -9; the next server goes on with each where it stood."""
    server = serve()
    client = server.client()
    done = queued_job(client, waves.wave(b"\x05\x00" * 3000))
    client.wait_for(done, "done")
    double.order(quick_home, status=2)
    failed = queued_job(client)
    client.wait_for(failed, "failed")
    running = running_job(client, quick_home)
    queued = [queued_job(client) for _ in range(2)]
    uploaded = client.uploaded_job(SONG, "歌.wav")
    before = {job: client.state(job) for job in (done, failed, uploaded)}

    server.kill()
    processes.wait_until_gone(quick_home)
    client = serve().client()
    assert {job: client.state(job) for job in before} == before
    assert client.get(before[done]["stems"][0]["url"]).body == waves.wave(b"\x05\x00" * 3000)
    assert (quick_home / "uploads" / uploaded / "song.wav").read_bytes() == SONG
    double.order(quick_home)
    for job in (running, *queued):
        client.wait_for(job, "done")
    assert deeds_of(quick_home, running) == ["starts", "starts", "ends"]
    again = [deed for deed in double.deeds(quick_home) if deed[1] == "ends"][-3:]
    assert [job for job, _ in again] == [running, *queued]
    client.separate(uploaded)
    client.wait_for(uploaded, "done")


def test_a_server_killed_with_its_worker_loses_nothing(quick_home, serve):
    """As a power cut, but the separation is still there when the next server comes: it must not run beside it."""
    server = serve()
    job = running_job(server.client(), quick_home)
    worker = processes.one(quick_home, "webapp.background.worker")
    os.kill(worker, signal.SIGKILL)  # first, or it would end what runs
    server.kill()
    left = processes.one(quick_home, job)
    client = serve().client()
    processes.wait_until_ended(quick_home, left)
    double.order(quick_home)
    client.wait_for(job, "done")
    assert deeds_of(quick_home, job) == ["starts", "starts", "ends"]


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_ctrl_c_stops_at_once_and_the_next_start_goes_on(quick_home, serve, signals):
    server = serve()
    job = running_job(server.client(), quick_home)
    queued = queued_job(server.client())
    begin = time.monotonic()
    for number in signals:
        server.process.send_signal(number)
        time.sleep(0.02)
    assert server.process.wait(30) == 0
    assert time.monotonic() - begin < 4.5  # 5 s is what a worker has that hangs
    processes.wait_until_gone(quick_home)
    assert "Traceback" not in server.log.read_text()

    client = serve().client()
    assert client.state(queued)["state"] == "queued"
    double.order(quick_home)
    for one in (job, queued):
        client.wait_for(one, "done")
    assert deeds_of(quick_home, job) == ["starts", "starts", "ends"]


def test_a_job_may_be_interrupted_by_ctrl_c_as_often_as_one_likes(quick_home, serve):
    server = serve()
    job = running_job(server.client(), quick_home)
    for _ in range(3):
        server.stop()
        server = serve()
        server.client().wait_for(job, "running")
    double.order(quick_home)
    server.client().wait_for(job, "done")


def test_two_servers_over_one_folder_run_a_job_once(quick_home, serve):
    first, second = serve(), serve()
    job = running_job(second.client(), quick_home)
    time.sleep(0.5)
    assert deeds_of(quick_home, job) == ["starts"]
    first.stop()
    double.order(quick_home)
    second.client().wait_for(job, "done")
    assert "overlaps" not in deeds_of(quick_home, job)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1"])
def test_the_address_that_is_printed_opens(home, host):
    if ":" in host and not has_ipv6():
        pytest.skip("no IPv6 here")
    command = [sys.executable, str(home / "server.py"), "--port=0", f"--host={host}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            address = re.search(r"http://\S+", process.stdout.readline())[0]
            connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
            connection.request("GET", "/")
            assert b"Send file" in connection.getresponse().read()
        finally:
            process.send_signal(signal.SIGINT)


def has_ipv6() -> bool:
    """Whether this machine has it now: a container often does not, though Python knows it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--port={used}", "Is it running already?"),
        ("--port=99999", "argument --port"),
        ("--port=x", "argument --port"),
        ("--workers=0", "argument --workers: it must be more than 0"),
        ("--keep-hours=-1", "argument --keep-hours: it must be more than 0"),
        ("--keep-hours=nan", "argument --keep-hours: it must be more than 0"),
        ("--host=no.such.host.invalid", "Cannot listen on no.such.host.invalid"),
    ],
)
def test_options_that_cannot_be_are_told_in_a_sentence(shared_server, options, words):
    command = [sys.executable, str(shared_server.home / "server.py"), options.format(used=shared_server.port)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert told.returncode != 0
    assert words in told.stderr
    assert "Traceback" not in told.stderr


# The worker and the separation


def test_a_killed_worker_is_started_again_and_runs_the_job_again(client, quick_home, server):
    job = running_job(client, quick_home)
    queued = queued_job(client)
    engine = processes.one(quick_home, job)
    os.kill(processes.one(quick_home, "webapp.background.worker"), signal.SIGKILL)
    assert client.state(job)["state"] == "running"
    processes.wait_until_ended(quick_home, engine)
    double.order(quick_home)
    for one in (job, queued):
        client.wait_for(one, "done")
    assert deeds_of(quick_home, job) == ["starts", "starts", "ends"]
    assert deeds_of(quick_home, queued) == ["starts", "ends"]


def test_a_killed_separation_is_run_again_once_and_then_told(client, quick_home):
    job = running_job(client, quick_home)
    first = processes.one(quick_home, job)
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while processes.of(quick_home, job) in ([], [first]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(processes.one(quick_home, job), signal.SIGKILL)
    state = client.wait_for(job, "failed")
    assert "stopped by the system" in state["error"]
    processes.wait_until_gone(quick_home, job)
    assert len([what for what in deeds_of(quick_home, job) if what != "starts"]) == 0
    double.order(quick_home)
    client.separate(job)
    client.wait_for(job, "done")


def test_stems_are_there_whole_or_not_at_all(home, serve, song):
    """The real command, killed in its work: the second run's stems are whole, and nothing else stays."""
    client = serve().client()
    job = client.uploaded_job(song(1.0))
    client.separate(job)
    client.wait_for(job, "running")
    time.sleep(1.5)
    for pid in processes.of(home, "openunmix_models"):
        os.kill(pid, signal.SIGKILL)
    client.wait_for(job, "done")
    written = sorted(path.name for path in (home / "downloads" / job).rglob("*.wav*"))  # pictures may be there too
    assert written == ["residual.wav", "vocals.wav"]


# Uploads


def test_a_sender_who_leaves_in_the_middle_leaves_nothing(client, quick_home):
    body = part() + END
    for sent in (0, 10, len(body) // 2, len(body) - 1):
        with open_post(client, len(body)) as connection:
            connection.sendall(body[:sent])
            time.sleep(0.2)
    wait_until_no_folders(quick_home)
    processes.wait_until_gone(quick_home, "cgi-bin")


def test_a_sender_who_is_cut_off_hard_leaves_nothing(client, quick_home, server):
    body = part() + END
    connection = open_post(client, len(body))
    connection.sendall(body[:500])
    wait_for_folder(quick_home)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_until_no_folders(quick_home)
    assert "Traceback" not in server.log.read_text()


def test_half_an_upload_is_swept_after_a_power_cut(quick_home, serve):
    server = serve()
    body = part() + END
    with open_post(server.client(), len(body)) as connection:
        connection.sendall(body[:500])
        upload = processes.one(quick_home, "upload.py")
        wait_for_folder(quick_home)
        server.process.kill()
        os.kill(upload, signal.SIGKILL)
    (folder,) = job_folders(quick_home)
    long_ago = time.time() - 3600
    os.utime(quick_home / "uploads" / folder, (long_ago, long_ago))
    serve()
    wait_until_no_folders(quick_home)


def test_a_sweep_leaves_an_upload_alone_that_still_comes_in(quick_home, serve):
    client = serve().client()
    body = part() + END
    with open_post(client, len(body)) as connection:
        connection.sendall(body[:500])
        folder = wait_for_folder(quick_home)
        os.utime(quick_home / "uploads" / folder, (0, 0))
        worker = processes.one(quick_home, "webapp.background.worker")
        os.kill(worker, signal.SIGKILL)  # the next one sweeps when it starts
        time.sleep(2)
        assert job_folders(quick_home) == {folder}
        connection.sendall(body[500:])
        assert b"303" in connection.recv(100)


def wait_for_folder(home) -> str:
    """The folder of an upload that has begun."""
    deadline = time.monotonic() + 30
    while not (folders := job_folders(home)):
        assert time.monotonic() < deadline, "the upload does not begin"
        time.sleep(0.02)
    return folders.pop()


def wait_until_no_folders(home) -> None:
    deadline = time.monotonic() + 10
    while job_folders(home):
        assert time.monotonic() < deadline, "a folder stays behind"
        time.sleep(0.05)


# Scripts that do not answer


@pytest.fixture
def impatient(serve, home):
    """A server that waits one second for something for which the real one waits a minute."""

    def start(limit: str):
        limits = home / "webapp" / "limits.py"
        limits.write_text(f"{limits.read_text()}\n{limit} = 1\n")
        return serve().client()

    return start


def put_script(home, lines: str) -> None:
    (home / "cgi-bin" / "job.py").write_text(lines)


@pytest.mark.parametrize(
    "lines",
    [
        "import time; time.sleep(100)",
        "print('Status: 200 OK'); import time; time.sleep(100)",
        "while True: pass",
        "raise SystemExit('no answer')",
        "print('no head at all')",
        "print('Status: nonsense\\n\\nx')",
        "print('Content-Type: text/plain\\n\\nno status')",
        "import os; os.kill(os.getpid(), 9)",
    ],
)
def test_a_script_that_does_not_answer_is_ended_and_told(home, impatient, lines):
    put_script(home, lines)
    client = impatient("SCRIPT_SECONDS")
    begin = time.monotonic()
    reply = client.get("/cgi-bin/job.py?job=x")
    assert time.monotonic() - begin < 30
    assert reply.status == 500
    assert 'role="alert"' in reply.text
    assert client.get_json("/cgi-bin/job.py?job=x").json().keys() == {"error"}
    processes.wait_until_gone(home, "job.py")
    assert client.get("/").status == 200


def test_a_script_that_fails_tells_the_log_and_not_the_visitor(home, serve):
    views = home / "webapp" / "html" / "views.py"
    views.write_text(views.read_text() + "\ndef as_json(job): raise RuntimeError('a secret')\n")
    server = serve()
    reply = server.client().upload(SONG, json_wanted=True)
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert b"Traceback" not in reply.body
    assert "a secret" in server.log.read_text()


def test_a_sender_who_stalls_is_given_up(home, impatient):
    client = impatient("IDLE_SECONDS")
    with open_post(client, 10_000) as connection:
        connection.sendall(part()[:500])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"given up" in answer
    wait_until_no_folders(home)


def test_an_idle_connection_is_closed(impatient):
    client = impatient("IDLE_SECONDS")
    for sent in (b"", b"GET / HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
            connection.sendall(sent)
            assert connection.recv(100) == b""


def test_the_server_works_in_a_folder_of_any_name(tmp_path):
    home = tmp_path / 'Ñandú\'s "work" & 歌'
    home.mkdir()
    copy_project(home)
    double.put_in(home)
    running = RunningServer(home).start()
    try:
        client = running.client()
        job = queued_job(client)
        assert client.wait_for(job, "done", "failed")["state"] == "done"
    finally:
        running.kill()
