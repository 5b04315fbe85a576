"""The server's own side: a thread for each connection, and how much of what may go on at once."""

import contextlib
import logging
import os
import socket
import sys
from argparse import Namespace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from webapp.limits import MAX_CONNECTIONS, MAX_UPLOADS_A_MINUTE
from webapp.serving.connection import SECURITY_HEADERS
from webapp.serving.places import Places
from webapp.serving.rates import Rate
from webapp.words import later

FULL = "Too many people are here at the moment. Please try again in a few seconds."
FULL_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": str(len(FULL)),
    "Retry-After": "5",
    "Connection": "close",
    **SECURITY_HEADERS,
}
FULL_HEAD = "".join(f"{name}: {value}\r\n" for name, value in FULL_HEADERS.items())
TOO_MANY_UPLOADS = later("Too many songs came from your address in the last minute. Please try again in a minute.")

log = logging.getLogger("server")


class Server(ThreadingHTTPServer):
    """Listens as `options` say (see `webapp.arguments`), and has a `handler` for each connection."""

    request_queue_size = 1024  # for whom there is no room, the system knocks again after 1, 3 and 7 s only
    allow_reuse_address = os.name != "nt"  # on Windows it would let two servers have one port

    def __init__(self, options: Namespace, handler: type[BaseHTTPRequestHandler]):
        self.options = options
        self.upload_rate = Rate(MAX_UPLOADS_A_MINUTE, TOO_MANY_UPLOADS)
        self.address_family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        self.places = Places(MAX_CONNECTIONS)
        _allow_files()
        super().__init__((options.host, options.port), handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # the base class asks the network for this machine's name, which can take long
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request: socket.socket, client_address: object) -> None:
        if not self.places.take(request):
            self._turn_away(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system has no thread left
            self._turn_away(request)

    def shutdown_request(self, request: socket.socket) -> None:
        self.places.leave(request)
        super().shutdown_request(request)

    def _turn_away(self, request: socket.socket) -> None:
        """Say so at once, without a thread: nobody waits for it."""
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(f"HTTP/1.1 503 Service Unavailable\r\n{FULL_HEAD}\r\n{FULL}".encode("ascii"))
            request.recv(1 << 16)  # closing on what was not read could take the answer away (RFC 9112, 9.6)
        self.shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            log.exception("a connection failed")


def _allow_files() -> None:
    """Let the process have the descriptors that its connections need: many systems begin with 1024."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = max(allowed, 4 * MAX_CONNECTIONS)
        wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
