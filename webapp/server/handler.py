"""The request handler: one instance for each connection."""

import contextlib
import logging
import os
import re
import socket
import struct
import time
from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from http.server import CGIHTTPRequestHandler
from typing import TYPE_CHECKING

from webapp.errors import SeparatorError
from webapp.pages import views, visitors
from webapp.pages.addresses import set_prefix
from webapp.pages.http_errors import (
    HTTPError,
    as_http_error,
    error_body,
    internal_error,
    page_not_found,
    too_many_people,
    unsupported,
)
from webapp.pages.rendering import HTML, JSON, json_body
from webapp.server import downloads, proxy, request_checks, routes, script_response, static_files
from webapp.server.file_response import send_file
from webapp.server.paced_writer import PacedWriter
from webapp.server.request import Request
from webapp.server.request_head import HeadReader
from webapp.server.security_headers import SECURITY_HEADERS
from webapp.translation import set_language

if TYPE_CHECKING:
    from webapp.server.listener import Server

ABSOLUTE_FORM = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)
LINGER_SECONDS = 5.0

log = logging.getLogger("server")


class Handler(CGIHTTPRequestHandler):
    """Answers the requests of one connection.

    The CGI side of the base class is replaced: scripts come from a fixed table, and their responses are passed on as
    they are.
    """

    server: "Server"
    headers: Message = Message()  # of the present request, once they are read
    wfile: PacedWriter  # type: ignore[assignment]  # the base class takes any stream
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # the default 0.9 has no response headers, and so no security headers
    server_version = "SoundSeparator"
    sys_version = ""
    _request: Request | None = None  # the present one, once its head is read and checked
    _address = ""  # the visitor's, as far as it is known yet

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.limits.idle_seconds)
        self.rfile = HeadReader(self.connection, self.server.limits)  # type: ignore[assignment]  # unbuffered
        self.wfile = PacedWriter(self.connection, self.server.connection_slots, self.server.limits)
        if os.name != "nt":  # Python's own timeout is off while a script has the socket
            limit = struct.pack("ll", self.server.limits.idle_seconds, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    # Reading a request

    def handle_one_request(self) -> None:
        self.server.connection_slots.wait(self.connection)
        super().handle_one_request()

    def parse_request(self) -> bool:
        self._request, self.headers, self._address = None, Message(), self.client_address[0]
        self.wfile.start_response()
        if not (super().parse_request() and self.server.connection_slots.serve(self.connection)):
            return False
        options = ",".join(self.headers.get_all("Connection", [])).lower().split(",")
        if "close" in map(str.strip, options):  # the base class knows it only as the one option
            self.close_connection = True
        return self._request is not None or self._check_request()  # a request with `Expect` was checked already

    def handle_expect_100(self) -> bool:
        if not self._check_request():
            return False
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _check_request(self) -> bool:
        """Check the head of the request. Sends the error and returns False if it is not accepted."""
        set_language(self.headers.get("Accept-Language", ""))
        try:
            self._request = self._checked_request()
        except HTTPError as error:
            self.send_http_error(error)
            return False
        if self._request.has_body:
            self.close_connection = True  # what a script leaves unread must not be taken for the next request
        return True

    def _checked_request(self) -> Request:
        """The present request. Raises HTTPError if it is not accepted."""
        options = self.server.options
        set_prefix(proxy.prefix(self.headers) if options.behind_proxy else "")
        request_checks.check_text(self.path)
        self._take_absolute_form()
        route, _, query = self.path.partition("?")
        if self.command == "PUT" and route != routes.UPLOAD:
            raise unsupported(HTTPStatus.NOT_IMPLEMENTED)
        body_length = request_checks.check(self.command, self.headers, self.server.limits, options.public_name)
        is_https = False
        if options.behind_proxy:
            self._address, is_https = proxy.address(self.headers, self._address), proxy.is_https(self.headers)
            self._count_for_visitor()
        if options.password and self.path != routes.HEALTH:
            options.password.check(self.headers, visitors.network(self._address))
        return Request(self.command, route, query, self.headers, body_length, self._address, is_https)

    def _take_absolute_form(self) -> None:
        """Take a target as clients send it to proxies, `http://localhost/`. Its host counts (RFC 9112, 3.2.2)."""
        if found := ABSOLUTE_FORM.fullmatch(self.path):
            if len(self.headers.get_all("Host", [])) == 1:
                self.headers.replace_header("Host", found[1])
            self.path = found[2] if found[2].startswith("/") else f"/{found[2]}"

    def _count_for_visitor(self) -> None:
        """Count this connection of a proxy for the visitor while it is served. Raises HTTPError (503)."""
        if not self.server.connection_slots.count_for(self.connection, visitors.network(self._address)):
            raise too_many_people()

    # Answering it

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def do_PUT(self) -> None:
        self._respond()

    def _respond(self) -> None:
        if self._request is None:
            return
        try:
            self._dispatch(self._request)
        except SeparatorError as error:
            self.send_http_error(as_http_error(error))
        except (ConnectionError, BlockingIOError, TimeoutError):
            self.close_connection = True  # the client has left, or stopped reading

    def _dispatch(self, request: Request) -> None:
        """Answer the request. Raises SeparatorError."""
        routes.check_method(request)
        if status := routes.find_status(request):
            try:
                content = json_body(status(request))
            except SeparatorError:
                raise
            except Exception:
                log.exception("%s cannot be answered", request.route)
                raise internal_error() from None
            self.send_whole(HTTPStatus.OK, JSON, content, {"Cache-Control": "no-store"})
        elif request.route in routes.SCRIPTS:
            script_response.run_script(self, request)
        elif request.method not in ("GET", "HEAD"):
            raise page_not_found()
        else:
            self._send_static(request)

    def _send_static(self, request: Request) -> None:
        """Answer with what no script makes. Raises HTTPError (404), JobNotFound, StoredFileNotFound."""
        if request.route == "/":
            content = views.home_page(request.field("deleted")).encode()
            headers = {"Cache-Control": "no-cache", "Vary": "Accept-Language"}
            self.send_whole(HTTPStatus.OK, HTML, content, headers)
        elif report := routes.REPORTS.get(request.route):
            self.send_whole(*report(), {"Cache-Control": "no-store"})
        elif file := static_files.FILES.get(request.route):
            send_file(self, request, *file)
        else:
            downloads.send(self, request)

    def send_whole(self, status: HTTPStatus, content_type: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole response, whose body is `content`."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_http_error(self, error: HTTPError) -> None:
        """Send an error response, as a page or as JSON, and close the connection."""
        content_type, body = error_body(error, JSON in self.headers.get("Accept", ""))
        self.close_connection = True
        self.send_whole(error.status, content_type, body, {"Cache-Control": "no-store"} | dict(error.headers))
        if self.command not in ("GET", "HEAD"):
            self.linger()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send the error that the base class has found in a request."""
        self.send_http_error(unsupported(HTTPStatus(code)))

    def linger(self) -> None:
        """Read on for a moment after an error: closing at once could take the response away (RFC 9112, section 9.6)."""
        self.server.connection_slots.wait(self.connection)
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

    # Logging

    def log_message(self, format: str, *values: object) -> None:
        log.info("%s %s", self._address, (format % values).encode("unicode_escape").decode("ascii"))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self._request and routes.find_status(self._request) and code == HTTPStatus.OK:
            return  # open pages ask for it every second, which would fill the log
        line = self.requestline.encode("unicode_escape").decode("ascii")
        values = {"address": self._address, "request": line, "status": int(code)}
        log.info('%s "%s" %s', *values.values(), extra={"values": values})
