#!/usr/bin/env python3
"""POST: take a pending job out of the queue, or end its separation; then redirect to its page, or to the songs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import response, script
from webapp.cgi.request import Request
from webapp.jobs import queue
from webapp.pages import views


def main(request: Request) -> None:
    job = queue.cancel(request.field("job"))
    if request.wants_json:
        response.send_json(views.as_json(job))
    else:
        response.redirect_back(request, f"/cgi-bin/job.py?job={job.id}")


script.run(main)
