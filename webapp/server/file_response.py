"""Sending a file: whole or in part, and only if it has changed (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from email.message import Message
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from webapp.errors import StoredFileNotFound
from webapp.server.request import Request

if TYPE_CHECKING:
    from webapp.server.handler import Handler

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class FileVersion:
    """What distinguishes this version of a file from others: its size in bytes and its modification time in ns."""

    size: int
    modified_ns: int

    @property
    def etag(self) -> str:
        return f'"{self.modified_ns:x}-{self.size:x}"'

    @property
    def last_modified(self) -> str:
        return formatdate(self.modified_ns // 10**9, usegmt=True)


def send_file(
    handler: Handler,
    request: Request,
    path: Path,
    content_type: str,
    disposition: str = "inline",
    max_bytes: int = sys.maxsize,
) -> None:
    """Answer a GET or HEAD with the file at `path`. Raises StoredFileNotFound if it was just deleted.

    At most `max_bytes` of a range are sent; the client must be ready to ask for the rest.
    """
    try:
        file = path.open("rb")
    except OSError:
        raise StoredFileNotFound from None
    with file:
        found = os.fstat(file.fileno())
        version = FileVersion(found.st_size, found.st_mtime_ns)
        status, start, end = choose_part(request.method, request.headers, version)
        if status == HTTPStatus.PARTIAL_CONTENT:
            end = min(end, start + max_bytes)
        _send_head(handler, status, start, end, version)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Disposition", disposition)
        handler.end_headers()
        if request.method == "GET" and end > start:
            handler.wfile.send_file(file, start, end - start)


def choose_part(method: str, headers: Message, version: FileVersion) -> tuple[HTTPStatus, int, int]:
    """The status, and the start and the end of the bytes to send."""
    if _is_another_version(headers, version):
        return HTTPStatus.PRECONDITION_FAILED, 0, 0
    if _is_unchanged(headers, version):
        return HTTPStatus.NOT_MODIFIED, 0, 0
    return _range(method, headers, version)


def _send_head(handler: Handler, status: HTTPStatus, start: int, end: int, version: FileVersion) -> None:
    handler.send_response(status)
    handler.send_header("Accept-Ranges", "bytes")
    handler.send_header("Cache-Control", "private, no-cache")
    handler.send_header("ETag", version.etag)
    handler.send_header("Last-Modified", version.last_modified)
    if status == HTTPStatus.PARTIAL_CONTENT:
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{version.size}")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        handler.send_header("Content-Range", f"bytes */{version.size}")
    if status != HTTPStatus.NOT_MODIFIED:
        handler.send_header("Content-Length", str(end - start))


def _is_another_version(headers: Message, version: FileVersion) -> bool:
    """Whether the client wants only a version that is not this one."""
    tags = headers.get("If-Match")
    if tags is not None:
        return tags.strip() != "*" and version.etag not in [tag.strip() for tag in tags.split(",")]
    date = headers.get("If-Unmodified-Since")
    return _parse_date(date) is not None and not _is_unchanged_since(date, version)


def _is_unchanged(headers: Message, version: FileVersion) -> bool:
    """Whether the client has this version of the file already."""
    tags = headers.get("If-None-Match")
    if tags is not None:
        return tags.strip() == "*" or version.etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    return _is_unchanged_since(headers.get("If-Modified-Since"), version)


def _is_unchanged_since(date: str | None, version: FileVersion) -> bool:
    seconds = _parse_date(date)
    return seconds is not None and version.modified_ns // 10**9 <= seconds


def _parse_date(date: str | None) -> float | None:
    """Unix time in seconds; None for what is not a date."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _range(method: str, headers: Message, version: FileVersion) -> tuple[HTTPStatus, int, int]:
    """The status, and the start and the end of the range. A request for several ranges gets the whole file."""
    whole = (HTTPStatus.OK, 0, version.size)
    found = ONE_RANGE.fullmatch(headers.get("Range", "").strip())
    condition = headers.get("If-Range")
    if method != "GET" or not found or found.group() == "bytes=-":
        return whole
    if condition and condition not in (version.etag, version.last_modified):
        return whole
    first, last = found.groups()
    if first:
        start, end = int(first), min(version.size, int(last) + 1 if last else version.size)
        if last and int(last) < int(first):
            return whole
    else:
        start, end = max(0, version.size - int(last)), version.size
    if start >= end:
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, 0
    return HTTPStatus.PARTIAL_CONTENT, start, end
