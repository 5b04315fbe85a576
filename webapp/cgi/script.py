"""Runs a CGI script: calls its `main` with the request, and reports whatever goes wrong."""

import os
import sys
from collections.abc import Callable

from webapp.cgi import response
from webapp.cgi.request import Request
from webapp.errors import SeparatorError
from webapp.jobs import disk_space
from webapp.pages.addresses import set_prefix
from webapp.pages.http_errors import as_http_error, internal_error
from webapp.translation import set_language


def run(main: Callable[[Request], None]) -> None:
    """Run a script. Errors of the application become error pages; any other is logged, and the page is a plain one."""
    _keep_stdout_for_the_response()
    set_prefix(os.environ["SCRIPT_NAME"].rpartition("/cgi-bin/")[0])
    set_language(os.environ.get("HTTP_ACCEPT_LANGUAGE", ""))
    request = Request()
    try:
        with disk_space.writing():
            main(request)
    except SeparatorError as error:
        response.send_error(as_http_error(error), request)
    except KeyboardInterrupt:
        sys.exit(1)  # Ctrl-C, which stops the server, reaches its scripts too
    except response.StreamInterrupted:
        _log_exception()
        sys.exit(1)
    except Exception:
        _log_exception()
        response.send_error(internal_error(), request)


def _keep_stdout_for_the_response() -> None:
    """Let libraries in C, some of which print what they do not understand, write to the log instead."""
    sys.stdout.flush()
    response_descriptor = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(response_descriptor, "w", encoding="utf-8")


def _log_exception() -> None:
    import logging  # imported here, since few scripts ever need it

    from webapp import logs

    logs.configure()
    logging.getLogger("script").exception("%s failed", os.environ["SCRIPT_NAME"])
