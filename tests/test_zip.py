"""The zip of a job's stems: that every program reads it, that it is as long as it said, and whose it is."""

import io
import shutil
import socket
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from tests import double, waves
from webapp import names, zips
from webapp.jobs import Job
from webapp.refusal import Refusal
from webapp.zips import Zip

GIB = 1 << 30


@pytest.fixture(scope="module")
def client(quick_server):
    double.order(quick_server.home)
    return quick_server.client()


def done(client, name: str = "My song.wav", content: bytes | None = None) -> str:
    job = client.uploaded_job(content or waves.wave(), name)
    client.separate(job)
    client.wait_for(job, "done")
    return job


def job_called(name: str) -> Job:
    return Job(id="0" * 32, state="done", name=name, seconds=1)


# The format


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """A few files: an empty one, a small one, and one of several chunks."""
    contents = {"empty.wav": b"", "歌 - vocals.wav": b"abc", "long.wav": bytes(range(256)) * (zips.CHUNK_BYTES // 100)}
    for number, content in enumerate(contents.values()):
        (tmp_path / str(number)).write_bytes(content)
    return {name: tmp_path / str(number) for number, name in enumerate(contents)}


def zipped(files: dict[str, Path]) -> bytes:
    with Zip(files) as made:
        content = b"".join(made.chunks())
        assert len(content) == made.length
    return content


def test_python_reads_it(files):
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(files)
        for name, path in files.items():
            assert archive.read(name) == path.read_bytes()


@pytest.mark.parametrize("program", [["unzip", "-q"], ["bsdtar", "-xf"], ["7z", "x"]], ids=lambda words: words[0])
def test_other_programs_read_it(files, tmp_path, program):
    if not shutil.which(program[0]):
        pytest.skip(f"{program[0]} is not installed")
    (tmp_path / "a.zip").write_bytes(zipped(files))
    (tmp_path / "out").mkdir()
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    subprocess.run([*program, tmp_path / "a.zip"], cwd=tmp_path / "out", env=environment, check=True, timeout=60)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        name: path.read_bytes() for name, path in files.items()
    }


@pytest.mark.parametrize("sizes", [(5 * GIB, 1000), (0xFFFFFFFE, 10), (0xFFFFFFFF, 10), (3 * GIB, 3 * GIB, 7)])
def test_beyond_4_gb_it_is_zip64(tmp_path, monkeypatch, sizes):
    """Files with holes, so that no disk fills; what is long is not read, its place in the zip is a hole too."""
    read = zips._content
    monkeypatch.setattr(zips, "_content", lambda entry: [entry.size] if entry.size > GIB else read(entry))
    files = {}
    for number, size in enumerate(sizes):
        files[f"{number}.wav"] = tmp_path / str(number)
        with files[f"{number}.wav"].open("wb") as file:
            file.truncate(size)
    path = tmp_path / "large.zip"
    with Zip(files) as made, path.open("wb") as file:
        for chunk in made.chunks():
            file.seek(chunk, 1) if isinstance(chunk, int) else file.write(chunk)
        assert file.tell() == made.length
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, info.file_size) for info in archive.infolist()] == list(zip(files, sizes, strict=True))
        last = archive.infolist()[-1]
        assert (last.header_offset > 4 * GIB) == (sum(sizes[:-1]) > 4 * GIB - 100)
        with archive.open(last) as content:
            assert content.read() == bytes(sizes[-1])


def test_a_file_that_shrinks_ends_the_zip_rather_than_lie(files):
    with Zip(files) as made:
        files["long.wav"].write_bytes(b"short")
        with pytest.raises(EOFError):
            list(made.chunks())


def test_what_is_deleted_meanwhile_is_sent_all_the_same(files):
    with Zip(files) as made:
        for path in files.values():
            path.unlink()
        with zipfile.ZipFile(io.BytesIO(b"".join(made.chunks()))) as archive:
            assert archive.testzip() is None
    with pytest.raises(Refusal):
        Zip(files)


# Names


@pytest.mark.parametrize(
    ("name", "song"),
    [
        ("My song.wav", "My song"),
        ("no ending", "no ending"),
        ("a.b.c.wav", "a.b.c"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.wav", "evil"),
        ("..", "song"),
        (".wav", "wav"),
        ("...", "song"),
        ("  . .wav", "song"),
        ("", "song"),
        ('a"b<c>d:e|f?g*h.wav', "a_b_c_d_e_f_g_h"),
        ("line\nbreak\r\0.wav", "line_break"),
        ("‮gnos‏.wav", "gnos"),
        ("Пісня 歌 🎵.wav", "Пісня 歌 🎵"),
        ("lone \udcff.wav", "lone"),
        ("é" * 300 + ".wav", "é" * 90),
    ],
)
def test_a_song_is_called_so_that_every_system_can_store_it(name, song):
    assert names.song(job_called(name)) == song
    assert names.stem(job_called(name), "vocals", ".flac") == f"{song} - vocals.flac"


# Over HTTP


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
def test_names_from_outside_stay_names(client, name):
    reply = client.get(f"/cgi-bin/zip.py?job={done(client, name)}")
    assert reply.headers["Content-Disposition"].isprintable()
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        for inside in archive.namelist():
            assert not set(inside) & set('/\\\n"‮‏')
            assert inside.endswith((" - vocals.wav", " - music.wav"))
            assert len(inside.encode()) < 256


def test_what_is_not_ready_or_not_there_has_no_zip(client):
    job = client.uploaded_job(waves.wave())
    for address in (f"job={job}", f"job={'0' * 32}", "job=../x", ""):
        reply = client.get_json(f"/cgi-bin/zip.py?{address}")
        assert (reply.status, set(reply.json())) == (404, {"error"})
    job = done(client)
    client.post("/cgi-bin/delete.py", job=job)
    assert client.get(f"/cgi-bin/zip.py?job={job}").status == 404
    assert client.post("/cgi-bin/zip.py", job=job).status == 405


def test_a_job_that_is_deleted_while_its_zip_is_sent_is_sent_whole(client):
    job = done(client, content=waves.wave(b"\x01\x20" * 4_000_000))
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


def test_a_visitor_who_reads_slowly_keeps_nobody_out(client):
    """As many as may, and as many again: the pages are still there."""
    job = done(client, content=waves.wave(b"\x01\x20" * 4_000_000))
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
