"""Tags: reading and writing them, hostile ones, and copying them to stems without changing a sample."""

import io
import struct

import numpy as np
import pytest
import soundfile

from audiofiles import flac_tags, id3, info, metadata, riff, tags
from audiofiles.tags import Tags
from tests.support import wave_files
from tests.support.tagged_files import HOSTILE, JPEG, PNG, WHOLE, chunk, frame, tag, wave_with
from webapp.worker.copy_tags import copy_tags


def info_list(order: str = "<", **texts: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), text, order) for name, text in texts.items()), order)


def read(tmp_path, content: bytes) -> Tags:
    path = tmp_path / "read.wav"
    path.write_bytes(content)
    return metadata.read(path).tags


# Reading


@pytest.mark.parametrize("order", ["<", ">"])
def test_info_is_read_in_either_byte_order(tmp_path, order):
    listed = info_list(order, INAM="Пісня".encode() + b"\0", IART="Björk".encode("cp1252") + b"\0junk", INOT=b"x")
    content = wave_with(listed) if order == "<" else b"RIFX" + struct.pack(">I4s", 4 + len(listed), b"WAVE") + listed
    assert read(tmp_path, content).texts == {"TITLE": ["Пісня"], "ARTIST": ["Björk"], "INOT": ["x"]}


@pytest.mark.parametrize("place", ["before", "after"])
def test_id3_takes_precedence_over_info(tmp_path, place):
    both = [info_list(INAM=b"Short", IGNR=b"Rock"), chunk(b"id3 ", tag(frame(b"TIT2", b"\0Longer title")))]
    found = read(tmp_path, wave_with(*(both if place == "before" else both[::-1])))
    assert found.texts == {"TITLE": ["Longer title"], "GENRE": ["Rock"]}


@pytest.mark.parametrize(
    "body",
    [b"\0Bj\xf6rk", b"\0Bj\xf6rk\0", b"\1\xff\xfe" + "Björk\0".encode("utf-16-le"),
     b"\1\xfe\xff" + "Björk".encode("utf-16-be"), b"\2" + "Björk".encode("utf-16-be"), b"\3" + "Björk".encode()],
)  # fmt: skip
def test_texts_are_read_in_each_encoding_of_id3(body):
    assert id3.read(tag(frame(b"TPE1", body)))[0] == {"ARTIST": ["Björk"]}


def test_each_version_of_id3_is_read():
    cover = b"image/jpeg\0\3cover\0" + JPEG
    for version, title, picture in (
        (2, b"TT2", frame(b"PIC", b"\0JPG\3cover\0" + JPEG, 2)),
        (3, b"TIT2", frame(b"APIC", b"\0" + cover)),
        (4, b"TIT2", frame(b"APIC", b"\3" + cover, 4)),
    ):
        texts, found = id3.read(tag(frame(title, b"\0Song", version), picture, version=version))
        assert (texts, found) == ({"TITLE": ["Song"]}, JPEG)
    wide = b"\1image/png\0\3" + "\ufeffcover".encode("utf-16-le") + b"\0\0" + PNG
    assert id3.read(tag(frame(b"APIC", wide)))[1] == PNG


def test_unsynchronised_compressed_and_extended_id3():
    picture = frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG + b"\xff\x00\x00")
    apart = picture.replace(b"\xff", b"\xff\0")
    size = id3._synchsafe_bytes(len(apart))
    assert id3.read(b"ID3\3\0\x80" + size + apart)[1] == JPEG + b"\xff\x00\x00"
    body = (b"\0image/jpeg\0\3\0" + JPEG).replace(b"\xff", b"\xff\0")
    assert id3.read(tag(frame(b"APIC", bytes(4) + body, 4, flags=3), version=4))[1] == JPEG
    extended = b"\0\0\0\6" + bytes(6)
    assert id3.read(tag(extended, frame(b"TIT2", b"\0Song"), flags=0x40))[0] == {"TITLE": ["Song"]}
    packed = frame(b"TIT2", b"\0\0\0\7packed?", flags=0x80)
    assert id3.read(tag(packed, frame(b"TALB", b"\0Album")))[0] == {"ALBUM": ["Album"]}


def test_the_front_cover_is_preferred_and_links_are_ignored():
    back = frame(b"APIC", b"\0image/png\0\4\0" + PNG)
    front = frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG)
    link = frame(b"APIC", b"\0-->\0\3\0http://example.org/a.jpg")
    assert id3.read(tag(link, back, front))[1] == JPEG
    assert id3.read(tag(link, back))[1] == PNG
    assert id3.read(tag(link))[1] == b""


def test_written_tags_can_be_read_again(tmp_path):
    texts = {name: [f"{name} é 歌 🎵"] for name in id3.FRAMES} | {"DATE": ["2024-05-06"], "GENRE": ["Rock", "Pop"]}
    found, cover = id3.read(id3.encode(texts, PNG))
    assert found == texts | {"DATE": ["2024"], "GENRE": ["Rock/Pop"]}
    assert cover == PNG
    with_title = Tags({"TITLE": ["é 歌"], "DATE": ["2024-05-06"]})
    assert read(tmp_path, wave_with(chunk(b"LIST", info.encode(with_title.texts)))) == with_title


# Hostile tags


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_id3_tags_are_ignored(tmp_path, content):
    found = read(tmp_path, wave_with(chunk(b"id3 ", content), info_list(IART=b"Me")))
    assert found.texts["ARTIST"] == ["Me"]
    assert found.cover == b""


def test_truncated_or_damaged_id3_raises_nothing(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(300):
        content = bytearray(WHOLE[: rng.integers(len(WHOLE))] if number % 2 else WHOLE)
        for place in rng.integers(0, max(1, min(len(content), 80)), 3):
            content[place : place + 1] = bytes([rng.integers(256)])
        read(tmp_path, wave_with(chunk(b"id3 ", bytes(content))))


@pytest.mark.parametrize("length", [0, 1, 3, 1 << 20, 0xFFFFFFFF])
@pytest.mark.parametrize("name", [b"LIST", b"id3 ", b"junk"])
def test_chunks_with_wrong_lengths_are_ignored(tmp_path, name, length):
    lie = name + struct.pack("<I", length) + b"INFOINAM\xff\xff\xff\xffx"
    assert read(tmp_path, wave_with(lie)).cover == b""


def test_the_number_of_chunks_is_limited(tmp_path):
    path = tmp_path / "many.wav"
    path.write_bytes(b"RIFF" + bytes(4) + b"WAVE" + b"junk\0\0\0\0" * 200_000)
    with path.open("rb") as file:
        assert len(list(riff.chunks(file))) == riff.MAX_CHUNKS


def test_control_characters_are_removed_and_long_texts_are_cut(tmp_path):
    found = read(tmp_path, wave_with(info_list(INAM=b"a\x07b\nc", IART=b"x" * 100_000, IPRD=b"\x01\x02")))
    assert found.texts == {"TITLE": ["ab\nc"], "ARTIST": ["x" * tags.MAX_CHARACTERS]}


# Copying to the stems


@pytest.fixture
def song(tmp_path):
    """A song with tags."""
    content = tag(frame(b"TIT2", b"\0Song"), frame(b"TPE1", b"\1\xff\xfe" + "Ми".encode("utf-16-le")),
                  frame(b"TALB", b"\0Album"), frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG))  # fmt: skip
    path = tmp_path / "song.wav"
    path.write_bytes(wave_with(chunk(b"id3 ", content)))
    return path


FORMS = [
    ("WAV", "PCM_U8", 1, 999), ("WAV", "PCM_16", 2, 5000), ("WAV", "PCM_24", 1, 5001), ("WAVEX", "PCM_24", 6, 500),
    ("WAV", "FLOAT", 2, 5000), ("RF64", "PCM_16", 2, 5000),
]  # fmt: skip


@pytest.mark.parametrize(("form", "subtype", "nb_channels", "nb_samples"), FORMS)
def test_stems_get_the_tags_and_keep_their_samples(tmp_path, song, form, subtype, nb_channels, nb_samples):
    path = tmp_path / "vocals.wav"
    samples = np.random.default_rng(5).uniform(-1, 1, (nb_samples, nb_channels))
    soundfile.write(path, samples, 44100, subtype=subtype, format=form)
    before, _ = soundfile.read(path, dtype="float64")
    copy_tags(song, {"vocals": path}, "song")
    after, _ = soundfile.read(path, dtype="float64")
    assert (before == after).all()
    with soundfile.SoundFile(path) as file:  # libsndfile reads INFO
        assert (file.format, file.subtype) == (form, subtype)
        assert (file.title, file.artist, file.album) == ("Song (vocals)", "Ми", "Album")
    content = path.read_bytes()
    assert JPEG in content
    assert struct.unpack("<Q" if form == "RF64" else "<I", content[20:28] if form == "RF64" else content[4:8])[0] \
        == len(content) - 8  # fmt: skip
    assert metadata.read(path).tags == Tags({"TITLE": ["Song (vocals)"], "ARTIST": ["Ми"], "ALBUM": ["Album"]}, JPEG)
    assert [other.name for other in tmp_path.glob(".*")] == []


def test_a_cover_in_a_flac_is_where_rfc_9639_says(tmp_path, song):
    path = tmp_path / "music.flac"
    soundfile.write(path, wave_files.tone(), 44100)
    tagged = io.BytesIO()
    with path.open("rb") as file:
        metadata.write_flac(file, tagged, metadata.read(song))
    blocks, vendor = flac_tags._read_blocks(tagged)
    assert blocks[0][0] == 0  # STREAMINFO
    assert b"FLAC" in vendor
    content = tagged.getvalue()
    picture = content[content.index(b"image/jpeg") - 8 :]
    assert struct.unpack(">II", picture[:8]) == (3, 10)
    assert struct.unpack(">I", picture[38:42])[0] == len(JPEG)
    assert picture[42 : 42 + len(JPEG)] == JPEG


def test_a_song_without_a_title_is_named_after_its_file(tmp_path):
    path, stem = tmp_path / "song.wav", tmp_path / "music.wav"
    path.write_bytes(wave_with(info_list(IART=b"Me")))
    stem.write_bytes(wave_files.wav())
    copy_tags(path, {"music": stem}, "My file")
    assert metadata.read(stem).tags.texts == {"TITLE": ["My file (music)"], "ARTIST": ["Me"]}


def test_stems_of_a_song_without_tags_are_unchanged(tmp_path):
    path, stem = tmp_path / "song.wav", tmp_path / "music.wav"
    path.write_bytes(wave_files.wav())
    stem.write_bytes(wave_files.wav())
    assert not metadata.exists(path)
    copy_tags(path, {"music": stem}, "song")
    assert stem.read_bytes() == wave_files.wav()


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"fLaC", b"fLaC\xff", wave_files.wav() + b"rest", wave_files.wav()[:-7]]
)
def test_a_stem_that_cannot_hold_tags_is_unchanged(tmp_path, song, content):
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    copy_tags(song, {"odd": path, "gone": tmp_path / "gone.wav"}, "song")
    assert path.read_bytes() == content
    assert [other.name for other in tmp_path.glob(".*")] == []


# Over HTTP


@pytest.mark.parametrize("length", [1 << 45, 1 << 61, (1 << 63) - 1, (1 << 64) - 2])
def test_impossible_chunk_lengths_are_ignored(tmp_path, length):
    path = tmp_path / "song.wav"
    content = wave_files.rf64()
    path.write_bytes(content[:20] + struct.pack("<QQ", length, length) + content[36:])
    assert not metadata.exists(path)
