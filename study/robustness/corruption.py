"""Corrupt valid input: change, remove, repeat and insert bytes."""

import random

from study.robustness.sample_song import BOUNDARY

# Byte strings that are special to one of the parsers.
TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b"--", b'"', b";", b"=", b"%", b"\\", b"../", b"CON"),
    *(b"\xff\xfe", b"\xe2\x80\xae", b"--" + BOUNDARY.encode(), b"\r\n\r\n", b"filename"),
    *(b"9" * 30, b"-1", b"\xff\xff\xff\xff", b"\0\0\0\0", b"A" * 4096),
    *(b"LIST", b"id3 ", b"data", b"ds64", b"RF64", b"RIFX", b"bytes=", b"q=", b",", b":", b" "),
]


def corrupt(rng: random.Random, content: bytes) -> bytes:
    """Return `content` with up to eight places changed, removed, repeated or replaced by a token."""
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice((0, 1, 2, 4, 8, 100)))
        replacement = rng.choice((b"", rng.randbytes(end - start), rng.choice(TOKENS), content[start:end] * 2))
        content = content[:start] + replacement + content[end:]
    return content
