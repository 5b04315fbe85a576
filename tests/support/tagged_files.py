"""WAV files with chunks and ID3 tags, and a table of malformed tags."""

import struct

import numpy as np

from audiofiles import id3
from tests.support import wave_files

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)


def chunk(name: bytes, content: bytes, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2)


def wave_with(*chunks: bytes, data: bytes = b"\x01\x02" * 2000) -> bytes:
    plain = wave_files.wav(data)
    content = plain[12:] + b"".join(chunks)
    return plain[:4] + struct.pack("<I", 4 + len(content)) + b"WAVE" + content


def frame(name: bytes, body: bytes, version: int = 3, flags: int = 0) -> bytes:
    if version == 2:
        return name + len(body).to_bytes(3, "big") + body
    size = id3._synchsafe_bytes(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name + size + flags.to_bytes(2, "big") + body


def tag(*frames: bytes, version: int = 3, flags: int = 0) -> bytes:
    content = b"".join(frames)
    return b"ID3" + bytes([version, 0, flags]) + id3._synchsafe_bytes(len(content)) + content


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
