"""Sending a file: whole or in part, and only if it has changed (RFC 9110, sections 13 and 14)."""

import os
import re
import sys
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from webapp.refusal import no_such_file

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def send_file(
    handler: BaseHTTPRequestHandler,
    path: Path,
    content_type: str,
    disposition: str = "inline",
    most_bytes: int = sys.maxsize,
) -> None:
    """Answer a GET or HEAD with the file at `path`. Raises Refusal (404) if it has just gone.

    Of a range, the first `most_bytes` are sent; the client asks for the rest, as it must be ready to.
    """
    try:
        file = path.open("rb")
    except OSError:
        raise no_such_file() from None
    with file:
        found = os.fstat(file.fileno())
        size, modified = found.st_size, found.st_mtime_ns
        tag = f'"{modified:x}-{size:x}"'
        if _is_known(handler.headers, tag, modified):
            status, start, end = HTTPStatus.NOT_MODIFIED, 0, 0
        else:
            status, start, end = _part(handler, tag, modified, size)
        if status == HTTPStatus.PARTIAL_CONTENT:
            end = min(end, start + most_bytes)
        _send_head(handler, status, (start, end, size), tag, modified)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Disposition", disposition)
        handler.end_headers()
        if handler.command == "GET" and end > start:
            handler.connection.sendfile(file, start, end - start)


def _send_head(handler: BaseHTTPRequestHandler, status: HTTPStatus, part: tuple, tag: str, modified: int) -> None:
    start, end, size = part
    handler.send_response(status)
    handler.send_header("Accept-Ranges", "bytes")
    handler.send_header("Cache-Control", "private, no-cache")
    handler.send_header("ETag", tag)
    handler.send_header("Last-Modified", formatdate(modified // 10**9, usegmt=True))
    if status == HTTPStatus.PARTIAL_CONTENT:
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        handler.send_header("Content-Range", f"bytes */{size}")
    if status != HTTPStatus.NOT_MODIFIED:
        handler.send_header("Content-Length", str(end - start))


def _is_known(headers, tag: str, modified: int) -> bool:
    """Whether the client has this very file already."""
    tags = headers.get("If-None-Match")
    if tags is not None:
        return tags.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in tags.split(",")]
    return _is_since(headers.get("If-Modified-Since"), modified)


def _is_since(date: str | None, modified: int) -> bool:
    if not date:
        return False
    try:
        return modified // 10**9 <= parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return False


def _part(handler: BaseHTTPRequestHandler, tag: str, modified: int, size: int) -> tuple[HTTPStatus, int, int]:
    """The status, and the start and end of what is to be sent. More than one range is answered with the whole."""
    whole = (HTTPStatus.OK, 0, size)
    found = ONE_RANGE.fullmatch(handler.headers.get("Range", "").strip())
    condition = handler.headers.get("If-Range")
    if handler.command != "GET" or not found or found.group() == "bytes=-":
        return whole
    if condition and condition != tag and condition != formatdate(modified // 10**9, usegmt=True):
        return whole
    first, last = found.groups()
    if first:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return whole
    else:
        start, end = max(0, size - int(last)), size
    if start >= end:
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, 0
    return HTTPStatus.PARTIAL_CONTENT, start, end
