"""Songs that are none, or strange ones, as bytes: each number makes one, with the same seed always the same."""

import io
import math
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import soundfile

from study.faults.fuzz import spoiled

RATES = (1, 2, 100, 8000, 11025, 22050, 44100, 48000, 96000, 192_000, 768_000, 2**31 - 1)
CHANNELS = (1, 2, 2, 3, 4, 6, 8, 9, 32)
LENGTHS = (0, 1, 2, 100, 700, 2048, 9000)
SHORT = 3  # samples, at rates at which more would be seconds
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 32, 64, 255, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1)
WAV_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
IN_BLOCKS = ("IMA_ADPCM", "MS_ADPCM", "GSM610")  # of hundreds of samples, which at 1 Hz are minutes
OTHERS = ("AIFF", "FLAC", "OGG", "MP3", "W64", "AU", "CAF", "IRCAM", "NIST", "VOC", "MAT5", "SDS")
GUID = bytes.fromhex("000000001000800000aa00389b71")  # of KSDATAFORMAT_SUBTYPE, behind the format's tag
STRANGE = (math.nan, math.inf, -math.inf, 1e38, -3e38, 1e-45, 1e10, 2.0, 0.0)


def song(seed: int, number: int) -> tuple[str, bytes]:
    """What it is, and its bytes."""
    rng = random.Random(f"{seed} {number}")
    kind = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    return kind, KINDS[kind][1](rng)


def _honest(rng: random.Random) -> bytes:
    """A WAV as soundfile writes it, of any kind that it can write."""
    while True:
        form = rng.choice(({"format": "WAV"}, {"format": "WAVEX"}, {"format": "RF64"}, {"endian": "BIG"}))
        try:
            subtype = rng.choice(WAV_SUBTYPES + IN_BLOCKS)
            rates = RATES[3:] if subtype in IN_BLOCKS else RATES
            return _written(rng, rng.choice(rates), rng.choice(CHANNELS), subtype=subtype, **form)
        except (soundfile.LibsndfileError, ValueError):
            continue  # not that combination


def _written(rng: random.Random, rate: int, nb_channels: int, nb_samples: int | None = None, **form: str) -> bytes:
    nb_samples = rng.choice(LENGTHS) if nb_samples is None else nb_samples
    noise = np.random.default_rng(rng.randrange(1 << 32)).normal(
        0, rng.choice((0.0, 0.1, 1.0)), (min(nb_samples, SHORT) if rate < 8000 else nb_samples, nb_channels)
    )
    file = io.BytesIO()
    soundfile.write(file, np.clip(noise, -1, 1), rate, **({"format": "WAV"} | form))
    return file.getvalue()


def _fields(rng: random.Random) -> bytes:
    """A WAV written by hand, with some fields of its head that are not what they should be."""
    bits, nb_channels, nb_frames = rng.choice((8, 16, 24, 32, 64)), rng.choice((1, 2, 2, 6)), rng.choice((0, 1, 7, 50))
    frame = nb_channels * bits // 8
    data = rng.randbytes(nb_frames * frame)
    head = {
        "riff": b"RIFF",
        "size": None,
        "wave": b"WAVE",
        "fmt": b"fmt ",
        "fmt size": 16,
        "tag": 3 if bits == 64 else 1,
    }
    head |= {"channels": nb_channels, "rate": 44100, "byte rate": 44100 * frame, "frame": frame, "bits": bits}
    head |= {
        "more": _extension(rng, head["tag"], bits) if rng.random() < 0.3 else b"",
        "data": b"data",
        "length": len(data),
    }
    if head["more"]:
        head |= {"tag": 0xFFFE, "fmt size": 40}
    if head["riff"] == b"RIFF" and rng.random() < 0.2:
        head |= {"riff": b"RF64", "wave": b"WAVE" + _long_sizes(rng, len(data)), "length": 2**32 - 1}
    for field in rng.sample([*head], rng.choice((0, 1, 1, 1, 2, 3))):
        head[field] = _another(rng, head[field])
    size = head["size"] if head["size"] is not None else 36 + len(data)
    packed = b"".join(_packed(name, size if name == "size" else value) for name, value in head.items())
    return packed + data + rng.choice((b"", b"", b"", b"\0", b"LIST\4\0\0\0INFO", b"LIST\xff\xff\xff\xffINFO", b"da"))


def _extension(rng: random.Random, tag: int, bits: int) -> bytes:
    mask = rng.choice((0, 3, 0x3F, 2**32 - 1))
    return (
        struct.pack("<HHIH", 22, rng.choice((bits, bits, 0, 1, 65535)), mask, rng.choice((tag, tag, 0xFFFE, 0))) + GUID
    )


def _long_sizes(rng: random.Random, nb_bytes: int) -> bytes:
    """The chunk ds64 (EBU Tech 3306), whose sizes may lie."""
    sizes = [
        rng.choice((value, value, value, 0, 2**33, 2**63, 2**64 - 1)) for value in (nb_bytes + 72, nb_bytes, nb_bytes)
    ]
    return struct.pack("<4sI3QI", b"ds64", 28, *sizes, rng.choice((0, 0, 1, 2**32 - 1)))


def _another(rng: random.Random, value: bytes | int | None) -> bytes | int:
    if isinstance(value, bytes):
        return rng.choice((rng.randbytes(len(value)), b"RIFX", b"JUNK", b"data", b"fmt ", value[::-1], value * 2, b""))
    return rng.choice((*NUMBERS, *((value or 0) + change for change in (-4, -1, 1, 2, 4)))) % 2**32


def _packed(name: str, value: bytes | int) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.to_bytes(4, "little") if name in FOUR_BYTES else (value % 2**16).to_bytes(2, "little")


FOUR_BYTES = ("size", "fmt size", "rate", "byte rate", "length")


def _spoiled(rng: random.Random) -> bytes:
    """Bytes anywhere in a short one."""
    return spoiled(rng, _written(rng, 44100, 2, rng.choice((1, 100, 300)), subtype=rng.choice(WAV_SUBTYPES[:7])))


def _cut(rng: random.Random) -> bytes:
    whole = _honest(rng)
    return whole[: rng.randrange(len(whole))]


def _strange_floats(rng: random.Random) -> bytes:
    subtype = rng.choice(("FLOAT", "DOUBLE"))
    samples = np.zeros(
        (rng.choice((1, 500, 3000)), rng.choice((1, 2))), np.float32 if subtype == "FLOAT" else np.float64
    )
    values = [rng.choice(STRANGE) for _ in range(rng.choice((1, 3, 100)))]
    for value in values:
        samples[rng.randrange(len(samples)), 0] = value
    if rng.random() < 0.2:
        samples[:] = values[0]
    file = io.BytesIO()
    soundfile.write(file, samples, 44100, format="WAV", subtype=subtype)
    return file.getvalue()


def _renamed(rng: random.Random) -> bytes:
    """Another format, called .wav; sometimes damaged too."""
    name = rng.choice((*OTHERS, *NO_SOUND))
    raw = NO_SOUND[name]() if name in NO_SOUND else _written(rng, 44100, 1, 2000, format=name)
    return raw if rng.random() < 0.5 else spoiled(rng, raw)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("song.wav", bytes(1000))
    return file.getvalue()


NO_SOUND: dict[str, Callable[[], bytes]] = {
    "zip": _zip,
    "gzip": lambda: b"\x1f\x8b\x08\0\0\0\0\0\0\3" + zlib.compress(bytes(1000)),
    "tar": lambda: b"song.wav".ljust(257, b"\0") + b"ustar\x0000" + bytes(2000),
    "png": lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(1000),
    "jpeg": lambda: b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(1000),
    "pdf": lambda: b"%PDF-1.7\n" + bytes(1000),
    "page": lambda: b"<!doctype html><script>alert(1)</script>" * 20,
    "text": lambda: b"This is no song.\n" * 100,
    "nothing": lambda: b"",
    "zeros": lambda: bytes(5000),
    "program": lambda: b"\x7fELF\2\1\1" + bytes(1000),
    "avi": lambda: b"RIFF\xf8\3\0\0AVI LIST" + bytes(1000),
    "mp4": lambda: b"\0\0\0\x18ftypM4A " + bytes(1000),
}
KINDS: dict[str, tuple[int, Callable[[random.Random], bytes]]] = {
    "honest": (15, _honest),
    "another field in the head": (40, _fields),
    "spoiled bytes": (20, _spoiled),
    "cut off": (10, _cut),
    "strange floats": (5, _strange_floats),
    "another format": (10, _renamed),
}
