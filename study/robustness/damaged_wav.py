"""Generate valid, unusual and damaged WAV files. The same seed and number always give the same bytes."""

import io
import math
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import soundfile

from study.robustness.corruption import corrupt

SAMPLE_RATES = (1, 2, 100, 8000, 11025, 22050, 44100, 48000, 96000, 192_000, 768_000, 2**31 - 1)
NB_CHANNELS = (1, 2, 2, 3, 4, 6, 8, 9, 32)
NB_SAMPLES = (0, 1, 2, 100, 700, 2048, 9000)
MAX_SAMPLES_AT_LOW_RATES = 3  # where more would last seconds
UNUSUAL_NUMBERS = (
    *(0, 1, 2, 3, 7, 8, 16, 32, 64, 255),
    *(0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1),
)
UNUSUAL_FLOATS = (math.nan, math.inf, -math.inf, 1e38, -3e38, 1e-45, 1e10, 2.0, 0.0)
WAV_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
BLOCK_SUBTYPES = ("IMA_ADPCM", "MS_ADPCM", "GSM610")  # in blocks of hundreds of samples, which are minutes at 1 Hz
OTHER_FORMATS = ("AIFF", "FLAC", "OGG", "MP3", "W64", "AU", "CAF", "IRCAM", "NIST", "VOC", "MAT5", "SDS")
SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")  # the end of the GUID in WAVE_FORMAT_EXTENSIBLE
FOUR_BYTE_FIELDS = ("size", "fmt size", "rate", "byte rate", "length")


def generate(seed: int, number: int) -> tuple[str, bytes]:
    """Return the kind of the file with this number, and its bytes."""
    rng = random.Random(f"{seed} {number}")
    kind = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    return kind, KINDS[kind][1](rng)


def _valid(rng: random.Random) -> bytes:
    """Return a WAV of any variant that soundfile can write."""
    while True:
        options = rng.choice(({"format": "WAV"}, {"format": "WAVEX"}, {"format": "RF64"}, {"endian": "BIG"}))
        try:
            subtype = rng.choice(WAV_SUBTYPES + BLOCK_SUBTYPES)
            rates = SAMPLE_RATES[3:] if subtype in BLOCK_SUBTYPES else SAMPLE_RATES
            sample_rate, nb_channels = rng.choice(rates), rng.choice(NB_CHANNELS)
            return _encode(rng, sample_rate, nb_channels, rng.choice(NB_SAMPLES), subtype=subtype, **options)
        except (soundfile.LibsndfileError, ValueError):
            continue  # libsndfile does not support this combination


def _encode(rng: random.Random, sample_rate: int, nb_channels: int, nb_samples: int, **options: str) -> bytes:
    """Encode noise with soundfile; `options` are those of `soundfile.write`."""
    if sample_rate < 8000:
        nb_samples = min(nb_samples, MAX_SAMPLES_AT_LOW_RATES)
    noise_rng = np.random.default_rng(rng.randrange(1 << 32))
    noise = noise_rng.normal(0, rng.choice((0.0, 0.1, 1.0)), (nb_samples, nb_channels))
    file = io.BytesIO()
    soundfile.write(file, np.clip(noise, -1, 1), sample_rate, **({"format": "WAV"} | options))
    return file.getvalue()


def _changed_fields(rng: random.Random) -> bytes:
    """Return a WAV with up to three wrong fields in its header."""
    bits, nb_channels, nb_frames = rng.choice((8, 16, 24, 32, 64)), rng.choice((1, 2, 2, 6)), rng.choice((0, 1, 7, 50))
    block_align = nb_channels * bits // 8
    data = rng.randbytes(nb_frames * block_align)
    header = _header(nb_channels, bits, block_align, len(data))
    tag = 3 if bits == 64 else 1
    if rng.random() < 0.3:
        header |= {"tag": 0xFFFE, "fmt size": 40, "extension": _extension(rng, tag, bits)}
    if rng.random() < 0.2:
        header |= {"riff": b"RF64", "wave": b"WAVE" + _ds64(rng, len(data)), "length": 2**32 - 1}
    for field in rng.sample([*header], rng.choice((0, 1, 1, 1, 2, 3))):
        header[field] = _wrong_value(rng, header[field])
    packed = b"".join(_pack(name, value) for name, value in header.items())
    return packed + data + rng.choice((b"", b"", b"", b"\0", b"LIST\4\0\0\0INFO", b"LIST\xff\xff\xff\xffINFO", b"da"))


def _header(nb_channels: int, bits: int, block_align: int, nb_bytes: int) -> dict[str, bytes | int]:
    """Return the fields of a WAV header, in their order."""
    return {
        "riff": b"RIFF",
        "size": 36 + nb_bytes,
        "wave": b"WAVE",
        "fmt": b"fmt ",
        "fmt size": 16,
        "tag": 3 if bits == 64 else 1,
        "channels": nb_channels,
        "rate": 44100,
        "byte rate": 44100 * block_align,
        "block align": block_align,
        "bits": bits,
        "extension": b"",
        "data": b"data",
        "length": nb_bytes,
    }


def _extension(rng: random.Random, tag: int, bits: int) -> bytes:
    """Return the extension of WAVE_FORMAT_EXTENSIBLE, some of whose fields may be wrong."""
    valid_bits, channel_mask = rng.choice((bits, bits, 0, 1, 65535)), rng.choice((0, 3, 0x3F, 2**32 - 1))
    return struct.pack("<HHIH", 22, valid_bits, channel_mask, rng.choice((tag, tag, 0xFFFE, 0))) + SUBFORMAT


def _ds64(rng: random.Random, nb_bytes: int) -> bytes:
    """Return a ds64 chunk (EBU Tech 3306), whose sizes may be wrong."""
    sizes = [
        rng.choice((value, value, value, 0, 2**33, 2**63, 2**64 - 1)) for value in (nb_bytes + 72, nb_bytes, nb_bytes)
    ]
    return struct.pack("<4sI3QI", b"ds64", 28, *sizes, rng.choice((0, 0, 1, 2**32 - 1)))


def _wrong_value(rng: random.Random, value: bytes | int) -> bytes | int:
    if isinstance(value, bytes):
        return rng.choice((rng.randbytes(len(value)), b"RIFX", b"JUNK", b"data", b"fmt ", value[::-1], value * 2, b""))
    return rng.choice((*UNUSUAL_NUMBERS, *(value + change for change in (-4, -1, 1, 2, 4)))) % 2**32


def _pack(name: str, value: bytes | int) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.to_bytes(4, "little") if name in FOUR_BYTE_FIELDS else (value % 2**16).to_bytes(2, "little")


def _changed_bytes(rng: random.Random) -> bytes:
    subtype = rng.choice(WAV_SUBTYPES[:7])
    return corrupt(rng, _encode(rng, 44100, 2, rng.choice((1, 100, 300)), subtype=subtype))


def _truncated(rng: random.Random) -> bytes:
    content = _valid(rng)
    return content[: rng.randrange(len(content))]


def _unusual_floats(rng: random.Random) -> bytes:
    subtype, dtype = rng.choice((("FLOAT", np.float32), ("DOUBLE", np.float64)))
    samples = np.zeros((rng.choice((1, 500, 3000)), rng.choice((1, 2))), dtype)
    values = [rng.choice(UNUSUAL_FLOATS) for _ in range(rng.choice((1, 3, 100)))]
    for value in values:
        samples[rng.randrange(len(samples)), 0] = value
    if rng.random() < 0.2:
        samples[:] = values[0]
    file = io.BytesIO()
    soundfile.write(file, samples, 44100, format="WAV", subtype=subtype)
    return file.getvalue()


def _other_format(rng: random.Random) -> bytes:
    """Return a file of another format, for a file name that ends with .wav. Half of them are corrupted too."""
    name = rng.choice((*OTHER_FORMATS, *NOT_AUDIO))
    content = NOT_AUDIO[name]() if name in NOT_AUDIO else _encode(rng, 44100, 1, 2000, format=name)
    return content if rng.random() < 0.5 else corrupt(rng, content)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("song.wav", bytes(1000))
    return file.getvalue()


NOT_AUDIO: dict[str, Callable[[], bytes]] = {
    "zip": _zip,
    "gzip": lambda: b"\x1f\x8b\x08\0\0\0\0\0\0\3" + zlib.compress(bytes(1000)),
    "tar": lambda: b"song.wav".ljust(257, b"\0") + b"ustar\x0000" + bytes(2000),
    "png": lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(1000),
    "jpeg": lambda: b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(1000),
    "pdf": lambda: b"%PDF-1.7\n" + bytes(1000),
    "html": lambda: b"<!doctype html><script>alert(1)</script>" * 20,
    "text": lambda: b"This is not a song.\n" * 100,
    "empty": lambda: b"",
    "zeros": lambda: bytes(5000),
    "program": lambda: b"\x7fELF\2\1\1" + bytes(1000),
    "avi": lambda: b"RIFF\xf8\3\0\0AVI LIST" + bytes(1000),
    "mp4": lambda: b"\0\0\0\x18ftypM4A " + bytes(1000),
}
# The kind of file → how often it is generated, in percent, and the function that generates it.
KINDS: dict[str, tuple[int, Callable[[random.Random], bytes]]] = {
    "valid": (15, _valid),
    "changed header fields": (40, _changed_fields),
    "changed bytes": (20, _changed_bytes),
    "truncated": (10, _truncated),
    "unusual floats": (5, _unusual_floats),
    "other formats": (10, _other_format),
}
