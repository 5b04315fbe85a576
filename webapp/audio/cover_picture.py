"""The cover of a song in a file that FFmpeg's libraries write."""

import base64
import io
import struct
from typing import Any

import av

from audiofiles.id3 import FRONT_COVER, media_type

DEMUXERS = {"image/jpeg": "jpeg_pipe", "image/png": "png_pipe"}
MAX_BYTES = (1 << 24) - 1000  # of a picture in FLAC, whose block has a length of 24 bits


class Cover:
    """A picture as FFmpeg sees it: its stream's parameters, and its one packet."""

    def __init__(self, image: bytes):
        """Raises av.FFmpegError if the picture is damaged."""
        self._image = image
        self._input: Any = av.open(io.BytesIO(image), format=DEMUXERS[media_type(image)])
        self._stream = self._input.streams.video[0]

    @property
    def has_size(self) -> bool:
        return bool(self._stream.width and self._stream.height)

    def add_to(self, container: Any) -> None:
        """Announce the picture in a container, before anything is written to it."""
        if container.format.name in ("ogg", "opus"):
            container.metadata["METADATA_BLOCK_PICTURE"] = base64.b64encode(self._block()).decode("ascii")
            self._added = None
        else:
            self._added = container.add_stream_from_template(self._stream)
            self._added.disposition = av.stream.Disposition.attached_pic
            self._added.metadata["comment"] = "Cover (front)"

    def write_to(self, container: Any) -> None:
        """Write the picture, before the sound."""
        if self._added is not None:
            packet = next(self._input.demux(self._stream))
            packet.stream, packet.pts, packet.dts = self._added, 0, 0
            container.mux(packet)

    def _block(self) -> bytes:
        """The picture as a block of FLAC (RFC 9639, section 8.8), which Vorbis comments contain in base64."""
        kind = media_type(self._image).encode("ascii")
        size = (self._stream.width, self._stream.height, 0, 0, len(self._image))
        return struct.pack(">II", FRONT_COVER, len(kind)) + kind + struct.pack(">6I", 0, *size) + self._image


def load(image: bytes) -> Cover | None:
    """The cover; None if there is none, or if it is damaged or too large."""
    if not image or len(image) > MAX_BYTES:
        return None
    try:
        cover = Cover(image)
    except (av.FFmpegError, IndexError):
        return None
    return cover if cover.has_size else None
