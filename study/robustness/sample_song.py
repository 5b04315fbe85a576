"""A short WAV with a title, and the request that uploads it."""

import io
import struct

BOUNDARY = "robustness-trial-boundary"
_SAMPLES = bytes(range(256)) * 16
_TITLE = struct.pack("<4sI4s4sI", b"LIST", 18, b"INFO", b"INAM", 6) + b"title\0"
_CHUNKS = struct.pack("<4s4sIHHIIHH", b"WAVE", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
_CHUNKS += struct.pack("<4sI", b"data", len(_SAMPLES)) + _SAMPLES + _TITLE
SONG = struct.pack("<4sI", b"RIFF", len(_CHUNKS)) + _CHUNKS


class UploadRequest:
    """A request that uploads a file with this `content`, as `upload.receive` reads it. `body` is its whole body."""

    address = "127.0.0.1"
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    content_length: int | None
    query_name = ""

    def __init__(self, content: bytes = SONG):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="filename"; filename="a.wav"\r\n\r\n'
        self.body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        self.content_length = len(self.body)
        self._unread = io.BytesIO(self.body)

    def read(self) -> bytes:
        return self._unread.read(1000)

    def check_server(self) -> None:
        """The server lives as long as the trial."""
