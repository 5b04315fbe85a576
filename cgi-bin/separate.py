#!/usr/bin/env python3
"""POST: put one job or several into the queue; then redirect to the job's page, or to the list of songs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http import HTTPStatus

from webapp.cgi import response, script
from webapp.cgi.request import Request
from webapp.jobs import queue
from webapp.pages import views


def main(request: Request) -> None:
    choice = [request.field(name) for name in ("model", "stems", "format")]
    queued = [queue.enqueue(job_id, *choice) for job_id in request.fields("job") or [""]]
    if request.wants_json:
        jobs = [views.as_json(job) for job in queued]
        response.send_json({"songs": jobs} if len(jobs) > 1 else jobs[0], HTTPStatus.ACCEPTED)
    else:
        response.redirect_back(request, f"/cgi-bin/job.py?job={queued[0].id}")


script.run(main)
