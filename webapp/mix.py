"""The mix of a job's stems as a visitor has set it, made while it is sent, in the depth that the song has.

The only module with numpy that a CGI script loads.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path

import numpy as np
import soundfile

from webapp.jobs import Job
from webapp.refusal import Refusal, no_such_file
from webapp.words import say

SAMPLES_AT_ONCE = 1 << 16
LARGEST_RIFF = 0xFFFFFFFF  # bytes; a longer one is RF64 (EBU Tech 3306)
PCM, IEEE_FLOAT = 1, 3
# What samples are made of: the tag in the header, and numpy's type. What is not here becomes 16 bit, as the stems do.
ENCODINGS = {
    "PCM_U8": (PCM, "u1"),
    "PCM_16": (PCM, "<i2"),
    "PCM_24": (PCM, "<i3"),
    "PCM_32": (PCM, "<i4"),
    "FLOAT": (IEEE_FLOAT, "<f4"),
    "DOUBLE": (IEEE_FLOAT, "<f8"),
}


def levels(job: Job, field: Callable[[str], str]) -> dict[str, float]:
    """The level of each stem, 0 to 1; 1 for one of which nothing is said. Raises Refusal (400)."""
    if field("format") not in ("", "wav"):
        raise Refusal(HTTPStatus.BAD_REQUEST, say("The mix is made as WAV only."))
    return {name: _level(name, field(name) or "1") for name in job.stems()}


class Mix:
    """The stems of `job`, each at its level. `length` is that of all bytes that `chunks` gives. Raises Refusal (404).

    With all levels at 1 it is the song itself, sample for sample, since not every engine's stems add up to it.
    The files are opened at once: what is deleted meanwhile is sent all the same. A context: it closes them.
    """

    def __init__(self, job: Job, levels: Mapping[str, float]):
        stems = job.stems()
        wanted = {stems[name]: level for name, level in levels.items()}
        if set(wanted.values()) == {1.0}:
            wanted = {job.source: 1.0}
        with ExitStack() as opened:
            subtype = opened.enter_context(_opened(job.source)).subtype
            self._files = [(opened.enter_context(_opened(path)), level) for path, level in wanted.items()]
            self._opened = opened.pop_all()
        first = self._files[0][0]
        self._nb_samples, self._nb_channels = max(file.frames for file, _ in self._files), first.channels
        self._subtype = subtype if subtype in ENCODINGS else "PCM_16"
        tag, kind = ENCODINGS[self._subtype]
        form = (tag, first.channels, first.samplerate, int(kind[-1]))
        nb_bytes = self._nb_samples * first.channels * int(kind[-1])
        self._head, self._end = _header(form, nb_bytes), bytes(nb_bytes % 2)
        self.length = len(self._head) + nb_bytes + len(self._end)

    def chunks(self) -> Iterator[bytes]:
        """The WAV, piece by piece. Raises soundfile.LibsndfileError."""
        yield self._head
        for start in range(0, self._nb_samples, SAMPLES_AT_ONCE):
            nb_samples = min(SAMPLES_AT_ONCE, self._nb_samples - start)
            yield _encoded(self._mixed(nb_samples), self._subtype)
        yield self._end

    def _mixed(self, nb_samples: int) -> np.ndarray:
        """The next samples (nb_samples, nb_channels); float64 holds each sum of integer samples exactly."""
        mixed = np.zeros((nb_samples, self._nb_channels))
        for file, level in self._files:
            if level:
                frames = file.read(nb_samples, always_2d=True)
                mixed[: len(frames)] += level * frames
        return mixed

    def __enter__(self) -> "Mix":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _level(name: str, text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    sentence = say("The level of {name} is not a number from 0 to 1.", name=name)
    raise Refusal(HTTPStatus.BAD_REQUEST, sentence)


def _opened(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    except (OSError, soundfile.LibsndfileError):
        raise no_such_file() from None


def _header(form: tuple[int, int, int, int], nb_bytes: int) -> bytes:
    """What stands before `nb_bytes` of samples; `form` is (tag, channels, sample rate, bytes a sample)."""
    tag, nb_channels, sample_rate, width = form
    frame = nb_channels * width
    rate = min(sample_rate * frame, 0xFFFFFFFF)
    chunks = struct.pack("<4sLHHLLHH", b"fmt ", 16, tag, nb_channels, sample_rate, rate, frame, 8 * width)
    if tag != PCM:
        chunks += struct.pack("<4sLL", b"fact", 4, min(nb_bytes // frame, 0xFFFFFFFF))
    riff = 4 + len(chunks) + 8 + nb_bytes + nb_bytes % 2
    if riff <= LARGEST_RIFF:
        return struct.pack("<4sL4s", b"RIFF", riff, b"WAVE") + chunks + struct.pack("<4sL", b"data", nb_bytes)
    sizes = struct.pack("<4sLQQQL", b"ds64", 28, riff + 36, nb_bytes, nb_bytes // frame, 0)
    head = struct.pack("<4sL4s", b"RF64", LARGEST_RIFF, b"WAVE")
    return head + sizes + chunks + struct.pack("<4sL", b"data", LARGEST_RIFF)


def _encoded(samples: np.ndarray, subtype: str) -> bytes:
    """Samples of full scale 1 as they lie in a WAV; what is beyond full scale is clipped, but in floating point."""
    tag, kind = ENCODINGS[subtype]
    if tag == IEEE_FLOAT:
        return samples.astype(kind).tobytes()
    full_scale = 2 ** (8 * int(kind[-1]) - 1)
    numbers = np.clip(np.rint(samples * full_scale), -full_scale, full_scale - 1)
    if subtype == "PCM_U8":
        return (numbers + 128).astype(kind).tobytes()
    if subtype == "PCM_24":
        return numbers.astype("<i4").reshape(-1, 1).view("u1")[:, :3].tobytes()
    return numbers.astype(kind).tobytes()
