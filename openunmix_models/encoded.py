"""Encoded audio: the first audio track of any container of `containers`, decoded by FFmpeg's libraries (PyAV).

Frames come as FFmpeg's own program gives them: without the encoder's delay and padding, and within the edit list.

What is opened is hostile until shown otherwise. The demuxer is the one that belongs to the first bytes, the decoders
are those of a list, and FFmpeg gets an open file instead of a name and may use no protocol, so that nothing that the
file refers to is ever opened. Call this in a process with limits on its time and memory (`child`).
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from .containers import Container, detect
from .errors import InputError

DECODER_NAMES = """
    aac ac3 eac3 alac amrnb amrwb dca flac gsm gsm_ms mlp mp1 mp1float mp2 mp2float mp3 mp3float opus qdm2 speex truehd
    vorbis wavpack wmalossless wmapro wmav1 wmav2 wmavoice
    adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha g722 g726 mace3 mace6
    pcm_alaw pcm_bluray pcm_dvd pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_mulaw pcm_s16be pcm_s16le pcm_s24be
    pcm_s24le pcm_s32be pcm_s32le pcm_s8 pcm_u8
"""
DECODERS = frozenset(DECODER_NAMES.split())
PROTECTED_TAGS = frozenset({"drms", "enca", "aavd", "p608"})  # sample entries of MP4: FairPlay, CENC, Audible
ASF_ENCRYPTION = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")  # the GUID of its Content Encryption Object
MATROSKA_DURATION = re.compile(r"(\d+):(\d+):(\d+\.?\d*)\s*")  # a tag of the track, as most programs write it
ASF_HEADER_BYTES = 1 << 18
MAX_COVER_BYTES = (1 << 24) - (1 << 16)
MAX_UNREADABLE_PACKETS = 1000


class ProtectedError(InputError):
    """The file is encrypted."""


class NoSoundError(InputError):
    """The file has no audio track."""


class CodecError(InputError):
    """The codec is not one of DECODERS."""

    def __init__(self, message: str, codec: str):
        super().__init__(message)
        self.codec = codec


class DamagedError(InputError):
    """The file has no sound that can be decoded."""


class EncodedAudio:
    """The first audio track of the file at `path`. A context manager, which closes the file.

    Raises InputError if the file is of no known container, ProtectedError, NoSoundError, CodecError, DamagedError.
    """

    def __init__(self, path: Path):
        self.name = path.name
        self.nb_unreadable_packets = 0
        self._file = path.open("rb")
        try:
            self.container = self._detect()
            self._input = self._open()
            self._track = self._find_track()
        except BaseException:
            self._file.close()
            raise

    def _detect(self) -> Container:
        container = detect(self._file)
        if not container or not container.demuxer:
            raise InputError(f"{self.name} cannot be read as audio.")
        self._file.seek(0)
        if container.demuxer == "asf" and ASF_ENCRYPTION in self._file.read(ASF_HEADER_BYTES):
            raise self._protected()
        self._file.seek(0)
        return container

    def _open(self) -> Any:
        logging.getLogger("libav").setLevel(logging.CRITICAL)
        options = {
            "protocol_whitelist": "none",
            "format_whitelist": self.container.demuxer,
            "codec_whitelist": ",".join(sorted(DECODERS)),
        }
        try:
            return av.open(
                _LenientFile(self._file), format=self.container.demuxer, options=options, metadata_errors="replace"
            )
        except (av.error.FFmpegError, ValueError):
            raise self._damaged() from None

    def _find_track(self) -> AudioStream:
        tracks = self._input.streams.audio
        if not tracks:
            raise NoSoundError(f"{self.name} has no audio track.")
        track: AudioStream = tracks[0]
        if _tag(track) in PROTECTED_TAGS:
            raise self._protected()
        codec = _codec(track)
        if codec not in DECODERS:
            raise CodecError(f"{self.name} holds sound of the codec {codec}, which cannot be decoded here.", codec)
        track.codec_context.thread_count = 1
        return track

    @property
    def nb_tracks(self) -> int:
        return len(self._input.streams.audio)

    @property
    def codec(self) -> str:
        return _codec(self._track)

    @property
    def stated_seconds(self) -> float | None:
        """The length of the track, as the file states it or FFmpeg estimates it; None if it is not known."""
        if (seconds := self._track_seconds) is not None:
            return seconds
        return None if self._input.duration is None else float(self._input.duration / av.time_base)

    @property
    def promised_seconds(self) -> float | None:
        """The length of the track, where the file states it; None where FFmpeg can only estimate it."""
        return self._track_seconds if self.container.states_length else None

    @property
    def _track_seconds(self) -> float | None:
        """None if the file states only its own length, which may be that of a longer video."""
        if self._track.duration is not None and self._track.time_base:
            return float(self._track.duration * self._track.time_base)
        tag = MATROSKA_DURATION.fullmatch(self._track.metadata.get("DURATION", ""))
        return 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3]) if tag else None

    @property
    def metadata(self) -> Mapping[str, str]:
        """The tags of the file and of the track, by FFmpeg's names in lower case."""
        both = dict(self._input.metadata) | dict(self._track.metadata)
        return {name.lower(): value for name, value in both.items()}

    def frames(self) -> Iterator[AudioFrame]:
        """Decode the track from its beginning. Packets that cannot be decoded are left out and counted."""
        for packet in self._packets(self._track):
            if packet.has_sidedata("encryption_info"):
                raise self._protected()
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.nb_unreadable_packets += 1
                if self.nb_unreadable_packets > MAX_UNREADABLE_PACKETS:
                    raise self._damaged() from None
                continue
            yield from frames

    def measured_seconds(self, most: float) -> float:
        """The length of the track by the durations of its packets, read until they exceed `most` seconds."""
        seconds = 0.0
        for packet in self._packets(self._track):
            if packet.duration and packet.time_base:
                seconds += float(packet.duration * packet.time_base)
            if seconds > most:
                break
        return seconds

    def cover(self) -> bytes:
        """The first attached picture, if it is a JPEG or PNG; it is not decoded."""
        for picture in self._input.streams.video:
            if picture.disposition.attached_pic:
                content = next((bytes(packet) for packet in self._packets(picture) if packet.size), b"")
                if content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) and len(content) <= MAX_COVER_BYTES:
                    return content
        return b""

    def _packets(self, track: Any) -> Iterator[Any]:
        """The packets of one track. A file that ends or is damaged in the middle ends there."""
        with suppress(av.error.FFmpegError):
            yield from self._input.demux(track)

    def _protected(self) -> ProtectedError:
        return ProtectedError(f"{self.name} is protected against copying (DRM) and cannot be decoded.")

    def _damaged(self) -> DamagedError:
        return DamagedError(f"{self.name} is damaged: no sound in it can be decoded.")

    def __enter__(self) -> "EncodedAudio":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._input.close()
        self._file.close()


class _LenientFile:
    """A file for FFmpeg, which gets an error number for a seek to an impossible offset, as damaged files contain."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


def _codec(track: AudioStream) -> str:
    context = track.codec_context
    return str(context.codec.name) if context and context.codec else "unknown"


def _tag(track: AudioStream) -> str:
    with suppress(UnicodeDecodeError, AttributeError):  # a number of WAV's; no codec is known
        return str(track.codec_context.codec_tag)
    return ""
