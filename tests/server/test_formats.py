"""Recordings of all formats, sent to the real server: accepted, refused with a sentence, decoded, tagged."""

import io
import shutil

import numpy as np
import pytest
import soundfile

from audiofiles import metadata
from tests.support import fake_engine, recordings
from tests.support.client import Client
from tests.support.recordings import FORMATS, decoded_by_ffmpeg, needs_ffmpeg, peak_difference

pytestmark = needs_ffmpeg
ROUNDING = 2.0**-20  # to 24 bits, and of floating point in two versions of FFmpeg
DEFAULT = "ac3.wav", "alac.m4a", "song.flac", "song.mkv", "song.opus", "song.wma", "xing.mp3"


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    return recordings.song(tmp_path_factory.mktemp("recordings") / "song.wav")


@pytest.fixture
def quick(fake_engine_server) -> Client:
    """A client of a server whose engine copies the song to each stem."""
    fake_engine.configure(fake_engine_server.home)
    return fake_engine_server.client()


def separated(client: Client, path, name: str = "") -> dict:
    """The JSON of a job that is done."""
    job = client.uploaded_job(path, name or path.name)
    client.separate(job)
    state = client.wait_for(job, "done", "failed")
    assert state["state"] == "done", state
    return state


def samples(content: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]


def test_there_are_tests_of_other_formats():
    assert set(DEFAULT) <= set(FORMATS)


@pytest.mark.parametrize("name", DEFAULT)
def test_the_engine_and_the_player_get_the_decoded_recording(quick, wav, name):
    path = recordings.make(name, wav)
    state = separated(quick, path)
    expected = decoded_by_ffmpeg(path)
    for url in (f"/downloads/{state['job']}/mixture.wav", state["stems"][0]["url"]):
        assert peak_difference(samples(quick.get(url).body), expected) <= ROUNDING
    rate = 48000 if "opus" in name else recordings.RATE
    assert state["seconds"] == round(len(expected) / rate, 3)
    assert state["name"] == name


def test_a_video_under_the_name_of_a_sound_file_is_decoded(quick, wav):
    state = separated(quick, recordings.make("song.mp4", wav), "song.wav")
    assert samples(quick.get(state["stems"][0]["url"]).body).any()


def test_the_stems_of_an_mp3_add_up_to_its_decoded_sound(client, wav):
    path = recordings.make("xing.mp3", wav)
    state = separated(client, path)
    vocals, music = (
        soundfile.read(io.BytesIO(client.get(stem["url"]).body), dtype="int32")[0].astype(np.int64)
        for stem in state["stems"]
    )
    mixture = client.get(f"/downloads/{state['job']}/mixture.wav").body
    np.testing.assert_array_equal(vocals + music, soundfile.read(io.BytesIO(mixture), dtype="int32")[0])
    assert peak_difference(samples(mixture), decoded_by_ffmpeg(path)) <= ROUNDING


def test_of_several_audio_tracks_the_first_is_taken_and_the_page_says_so(quick, wav, tmp_path):
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros((recordings.NB_SAMPLES, 2)), recordings.RATE)
    path = tmp_path / "two.mkv"
    recordings.run("ffmpeg", "-i", wav, "-i", silence, "-map", "0", "-map", "1", "-c:a", "flac", path)
    state = separated(quick, path)
    assert "2 audio tracks" in state["note"]
    assert "2 audio tracks" in quick.get(f"/cgi-bin/download.py?job={state['job']}").text
    assert peak_difference(samples(quick.get(state["stems"][0]["url"]).body), decoded_by_ffmpeg(wav)) == 0


@pytest.mark.parametrize("name", ["xing.mp3", "song.m4a", "song.flac"])
def test_tags_and_cover_continue_into_the_stems(quick, wav, tmp_path, name):
    cover = tmp_path / "cover.jpg"
    recordings.run("ffmpeg", "-f", "lavfi", "-i", "testsrc=size=320x320", "-frames:v", "1", cover)
    plain = recordings.make(name, wav)
    path = tmp_path / name
    texts = {"title": "Пісня", "artist": "Ми", "album": "Альбом", "date": "2024-05-01", "lyrics": "Ла-ла " * 1000}
    tags = [argument for name, text in texts.items() for argument in ("-metadata", f"{name}={text.strip()}")]
    inputs = ("-i", plain, "-i", cover, "-map", "0:a", "-map", "1:v")
    recordings.run("ffmpeg", *inputs, "-c", "copy", "-disposition:v", "attached_pic", *tags, path)
    state = separated(quick, path)
    stem = tmp_path / "stem.wav"
    stem.write_bytes(quick.get(state["stems"][0]["url"]).body)
    found = metadata.read(stem).tags
    texts |= {"title": "Пісня (vocals)"}
    assert {key: found.texts[key.upper()] for key in texts} == {key: [text.strip()] for key, text in texts.items()}
    assert found.cover == cover.read_bytes()


def test_a_cover_of_10_megabytes_is_kept(quick, wav, tmp_path):
    rng = np.random.default_rng(1)
    cover = tmp_path / "cover.png"
    raw = tmp_path / "noise.rgb"
    raw.write_bytes(rng.bytes(1900 * 1900 * 3))
    recordings.run("ffmpeg", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "1900x1900", "-i", raw, cover)
    assert cover.stat().st_size > 10_000_000
    path = tmp_path / "song.m4a"
    inputs = ("-i", recordings.make("song.m4a", wav), "-i", cover, "-map", "0:a", "-map", "1:v")
    recordings.run("ffmpeg", *inputs, "-c", "copy", "-disposition:v", "attached_pic", path)
    state = separated(quick, path)
    assert cover.read_bytes() in quick.get(state["stems"][0]["url"]).body


def refusal(client: Client, content, name: str = "song.mp3") -> tuple[int, str]:
    reply = client.upload(content, name, json_wanted=True)
    return reply.status, reply.json()["error"]


def test_recordings_that_cannot_be_decoded_are_refused_with_a_sentence(quick, wav, tmp_path):
    movie = recordings.make("song.m4a", wav).read_bytes()
    silent = tmp_path / "silent.mp4"
    recordings.run("ffmpeg", "-f", "lavfi", "-i", "testsrc=size=64x48:duration=1", "-c:v", "mpeg4", silent)
    raw_aac = tmp_path / "raw.wav"
    recordings.run("ffmpeg", "-i", wav, "-c:a", "aac", raw_aac)
    tta = tmp_path / "song.mkv"
    recordings.run("ffmpeg", "-i", wav, "-c:a", "tta", tta)
    assert refusal(quick, movie.replace(b"mp4a", b"drms", 1)) == (
        400,
        "This file is protected against copying (DRM), so that it cannot be decoded.",
    )
    assert refusal(quick, silent) == (400, "This file has no audio track.")
    assert refusal(quick, tta) == (400, "The sound in this file is encoded as tta, which cannot be decoded here.")
    assert refusal(quick, raw_aac) == (400, "This file is damaged: no sound in it can be decoded.")
    assert refusal(quick, movie[: len(movie) // 2]) == (400, "This file is damaged: no sound in it can be decoded.")
    assert "cannot be read as a sound file" in refusal(quick, b"#EXTM3U\nhttp://localhost/x.ts\n")[1]


def test_a_recording_that_states_a_week_is_refused(quick, tmp_path):
    path = tmp_path / "week.flac"
    recordings.run("ffmpeg", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=1", path)
    content = bytearray(path.read_bytes())
    week = 7 * 24 * 3600 * 8000
    content[21:26] = bytes([content[21] & 0xF0 | week >> 32]) + (week & 0xFFFFFFFF).to_bytes(4, "big")
    assert refusal(quick, bytes(content), "week.flac")[0] == 413


def test_a_song_can_be_separated_again_before_and_after_it_is_decoded(quick, wav):
    path = recordings.make("song.opus", wav)
    job = quick.uploaded_job(path, path.name)
    jobs = [job]
    for _ in range(2):
        reply = quick.post("/cgi-bin/again.py", json_wanted=True, job=job, model="starter")
        jobs.append(reply.json()["job"])
        quick.separate(job)
        for each in jobs:
            assert quick.wait_for(each, "done", "failed")["state"] == "done"
    lengths = {len(quick.get(f"/downloads/{each}/mixture.wav").body) for each in jobs}
    assert len(lengths) == 1


def test_a_crash_of_the_decoder_fails_one_job(home, start_server, wav):
    """The server and the worker go on, and the sentence says what happened."""
    fake_engine.install(home)
    decoder = home / "openunmix_models" / "decode.py"
    shutil.copy(decoder, home / "whole.py")
    decoder.write_text("import os\nos.abort()\n")
    client = start_server().client()
    path = recordings.make("song.ogg", wav)
    job = client.uploaded_job(path, path.name)
    client.separate(job)
    state = client.wait_for(job, "done", "failed")
    assert state["error"].startswith("This file could not be decoded")
    shutil.copy(home / "whole.py", decoder)
    client.separate(job)
    assert client.wait_for(job, "done", "failed")["state"] == "done"


def test_a_probe_that_hangs_costs_one_upload(home, start_server, wav):
    fake_engine.install(home)
    (home / "openunmix_models" / "probe.py").write_text("while True: pass\n")
    client = start_server(probe_seconds=1.0).client()
    assert refusal(client, recordings.make("song.ogg", wav)) == (
        400,
        "This file is damaged: no sound in it can be decoded.",
    )
    assert client.uploaded_job(wav)
