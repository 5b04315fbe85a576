"""Run a copy's server with other limits: `python run_server.py <home> <limits as JSON> <patch> <options>`.

`patch` is Python code that runs in the server's process before it starts, to put a fault into a module.

Under coverage.py, the CGI scripts are measured too: the server passes only a few environment variables on to them, and
this adds the one by which coverage.py starts in a new process. The server kills a script as soon as it has its
response; here the script first gets the time to save what was measured.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress

COVERAGE = "COVERAGE_PROCESS_CONFIG"
SAVING_SECONDS = 2.0


class _PatientPopen(subprocess.Popen):
    """A process that gets a moment to end by itself before it is killed."""

    def kill(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(SAVING_SECONDS)
        super().kill()


home, limits, patch, *options = sys.argv[1:]
sys.path[0] = home

import server  # noqa: E402 (from the copy)
from webapp.limits import Limits  # noqa: E402
from webapp.server import cgi_gateway  # noqa: E402

if COVERAGE in os.environ:
    cgi_gateway.PASSED_ON += (COVERAGE,)
    subprocess.Popen = _PatientPopen
exec(patch)  # noqa: S102 (written by a test)
server.main(options, Limits(**json.loads(limits)))
