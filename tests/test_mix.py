"""The mix as a visitor has set it: that its samples are those of the stems at their levels, and of the song at full."""

import io
import json
import socket

import numpy as np
import pytest
import soundfile

from tests import double, waves
from webapp import engines, mix
from webapp.jobs import Job
from webapp.mix import ENCODINGS, Mix, levels
from webapp.refusal import Refusal

RATE = 48000


@pytest.fixture
def separated(tmp_path, monkeypatch):
    """A job that is done, with stems that add up to its song exactly, whatever they hold."""

    def make(subtype="PCM_16", nb_channels=2, nb_samples=mix.SAMPLES_AT_ONCE + 1001) -> Job:
        monkeypatch.setattr("webapp.jobs.UPLOADS", tmp_path / "uploads")
        monkeypatch.setattr("webapp.jobs.DOWNLOADS", tmp_path / "downloads")
        job = Job(id="0" * 32, state="done", name="song.wav", seconds=1.0)
        rng, bits = np.random.default_rng(3), {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(subtype, 16)
        vocals, music = rng.integers(-(2 ** (bits - 2)), 2 ** (bits - 2), (2, nb_samples, nb_channels))
        for path, samples in (
            (job.source, vocals + music),
            (job.stems()["vocals"], vocals),
            (job.stems()["music"], music),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            as_numbers = (samples << 32 - bits).astype(np.int32)
            written = as_numbers if subtype in ENCODINGS and ENCODINGS[subtype][0] == mix.PCM else as_numbers / 2.0**31
            soundfile.write(path, written, RATE, subtype=subtype)
        return job

    return make


def made(job: Job, **levels_: float) -> bytes:
    with Mix(job, {name: levels_.get(name, 1.0) for name in job.stems()}) as mixed:
        content = b"".join(mixed.chunks())
        assert len(content) == mixed.length
    return content


def read(content, dtype="int32") -> np.ndarray:
    return soundfile.read(content if not isinstance(content, bytes) else io.BytesIO(content), dtype=dtype)[0]


@pytest.mark.parametrize("subtype", ENCODINGS)
@pytest.mark.parametrize("nb_channels", [1, 2, 6])
def test_the_mix_is_in_the_songs_rate_depth_and_channels(separated, subtype, nb_channels):
    with soundfile.SoundFile(io.BytesIO(made(separated(subtype, nb_channels), music=0.5))) as file:
        assert (file.samplerate, file.subtype, file.channels) == (RATE, subtype, nb_channels)
        assert file.frames == mix.SAMPLES_AT_ONCE + 1001


@pytest.mark.parametrize("subtype", ENCODINGS)
def test_all_at_full_level_is_the_song_to_the_bit(separated, subtype):
    job = separated(subtype)
    dtype = "int32" if ENCODINGS[subtype][0] == mix.PCM else "float64"
    assert (read(made(job), dtype) == read(job.source, dtype)).all()


@pytest.mark.parametrize("subtype", ENCODINGS)
def test_one_alone_is_its_stem_to_the_bit(separated, subtype):
    job = separated(subtype)
    dtype = "int32" if ENCODINGS[subtype][0] == mix.PCM else "float64"
    for name, other in (("vocals", "music"), ("music", "vocals")):
        assert (read(made(job, **{other: 0.0}), dtype) == read(job.stems()[name], dtype)).all()


def test_levels_are_those_of_the_stems(separated):
    job = separated("PCM_24")
    vocals, music = (read(path, "float64") for path in job.stems().values())
    expected = 0.25 * vocals + 0.8 * music
    assert np.abs(read(made(job, vocals=0.25, music=0.8), "float64") - expected).max() <= 0.5 / 2**23
    assert not read(made(job, vocals=0.0, music=0.0)).any()


def test_what_goes_beyond_full_scale_is_clipped_and_does_not_turn_over(separated):
    job = separated("PCM_16", nb_samples=1000)
    for path in job.stems().values():
        soundfile.write(path, np.full((1000, 2), 0.9), RATE, subtype="PCM_16")
    assert (read(made(job, vocals=0.99), "int16") == 32767).all()


def test_an_encoding_that_stems_do_not_have_becomes_theirs(separated):
    job = separated("ULAW")
    content = made(job)
    assert soundfile.info(io.BytesIO(content)).subtype == "PCM_16"
    assert (read(content) == read(job.source)).all()


def test_a_stem_that_is_shorter_ends_in_silence(separated):
    job = separated()
    soundfile.write(job.stems()["vocals"], read(job.stems()["vocals"])[:100], RATE, subtype="PCM_16")
    mixed = read(made(job, vocals=0.5))
    assert (mixed[100:] == read(job.stems()["music"])[100:]).all()


def test_the_memory_that_it_takes_does_not_grow_with_the_song(separated):
    with Mix(separated(), {"vocals": 0.5, "music": 1.0}) as mixed:
        assert max(map(len, mixed.chunks())) <= mix.SAMPLES_AT_ONCE * 4


@pytest.mark.parametrize("nb_bytes", [0xFFFFFF00, 5 << 30, 5 << 30 | 1])
def test_beyond_4_gb_the_header_is_that_of_rf64(tmp_path, nb_bytes):
    path = tmp_path / "long.wav"
    header = mix._header((mix.PCM, 1, 8000, 1), nb_bytes)
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(len(header) + nb_bytes + nb_bytes % 2)
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64" if nb_bytes > 4 << 30 else "WAV", nb_bytes)


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", "inf", "0,5", "loud", "1e9", "--", "0x1", "1 1"])
def test_what_is_no_level_is_told_in_a_sentence(separated, text):
    with pytest.raises(Refusal, match="The level of vocals is not a number from 0 to 1") as refused:
        levels(separated(nb_samples=10), lambda name: {"vocals": text}.get(name, ""))
    assert refused.value.status == 400


# Over HTTP


@pytest.fixture(scope="module")
def client(quick_server):
    double.order(quick_server.home)
    return quick_server.client()


@pytest.fixture(scope="module")
def job(client) -> str:
    return done(client, waves.written(nb_samples=50000, subtype="PCM_24"))


def done(client, content: bytes) -> str:
    job = client.uploaded_job(content, "../My ‮song\n.wav")
    client.separate(job)
    client.wait_for(job, "done")
    return job


def test_the_mix_over_http(client, job):
    """The double's stems are the song twice over: what is heard at half and half is the song."""
    reply = client.get(f"/cgi-bin/mix.py?job={job}&vocals=0.5&music=.5&format=wav")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "audio/wav"
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="My song - mix.wav"')
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    song = read(client.get(f"/downloads/{job}/mixture.wav").body)
    assert (read(reply.body) == song).all()
    assert (read(client.get(f"/cgi-bin/mix.py?job={job}").body) == song).all()
    assert not read(client.get(f"/cgi-bin/mix.py?job={job}&vocals=0&music=0").body).any()
    head = client.request("HEAD", f"/cgi-bin/mix.py?job={job}")
    assert (head.status, head.body, int(head.headers["Content-Length"])) == (200, b"", len(reply.body))


@pytest.mark.parametrize("query", ["vocals=2", "music=-1", "vocals=nan", "music=%00", "format=mp3"])
def test_bad_levels_are_refused(client, job, query):
    reply = client.get_json(f"/cgi-bin/mix.py?job={job}&{query}")
    assert reply.status == 400
    assert json.loads(reply.body)["error"].endswith(".")


def test_there_is_no_mix_of_what_is_not_there(client):
    waiting = client.uploaded_job(waves.wave())
    for name in (waiting, "0" * 32, "", "../x"):
        assert client.get(f"/cgi-bin/mix.py?job={name}").status == 404


def test_a_job_that_is_deleted_while_its_mix_is_sent_is_sent_whole(client):
    job = done(client, waves.wave(b"\x01\x20" * 4_000_000))
    request = f"GET /cgi-bin/mix.py?job={job}&music=0.5 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as visitor:
        visitor.sendall(request.encode())
        received = visitor.recv(4096)
        client.post("/cgi-bin/delete.py", job=job)
        received += b"".join(iter(lambda: visitor.recv(1 << 20), b""))
    assert len(received.partition(b"\r\n\r\n")[2]) == 44 + 8_000_000


def test_the_engine_of_these_tests_has_the_two_stems_that_they_name():
    assert list(engines.get("openunmix").stems["2"].files) == ["vocals", "music"]
