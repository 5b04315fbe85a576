"""Responses of CGI scripts: a script runs on the connection, and what it answers is passed on."""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from webapp.limits import Limits
from webapp.pace import Pace
from webapp.pages import visitors
from webapp.pages.addresses import address
from webapp.pages.http_errors import HTTPError, upload_gave_way, upload_interrupted, upload_timeout
from webapp.paths import SCRIPTS
from webapp.server import cgi_gateway, routes
from webapp.server.request import Request
from webapp.server.transfer import Transfer, set_low_water_mark
from webapp.translation import translate

if TYPE_CHECKING:
    from webapp.server.handler import Handler

LAST_CHUNK = b"0\r\n\r\n"

log = logging.getLogger("server")


def run_script(handler: Handler, request: Request) -> None:
    """Run the script of the request's route, and pass its response on. Raises HTTPError (400, 408, 429, 500, 503)."""
    network = visitors.network(request.address)
    if request.route == routes.UPLOAD and network:
        handler.server.upload_rate.spend(network)
    transfer = Transfer(handler.connection, network, request.has_body, request.body_length)
    if request.has_body:
        _await_body(handler, request, transfer)
    with handler.server.script_slots.hold(request.route, transfer), _running(handler, request, transfer) as response:
        if request.route in routes.STREAMS:
            _pass_on(handler, request, response, response.chunks())
            return
        chunks = list(response.chunks())
    _pass_on(handler, request, response, chunks)  # a client that reads slowly does not keep the script's slot


@contextmanager
def _running(handler: Handler, request: Request, transfer: Transfer) -> Iterator[cgi_gateway.Response]:
    """Run the script on the connection. In the block it has begun to answer. Raises HTTPError (500, 503)."""
    limits = handler.server.limits
    script = SCRIPTS / Path(request.route).name
    seconds = limits.export_seconds if request.route in routes.STREAMS else limits.script_seconds
    length = limits.max_upload_bytes if request.body_length is None else request.body_length

    def has_started(kill: Callable[[], None]) -> None:
        transfer.kill_script = kill

    variables = _variables(request, limits)
    try:
        with (
            _giving_body(handler, request, transfer) as has_answered,
            cgi_gateway.run(script, variables, handler.rfile, length, limits, seconds, has_started) as response,
        ):
            has_answered()
            if transfer.gave_way:
                raise upload_gave_way()
            yield response
    except cgi_gateway.BadResponse:
        if transfer.gave_way and request.has_body:
            raise upload_gave_way() from None
        log.error("%s did not answer", request.route)
        sentence = translate("This took too long or went wrong. The server's log may have the reason.")
        raise HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, sentence) from None


@contextmanager
def _giving_body(handler: Handler, request: Request, transfer: Transfer) -> Iterator[Callable[[], None]]:
    """Let a script read the request's body from the connection, until the function that this gives is called."""
    with ExitStack() as receiving:
        if request.has_body:
            receiving.enter_context(handler.server.connection_slots.transferring(handler.connection, transfer))
            handler.connection.settimeout(None)  # with a timeout, the script's standard input would be non-blocking
            receiving.callback(handler.connection.settimeout, handler.server.limits.idle_seconds)
        yield receiving.close


def _await_body(handler: Handler, request: Request, transfer: Transfer) -> None:
    """Wait for the first bytes of the body, so that a slow client does not take a slot.

    Raises HTTPError: 408 if they do not arrive in time, 400 if the client has left. Without a script for each of them,
    many clients that leave at the same moment do not take all slots either.
    """
    limits = handler.server.limits
    first_bytes = limits.first_upload_bytes if request.route == routes.UPLOAD else limits.max_form_bytes
    nb_awaited = first_bytes if request.body_length is None else min(request.body_length, first_bytes)
    try:
        with handler.server.connection_slots.transferring(handler.connection, transfer):
            begun = _peek(handler.connection, nb_awaited, request.body_length is None, limits)
    except TimeoutError:
        raise upload_timeout() from None
    if request.route == routes.UPLOAD:
        transfer.receive_ahead()
    if transfer.gave_way:
        raise upload_gave_way()
    if not begun or (len(begun) < nb_awaited and request.body_length is not None and _has_left(handler.connection)):
        raise upload_interrupted()


def _peek(connection: socket.socket, nb_bytes: int, is_chunked: bool, limits: Limits) -> bytes:
    """Wait until `nb_bytes` have arrived, or the last of the chunks, and return what has. Raises TimeoutError."""
    deadline = time.monotonic() + Pace(limits).seconds_left + nb_bytes / limits.min_bytes_per_second
    nb_awaited = 1 if is_chunked else nb_bytes
    while True:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        set_low_water_mark(connection, nb_awaited)
        begun = connection.recv(nb_bytes, socket.MSG_PEEK)
        if (
            not is_chunked
            or not begun
            or len(begun) == nb_bytes
            or begun.endswith(LAST_CHUNK)
            or len(begun) < nb_awaited
        ):
            set_low_water_mark(connection, 1)
            return begun
        nb_awaited = len(begun) + 1


def _has_left(connection: socket.socket) -> bool:
    """Whether the client has closed its side. The system may return fewer bytes than awaited for other reasons too."""
    if not hasattr(select, "POLLRDHUP"):  # only Linux tells
        return os.name != "nt"
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def _variables(request: Request, limits: Limits) -> dict[str, str]:
    """Those of the meta-variables of RFC 3875 that the scripts use.

    Raises HTTPError (431) if one is longer than a script should get; the system refuses long ones.
    """
    variables = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET" if request.method == "HEAD" else request.method,
        "SCRIPT_NAME": address(request.route),
        "QUERY_STRING": request.query,
        "CONTENT_LENGTH": "" if request.body_length is None else str(request.body_length),
        "HTTP_TRANSFER_ENCODING": "chunked" if request.body_length is None else "",
        "CONTENT_TYPE": request.header("Content-Type"),
        "HTTP_COOKIE": request.cookies,
        "HTTP_ACCEPT": request.header("Accept"),
        "HTTP_ACCEPT_LANGUAGE": request.header("Accept-Language"),
        "REMOTE_ADDR": request.address,
        "HTTPS": "on" if request.is_https else "",
    }
    if any(len(os.fsencode(value)) > limits.max_variable_bytes for value in variables.values()):
        sentence = translate("The address or a header of this request is too long.")
        raise HTTPError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence)
    return variables


def _pass_on(handler: Handler, request: Request, response: cgi_gateway.Response, chunks: Iterable[bytes]) -> None:
    handler.send_response(response.status)
    if response.length is None:
        handler.close_connection = True
    for name, value in response.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    nb_sent = 0
    for chunk in chunks if request.method != "HEAD" else ():
        nb_sent += handler.wfile.write(chunk)
    if response.length not in (None, nb_sent):
        handler.close_connection = True  # the script has ended early, and the client waits for the rest
    if response.status >= 400 and request.has_body:
        handler.linger()
