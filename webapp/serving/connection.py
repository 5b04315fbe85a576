"""One connection: who is welcome on it, how it is told no, what every answer has in its head, and what is logged."""

import contextlib
import logging
import os
import socket
import struct
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import CGIHTTPRequestHandler

from webapp.html import pages
from webapp.limits import IDLE_SECONDS
from webapp.refusal import Refusal, nothing_here
from webapp.serving import guard, proxy
from webapp.serving.head import HeadReader
from webapp.words import listen, say

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # "no-referrer" would make browsers post with the origin "null"
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OPEN_TO_ALL = "/health"  # which asks for no password: it says nothing of anybody
LINGER_SECONDS = 5.0

log = logging.getLogger("server")


class Connection(CGIHTTPRequestHandler):
    """What answering has in common, whatever is asked. The server is a `webapp.serving.listener.Server`."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # as it comes 0.9, whose answers have no head, and so no security headers
    server_version = "SoundSeparator"
    sys_version = ""
    timeout = IDLE_SECONDS
    asks_state = False
    visitor_address = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = HeadReader(self.connection)
        if os.name != "nt":  # for the time that a script has the socket, when Python's own timeout is off
            limit = struct.pack("ll", IDLE_SECONDS, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def handle_one_request(self) -> None:
        self.server.places.wait(self.connection)
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.visitor_address = self.client_address[0]
        return super().parse_request() and self.server.places.serve(self.connection) and self._is_welcome()

    def handle_expect_100(self) -> bool:
        if not self._is_welcome():
            return False
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _is_welcome(self) -> bool:
        listen(self.headers.get("Accept-Language", ""))
        try:
            guard.check_text(self.path)
            self.body_length = guard.check(self.command, self.headers, self.server.options.public_name)
            if self.server.options.behind_proxy:
                self.visitor_address = proxy.address(self.headers, self.visitor_address)
            if self.server.options.password and self.path != OPEN_TO_ALL:
                self.server.options.password.check(self.headers, self.visitor_address)
        except Refusal as refusal:
            self.refuse(refusal)
            return False
        if self.body_length:
            self.close_connection = True  # what a script leaves unread must not be taken for the next request
        return True

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            self.answer()
        except Refusal as refusal:
            self.refuse(refusal)
        except (ConnectionError, BlockingIOError, TimeoutError):
            self.close_connection = True  # the visitor has left, or stopped reading

    def answer(self) -> None:
        """Answer the request that was read. Raises Refusal; whoever serves says what is here."""
        raise nothing_here()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class finds wrong with a request, in a sentence."""
        status = HTTPStatus(code)
        sentence = say("This request cannot be answered ({reason}).", reason=status.phrase.lower())
        self.refuse(Refusal(status, sentence))

    def refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal's status, as a page or as JSON."""
        content_type, body = pages.error_body(refusal, self.wants_json())
        self.close_connection = True
        self.send_whole(refusal.status, content_type, body, {"Cache-Control": "no-store"} | dict(refusal.headers))
        if self.command not in ("GET", "HEAD"):
            self.linger()

    def wants_json(self) -> bool:
        headers = getattr(self, "headers", None)  # there are none yet if the first line is no request's
        return headers is not None and pages.JSON in headers.get("Accept", "")

    def send_whole(self, status: HTTPStatus, content_type: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Answer with `content`, which is at hand."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def linger(self) -> None:
        """Read on for a moment after a no: closing on a sender would take the answer from it (RFC 9112, 9.6)."""
        self.server.places.wait(self.connection)
        deadline = time.monotonic() + LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.connection.recv(1 << 16):
                    break

    def end_headers(self) -> None:
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, format: str, *values: object) -> None:
        log.info("%s %s", self.visitor_address, (format % values).encode("unicode_escape").decode("ascii"))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self.asks_state and code == HTTPStatus.OK:
            return  # open pages ask every second, and would fill the log
        request = self.requestline.encode("unicode_escape").decode("ascii")
        values = {"address": self.visitor_address, "request": request, "status": int(code)}
        log.info('%s "%s" %s', *values.values(), extra={"values": values})
