"""Waveforms and spectrograms of a job's files, and the mixture for the player, over HTTP."""

import pytest

from tests.support import fake_engine, processes, wave_files
from tests.support.waiting import wait_until
from webapp.audio.pictures import NB_BANDS, NB_COLUMNS, NB_PEAKS, draw

NAMES = ("mixture", "vocals", "music")
SIZES = {"peaks": 2 * NB_PEAKS, "spectrogram": NB_COLUMNS * NB_BANDS}


@pytest.fixture
def quick(fake_engine_home, start_server):
    return start_server()


def done(client) -> str:
    job = client.uploaded_job(wave_files.wav(b"\x01\x20" * 40000), "My song.wav")
    client.separate(job)
    client.wait_for(job, "done")
    return job


def addresses(job: str) -> dict[str, int]:
    return {f"/downloads/{job}/{name}.{kind}": size for name in NAMES for kind, size in SIZES.items()}


def wait_for_pictures(client, job: str) -> None:
    wait_until(
        lambda: all(client.get(path).status == 200 for path in addresses(job)), 240, "the pictures are not drawn", 0.1
    )


def test_pictures_are_drawn_after_the_separation(quick):
    client = quick.client()
    job = done(client)
    wait_for_pictures(client, job)
    for path, size in addresses(job).items():
        reply = client.get(path)
        assert len(reply.body) == size
        assert reply.headers["Content-Type"] == "application/octet-stream"
        assert client.get(path, If_None_Match=reply.headers["ETag"]).status == 304
    assert client.get(f"/downloads/{job}/drums.peaks").status == 404
    assert client.get(f"/downloads/{'0' * 32}/mixture.peaks").status == 404
    expected, _ = draw(quick.home / "uploads" / job / "song.wav")
    assert client.get(f"/downloads/{job}/mixture.peaks").body == expected.tobytes()


def test_deleting_a_job_ends_the_drawing_of_its_pictures(quick):
    client = quick.client()
    job = done(client)
    pid = processes.pause_next(quick.home, f"webapp.worker.pictures {job}")
    assert client.get(f"/downloads/{job}/mixture.peaks").status == 204
    client.post("/cgi-bin/delete.py", json_wanted=True, job=job)
    processes.wait_until_ended(quick.home, pid)
    assert not (quick.home / "downloads" / job).exists()


def test_pictures_are_drawn_again_after_a_crash(quick, start_server):
    client = quick.client()
    job = done(client)
    processes.pause_next(quick.home, f"webapp.worker.pictures {job}")
    (quick.home / "downloads" / job / ".vocals.peaks.part").write_bytes(b"half")
    quick.kill()
    processes.wait_until_gone(quick.home)
    wait_for_pictures(start_server().client(), job)
    assert list((quick.home / "downloads" / job).glob(".*.part")) == []


def test_the_next_separation_does_not_wait_for_pictures(quick):
    client = quick.client()
    first = done(client)
    processes.pause_next(quick.home, f"webapp.worker.pictures {first}")
    done(client)
    assert processes.find(quick.home, f"webapp.worker.pictures {first}")


@pytest.fixture(scope="module")
def song_bytes() -> bytes:
    return wave_files.wav(b"\x01\x20" * 40000)


def test_the_mixture_is_the_upload_byte_for_byte_with_ranges(fake_engine_server, song_bytes):
    client = fake_engine_server.client()
    fake_engine.configure(fake_engine_server.home)
    job = client.uploaded_job(song_bytes, "../a‮b.wav")
    path = f"/downloads/{job}/mixture.wav"
    whole = client.get(path)
    assert (whole.status, whole.body) == (200, song_bytes)
    assert whole.headers["Content-Type"] == "audio/wav"
    assert whole.headers["Content-Disposition"] == "inline"
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = client.get(path, Range="bytes=44-99")
    assert (part.status, part.body) == (206, song_bytes[44:100])
    assert part.headers["Content-Range"] == f"bytes 44-99/{len(song_bytes)}"
    head = client.request("HEAD", path)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(song_bytes)))
    client.post("/cgi-bin/delete.py", json_wanted=True, job=job)
    assert client.get(path).status == 404


@pytest.mark.parametrize("guess", ["0" * 32, "F" * 32, "..", "%2e%2e"])
def test_guessed_ids_serve_no_mixture(fake_engine_server, guess):
    assert fake_engine_server.client().get(f"/downloads/{guess}/mixture.wav").status == 404
