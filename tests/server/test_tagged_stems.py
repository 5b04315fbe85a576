"""Stems that are downloaded have their song's tags."""

import io

import pytest
import soundfile

from tests.support import fake_engine
from tests.support.tagged_files import HOSTILE, JPEG, chunk, frame, tag, wave_with


@pytest.fixture
def song(tmp_path):
    """A song with tags."""
    content = tag(frame(b"TIT2", b"\0Song"), frame(b"TPE1", b"\1\xff\xfe" + "Ми".encode("utf-16-le")),
                  frame(b"TALB", b"\0Album"), frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG))  # fmt: skip
    path = tmp_path / "song.wav"
    path.write_bytes(wave_with(chunk(b"id3 ", content)))
    return path


def test_stems_get_the_tags_of_their_song(fake_engine_server, song):
    fake_engine.configure(fake_engine_server.home)
    client = fake_engine_server.client()
    job = client.uploaded_job(song)
    client.separate(job)
    for stem in client.wait_for(job, "done")["stems"]:
        with soundfile.SoundFile(io.BytesIO(client.get(stem["url"]).body)) as file:
            assert (file.title, file.artist) == (f"Song ({stem['name']})", "Ми")
            assert file.frames == 1000
        assert b"TIT2" in client.get(stem["url"]).body


def test_hostile_tags_do_not_stop_a_separation(fake_engine_server):
    client = fake_engine_server.client()
    job = client.uploaded_job(
        wave_with(*[chunk(b"id3 ", content) for content in HOSTILE.values()], b"id3 \xff\xff\xff\xffID3")
    )
    client.separate(job)
    assert client.wait_for(job, "done", "failed")["state"] == "done"
