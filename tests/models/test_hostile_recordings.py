"""Hostile recordings: nothing that a file refers to is opened, and no file takes more than its limits.

Each attempt is a file that FFmpeg's own program follows, or that would keep a decoder busy.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from openunmix_models import containers
from openunmix_models.decode import TooLongError, decode
from openunmix_models.encoded import CodecError, EncodedAudio, NoSoundError, ProtectedError
from openunmix_models.errors import InputError
from openunmix_models.probe import probe
from tests.support import recordings
from tests.support.project import PROJECT
from tests.support.recordings import needs_ffmpeg

PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
    "m3u": b"{url}\n",
    "pls": b"[playlist]\nFile1={url}\n",
    "concat": b"ffconcat version 1.0\nfile {url}\n",
    "concat of a local file": b"ffconcat version 1.0\nfile {path}\n",
    "dash": b"<?xml version='1.0'?><MPD><Period><AdaptationSet><Representation><BaseURL>{url}</BaseURL>"
    b"</Representation></AdaptationSet></Period></MPD>",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    "asx": b"<asx version='3.0'><entry><ref href='{url}'/></entry></asx>",
    "smil": b"<smil><body><audio src='{url}'/></body></smil>",
    "image sequence": b"img%03d.png",
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\n{url}\n",
    "metadata": b";FFMETADATA1\ntitle={url}\n",
    "svg": b"<svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='{url}'/></svg>",
}
DISGUISES = {"none": b"", "ID3": b"ID3\4\0\0\0\0\0\0", "zeros": bytes(100), "a WAV head": b"RIFF\xff\0\0\0WAVE"}


@pytest.fixture
def listener():
    """A server that notes each connection."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                seen.append(connection.recv(100))
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], seen


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_and_manifests_are_refused_and_open_nothing(tmp_path, listener, kind, disguise):
    port, seen = listener
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(b"\xff\xfb\x90\x64" + bytes(1000))
    values = {b"{url}": f"http://127.0.0.1:{port}/x.mp3", b"{path}": str(secret), b"{port}": str(port)}
    content = DISGUISES[disguise] + PLAYLISTS[kind]
    for blank, value in values.items():
        content = content.replace(blank, value.encode())
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    with pytest.raises(InputError):
        probe(path)
    assert seen == []


def atom(name: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return (8 + len(content)).to_bytes(4, "big") + name + content


@needs_ffmpeg
def test_a_movie_that_refers_to_another_file_does_not_open_it(tmp_path, listener):
    """The data reference of a QuickTime track names a file or an address, for which an option of FFmpeg exists."""
    port, seen = listener
    wav = recordings.song(tmp_path / "song.wav")
    movie = recordings.make("song.mov", wav)
    own = atom(b"dref", bytes(4), (1).to_bytes(4, "big"), atom(b"url ", b"\0\0\0\1"))
    url = f"http://127.0.0.1:{port}/x".encode() + b"\0"
    other = atom(b"dref", bytes(4), (1).to_bytes(4, "big"), atom(b"url ", bytes(4), url))
    content = movie.read_bytes()
    assert own in content
    movie.write_bytes(content.replace(own, other[: len(own)].ljust(len(own), b"\0")))
    with pytest.raises(InputError):
        decode(movie, tmp_path / "out.wav", max_seconds=0.1)
    assert seen == []


def test_the_table_names_no_demuxer_that_reads_other_files():
    referring = {
        "hls",
        "dash",
        "concat",
        "sdp",
        "rtsp",
        "image2",
        "image2pipe",
        "applehttp",
        "smoothstreaming",
        "lavfi",
    }
    demuxers = {container.demuxer for _, container in containers.TABLE}
    assert not demuxers & referring
    assert not [name for name in demuxers if name.endswith(("_pipe", "vobsub", "srt", "ass"))]


def test_no_protocol_can_be_used(tmp_path):
    """Even a demuxer that wanted to open another file could not."""
    import av

    other = tmp_path / "other.wav"
    other.write_bytes(b"RIFF")
    playlist = tmp_path / "list"
    playlist.write_text(f"ffconcat version 1.0\nfile {other}\n")
    with playlist.open("rb") as file, pytest.raises((av.error.FFmpegError, ValueError)):
        av.open(file, format="concat", options={"protocol_whitelist": "none", "format_whitelist": "mp3"})


@needs_ffmpeg
@pytest.mark.parametrize("tag", [b"drms", b"enca", b"aavd"])
def test_protected_movies_are_named_so(tmp_path, tag):
    path = recordings.make("song.m4a", recordings.song(tmp_path / "song.wav"))
    path.write_bytes(path.read_bytes().replace(b"mp4a", tag, 1))
    with pytest.raises((ProtectedError, CodecError)):
        probe(path)


@needs_ffmpeg
def test_common_encryption_is_recognised(tmp_path):
    whole = recordings.make("song.m4a", recordings.song(tmp_path / "song.wav"))
    path = tmp_path / "protected.mp4"
    key, kid = "76a6c65c5ea762046bd749a2e632ccbb", "a7e61c373e219033c21091fa607bf3b8"
    options = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", kid)
    recordings.run("ffmpeg", "-i", whole, "-c", "copy", *options, path)
    with pytest.raises(ProtectedError):
        probe(path)


@needs_ffmpeg
def test_a_video_without_sound_is_named_so(tmp_path):
    path = tmp_path / "silent.mp4"
    recordings.run("ffmpeg", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", "-c:v", "mpeg4", path)
    with pytest.raises(NoSoundError):
        probe(path)


@needs_ffmpeg
def test_a_codec_that_is_not_in_the_list_is_named(tmp_path):
    path = tmp_path / "song.mkv"
    recordings.run("ffmpeg", "-i", recordings.song(tmp_path / "song.wav"), "-c:a", "tta", path)
    with pytest.raises(CodecError, match="tta"):
        probe(path)


@needs_ffmpeg
def test_a_small_file_of_a_week_of_silence_is_stopped_at_the_limit(tmp_path):
    """FLAC stores silence in a few bytes; here its header does not say how long it is."""
    path = tmp_path / "silence.flac"
    recordings.run("ffmpeg", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=7200", "-frame_size", "65535", path)
    assert path.stat().st_size < 50_000
    content = bytearray(path.read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # the number of samples: unknown
    path.write_bytes(content)
    with pytest.raises(TooLongError):
        decode(path, tmp_path / "out.wav", max_seconds=60)
    assert (tmp_path / "out.wav").stat().st_size < 5_000_000


@needs_ffmpeg
@pytest.mark.parametrize("name", ["xing.mp3", "song.m4a", "song.flac", "song.ogg", "song.mkv", "song.wma", "ac3.wav"])
def test_damaged_files_end_in_a_sentence_or_in_sound(tmp_path, name):
    """The same damage as in transfers and on disks: bits flipped, ends missing, blocks of zeros."""
    path = recordings.make(name, recordings.song(tmp_path / "song.wav", nb_samples=20_000))
    whole = path.read_bytes()
    for number in range(25):
        content = bytearray(whole)
        step = 7 + 13 * number
        for place in range(number, len(content), len(content) // step + 1):
            content[place] ^= 1 << number % 8
        path.write_bytes(content if number % 2 else content[: len(content) * number // 30])
        with suppress(InputError):
            probe(path)
            assert decode(path, tmp_path / "out.wav", max_seconds=3600).seconds > 0


def run_limited(program: str, *arguments: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_an_endless_loop_and_endless_memory_end_the_process():
    begin = "from openunmix_models import limited_process; limited_process.limit(1)\n"
    start = time.monotonic()
    assert run_limited(begin + "while True: pass").returncode < 0
    assert time.monotonic() - start < 30
    assert "MemoryError" in run_limited(begin + "bytearray(3 << 30)").stderr


def test_the_probe_prints_one_line_of_json_for_what_is_no_recording(tmp_path):
    path = tmp_path / "song.mp3"
    path.write_bytes(b"This is not a song.\n" * 100)
    command = [sys.executable, "-m", "openunmix_models.probe", str(path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == {"problem": "unknown", "codec": ""}
    assert done.returncode == InputError.exit_status
    assert not done.stderr


@needs_ffmpeg
def test_a_file_is_closed_after_each_refusal(tmp_path):
    path = tmp_path / "silent.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(1000))
    with pytest.raises(InputError):
        EncodedAudio(path)
    path.unlink()  # Windows refuses this as long as the file is open
