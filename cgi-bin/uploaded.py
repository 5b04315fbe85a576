#!/usr/bin/env python3
"""GET: the page of a file that has been uploaded and waits for SEPARATE."""

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
        response.send_page(views.uploaded_page(job))
    else:
        response.redirect(f"/cgi-bin/job.py?job={job.id}")


script.run(main)
