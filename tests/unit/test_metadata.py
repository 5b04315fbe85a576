"""What a song's file says besides its samples reaches its stems and its mix: chunks, tags, and the channel layout."""

import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from audiofiles import id3, info, metadata, riff, wav_header
from audiofiles.code_pages import decode
from audiofiles.wav_header import ChannelLayout
from openunmix_models.stem_metadata import write_metadata
from tests.support import wave_files
from tests.support.tagged_files import JPEG, PNG, chunk, frame, tag, wave_with
from webapp.audio.export import Export
from webapp.audio.export_formats import find
from webapp.audio.signal import Signal
from webapp.worker.copy_tags import copy_tags

LOUDNESS = struct.pack("<5h", -2300, 500, -100, -2000, -2100)


def bext(version: int = 2, time: int = 1_000_000) -> bytes:
    head = b"Scene 5".ljust(256, b"\0") + b"Recorder".ljust(32, b"\0") + bytes(32) + b"2024-05-0610:00:00"
    return head + struct.pack("<QH", time, version) + b"U" * 64 + LOUDNESS + bytes(180) + b"A=PCM,F=44100\r\n"


LABEL = b"adtl" + chunk(b"labl", struct.pack("<I", 1) + b"Verse\0")
CHUNKS = {
    b"bext": bext(1),
    b"cue ": struct.pack("<IIIIIII", 1, 1, 500, 0x61746164, 0, 0, 500),
    b"LIST": LABEL,
    b"smpl": bytes(36) + b"odd",
    b"acid": struct.pack("<IHHfIHHf", 0, 60, 0x8000, 0.0, 8, 4, 4, 120.0),
    b"inst": bytes(7),
    b"iXML": b"<BWFXML><PROJECT>Film</PROJECT></BWFXML>",
    b"axml": b"<ebuCoreMain/>",
    b"cart": b"0101" + bytes(2044),
    b"_PMX": b"<x:xmpmeta/>",
    b"strc": bytes(28),
    b"LGWV": b"of some program",
}
OF_SAMPLES = {b"PEAK": bytes(16), b"levl": bytes(120), b"MD5 ": bytes(16), b"JUNK": bytes(100), b"FLLR": bytes(10)}


def chunks_of(path) -> list[tuple[bytes, bytes]]:
    found = []
    with path.open("rb") as file:
        for one in riff.chunks(file):
            file.seek(one.start)
            found.append((one.name, file.read(one.length)))
    return found


def stem_of(tmp_path, content: bytes, ext: str = "wav", sample_rate: int = 44100, name: str = "vocals"):
    """Write a song, and return a stem that has got its metadata."""
    song, stem = tmp_path / "song.wav", tmp_path / f"{name}.{ext}"
    song.write_bytes(content)
    soundfile.write(stem, wave_files.tone(1000), sample_rate, subtype="PCM_16")
    before = soundfile.read(stem, dtype="int16")[0]
    copy_metadata(song, stem)
    assert (soundfile.read(stem, dtype="int16")[0] == before).all()
    return stem


def copy_metadata(song, stem) -> None:
    """As the web application does it for WAV, and the command for FLAC."""
    if stem.suffix == ".wav":
        copy_tags(song, {stem.stem: stem}, "song")
    else:
        write_metadata(stem, stem.suffix, metadata.read(song).for_stem(stem.stem, "song"))


def tagged(**texts: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), text) for name, text in texts.items()))


# Chunks


def test_every_chunk_that_describes_the_file_reaches_the_stem(tmp_path):
    content = wave_with(*[chunk(name, body) for name, body in (CHUNKS | OF_SAMPLES).items()])
    stem = stem_of(tmp_path, content)
    assert dict(chunks_of(stem)[2:]) == CHUNKS
    assert len(stem.read_bytes()) - 8 == struct.unpack("<I", stem.read_bytes()[4:8])[0]


def test_chunks_before_the_samples_are_carried_too(tmp_path):
    content = b"".join(chunk(name, body) for name, body in CHUNKS.items()) + wave_files.wav()[12:]
    stem = stem_of(tmp_path, b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WAVE" + content)
    assert dict(chunks_of(stem)[2:]) == CHUNKS


def test_copying_twice_is_copying_once(tmp_path):
    content = wave_with(*[chunk(name, body) for name, body in CHUNKS.items()], tagged(INAM=b"Song\0"))
    for ext in ("wav", "flac"):
        stem = stem_of(tmp_path, content, ext)
        once = stem.read_bytes()
        copy_metadata(tmp_path / "song.wav", stem)
        assert stem.read_bytes() == once


def test_the_loudness_of_the_song_is_not_stated_of_a_stem(tmp_path):
    before, after = bext(2), dict(chunks_of(stem_of(tmp_path, wave_with(chunk(b"bext", bext(2))))))[b"bext"]
    assert after == before.replace(LOUDNESS, struct.pack("<5h", *[0x7FFF] * 5))


def test_positions_are_left_out_where_they_do_not_hold(tmp_path):
    content = wave_with(*[chunk(name, body) for name, body in CHUNKS.items()], tagged(INAM=b"Song\0"))
    names = [name for name, _ in chunks_of(stem_of(tmp_path, content, sample_rate=48000))]
    assert names == [b"fmt ", b"data", b"_PMX", b"LIST", b"id3 "]
    part = metadata.read(tmp_path / "song.wav").for_part(500)
    assert {name for name, _ in part.chunks} == {b"bext", b"_PMX", b"LIST"}
    assert struct.unpack_from("<Q", dict(part.chunks)[b"bext"], 338)[0] == 1_000_500
    assert {"cue", "smpl", "LIST", "acid"} <= set(part.left_out)


def test_chunks_of_excessive_length_are_named_as_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "MAX_CHUNK_BYTES", 100)
    path = tmp_path / "song.wav"
    path.write_bytes(wave_with(chunk(b"iXML", bytes(101)), chunk(b"axml", bytes(100))))
    found = metadata.read(path)
    assert ([name for name, _ in found.chunks], list(found.left_out)) == ([b"axml"], ["iXML"])


def test_numbers_of_a_big_endian_file_are_not_carried(tmp_path):
    body = chunk(b"fmt ", struct.pack(">HHIIHH", 1, 2, 44100, 176400, 4, 16), ">") + chunk(b"data", bytes(4000), ">")
    body += chunk(b"cue ", bytes(4), ">") + chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Song\0", ">"), ">")
    path = tmp_path / "song.wav"
    path.write_bytes(b"RIFX" + struct.pack(">I", 4 + len(body)) + b"WAVE" + body)
    found = metadata.read(path)
    assert ([name for name, _ in found.chunks], list(found.left_out)) == ([b"LIST"], ["cue"])
    assert found.for_stem("vocals", "").wav_chunks()[0] == (b"LIST", b"INFO" + chunk(b"INAM", b"Song (vocals)\0"))


def test_flac_stems_keep_the_chunks_for_a_wav_made_of_them(tmp_path):
    stem = stem_of(tmp_path, wave_with(*[chunk(name, body) for name, body in CHUNKS.items()]), "flac")
    found = metadata.read(stem)
    assert dict(found.chunks) == CHUNKS
    content = stem.read_bytes()
    parts = [content.index(b"riff" + name) for name in (b"RIFF", b"fmt ", b"data", b"bext")]
    assert parts == sorted(parts)
    if program := shutil.which("flac"):
        subprocess.run([program, "-ds", "--keep-foreign-metadata", "-o", tmp_path / "back.wav", stem], check=True)
        assert dict(chunks_of(tmp_path / "back.wav")[2:]) == CHUNKS


# Texts


def test_texts_keep_their_bytes_in_any_code_page(tmp_path):
    for text in ("Ой у лузі".encode("cp1251"), "Żółć".encode("cp1250"), "日本の歌".encode("cp932"), "Björk".encode()):
        stem = dict(chunks_of(stem_of(tmp_path, wave_with(tagged(INAM=text + b"\0", IART=text + b"\0")))))
        assert stem[b"LIST"] == b"INFO" + chunk(b"INAM", text + b" (vocals)\0") + chunk(b"IART", text + b"\0")
        assert (b"id3 " in stem) == (text == "Björk".encode())  # what is only guessed is not written as Unicode
        old = tag(frame(b"TIT2", b"\0" + text + b"\0"), frame(b"TPE1", b"\0" + text))
        stem = dict(chunks_of(stem_of(tmp_path, wave_with(chunk(b"id3 ", old)))))
        assert stem[b"id3 "] == tag(frame(b"TIT2", b"\0" + text + b" (vocals)"), frame(b"TPE1", b"\0" + text))


@pytest.mark.parametrize(
    ("text", "code_page"),
    [("Червона рута", "cp1251"), ("Ой у лузі червона калина", "cp1251"), ("ДДТ - Осень (live)", "cp1251"),
     ("Björk – Jóga", "cp1252"), ("Café déjà vu", "cp1252"), ("Ænima", "cp1252"), ("Motörhead", "cp1252"),
     ("Sigur Rós", "cp1252"), ("Océan Ü", "cp1252"), ("été", "cp1252"), ("歌", "utf-8"), ("Ї", "utf-8"), ("", "utf-8")],
)  # fmt: skip
def test_code_pages_are_guessed(text, code_page):
    assert decode(text.encode(code_page)) == text


def test_flac_stems_get_cyrillic_texts_of_old_code_pages_as_unicode(tmp_path):
    stem = stem_of(tmp_path, wave_with(tagged(INAM="Червона рута".encode("cp1251"))), "flac")
    assert soundfile.SoundFile(stem).title == "Червона рута (vocals)"
    old = tag(frame(b"TPE1", b"\0" + "Назарій Яремчук".encode("cp1251")))
    stem = stem_of(tmp_path, wave_with(chunk(b"id3 ", old)), "flac")
    assert soundfile.SoundFile(stem).artist == "Назарій Яремчук"


FRAMES = [
    frame(b"TKEY", b"\0Am"),
    frame(b"USLT", b"\0eng\0First line\nSecond line"),
    frame(b"COMM", b"\0engnote\0A comment"),
    frame(b"TXXX", b"\0Catalogue\0ABC-1"),
    frame(b"TPUB", b"\0Label"),
    frame(b"POPM", b"me\0\x80"),
    frame(b"APIC", b"\0image/png\0\4back\0" + PNG),
    frame(b"APIC", b"\0image/jpeg\0\3\0" + JPEG),
    frame(b"PRIV", b"owner\0\1\2\3"),
    frame(b"TXXX", b"\1\xff\xfe" + "Настрій\0".encode("utf-16-le") + b"\xff\xfe" + "ясний".encode("utf-16-le")),
]


def test_every_frame_of_id3_reaches_the_stem(tmp_path):
    stem = dict(chunks_of(stem_of(tmp_path, wave_with(chunk(b"id3 ", tag(frame(b"TIT2", b"\3S\xc3\xb6ng"), *FRAMES))))))
    assert stem[b"id3 "] == tag(frame(b"TIT2", b"\3S\xc3\xb6ng (vocals)"), *FRAMES)


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize(
    "title",
    [b"\0Song", b"\1\xff\xfe" + "Song".encode("utf-16-le") + b"\0\0", b"\1\xfe\xff" + "Song".encode("utf-16-be"),
     b"\2" + "Song".encode("utf-16-be"), b"\3Song\0Other"],
)  # fmt: skip
def test_the_title_is_extended_in_its_own_encoding(version, title):
    name = b"TT2" if version == 2 else b"TIT2"
    content = id3.with_title(tag(frame(name, title, version), version=version), "file", " (vocals)")
    assert id3.read(content)[0] == {"TITLE": ["Song (vocals)"]}
    content = id3.with_title(tag(frame(name, b"\1\xff\xfe\0\0", version), version=version), "Пісня", " (vocals)")
    assert id3.read(content)[0] == {"TITLE": ["Пісня (vocals)"]}


def test_texts_of_id3_reach_flac(tmp_path):
    stem = stem_of(tmp_path, wave_with(chunk(b"id3 ", tag(*FRAMES))), "flac")
    texts = metadata.read(stem).tags.texts
    assert texts == {
        "INITIALKEY": ["Am"], "LYRICS": ["First line\nSecond line"], "COMMENT": ["A comment"], "CATALOGUE": ["ABC-1"],
        "ORGANIZATION": ["Label"], "TXXX": ["ясний"], "TITLE": ["song (vocals)"],
    }  # fmt: skip
    assert metadata.read(stem).tags.cover == JPEG


def test_all_items_of_info_reach_the_stem(tmp_path):
    stem = stem_of(tmp_path, wave_with(tagged(IKEY=b"folk\0", IENG=b"Engineer\0", ISFT=b"Lavf\0", INAM=b"Song\0")))
    assert dict(info._items(dict(chunks_of(stem))[b"LIST"][4:])) == {
        b"IKEY": b"folk", b"IENG": b"Engineer", b"ISFT": b"Lavf", b"INAM": b"Song (vocals)",
    }  # fmt: skip
    assert id3.read(dict(chunks_of(stem))[b"id3 "])[0] == {
        "IKEY": ["folk"],
        "IENG": ["Engineer"],
        "TITLE": ["Song (vocals)"],
    }


def test_the_program_that_wrote_the_song_gives_no_title(tmp_path):
    assert chunks_of(stem_of(tmp_path, wave_with(tagged(ISFT=b"Lavf\0"))))[2:] == [
        (b"LIST", tagged(ISFT=b"Lavf\0")[8:])
    ]


def test_id3_before_the_file_is_carried(tmp_path):
    stem = stem_of(tmp_path, tag(frame(b"TPE1", b"\0Me")) + wave_files.wav())
    assert metadata.read(stem).tags.texts == {"ARTIST": ["Me"], "TITLE": ["song (vocals)"]}


# Channel layouts


def mix_of(song, stem, level: float, attenuation: float = 0.0) -> bytes:
    found = metadata.read(song)
    with Signal({stem: level}) as signal:
        fitting = found.fitting(signal.sample_rate, signal.nb_channels).for_stem("mix", "song")
        stream = Export(find("wav"), 0, attenuation).wav_stream(signal, fitting)
        content = b"".join(stream.chunks())
    assert len(content) == stream.length == 8 + struct.unpack("<I", content[4:8])[0]
    return content


@pytest.mark.parametrize("mask", [0x0, 0x7, 0xB, 0x103, 0x3FFFF])
def test_a_stated_layout_survives_in_wav_and_flac(tmp_path, mask):
    layout = ChannelLayout(mask)
    song, wav_stem, flac_stem = (tmp_path / name for name in ("song.wav", "a.wav", "b.flac"))
    for path, form in ((song, "WAVEX"), (wav_stem, "WAVEX"), (flac_stem, "FLAC")):
        soundfile.write(path, wave_files.tone(500, 3), 44100, format=form, subtype="PCM_16")
    wav_header.state_layout(song, layout)
    wav_header.state_layout(wav_stem, layout)
    copy_metadata(song, wav_stem)
    copy_metadata(song, flac_stem)
    assert metadata.read_layout(wav_stem) == layout
    assert metadata.read_layout(flac_stem).mask == mask
    (tmp_path / "mix.wav").write_bytes(mix_of(song, wav_stem, 0.5))
    assert metadata.read_layout(tmp_path / "mix.wav") == layout
    assert np.allclose(soundfile.read(tmp_path / "mix.wav")[0], 0.5 * wave_files.tone(500, 3), atol=1e-4)


# The mix


def test_a_mix_has_what_its_song_has(tmp_path):
    stem = stem_of(tmp_path, wave_with(*[chunk(name, body) for name, body in CHUNKS.items()], tagged(INAM=b"Song\0")))
    path = tmp_path / "mix.wav"
    path.write_bytes(mix_of(tmp_path / "song.wav", stem, 0.5))
    assert [name for name, _ in chunks_of(path)[2:]] == [*CHUNKS, b"LIST", b"id3 "]
    assert metadata.read(path).tags.texts == {"TITLE": ["Song (mix)"]}


def test_a_quieter_mix_says_so_in_both_forms_of_its_tags(tmp_path):
    content = wave_with(chunk(b"cue ", CHUNKS[b"cue "]), tagged(INAM=b"Song\0", ICMT=b"Live\0"))
    stem = stem_of(tmp_path, content)
    path = tmp_path / "mix.wav"
    path.write_bytes(mix_of(tmp_path / "song.wav", stem, 2.0, attenuation=6.03))
    chunks = dict(chunks_of(path))
    assert chunks[b"cue "] == CHUNKS[b"cue "]
    for texts in (info.read(chunks[b"LIST"][4:], "<"), id3.read(chunks[b"id3 "])[0]):
        assert texts["TITLE"] == ["Song (mix)"]
        assert texts["COMMENT"][0].startswith("Live/6.03 dB quieter")
