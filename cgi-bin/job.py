#!/usr/bin/env python3
"""GET: a job's progress, as a page. The server itself answers requests for JSON, which open pages send every second."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import response, script
from webapp.cgi.request import Request
from webapp.jobs import store
from webapp.jobs.job import JobState
from webapp.pages import views


def main(request: Request) -> None:
    job = store.load(request.field("job"))
    if job.state == JobState.UPLOADED:
        response.redirect(f"/cgi-bin/uploaded.py?job={job.id}")
    elif job.is_done:
        response.redirect(f"/cgi-bin/download.py?job={job.id}")
    else:
        response.send_page(views.job_page(job))


script.run(main)
