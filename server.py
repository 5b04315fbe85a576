#!/usr/bin/env python3
"""The sound separator's web server: what is served, what runs as CGI.

It serves the pages in `static/`, finished stems under `/downloads/<job>/`, and the scripts of one table
under `/cgi-bin/`; nothing else of the folder, ever.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path

from webapp import arguments, folders, logs, visitors
from webapp.background.keeper import Keeper
from webapp.folders import SCRIPTS
from webapp.html import pages, views
from webapp.limits import (
    FIRST_BYTES,
    IDLE_SECONDS,
    MAX_FORM_BYTES,
    MAX_SCRIPTS,
    MAX_STREAMS,
    MAX_UPLOADS,
    SLOT_SECONDS,
    SLOWEST,
)
from webapp.refusal import Refusal, nothing_here, own_fault, stalled
from webapp.serving import downloads, gateway, health, proxy, static
from webapp.serving.connection import OPEN_TO_ALL, Connection
from webapp.serving.files import send_file
from webapp.serving.listener import Server
from webapp.serving.states import STATES
from webapp.words import say

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
REPORTS = {OPEN_TO_ALL: health.health, "/metrics": health.metrics}

SCRIPT_SLOTS = threading.BoundedSemaphore(MAX_SCRIPTS)
UPLOAD_SLOTS = threading.BoundedSemaphore(MAX_UPLOADS)  # slow senders do not keep others out
STREAM_SLOTS = threading.BoundedSemaphore(MAX_STREAMS)
SLOTS = {UPLOAD: UPLOAD_SLOTS, ZIP: STREAM_SLOTS, MIX: STREAM_SLOTS}

log = logging.getLogger("server")


class Handler(Connection):
    """Answers what is asked. The base class's side of CGI is replaced: a fixed table of scripts, their own answers."""

    def answer(self) -> None:
        if not self.is_cgi():
            self._send_file()
        elif self.asks_state:
            self._send_state()
        else:
            self.run_cgi()

    def is_cgi(self) -> bool:
        """Whether the path is one of the table's. Raises Refusal (405) for another method than the table's."""
        self.route, _, self.query = self.path.partition("?")
        self.asks_state = self.route in STATES and self.wants_json()
        method = CGI_SCRIPTS.get(self.route)
        if method and self.command != method and (self.command, method) != ("HEAD", "GET"):
            sentence = say("This address takes {method} only.", method=method)
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, sentence, {"Allow": method})
        return method is not None

    def _send_file(self) -> None:
        """What no script makes. Raises Refusal (404)."""
        if self.command == "POST":
            raise nothing_here()
        if self.route == "/":
            content, headers = views.home_page().encode(), {"Cache-Control": "no-cache", "Vary": "Accept-Language"}
            self.send_whole(HTTPStatus.OK, pages.HTML, content, headers)
        elif report := REPORTS.get(self.route):
            self.send_whole(*report(), {"Cache-Control": "no-store"})
        elif file := static.FILES.get(self.route):
            send_file(self, *file)
        else:
            downloads.send(self, self.route, self.query)

    def _send_state(self) -> None:
        """Answer in this process what open pages ask every second. Raises Refusal (404, 500)."""
        try:
            content = pages.json_body(STATES[self.route](self.query, self.headers.get("Cookie", "")))
        except Refusal:
            raise
        except Exception:
            log.exception("%s cannot be answered", self.route)
            raise own_fault() from None
        self.send_whole(HTTPStatus.OK, pages.JSON, content, {"Cache-Control": "no-store"})

    def run_cgi(self) -> None:
        """Run the script on this connection, and answer as it says. Raises Refusal (408, 429, 503, 500)."""
        if self.route == UPLOAD and (network := visitors.network(self.visitor_address)):
            self.server.upload_rate.spend(network)
        if self.body_length:
            self._await_body()
        slots = SLOTS.get(self.route, SCRIPT_SLOTS)
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
            raise stalled() from None

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
            self.linger()


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
    try:
        folders.prepare()
    except OSError as error:
        sys.exit(f"Cannot write to {error.filename}: {error.strerror}.")
    try:
        server = Server(options, Handler)
    except OSError as error:
        sys.exit(f"Cannot listen on {options.host}, port {options.port}: {error.strerror}. Is it running already?")
    host = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "localhost"}.get(options.host, options.host)  # noqa: S104 (not bound here)
    host = f"[{host}]" if ":" in host else host
    print(f"Open http://{host}:{server.server_port}/ in a browser. Ctrl-C stops the server.", flush=True)
    with server, Keeper(options.workers), contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
