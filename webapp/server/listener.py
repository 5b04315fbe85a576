"""The HTTP server: it listens, and has a thread for each connection, up to a limit."""

import contextlib
import logging
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from webapp.limits import Limits
from webapp.pages import visitors
from webapp.server.command_line import Options
from webapp.server.connection_slots import ConnectionSlots
from webapp.server.rate_limit import RateLimit
from webapp.server.script_slots import ScriptSlots
from webapp.server.security_headers import SECURITY_HEADERS
from webapp.translation import mark_for_translation

FULL = "Too many people are here at the moment. Please try again in a few seconds."
FULL_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": str(len(FULL)),
    "Retry-After": "5",
    "Connection": "close",
    **SECURITY_HEADERS,
}
FULL_HEAD = "".join(f"{name}: {value}\r\n" for name, value in FULL_HEADERS.items())
TOO_MANY_UPLOADS = mark_for_translation(
    "Too many songs came from your address in the last minute. Please try again in a minute."
)

log = logging.getLogger("server")


class Server(ThreadingHTTPServer):
    """Listens on the host and the port of `options`, and has a `handler` for each connection."""

    request_queue_size = 1024  # clients beyond it try again after 1, 3 and 7 s only
    allow_reuse_address = os.name != "nt"  # on Windows, it would let two servers use one port

    def __init__(self, options: Options, handler: type[BaseHTTPRequestHandler]):
        self.options = options
        self.limits: Limits = options.limits
        self.upload_rate = RateLimit(self.limits.max_uploads_per_minute, TOO_MANY_UPLOADS)
        self.script_slots = ScriptSlots(self.limits)
        self.connection_slots = ConnectionSlots(self.limits)
        self.address_family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        _raise_file_limit(4 * self.limits.max_connections)
        super().__init__((options.host, options.port), handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's would look up this machine's name, which can take long
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        # All visitors behind a proxy come from its address; they are told apart once their requests were read.
        network = "" if self.options.behind_proxy else visitors.network(client_address[0])
        if not self.connection_slots.take(request, network):
            self._reject(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system has no thread left
            self._reject(request)

    def shutdown_request(self, request: Any) -> None:
        self.connection_slots.leave(request)
        super().shutdown_request(request)

    def _reject(self, request: socket.socket) -> None:
        """Send 503 at once, without a thread and without waiting for the client."""
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(f"HTTP/1.1 503 Service Unavailable\r\n{FULL_HEAD}\r\n{FULL}".encode("ascii"))
            request.recv(1 << 16)  # closing with unread data could take the response away (RFC 9112, section 9.6)
        self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            log.exception("a connection failed")


def _raise_file_limit(wanted: int) -> None:
    """Let the process open as many files as its connections need; many systems allow only 1024 by default."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = max(soft, wanted)
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
