#!/usr/bin/env python3
"""The sound separator's web server: what is served, what runs as CGI.

It serves the pages in `static/`, finished stems under `/downloads/<job>/`, and the scripts of one table
under `/cgi-bin/`; nothing else of the folder, ever.
"""

import contextlib
import logging
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Mapping
from http import HTTPStatus
from http.server import CGIHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer

from webapp import arguments, gateway, guard, health, jobs, logs, names, pages, proxy, views, visitors
from webapp.files import send_file
from webapp.folders import DOWNLOADS, SCRIPTS, STATIC, UPLOADS
from webapp.head import HeadReader
from webapp.keeper import Keeper
from webapp.limits import (
    FIRST_BYTES,
    IDLE_SECONDS,
    MAX_CONNECTIONS,
    MAX_FORM_BYTES,
    MAX_SCRIPTS,
    MAX_STREAMS,
    MAX_UPLOADS,
    MAX_UPLOADS_A_MINUTE,
    PIECE_BYTES,
    SLOT_SECONDS,
    SLOWEST,
)
from webapp.rates import Rate
from webapp.refusal import Refusal
from webapp.result_page import IN_PIECES
from webapp.states import STATES
from webapp.words import later, listen, say

UPLOAD = "/cgi-bin/upload.py"
ZIP, MIX = "/cgi-bin/zip.py", "/cgi-bin/mix.py"
CGI_SCRIPTS = {
    UPLOAD: "POST",
    "/cgi-bin/uploaded.py": "GET",
    "/cgi-bin/separate.py": "POST",
    "/cgi-bin/job.py": "GET",
    "/cgi-bin/download.py": "GET",
    "/cgi-bin/delete.py": "POST",
    "/cgi-bin/songs.py": "GET",
    "/cgi-bin/again.py": "POST",
    ZIP: "GET",
    MIX: "GET",
}
# Not asked of the system: on Windows any program may have made .js plain text, which a browser then does not run.
STATIC_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
STATIC_FILES = {
    f"/static/{path.relative_to(STATIC).as_posix()}": (path, STATIC_TYPES[path.suffix])
    for path in STATIC.rglob("*")
    if path.suffix in STATIC_TYPES
}
HEALTH = "/health"  # which asks for no password: it says nothing of anybody
REPORTS = {HEALTH: health.health, "/metrics": health.metrics}
STEM_PATH = re.compile(r"/downloads/([0-9a-f]{32})/([a-z]+)\.(wav|flac)")
MIXTURE_PATH = re.compile(r"/downloads/([0-9a-f]{32})/mixture\.wav")
PICTURE_PATH = re.compile(r"/downloads/([0-9a-f]{32})/([a-z]+)\.(peaks|spectrogram)")

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # "no-referrer" would make browsers post with the origin "null"
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LINGER_SECONDS = 5.0
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TOO_MANY_UPLOADS = later("Too many songs came from your address in the last minute. Please try again in a minute.")

log = logging.getLogger("server")


class Handler(CGIHTTPRequestHandler):
    """One connection. The CGI side of the base class is replaced: a fixed table of scripts, and their own answers."""

    protocol_version = "HTTP/1.1"
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

    def parse_request(self) -> bool:
        self.visitor_address = self.client_address[0]
        return super().parse_request() and self._is_welcome()

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
            if self.server.options.password and self.path != HEALTH:
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
            if not self.is_cgi():
                self._send_static_or_stem()
            elif self.asks_state:
                self._send_state()
            else:
                self.run_cgi()
        except Refusal as refusal:
            self.refuse(refusal)
        except (ConnectionError, BlockingIOError, TimeoutError):
            self.close_connection = True  # the visitor has left, or stopped reading

    def is_cgi(self) -> bool:
        """Whether the path is one of the table's. Raises Refusal (405) for another method than the table's."""
        self.route, _, self.query = self.path.partition("?")
        self.asks_state = self.route in STATES and self._wants_json()
        method = CGI_SCRIPTS.get(self.route)
        if method and self.command != method and (self.command, method) != ("HEAD", "GET"):
            sentence = say("This address takes {method} only.", method=method)
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, sentence, {"Allow": method})
        return method is not None

    def _send_state(self) -> None:
        """Answer in this process what open pages ask every second. Raises Refusal (404, 500)."""
        try:
            content = pages.json_body(STATES[self.route](self.query, self.headers.get("Cookie", "")))
        except Refusal:
            raise
        except Exception:
            log.exception("%s cannot be answered", self.route)
            sentence = say("Something went wrong on this machine; the server's log says what.")
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, sentence) from None
        self._send_whole(HTTPStatus.OK, pages.JSON, content, {"Cache-Control": "no-store"})

    def run_cgi(self) -> None:
        """Run the script on this connection, and answer as it says. Raises Refusal (408, 429, 503, 500)."""
        if self.route == UPLOAD and (network := visitors.network(self.visitor_address)):
            self.server.upload_rate.spend(network)
        if self.body_length:
            self._await_body()
        slots = self.server.slots(self.route)
        if not slots.acquire(timeout=SLOT_SECONDS):
            sentence = say("Too many people are here at the moment. Please try again in a few seconds.")
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": "5"})
        try:
            self.connection.settimeout(None)  # else the script would find its standard input non-blocking
            script = SCRIPTS / Path(self.route).name
            with gateway.answering(script, self._variables(), self.rfile, self.body_length) as answer:
                self._pass_on(answer)
        except gateway.BadScript:
            log.error("%s did not answer", self.route)
            sentence = say("This took too long, or went wrong; the server's log may say why.")
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, sentence) from None
        finally:
            self.connection.settimeout(self.timeout)
            slots.release()

    def _await_body(self) -> None:
        """Wait until enough of the body is there, that no slow sender may take a place. Raises Refusal (408)."""
        enough = min(self.body_length, FIRST_BYTES if self.route == UPLOAD else MAX_FORM_BYTES)
        try:
            self._count_as_readable(enough)
            self.connection.recv(1, socket.MSG_PEEK)
            self._count_as_readable(1)
        except TimeoutError:
            sentence = say("Nothing came for a minute, so the sending was given up.")
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, sentence) from None

    def _count_as_readable(self, nb_bytes: int) -> None:
        """From how many bytes on the connection has something to be read."""
        if os.name != "nt":  # Windows knows no other number than one
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, nb_bytes)

    def _variables(self) -> dict[str, str]:
        """The meta-variables of RFC 3875 that the scripts use."""
        return {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": "GET" if self.command == "HEAD" else self.command,
            "SCRIPT_NAME": self.route,
            "QUERY_STRING": self.query,
            "CONTENT_LENGTH": str(self.body_length),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_COOKIE": self.headers.get("Cookie", ""),
            "HTTP_ACCEPT": self.headers.get("Accept", ""),
            "HTTP_ACCEPT_LANGUAGE": self.headers.get("Accept-Language", ""),
            "REMOTE_ADDR": self.visitor_address,
            "HTTPS": "on" if self.server.options.behind_proxy and proxy.is_https(self.headers) else "",
        }

    def _pass_on(self, answer: gateway.Answer) -> None:
        self.send_response(answer.status)
        if "Content-Length" not in answer.headers:
            self.close_connection = True
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        nb_sent, patience = 0, time.monotonic() + IDLE_SECONDS
        while self.command != "HEAD" and (chunk := answer.body.read(1 << 16)):
            self.wfile.write(chunk)
            nb_sent += len(chunk)
            if nb_sent < SLOWEST * (time.monotonic() - patience):
                break  # who reads a byte a second must not keep others from reading
        if nb_sent != int(answer.headers.get("Content-Length", nb_sent)):
            self.close_connection = True  # the script broke off, and the visitor waits for the rest
        if answer.status >= 400 and self.body_length:
            self._linger()

    def _send_static_or_stem(self) -> None:
        if self.command == "POST":
            raise Refusal(HTTPStatus.NOT_FOUND, say("There is nothing at this address."))
        if self.route == "/":
            self._send_home_page()
            return
        if report := REPORTS.get(self.route):
            self._send_whole(*report(), {"Cache-Control": "no-store"})
            return
        static, stem = STATIC_FILES.get(self.route), STEM_PATH.fullmatch(self.route)
        if static:
            path, content_type = static
            send_file(self, path, f"{content_type}; charset=utf-8")
        elif mixture := MIXTURE_PATH.fullmatch(self.route):
            send_file(self, jobs.load(mixture[1]).source, "audio/wav", most_bytes=self._most_bytes())
        elif picture := PICTURE_PATH.fullmatch(self.route):
            self._send_picture(*picture.groups())
        elif stem:
            self._send_stem(*stem.groups())
        else:
            raise Refusal(HTTPStatus.NOT_FOUND, say("There is nothing at this address."))

    def _send_home_page(self) -> None:
        content = views.home_page().encode()
        self._send_whole(HTTPStatus.OK, pages.HTML, content, {"Cache-Control": "no-cache", "Vary": "Accept-Language"})

    def _send_stem(self, job_id: str, name: str, format: str) -> None:
        job = jobs.load(job_id)
        path = job.stems().get(name)
        if not path or format != job.format:
            raise Refusal(HTTPStatus.NOT_FOUND, say("There is no such file here."))
        jobs.touch(job)
        send_file(
            self, path, f"audio/{format}", names.attachment(names.stem(job, name, path.suffix)), self._most_bytes()
        )

    def _most_bytes(self) -> int:
        """A browser has six connections to a server, and each track of a player keeps one until it has all it asked."""
        return PIECE_BYTES if self.query == IN_PIECES else sys.maxsize

    def _send_picture(self, job_id: str, name: str, kind: str) -> None:
        job = jobs.load(job_id)
        path = job.outdir / f"{name}.{kind}"
        if job.state == "done" and name in ("mixture", *job.stems()) and not path.exists():
            self.send_response(HTTPStatus.NO_CONTENT)  # not drawn yet: a browser would note a 404 as the page's fault
            self.end_headers()
        else:
            send_file(self, path, "application/octet-stream")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class finds wrong with a request, in a sentence."""
        status = HTTPStatus(code)
        sentence = say("This request cannot be answered ({reason}).", reason=status.phrase.lower())
        self.refuse(Refusal(status, sentence))

    def refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal's status, as a page or as JSON."""
        content_type, body = pages.error_body(refusal, self._wants_json())
        self.close_connection = True
        self._send_whole(refusal.status, content_type, body, {"Cache-Control": "no-store"} | dict(refusal.headers))
        if self.command not in ("GET", "HEAD"):
            self._linger()

    def _wants_json(self) -> bool:
        headers = getattr(self, "headers", None)  # there are none yet if the first line is no request's
        return headers is not None and pages.JSON in headers.get("Accept", "")

    def _send_whole(self, status: HTTPStatus, content_type: str, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _linger(self) -> None:
        """Read on for a moment after a no: closing on a sender would take the answer from it (RFC 9112, 9.6)."""
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


class Server(ThreadingHTTPServer):
    """The web server, a thread a connection."""

    request_queue_size = 128
    allow_reuse_address = os.name != "nt"  # on Windows it would let two servers have one port

    def __init__(self, options: Namespace):
        self.options = options
        self.upload_rate = Rate(MAX_UPLOADS_A_MINUTE, TOO_MANY_UPLOADS)
        self.address_family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        self.script_slots = threading.BoundedSemaphore(MAX_SCRIPTS)
        self.upload_slots = threading.BoundedSemaphore(MAX_UPLOADS)  # slow senders do not keep others out
        self.stream_slots = threading.BoundedSemaphore(MAX_STREAMS)
        self.places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((options.host, options.port), Handler)

    def slots(self, route: str) -> threading.BoundedSemaphore:
        """Those of which a request to `route` takes one."""
        return {UPLOAD: self.upload_slots, ZIP: self.stream_slots, MIX: self.stream_slots}.get(route, self.script_slots)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # the base class asks the network for this machine's name, which can take long
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request: socket.socket, client_address: object) -> None:
        if not self.places.acquire(blocking=False):
            self._turn_away(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system has no thread left
            self.places.release()
            self._turn_away(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def _turn_away(self, request: socket.socket) -> None:
        """Say so at once, without a thread: nobody waits for it."""
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(FULL)
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


def _stop_once(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not break off the orderly end
    raise KeyboardInterrupt


def main() -> None:
    options = arguments.parse()
    os.environ.update(options.limits.variables())
    os.environ |= {logs.AS_JSON: "yes" if options.log_json else ""}
    logs.configure()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop_once)
    for folder in (UPLOADS, DOWNLOADS):
        folder.mkdir(exist_ok=True)
    _allow_files()
    try:
        server = Server(options)
    except OSError as error:
        sys.exit(f"Cannot listen on {options.host}, port {options.port}: {error.strerror}. Is it running already?")
    host = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "localhost"}.get(options.host, options.host)  # noqa: S104 (not bound here)
    host = f"[{host}]" if ":" in host else host
    print(f"Open http://{host}:{server.server_port}/ in a browser. Ctrl-C stops the server.", flush=True)
    with server, Keeper(options.workers), contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
