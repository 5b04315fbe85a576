#!/usr/bin/env python3
"""The sound separator's web server: reads its options, and runs the HTTP server and the worker until Ctrl-C."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which PYTHONSAFEPATH and -P leave out

from webapp import logs, paths
from webapp.limits import Limits
from webapp.server import command_line
from webapp.server.handler import Handler
from webapp.server.listener import Server
from webapp.worker.supervisor import WorkerSupervisor

HINTS = {
    errno.EADDRINUSE: " Is it running already?",
    errno.EADDRNOTAVAIL: " This machine does not have this address.",
    errno.EACCES: " Ports below 1024 may need administrator rights.",
}
LOCAL_HOSTS = ("127.0.0.1", "0.0.0.0", "::")  # noqa: S104 (shown as localhost, not listened on)


def main(arguments: Sequence[str] | None = None, limits: Limits = Limits()) -> None:  # noqa: B008 (immutable)
    """Run the server with the options on the command line. `limits` are their defaults."""
    options = command_line.parse(arguments, limits)
    os.environ.pop("PYTHONSAFEPATH", None)  # the worker and its child processes are modules of this folder
    os.environ |= options.limits.variables() | {logs.AS_JSON: "yes" if options.log_json else ""}
    logs.configure()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    os.umask(0o077)  # songs and their ids are for this user only
    try:
        paths.prepare()
    except OSError as error:
        sys.exit(f"Cannot write to {error.filename}: {error.strerror}.")
    try:
        server = Server(options, Handler)
    except OSError as error:
        sys.exit(
            f"Cannot listen on {options.host}, port {options.port}: {error.strerror}.{HINTS.get(error.errno or 0, '')}"
        )
    print(f"Open {_url(options.host, server.server_port)} in a browser. Ctrl-C stops the server.", flush=True)
    with server, WorkerSupervisor(options.workers, options.run_with), contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


def _stop(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the orderly stop
    raise KeyboardInterrupt


def _url(host: str, port: int) -> str:
    host = "localhost" if host in LOCAL_HOSTS else host
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


if __name__ == "__main__":
    main()
