"""The name of an uploaded file, as the many programs that send files encode it."""

import re
from urllib.parse import unquote

from multipart import MultipartSegment

# Control characters, line ends, and marks that change the direction of text.
INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
EXTENDED = re.compile(r";\s*filename\*\s*=\s*([^\s;]+)", re.IGNORECASE)
NO_NAME = "song.wav"


def displayed_name(raw_name: str) -> str:
    """A file's name as it can be displayed: without folders and invisible characters."""
    name = INVISIBLE.sub("", re.split(r"[/\\]", raw_name)[-1]).strip()
    return name or NO_NAME


def part_file_name(part: MultipartSegment) -> str:
    """The raw name of the file in a part of a form; empty if the part is not a file.

    The part's header was decoded as Latin-1, which keeps every byte.
    """
    extended = EXTENDED.search(part.header("Content-Disposition", ""))
    if extended and (name := _decode_extended(extended[1])):
        return name
    name = _decode_bytes(part.filename or "")
    return _decode_words(name) if name.startswith("=?") else name


def _decode_bytes(name: str) -> str:
    """Browsers send UTF-8 (WHATWG HTML); curl on Windows sends bytes of the system's code page."""
    raw = name.encode("latin-1")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _decode_extended(value: str) -> str:
    """`utf-8''caf%C3%A9.wav` (RFC 8187, section 3.2)."""
    charset, _, name = value.partition("'")
    try:
        return unquote(name.partition("'")[2], charset or "utf-8", "replace")
    except LookupError:
        return ""


def _decode_words(name: str) -> str:
    """`=?utf-8?B?Y2Fmw6kud2F2?=` (RFC 2047), as PowerShell and .NET send it."""
    from email.errors import HeaderParseError  # imported here, since few programs send such names
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(name)))
    except (HeaderParseError, LookupError, ValueError):
        return name
