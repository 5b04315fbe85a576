"""The mix at the levels that a visitor has set, over HTTP."""

import io
import json
import socket

import numpy as np
import pytest
import soundfile

from tests.support import fake_engine, wave_files


def read(content, dtype="int32") -> np.ndarray:
    return soundfile.read(content if not isinstance(content, bytes) else io.BytesIO(content), dtype=dtype)[0]


@pytest.fixture(scope="module")
def client(fake_engine_server):
    fake_engine.configure(fake_engine_server.home)
    return fake_engine_server.client()


@pytest.fixture(scope="module")
def job(client) -> str:
    return done(client, wave_files.encoded(nb_samples=50000, subtype="PCM_24"))


def done(client, content: bytes) -> str:
    job = client.uploaded_job(content, "../My ‮song\n.wav")
    client.separate(job)
    client.wait_for(job, "done")
    return job


def test_the_mix_over_http(client, job):
    """Both stems of the fake engine are the song, so the mix at half levels is the song."""
    reply = client.get(f"/cgi-bin/mix.py?job={job}&vocals=0.5&music=.5&format=wav")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="My song - mix.wav"')
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    song = read(client.get(f"/downloads/{job}/mixture.wav").body)
    assert (read(reply.body) == song).all()
    assert (read(client.get(f"/cgi-bin/mix.py?job={job}").body) == song).all()
    assert not read(client.get(f"/cgi-bin/mix.py?job={job}&vocals=0&music=0").body).any()
    assert (read(client.get(f"/cgi-bin/mix.py?job={job}&vocals=2&music=0").body) == 2 * song.astype("int64")).all()
    head = client.request("HEAD", f"/cgi-bin/mix.py?job={job}")
    assert (head.status, head.body, int(head.headers["Content-Length"])) == (200, b"", len(reply.body))


@pytest.mark.parametrize("query", ["vocals=2.01", "music=-1", "vocals=nan", "music=%00", "format=wma"])
def test_bad_levels_are_refused(client, job, query):
    reply = client.get_json(f"/cgi-bin/mix.py?job={job}&{query}")
    assert reply.status == 400
    assert json.loads(reply.body)["error"].endswith(".")


def test_unknown_or_unfinished_jobs_have_no_mix(client):
    waiting = client.uploaded_job(wave_files.wav())
    for name in (waiting, "0" * 32, "", "../x"):
        assert client.get(f"/cgi-bin/mix.py?job={name}").status == 404


def test_a_mix_is_sent_completely_while_its_job_is_deleted(client):
    job = done(client, wave_files.wav(b"\x01\x20" * 4_000_000))
    request = f"GET /cgi-bin/mix.py?job={job}&music=0.5 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as visitor:
        visitor.sendall(request.encode())
        received = visitor.recv(4096)
        client.post("/cgi-bin/delete.py", job=job)
        received += b"".join(iter(lambda: visitor.recv(1 << 20), b""))
    assert len(received.partition(b"\r\n\r\n")[2]) == 44 + 8_000_000
