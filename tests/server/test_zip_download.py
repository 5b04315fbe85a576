"""The zip of a job's stems, over HTTP."""

import io
import socket
import zipfile
import zlib

import pytest

from tests.support import fake_engine, wave_files


@pytest.fixture(scope="module")
def client(fake_engine_server):
    fake_engine.configure(fake_engine_server.home)
    return fake_engine_server.client()


def done(client, name: str = "My song.wav", content: bytes | None = None) -> str:
    job = client.uploaded_job(content or wave_files.wav(), name)
    client.separate(job)
    client.wait_for(job, "done")
    return job


def test_the_zip_of_a_job_holds_its_stems(client):
    job = done(client)
    reply = client.get(f"/cgi-bin/zip.py?job={job}")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="My song.zip"')
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["My song - vocals.wav", "My song - music.wav"]
        for stem in client.state(job)["stems"]:
            stored = archive.read(f"My song - {stem['name']}.wav")
            assert stored == client.get(stem["url"]).body
            assert zlib.crc32(stored) == archive.getinfo(f"My song - {stem['name']}.wav").CRC
    head = client.request("HEAD", f"/cgi-bin/zip.py?job={job}")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == reply.headers["Content-Length"]


@pytest.mark.parametrize("name", ["‮../..\\a\nb‏.wav", "x" * 500 + ".wav", "'\"$(touch x);`.wav"])
def test_hostile_song_names_give_safe_zip_entries(client, name):
    reply = client.get(f"/cgi-bin/zip.py?job={done(client, name)}")
    assert reply.headers["Content-Disposition"].isprintable()
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        for inside in archive.namelist():
            assert not set(inside) & set('/\\\n"‮‏')
            assert inside.endswith((" - vocals.wav", " - music.wav"))
            assert len(inside.encode()) < 256


def test_unfinished_or_unknown_jobs_have_no_zip(client):
    job = client.uploaded_job(wave_files.wav())
    for address in (f"job={job}", f"job={'0' * 32}", "job=../x", ""):
        reply = client.get_json(f"/cgi-bin/zip.py?{address}")
        assert (reply.status, set(reply.json())) == (404, {"error"})
    job = done(client)
    client.post("/cgi-bin/delete.py", job=job)
    assert client.get(f"/cgi-bin/zip.py?job={job}").status == 404
    assert client.post("/cgi-bin/zip.py", job=job).status == 405


def test_a_zip_is_sent_completely_while_its_job_is_deleted(client):
    job = done(client, content=wave_files.wav(b"\x01\x20" * 4_000_000))
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as visitor:
        visitor.sendall(
            f"GET /cgi-bin/zip.py?job={job} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        received = visitor.recv(4096)
        assert client.post("/cgi-bin/delete.py", job=job).status == 303
        received += b"".join(iter(lambda: visitor.recv(1 << 20), b""))
    with zipfile.ZipFile(io.BytesIO(received.partition(b"\r\n\r\n")[2])) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 2


def test_slow_readers_of_zips_do_not_block_others(client):
    """Clients use all slots for zips; pages and the next zip are still served."""
    job = done(client, content=wave_files.wav(b"\x01\x20" * 4_000_000))
    request = f"GET /cgi-bin/zip.py?job={job} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    visitors = [socket.create_connection(("127.0.0.1", client.port), timeout=60) for _ in range(8)]
    for visitor in visitors:
        visitor.sendall(request)
    for visitor in visitors:
        assert visitor.recv(12) == b"HTTP/1.1 200"
    assert client.state(job)["state"] == "done"
    for visitor in visitors:
        visitor.close()
    assert client.get(f"/cgi-bin/zip.py?job={job}").status == 200
