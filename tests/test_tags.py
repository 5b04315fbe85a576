"""Tags: that stems get their song's, that no sample changes, and that what somebody wrote into a file harms nothing."""

import io
import struct

import numpy as np
import pytest
import soundfile

from tests import double, waves
from webapp.metadata import flac, id3, riff, tags
from webapp.metadata.tagging import carry_over
from webapp.metadata.tags import Tags

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)


def chunk(name: bytes, content: bytes, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2)


def wave_with(*chunks: bytes, data: bytes = b"\x01\x02" * 2000) -> bytes:
    plain = waves.wave(data)
    content = plain[12:] + b"".join(chunks)
    return plain[:4] + struct.pack("<I", 4 + len(content)) + b"WAVE" + content


def info(order: str = "<", **texts: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), text, order) for name, text in texts.items()), order)


def frame(name: bytes, body: bytes, version: int = 3, flags: int = 0) -> bytes:
    if version == 2:
        return name + len(body).to_bytes(3, "big") + body
    size = id3._synchsafe_bytes(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name + size + flags.to_bytes(2, "big") + body


def tag(*frames: bytes, version: int = 3, flags: int = 0) -> bytes:
    content = b"".join(frames)
    return b"ID3" + bytes([version, 0, flags]) + id3._synchsafe_bytes(len(content)) + content


def read(tmp_path, content: bytes) -> Tags:
    path = tmp_path / "read.wav"
    path.write_bytes(content)
    return tags.read(path)


# Reading


@pytest.mark.parametrize("order", ["<", ">"])
def test_info_is_read_in_either_byte_order(tmp_path, order):
    listed = info(order, INAM="Пісня".encode() + b"\0", IART="Björk".encode("cp1252") + b"\0junk", INOT=b"x")
    content = wave_with(listed) if order == "<" else b"RIFX" + struct.pack(">I4s", 4 + len(listed), b"WAVE") + listed
    assert read(tmp_path, content).texts == {"TITLE": ["Пісня"], "ARTIST": ["Björk"]}


@pytest.mark.parametrize("place", ["before", "after"])
def test_where_both_are_id3_is_believed(tmp_path, place):
    both = [info(INAM=b"Short", IGNR=b"Rock"), chunk(b"id3 ", tag(frame(b"TIT2", b"\0Longer title")))]
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


def test_what_is_unsynchronised_packed_or_extended_in_id3():
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


def test_the_front_cover_comes_before_other_pictures_and_links_are_none():
    back = frame(b"APIC", b"\0image/png\0\4\0" + PNG)
    front = frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG)
    link = frame(b"APIC", b"\0-->\0\3\0http://example.org/a.jpg")
    assert id3.read(tag(link, back, front))[1] == JPEG
    assert id3.read(tag(link, back))[1] == PNG
    assert id3.read(tag(link))[1] == b""


def test_what_is_written_is_read_again(tmp_path):
    texts = {name: [f"{name} é 歌 🎵"] for name in id3.FRAMES} | {"DATE": ["2024-05-06"], "GENRE": ["Rock", "Pop"]}
    found, cover = id3.read(id3.written(texts, PNG))
    assert found == texts | {"DATE": ["2024"], "GENRE": ["Rock/Pop"]}
    assert cover == PNG
    with_title = Tags({"TITLE": ["é 歌"], "DATE": ["2024-05-06"]})
    assert read(tmp_path, wave_with(chunk(b"LIST", tags.info_chunk(with_title)))) == with_title


# Hostile ones

WHOLE = tag(
    frame(b"TIT2", b"\1\xff\xfeS\0o\0n\0g\0"), frame(b"APIC", b"\1image/png\0\3\0\0" + PNG), frame(b"TPE1", b"\3Me")
)
HOSTILE = {
    "no tag": b"",
    "no ID3": b"RIFF" * 100,
    "a version to come": tag(frame(b"TIT2", b"\0Song"), version=9),
    "longer than its chunk": b"ID3\3\0\0\x7f\x7f\x7f\x7f" + frame(b"TIT2", b"\0Song"),
    "a frame of 4 GB": tag(b"TIT2\xff\xff\xff\xff\0\0\0Song"),
    "an empty frame": tag(frame(b"TIT2", b""), frame(b"APIC", b"")),
    "an encoding that is none": tag(frame(b"TIT2", b"\x09Song")),
    "half a letter": tag(frame(b"TIT2", b"\1\xff\xfeS")),
    "no end of its type": tag(frame(b"APIC", b"\0image/jpeg")),
    "no end of its description": tag(frame(b"APIC", b"\1image/jpeg\0\3" + b"ab" * 1000)),
    "an extended header without end": tag(b"\xff\xff\xff\xff", frame(b"TIT2", b"\0Song"), flags=0x40),
    "only noise": tag(np.random.default_rng(0).bytes(5000)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_id3_is_no_tag_and_no_error(tmp_path, content):
    found = read(tmp_path, wave_with(chunk(b"id3 ", content), info(IART=b"Me")))
    assert found.texts["ARTIST"] == ["Me"]
    assert found.cover == b""


def test_an_id3_that_is_cut_off_or_spoilt_anywhere_raises_nothing(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(300):
        content = bytearray(WHOLE[: rng.integers(len(WHOLE))] if number % 2 else WHOLE)
        for place in rng.integers(0, max(1, min(len(content), 80)), 3):
            content[place : place + 1] = bytes([rng.integers(256)])
        read(tmp_path, wave_with(chunk(b"id3 ", bytes(content))))


@pytest.mark.parametrize("length", [0, 1, 3, 1 << 20, 0xFFFFFFFF])
@pytest.mark.parametrize("name", [b"LIST", b"id3 ", b"junk"])
def test_a_chunk_that_lies_about_its_length_is_no_tag(tmp_path, name, length):
    lie = name + struct.pack("<I", length) + b"INFOINAM\xff\xff\xff\xffx"
    assert read(tmp_path, wave_with(lie)).cover == b""


def test_chunks_without_end_come_to_an_end(tmp_path):
    path = tmp_path / "many.wav"
    path.write_bytes(b"RIFF" + bytes(4) + b"WAVE" + b"junk\0\0\0\0" * 200_000)
    with path.open("rb") as file:
        assert len(list(riff.chunks(file))) == riff.MOST_CHUNKS


def test_what_cannot_be_seen_is_taken_out_and_what_is_endless_is_cut(tmp_path):
    found = read(tmp_path, wave_with(info(INAM=b"a\x07b\nc", IART=b"x" * 100_000, IPRD=b"\x01\x02")))
    assert found.texts == {"TITLE": ["ab\nc"], "ARTIST": ["x" * tags.LONGEST]}


# Into the stems


@pytest.fixture
def song(tmp_path):
    """A song with tags, and a maker of stems for it."""
    content = tag(frame(b"TIT2", b"\0Song"), frame(b"TPE1", b"\1\xff\xfe" + "Ми".encode("utf-16-le")),
                  frame(b"TALB", b"\0Album"), frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG))  # fmt: skip
    path = tmp_path / "song.wav"
    path.write_bytes(wave_with(chunk(b"id3 ", content)))
    return path


FORMS = [
    ("WAV", "PCM_U8", 1, 999), ("WAV", "PCM_16", 2, 5000), ("WAV", "PCM_24", 1, 5001), ("WAVEX", "PCM_24", 6, 500),
    ("WAV", "FLOAT", 2, 5000), ("RF64", "PCM_16", 2, 5000), ("FLAC", "PCM_16", 2, 50000), ("FLAC", "PCM_24", 1, 10),
]  # fmt: skip


@pytest.mark.parametrize(("form", "subtype", "nb_channels", "nb_samples"), FORMS)
def test_stems_get_the_tags_and_keep_their_samples(tmp_path, song, form, subtype, nb_channels, nb_samples):
    path = tmp_path / f"vocals.{'flac' if form == 'FLAC' else 'wav'}"
    samples = np.random.default_rng(5).uniform(-1, 1, (nb_samples, nb_channels))
    soundfile.write(path, samples, 44100, subtype=subtype, format=form)
    before, _ = soundfile.read(path, dtype="float64")
    carry_over(song, {"vocals": path}, "song")
    after, _ = soundfile.read(path, dtype="float64")
    assert (before == after).all()
    with soundfile.SoundFile(path) as file:  # libsndfile reads INFO and Vorbis comments
        assert (file.format, file.subtype) == (form, subtype)
        assert (file.title, file.artist, file.album) == ("Song (vocals)", "Ми", "Album")
    content = path.read_bytes()
    assert JPEG in content
    if form != "FLAC":
        assert struct.unpack("<Q" if form == "RF64" else "<I", content[20:28] if form == "RF64" else content[4:8])[0] \
            == len(content) - 8  # fmt: skip
        assert tags.read(path) == Tags({"TITLE": ["Song (vocals)"], "ARTIST": ["Ми"], "ALBUM": ["Album"]}, JPEG)
    assert [other.name for other in tmp_path.glob(".*")] == []


def test_a_cover_in_a_flac_is_where_rfc_9639_says(tmp_path, song):
    path = tmp_path / "music.flac"
    soundfile.write(path, waves.samples(), 44100)
    carry_over(song, {"music": path}, "song")
    with path.open("rb") as file:
        blocks, vendor = flac._blocks(file)
    assert blocks[0][0] == 0  # STREAMINFO
    assert b"FLAC" in vendor
    content = path.read_bytes()
    picture = content[content.index(b"image/jpeg") - 8 :]
    assert struct.unpack(">II", picture[:8]) == (3, 10)
    assert struct.unpack(">I", picture[38:42])[0] == len(JPEG)
    assert picture[42 : 42 + len(JPEG)] == JPEG


def test_a_song_without_a_title_is_called_as_its_file(tmp_path):
    path, stem = tmp_path / "song.wav", tmp_path / "music.wav"
    path.write_bytes(wave_with(info(IART=b"Me")))
    stem.write_bytes(waves.wave())
    carry_over(path, {"music": stem}, "My file")
    assert tags.read(stem).texts == {"TITLE": ["My file (music)"], "ARTIST": ["Me"]}


def test_stems_of_a_song_without_tags_stay_as_they_are(tmp_path):
    path, stem = tmp_path / "song.wav", tmp_path / "music.wav"
    path.write_bytes(waves.wave())
    stem.write_bytes(waves.wave())
    assert not tags.are_in(path)
    carry_over(path, {"music": stem}, "song")
    assert stem.read_bytes() == waves.wave()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC", b"fLaC\xff", waves.wave() + b"rest", waves.wave()[:-7]])
@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_a_stem_that_cannot_take_tags_stays_as_it_is(tmp_path, song, content, ending):
    path = tmp_path / f"odd.{ending}"
    path.write_bytes(content)
    carry_over(song, {"odd": path, "gone": tmp_path / "gone.flac"}, "song")
    assert path.read_bytes() == content
    assert [other.name for other in tmp_path.glob(".*")] == []


# Over HTTP


def test_a_song_with_tags_gives_stems_with_tags(quick_server, song):
    double.order(quick_server.home)
    client = quick_server.client()
    job = client.uploaded_job(song)
    client.separate(job)
    for stem in client.wait_for(job, "done")["stems"]:
        with soundfile.SoundFile(io.BytesIO(client.get(stem["url"]).body)) as file:
            assert file.artist == "Ми"
            assert file.frames == 1000
        assert f"Song ({stem['name']})".encode("utf-16-le") in client.get(stem["url"]).body


def test_no_tag_keeps_a_song_from_being_separated(quick_server):
    client = quick_server.client()
    job = client.uploaded_job(
        wave_with(*[chunk(b"id3 ", content) for content in HOSTILE.values()], b"id3 \xff\xff\xff\xffID3")
    )
    client.separate(job)
    assert client.wait_for(job, "done", "failed")["state"] == "done"
