"""Downloads in other formats and sample rates than that of the stems on the disk, over HTTP."""

import io
import os
import re
import signal
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import fake_engine, wave_files
from tests.support.decoding import NEEDS_FFMPEG, decoded, offset, probed, snr
from tests.support.tagged_files import chunk, frame, tag, wave_with
from tests.support.waiting import wait_until

TYPES = {
    "flac": ("audio/flac", ".flac"),
    "mp3": ("audio/mpeg", ".mp3"),
    "mp3-320": ("audio/mpeg", ".mp3"),
    "opus": ("audio/ogg", ".opus"),
    "m4a": ("audio/mp4", ".m4a"),
}


@pytest.fixture(scope="module")
def server(fake_engine_server):
    fake_engine.configure(fake_engine_server.home)
    return fake_engine_server


@pytest.fixture(scope="module")
def client(server):
    return server.client()


@pytest.fixture(scope="module")
def job(client, song) -> str:
    return done(client, song(1.5))


def done(client, content: bytes | Path, **choice: str) -> str:
    job = client.uploaded_job(content, "My song.wav")
    client.post("/cgi-bin/separate.py", json_wanted=True, job=job, model="starter", **choice)
    assert client.wait_for(job, "done", "failed")["state"] == "done"
    return job


def downloaded(client, path: str, folder: Path) -> Path:
    reply = client.get(path)
    assert reply.status == 200, reply.text
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    (folder / "made").write_bytes(reply.body)
    return folder / "made"


@NEEDS_FFMPEG
@pytest.mark.parametrize("name", TYPES)
def test_a_stem_the_mix_and_the_zip_in_a_format(client, job, tmp_path, name):
    """All stems of the fake engine are the song, and so is the mix."""
    song = soundfile.read(io.BytesIO(client.get(f"/downloads/{job}/vocals.wav").body))[0]
    zip_path = downloaded(client, f"/cgi-bin/zip.py?job={job}&format={name}", tmp_path)
    content_type, extension = TYPES[name]
    with zipfile.ZipFile(zip_path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"My song - {stem}{extension}" for stem in ("vocals", "music")]
        made = [Path(archive.extract(entry, tmp_path)) for entry in archive.namelist()]
    for path in (f"/downloads/{job}/music.wav?", f"/cgi-bin/mix.py?job={job}&"):
        reply = client.get(f"{path}format={name}")
        assert (reply.status, reply.headers["Content-Type"]) == (200, content_type)
        assert re.match(f'attachment; filename="My song - m(usic|ix){extension}"', reply.headers["Content-Disposition"])
        made.append(tmp_path / f"{len(made)}{extension}")
        made[-1].write_bytes(reply.body)
    expected = song
    if name == "opus":
        wav = downloaded(client, f"/downloads/{job}/vocals.wav?rate=48000", tmp_path)
        expected = soundfile.read(wav)[0]
    for path in made:
        samples = decoded(path, 2)
        assert len(samples) == len(expected)
        assert offset(expected, samples) == 0
        assert snr(expected, samples) > (200 if name == "flac" else 15)


def test_head_requests_say_the_length(client, job):
    path = f"/downloads/{job}/vocals.wav?format=flac"
    head = client.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(client.get(path).body)


@pytest.mark.parametrize("path", ["/downloads/{job}/vocals.wav?rate=48000", "/cgi-bin/mix.py?job={job}&rate=48000"])
def test_wav_at_another_rate_keeps_its_depth(client, tmp_path, path):
    job = done(client, wave_files.encoded(nb_samples=44100, subtype="PCM_24"))
    info = soundfile.info(downloaded(client, path.format(job=job), tmp_path))
    assert (info.samplerate, info.subtype, info.frames) == (48000, "PCM_24", 48000)


def test_the_default_is_the_file_on_the_disk(client, job):
    plain = client.get(f"/downloads/{job}/vocals.wav")
    for query in ("", "?format=wav", "?format=wav&rate="):
        reply = client.get(f"/downloads/{job}/vocals.wav{query}", Range="bytes=0-99")
        assert (reply.status, reply.body) == (206, plain.body[:100])


# Jobs that were sent with format=flac


@NEEDS_FFMPEG
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_job_sent_with_flac_yields_flac(client, server, song, tmp_path, subtype):
    path = song(1.0, name=f"{subtype}.wav", subtype=subtype)
    job = done(client, path, format="flac")
    told = client.state(job)
    assert told["format"] == "flac"
    assert [stem["url"] for stem in told["stems"]] == [f"/downloads/{job}/{name}.flac" for name in ("vocals", "music")]
    stem = downloaded(client, told["stems"][0]["url"], tmp_path)
    assert (soundfile.info(stem).format, soundfile.info(stem).subtype) == ("FLAC", subtype)
    assert (soundfile.read(stem, dtype="int32")[0] == soundfile.read(path, dtype="int32")[0]).all()
    with zipfile.ZipFile(downloaded(client, f"/cgi-bin/zip.py?job={job}", tmp_path)) as archive:
        assert all(name.endswith(".flac") for name in archive.namelist())
    with zipfile.ZipFile(downloaded(client, f"/cgi-bin/zip.py?job={job}&format=wav", tmp_path)) as archive:
        assert all(name.endswith(".wav") for name in archive.namelist())
    assert list((server.home / "downloads" / job).rglob("*.flac")) == []
    assert f"/downloads/{job}/vocals.wav?format=flac" in client.get(f"/cgi-bin/download.py?job={job}").text


def test_stems_cannot_be_sent_for_as_anything_else(client):
    reply = client.post(
        "/cgi-bin/separate.py", json_wanted=True, job=client.uploaded_job(wave_files.SONG), format="mp3"
    )
    assert (reply.status, "WAV or FLAC" in reply.json()["error"]) == (400, True)


# What a format cannot hold, and what is made quieter


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("format=mp3", "MP3 can hold at most 2 channels, and this song has 3."),
        ("format=wma", "A song can be downloaded as: wav, flac, mp3, mp3-320, opus, m4a."),
        ("rate=96000", "The sample rate of a download can be 44100 / 48000 Hz."),
        ("format=opus&rate=44100", "Opus cannot hold a sample rate of 44100 Hz. Please choose 48000 Hz."),
        ("format=", ""),
    ],
)
def test_impossible_choices_get_a_sentence(client, song_of_three_channels, query, sentence):
    job = song_of_three_channels
    for path in (f"/downloads/{job}/vocals.wav?", f"/cgi-bin/zip.py?job={job}&", f"/cgi-bin/mix.py?job={job}&"):
        reply = client.get_json(path + query)
        assert reply.status == (400 if sentence else 200)
        assert not sentence or reply.json()["error"] == sentence
    if sentence:
        assert client.get_json(f"/cgi-bin/download.py?job={job}&{query}").json()["error"] == sentence


@pytest.fixture(scope="module")
def song_of_three_channels(client) -> str:
    return done(client, wave_files.encoded(48000, nb_channels=3, nb_samples=30000))


@NEEDS_FFMPEG
@pytest.mark.parametrize("name", ["flac", "opus", "m4a"])
def test_three_channels_are_kept(client, song_of_three_channels, tmp_path, name):
    made = downloaded(client, f"/downloads/{song_of_three_channels}/vocals.wav?format={name}", tmp_path)
    assert decoded(made, 3).shape == (30000, 3)
    assert "channel_layout=3.0" in probed(made, "stream=channel_layout")


def test_the_page_disables_formats_and_says_why(client, song_of_three_channels):
    page = client.get(f"/cgi-bin/download.py?job={song_of_three_channels}").text
    option = re.search(r'<option value="mp3" [^>]*disabled>([^<]*)', page)
    assert option
    assert "MP3 can hold at most 2 channels, and this song has 3." in option[1]
    assert re.search(r'<option value="flac" (?![^>]*disabled)', page)


def test_192_khz_can_be_exported_at_48_khz(client, tmp_path):
    job = done(client, wave_files.encoded(192000, nb_samples=96000, subtype="PCM_24"))
    reply = client.get_json(f"/downloads/{job}/vocals.wav?format=mp3")
    assert (reply.status, "Please choose 44100 / 48000 Hz." in reply.json()["error"]) == (400, True)
    made = downloaded(client, f"/downloads/{job}/vocals.wav?format=flac&rate=48000", tmp_path)
    info = soundfile.info(made)
    assert (info.samplerate, info.frames, info.subtype) == (48000, 24000, "PCM_24")


def test_floats_above_full_scale_are_quieter_and_the_page_says_so(client, tmp_path):
    samples = np.full((4000, 2), 2.0) * np.sin(np.arange(4000) / 9)[:, np.newaxis]
    soundfile.write(tmp_path / "loud.wav", samples, 44100, subtype="FLOAT")
    job = done(client, tmp_path / "loud.wav")
    made = downloaded(client, f"/downloads/{job}/vocals.wav?format=flac", tmp_path)
    np.testing.assert_allclose(soundfile.read(made)[0], samples * 10 ** (-6.03 / 20), atol=1e-6)
    assert b"6.03 dB quieter" in made.read_bytes()
    page = client.get(f"/cgi-bin/download.py?job={job}").text
    assert "all stems are 6.03 dB quieter" in page
    assert "6.03 дБ" in client.get(f"/cgi-bin/download.py?job={job}", Accept_Language="uk").text


def test_a_mix_above_full_scale_is_quieter_and_not_clipped(client, tmp_path):
    """Both stems are the song, which is nearly at full scale."""
    samples = 0.9 * np.sin(np.arange(4000) / 9)[:, np.newaxis]
    soundfile.write(tmp_path / "loud.wav", samples, 44100, subtype="PCM_16")
    job = done(client, tmp_path / "loud.wav")
    made = downloaded(client, f"/cgi-bin/mix.py?job={job}&vocals=1&music=0.99", tmp_path)
    found = soundfile.read(made)[0]
    gain = found.max() / samples.max()
    assert 0.98 < found.max() <= 1
    np.testing.assert_allclose(found, gain * samples[:, 0], atol=1e-4)
    assert b"dB quieter" in made.read_bytes()


# Tags


@NEEDS_FFMPEG
@pytest.mark.parametrize("name", TYPES)
def test_the_songs_tags_go_on(client, tmp_path, name):
    content = wave_with(chunk(b"id3 ", tag(frame(b"TIT2", b"\0Song"), frame(b"TPE1", b"\3Me"))), data=bytes(40000))
    job = done(client, content)
    for path, title in (
        (f"/downloads/{job}/music.wav?", "Song (music)"),
        (f"/cgi-bin/mix.py?job={job}&", "Song (mix)"),
    ):
        made = downloaded(client, f"{path.format(job=job)}format={name}", tmp_path)
        found = probed(made, "format_tags:stream_tags").lower()
        assert f"title={title.lower()}" in found
        assert "artist=me" in found


# Interruptions and limits


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the script's process in /proc")
def test_an_interrupted_export_leaves_nothing(client, server):
    job = done(client, wave_files.wav(np.random.default_rng(0).bytes(20_000_000)))
    folder = server.home / "downloads" / job
    wait_until(lambda: len(list(folder.glob("*.spectrogram"))) == 3, seconds=120, message="no pictures")
    before = sorted(folder.rglob("*"))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.get, f"/downloads/{job}/vocals.wav?format=m4a")
        wait_until(lambda: scripts(server.home), message="the script does not start")
        time.sleep(1)
        assert sorted(folder.rglob("*")) == before
        for pid in scripts(server.home):
            os.kill(pid, signal.SIGKILL)
        assert waiting.result().status == 500
    assert sorted(folder.rglob("*")) == before


def scripts(home: Path) -> list[int]:
    """The processes of stem.py."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(home / "cgi-bin" / "stem.py").encode() in words:
            found.append(int(path.parent.name))
    return found


def test_unknown_stems_and_jobs_are_not_found(client, job):
    waiting = client.uploaded_job(wave_files.SONG)
    for path in (f"{job}/drums.wav", f"{waiting}/vocals.wav", f"{'0' * 32}/vocals.wav", f"{job}/vocals.mp3"):
        assert client.get(f"/downloads/{path}?format=flac").status == 404, path
    assert client.get(f"/cgi-bin/stem.py?job={job}&stem=vocals&format=flac").status == 404
